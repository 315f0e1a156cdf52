"""Layout of a concept: principle cards joined by a double arrow, panels in rows of at most three, a strip of takeaways."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.compiler.bind import Bound, Item
from experiments.compiler.flow import Flow
from experiments.compiler.page import Page
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Box, Ornament, Tree, move

if TYPE_CHECKING:
    from experiments.families.concept_editorial.family import Principle

JOIN = 44.0  # px between the two principles, for the arrow


def lay_out(bound: Bound, sheet: Sheet, summary: str) -> Tree:
    page = Page(bound, sheet)
    page.header()
    for item in bound.all("principle_pair"):
        _pair(page, item)
        page.y += sheet.gap
    _panels(page, bound.all("concept_panel"))
    for item in bound.all("callout_strip"):
        page.y += sheet.gap
        _strip(page, item)
    page.footer()
    return page.finish(summary)


# ---- principles


def _pair(page: Page, item: Item) -> None:
    """Two equally high cards, the second in the other colour, and a mark that sets them against each other."""
    sheet = page.sheet
    wide = (page.room - JOIN) / 2
    colours = [
        sheet.named(data.accent, i) if data.accent else (sheet.accent(), sheet.second)[i]
        for i, data in enumerate(item.data)
    ]
    flows = [
        _principle(page, ref, data, wide, colour)
        for ref, data, colour in zip(item.part.refs, item.data, colours, strict=True)
    ]
    high = max(flow.height for flow in flows) + 2 * sheet.pad + 6
    boxes = []
    for i, (ref, flow, colour) in enumerate(zip(item.part.refs, flows, colours, strict=True)):
        box = page.card(ref, flow, page.x0 + i * (wide + JOIN), page.y, wide, high, stroke=sheet.line(colour), top=6)
        box.add(
            Ornament("rect", box.x + box.radius, box.y, wide - 2 * box.radius, 5, fill=sheet.line(colour), radius=2.5)
        )
        boxes.append(box)
    page.add(*boxes)
    _against(page, page.x0 + wide + JOIN / 2, page.y + high / 2)
    page.y += high


def _principle(page: Page, ref: str, data: Principle, wide: float, colour: str) -> Flow:
    flow = page.flow(wide - 2 * page.sheet.pad, page.sheet.surface_2)
    flow.text(f"{ref}.title", data.title, "section", colour, most=2)
    if data.body:
        flow.text(f"{ref}.body", data.body, "body", gap=page.sheet.pad * 0.3, most=8)
    if data.bullets:
        flow.bullets(f"{ref}.bullets", data.bullets, colour, "body", gap=page.sheet.pad * 0.4)
    return flow


def _against(page: Page, x: float, y: float) -> None:
    """Two arrow heads back to back."""
    colour = page.sheet.wire
    for side in (-1, 1):
        tip, foot = x + side * 14, x + side * 4
        points = ((tip, y), (foot, y - 8), (foot, y + 8))
        page.add(Ornament("polygon", min(tip, foot), y - 8, 10, 16, fill=colour, points=points))


# ---- panels


def _panels(page: Page, items: list[Item]) -> None:
    sheet = page.sheet
    columns = len(items) if len(items) <= 3 else 2 if len(items) == 4 else 3
    gap = sheet.gap * 0.8
    for start in range(0, len(items), columns):
        row = items[start : start + columns]
        wide = (page.room - gap * (len(row) - 1)) / len(row)
        flows = [_panel(page, item, wide, start + i) for i, item in enumerate(row)]
        notes = [_note(page, item, wide, start + i) for i, item in enumerate(row)]
        tall = max(flow.height for flow in flows)
        foot = max(note.height for note in notes)
        high = tall + (foot + sheet.pad * 0.9 if foot else 0.0) + 2 * sheet.pad
        page.y += gap if start else 0.0
        for i, (item, flow, note) in enumerate(zip(row, flows, notes, strict=True)):
            box = page.card(item.id, flow, page.x0 + i * (wide + gap), page.y, wide, high)
            if note.height:
                y = box.bottom - sheet.pad - foot
                box.add(
                    Ornament(
                        "line", box.x + sheet.pad, y - sheet.pad * 0.45, wide - 2 * sheet.pad, 0, stroke=sheet.rule
                    )
                )
                box.add(*note.place(box.x + sheet.pad, y))
            page.add(box)
        page.y += high


def _panel(page: Page, item: Item, wide: float, index: int) -> Flow:
    sheet, data = page.sheet, item.data
    colour = sheet.named(data.accent, index)
    flow = page.flow(wide - 2 * sheet.pad, sheet.surface)
    if data.tag:
        flow.badge(f"{item.ref}.tag", data.tag, colour)
    flow.text(f"{item.ref}.title", data.title, "section", gap=sheet.pad * 0.4, most=3)
    if data.summary:
        flow.text(f"{item.ref}.summary", data.summary, "body", sheet.surface.muted, gap=sheet.pad * 0.25, most=10)
    if data.bullets:
        flow.bullets(f"{item.ref}.bullets", data.bullets, colour, "body", gap=sheet.pad * 0.45)
    return flow


def _note(page: Page, item: Item, wide: float, index: int) -> Flow:
    """The closing note of a panel, set at its foot; empty where there is none."""
    data = item.data
    flow = page.flow(wide - 2 * page.sheet.pad, page.sheet.surface)
    if data.note:
        flow.text(f"{item.ref}.note", data.note, "small", page.sheet.named(data.accent, index), most=6)
    return flow


# ---- takeaways


def _strip(page: Page, item: Item) -> None:
    """The title at the left, the points beside it with their numbers, the footer's word under the title."""
    sheet, data = page.sheet, item.data
    accent = sheet.accent()
    ground = sheet.tinted(accent)
    inner = page.room - 2 * sheet.pad
    side = inner * 0.26 if data.points else inner
    head = page.flow(side, ground)
    head.text(f"{item.ref}.title", data.title, "section", accent, most=3)
    if data.footer:
        head.text(f"{item.ref}.footer", data.footer, "code", ground.muted, gap=sheet.pad * 0.3, most=2)
    points = page.flow(inner - side - sheet.gap, ground)
    size = sheet.fonts["body"].size * 1.5
    for i, words in enumerate(data.points):
        points.skip(sheet.pad * 0.4)
        top = points.height
        points.text(f"{item.ref}.points.{i}", words, "body", most=5, indent=size + 10)
        number = page.labels.number(
            f"{item.ref} number {i}", f"{item.ref} number", i + 1, "tag", size, size, sheet.line(accent), size * 0.3
        )
        line = sheet.fonts["body"].size * sheet.fonts["body"].lead
        move([number], 0, top + max(0.0, (line - size) / 2))
        points.nodes.append(number)
        points.height = max(points.height, top + size)
    high = max(head.height, points.height) + 2 * sheet.pad
    box = Box(
        item.ref, page.x0, page.y, page.room, high, ground.fill, sheet.line(accent), 1.5, min(sheet.radius, high / 3)
    )
    box.add(*head.place(box.x + sheet.pad, box.y + (high - head.height) / 2))
    if data.points:
        x = box.x + sheet.pad + side + sheet.gap
        box.add(
            Ornament("line", x - sheet.gap / 2, box.y + sheet.pad, 0, high - 2 * sheet.pad, stroke=sheet.line(accent))
        )
        box.add(*points.place(x, box.y + (high - points.height) / 2))
    page.add(box)
    page.y += high
