"""Layout of a flow graph: a chain runs from left to right in rows; whatever branches, merges or leads back is drawn in layers."""

from __future__ import annotations

from itertools import pairwise

from experiments.compiler import chain
from experiments.compiler.bind import Bound, Item
from experiments.compiler.flow import Flow
from experiments.compiler.graph import WIDE, Arrow, Graph, draw_graph, measure
from experiments.compiler.page import Page
from experiments.compiler.panel import write_panel
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Tree

WIDEST = {1: 620.0, 2: 500.0}  # px of a card where the fullest row has one or two: wide cards make a deep graph lower


def lay_out(bound: Bound, sheet: Sheet, summary: str) -> Tree:
    cards = {item.id: item for item in bound.all("decision_node", "outcome_panel")}
    arrows = {
        (i.part.source or "", i.part.target or ""): Arrow(
            i.part.source or "", i.part.target or "", (f"{i.ref}.label", i.data.label)
        )
        for i in bound.all("decision_edge")
    }
    path = chain.order(list(cards), list(arrows))
    graph = Graph(tuple(cards), list(arrows.values()), _roots(cards, list(arrows)))
    room = measure(sheet, graph)
    page = Page(bound, sheet, None if path else room.width)
    page.header()

    def fill(name: str, wide: float) -> Flow:
        return _words(page, cards[name], wide)

    def frame(name: str) -> str:
        return sheet.line(sheet.accent(1)) if _is_result(cards[name]) else sheet.border

    if path:
        steps = [arrows[ends] for ends in pairwise(path)]
        chain.draw_chain(page, path, steps, chain.columns_for(len(path)), fill, frame)
    else:
        draw_graph(page, graph, room, fill, frame, WIDEST.get(room.most[1], WIDE))
    page.footer()
    return page.finish(summary)


def _roots(cards: dict[str, Item], ends: list[tuple[str, str]]) -> tuple[str, ...]:
    """Nodes that nothing leads to; the first node where there is none."""
    reached = {target for _, target in ends}
    nodes = [name for name, item in cards.items() if not _is_result(item)]
    return tuple(name for name in nodes if name not in reached) or (nodes[0],)


def _is_result(item: Item) -> bool:
    return item.part.kind == "outcome_panel"


def _words(page: Page, item: Item, wide: float) -> Flow:
    sheet = page.sheet
    accent = sheet.accent(1 if _is_result(item) else 0)
    ground = sheet.tinted(accent, 0.1, sheet.theme.surface_2) if _is_result(item) else sheet.surface
    return write_panel(page, item.ref, item.data, wide, ground, accent)
