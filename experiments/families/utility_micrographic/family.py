"""Utility micrographic: one small measure at a glance, as bars on one scale or as a badge."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import Field, field_validator, model_validator

from experiments.compiler.bind import Bound
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Tree
from experiments.content import Footer, Header, Key, Shape, Short, Words
from experiments.families.utility_micrographic.layout import lay_out
from experiments.family import Family, Fault, Kind, by_name
from experiments.scene import Scene


class Band(Shape):
    """One bar: `width` is its share of the whole, 0 to 1; `value` is what is printed instead of that share."""

    label: Short
    width: float = Field(ge=0, le=1)
    value: Short | None = None
    accent: str | None = None


class Badge(Shape):
    """A seal: its `value`, else its `label`, `text` or `title` stands in it, the other words beside. A value may be a number."""

    value: Short | None = None
    label: Short | None = None
    text: Short | None = None
    title: Short | None = None
    subtitle: Words | None = None
    body: Words | None = None
    caption: Words | None = None
    detail: tuple[Short, ...] = Field(default=(), max_length=6)
    note: Words | None = None
    accent: str | None = None

    @field_validator("value", mode="before")
    @classmethod
    def _read_number(cls, value: Any) -> Any:
        return f"{value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else value

    @model_validator(mode="after")
    def _say_something(self) -> Badge:
        if not (self.value or self.label or self.text or self.title):
            raise ValueError("a badge needs a value, a label, a text or a title")
        return self


class Content(Shape):
    header: Header
    badge: Badge | None = None
    badges: dict[Key, Badge] = Field(default={}, max_length=6)
    bands: dict[Key, Band] = Field(default={}, max_length=16)
    footer: Footer | None = None


class UtilityMicrographic(Family):
    name = "utility_micrographic"
    title = "Micrographic"
    content = Content
    kinds = by_name(
        Kind("header_band", 0, (Header,), at_least=1, at_most=1),
        Kind("micrographic_badge", 1, (Badge,), at_most=3, id_tag="badge_id", apart=True, id_required=False),
        Kind("micrographic_band", 2, (Band,), at_most=12, id_tag="band_id", apart=True),
        Kind("footer_note", 3, (Footer,), at_most=1),
    )

    def inspect(self, scene: Scene) -> Iterator[Fault]:
        yield from super().inspect(scene)
        if not scene.of("micrographic_badge", "micrographic_band"):
            yield Fault(None, "neither a badge nor a band", "at least one `micrographic_badge` or `micrographic_band`")

    def draw(self, bound: Bound, sheet: Sheet) -> Tree:
        return lay_out(bound, sheet, self.summary(bound))


FAMILY = UtilityMicrographic()
