"""Layout of a comparison board: a legend, columns whose parts stand level with each other, tiles of measures, callouts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from experiments.compiler.bind import Bound, Item
from experiments.compiler.flow import Flow
from experiments.compiler.legend import draw_legend, state_colour, swatches
from experiments.compiler.page import Page
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Box, Ornament, Tree, move

LEAST = 190.0  # px of a tile; where a row of them would be narrower, they take two rows
BAR = 5.0  # px of an accent edge


def lay_out(bound: Bound, sheet: Sheet, summary: str) -> Tree:
    page = Page(bound, sheet)
    page.header()
    columns = bound.all("comparison_column")
    for item in bound.all("legend_block"):
        draw_legend(page, item, [sheet.line(_own(sheet, i, n)) for n, i in enumerate(columns)])
    _columns(page, columns)
    page.y += sheet.gap * 0.8
    _rows(page, bound.all("comparison_metric"), _metric)
    page.y += sheet.gap * 0.8
    _rows(page, bound.all("comparison_callout"), _callout)
    page.footer()
    return page.finish(summary)


def _colour(sheet: Sheet, name: str | None) -> str:
    """The colour of an accent or a state, the tone's accent where there is none."""
    return state_colour(sheet, name) or sheet.accent()


def _own(sheet: Sheet, item: Item, n: int) -> str:
    """The colour of a column: its accent's, else one that tells it from its neighbours."""
    colours = swatches(sheet)
    return state_colour(sheet, item.data.accent) or colours[n % len(colours)]


# ---- columns


def _columns(page: Page, items: Sequence[Item]) -> None:
    """Cards of one height; a part that several columns have starts at the same height in all of them."""
    sheet, gap = page.sheet, page.sheet.gap * 0.7
    wide = (page.room - (len(items) - 1) * gap) / len(items)
    parts = [[write(page, item, n, wide - 2 * sheet.pad) for n, item in enumerate(items)] for write in PARTS]
    boxes = [
        Box(item.id, page.x0 + n * (wide + gap), page.y, wide, 0, sheet.surface.fill, sheet.border, 1.2, sheet.radius)
        for n, item in enumerate(items)
    ]
    y = page.y + sheet.pad + BAR
    for flows in parts:
        high = max(flow.height for flow in flows)
        for box, flow in zip(boxes, flows, strict=True):
            box.add(*flow.place(box.x + sheet.pad, y))
        y += high + sheet.pad * 0.6 if high else 0.0
    for n, (box, item) in enumerate(zip(boxes, items, strict=True)):
        box.h = y + sheet.pad * 0.4 - page.y
        colour = sheet.line(_own(sheet, item, n))
        inset = min(sheet.radius, box.w / 4)
        box.add(Ornament("rect", box.x + inset, box.y, box.w - 2 * inset, BAR, fill=colour, radius=BAR / 2))
    page.add(*boxes)
    page.y += boxes[0].h


def _head(page: Page, item: Item, n: int, wide: float) -> Flow:
    colour = _own(page.sheet, item, n)
    flow = page.flow(wide, page.sheet.surface)
    if item.data.kicker:
        flow.text(f"{item.ref}.kicker", item.data.kicker, "strong", colour, most=2)
    return flow.text(f"{item.ref}.title", item.data.title, "section", gap=3, most=4)


def _stat(page: Page, item: Item, n: int, wide: float) -> Flow:
    """The one figure or word of a column, on a wash of its colour."""
    sheet, flow = page.sheet, page.flow(wide, page.sheet.surface)
    if item.data.stat:
        colour, path = _own(sheet, item, n), f"{item.ref}.stat"
        ground = sheet.tinted(colour, 0.2)
        pad = sheet.pad * 0.5
        inner = page.flow(wide - 2 * pad, ground).text(path, item.data.stat, "section", colour, most=3, anchor="middle")
        box = Box(path, 0, 0, wide, inner.height + 1.4 * pad, ground.fill, radius=min(sheet.radius * 0.5, 10))
        box.children = inner.place(pad, 0.7 * pad)
        flow.nodes.append(box)
        flow.height = box.h
    return flow


def _subtitle(page: Page, item: Item, n: int, wide: float) -> Flow:
    flow = page.flow(wide, page.sheet.surface)
    return (
        flow.text(f"{item.ref}.subtitle", item.data.subtitle, "body", flow.ground.muted, most=14)
        if item.data.subtitle
        else flow
    )


def _chips(page: Page, item: Item, n: int, wide: float) -> Flow:
    return page.flow(wide, page.sheet.surface).chips(f"{item.ref}.chips", item.data.chips, _own(page.sheet, item, n))


def _bullets(page: Page, item: Item, n: int, wide: float) -> Flow:
    colour = _own(page.sheet, item, n)
    return page.flow(wide, page.sheet.surface).bullets(f"{item.ref}.bullets", item.data.bullets, colour, "body", most=8)


def _note(page: Page, item: Item, n: int, wide: float) -> Flow:
    """The remark at the foot of a column, under a rule."""
    sheet, flow = page.sheet, page.flow(wide, page.sheet.surface)
    if item.data.note:
        flow.nodes.append(Ornament("line", 0, 0, wide, 0, stroke=sheet.rule))
        flow.text(f"{item.ref}.note", item.data.note, "small", flow.ground.muted, gap=sheet.pad * 0.5, most=10)
    return flow


PARTS: tuple[Callable[[Page, Item, int, float], Flow], ...] = (_head, _stat, _subtitle, _chips, _bullets, _note)


# ---- metrics and callouts


def _rows(page: Page, items: Sequence[Item], make: Callable[[Page, Item, float], tuple[Flow, str]]) -> None:
    """Tiles of one width in one row, or in two where they would be too narrow; a row's tiles are as high as its highest."""
    sheet, gap = page.sheet, page.sheet.gap * 0.7
    columns = len(items)
    if (page.room - (columns - 1) * gap) / columns < LEAST:
        columns = (columns + 1) // 2
    for start in range(0, len(items), columns):
        page.y += gap if start else 0.0
        row = items[start : start + columns]
        wide = (page.room - (len(row) - 1) * gap) / len(row)
        made = [make(page, item, wide - 2 * sheet.pad - BAR) for item in row]
        high = max(flow.height for flow, _ in made) + 1.7 * sheet.pad
        for i, (item, (flow, colour)) in enumerate(zip(row, made, strict=True)):
            x, radius = page.x0 + i * (wide + gap), min(sheet.radius * 0.7, 16)
            box = Box(item.id, x, page.y, wide, high, flow.ground.fill, sheet.border, 1.2, radius)
            box.add(
                Ornament("rect", x + 6, page.y + radius * 0.7, BAR, high - radius * 1.4, fill=colour, radius=BAR / 2)
            )
            box.add(*flow.place(x + sheet.pad + BAR, page.y + 0.85 * sheet.pad))
            page.add(box)
        page.y += high


def _metric(page: Page, item: Item, wide: float) -> tuple[Flow, str]:
    sheet, data = page.sheet, item.data
    colour = _colour(sheet, data.state)
    flow = page.flow(wide, sheet.surface_2)
    flow.text(f"{item.ref}.label", data.label, "small", flow.ground.muted, most=3)
    flow.text(f"{item.ref}.value", data.value, "section", colour, gap=1, most=4)
    if data.detail:
        flow.text(f"{item.ref}.detail", data.detail, "small", flow.ground.muted, gap=3, most=8)
    return flow, sheet.line(colour)


def _callout(page: Page, item: Item, wide: float) -> tuple[Flow, str]:
    """Badge, title and body; the lines below them, or beside them where there is room for both."""
    sheet, data = page.sheet, item.data
    colour = _colour(sheet, data.state)
    ground = sheet.tinted(colour, 0.08, sheet.theme.surface_2)
    beside = wide > 760 and bool(data.lines)
    flow = page.flow(wide * 0.56 if beside else wide, ground)
    if data.badge:
        flow.badge(f"{item.ref}.badge", data.badge, colour)
    flow.text(f"{item.ref}.title", data.title, "title", gap=sheet.pad * 0.35, most=4)
    if data.body:
        flow.text(f"{item.ref}.body", data.body, "body", ground.muted, gap=sheet.pad * 0.2, most=12)
    if beside:
        lines = page.flow(wide * 0.4, ground).bullets(f"{item.ref}.lines", data.lines, colour, "body", most=6)
        move(lines.nodes, wide * 0.6, 0)
        flow.nodes += lines.nodes
        flow.height = max(flow.height, lines.height)
    else:
        flow.bullets(f"{item.ref}.lines", data.lines, colour, "body", gap=sheet.pad * 0.4, most=6)
    return flow, sheet.line(colour)
