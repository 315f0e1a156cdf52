"""Dual panels: two things side by side, each with one large value; what follows from it below."""

from __future__ import annotations

from experiments import asset
from experiments.compiler.bind import Bound
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Tree
from experiments.families.dual_panel_compare.layout import lay_out


class DualPanelCompare(asset.AssetFamily):
    name = "dual_panel_compare"
    title = "Comparison"
    kinds = asset.pick(
        header_band=(1, 1),
        compare_panel=(0, 4),
        section_card=(0, 6),
        badge_pill=(0, 6),
        callout_card=(0, 2),
        footer_note=(0, 1),
    )
    content = asset.document(kinds)
    least = ((2, ("compare_panel", "section_card")),)
    style = asset.usual("wide", "card", "center", "2", "center", "none", "line")

    def draw(self, bound: Bound, sheet: Sheet) -> Tree:
        return lay_out(bound, sheet, self.summary(bound))


FAMILY = DualPanelCompare()
