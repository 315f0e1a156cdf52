"""Compare panels: two sides, each a title and lines, and a footer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from experiments.compiler.bind import Bound
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Tree
from experiments.families.compare_panels import layout
from experiments.infographic import Asked, Infographic
from experiments.scene import Component, Scene


class ComparePanels(Infographic):
    name = "compare_panels"
    title = "Comparison"
    main, closing = "compare_pair", "footer"
    group = 2
    looks: Mapping[str, str] = MappingProxyType(
        {"hero": "center", "emphasis": "top", "rail": "none", "connector": "line"}
    )
    kinds = Infographic.table(main, 4, 12, closing)

    def draw_large(self, bound: Bound, sheet: Sheet) -> Tree:
        return layout.draw_large(bound, sheet)

    def small(self, scene: Scene, asked: Asked) -> Iterator[Component]:
        return layout.small(scene, asked)


FAMILY = ComparePanels()
