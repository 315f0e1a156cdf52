"""Layout of a flow graph: a chain runs from left to right in rows; whatever branches, merges or leads back is drawn in layers."""

from __future__ import annotations

from experiments.compiler import chain
from experiments.compiler.bind import Bound, Item
from experiments.compiler.flow import Flow
from experiments.compiler.graph import draw_graph, measure, read_graph, roomy
from experiments.compiler.page import Page
from experiments.compiler.panel import write_panel
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Tree


def lay_out(bound: Bound, sheet: Sheet, summary: str) -> Tree:
    cards, graph = read_graph(bound, "decision_node", "outcome_panel")
    path = chain.order(graph.ids, graph.ends)
    room = measure(sheet, graph)
    page = Page(bound, sheet, None if path else room.width)
    page.header()

    def fill(name: str, wide: float) -> Flow:
        return _words(page, cards[name], wide)

    def frame(name: str) -> str:
        return sheet.line(sheet.accent(1)) if _is_result(cards[name]) else sheet.border

    if path:
        by_source = {arrow.source: arrow for arrow in graph.arrows}
        steps = [by_source[name] for name in path[:-1]]
        chain.draw_chain(page, path, steps, chain.columns_for(len(path)), fill, frame)
    else:
        draw_graph(page, graph, room, fill, frame, roomy(room))
    page.footer()
    return page.finish(summary)


def _is_result(item: Item) -> bool:
    return item.part.kind == "outcome_panel"


def _words(page: Page, item: Item, wide: float) -> Flow:
    sheet = page.sheet
    accent = sheet.accent(1 if _is_result(item) else 0)
    ground = sheet.tinted(accent, 0.1, sheet.theme.surface_2) if _is_result(item) else sheet.surface
    return write_panel(page, item.ref, item.data, wide, ground, accent)
