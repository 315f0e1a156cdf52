"""Layout of a spectrum: poles above the ends of a bar that changes colour, its label between them, marker cards below on stems."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.compiler.bind import Bound, Item
from experiments.compiler.colour import mix
from experiments.compiler.flow import Flow
from experiments.compiler.page import Page
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Box, Link, Ornament, Tree

STEM, BAR, STEPS = 26.0, 16.0, 36  # px, px, steps of colour along the bar


def lay_out(bound: Bound, sheet: Sheet, summary: str) -> Tree:
    page = Page(bound, sheet)
    page.header()
    colours = _ends(sheet, bound.all("spectrum_pole"))
    poles = _poles(page, colours)
    bar = _bar(page, colours)
    page.add(bar, *poles)
    for pole, colour in zip(poles, colours, strict=True):
        page.add(
            Link(
                f"{pole.path} stem",
                [(pole.centre, pole.bottom), (pole.centre, bar.y)],
                pole.path,
                bar.path,
                colour,
                head=False,
            )
        )
    _markers(page, bar, colours)
    page.footer()
    return page.finish(summary)


def _ends(sheet: Sheet, poles: Sequence[Item]) -> tuple[str, str]:
    """The colours of the two ends."""
    first, last = (item.data.accent for item in poles)
    left = sheet.named(first) if first else sheet.accent()
    right = sheet.named(last) if last else next(c for c in (sheet.named("purple"), sheet.named("green")) if c != left)
    return sheet.line(left), sheet.line(right)


def _poles(page: Page, colours: tuple[str, str]) -> list[Box]:
    """The two pole cards, and the label and note of the continuum between them."""
    sheet = page.sheet
    arc = page.bound.one("continuum_arc")
    side = page.room * (0.34 if arc else 0.46)
    flows = [
        _words(page, item, side, colour, "section")
        for item, colour in zip(page.bound.all("spectrum_pole"), colours, strict=True)
    ]
    middle = page.flow(page.room - 2 * side - 2 * sheet.gap)
    if arc:
        middle.text(f"{arc.ref}.label", arc.data.label, "section", most=3, anchor="middle", even=True)
        if arc.data.note:
            middle.text(
                f"{arc.ref}.note",
                arc.data.note,
                "body",
                sheet.canvas.muted,
                gap=sheet.pad * 0.4,
                most=9,
                anchor="middle",
                even=True,
            )
    high = max([middle.height, *(flow.height + 2 * sheet.pad for flow in flows)])
    boxes = []
    for item, flow, x, colour in zip(
        page.bound.all("spectrum_pole"), flows, (page.x0, page.x1 - side), colours, strict=True
    ):
        lift = (high - flow.height) / 2 - sheet.pad
        boxes.append(page.card(item.id, flow, x, page.y, side, high, stroke=colour, top=lift))
    page.add(*middle.place(page.x0 + side + sheet.gap, page.y + (high - middle.height) / 2))
    page.y += high + STEM
    return boxes


def _words(page: Page, item: Item, wide: float, colour: str, role: str) -> Flow:
    flow = page.flow(wide - 2 * page.sheet.pad, page.sheet.surface)
    flow.text(f"{item.ref}.title", item.data.title, role, colour, most=3)
    if item.data.body:
        flow.text(f"{item.ref}.body", item.data.body, "body", gap=page.sheet.pad * 0.25, most=10)
    return flow


def _bar(page: Page, colours: tuple[str, str]) -> Box:
    """The continuum: a bar with an arrow head at each end."""
    tip = 18.0
    box = Box("continuum bar", page.x0, page.y, page.room, BAR)
    x0, x1, middle = box.x + tip, box.right - tip, box.middle
    wide = (x1 - x0) / STEPS
    for i in range(STEPS):
        colour = mix(colours[0], colours[1], i / (STEPS - 1))
        box.add(
            Ornament("rect", x0 + i * wide, box.y + 3, wide + (0.5 if i + 1 < STEPS else 0.0), BAR - 6, fill=colour)
        )
    heads = ((box.x, x0), (box.right, x1))
    for (end, foot), colour in zip(heads, colours, strict=True):
        points = ((end, middle), (foot, box.y), (foot, box.bottom))
        box.add(Ornament("polygon", min(end, foot), box.y, tip, BAR, fill=colour, points=points))
    page.y += BAR
    return box


def _markers(page: Page, bar: Box, colours: tuple[str, str]) -> None:
    """Cards in equal steps under the bar: one row of up to three, else two rows whose stems pass between the upper cards."""
    sheet, items = page.sheet, page.bound.all("marker_band")
    slot = page.room / len(items)
    staggered = len(items) > 3
    wide = min(420.0, 1.44 * slot if staggered else slot - sheet.gap * 0.7)
    places = [(i + 0.5) / len(items) for i in range(len(items))]
    tints = [mix(colours[0], colours[1], place) for place in places]
    flows = [_words(page, item, wide, tint, "title") for item, tint in zip(items, tints, strict=True)]
    rows = [range(0, len(items), 2), range(1, len(items), 2)] if staggered else [range(len(items))]
    y = bar.bottom + STEM
    for row in rows:
        high = max(flows[i].height for i in row) + 2 * sheet.pad
        for i in row:
            x = page.x0 + places[i] * page.room
            left = min(max(x - wide / 2, page.x0), page.x1 - wide)
            card = page.card(items[i].id, flows[i], left, y, wide, high, stroke=sheet.line(tints[i]))
            page.add(
                card, Link(f"{items[i].id} stem", [(x, bar.bottom), (x, y)], bar.path, card.path, tints[i], head=False)
            )
        y += high + sheet.gap * 0.8
    page.y = y - sheet.gap * 0.8
