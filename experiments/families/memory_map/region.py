"""Typed regions: a bar with a coloured cell per region, a tile for each, cards below."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.compiler.bind import Item
from experiments.compiler.colour import mix
from experiments.compiler.flow import Flow
from experiments.compiler.label import fit
from experiments.compiler.metric import width
from experiments.compiler.page import Page
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Ornament, Text, move
from experiments.families.memory_map.part import add_card_row, is_tied, read_offsets, set_address
from experiments.violation import Violation

HUES = ("blue", "green", "amber", "purple", "danger", "muted")  # tell typed regions apart
TIERS = 3  # lines that the addresses below a bar may take


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
    gap, high = 4.0, 40.0
    wide = (page.room - gap * (len(items) - 1)) / len(items)
    for i, item in enumerate(items):
        cell = page.labels.number(f"{item.id} cell", f"{item.ref} number", i + 1, "strong", wide, high, colours[i], 7)
        move([cell], page.x0 + i * (wide + gap), page.y)
        page.add(cell)
    page.y += high
    offsets = read_offsets(page, len(items))
    if is_tied(len(offsets), len(items)):
        edges = [page.x0 + i * (wide + gap) - (gap / 2 if i else 0) for i in range(len(offsets))]
        _ruler(page, offsets, edges, wide + gap, len(offsets) <= len(items))
    else:
        step = page.room / max(1, len(offsets) - 1)
        _ruler(page, offsets, [page.x0 + i * step for i in range(len(offsets))], step)


def _ruler(
    page: Page, offsets: Sequence[tuple[str, str]], edges: Sequence[float], step: float, starts: bool = False
) -> None:
    """Addresses in equal steps below the bar, the first and the last flush with its ends; those of `starts` alone each at the left of its cell.
    Where they have no room beside each other, they take turns in several lines, in the lower ones with a tick.
    """
    if not offsets:
        return
    font, wire = page.sheet.fonts["code"], page.sheet.wire
    top, line = page.y, font.size * font.lead + 2
    tiers = next((n for n in range(1, TIERS) if _fits(page, offsets, _room(page, step, n, starts))), TIERS)
    room = _room(page, step, tiers, starts)
    above: list[tuple[float, float]] = []
    for tier in range(tiers):
        made = []
        for i in range(tier, len(offsets), tiers):
            flush = i == len(offsets) - 1 and not starts
            anchor = "start" if i == 0 or (starts and tiers == 1) else "end" if flush else "middle"
            x = edges[i] - room * {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor]
            middle = top + 8 + font.size * 0.7 + tier * line
            made.append(set_address(page, *offsets[i], x, middle, room, page.sheet.canvas, anchor))
            if tier and all(not left - 3 < edges[i] < right + 3 for left, right in above):
                page.add(Ornament("line", edges[i], top + 5, 0, tier * line, stroke=wire, stroke_width=1.5))
        page.add(*made)
        above += [text.extent() for text in made]
    page.y = top + 8 + font.size * 0.7 + (tiers - 1) * line + font.size * 0.7


def _room(page: Page, step: float, tiers: int, starts: bool) -> float:
    """How wide an address may be where so many lines are taken in turn, px."""
    if tiers == 1:
        return step - 10 if starts else step / 1.5 - 8  # the ends are set flush
    return min(tiers * step / 1.5, page.room / 2) - 8


def _fits(page: Page, offsets: Sequence[tuple[str, str]], room: float) -> bool:
    found: list[Violation] = []
    for path, words in offsets:
        fit(found, path, words, page.sheet.fonts["code"], room, 1)
    return not found


def _tile_flow(page: Page, item: Item, wide: float, colour: str) -> Flow:
    sheet, data = page.sheet, item.data
    flow = page.flow(wide - 1.7 * sheet.pad, sheet.surface)
    number = page.bound.all("memory_segment", "region_bracket").index(item) + 1
    digits = width(str(number), sheet.fonts["tag"].face, sheet.fonts["tag"].size)
    wide = 19.0 if digits <= 19 else digits + 5
    flow.text(f"{item.ref}.title", data.title, "title", most=3, indent=wide + 7)
    title = flow.nodes[-1]
    assert isinstance(title, Text)
    chip = page.labels.number(f"{item.id} number", f"{item.ref} number", number, "tag", wide, 19, colour, 5)
    move([chip], 0, title.font.size * title.font.lead / 2 - 9.5)
    flow.nodes.append(chip)
    if getattr(data, "size", None):
        flow.text(f"{item.ref}.size", data.size, "code", colour, gap=3, most=2)
    if data.caption:
        flow.text(f"{item.ref}.caption", data.caption, "body", sheet.surface.muted, gap=sheet.pad * 0.25, most=7)
    if getattr(data, "parts", ()):
        flow.chips(f"{item.ref}.parts", data.parts, colour, gap=sheet.pad * 0.45)
    return flow
