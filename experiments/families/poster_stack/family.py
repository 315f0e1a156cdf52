"""Poster: a tall stack of cards, bars, small tables and notes, drawn in the order in which the scene says them."""

from __future__ import annotations

from experiments import asset
from experiments.compiler.bind import Bound
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Tree
from experiments.families.poster_stack.layout import lay_out


class PosterStack(asset.AssetFamily):
    name = "poster_stack"
    title = "Poster"
    kinds = asset.pick(
        header_band=(1, 1),
        section_card=(0, 12),
        compare_bar=(0, 8),
        metric_bar=(0, 8),
        table_header=(0, 3),
        table_row=(0, 24),
        compare_panel=(0, 8),
        callout_card=(0, 4),
        side_rail=(0, 3),
        badge_pill=(0, 8),
        footer_note=(0, 1),
    )
    content = asset.document(kinds)
    least = ((4, ("section_card", "compare_bar", "metric_bar", "table_row", "compare_panel")),)
    style = asset.usual("tall", "card", "center", "1", "top", "accent", "line")

    def draw(self, bound: Bound, sheet: Sheet) -> Tree:
        return lay_out(bound, sheet, self.summary(bound))


FAMILY = PosterStack()
