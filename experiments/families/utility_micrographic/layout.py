"""Layout of a micrographic: badges as seals with their words, bands as bars on one scale from 0 to 1."""

from __future__ import annotations

from experiments.compiler.bind import Bound, Item
from experiments.compiler.colour import mix
from experiments.compiler.metric import width
from experiments.compiler.page import Page
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Box, Ornament, Tree, move

SEAL = ("value", "label", "text", "title")  # the first that a badge has stands in its seal
BESIDE = {
    "title": "section",
    "label": "title",
    "text": "title",
    "subtitle": "body",
    "body": "body",
    "caption": "body",
    "note": "small",
}


def lay_out(bound: Bound, sheet: Sheet, summary: str) -> Tree:
    page = Page(bound, sheet)
    page.header()
    for i, item in enumerate(bound.all("micrographic_badge")):
        _badge(page, item, i)
        page.y += sheet.gap
    bands = bound.all("micrographic_band")
    if bands:
        _bands(page, bands)
    else:
        page.y -= sheet.gap
    page.footer()
    return page.finish(summary)


# ---- bands


def _bands(page: Page, items: list[Item]) -> None:
    """A row for each band: its label, a track from 0 to 1 with the bar on it, its share."""
    sheet = page.sheet
    font, bar, strong = sheet.fonts["body"], sheet.fonts["body"].size * 1.9, sheet.fonts["strong"]
    gauge = min(max(width(item.data.label, font.face, font.size) for item in items) + 4, page.room * 0.3)
    value = min(max(width(_share(item), strong.face, strong.size) for item in items) + 2, page.room * 0.16)
    x0 = page.x0 + sheet.pad + gauge + 14
    room = page.x1 - sheet.pad - value - 14 - x0
    panel = Box("bands", page.x0, page.y, page.room, 0, sheet.surface.fill, sheet.border, 1.2)
    y = page.y + sheet.pad
    for i, item in enumerate(items):
        colour = sheet.named(item.data.accent) if item.data.accent else _shade(sheet, i, len(items))
        label = page.flow(gauge, sheet.surface).text(f"{item.ref}.label", item.data.label, "body", most=3, anchor="end")
        share = page.flow(value, sheet.surface)
        share.text(f"{item.ref}.width", _share(item), "strong", colour, most=3, anchor="end")
        high = max(bar, label.height, share.height)
        top = y + (high - bar) / 2
        panel.add(Ornament("rect", x0, top, room, bar, fill=sheet.surface_2.fill, radius=5))
        if item.data.width:
            panel.add(Ornament("rect", x0, top, room * item.data.width, bar, fill=sheet.line(colour), radius=5))
        panel.add(*label.place(panel.x + sheet.pad, y + (high - label.height) / 2))
        panel.add(*share.place(x0 + room + 14, y + (high - share.height) / 2))
        y += high + sheet.gap * 0.4
    panel.h = y - sheet.gap * 0.4 + sheet.pad - panel.y
    panel.radius = min(sheet.radius, panel.h / 3)
    page.add(panel)
    page.y = panel.bottom


def _share(item: Item) -> str:
    """What is printed: the content's words, else the share in per cent."""
    return item.data.value or f"{item.data.width * 100:.0f}%"


def _shade(sheet: Sheet, index: int, count: int) -> str:
    """Steps from the accent towards the second accent, or quieter where there is none."""
    end = sheet.tones[-1] if len(sheet.tones) > 1 else mix(sheet.accent(), sheet.theme.muted, 0.6)
    return mix(sheet.accent(), end, index / max(1, count - 1))


# ---- badges


def _badge(page: Page, item: Item, index: int) -> None:
    """A round seal with the value or the label in it, the other words beside."""
    sheet, data = page.sheet, item.data
    colour = sheet.named(data.accent, index)
    ground = sheet.tinted(colour, 0.2)
    size = 132.0 if sheet.style.density != "compact" else 108.0
    inside = next(name for name in SEAL if getattr(data, name))
    seal = Box(f"{item.id} seal", 0, 0, size, size, ground.fill, sheet.line(colour), 3.0, size / 2)
    words = page.flow(size * 0.72, ground).text(
        f"{item.ref}.{inside}", getattr(data, inside), "section", colour, most=3, anchor="middle"
    )
    seal.add(*words.place(size * 0.14, (size - words.height) / 2))
    beside = page.flow(page.room - size - 3 * sheet.pad, sheet.surface)
    for name, role in BESIDE.items():
        text = getattr(data, name)
        if text and name != inside:
            muted = sheet.surface.muted if name in ("caption", "note") else None
            beside.text(f"{item.ref}.{name}", text, role, muted, gap=sheet.pad * 0.3, most=6)
    if data.detail:
        beside.bullets(f"{item.ref}.detail", data.detail, colour, "body", gap=sheet.pad * 0.3)
    high = max(size, beside.height) + 2 * sheet.pad
    box = Box(item.id, page.x0, page.y, page.room, high, sheet.surface.fill, sheet.border, 1.2, sheet.radius)
    bare = not beside.nodes
    move([seal], box.centre - size / 2 if bare else box.x + sheet.pad, box.y + (high - size) / 2)
    box.add(seal, *beside.place(box.x + size + 2 * sheet.pad, box.y + (high - beside.height) / 2))
    page.add(box)
    page.y += high
