"""Table analysis: one table whose rows have states, and what is found in it."""

from __future__ import annotations

from collections.abc import Iterator

from experiments import asset
from experiments.compiler.bind import Bound
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Tree
from experiments.families.table_analysis.layout import lay_out
from experiments.family import Fault
from experiments.scene import Scene


class TableAnalysis(asset.AssetFamily):
    name = "table_analysis"
    title = "Table with findings"
    kinds = asset.pick(
        header_band=(1, 1),
        table_header=(0, 1),
        table_row=(4, 16),
        badge_pill=(0, 6),
        callout_card=(0, 3),
        footer_note=(0, 1),
    )
    content = asset.document(kinds)
    least = ()
    style = asset.usual("wide", "card", "left", "1", "top", "none", "line")

    def inspect(self, scene: Scene) -> Iterator[Fault]:
        yield from super().inspect(scene)
        kinds = [part.kind for part in scene.components]
        if "table_header" in kinds and "table_row" in kinds[: kinds.index("table_header")]:
            yield Fault(kinds.index("table_header"), "`table_header` after a `table_row`", "the header before the rows")

    def draw(self, bound: Bound, sheet: Sheet) -> Tree:
        return lay_out(bound, sheet, self.summary(bound))


FAMILY = TableAnalysis()
