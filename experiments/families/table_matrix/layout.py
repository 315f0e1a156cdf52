"""Layout of a table matrix: legend panel, one panel per table, column widths from the words, notes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from experiments.compiler.bind import Bound, Item
from experiments.compiler.legend import draw_legend, state_colour
from experiments.compiler.page import Page
from experiments.compiler.sheet import Sheet
from experiments.compiler.table import STRIPE, column_widths
from experiments.compiler.table import row as draw_row
from experiments.compiler.tree import Box, Ornament, Tree
from experiments.violation import Violation


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
    rows, states = [row.cells for row in group.rows], _states(page, item)
    columns = column_widths(sheet, group.header, rows, room - STRIPE, pad)
    heading = _named(f"{item.ref}.header", group.header)
    y += draw_row(page, box, f"{item.ref}.header", heading, left, y, room, columns, pad, sheet.surface_2, None, True).h
    for i, row in enumerate(group.rows):
        colour = state_colour(sheet, states[i])
        ground = sheet.tinted(colour) if colour else sheet.surface
        y += sheet.pad * 0.15
        path = f"{item.ref}.rows.{i}.cells"
        cells = _named(path, row.cells)
        drawn = draw_row(page, box, path, cells, left, y, room, columns, pad, ground, colour, False)
        y = drawn.bottom
        if not colour and i + 1 < len(group.rows) and not state_colour(sheet, states[i + 1]):
            y += sheet.pad * 0.15
            box.add(Ornament("line", left + pad, y, room - 2 * pad, 0, stroke=sheet.rule))
    box.h = y + inset - page.y
    page.add(box)
    page.y += box.h


def _states(page: Page, item: Item) -> list[str]:
    """The state of each row: the scene's where it states one, else the content's."""
    rows, said = item.data.rows, item.part.states
    if len(said) > len(rows):
        expected = f"{len(said)} rows, as many as the scene states"
        page.issues.append(Violation(f"content.{item.ref}.rows", f"{len(rows)} rows", expected))
    return [state or row.state for state, row in zip_longest(said[: len(rows)], rows)]


def _named(path: str, cells: Sequence[str]) -> list[tuple[str, str]]:
    """Each cell with the path of its words."""
    return [(f"{path}.{i}", cell) for i, cell in enumerate(cells)]
