"""Layout of a table matrix: legend panel, one panel per table, column widths from the words, notes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from experiments.compiler.bind import Bound, Item
from experiments.compiler.legend import draw_legend, state_colour
from experiments.compiler.metric import width
from experiments.compiler.page import Page
from experiments.compiler.sheet import Ground, Sheet
from experiments.compiler.text import longest_word
from experiments.compiler.tree import Box, Font, Ornament, Tree

if TYPE_CHECKING:
    from experiments.families.table_matrix.family import Group

STRIPE = 5.0  # px, the bar that marks a row's state


def lay_out(bound: Bound, sheet: Sheet, summary: str) -> Tree:
    page = Page(bound, sheet)
    page.header()
    for item in bound.all("legend_block"):
        draw_legend(page, item)
    for index, item in enumerate(bound.all("table_block")):
        _table(page, item, index)
        page.y += sheet.gap
    page.y -= sheet.gap
    page.footer("note_band")
    page.footer("footer_note")
    return page.finish(summary)


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
