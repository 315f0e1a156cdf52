"""A legend: a title, entries with colour swatches in rows, a note and a warning, in one panel across the page. And the colours of
states, which a legend explains.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from experiments.compiler.bind import Item
from experiments.compiler.metric import width
from experiments.compiler.page import Page
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Box, Ornament, Text
from experiments.content import Legend


def state_colour(sheet: Sheet, state: str | None) -> str | None:
    """The colour of a row state; None for a normal row."""
    if state in (None, "normal"):
        return None
    return sheet.highlight() if state == "highlight" else sheet.named(state)


def draw_legend(page: Page, item: Item, colours: Sequence[str] = ()) -> None:
    """The legend at the cursor; `colours` are those of the entries without a state, where there are as many."""
    sheet, legend = page.sheet, item.data
    box = Box(item.ref, page.x0, page.y, page.room, 0, sheet.surface.fill, sheet.border, 1.2, sheet.radius)
    y = page.y + sheet.pad * 0.8
    y = _entries(page, item.ref, legend, box, y, colours if len(colours) == len(legend.items) else swatches(sheet))
    flow = page.flow(page.room - 2 * sheet.pad, sheet.surface)
    if legend.note:
        flow.text(f"{item.ref}.note", legend.note, "small", sheet.surface.muted, most=4)
    if legend.warning:
        colour = sheet.named("warning")
        flow.text(f"{item.ref}.warning", legend.warning, "small", colour, gap=3, most=4, indent=18)
        text = flow.nodes[-1]
        assert isinstance(text, Text)
        middle = text.y + text.font.size * text.font.lead / 2
        mark = ((0.0, middle + 5.0), (6.0, middle - 5.5), (12.0, middle + 5.0))
        flow.nodes.append(Ornament("polygon", 0, middle - 5.5, 12, 10.5, fill=sheet.line(colour), points=mark))
    if flow.nodes:
        box.add(*flow.place(page.x0 + sheet.pad, y + sheet.pad * 0.45))
        y += flow.height + sheet.pad * 0.45
    box.h = y + sheet.pad * 0.8 - page.y
    page.add(box)
    page.y += box.h + sheet.gap


def _entries(page: Page, path: str, legend: Legend, box: Box, y: float, colours: Sequence[str]) -> float:
    """The title and the entries, each with a swatch, in rows; returns where they end."""
    sheet = page.sheet
    bold, font = sheet.fonts["strong"], sheet.fonts["small"]
    line = max(bold.size * bold.lead, font.size * font.lead)
    x, right = page.x0 + sheet.pad, page.x1 - sheet.pad
    words = width(legend.title, bold.face, bold.size)
    title = page.flow(right - x, sheet.surface).text(f"{path}.title", legend.title, "strong", most=2)
    box.add(*title.place(x, y + (line - bold.size * bold.lead) / 2))
    if title.height > line * 1.5:  # a long title takes rows of its own
        y += title.height + line * 0.25
    else:
        x += words + sheet.gap
    swatch, start = 12.0, page.x0 + sheet.pad
    for i, entry in enumerate(legend.items):
        room = width(entry.label, font.face, font.size)
        got, lines = title.fit(f"{path}.items.{i}", entry.label, font, right - start - swatch - 8, 1)
        if x > start and x + swatch + 8 + room > right:
            x, y = start, y + line * 1.25
        colour = state_colour(sheet, entry.state) or (sheet.border if entry.state else colours[i % len(colours)])
        box.add(Ornament("rect", x, y + line / 2 - swatch / 2, swatch, swatch, fill=colour, radius=3))
        high = got.size * got.lead
        text = Text(
            f"{path}.items.{i}", x + swatch + 8, y + (line - high) / 2, room, high, lines, got, sheet.surface.ink
        )
        box.add(text)
        x += swatch + 8 + room + sheet.gap
    return y + line


@lru_cache(maxsize=4096)
def swatches(sheet: Sheet) -> tuple[str, ...]:
    """Colours that tell legend entries without a state apart."""
    names = ("green", "purple", "blue", "danger", "amber", "muted")
    return tuple(dict.fromkeys([sheet.accent(), *(sheet.named(name) for name in names)]))
