"""Dashboard: cards in a grid, a hero card wider than the others."""

from __future__ import annotations

from experiments import asset
from experiments.compiler.bind import Bound
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Tree
from experiments.families.dashboard_cards.layout import lay_out


class DashboardCards(asset.AssetFamily):
    name = "dashboard_cards"
    title = "Dashboard"
    kinds = asset.pick(
        header_band=(1, 1),
        section_card=(0, 12),
        callout_card=(0, 6),
        badge_pill=(0, 6),
        footer_note=(0, 1),
    )
    content = asset.document(kinds)
    least = ((2, ("section_card", "callout_card")),)
    style = asset.usual("wide", "panel", "center", "3", "center", "none", "line")

    def draw(self, bound: Bound, sheet: Sheet) -> Tree:
        return lay_out(bound, sheet, self.summary(bound))


FAMILY = DashboardCards()
