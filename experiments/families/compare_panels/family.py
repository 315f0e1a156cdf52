"""Compare panels: two sides, each a title and lines, and a footer."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from experiments.families.compare_panels import layout
from experiments.infographic import Infographic


class ComparePanels(Infographic):
    name = "compare_panels"
    title = "Comparison"
    layout = layout
    main, closing = "compare_pair", "footer"
    group = 2
    looks: Mapping[str, str] = MappingProxyType(
        {"hero": "center", "emphasis": "top", "rail": "none", "connector": "line"}
    )
    kinds = Infographic.table(main, 4, 12, closing)


FAMILY = ComparePanels()
