"""Memory map: what lies where in memory, as a stack of layers, as typed regions, or as the guarded sections of an
arena.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import Field

from experiments.compiler.bind import Bound
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Tree
from experiments.content import Footer, Header, Key, Shape, Short, Words
from experiments.families.memory_map.layout import lay_out
from experiments.family import Family, Form, Kind, by_name
from experiments.scene import Component


class Segment(Shape):
    """A stretch of memory. `tone: header` marks one that stands out."""

    title: Short
    size: Short | None = None
    caption: Words | None = None
    parts: tuple[Short, ...] = Field(default=(), max_length=6)
    tone: Short | None = None


class Bracket(Shape):
    """A remark on several segments: `span` names the first and the last of them."""

    title: Short
    caption: Words | None = None
    span: tuple[Key, Key] | None = None


class Card(Shape):
    """A note beside the map: plain items or lines of code."""

    title: Short
    items: tuple[Short, ...] = Field(default=(), max_length=8)
    lines: tuple[Short, ...] = Field(default=(), max_length=10)


class Map(Shape):
    """What lies where, whatever it is drawn as."""

    header: Header
    offsets: tuple[Short, ...] = ()
    segments: dict[Key, Segment] = Field(min_length=1, max_length=24)
    brackets: dict[Key, Bracket] = Field(default={})
    cards: dict[Key, Card] = Field(default={})
    footer: Footer | None = None


class Content(Map):
    form: Literal["layer_stack", "typed_regions", "arena_sections"] | None = None


class MemoryMap(Family):
    name = "memory_map"
    tied = ("region_bracket",)
    title = "Memory map"
    content = Content
    kinds = by_name(
        Kind("header_band", 0, (Header,), at_least=1, at_most=1),
        Kind("address_strip", 1, (tuple,), at_most=1),
        Kind("memory_segment", 2, (Segment,), at_least=1, at_most=12, id_tag="segment_id"),
        Kind("region_bracket", 2, (Bracket, Segment), at_most=4, id_tag="bracket_id", id_required=False),
        Kind("info_card", 3, (Card,), at_most=6, id_tag="card_id", apart=True),
        Kind("footer_note", 4, (Footer,), at_most=1),
    )
    forms = by_name(
        Form(
            "layer_stack",
            {"segments": (3, 7), "brackets": (0, 1), "cards": (0, 4)},
            {"segments": 6, "brackets": 1, "cards": 3},
        ),
        Form(
            "typed_regions",
            {"segments": (3, 7), "brackets": (0, 0), "cards": (0, 3)},
            {"segments": 5, "brackets": 0, "cards": 3},
        ),
        Form(
            "arena_sections",
            {"segments": (3, 7), "brackets": (0, 0), "cards": (0, 3)},
            {"segments": 6, "brackets": 0, "cards": 3},
        ),
    )

    def parts(self, form: Form, counts: Mapping[str, int]) -> Iterator[Component]:
        yield Component("header_band", ref="header")
        yield Component("address_strip", ref="offsets")
        for kind, stem, number in (
            ("memory_segment", "segment", counts["segments"]),
            ("region_bracket", "bracket", counts["brackets"]),
            ("info_card", "card", counts["cards"]),
        ):
            for i in range(1, number + 1):
                yield Component(kind, id=f"{stem}_{i}", ref=f"{stem}s.{stem}_{i}")

    def form_of(self, bound: Bound) -> str:
        """Brackets need a stack, sections need parts."""
        if bound.one("region_bracket"):
            return "layer_stack"
        return "arena_sections" if all(item.data.parts for item in bound.all("memory_segment")) else "typed_regions"

    def draw(self, bound: Bound, sheet: Sheet) -> Tree:
        return lay_out(bound, sheet, self.summary(bound))


FAMILY = MemoryMap()
