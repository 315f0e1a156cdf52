"""The layer stack: addresses, a tower of blocks, braces over spans of it, cards at the right."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.compiler.bind import Item
from experiments.compiler.metric import width
from experiments.compiler.page import Page
from experiments.compiler.tree import Box, Ornament
from experiments.families.memory_map.part import (
    add_card_column,
    add_heading,
    is_tied,
    least_height,
    levels,
    read_offsets,
    set_address,
)
from experiments.violation import Violation


def draw_stack(page: Page, below: Sequence[Item] = ()) -> None:
    """Offsets, the tower, braces over spans of it, cards at the right. `below` are the last blocks that somebody else draws."""
    sheet, bound = page.sheet, page.bound
    every = [i for i in bound.all("memory_segment", "region_bracket") if not getattr(i.data, "span", None)]
    blocks = [item for item in every if item not in below]
    braces = [i for i in bound.all("region_bracket") if getattr(i.data, "span", None)]
    offsets = read_offsets(page, len(every))
    font = sheet.fonts["code"]
    gauge = max([width(words, font.face, font.size) for _, words in offsets], default=0.0)
    gauge = min(gauge, page.room * 0.2) + (18 if offsets else 0)
    cards = bound.all("info_card")
    aside = page.room * 0.34 if cards else 0.0
    brace = page.room * 0.19 if braces else 0.0
    tower = page.room - gauge - brace - (aside + sheet.gap if cards else 0.0)
    x, top, y = page.x0 + gauge, page.y, page.y
    boxes: dict[str, Box] = {}
    if below:
        offsets = offsets[: of_tower(len(offsets), len(every))]
    marks = len(offsets) + bool(below and offsets)  # the end of a tower over a band is where the band begins
    least = least_height(page, marks, len(blocks))
    for i, item in enumerate(blocks):
        box = _layer(page, item, i, x, y, tower, least)
        boxes[item.id] = box
        page.add(box)
        y = box.bottom + 5
    y -= 5
    edges = [*(box.y for box in boxes.values()), y]
    for i, ((path, words), level) in enumerate(zip(offsets, levels(marks, edges), strict=False)):
        tick = level if not is_tied(marks, len(blocks)) else edges[i] + (1 if edges[i] < y else -1)
        page.add(set_address(page, path, words, page.x0, level, gauge - 18, sheet.canvas))
        page.add(Ornament("line", x - 12, tick, 8, 0, stroke=sheet.wire, stroke_width=1.5))
    for i, item in enumerate(braces):
        _brace(page, item, boxes, x + tower + 8, brace - 8, i)
    bottom = add_card_column(page, page.x1 - aside, top, aside, y - top) if cards else y
    page.y = max(y, bottom)


def of_tower(count: int, blocks: int) -> int:
    """How many of the addresses stand at the tower where the last block is a band below it; the band has its start and its end."""
    return min(count, blocks - 1) if is_tied(count, blocks) else max(1, count - 2)


def _layer(page: Page, item: Item, index: int, x: float, y: float, wide: float, least: float) -> Box:
    """One block of the tower; a bracket without a span is an elided stretch, drawn dashed."""
    sheet, data = page.sheet, item.data
    elided = item.part.kind == "region_bracket"
    accent = sheet.accent(index)
    tone = getattr(data, "tone", None) == "header"
    ground = sheet.canvas if elided else sheet.tinted(accent, 0.16) if tone else sheet.surface
    pad = sheet.pad * 0.75
    flow = page.flow(wide - 2 * pad - 10, ground)
    add_heading(page, flow, item, accent)
    if data.caption:
        flow.text(f"{item.ref}.caption", data.caption, "small", ground.muted if not tone else ground.ink, gap=3, most=4)
    if getattr(data, "parts", ()):
        flow.chips(f"{item.ref}.parts", data.parts, accent, gap=pad * 0.6)
    high = max(flow.height + 2 * pad, least)
    box = Box(
        item.id,
        x,
        y,
        wide,
        high,
        None if elided else ground.fill,
        sheet.border,
        1.2,
        min(sheet.radius * 0.45, high / 3),
        "5 5" if elided else "",
    )
    if not elided:
        box.add(Ornament("rect", x + 5, y + 7, 5, high - 14, fill=accent, radius=2.5))
    box.add(*flow.place(x + pad + 10, y + (high - flow.height) / 2))
    return box


def _brace(page: Page, item: Item, boxes: dict[str, Box], x: float, wide: float, index: int) -> None:
    """A brace over the spanned segments with its words at the right."""
    sheet, data = page.sheet, item.data
    missing = [name for name in data.span if name not in boxes]
    if missing:
        page.issues.append(
            Violation(
                f"content.{item.ref}.span",
                f"`{missing[0]}`, which is not drawn",
                "the first and the last of the drawn segments that it spans: " + ", ".join(boxes),
            )
        )
        return
    first, last = sorted((boxes[name] for name in data.span), key=lambda box: box.y)
    colour = sheet.line(sheet.accent(index + 1))
    reach, tip = 9.0, 16.0
    middle = (first.y + last.bottom) / 2
    points = (
        (x, first.y + 2),
        (x + reach, first.y + 2),
        (x + reach, middle),
        (x + tip, middle),
        (x + reach, middle),
        (x + reach, last.bottom - 2),
        (x, last.bottom - 2),
    )
    page.add(
        Ornament(
            "polyline", x, first.y + 2, tip, last.bottom - first.y - 4, stroke=colour, stroke_width=2, points=points
        )
    )
    flow = page.flow(wide - tip - 8, sheet.canvas)
    flow.text(f"{item.ref}.title", data.title, "strong", colour, most=4)
    if data.caption:
        flow.text(f"{item.ref}.caption", data.caption, "small", sheet.canvas.muted, gap=3, most=9)
    if flow.height > last.bottom - first.y:
        page.issues.append(
            Violation(
                f"content.{item.ref}.caption",
                f"{flow.height:.0f} px of words beside {last.bottom - first.y:.0f} px of segments",
                "a shorter title or caption, or a longer span",
            )
        )
    page.add(*flow.place(x + tip + 8, middle - flow.height / 2))
