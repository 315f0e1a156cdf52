"""The build path: a staircase of stages; what each one produces drops to its right."""

from __future__ import annotations

from experiments.compiler.bind import Item
from experiments.compiler.graph import label_box
from experiments.compiler.page import Page
from experiments.compiler.tree import Box, Link, Ornament, move
from experiments.families.system_diagram.part import border_of, is_end, join, write_words


def draw_route(page: Page, items: list[Item], links: list[Item]) -> None:
    """A staircase of stages; what each produces drops to its right."""
    sheet = page.sheet
    wide, drop, reach = page.room * 0.47, page.room * 0.25, 34.0
    step = min(130.0, (page.room - wide - drop - reach) / max(1, len(items) - 2), (page.room - wide) / (len(items) - 1))
    cards: list[Box] = []
    for i, item in enumerate(items):
        x = page.x0 + i * step
        flow = write_words(page, item, i, wide - 2 * sheet.pad, detail="none" if not is_end(item) else "chips")
        artefact = _artefact(page, item, i, drop) if item.data.detail and not is_end(item) else None
        high = max(flow.height + 2 * sheet.pad, artefact.h if artefact else 0.0)
        if i:
            label = label_box(
                page,
                f"{links[i - 1].part.source}->{links[i - 1].part.target} label",
                f"{links[i - 1].ref}.label",
                links[i - 1].data.label,
                wide * 0.7,
                1,
            )
            move([label], cards[-1].x + 44, page.y + sheet.gap * 0.25 + 2)
            page.y += label.h + sheet.gap * 0.5 + 4
        card = page.card(item.id, flow, x, page.y, wide, high, stroke=border_of(sheet, item, i))
        if i:
            _step(page, links[i - 1], cards[-1], card)
            page.add(label)
        cards.append(card)
        page.add(card)
        if artefact:
            move([artefact], card.right + reach, card.middle - artefact.h / 2)
            page.add(
                Link(
                    f"{item.id} artefact link",
                    [(card.right, card.middle), (artefact.x, card.middle)],
                    card.path,
                    artefact.path,
                    sheet.line(sheet.accent(i)),
                    1.8,
                    "4 5",
                ),
                artefact,
            )
        page.y += high


def _step(page: Page, link: Item, a: Box, b: Box) -> None:
    """Down from the foot of a stage, then right into the next one."""
    x = a.x + min(page.sheet.radius + 6, 34)
    page.add(join(page, link, [(x, a.bottom), (x, b.middle), (b.x, b.middle)], a, b))


def _artefact(page: Page, item: Item, index: int, wide: float) -> Box:
    """What a stage leaves behind: a dashed box with one sheet of paper per detail, at the origin."""
    sheet = page.sheet
    pad = sheet.pad * 0.7
    flow = page.flow(wide - 2 * pad, sheet.surface_2)
    size = sheet.fonts["small"].size
    for i, words in enumerate(item.data.detail):
        flow.skip(size * 0.35)
        top = flow.height
        flow.text(f"{item.ref}.detail.{i}", words, "small", indent=size * 1.5, most=3)
        middle = top + size * sheet.scale.lead / 2
        flow.nodes.append(_paper(0, middle - size * 0.5, size * 0.78, size, sheet.line(sheet.accent(index))))
    box = Box(
        f"{item.id} artefacts",
        0,
        0,
        wide,
        flow.height + 2 * pad,
        sheet.surface_2.fill,
        sheet.line(sheet.accent(index)),
        1.2,
        min(sheet.radius * 0.5, 12),
        "4 5",
    )
    box.children = flow.place(pad, pad)
    return box


def _paper(x: float, y: float, w: float, h: float, colour: str) -> Ornament:
    """A sheet with a cut corner."""
    cut = w * 0.4
    corners = ((x, y), (x + w - cut, y), (x + w, y + cut), (x + w, y + h), (x, y + h))
    return Ornament("polygon", x, y, w, h, stroke=colour, stroke_width=1.4, points=corners)
