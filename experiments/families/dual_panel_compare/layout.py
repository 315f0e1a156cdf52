"""Layout of two panels side by side: the name of each on a coloured head, one large value, a caption; then cards, pills and callouts."""

from __future__ import annotations

from experiments.compiler import piece
from experiments.compiler.bind import Bound, Item
from experiments.compiler.flow import Flow
from experiments.compiler.label import centred
from experiments.compiler.page import Page
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Box, Tree, move

EDGE = 10.0  # px between a panel's border and its head


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
    heads = [_head(page, item, wide - 2 * EDGE, colour) for item, (_, colour) in zip(items, made, strict=True)]
    top = EDGE + max(head.h for head in heads)
    high = top + max(flow.height + (1.75 * sheet.pad if flow.nodes else EDGE) for flow, _ in made)
    for i, (item, (flow, colour), head) in enumerate(zip(items, made, heads, strict=True)):
        x = page.x0 + i * (wide + sheet.gap)
        box = page.card(item.ref, flow, x, page.y, wide, high, sheet.line(colour), top=top - 0.15 * sheet.pad)
        lift = top - EDGE - head.h
        move([head], x + EDGE, page.y + EDGE + lift / 2)
        head.y, head.h = page.y + EDGE, top - EDGE
        box.children.insert(0, head)
        page.add(box)
    page.y += high


def _head(page: Page, item: Item, wide: float, colour: str) -> Box:
    """A panel's name on its colour, at the origin; as round as the panel, less the edge."""
    sheet = page.sheet
    ground = sheet.ground(sheet.line(colour))
    path, pad = item.at("title"), sheet.pad * 0.4
    fitted = page.flow(wide).fit(path, item.data.title, sheet.fonts["section"], wide - 2 * sheet.pad, 3, True)
    high = len(fitted[1]) * fitted[0].size * fitted[0].lead + 2 * pad
    box = Box(f"{path} head", 0, 0, wide, high, ground.fill, None, radius=max(sheet.radius - EDGE, 6.0))
    box.add(centred(path, fitted, 0, 0, wide, high, ground.ink))
    return box


def _words(page: Page, item: Item, wide: float) -> tuple[Flow, str]:
    """Value and caption of a panel in the middle of its width, and its colour."""
    sheet, data = page.sheet, item.data
    colour = piece.colour_of(page, item, item.number)
    flow = page.flow(wide, sheet.tinted(colour, 0.1))
    if data.value:
        flow.text(item.at("value"), data.value, "figure", most=4, anchor="middle", even=True)
    if data.caption:
        flow.text(item.at("caption"), data.caption, "body", flow.ground.muted, sheet.pad * 0.5, most=8, anchor="middle")
    return flow, colour
