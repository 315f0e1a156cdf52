"""Pieces that pictures of the asset families are put together from: cards that pack into rows, strips, pills, bars, callouts.

Each takes the component that it draws and names every text by the path of its words. They measure first and are placed by the
caller's cursor (`Page.y`); what stands where in a picture is the family's layout.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

from experiments.compiler.bind import Item
from experiments.compiler.flow import Flow
from experiments.compiler.page import Page
from experiments.compiler.quantity import scale
from experiments.compiler.sheet import Ground
from experiments.compiler.tree import Box, Ornament, move

Maker = Callable[[Page, Item, float], tuple[Flow, str]]  # the words of a card of some width, and its border colour
MOODS = {"warning": "warning", "success": "success"}  # variants and states with a colour of their own


def colour_of(page: Page, item: Item, index: int = 0) -> str:
    """An item's colour: its accent, else what its variant or state means, else the tone's."""
    data = item.data
    mood = getattr(data, "variant", None) or getattr(data, "state", None) or ""
    return page.sheet.named(data.accent or MOODS.get(mood), index)


def runs(items: Sequence[Item], same: Sequence[Sequence[str]] = ()) -> list[list[Item]]:
    """Neighbouring items of one kind, or of kinds that `same` puts together."""
    names = {kind: group[0] for group in same for kind in group}
    return [list(run) for _, run in groupby(items, lambda item: names.get(item.part.kind, item.part.kind))]


# ---- cards


def card_flow(page: Page, item: Item, index: int, wide: float) -> tuple[Flow, str]:
    """(words, border colour) of a section card or compare panel: a small title, what it says large, a caption."""
    sheet, data = page.sheet, item.data
    colour, variant = colour_of(page, item, index), data.variant or "default"
    loud = variant in ("hero", *MOODS)
    plain = sheet.surface_2 if variant == "note" else sheet.surface
    flow = page.flow(wide, sheet.tinted(colour, 0.17 if variant == "hero" else 0.13) if loud else plain)
    flow.text(item.at("title"), data.title, "title" if not data.value else "strong", colour, most=3)
    if data.value:
        role = "figure" if variant in ("hero", "metric") and len(data.value) <= 28 else "value"
        flow.text(item.at("value"), data.value, role, gap=sheet.pad * 0.3, most=4, even=True)
    if data.caption:
        flow.text(item.at("caption"), data.caption, "body", flow.ground.muted, gap=sheet.pad * 0.4, most=8)
    return flow, sheet.line(colour) if loud or variant == "metric" else sheet.border


def callout_flow(page: Page, item: Item, index: int, wide: float) -> tuple[Flow, str]:
    """(words, border colour) of a callout or annotation: what it is about, and a note."""
    sheet, data = page.sheet, item.data
    colour = sheet.named(data.accent, index)
    name = "label" if item.part.kind == "annotation" else "title"
    flow = page.flow(wide, sheet.tinted(colour, 0.1))
    flow.text(item.at(name), getattr(data, name), "title", colour, most=3)
    if data.note:
        flow.text(item.at("note"), data.note, "body", gap=sheet.pad * 0.3, most=8)
    return flow, sheet.line(colour)


def make_card(page: Page, item: Item, wide: float) -> tuple[Flow, str]:
    """The words of any card-like item and its border colour, for a card `wide` px wide."""
    inner = wide - 2 * page.sheet.pad
    make = callout_flow if item.part.kind in ("callout_card", "annotation") else card_flow
    return make(page, item, item.number, inner)


def row(page: Page, items: Sequence[Item], make: Maker = make_card, spans: Sequence[int] = ()) -> None:
    """One row of equally high cards over the page's width, each as many units wide as its span says."""
    sheet = page.sheet
    spans = spans or [1] * len(items)
    unit = (page.room - sheet.gap * (sum(spans) - 1)) / sum(spans)
    widths = [unit * span + sheet.gap * (span - 1) for span in spans]
    made = [make(page, item, wide) for item, wide in zip(items, widths, strict=True)]
    high = max(flow.height for flow, _ in made) + 2 * sheet.pad
    x = page.x0
    for item, wide, (flow, stroke) in zip(items, widths, made, strict=True):
        page.add(page.card(item.ref, flow, x, page.y, wide, high, stroke))
        x += wide + sheet.gap
    page.y += high


def cards(page: Page, items: Sequence[Item], columns: int, hero: int = 1) -> None:
    """Cards in rows of `columns`, those of a row equally high; a hero takes `hero` columns, and a row that is not full stretches."""
    line: list[tuple[Item, int]] = []
    lines, used = [line], 0
    for item in items:
        span = min(hero, columns) if getattr(item.data, "variant", None) == "hero" else 1
        if line and used + span > columns:
            line, used = [], 0
            lines.append(line)
        line.append((item, span))
        used += span
    for number, line in enumerate(lines):
        page.y += page.sheet.gap if number else 0
        row(page, [item for item, _ in line], spans=[span for _, span in line])


def stack(page: Page, items: Sequence[Item], make: Maker, x: float, wide: float, least: float) -> None:
    """Cards below each other at x; what is missing to `least` px of height is shared among them."""
    sheet = page.sheet
    made = [make(page, item, wide) for item in items]
    heights = [flow.height + 2 * sheet.pad for flow, _ in made]
    spare = max(0.0, least - sum(heights) - sheet.gap * (len(items) - 1)) / len(items)
    for number, (item, (flow, stroke), high) in enumerate(zip(items, made, heights, strict=True)):
        page.y += sheet.gap if number else 0
        page.add(page.card(item.ref, flow, x, page.y, wide, high + spare, stroke, top=spare / 2))
        page.y += high + spare


# ---- strips and pills


def strip(page: Page, item: Item, x: float, wide: float, role: str = "body", ground: Ground | None = None) -> Box:
    """A band with one sentence and an accent bar at its left, at the cursor."""
    sheet, pad = page.sheet, page.sheet.pad
    flow = page.flow(wide - 2 * pad - 6, ground or sheet.surface_2)
    flow.text(item.at("text"), item.data.text, role, most=6)
    high = flow.height + 1.5 * pad
    box = Box(item.ref, x, page.y, wide, high, flow.ground.fill, sheet.border, 1.2, min(sheet.radius, high * 0.32))
    colour = sheet.line(sheet.accent())
    box.add(Ornament("rect", x + pad * 0.7, page.y + pad * 0.75, 5, high - pad * 1.5, fill=colour, radius=2.5))
    box.add(*flow.place(x + pad + 12, page.y + pad * 0.75))
    page.add(box)
    page.y += high
    return box


def footer(page: Page) -> None:
    """The footer note, if the scene has one."""
    for item in page.bound.all("footer_note"):
        page.y += page.sheet.gap * 0.9
        strip(page, item, page.x0, page.room)


def pills(page: Page, items: Sequence[Item]) -> None:
    """Short texts in rounded boxes, in rows."""
    sheet, size = page.sheet, page.sheet.fonts["strong"].size
    x, high = page.x0, 0.0
    for i, item in enumerate(items):
        colour = sheet.named(item.data.accent, i)
        box = page.labels.box(
            item.ref, item.at("text"), item.data.text, "strong", page.room, sheet.tinted(colour, 0.2), colour,
            sheet.line(colour), 1.0, size, size * 0.5, size * 1.4, 3,
        )  # fmt: skip
        if x > page.x0 and x + box.w > page.x1:
            x, page.y = page.x0, page.y + high + sheet.gap * 0.4
            high = 0.0
        move([box], x, page.y)
        page.add(box)
        x, high = x + box.w + sheet.gap * 0.5, max(high, box.h)
    page.y += high


# ---- bars


def bars(page: Page, items: Sequence[Item], path: str) -> None:
    """A panel of horizontal bars, as long as their values say; without comparable values the values stand alone."""
    sheet, pad = page.sheet, page.sheet.pad
    shares = scale([item.data.value for item in items])
    panel = Box(path, page.x0, page.y, page.room, 0, sheet.surface.fill, sheet.border, 1.2, sheet.radius)
    page.add(panel)
    y, room = page.y + pad, page.room - 2 * pad
    for i, item in enumerate(items):
        y += pad * 1.1 if i else 0
        y = _bar(page, panel, item, i, y, room, shares.shares[i] if shares else None)
    panel.h = y + pad - page.y
    page.y += panel.h


def _bar(page: Page, panel: Box, item: Item, index: int, y: float, room: float, share: float | None) -> float:
    """Label and value over a bar on its track, caption and note below; returns where it ends."""
    sheet, data, x = page.sheet, item.data, page.x0 + page.sheet.pad
    colour = colour_of(page, item, index)
    left = page.flow(room * 0.6, sheet.surface).text(item.at("label"), data.label, "title", most=2)
    right = page.flow(room * 0.4 - sheet.pad, sheet.surface)
    right.text(item.at("value"), data.value, "value", colour, most=2, anchor="end")
    high = max(left.height, right.height)
    panel.add(*left.place(x, y + high - left.height), *right.place(x + room * 0.6 + sheet.pad, y + high - right.height))
    y += high
    if share is not None:
        thick = sheet.scale.body * 0.9
        y += sheet.pad * 0.3
        panel.add(Ornament("rect", x, y, room, thick, fill=sheet.rule, radius=thick / 2))
        wide = max(share * room, 3.0)
        panel.add(Ornament("rect", x, y, wide, thick, fill=sheet.line(colour), radius=min(thick, wide) / 2))
        y += thick
    below = page.flow(room, sheet.surface)
    if data.caption:
        below.text(item.at("caption"), data.caption, "body", sheet.surface.muted, most=4)
    if data.note:
        below.text(item.at("note"), data.note, "small", colour, gap=sheet.pad * 0.15, most=4)
    if not below.nodes:
        return y
    panel.add(*below.place(x, y + sheet.pad * 0.3))
    return y + sheet.pad * 0.3 + below.height
