"""Layouts of a timeline: lanes put its stages on both sides of a spine or in rows, its form begins them with dates or with numbers.

Arrows to the next stage lie on the spine, or between the cards of a row; the others are `route.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from experiments.compiler.bind import Bound, Item
from experiments.compiler.flow import Flow
from experiments.compiler.page import Page
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Box, Link, Ornament, Text, Tree, move
from experiments.families.timeline.route import FOOT, LEFT, RIGHT, Routes

STEM = 26.0  # px between a badge on the spine and its card
ASIDE = 30.0  # px at each side that rows of milestones leave to the arrows between them
NOTE, LONG_NOTE = 5, 14  # lines that a note may take, and where nothing else helps
MANY = 9  # stages that may stand along one spine
ALONG, ACROSS = 6, 5  # of more, the most along a stretch of it; cards in a row

Measured = TypeVar("Measured")


def lay_out(bound: Bound, sheet: Sheet, summary: str) -> Tree:
    page = Page(bound, sheet)
    page.header()
    lanes = {item.part.get("lane") for item in bound.all("timeline_stage")}
    (_rows if lanes == {"center"} else _spine)(page)
    page.footer()
    return page.finish(summary)


def _is_numbered(page: Page) -> bool:
    """Whether stages begin with their number and say their badge as a step's name, or begin with the badge as a date."""
    return page.bound.form == "stage_sequence"


def _colour(sheet: Sheet, item: Item, index: int) -> str:
    return sheet.named(item.data.accent, index)


# ---- along a spine


def _spine(page: Page) -> None:
    """Badges in equal steps along the spine; cards as wide as the neighbours in their lane allow. Where words do not fit so, the spine breaks
    into rows, joined round the outside.
    """
    items = page.bound.all("timeline_stage")
    tries = _tries(len(items), len(items) if len(items) <= MANY else ALONG)
    columns, (routes, rows) = _fitting(page, tries, lambda *most: _measure(page, *most))
    badges: list[Box] = []
    for number, row in enumerate(rows):
        if number:
            page.y += page.sheet.gap + 24
        turn = page.y - (page.sheet.gap + 24) / 2
        start = number * columns
        _row(page, items[start : start + columns], row, routes, number)
        badges += [one.badge for one in row]
        if start and start - 1 in routes.on:
            _return(page, badges[start - 1], badges[start], turn)
    page.add(*routes.links(badges))


def _tries(number: int, columns: int) -> list[tuple[int, int]]:
    """Numbers of columns to try in turn, each with the most lines of a note: fewer and fewer columns, and then long notes."""
    fewer = dict.fromkeys(-(-number // rows) for rows in range(1, number))
    return [*((n, NOTE) for n in fewer if 2 <= n <= columns), (2, LONG_NOTE)]


def _fitting(page: Page, tries: list[tuple[int, int]], measure: Callable[[int, int], Measured]) -> tuple[int, Measured]:
    """The first number of columns in which the words fit, and what was measured there; where none does, the last one."""
    before = len(page.issues)
    for columns, most in tries:
        del page.issues[before:]
        made = measure(columns, most)
        if len(page.issues) == before:
            break
    return columns, made


@dataclass(slots=True)
class Milestone:
    """A stage on the spine, measured: its words for a card `wide` px wide, and its date."""

    flow: Flow
    badge: Box
    wide: float
    index: int
    upper: bool


def _asides(page: Page, routes: Routes) -> tuple[float, float]:
    """Room at the left and at the right of a spine, for arrows from row to row, px."""
    least = ASIDE if routes.columns < len(routes.names) else 0.0
    return least + routes.aside(LEFT), least + routes.aside(RIGHT)


def _measure(page: Page, columns: int, most: int) -> tuple[Routes, list[list[Milestone]]]:
    """Rows of milestones for that many columns, and the ways of their arrows."""
    sheet, items, routes = page.sheet, page.bound.all("timeline_stage"), Routes(page, columns, apart=True)
    left, right = _asides(page, routes)
    slot = (page.room - (left + right)) / columns
    upper = [item.part.get("lane") == "top" for item in items]
    alternate = all(a != b for a, b in pairwise(upper))
    wide = min(380.0, (1.667 * slot - 0.67 * sheet.gap) if alternate else slot - sheet.gap * 0.6)
    if alternate and columns == 3 and 2 * wide > 3 * slot:  # the first and the last stand in one lane
        wide = 1.5 * slot - sheet.gap * 0.3
    flows = [_words(page, item, i, wide - 2 * sheet.pad, most) for i, item in enumerate(items)]
    made = [
        Milestone(flow, _badge(page, item, i, slot - 44, routes.width()), wide, i, up)
        for i, (item, flow, up) in enumerate(zip(items, flows, upper, strict=True))
    ]
    centres = [page.x0 + left + (i + 0.5) * slot for i in range(columns)]
    straight = [one.badge.w - 2 * one.badge.radius for one in made]
    routes.settle(centres, straight, page.x0 + left, page.x1 - right)
    return routes, [made[start : start + columns] for start in range(0, len(made), columns)]


def _row(page: Page, items: Sequence[Item], row: list[Milestone], routes: Routes, number: int) -> None:
    """One stretch of the spine with its cards, at the cursor."""
    sheet, pad = page.sheet, 2 * page.sheet.pad
    aside, beyond = _asides(page, routes)
    x0, x1 = page.x0 + aside, page.x1 - beyond
    slot = (x1 - x0) / routes.columns
    above = max([one.flow.height + pad for one in row if one.upper], default=0.0)
    below = max([one.flow.height + pad for one in row if not one.upper], default=0.0)
    tall = max(one.badge.h for one in row)
    over, under = _stem(routes, routes.above(number), above), _stem(routes, routes.below(number), below)
    spine = page.y + (above + over) + tall / 2
    routes.floors[routes.above(number)] = spine - tall / 2 - FOOT
    routes.floors[routes.below(number)] = spine + tall / 2 + FOOT
    for i, (item, one) in enumerate(zip(items, row, strict=True)):
        x, badge = x0 + (i + 0.5) * slot, one.badge
        move([badge], x - badge.w / 2, spine - badge.h / 2)
        left = min(max(x - one.wide / 2, x0), x1 - one.wide)
        high = above if one.upper else below
        y = spine - tall / 2 - over - high if one.upper else spine + tall / 2 + under
        card = page.card(item.id, one.flow, left, y, one.wide, high)
        ends = ((x, badge.y), (x, card.bottom)) if one.upper else ((x, badge.bottom), (x, card.y))
        colour = sheet.line(_colour(sheet, item, one.index))
        page.add(Link(f"{item.id} stem", list(ends), badge.path, card.path, colour, head=False), card, badge)
    _arrows(page, [one.badge for one in row], routes, number)
    page.y = spine + tall / 2 + (under + below)


def _stem(routes: Routes, channel: int, cards: float) -> float:
    """Room between the badges of a row and its cards at one side, or where it has none there, for the arrows that lie there, px."""
    return (STEM if cards else FOOT if routes.is_used(channel) else 0.0) + routes.depth(channel)


def _return(page: Page, last: Box, first: Box, turn: float) -> None:
    """The arrow from the end of a row of milestones to the start of the next: round the outside, level between the rows."""
    left, right = page.x0 + 4, page.x1 - 4
    corners = [(last.right, last.middle), (right, last.middle), (right, turn)]
    corners += [(left, turn), (left, first.middle), (first.x, first.middle)]
    page.add(Link(f"{last.path}->{first.path}", corners, last.path, first.path, page.sheet.wire, 2.5, page.sheet.dash))


def _arrows(page: Page, boxes: list[Box], routes: Routes, row: int) -> None:
    """Straight arrows along one line, from each box of a row to the next."""
    for a, b in (pair for i, pair in enumerate(pairwise(boxes), row * routes.columns) if i in routes.on):
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


def _badge(page: Page, item: Item, index: int, room: float, least: float) -> Box:
    """The date on the spine, at the origin; a number in a sequence, or where the content gives no date. Its top is straight for at least so
    many px, where there is room.
    """
    ground = page.sheet.ground(page.sheet.line(_colour(page.sheet, item, index)))
    date = None if _is_numbered(page) else item.data.badge
    path, words = (f"{item.ref}.badge", date) if date else (f"{item.ref} number", str(index + 1))
    box = page.labels.box(f"{item.id} badge", path, words, "strong", room, ground, edge=12, lift=6, radius=14)
    if least:
        box.w = max(box.w, min(least + 2 * box.radius, room))
        text = box.children[0]
        assert isinstance(text, Text)
        text.w = box.w
    return box


def _words(page: Page, item: Item, index: int, wide: float, most: int) -> Flow:
    sheet, data = page.sheet, item.data
    colour, flow = _colour(sheet, item, index), page.flow(wide, sheet.surface)
    if _is_numbered(page) and data.badge:
        flow.text(f"{item.ref}.badge", data.badge, "strong", colour, most=2)
    flow.text(f"{item.ref}.title", data.title, "title", gap=sheet.pad * 0.25, most=3)
    return _lines(flow, item, colour, most)


def _lines(flow: Flow, item: Item, colour: str, most: int) -> Flow:
    """The lines of a stage, and its note in at most so many lines."""
    data, pad = item.data, flow.sheet.pad
    for i, line in enumerate(data.lines):
        flow.text(
            f"{item.ref}.lines.{i}", line, "body", flow.ground.muted, gap=pad * (0.35 if i == 0 else 0.15), most=4
        )
    if data.note:
        flow.skip(pad * 0.5)
        flow.nodes.append(Ornament("line", 0, flow.height, flow.width, 0, stroke=flow.sheet.rule))
        flow.text(f"{item.ref}.note", data.note, "small", colour, gap=pad * 0.4, most=most)
    return flow


# ---- in rows


def _rows(page: Page) -> None:
    """One row of cards, two where there are more than four, more where words do not fit so; arrows join them, one turns back between rows."""
    sheet, items = page.sheet, page.bound.all("timeline_stage")
    most = len(items) if len(items) <= 4 else min((len(items) + 1) // 2, ACROSS)
    gap = sheet.gap * 0.5 + 30

    def measure(columns: int, note: int) -> tuple[Routes, float, list[Flow]]:
        routes = Routes(page, columns, apart=False)
        left, right = page.x0 + routes.aside(LEFT), page.x1 - routes.aside(RIGHT)
        wide = (right - left - gap * (columns - 1)) / columns
        centres = [left + i * (wide + gap) + wide / 2 for i in range(columns)]
        routes.settle(centres, [wide - 2 * sheet.radius] * len(items), left, right)
        write = _numbered if _is_numbered(page) else _dated
        return routes, wide, [write(page, item, i, wide - 2 * sheet.pad, note) for i, item in enumerate(items)]

    columns, (routes, wide, flows) = _fitting(page, _tries(len(items), most), measure)
    cards: list[Box] = []
    if routes.is_used(0):
        routes.floors[0] = page.y
        page.y += routes.depth(0) + FOOT
    for row, start in enumerate(range(0, len(items), columns)):
        here = flows[start : start + columns]
        high = max(flow.height for flow in here) + 2 * sheet.pad
        for i, flow in enumerate(here):
            x = page.x0 + routes.aside(LEFT) + i * (wide + gap)
            cards.append(page.card(items[start + i].id, flow, x, page.y, wide, high))
        _arrows(page, cards[start:], routes, row)
        page.y += high
        if start + columns < len(items):
            floor, channel = page.y, routes.below(row)
            page.y += sheet.gap + 24
            routes.floors[channel] = (floor + page.y) / 2 - 4
            page.y += routes.depth(channel)
        elif routes.is_used(routes.below(row)):
            routes.floors[routes.below(row)] = page.y + FOOT
            page.y += FOOT + routes.depth(routes.below(row))
    page.add(*cards, *routes.links(cards))


def _numbered(page: Page, item: Item, index: int, wide: float, most: int) -> Flow:
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
    return _lines(flow, item, colour, most)


def _dated(page: Page, item: Item, index: int, wide: float, most: int) -> Flow:
    """The date as a badge, then the words."""
    sheet, data = page.sheet, item.data
    colour, flow = _colour(sheet, item, index), page.flow(wide, sheet.surface)
    if data.badge:
        flow.badge(f"{item.ref}.badge", data.badge, colour)
    flow.text(f"{item.ref}.title", data.title, "section", gap=sheet.pad * 0.6, most=3)
    return _lines(flow, item, colour, most)
