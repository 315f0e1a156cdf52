"""Comparison board: two to four columns with the same parts side by side, measures below them, and what follows from it all.

Scene surfaces name any columns, measures and callouts; the one form asks a bundle for so many of each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import Field

from experiments.compiler.bind import Bound
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Tree
from experiments.content import Footer, Header, Key, Legend, Shape, Short, Words
from experiments.families.comparison_board.layout import lay_out
from experiments.family import Family, Fault, Form, Kind, by_name
from experiments.scene import Component, Scene

Colour = Literal["normal", "highlight", "success", "warning", "danger", "amber", "green", "blue", "purple", "muted"]


class Column(Shape):
    """One of the things compared. Columns of a board need not have the same parts; those that they share are level."""

    kicker: Short | None = None
    title: Short
    subtitle: Words | None = None
    chips: tuple[Short, ...] = Field(default=(), max_length=10)
    bullets: tuple[Words, ...] = Field(default=(), max_length=8)
    stat: Short | None = None
    accent: Colour | None = None
    note: Words | None = None


class Metric(Shape):
    label: Short
    value: Short
    detail: Words | None = None
    state: Colour | None = None


class Callout(Shape):
    badge: Short | None = None
    title: Short
    body: Words | None = None
    lines: tuple[Words, ...] = Field(default=(), max_length=8)
    state: Colour | None = None


class Content(Shape):
    header: Header
    legend: Legend | None = None
    columns: dict[Key, Column] = Field(min_length=2, max_length=8)
    metrics: dict[Key, Metric] = Field(default={}, max_length=12)
    callouts: dict[Key, Callout] = Field(default={}, max_length=8)
    footer: Footer | None = None


class ComparisonBoard(Family):
    name = "comparison_board"
    title = "Comparison board"
    content = Content
    axes = ("background",)
    kinds = by_name(
        Kind("header_band", 0, (Header,), at_least=1, at_most=1),
        Kind("legend_block", 1, (Legend,), at_most=1),
        Kind("comparison_column", 2, (Column,), at_least=2, at_most=4, id_tag="column_id", apart=True, asked="columns"),
        Kind("comparison_metric", 3, (Metric,), at_least=2, at_most=6, id_tag="metric_id", apart=True, asked="metrics"),
        Kind(
            "comparison_callout",
            4,
            (Callout,),
            at_least=1,
            at_most=4,
            id_tag="callout_id",
            apart=True,
            asked="callouts",
        ),
        Kind("footer_note", 5, (Footer,), at_most=1),
    )

    forms = by_name(
        Form(
            "side_by_side",
            {"columns": (2, 4), "metrics": (3, 5), "callouts": (1, 3), "legend": (0, 1), "footer": (0, 1)},
            {"columns": 3, "metrics": 3, "callouts": 2, "legend": 1, "footer": 1},
        )
    )

    def parts(self, form: Form, counts: Mapping[str, int]) -> Iterator[Component]:
        yield Component("header_band", ref="header")
        if counts["legend"]:
            yield Component("legend_block", ref="legend")
        for name in ("column", "metric", "callout"):
            for i in range(1, counts[f"{name}s"] + 1):
                yield Component(f"comparison_{name}", id=f"{name}_{i}", ref=f"{name}s.{name}_{i}")
        if counts["footer"]:
            yield Component("footer_note", ref="footer")

    def inspect(self, scene: Scene) -> Iterator[Fault]:
        yield from super().inspect(scene)
        said, drawn = scene.style.columns, len(scene.of("comparison_column"))
        if said not in (None, str(drawn)):
            yield Fault(
                None, f"[columns:{said}] with {drawn} columns", f"[columns:{drawn}], or {said} `comparison_column`"
            )

    def draw(self, bound: Bound, sheet: Sheet) -> Tree:
        return lay_out(bound, sheet, self.summary(bound))


FAMILY = ComparisonBoard()
