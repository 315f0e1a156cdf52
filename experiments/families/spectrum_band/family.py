"""Spectrum band: neighbouring segments from one end to the other, a focus in the middle, and a footer."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from experiments.families.spectrum_band import layout
from experiments.infographic import Infographic


class SpectrumBand(Infographic):
    name = "spectrum_band"
    title = "Band"
    layout = layout
    main, closing = "band", "footer"
    looks: Mapping[str, str] = MappingProxyType(
        {"hero": "center", "emphasis": "center", "rail": "none", "connector": "bracket"}
    )
    kinds = Infographic.table(main, 2, 6, closing)


FAMILY = SpectrumBand()
