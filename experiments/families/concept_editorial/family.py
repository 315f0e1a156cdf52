"""Concept editorial: two principles side by side, panels that explain, and what to take away."""

from __future__ import annotations

from pydantic import Field

from experiments.compiler.bind import Bound
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Tree
from experiments.content import Footer, Header, Key, Shape, Short, Words
from experiments.families.concept_editorial.layout import lay_out
from experiments.family import Family, Kind, by_name


class Principle(Shape):
    """One side of the pair."""

    title: Short
    body: Words | None = None
    bullets: tuple[Short, ...] = Field(default=(), max_length=6)
    accent: str | None = None


class Panel(Shape):
    """One explaining panel: a tag above the title, a summary, bullets, a closing note."""

    tag: Short | None = None
    title: Short
    summary: Words | None = None
    bullets: tuple[Short, ...] = Field(default=(), max_length=6)
    accent: str | None = None
    note: Words | None = None


class Callout(Shape):
    """What to remember; `footer` is a word in the corner."""

    title: Short
    points: tuple[Words, ...] = Field(default=(), max_length=6)
    footer: Short | None = None


class Content(Shape):
    header: Header
    principles: dict[Key, Principle] = Field(default={}, max_length=4)
    panels: tuple[Panel, ...] = Field(default=(), max_length=8)
    callout: Callout | None = None
    footer: Footer | None = None


class ConceptEditorial(Family):
    name = "concept_editorial"
    title = "Concept"
    content = Content
    kinds = by_name(
        Kind("header_band", 0, (Header,), at_least=1, at_most=1),
        Kind("principle_pair", 1, (Principle,), at_most=2, ref_tag="side_ref", refs=(2, 2)),
        Kind("concept_panel", 2, (Panel,), at_least=1, at_most=6),
        Kind("callout_strip", 3, (Callout,), at_most=1),
        Kind("footer_note", 4, (Footer,), at_most=1),
    )

    def draw(self, bound: Bound, sheet: Sheet) -> Tree:
        return lay_out(bound, sheet, self.summary(bound))


FAMILY = ConceptEditorial()
