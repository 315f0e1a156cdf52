"""Spectrum map: two poles, the continuum between them, and bands that mark where things belong on it."""

from __future__ import annotations

from pydantic import Field

from experiments.compiler.bind import Bound
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Tree
from experiments.content import Footer, Header, Key, Shape, Short, Words
from experiments.families.spectrum_map.layout import lay_out
from experiments.family import Family, Kind, by_name


class Mark(Shape):
    """A pole or a marker: a title and a sentence."""

    title: Short
    body: Words | None = None
    accent: str | None = None


class Continuum(Shape):
    """What runs from pole to pole."""

    label: Short
    note: Words | None = None


class Content(Shape):
    header: Header
    poles: dict[Key, Mark] = Field(min_length=2, max_length=4)
    continuum: Continuum | None = None
    markers: dict[Key, Mark] = Field(default={}, max_length=12)
    footer: Footer | None = None


class SpectrumMap(Family):
    name = "spectrum_map"
    title = "Spectrum"
    content = Content
    kinds = by_name(
        Kind("header_band", 0, (Header,), at_least=1, at_most=1),
        Kind("spectrum_pole", 1, (Mark,), at_least=2, at_most=2, id_tag="pole_id", apart=True),
        Kind("continuum_arc", 2, (Continuum,), at_most=1, id_tag="arc_id", apart=True, id_required=False),
        Kind("marker_band", 3, (Mark,), at_least=1, at_most=7, id_tag="band_id", apart=True),
        Kind("footer_note", 4, (Footer,), at_most=1),
    )

    def draw(self, bound: Bound, sheet: Sheet) -> Tree:
        return lay_out(bound, sheet, self.summary(bound))


FAMILY = SpectrumMap()
