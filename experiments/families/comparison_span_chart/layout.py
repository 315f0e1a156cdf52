"""Layout of a span chart: the chart panel, beside or below it thesis and annotations, then conclusion and footer.

Columns are as high as their values say; on an axis whose words say that it is logarithmic, as their logarithms, cut at every power
of ten. Values that cannot be compared get no columns: only what they say is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest

from experiments.compiler import piece
from experiments.compiler.bind import Bound, Item
from experiments.compiler.flow import Flow
from experiments.compiler.page import Page
from experiments.compiler.quantity import scale
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Box, Ornament, Text, Tree

BARS = ("compare_bar", "metric_bar")
HEIGHTS = {"compact": 230.0, "balanced": 270.0, "airy": 310.0}  # px of the highest column
LEAST_SLOT = 190.0  # px for each column; where there is less, the thesis stands below the chart
DASHES = {"dash": "9 6", "dots": "2 6", "solid": ""}


def lay_out(bound: Bound, sheet: Sheet, summary: str) -> Tree:
    page = Page(bound, sheet)
    page.header()
    columns = len(bound.all(*BARS))
    side = page.room * 0.36 if page.room * 0.6 / columns > LEAST_SLOT else 0.0
    top = page.y
    panel = _chart(page, page.room - side - (sheet.gap if side else 0))
    page.add(panel)
    below = page.y
    if side:
        page.y = top
        left = panel.right + sheet.gap
    else:
        page.y, left, side = below + sheet.gap, page.x0, page.room
    _divide(page, panel)
    rest = [*bound.all("thesis_box"), *bound.all("annotation")]
    if page.y == top:
        piece.stack(page, rest, _box, left, side, below - top)
    else:
        _row(page, rest)
    page.y = max(page.y, below)
    for item in bound.all("conclusion_strip"):
        page.y += sheet.gap
        piece.strip(page, item, page.x0, page.room, "title", sheet.tinted(sheet.accent(), 0.12))
    piece.footer(page)
    return page.finish(summary)


# ---- beside the chart


def _row(page: Page, items: list[Item]) -> None:
    """Thesis boxes and annotations in one row, a thesis twice as wide as an annotation; in two rows rather than in narrow boxes."""
    spans = [2 if item.part.kind == "thesis_box" else 1 for item in items]
    if sum(spans) <= 3:
        piece.row(page, items, _box, spans)
        return
    for number, run in enumerate(piece.runs(items)):
        page.y += page.sheet.gap if number else 0
        piece.row(page, run, _box)


def _box(page: Page, item: Item, wide: float) -> tuple[Flow, str]:
    make = _thesis if item.part.kind == "thesis_box" else piece.make_card
    return make(page, item, wide)


def _thesis(page: Page, item: Item, wide: float) -> tuple[Flow, str]:
    sheet, data = page.sheet, item.data
    flow = page.flow(wide - 2 * sheet.pad, sheet.tinted(sheet.accent(item.number), 0.16))
    flow.text(item.at("headline"), data.headline, "value", most=6, even=True)
    for i in range(1, 4):
        words = getattr(data, f"support_{i}")
        if words:
            gap = sheet.pad * (0.6 if i == 1 else 0.35)
            flow.text(item.at(f"support_{i}"), words, "body", flow.ground.muted, gap=gap, most=8)
    return flow, sheet.line(sheet.accent(item.number))


def _divide(page: Page, panel: Box) -> None:
    """The dividing line between the chart and what stands beside or below it."""
    sheet = page.sheet
    for item in page.bound.all("divider"):
        style = item.data.style
        if page.y < panel.bottom:
            box = (panel.right + sheet.gap / 2, panel.y + 8, 0.0, panel.h - 16)
        else:
            box = (page.x0 + 8, panel.bottom + sheet.gap / 2, page.room - 16, 0.0)
        page.add(Ornament("line", *box, stroke=sheet.wire, stroke_width=1.5, dash=DASHES[style]))


# ---- the chart


@dataclass(frozen=True)
class Column:
    """One column: its bar, its bracket if it has one, its colour and its height in px (None = not comparable)."""

    bar: Item
    bracket: Item | None
    colour: str
    high: float | None
    thick: float


def _chart(page: Page, wide: float) -> Box:
    """Axis words and legend, columns over their floor, labels below; the cursor ends at the panel's bottom."""
    sheet, pad = page.sheet, page.sheet.pad
    panel = Box("chart", page.x0, page.y, wide, 0, sheet.surface.fill, sheet.border, 1.2, sheet.radius)
    page.y += pad
    room = wide - 2 * pad
    for item in page.bound.all("axis"):
        flow = page.flow(room, sheet.surface).text(item.at("label"), item.data.label, "title", most=2)
        if item.data.note:
            flow.text(item.at("note"), item.data.note, "small", sheet.surface.muted, gap=2, most=3)
        panel.add(*flow.place(page.x0 + pad, page.y))
        page.y += flow.height + pad * 0.7
    for item in page.bound.all("legend_row"):
        _legend(page, panel, item, room)
    _columns(page, panel, room)
    panel.h = page.y + pad - panel.y
    page.y = panel.bottom
    return panel


def _legend(page: Page, panel: Box, item: Item, room: float) -> None:
    """A dot of each colour with its words, in rows."""
    sheet, size = page.sheet, page.sheet.fonts["small"].size
    x, line, dot = 0.0, size * 1.5, size * 0.8
    for name, _ in item.part.fields:
        flow = page.flow(room - dot - 8, sheet.surface)
        font, lines = flow.fit(item.at(name), getattr(item.data, name), sheet.fonts["small"], room - dot - 8, 1)
        text = Text.at(item.at(name), 0, 0, room - dot - 8, (font, lines), sheet.surface.ink)
        left, right = text.extent()
        if x and x + dot + 8 + right - left > room:
            x, page.y = 0.0, page.y + line
        at = page.x0 + sheet.pad + x
        text.x, text.y, text.w = at + dot + 8, page.y + (line - text.h) / 2, right - left + 0.1
        fill = sheet.line(sheet.named(name))
        panel.add(Ornament("circle", at, page.y + (line - dot) / 2, dot, dot, fill=fill), text)
        x += dot + 8 + right - left + sheet.gap * 0.8
    page.y += line + sheet.pad * 0.6


def _columns(page: Page, panel: Box, room: float) -> None:
    sheet, items = page.sheet, page.bound.all(*BARS)
    axis = " ".join(f"{i.data.label} {i.data.note or ''}" for i in page.bound.all("axis")).lower()
    heights = scale(
        [item.data.value for item in items], "log" in axis.replace("-", " ").split() or "logarithmic" in axis
    )
    tall = HEIGHTS[sheet.style.density]
    brackets = page.bound.all("span_bracket")
    slot = (room - sheet.gap * (len(items) - 1)) / len(items)
    thick = _thick(slot, bool(brackets))
    columns = [
        Column(item, bracket, piece.colour_of(page, item, i), heights.shares[i] * tall if heights else None, thick)
        for i, (item, bracket) in enumerate(zip_longest(items, brackets))
    ]
    made = [_value(page, column, slot) for column in columns]
    spans = [_span(page, column, slot) for column in columns]
    rises = [_rise(column, span) for column, span in zip(columns, spans, strict=True)]
    floor = page.y + max(rise + flow.height for rise, flow in zip(rises, made, strict=True))
    cuts = [share * tall for share, _ in heights.decades] if heights else []
    for i, column in enumerate(columns):
        x = page.x0 + sheet.pad + i * (slot + sheet.gap)
        panel.add(*made[i].place(x, floor - rises[i] - made[i].height))
        _column(page, panel, column, x, floor, slot, spans[i])
        for cut in cuts:
            if cut < (column.high or 0) - 2:
                panel.add(Ornament("rect", x, floor - cut - 1, column.thick, 2, fill=sheet.surface.fill))
    page.y = _floor(page, panel, floor, room)
    _labels(page, panel, columns, slot)


def _value(page: Page, column: Column, slot: float) -> Flow:
    flow = page.flow(slot, page.sheet.surface)
    return flow.text(column.bar.at("value"), column.bar.data.value, "value", column.colour, most=3)


def _thick(slot: float, beside: bool) -> float:
    """How thick a column is; brackets take the room beside columns."""
    return min(96.0, slot * 0.36) if beside else min(200.0, slot * 0.66)


def _span(page: Page, column: Column, slot: float) -> Flow | None:
    """The words of a bracket, for the room beside its column."""
    if column.bracket is None:
        return None
    sheet, data = page.sheet, column.bracket.data
    flow = page.flow(slot - (column.thick + 34 if column.high is not None else 0), sheet.surface)
    flow.text(column.bracket.at("label"), data.label, "small", sheet.surface.muted, most=4)
    return flow.text(column.bracket.at("value"), data.value, "section", column.colour, gap=2, most=3)


def _lift(high: float, span: Flow) -> float:
    """How far above the floor the words beside a column start: in its middle, but not below the floor."""
    return max(high / 2 + span.height / 2, span.height + 4)


def _rise(column: Column, span: Flow | None) -> float:
    """How far above the floor a column's value ends: on the column, or on the bracket's words where they are higher."""
    if column.high is None:
        return span.height + 8 if span else 0.0
    high = max(column.high, 3.0)
    return max(high, _lift(high, span) if span else 0.0) + 6


def _column(page: Page, panel: Box, column: Column, x: float, floor: float, slot: float, span: Flow | None) -> None:
    """A column on the floor, the bracket and its words at its right."""
    thick, fill = column.thick, page.sheet.line(column.colour)
    if column.high is None:
        if span:
            panel.add(*span.place(x, floor - span.height - 4))
        return
    high = max(column.high, 3.0)
    panel.add(Ornament("rect", x, floor - high, thick, high, fill=fill, radius=min(6.0, high / 2)))
    beside = x + thick + 34
    if span:
        left, right = x + thick + 10, x + thick + 20
        for y in (floor - high, floor - 1.5):
            panel.add(Ornament("line", left, y, right - left, 0, stroke=fill, stroke_width=1.5))
        panel.add(Ornament("line", right, floor - high, 0, high, stroke=fill, stroke_width=1.5, dash="5 4"))
        panel.add(*span.place(beside, floor - _lift(high, span)))


def _floor(page: Page, panel: Box, floor: float, room: float) -> float:
    """The line that all columns stand on, with the floor's words; returns where the labels start."""
    sheet, x = page.sheet, page.x0 + page.sheet.pad
    panel.add(Ornament("rect", x, floor, room, 3, fill=sheet.wire, radius=1.5))
    y = floor + 3
    for item in page.bound.all("floor_band"):
        flow = page.flow(room - 2 * sheet.pad, sheet.surface_2)
        flow.text(item.at("text"), item.data.text, "small", sheet.surface_2.ink, most=3, anchor="middle")
        high = flow.height + sheet.pad * 0.7
        box = Box(item.ref, x, y + 4, room, high, sheet.surface_2.fill, None, radius=min(8.0, sheet.radius / 2))
        box.children = flow.place(x + sheet.pad, y + 4 + sheet.pad * 0.35)
        panel.add(box)
        y += 4 + high
    return y + sheet.pad * 0.8


def _labels(page: Page, panel: Box, columns: list[Column], slot: float) -> None:
    """What each column is: label, caption and note, in its slot."""
    sheet, flows = page.sheet, []
    for column in columns:
        item, data = column.bar, column.bar.data
        flow = page.flow(slot, sheet.surface).text(item.at("label"), data.label, "title", column.colour, most=3)
        if data.caption:
            flow.text(item.at("caption"), data.caption, "body", gap=2, most=4)
        if data.note:
            flow.text(item.at("note"), data.note, "small", sheet.surface.muted, gap=sheet.pad * 0.35, most=6)
        flows.append(flow)
    for i, flow in enumerate(flows):
        panel.add(*flow.place(page.x0 + sheet.pad + i * (slot + sheet.gap), page.y))
    page.y += max(flow.height for flow in flows)
