"""Stat cards: two to four figures with their labels, and a footer."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from experiments.families.stat_cards import layout
from experiments.infographic import Infographic


class StatCards(Infographic):
    name = "stat_cards"
    title = "Figures"
    layout = layout
    main, closing = "stats", "footer"
    group = 2
    looks: Mapping[str, str] = MappingProxyType(
        {"hero": "left", "emphasis": "top", "rail": "none", "connector": "line"}
    )
    kinds = Infographic.table(main, 4, 8, closing)


FAMILY = StatCards()
