"""Timeline flow: numbered stages on a rail, joined from each to the next, in one row or several."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from experiments import asset
from experiments.compiler.bind import Bound
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Tree
from experiments.families.timeline_flow.layout import lay_out
from experiments.family import Fault
from experiments.scene import Scene


class TimelineFlow(asset.StagedFamily):
    name = "timeline_flow"
    title = "Flow of stages"
    kinds = asset.pick(
        ids=("stage_card",),
        header_band=(1, 1),
        stage_card=(3, 10),
        flow_arrow=(2, 9),
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
        stages = [index for index, part in enumerate(scene.components) if part.kind == "stage_card"]
        chain = set(pairwise(stages))
        for index, part in enumerate(scene.components):
            pair = names.get(part.source or "", -1), names.get(part.target or "", -1)
            if part.kind == "flow_arrow" and -1 not in pair and pair not in chain:
                yield Fault(index, f"an arrow {part.source}->{part.target}", "an arrow from a stage to the next one")

    def draw(self, bound: Bound, sheet: Sheet) -> Tree:
        return lay_out(bound, sheet, self.summary(bound))


FAMILY = TimelineFlow()
