"""Pipeline lane: numbered stages in lanes, phases over them, any further connections round them."""

from __future__ import annotations

from collections.abc import Iterator

from experiments import asset
from experiments.compiler.bind import Bound
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Tree
from experiments.families.pipeline_lane.layout import lay_out
from experiments.family import Fault
from experiments.scene import Scene

AROUND = 6  # arrows that can be led round the lanes


class PipelineLane(asset.StagedFamily):
    name = "pipeline_lane"
    title = "Pipeline"
    kinds = asset.pick(
        header_band=(1, 1),
        stage_card=(3, 12),
        phase_divider=(0, 1),
        flow_arrow=(2, 16),
        curved_connector=(0, 4),
        section_card=(0, 6),
        badge_pill=(0, 6),
        callout_card=(0, 2),
        footer_note=(0, 1),
    )
    content = asset.document(kinds)
    least = ()
    style = asset.usual("wide", "card", "center", "4", "top", "none", "arrow")

    def inspect(self, scene: Scene) -> Iterator[Fault]:
        yield from super().inspect(scene)
        names = self.ends(scene)
        order = sorted(set(names.values()))
        ends = [
            (names.get(c.source or ""), names.get(c.target or "")) for c in scene.of("flow_arrow", "curved_connector")
        ]
        around = [(a, b) for a, b in ends if a is not None and b is not None and order.index(b) != order.index(a) + 1]
        if len(around) > AROUND:
            yield Fault(
                None, f"{len(around)} arrows past their neighbours", f"at most {AROUND}: the rest to the next stage"
            )

    def draw(self, bound: Bound, sheet: Sheet) -> Tree:
        return lay_out(bound, sheet, self.summary(bound))


FAMILY = PipelineLane()
