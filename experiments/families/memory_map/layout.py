"""Which layout a memory map takes; the layouts themselves are `stack.py`, `region.py` and `arena.py`."""

from __future__ import annotations

from experiments.compiler.bind import Bound
from experiments.compiler.page import Page
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Tree
from experiments.families.memory_map.arena import draw_arena
from experiments.families.memory_map.region import draw_regions
from experiments.families.memory_map.stack import draw_stack


def lay_out(bound: Bound, sheet: Sheet, summary: str) -> Tree:
    page = Page(bound, sheet)
    page.header()
    form = bound.scene.form or _choose(bound)
    {"layer_stack": draw_stack, "typed_regions": draw_regions, "arena_sections": draw_arena}[form](page)
    page.footer()
    return page.finish(summary)


def _choose(bound: Bound) -> str:
    """The form of a scene that states none: brackets need a stack, sections need parts."""
    if bound.one("region_bracket"):
        return "layer_stack"
    return "arena_sections" if all(item.data.parts for item in bound.all("memory_segment")) else "typed_regions"
