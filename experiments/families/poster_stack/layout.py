"""Layout of a poster: neighbours of one kind become one band, bands follow the scene's order."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.compiler import piece, table
from experiments.compiler.bind import Bound, Item
from experiments.compiler.page import Page
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Tree

TOGETHER = (("compare_bar", "metric_bar"), ("table_header", "table_row"))


def lay_out(bound: Bound, sheet: Sheet, summary: str) -> Tree:
    page = Page(bound, sheet)
    page.header()
    items = [item for item in bound.items if item.part.kind not in ("header_band", "footer_note")]
    for number, run in enumerate(piece.runs(items, TOGETHER)):
        page.y += sheet.gap if number else 0
        _band(page, run, number)
    piece.footer(page)
    return page.finish(summary)


def _band(page: Page, run: Sequence[Item], number: int) -> None:
    kind = run[0].part.kind
    if kind in ("compare_bar", "metric_bar"):
        piece.bars(page, run, f"bars {number}")
    elif kind in ("table_header", "table_row"):
        table.draw(page, run, f"table {number}")
    elif kind == "badge_pill":
        piece.pills(page, run)
    elif kind == "side_rail":
        for i, item in enumerate(run):
            page.y += page.sheet.gap * 0.6 if i else 0
            piece.strip(page, item, page.x0, page.room, "title")
    else:
        wide = page.width >= 1100
        piece.cards(page, run, 3 if wide and len(run) % 3 == 0 else 2, hero=3)
