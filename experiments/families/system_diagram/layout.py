"""Which layout a system diagram takes; links that are no plain chain are drawn in layers."""

from __future__ import annotations

from experiments.compiler.bind import Bound, Item
from experiments.compiler.graph import Arrow, Graph, draw_graph, measure
from experiments.compiler.page import Page
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Tree
from experiments.families.system_diagram.part import border_of, is_end, write_words
from experiments.families.system_diagram.pipeline import draw_pipeline
from experiments.families.system_diagram.route import draw_route
from experiments.families.system_diagram.selection import draw_selection


def lay_out(bound: Bound, sheet: Sheet, summary: str) -> Tree:
    items = bound.all("system_stage", "terminal_panel")
    links = {(i.part.source or "", i.part.target or ""): i for i in bound.all("system_link")}
    chain = set(zip([i.id for i in items], [i.id for i in items[1:]], strict=False))
    if set(links) != chain:
        return _branching(bound, sheet, items, links, summary)
    page = Page(bound, sheet)
    page.header()
    draw = {"linear_pipeline": draw_pipeline, "build_path": draw_route, "selection_path": draw_selection}[bound.form]
    draw(page, items, list(links.values()))
    page.footer()
    return page.finish(summary)


def _branching(bound: Bound, sheet: Sheet, items: list[Item], links: dict[tuple[str, str], Item], summary: str) -> Tree:
    """Links that are no plain chain are drawn in layers."""
    by_id = {item.id: (i, item) for i, item in enumerate(items)}
    arrows = [Arrow(*ends, (f"{link.ref}.label", link.data.label)) for ends, link in links.items()]
    reached = {target for _, target in links}
    roots = tuple(dict.fromkeys([items[0].id, *(i.id for i in items if i.id not in reached and not is_end(i))]))
    graph = Graph(tuple(by_id), arrows, roots)
    room = measure(sheet, graph)
    page = Page(bound, sheet, room.width)
    page.header()
    draw_graph(
        page,
        graph,
        room,
        lambda name, wide: write_words(page, by_id[name][1], by_id[name][0], wide),
        lambda name: border_of(sheet, by_id[name][1], by_id[name][0]),
    )
    page.footer()
    return page.finish(summary)
