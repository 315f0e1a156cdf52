"""Tables: column widths from the words, rows as high as their highest cell, a bar and a tint for a row's state.

`row` and `column_widths` serve every family that draws a table; `draw` puts `table_header` and `table_row` components into one panel.
"""

from __future__ import annotations

from collections.abc import Sequence

from experiments.compiler.bind import Item
from experiments.compiler.legend import state_colour
from experiments.compiler.metric import width
from experiments.compiler.page import Page
from experiments.compiler.sheet import Ground, Sheet
from experiments.compiler.text import longest_word
from experiments.compiler.tree import Box, Font, Ornament

STRIPE = 5.0  # px, the bar that marks a row's state


def row(
    page: Page,
    parent: Box,
    path: str,
    cells: Sequence[tuple[str, str]],
    x: float,
    y: float,
    room: float,
    columns: Sequence[float],
    pad: float,
    ground: Ground,
    colour: str | None,
    heading: bool,
) -> Box:
    """One row of (path, words), as high as its highest cell; a state shows as a tinted row with a bar at its left."""
    sheet = page.sheet
    flows = []
    for i, ((place, cell), wide) in enumerate(zip(cells, columns, strict=True)):
        role = "strong" if heading else "cell" if i else "first"
        flow = page.flow(wide - 2 * pad, ground)
        flows.append(flow.text(place, cell, role, ground.muted if heading else None, most=6) if cell else flow)
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


def column_widths(
    sheet: Sheet, header: Sequence[str], rows: Sequence[Sequence[str]], room: float, pad: float
) -> list[float]:
    """Column widths: room for the longest word first, the rest by how much each column wants. Empty cells want nothing."""
    lines: list[tuple[Sequence[str], Font, Font]] = [(header, sheet.fonts["strong"], sheet.fonts["strong"])]
    lines += [(cells, sheet.fonts["first"], sheet.fonts["cell"]) for cells in rows]
    least, most = [], []
    for i in range(max(len(cells) for cells, _, _ in lines)):
        cells = [(cells[i], first if i == 0 else other) for cells, first, other in lines if i < len(cells) and cells[i]]
        wide = max(longest_word(text, font.face) * font.size * 1.03 for text, font in cells)
        least.append(wide + 2 * pad)
        most.append(max(width(text, font.face, font.size) for text, font in cells) + 2 * pad + 1)
    least = [min(want, room / len(least)) for want in least]
    spare = room - sum(least)
    wants = [high - low for low, high in zip(least, most, strict=True)]
    total = sum(wants)
    if total <= spare:
        extra = (spare - total) / len(most)
        return [high + extra for high in most]
    return [low + spare * want / total for low, want in zip(least, wants, strict=True)]


# ---- table_header and table_row components


def _cells(item: Item) -> list[tuple[str, str]]:
    """(path, words) of the columns that the item has; a row's note is its last."""
    names = [f"column_{i}" for i in range(1, 5)] + ["note"]
    found = [(item.at(name), getattr(item.data, name, None) or "") for name in names]
    return [cell for cell in found if cell[1]]


def draw(page: Page, items: Sequence[Item], path: str) -> None:
    """One panel with the rows of these items; a header starts a new set of columns only in width."""
    sheet, inset = page.sheet, page.sheet.pad * 0.5
    every = [_cells(item) for item in items]
    columns = max(len(cells) for cells in every)
    filled = [[*cells, *[("", "")] * (columns - len(cells))] for cells in every]
    room, pad = page.room - 2 * inset, sheet.pad * 0.65
    texts = [[text for _, text in cells] for cells in filled]
    widths = column_widths(sheet, [], texts, room - STRIPE, pad)
    box = Box(path, page.x0, page.y, page.room, 0, sheet.surface.fill, sheet.border, 1.2, sheet.radius)
    y = page.y + inset
    for number, (item, cells) in enumerate(zip(items, filled, strict=True)):
        heading = item.part.kind == "table_header"
        colour = None if heading else state_colour(sheet, item.data.state) or _accent(page, item)
        ground = sheet.surface_2 if heading else sheet.tinted(colour) if colour else sheet.surface
        drawn = row(page, box, item.ref, cells, page.x0 + inset, y, room, widths, pad, ground, colour, heading)
        plain = number + 1 < len(items) and not colour and not heading and items[number + 1].part.kind == "table_row"
        y = drawn.bottom + sheet.pad * 0.15
        if plain and not state_colour(sheet, items[number + 1].data.state):
            box.add(Ornament("line", page.x0 + inset + pad, y, room - 2 * pad, 0, stroke=sheet.rule))
            y += sheet.pad * 0.15
    box.h = y - sheet.pad * 0.15 + inset - page.y
    page.add(box)
    page.y += box.h


def _accent(page: Page, item: Item) -> str | None:
    return page.sheet.named(item.data.accent) if item.data.accent else None
