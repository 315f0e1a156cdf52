"""The selection path: stages in a column; at each one its candidates fan out, and the picked one stands out."""

from __future__ import annotations

from experiments.compiler.bind import Item
from experiments.compiler.graph import label_box
from experiments.compiler.page import Page
from experiments.compiler.tree import Box, Link, Ornament, move
from experiments.families.system_diagram.part import border_of, is_end, join, write_words


def draw_selection(page: Page, items: list[Item], links: list[Item]) -> None:
    """Stages in a column; at each one its candidates fan out to the right, and the picked one stands out."""
    sheet = page.sheet
    fan, wide = 76.0, page.room * 0.5
    gap = sheet.gap * 0.35
    above: Box | None = None
    for i, item in enumerate(items):
        flow = write_words(page, item, i, wide - 2 * sheet.pad, detail="chips" if is_end(item) else "none")
        options = [] if is_end(item) else _options(page, item, i, page.room - wide - fan)
        stack = sum(box.h for box in options) + gap * max(0, len(options) - 1)
        high = max(flow.height + 2 * sheet.pad, stack)
        y = page.y if above is None else _below(page, above, links[i - 1])
        card = page.card(item.id, flow, page.x0, y, wide, high, stroke=border_of(sheet, item, i))
        if above is not None:
            _drop(page, links[i - 1], above, card)
        page.add(card)
        y = card.middle - stack / 2
        for option in options:
            move([option], page.x0 + wide + fan, y)
            y += option.h + gap
        _fan(page, item, i, card, options, fan)
        page.y = card.bottom
        above = card


def _options(page: Page, item: Item, index: int, wide: float) -> list[Box]:
    """The candidates of a stage, at the origin; the picked one is filled and ticked."""
    sheet, data = page.sheet, item.data
    pad = sheet.pad * 0.6
    accent = sheet.accent(index)
    boxes = []
    for i, words in enumerate(data.detail):
        picked = data.pick == i
        ground = sheet.tinted(accent, 0.26) if picked else sheet.surface
        flow = page.flow(wide - 2 * pad - 4, ground)
        flow.text(f"{item.ref}.detail.{i}", words, "first" if picked else "cell", most=3, indent=22 if picked else 0)
        if picked:
            flow.nodes.append(_tick(0, flow.height / 2, ground.text(accent)))
        high = flow.height + 1.5 * pad
        box = Box(
            f"{item.id} option {i + 1}",
            0,
            0,
            wide,
            high,
            ground.fill,
            sheet.line(accent) if picked else sheet.border,
            1.8 if picked else 1.2,
            min(sheet.radius * 0.5, high / 2),
        )
        box.children = flow.place(pad + 4, (high - flow.height) / 2)
        boxes.append(box)
    return boxes


def _tick(x: float, middle: float, colour: str) -> Ornament:
    points = ((x, middle), (x + 5, middle + 5), (x + 13, middle - 6))
    return Ornament("polyline", x, middle - 6, 13, 11, stroke=colour, stroke_width=2.4, points=points)


def _fan(page: Page, item: Item, index: int, card: Box, options: list[Box], reach: float) -> None:
    """Branches from a stage to its candidates, out of one trunk; only the picked one has a head and the accent."""
    sheet = page.sheet
    picks = [i for i, _ in enumerate(options) if item.data.pick in (None, i)]
    order = sorted(range(len(options)), key=lambda i: i in picks)  # the picked branch is drawn over the others
    middle = card.x + card.w + reach * 0.42
    for i in order:
        option, picked = options[i], item.data.pick == i
        corners = [(card.right, card.middle), (middle, card.middle), (middle, option.middle), (option.x, option.middle)]
        if abs(card.middle - option.middle) < 1:
            corners = [corners[0], (option.x, card.middle)]
        colour = sheet.line(sheet.accent(index)) if picked else sheet.wire
        page.add(
            Link(
                f"{item.id}->option {i + 1}",
                corners,
                card.path,
                option.path,
                colour,
                2.4 if picked else 1.6,
                "" if i in picks else "3 5",
                i in picks,
                trunk=card.path,
            )
        )
    page.add(*options)


def _below(page: Page, above: Box, link: Item) -> float:
    """Where the next stage starts: below the label of the link to it."""
    font = page.sheet.fonts["label"]
    return page.y + font.size * font.lead + 7 + 17 + 14 + page.sheet.gap * 0.2


def _drop(page: Page, link: Item, above: Box, card: Box) -> None:
    """Straight down into the next stage, with the label on the line."""
    label = label_box(
        page, f"{link.part.source}->{link.part.target} label", f"{link.ref}.label", link.data.label, above.w * 0.7, 1
    )
    x = above.x + above.w * 0.25
    move([label], x - label.w / 2, card.y - 17 - label.h)
    if label.x < page.x0:
        move([label], page.x0 - label.x, 0)
    page.add(join(page, link, [(x, above.bottom), (x, card.y)], above, card, label.path), label)
