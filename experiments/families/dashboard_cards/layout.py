"""Layout of a dashboard: all cards in the scene's order, in as many columns as the style says and the canvas holds."""

from __future__ import annotations

from experiments.compiler import piece
from experiments.compiler.bind import Bound
from experiments.compiler.page import Page
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Tree

LEAST = 230.0  # px a card


def lay_out(bound: Bound, sheet: Sheet, summary: str) -> Tree:
    page = Page(bound, sheet)
    page.header()
    columns = min(max(int(sheet.style.columns or 3), 2), 4, int((page.room + sheet.gap) // (LEAST + sheet.gap)))
    piece.cards(page, bound.all("section_card", "callout_card"), columns, hero=2)
    if bound.all("badge_pill"):
        page.y += sheet.gap
        piece.pills(page, bound.all("badge_pill"))
    piece.footer(page)
    return page.finish(summary)
