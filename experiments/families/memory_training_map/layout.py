"""Layout of a memory training map: the tower of a memory map, and its last segment as a band below everything."""

from __future__ import annotations

from experiments.compiler.bind import Bound, Item
from experiments.compiler.page import Page
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Box, Ornament, Text, Tree, move
from experiments.families.memory_map.part import read_offsets, set_address
from experiments.families.memory_map.stack import draw_stack, of_tower


def lay_out(bound: Bound, sheet: Sheet, summary: str) -> Tree:
    page = Page(bound, sheet)
    page.header()
    band = bound.all("memory_segment")[-1]
    draw_stack(page, below=(band,))
    page.y += sheet.gap * 0.7
    page.add(_band(page, band, _addresses(page)))
    page.footer()
    return page.finish(summary)


def _addresses(page: Page) -> list[tuple[str, str]]:
    """(path, words) of the start of the band and, where the content states it, of its end."""
    blocks = [i for i in page.bound.all("memory_segment", "region_bracket") if not getattr(i.data, "span", None)]
    offsets = read_offsets(page, len(blocks))
    return offsets[of_tower(len(offsets), len(blocks)) :]


def _band(page: Page, item: Item, offsets: list[tuple[str, str]]) -> Box:
    """Title, size and caption at the left, the parts as equal cells at the right, addresses in the corners."""
    sheet, data = page.sheet, item.data
    accent = sheet.accent(1)
    ground = sheet.tinted(accent, 0.12)
    pad, code = sheet.pad, sheet.fonts["code"]
    side = (page.room - 2 * pad - 14) * (0.36 if data.parts else 1.0)
    words = page.flow(side, ground)
    words.text(f"{item.ref}.title", data.title, "section", most=3)
    if data.size:
        words.text(f"{item.ref}.size", data.size, "code", accent, gap=2, most=2)
    if data.caption:
        words.text(f"{item.ref}.caption", data.caption, "small", ground.muted, gap=pad * 0.25, most=6)
    head = code.size * code.lead + 4 if offsets else 0.0
    cells = _cells(page, item, page.room - 2 * pad - 14 - side - sheet.gap, accent)
    high = max(words.height, max((cell.h for cell in cells), default=0.0)) + head + 2 * pad
    box = Box(
        item.id, page.x0, page.y, page.room, high, ground.fill, sheet.line(accent), 1.5, sheet.radius * 0.7, "7 5"
    )
    box.add(Ornament("rect", box.x + pad * 0.6, box.y + pad, 5, high - 2 * pad, fill=sheet.line(accent), radius=2.5))
    for (path, text), anchor in zip(offsets, ("start", "end"), strict=False):
        half = box.w / 2 - pad - 14
        left = box.x + pad + 14 if anchor == "start" else box.right - pad - half
        label: Text = set_address(page, path, text, left, box.y + pad * 0.8 + head / 2 - 2, half, ground, anchor)
        box.add(label)
    middle = box.y + head / 2 + high / 2
    box.add(*words.place(box.x + pad + 14, middle - words.height / 2))
    for cell in cells:
        move([cell], box.x + pad + 14 + side + sheet.gap, middle - cell.h / 2)
    box.add(*cells)
    page.y += high
    return box


def _cells(page: Page, item: Item, room: float, accent: str) -> list[Box]:
    """One cell for each part, equally wide and high, at the origin."""
    sheet, parts = page.sheet, item.data.parts
    gap = 8.0
    wide = (room - gap * (len(parts) - 1)) / max(1, len(parts))
    ground = sheet.tinted(accent, 0.26)
    flows = [
        page.flow(wide - 14, ground).text(f"{item.ref}.parts.{i}", part, "strong", most=4, anchor="middle")
        for i, part in enumerate(parts)
    ]
    high = max((flow.height for flow in flows), default=0.0) + 1.2 * sheet.pad
    cells = []
    for i, flow in enumerate(flows):
        cell = Box(f"{item.ref}.parts.{i}", i * (wide + gap), 0, wide, high, ground.fill, sheet.line(accent), 1.0, 7)
        cell.add(*flow.place(cell.x + 7, (high - flow.height) / 2))
        cells.append(cell)
    return cells
