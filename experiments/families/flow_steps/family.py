"""Flow steps: two to five steps with captions, joined by arrows, and a badge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from experiments.compiler.bind import Bound
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Tree
from experiments.families.flow_steps import layout
from experiments.infographic import Asked, Infographic
from experiments.scene import Component, Scene


class FlowSteps(Infographic):
    name = "flow_steps"
    title = "Steps"
    main, closing = "steps", "badge"
    group = 2
    looks: Mapping[str, str] = MappingProxyType(
        {"hero": "left", "emphasis": "top", "rail": "none", "connector": "arrow"}
    )
    kinds = Infographic.table(main, 4, 10, closing)

    def draw_large(self, bound: Bound, sheet: Sheet) -> Tree:
        return layout.draw_large(bound, sheet)

    def small(self, scene: Scene, asked: Asked) -> Iterator[Component]:
        return layout.small(scene, asked)


FAMILY = FlowSteps()
