"""Bullet panel: a few points in one panel, and a callout."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from experiments.families.bullet_panel import layout
from experiments.infographic import Infographic


class BulletPanel(Infographic):
    name = "bullet_panel"
    title = "Points"
    layout = layout
    main, closing = "bullet_list", "callout"
    looks: Mapping[str, str] = MappingProxyType(
        {"hero": "left", "emphasis": "left", "rail": "accent", "connector": "line"}
    )
    kinds = Infographic.table(main, 2, 6, closing)


FAMILY = BulletPanel()
