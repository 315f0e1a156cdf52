"""Layout of a table with findings: the table, pills, callouts side by side, the footer."""

from __future__ import annotations

from experiments.compiler import piece, table
from experiments.compiler.bind import Bound
from experiments.compiler.page import Page
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Tree


def lay_out(bound: Bound, sheet: Sheet, summary: str) -> Tree:
    page = Page(bound, sheet)
    page.header()
    table.draw(page, bound.all("table_header", "table_row"), "table")
    if bound.all("badge_pill"):
        page.y += sheet.gap
        piece.pills(page, bound.all("badge_pill"))
    if bound.all("callout_card"):
        page.y += sheet.gap
        piece.row(page, bound.all("callout_card"))
    piece.footer(page)
    return page.finish(summary)
