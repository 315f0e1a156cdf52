"""Layout of two panels side by side: a coloured head, one large value, a caption; then cards, pills and callouts."""

from __future__ import annotations

from experiments.compiler import piece
from experiments.compiler.bind import Bound, Item
from experiments.compiler.flow import Flow
from experiments.compiler.page import Page
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Box, Ornament, Tree

HEAD = 6.0  # px, the coloured edge of a panel


def lay_out(bound: Bound, sheet: Sheet, summary: str) -> Tree:
    page = Page(bound, sheet)
    page.header()
    panels = bound.all("compare_panel")
    if len(panels) < 2:  # section cards may stand in for panels
        panels = bound.all("compare_panel", "section_card")[:2]
    rest = [item for item in bound.all("section_card", "badge_pill", "callout_card") if item not in panels]
    for start in range(0, len(panels), 2):
        page.y += sheet.gap if start else 0
        _panels(page, panels[start : start + 2])
    for run in piece.runs(rest):
        page.y += sheet.gap
        if run[0].part.kind == "badge_pill":
            piece.pills(page, run)
        else:
            piece.cards(page, run, 3 if len(run) % 3 == 0 and page.width >= 1100 else 2)
    piece.footer(page)
    return page.finish(summary)


def _panels(page: Page, items: list[Item]) -> None:
    """A pair of panels, equally high; a panel left over takes the whole width."""
    sheet = page.sheet
    wide = (page.room - sheet.gap * (len(items) - 1)) / len(items)
    made = [_words(page, item, wide - 2 * sheet.pad) for item in items]
    high = max(flow.height for flow, _ in made) + 2 * sheet.pad + HEAD
    for i, (item, (flow, colour)) in enumerate(zip(items, made, strict=True)):
        x = page.x0 + i * (wide + sheet.gap)
        box = page.card(item.ref, flow, x, page.y, wide, high, top=HEAD)
        _paint(page, box, colour)
        page.add(box)
    page.y += high


def _paint(page: Page, box: Box, colour: str) -> None:
    inset = page.sheet.radius
    box.add(Ornament("rect", box.x + inset, box.y, box.w - 2 * inset, HEAD, fill=page.sheet.line(colour)))


def _words(page: Page, item: Item, wide: float) -> tuple[Flow, str]:
    """Title, value and caption of a panel in the middle of its width, with its colour."""
    sheet, data = page.sheet, item.data
    colour = piece.colour_of(page, item, item.number)
    flow = page.flow(wide, sheet.tinted(colour, 0.1))
    flow.text(item.at("title"), data.title, "section", colour, gap=HEAD, most=3, anchor="middle", even=True)
    if data.value:
        flow.text(item.at("value"), data.value, "figure", gap=sheet.pad * 0.5, most=4, anchor="middle", even=True)
    if data.caption:
        flow.text(item.at("caption"), data.caption, "body", flow.ground.muted, sheet.pad * 0.5, most=8, anchor="middle")
    return flow, colour
