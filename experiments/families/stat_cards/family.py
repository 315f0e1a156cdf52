"""Stat cards: two to four figures with their labels, and a footer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from experiments.compiler.bind import Bound
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Tree
from experiments.families.stat_cards import layout
from experiments.infographic import Asked, Infographic
from experiments.scene import Component, Scene


class StatCards(Infographic):
    name = "stat_cards"
    title = "Figures"
    main, closing = "stats", "footer"
    group = 2
    looks: Mapping[str, str] = MappingProxyType(
        {"hero": "left", "emphasis": "top", "rail": "none", "connector": "line"}
    )
    kinds = Infographic.table(main, 4, 8, closing)

    def draw_large(self, bound: Bound, sheet: Sheet) -> Tree:
        return layout.draw_large(bound, sheet)

    def small(self, scene: Scene, asked: Asked) -> Iterator[Component]:
        return layout.small(scene, asked)


FAMILY = StatCards()
