"""Flow steps: two to five steps with captions, joined by arrows, and a badge."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from experiments.families.flow_steps import layout
from experiments.infographic import Infographic


class FlowSteps(Infographic):
    name = "flow_steps"
    title = "Steps"
    layout = layout
    main, closing = "steps", "badge"
    group = 2
    looks: Mapping[str, str] = MappingProxyType(
        {"hero": "left", "emphasis": "top", "rail": "none", "connector": "arrow"}
    )
    kinds = Infographic.table(main, 4, 10, closing)


FAMILY = FlowSteps()
