"""Layouts of a timeline: milestones above and below a spine of date badges, or rows of numbered stage cards."""

from __future__ import annotations

from itertools import pairwise

from experiments.compiler.bind import Bound, Item
from experiments.compiler.flow import Flow
from experiments.compiler.page import Page
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Box, Link, Ornament, Text, Tree, move

STEM = 26.0  # px between a badge on the spine and its card


def lay_out(bound: Bound, sheet: Sheet, summary: str) -> Tree:
    page = Page(bound, sheet)
    page.header()
    lanes = {item.part.get("lane") for item in bound.all("timeline_stage")}
    (_sequence if lanes == {"center"} else _milestones)(page)
    page.footer()
    return page.finish(summary)


def _colour(sheet: Sheet, item: Item, index: int) -> str:
    return sheet.named(item.data.accent, index)


# ---- milestones


def _milestones(page: Page) -> None:
    """Badges in equal steps along the spine; cards as wide as the neighbours in their lane allow."""
    sheet, items = page.sheet, page.bound.all("timeline_stage")
    slot = page.room / len(items)
    upper = [item.part.get("lane") == "top" for item in items]
    alternate = all(a != b for a, b in pairwise(upper))
    wide = min(380.0, (1.667 * slot - 0.67 * sheet.gap) if alternate else slot - sheet.gap * 0.6)
    flows = [_words(page, item, i, wide - 2 * sheet.pad) for i, item in enumerate(items)]
    pad = 2 * sheet.pad
    above = max([flow.height + pad for flow, up in zip(flows, upper, strict=True) if up], default=0.0)
    below = max([flow.height + pad for flow, up in zip(flows, upper, strict=True) if not up], default=0.0)
    badges = [_badge(page, item, i, slot - 44) for i, item in enumerate(items)]
    tall = max(badge.h for badge in badges)
    spine = page.y + (above + STEM if above else 0.0) + tall / 2
    for i, (item, flow, badge) in enumerate(zip(items, flows, badges, strict=True)):
        x = page.x0 + (i + 0.5) * slot
        move([badge], x - badge.w / 2, spine - badge.h / 2)
        left = min(max(x - wide / 2, page.x0), page.x1 - wide)
        high = above if upper[i] else below
        y = spine - tall / 2 - STEM - high if upper[i] else spine + tall / 2 + STEM
        card = page.card(item.id, flow, left, y, wide, high)
        ends = ((x, badge.y), (x, card.bottom)) if upper[i] else ((x, badge.bottom), (x, card.y))
        page.add(
            Link(f"{item.id} stem", list(ends), badge.path, card.path, sheet.line(_colour(sheet, item, i)), head=False),
            card,
            badge,
        )
    _arrows(page, badges)
    page.y = spine + tall / 2 + (STEM + below if below else 0.0)


def _arrows(page: Page, boxes: list[Box]) -> None:
    """Straight arrows from box to box along one line."""
    for a, b in pairwise(boxes):
        page.add(
            Link(
                f"{a.path}->{b.path}",
                [(a.right, a.middle), (b.x, a.middle)],
                a.path,
                b.path,
                page.sheet.wire,
                2.5,
                page.sheet.dash,
            )
        )


def _badge(page: Page, item: Item, index: int, room: float) -> Box:
    """The date on the spine, at the origin; a number where the content gives none."""
    ground = page.sheet.ground(page.sheet.line(_colour(page.sheet, item, index)))
    words = item.data.badge or str(index + 1)
    return page.labels.box(
        f"{item.id} badge", f"{item.ref}.badge", words, "strong", room, ground, edge=12, lift=6, radius=14
    )


def _words(page: Page, item: Item, index: int, wide: float) -> Flow:
    sheet, data = page.sheet, item.data
    flow = page.flow(wide, sheet.surface)
    flow.text(f"{item.ref}.title", data.title, "title", most=3)
    return _lines(flow, item, _colour(sheet, item, index))


def _lines(flow: Flow, item: Item, colour: str) -> Flow:
    """The lines and the note of a stage."""
    data, pad = item.data, flow.sheet.pad
    for i, line in enumerate(data.lines):
        flow.text(
            f"{item.ref}.lines.{i}", line, "body", flow.ground.muted, gap=pad * (0.35 if i == 0 else 0.15), most=4
        )
    if data.note:
        flow.skip(pad * 0.5)
        flow.nodes.append(Ornament("line", 0, flow.height, flow.width, 0, stroke=flow.sheet.rule))
        flow.text(f"{item.ref}.note", data.note, "small", colour, gap=pad * 0.4, most=5)
    return flow


# ---- sequence


def _sequence(page: Page) -> None:
    """One row of cards, or two where there are more than four; arrows join them, one turns back between the rows."""
    sheet, items = page.sheet, page.bound.all("timeline_stage")
    columns = len(items) if len(items) <= 4 else (len(items) + 1) // 2
    gap = sheet.gap * 0.5 + 30
    wide = (page.room - gap * (columns - 1)) / columns
    cards: list[Box] = []
    for start in range(0, len(items), columns):
        row = items[start : start + columns]
        flows = [_numbered(page, item, start + i, wide - 2 * sheet.pad) for i, item in enumerate(row)]
        high = max(flow.height for flow in flows) + 2 * sheet.pad
        if start:
            page.y += sheet.gap + 24
        for i, (item, flow) in enumerate(zip(row, flows, strict=True)):
            cards.append(page.card(item.id, flow, page.x0 + i * (wide + gap), page.y, wide, high))
        _arrows(page, cards[start:])
        page.y += high
    page.add(*cards)
    if len(items) > columns:
        _turn(page, cards[columns - 1], cards[columns])


def _turn(page: Page, last: Box, first: Box) -> None:
    """The arrow from the end of a row to the start of the next."""
    y = (last.bottom + first.y) / 2 - 4
    corners = [(last.centre, last.bottom), (last.centre, y), (first.centre, y), (first.centre, first.y)]
    page.add(Link(f"{last.path}->{first.path}", corners, last.path, first.path, page.sheet.wire, 2.5, page.sheet.dash))


def _numbered(page: Page, item: Item, index: int, wide: float) -> Flow:
    """A big number, the step's name beside it, then the words."""
    sheet, data = page.sheet, item.data
    colour = _colour(sheet, item, index)
    flow = page.flow(wide, sheet.surface)
    size = sheet.fonts["section"].size * 1.75
    fill = sheet.line(colour)
    flow.nodes.append(
        page.labels.number(
            f"{item.id} number", f"{item.ref} number", index + 1, "section", size, size, fill, size * 0.3
        )
    )
    flow.height = size
    if data.badge:
        room = wide - size - 12
        fitted = flow.fit(f"{item.ref}.badge", data.badge, sheet.fonts["strong"], room, 2)
        text = Text.at(f"{item.ref}.badge", size + 12, 0, room, fitted, flow.ground.text(colour))
        text.y = (size - text.h) / 2
        flow.nodes.append(text)
    flow.text(f"{item.ref}.title", data.title, "section", gap=sheet.pad * 0.6, most=3)
    return _lines(flow, item, colour)
