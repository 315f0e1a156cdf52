"""Layout of a table matrix: legend panel, one panel per table, column widths from the words, notes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from experiments.compiler.bind import Bound, Item
from experiments.compiler.metric import width
from experiments.compiler.page import Page
from experiments.compiler.sheet import Ground, Sheet
from experiments.compiler.text import longest_word
from experiments.compiler.tree import Box, Font, Ornament, Text, Tree

if TYPE_CHECKING:
    from experiments.families.table_matrix.family import Group, Legend

STRIPE = 5.0  # px, the bar that marks a row's state


def lay_out(bound: Bound, sheet: Sheet, summary: str) -> Tree:
    page = Page(bound, sheet)
    page.header()
    for item in bound.all("legend_block"):
        _legend(page, item)
    for index, item in enumerate(bound.all("table_block")):
        _table(page, item, index)
        page.y += sheet.gap
    page.y -= sheet.gap
    page.footer("note_band")
    page.footer("footer_note")
    return page.finish(summary)


def state_colour(sheet: Sheet, state: str | None) -> str | None:
    """The colour of a row state; None for a normal row."""
    if state in (None, "normal"):
        return None
    return sheet.highlight() if state == "highlight" else sheet.named(state)


# ---- legend


def _legend(page: Page, item: Item) -> None:
    sheet, legend = page.sheet, item.data
    box = Box(item.ref, page.x0, page.y, page.room, 0, sheet.surface.fill, sheet.border, 1.2, sheet.radius)
    y = page.y + sheet.pad * 0.8
    y = _legend_entries(page, item.ref, legend, box, y)
    flow = page.flow(page.room - 2 * sheet.pad, sheet.surface)
    if legend.note:
        flow.text(f"{item.ref}.note", legend.note, "small", sheet.surface.muted, most=4)
    if legend.warning:
        colour = sheet.named("warning")
        flow.text(f"{item.ref}.warning", legend.warning, "small", colour, gap=3, most=4, indent=18)
        text = flow.nodes[-1]
        assert isinstance(text, Text)
        middle = text.y + text.font.size * text.font.lead / 2
        mark = ((0.0, middle + 5.0), (6.0, middle - 5.5), (12.0, middle + 5.0))
        flow.nodes.append(Ornament("polygon", 0, middle - 5.5, 12, 10.5, fill=sheet.line(colour), points=mark))
    if flow.nodes:
        box.add(*flow.place(page.x0 + sheet.pad, y + sheet.pad * 0.45))
        y += flow.height + sheet.pad * 0.45
    box.h = y + sheet.pad * 0.8 - page.y
    page.add(box)
    page.y += box.h + sheet.gap


def _legend_entries(page: Page, path: str, legend: Legend, box: Box, y: float) -> float:
    """The title and the entries, each with a swatch, in rows; returns where they end."""
    sheet = page.sheet
    bold, font = sheet.fonts["strong"], sheet.fonts["small"]
    line = max(bold.size * bold.lead, font.size * font.lead)
    x, right = page.x0 + sheet.pad, page.x1 - sheet.pad
    words = width(legend.title, bold.face, bold.size)
    title = page.flow(right - x, sheet.surface).text(f"{path}.title", legend.title, "strong", most=2)
    box.add(*title.place(x, y + (line - bold.size * bold.lead) / 2))
    if title.height > line * 1.5:  # a long title takes rows of its own
        y += title.height + line * 0.25
    else:
        x += words + sheet.gap
    swatch, start = 12.0, page.x0 + sheet.pad
    for i, entry in enumerate(legend.items):
        room = width(entry.label, font.face, font.size)
        got, lines = title.fit(f"{path}.items.{i}", entry.label, font, right - start - swatch - 8, 1)
        if x > start and x + swatch + 8 + room > right:
            x, y = start, y + line * 1.25
        colour = state_colour(sheet, entry.state) or (sheet.border if entry.state else _swatch(sheet, i))
        box.add(Ornament("rect", x, y + line / 2 - swatch / 2, swatch, swatch, fill=colour, radius=3))
        high = got.size * got.lead
        text = Text(
            f"{path}.items.{i}", x + swatch + 8, y + (line - high) / 2, room, high, lines, got, sheet.surface.ink
        )
        box.add(text)
        x += swatch + 8 + room + sheet.gap
    return y + line


def _swatch(sheet: Sheet, index: int) -> str:
    """Colours that tell legend entries without a state apart."""
    colours = dict.fromkeys(
        [sheet.accent(), *(sheet.named(name) for name in ("green", "purple", "blue", "danger", "amber", "muted"))]
    )
    return list(colours)[index % len(colours)]


# ---- tables


def _table(page: Page, item: Item, index: int) -> None:
    sheet, group = page.sheet, item.data
    accent = sheet.accent(index)
    box = Box(item.ref, page.x0, page.y, page.room, 0, sheet.surface.fill, sheet.border, 1.2, sheet.radius)
    head = page.flow(page.room - 2 * sheet.pad, sheet.surface)
    head.text(f"{item.ref}.title", group.title, "section", accent, most=2)
    if group.caption:
        head.text(f"{item.ref}.caption", group.caption, "small", sheet.surface.muted, gap=2, most=3)
    box.add(*head.place(page.x0 + sheet.pad, page.y + sheet.pad * 0.9))
    inset = sheet.pad * 0.5
    left, room = page.x0 + inset, page.room - 2 * inset
    y = page.y + sheet.pad * 0.9 + head.height + sheet.pad * 0.6
    pad = sheet.pad * 0.65
    columns = _columns(sheet, group, room - STRIPE, pad)
    y += _row(page, box, f"{item.ref}.header", group.header, left, y, room, columns, pad, sheet.surface_2, None, True).h
    for i, row in enumerate(group.rows):
        colour = state_colour(sheet, row.state)
        ground = sheet.tinted(colour) if colour else sheet.surface
        y += sheet.pad * 0.15
        drawn = _row(
            page, box, f"{item.ref}.rows.{i}.cells", row.cells, left, y, room, columns, pad, ground, colour, False
        )
        y = drawn.bottom
        if not colour and i + 1 < len(group.rows) and not state_colour(sheet, group.rows[i + 1].state):
            y += sheet.pad * 0.15
            box.add(Ornament("line", left + pad, y, room - 2 * pad, 0, stroke=sheet.rule))
    box.h = y + inset - page.y
    page.add(box)
    page.y += box.h


def _row(
    page: Page,
    parent: Box,
    path: str,
    cells: Sequence[str],
    x: float,
    y: float,
    room: float,
    columns: Sequence[float],
    pad: float,
    ground: Ground,
    colour: str | None,
    heading: bool,
) -> Box:
    """One row, as high as its highest cell; a state shows as a tinted row with a bar at its left."""
    sheet = page.sheet
    flows = []
    for i, (cell, wide) in enumerate(zip(cells, columns, strict=True)):
        role = "strong" if heading else "cell" if i else "first"
        flow = page.flow(wide - 2 * pad, ground)
        flows.append(flow.text(f"{path}.{i}", cell, role, ground.muted if heading else None, most=6))
    high = max(flow.height for flow in flows) + 1.3 * pad
    box = Box(path, x, y, room, high, ground.fill, None, radius=min(sheet.radius * 0.4, 8))
    if colour:
        box.add(Ornament("rect", x, y, STRIPE, high, fill=sheet.line(colour), radius=2.5))
    left = x + STRIPE
    for flow, wide in zip(flows, columns, strict=True):
        box.add(*flow.place(left + pad, y + (high - flow.height) / 2))
        left += wide
    parent.add(box)
    return box


def _columns(sheet: Sheet, group: Group, room: float, pad: float) -> list[float]:
    """Column widths: room for the longest word first, the rest by how much each column wants."""
    rows: list[tuple[Sequence[str], Font, Font]] = [(group.header, sheet.fonts["strong"], sheet.fonts["strong"])]
    rows += [(row.cells, sheet.fonts["first"], sheet.fonts["cell"]) for row in group.rows]
    least, most = [], []
    for i in range(len(group.header)):
        cells = [(cells[i], first if i == 0 else other) for cells, first, other in rows]
        least.append(max(longest_word(text, font.face) * font.size * 1.03 for text, font in cells) + 2 * pad)
        most.append(max(width(text, font.face, font.size) for text, font in cells) + 2 * pad + 1)
    least = [min(want, room / len(least)) for want in least]
    spare = room - sum(least)
    wants = [high - low for low, high in zip(least, most, strict=True)]
    total = sum(wants)
    if total <= spare:
        extra = (spare - total) / len(most)
        return [high + extra for high in most]
    return [low + spare * want / total for low, want in zip(least, wants, strict=True)]
