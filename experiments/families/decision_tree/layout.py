"""Layout of a decision tree: an entry, layers of question cards and outcome panels, branches with their labels on the
way in.
"""

from __future__ import annotations

from experiments.compiler.bind import Bound, Item
from experiments.compiler.flow import Flow
from experiments.compiler.graph import Graph, arrows_of, draw_graph, measure
from experiments.compiler.page import Page
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Ornament, Text, Tree


def lay_out(bound: Bound, sheet: Sheet, summary: str) -> Tree:
    cards = {item.id: item for item in bound.all("decision_node", "outcome_panel")}
    graph = _graph(bound, cards)
    room = measure(sheet, graph)
    page = Page(bound, sheet, room.width)
    page.header()
    draw_graph(
        page, graph, room, lambda name, wide: _words(page, cards[name], wide), lambda name: _border(sheet, cards[name])
    )
    page.footer()
    return page.finish(summary)


def _graph(bound: Bound, cards: dict[str, Item]) -> Graph:
    """The first question starts the tree, and so does every question that no branch leads to."""
    arrows = arrows_of(bound.all("decision_edge"))
    reached = {arrow.target for arrow in arrows}
    questions = [name for name, item in cards.items() if item.part.kind == "decision_node"]
    entry = bound.one("entry_badge")
    return Graph(
        tuple(cards),
        arrows,
        tuple(dict.fromkeys([questions[0], *(q for q in questions if q not in reached)])),
        (f"{entry.ref}.label", entry.data.label) if entry else None,
    )


def _is_question(item: Item) -> bool:
    return item.part.kind == "decision_node"


def _border(sheet: Sheet, item: Item) -> str:
    return sheet.border if _is_question(item) else sheet.line(sheet.accent(1))


def _words(page: Page, item: Item, wide: float) -> Flow:
    """Title with its sign, body and details of a question or an outcome."""
    sheet, panel = page.sheet, item.data
    colour = sheet.accent(0 if _is_question(item) else 1)
    flow = page.flow(wide, sheet.surface if _is_question(item) else sheet.tinted(colour, 0.07, sheet.theme.surface_2))
    if panel.badge:
        flow.badge(f"{item.ref}.badge", panel.badge, colour)
        flow.skip(sheet.pad * 0.4)
    top = flow.height
    flow.text(f"{item.ref}.title", panel.title, "title", most=5, indent=20)
    title = flow.nodes[-1]
    assert isinstance(title, Text)
    flow.nodes.append(_sign(_is_question(item), top + title.font.size * title.font.lead / 2, sheet.line(colour)))
    if panel.body:
        flow.text(f"{item.ref}.body", panel.body, "body", gap=sheet.pad * 0.3, most=9)
    if panel.detail:
        flow.bullets(f"{item.ref}.detail", panel.detail, colour, gap=sheet.pad * 0.4)
    return flow


def _sign(question: bool, middle: float, colour: str) -> Ornament:
    """A diamond for a question, a disc for an outcome."""
    if not question:
        return Ornament("circle", 0.5, middle - 5.5, 11, 11, fill=colour)
    corners = ((6.5, middle - 6.5), (13, middle), (6.5, middle + 6.5), (0, middle))
    return Ornament("polygon", 0, middle - 6.5, 13, 13, fill=colour, points=corners)
