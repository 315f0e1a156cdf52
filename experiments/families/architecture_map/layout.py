"""Layout of an architecture map: one lane across the page for each part of a chain, from top to bottom, with what is handed over
between them; parts that branch are cards in layers.
"""

from __future__ import annotations

from experiments.compiler import chain
from experiments.compiler.bind import Bound, Item
from experiments.compiler.flow import Flow
from experiments.compiler.graph import Arrow, draw_graph, label_box, measure, read_graph, roomy
from experiments.compiler.page import Page
from experiments.compiler.panel import write_panel
from experiments.compiler.sheet import Ground, Sheet
from experiments.compiler.tree import Box, Link, Ornament, Tree, move

BAR = 6.0  # px of the accent edge of a lane
TIP = 17.0  # px below a label for the arrow head


def lay_out(bound: Bound, sheet: Sheet, summary: str) -> Tree:
    cards, graph = read_graph(bound, "decision_node", "outcome_panel")
    path = chain.order(graph.ids, graph.ends)
    room = measure(sheet, graph)
    page = Page(bound, sheet, None if path else room.width)
    page.header()
    if path:
        by_source = {arrow.source: arrow for arrow in graph.arrows}
        _lanes(page, [cards[name] for name in path], [by_source[name] for name in path[:-1]])
    else:
        draw_graph(
            page,
            graph,
            room,
            lambda name, wide: write_panel(page, cards[name].ref, cards[name].data, wide, *_look(sheet, cards[name])),
            lambda name: _border(sheet, cards[name]),
            roomy(room),
        )
    page.footer()
    return page.finish(summary)


def _is_outcome(item: Item) -> bool:
    return item.part.kind == "outcome_panel"


def _look(sheet: Sheet, item: Item) -> tuple[Ground, str]:
    """Ground and accent of a part."""
    accent = sheet.accent(1 if _is_outcome(item) else 0)
    return (sheet.tinted(accent, 0.12, sheet.theme.surface_2) if _is_outcome(item) else sheet.surface), accent


def _border(sheet: Sheet, item: Item) -> str:
    return sheet.line(sheet.accent(1)) if _is_outcome(item) else sheet.border


def _lanes(page: Page, items: list[Item], arrows: list[Arrow]) -> None:
    sheet = page.sheet
    boxes: list[Box] = []
    for n, item in enumerate(items):
        if n:
            label = label_box(
                page, f"{arrows[n - 1].source}->{item.id} label", *_words(arrows[n - 1]), page.room * 0.5, 1
            )
            x = page.x0 + _title_room(page) / 2
            top = page.y + sheet.gap * 0.3
            move([label], max(page.x0, x - label.w / 2), top)
            page.y = label.bottom + TIP
        box = _lane(page, item, n)
        if n:
            line = [(label.centre, boxes[-1].bottom), (label.centre, box.y)]
            page.add(_link(page, arrows[n - 1], line, boxes[-1], box, label), label)
        boxes.append(box)
        page.add(box)
        page.y = box.bottom


def _words(arrow: Arrow) -> tuple[str, str]:
    assert arrow.label
    return arrow.label


def _link(page: Page, arrow: Arrow, line: list[tuple[float, float]], a: Box, b: Box, label: Box) -> Link:
    path = f"{arrow.source}->{arrow.target}"
    return Link(path, line, a.path, b.path, page.sheet.wire, 2.5, page.sheet.dash, label=label.path)


def _title_room(page: Page) -> float:
    return page.room * 0.3


def _lane(page: Page, item: Item, n: int) -> Box:
    """Number and title at the left, the sentence in the middle, details at the right; at the cursor."""
    sheet, data = page.sheet, item.data
    ground, accent = _look(sheet, item)
    left = sheet.pad + BAR
    head = _head(page, item, n, _title_room(page) - left, ground, accent)
    start = _title_room(page) + sheet.pad
    end = page.room - sheet.pad
    split = start + (end - start) * 0.6 if data.detail else end
    body = page.flow(split - start, ground)
    if data.body:
        body.text(f"{item.ref}.body", data.body, "body", ground.muted, most=10)
    chips = page.flow(max(end - split - sheet.pad, 60.0), ground).chips(f"{item.ref}.detail", data.detail, accent)
    high = max(head.height, body.height, chips.height) + 2 * sheet.pad * 0.85
    stroke = _border(sheet, item)
    box = Box(item.id, page.x0, page.y, page.room, high, ground.fill, stroke, 1.2, min(sheet.radius * 0.8, high / 2))
    inset = min(sheet.radius * 0.8, high * 0.25)
    box.add(Ornament("rect", box.x + 7, box.y + inset, BAR, high - 2 * inset, fill=sheet.line(accent), radius=BAR / 2))
    for flow, x in ((head, left), (body, start), (chips, split + sheet.pad)):
        box.add(*flow.place(box.x + x, box.y + (high - flow.height) / 2))
    return box


def _head(page: Page, item: Item, n: int, wide: float, ground: Ground, accent: str) -> Flow:
    """The lane's number, its badge where it has one, and its title."""
    sheet, data = page.sheet, item.data
    size = sheet.fonts["title"].size * 1.7
    flow = page.flow(wide - size - 12, ground)
    if data.badge:
        flow.text(f"{item.ref}.badge", data.badge, "strong", accent, most=2)
    flow.text(f"{item.ref}.title", data.title, "title", most=4)
    number = page.labels.number(
        f"{item.id} number", f"{item.ref} number", n + 1, "strong", size, size, sheet.line(accent), size / 2
    )
    move(flow.nodes, size + 12, max(0.0, (size - flow.height) / 2))
    flow.height = max(flow.height, size)
    move([number], 4, (flow.height - size) / 2)
    flow.nodes.append(number)
    return flow
