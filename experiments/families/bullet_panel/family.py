"""Bullet panel: a few points in one panel, and a callout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from experiments.compiler.bind import Bound
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Tree
from experiments.families.bullet_panel import layout
from experiments.infographic import Asked, Infographic
from experiments.scene import Component, Scene


class BulletPanel(Infographic):
    name = "bullet_panel"
    title = "Points"
    main, closing = "bullet_list", "callout"
    looks: Mapping[str, str] = MappingProxyType(
        {"hero": "left", "emphasis": "left", "rail": "accent", "connector": "line"}
    )
    kinds = Infographic.table(main, 2, 6, closing)

    def draw_large(self, bound: Bound, sheet: Sheet) -> Tree:
        return layout.draw_large(bound, sheet)

    def small(self, scene: Scene, asked: Asked) -> Iterator[Component]:
        return layout.small(scene, asked)


FAMILY = BulletPanel()
