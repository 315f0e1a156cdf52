"""Layout of a flow: numbered circles on a rail, a card below each; arrows run along the rail and turn from row to row."""

from __future__ import annotations

from experiments.compiler import piece
from experiments.compiler.bind import Bound, Item
from experiments.compiler.flow import Flow
from experiments.compiler.inline import humanise
from experiments.compiler.page import Page
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Box, Link, Ornament, Tree, move

LEAST = 200.0  # px a card
STEM = 16.0  # px between a circle and its card


def lay_out(bound: Bound, sheet: Sheet, summary: str) -> Tree:
    page = Page(bound, sheet)
    page.header()
    _rows(page, bound.all("stage_card"))
    for run in piece.runs(bound.all("badge_pill", "callout_card")):
        page.y += sheet.gap
        (piece.pills if run[0].part.kind == "badge_pill" else piece.row)(page, run)
    piece.footer(page)
    return page.finish(summary)


def _rows(page: Page, items: list[Item]) -> None:
    sheet = page.sheet
    most = min(int(sheet.style.columns or 4) + 1, int((page.room + sheet.gap) // (LEAST + sheet.gap)))
    rows = -(-len(items) // max(most, 2))
    columns = -(-len(items) // rows)
    circles: list[Box] = []
    for start in range(0, len(items), columns):
        page.y += sheet.gap + 22 if start else 0
        circles += _row(page, items[start : start + columns], columns, start)
    names = page.bound.family.ends(page.bound.scene)
    order = {index: number for number, index in enumerate(sorted(set(names.values())))}
    for item in page.bound.all("flow_arrow"):
        a = circles[order[names[item.part.source or ""]]]
        b = circles[order[names[item.part.target or ""]]]
        corners = [(a.right, a.middle), (b.x, b.middle)] if a.middle == b.middle else _turn(page, a, b)
        path = f"{item.part.source}->{item.part.target}"
        page.add(Link(path, corners, a.path, b.path, sheet.wire, 2.5, sheet.dash))


def _turn(page: Page, a: Box, b: Box) -> list[tuple[float, float]]:
    """Round the right end of a row and back to the left end of the next."""
    y = b.y - 14 - page.sheet.gap * 0.2
    right, left = page.x1 + 14, page.x0 - 14
    return [(a.right, a.middle), (right, a.middle), (right, y), (left, y), (left, b.middle), (b.x, b.middle)]


def _row(page: Page, items: list[Item], columns: int, start: int) -> list[Box]:
    """One row: circles, stems, equally high cards; returns the circles."""
    sheet = page.sheet
    wide = (page.room - sheet.gap * (columns - 1)) / columns
    size = sheet.fonts["section"].size * 2
    flows = [_words(page, item, wide - 2 * sheet.pad, start + i) for i, item in enumerate(items)]
    high = max(flow.height for flow in flows) + 2 * sheet.pad
    circles = []
    for i, (item, flow) in enumerate(zip(items, flows, strict=True)):
        x, colour = page.x0 + i * (wide + sheet.gap), sheet.line(sheet.named(item.data.accent, start + i))
        name = f"{item.at('title')} number"
        circle = page.labels.number(name, name, start + i + 1, "section", size, size, colour, size / 2)
        move([circle], x + wide / 2 - size / 2, page.y)
        card = page.card(item.ref, flow, x, page.y + size + STEM, wide, high)
        stem = [(circle.centre, circle.bottom), (circle.centre, card.y)]
        page.add(circle, card, Link(f"{item.ref} stem", stem, name, item.ref, colour, head=False))
        circles.append(circle)
    page.y += size + STEM + high
    return circles


def _words(page: Page, item: Item, wide: float, index: int) -> Flow:
    """The stage's name, what happens in it, and the caption below a rule."""
    sheet, data = page.sheet, item.data
    colour = sheet.named(data.accent, index)
    flow = page.flow(wide, sheet.surface)
    name = humanise((item.part.id or "").replace("_", " ").replace("-", " "))
    if name and not name[-1].isdigit() and name.lower() != data.title.lower():
        flow.text(f"{item.ref} name", name, "strong", colour, most=2)
    flow.text(item.at("title"), data.title, "title", gap=sheet.pad * 0.2, most=5, even=True)
    if data.caption:
        flow.skip(sheet.pad * 0.5)
        flow.nodes.append(Ornament("line", 0, flow.height, flow.width, 0, stroke=sheet.rule))
        flow.text(item.at("caption"), data.caption, "body", flow.ground.muted, gap=sheet.pad * 0.4, most=8)
    return flow
