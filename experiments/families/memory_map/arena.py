"""Arena sections: one container, sections with their parts as slots, dotted guards between them, cards below."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.compiler.bind import Item
from experiments.compiler.metric import width
from experiments.compiler.page import Page
from experiments.compiler.tree import Box, Ornament, Text, move
from experiments.families.memory_map.part import (
    add_card_row,
    add_heading,
    least_height,
    levels,
    read_offsets,
    set_address,
)


def draw_arena(page: Page) -> None:
    """One container; each section has its words at the left and its parts as slots at the right; dotted guards lie
    between sections.
    """
    sheet, items = page.sheet, page.bound.all("memory_segment", "region_bracket")
    offsets = read_offsets(page, len(items))
    font = sheet.fonts["code"]
    gauge = max([width(words, font.face, font.size) for _, words in offsets], default=0.0)
    gauge = min(gauge, page.room * 0.2) + (18 if offsets else 0)
    inset, guard = sheet.pad * 0.7, 12.0
    arena = Box(
        "arena", page.x0 + gauge, page.y, page.room - gauge, 0, sheet.surface.fill, sheet.border, 1.4, sheet.radius
    )
    page.add(arena)
    x, wide, y = arena.x + inset, arena.w - 2 * inset, page.y + inset
    edges, least = [], least_height(page, len(offsets), len(items))
    for i, item in enumerate(items):
        if i:
            arena.add(
                Ornament(
                    "line", x + 8, y + guard / 2 - 2.5, wide - 16, 0, stroke=sheet.rule, stroke_width=3, dash="2 8"
                )
            )
            y += guard
        edges.append(y)
        box = _section(page, item, i, x, y, wide, least)
        arena.add(box)
        y = box.bottom + 5
    y -= 5
    arena.h = y + inset - page.y
    for (path, words), level in zip(offsets, levels(len(offsets), [*edges, y], 12), strict=True):
        page.add(set_address(page, path, words, page.x0, level, gauge - 18, sheet.canvas))
    page.y = arena.bottom
    add_card_row(page)


def _section(page: Page, item: Item, index: int, x: float, y: float, wide: float, least: float) -> Box:
    sheet, data = page.sheet, item.data
    accent = sheet.accent(index)
    pad = sheet.pad * 0.8
    parts = getattr(data, "parts", ())
    share = 0.42 if parts else 1.0
    flow = page.flow(wide * share - 2 * pad, sheet.surface_2)
    add_heading(page, flow, item, accent)
    if data.caption:
        flow.text(f"{item.ref}.caption", data.caption, "small", sheet.surface_2.muted, gap=3, most=5)
    slots = _slots(page, item, parts, accent, wide * (1 - share) - pad) if parts else []
    tall = max([slot.h for slot in slots], default=0.0)
    high = max(max(flow.height, tall) + 2 * pad, least)
    box = Box(item.id, x, y, wide, high, sheet.surface_2.fill, None, 1.0, min(sheet.radius * 0.5, high / 3))
    box.add(*flow.place(x + pad, y + (high - flow.height) / 2))
    for slot in slots:
        slot.h = high - 2 * pad
        text = slot.children[0]
        assert isinstance(text, Text)
        text.y = (slot.h - text.h) / 2
        move([slot], x + wide * share, y + pad)
        box.add(slot)
    return box


def _slots(page: Page, item: Item, parts: Sequence[str], accent: str, room: float) -> list[Box]:
    """Equal boxes side by side, one per part."""
    sheet = page.sheet
    gap = 6.0
    wide = (room - gap * (len(parts) - 1)) / len(parts)
    font, ground = sheet.fonts["tag"], sheet.tinted(accent, 0.2, sheet.theme.surface_2)
    found = []
    for i, words in enumerate(parts):
        path = f"{item.ref}.parts.{i}"
        fitted = page.flow(wide - 12, ground).fit(path, words, font, wide - 12, 3)
        text = Text.at(path, i * (wide + gap), 7, wide, fitted, ground.ink, "middle")
        box = Box(f"{item.id} slot {i + 1}", text.x, 0, wide, text.h + 14, ground.fill, sheet.line(accent), 1.0, 6)
        box.add(text)
        found.append(box)
    return found
