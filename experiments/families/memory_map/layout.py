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
    {"layer_stack": draw_stack, "typed_regions": draw_regions, "arena_sections": draw_arena}[bound.form](page)
    page.footer()
    return page.finish(summary)
