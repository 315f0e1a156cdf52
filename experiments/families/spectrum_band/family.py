"""Spectrum band: neighbouring segments from one end to the other, a focus in the middle, and a footer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from experiments.compiler.bind import Bound
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Tree
from experiments.families.spectrum_band import layout
from experiments.infographic import Asked, Infographic
from experiments.scene import Component, Scene


class SpectrumBand(Infographic):
    name = "spectrum_band"
    title = "Band"
    main, closing = "band", "footer"
    looks: Mapping[str, str] = MappingProxyType(
        {"hero": "center", "emphasis": "center", "rail": "none", "connector": "bracket"}
    )
    kinds = Infographic.table(main, 2, 6, closing)

    def draw_large(self, bound: Bound, sheet: Sheet) -> Tree:
        return layout.draw_large(bound, sheet)

    def small(self, scene: Scene, asked: Asked) -> Iterator[Component]:
        return layout.small(scene, asked)


FAMILY = SpectrumBand()
