"""Span chart: columns over one floor, as high as their values, with brackets, a thesis beside them and a conclusion below."""

from __future__ import annotations

from collections.abc import Iterator

from experiments import asset
from experiments.compiler.bind import Bound
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Tree
from experiments.families.comparison_span_chart.layout import BARS, lay_out
from experiments.family import Fault
from experiments.scene import Scene


class ComparisonSpanChart(asset.AssetFamily):
    name = "comparison_span_chart"
    title = "Span chart"
    kinds = asset.pick(
        header_band=(1, 1),
        compare_bar=(0, 4),
        metric_bar=(0, 4),
        axis=(0, 1),
        legend_row=(0, 1),
        annotation=(0, 3),
        divider=(0, 1),
        span_bracket=(0, 4),
        floor_band=(0, 1),
        thesis_box=(1, 2),
        conclusion_strip=(0, 1),
        footer_note=(0, 1),
    )
    content = asset.document(kinds)
    least = ((2, BARS),)
    style = asset.usual("wide", "card", "center", "3", "center", "none", "bracket")

    def inspect(self, scene: Scene) -> Iterator[Fault]:
        yield from super().inspect(scene)
        columns, brackets = len(scene.of(*BARS)), len(scene.of("span_bracket"))
        if columns > 4:
            yield Fault(None, f"{columns} bars", "2 to 4")
        if brackets > columns:
            yield Fault(
                None, f"{brackets} span brackets for {columns} bars", "at most one a bar, in the order of the bars"
            )

    def draw(self, bound: Bound, sheet: Sheet) -> Tree:
        return lay_out(bound, sheet, self.summary(bound))


FAMILY = ComparisonSpanChart()
