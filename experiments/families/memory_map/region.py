"""Typed regions: a bar with a coloured cell per region, a tile for each, cards below."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.compiler.bind import Item
from experiments.compiler.colour import mix
from experiments.compiler.flow import Flow
from experiments.compiler.page import Page
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Ornament, Text, move
from experiments.families.memory_map.part import add_card_row, is_tied, read_offsets, set_address

HUES = ("blue", "green", "amber", "purple", "danger", "muted")  # tell typed regions apart


def draw_regions(page: Page) -> None:
    """A bar with a coloured cell per region and the addresses of its borders, then a tile for each region, then the
    cards.
    """
    sheet, items = page.sheet, page.bound.all("memory_segment", "region_bracket")
    colours = [
        sheet.named(HUES[i % len(HUES)]) if sheet.style.tone == "mixed" else _shade(sheet, i, len(items))
        for i in range(len(items))
    ]
    _bar(page, items, colours)
    page.y += sheet.gap * 0.9
    columns = len(items) if len(items) <= 3 else 3 if len(items) in (5, 6) else 4
    number = 0
    for start in range(0, len(items), columns):
        row = items[start : start + columns]
        wide = (page.room - sheet.gap * 0.7 * (len(row) - 1)) / len(row)
        flows = [_tile_flow(page, item, wide, colours[start + i]) for i, item in enumerate(row)]
        high = max(flow.height for flow in flows) + 1.7 * sheet.pad + 6
        for i, (item, flow) in enumerate(zip(row, flows, strict=True)):
            number += 1
            box = page.card(
                item.id, flow, page.x0 + i * (wide + sheet.gap * 0.7), page.y, wide, high, pad=sheet.pad * 0.85, top=6
            )
            box.radius = min(sheet.radius * 0.6, high / 2)
            box.add(
                Ornament(
                    "rect", box.x + box.radius, box.y, wide - 2 * box.radius, 5, fill=colours[number - 1], radius=2.5
                )
            )
            page.add(box)
        page.y += high + sheet.gap * 0.7
    page.y -= sheet.gap * 0.7
    add_card_row(page)


def _shade(sheet: Sheet, index: int, count: int) -> str:
    """Steps from the accent to a quiet tone of it."""
    quiet = mix(sheet.accent(), sheet.theme.muted, 0.72)
    return mix(sheet.accent(), quiet, index / max(1, count - 1))


def _bar(page: Page, items: Sequence[Item], colours: Sequence[str]) -> None:
    sheet = page.sheet
    gap, high = 4.0, 40.0
    wide = (page.room - gap * (len(items) - 1)) / len(items)
    for i, item in enumerate(items):
        cell = page.labels.number(f"{item.id} cell", f"{item.ref} number", i + 1, "strong", wide, high, colours[i], 7)
        move([cell], page.x0 + i * (wide + gap), page.y)
        page.add(cell)
    offsets = read_offsets(page, len(items))
    page.y += high
    if offsets:
        room = wide + gap - 10 if len(offsets) <= len(items) else (wide + gap) / 1.5 - 8  # the ends are set flush
        middle = page.y + 8 + sheet.fonts["code"].size * 0.7
        if not is_tied(len(offsets), len(items)):
            _ruler(page, offsets, middle)
        for i, (path, words) in enumerate(offsets if is_tied(len(offsets), len(items)) else ()):
            edge = page.x0 + i * (wide + gap) - (gap / 2 if i else 0)
            last = i == len(items)
            anchor = "end" if last else "start" if i == 0 or len(offsets) <= len(items) else "middle"
            x = edge - room if last else edge if anchor == "start" else edge - room / 2
            page.add(set_address(page, path, words, x, middle, room, sheet.canvas, anchor))
        page.y = middle + sheet.fonts["code"].size * 0.7


def _ruler(page: Page, offsets: Sequence[tuple[str, str]], middle: float) -> None:
    """Addresses in equal steps below the bar, the first and the last flush with its ends."""
    step = page.room / max(1, len(offsets) - 1)
    room = step / 1.5 - 8
    for i, (path, words) in enumerate(offsets):
        anchor = "start" if i == 0 else "end" if i == len(offsets) - 1 else "middle"
        x = page.x0 + i * step - room * {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor]
        page.add(set_address(page, path, words, x, middle, room, page.sheet.canvas, anchor))


def _tile_flow(page: Page, item: Item, wide: float, colour: str) -> Flow:
    sheet, data = page.sheet, item.data
    flow = page.flow(wide - 1.7 * sheet.pad, sheet.surface)
    number = page.bound.all("memory_segment", "region_bracket").index(item) + 1
    flow.text(f"{item.ref}.title", data.title, "title", most=3, indent=26)
    title = flow.nodes[-1]
    assert isinstance(title, Text)
    chip = page.labels.number(f"{item.id} number", f"{item.ref} number", number, "tag", 19, 19, colour, 5)
    move([chip], 0, title.font.size * title.font.lead / 2 - 9.5)
    flow.nodes.append(chip)
    if getattr(data, "size", None):
        flow.text(f"{item.ref}.size", data.size, "code", colour, gap=3, most=2)
    if data.caption:
        flow.text(f"{item.ref}.caption", data.caption, "body", sheet.surface.muted, gap=sheet.pad * 0.25, most=7)
    if getattr(data, "parts", ()):
        flow.chips(f"{item.ref}.parts", data.parts, colour, gap=sheet.pad * 0.45)
    return flow
