"""The linear pipeline: badges on a rail with link labels above it, a card hanging under each badge."""

from __future__ import annotations

from experiments.compiler.bind import Item
from experiments.compiler.graph import label_box
from experiments.compiler.page import Page
from experiments.compiler.tree import Box, Link, Text, move
from experiments.families.system_diagram.part import border_of, is_end, join, write_words


def draw_pipeline(page: Page, items: list[Item], links: list[Item]) -> None:
    """Badges on a rail with link labels above it, a card hanging under each badge; long pipelines take two rows."""
    columns = len(items) if len(items) <= 5 else (len(items) + 1) // 2
    slot = (page.room + page.sheet.gap * 0.6) / columns
    before: Box | None = None
    for start in range(0, len(items), columns):
        row = items[start : start + columns]
        turn = links[start - 1] if start else None
        before = _row(page, row, links[start : start + len(row) - 1], start, slot, turn, before)


def _row(
    page: Page, row: list[Item], links: list[Item], start: int, slot: float, turn: Item | None, before: Box | None
) -> Box:
    sheet = page.sheet
    gutter = sheet.gap * 0.6
    badges = [_rail_badge(page, item, start + i, slot * 0.56) for i, item in enumerate(row)]
    xs = [page.x0 + i * slot + (slot - gutter) / 2 for i in range(len(row))]
    tall = max(badge.h for badge in badges)
    labels = [
        _rail_label(page, link, xs[i + 1] - xs[i] - (badges[i].w + badges[i + 1].w) / 2 - 10)
        for i, link in enumerate(links)
    ]
    top = _below_turn(page) if turn else page.y
    rail = top + max([text.h + 6 - tall / 2 for text in labels] + [0.0]) + tall / 2
    for badge, x in zip(badges, xs, strict=True):
        move([badge], x - badge.w / 2, rail - badge.h / 2)
    for i, (link, text) in enumerate(zip(links, labels, strict=True)):
        a, b = badges[i], badges[i + 1]
        move([text], (a.right + b.x) / 2 - text.w / 2, rail - 7 - text.h)
        page.add(join(page, link, [(a.right, rail), (b.x, rail)], a, b), text)
    if turn and before:
        _turn(page, turn, before, badges[0], rail)
    flows = [
        write_words(page, item, start + i, slot - gutter - 2 * sheet.pad, badge=False) for i, item in enumerate(row)
    ]
    high = max(flow.height for flow in flows) + 2 * sheet.pad
    y = rail + tall / 2 + 18
    for i, (item, flow) in enumerate(zip(row, flows, strict=True)):
        card = page.card(
            item.id, flow, xs[i] - (slot - gutter) / 2, y, slot - gutter, high, stroke=border_of(sheet, item, start + i)
        )
        stem = Link(
            f"{item.id} stem",
            [(xs[i], badges[i].bottom), (xs[i], y)],
            badges[i].path,
            card.path,
            sheet.wire,
            head=False,
        )
        page.add(stem, card, badges[i])
    page.y = y + high
    return badges[-1]


def _rail_badge(page: Page, item: Item, index: int, room: float) -> Box:
    """A stage's badge on the rail, at the origin; its number where the content has none. The terminal's is filled."""
    sheet = page.sheet
    accent, stroke = sheet.accent(index), sheet.line(sheet.accent(index))
    ground, colour = (sheet.ground(stroke), None) if is_end(item) else (sheet.tinted(accent, 0.24), accent)
    words = item.data.badge or str(index + 1)
    path = f"{item.ref}.badge"
    return page.labels.box(f"{item.id} badge", path, words, "tag", room, ground, colour, stroke, 1.5, 12, 7, 15)


def _rail_label(page: Page, link: Item, room: float) -> Text:
    """A link's words, to stand above its arrow; at the origin."""
    sheet, path, room = page.sheet, f"{link.ref}.label", max(room, 40.0)
    fitted = page.flow(room).fit(path, link.data.label, sheet.fonts["label"], room, 3)
    return Text.at(path, 0, 0, room, fitted, sheet.canvas.muted, "middle")


def _below_turn(page: Page) -> float:
    """Where the second row may start: below the label of the turn."""
    font = page.sheet.fonts["label"]
    return page.y + font.size * font.lead + 7 + 8 + 12 + page.sheet.gap * 0.2


def _turn(page: Page, link: Item, last: Box, first: Box, rail: float) -> None:
    """From the end of the first row round its card to the start of the second."""
    label = label_box(
        page, f"{link.part.source}->{link.part.target} label", f"{link.ref}.label", link.data.label, page.room * 0.4, 1
    )
    y = page.y + label.h / 2 + 8
    move([label], page.x0 + page.room / 2 - label.w / 2, y - label.h / 2)
    right, left = page.x1 + 14, page.x0 - 14
    corners = [(last.right, last.middle), (right, last.middle), (right, y), (left, y), (left, rail), (first.x, rail)]
    page.add(join(page, link, corners, last, first, label.path), label)
