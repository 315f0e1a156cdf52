"""System diagram: stages joined by labelled links that end in one terminal; as a pipeline, a build route or a path of
selections.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Literal, get_args

from pydantic import Field, model_validator

from experiments.compiler.bind import Bound
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Tree
from experiments.content import Footer, Header, Key, Label, Panel, Shape
from experiments.families.system_diagram.layout import lay_out
from experiments.family import Family, Fault, Form, Kind, by_name
from experiments.scene import Component, Scene

FormName = Literal["linear_pipeline", "build_path", "selection_path"]


class Stage(Panel):
    """A stage; `pick` is the position of the detail that is chosen (drawn where the form shows choices)."""

    pick: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _check_pick(self) -> Stage:
        if self.pick is not None and self.pick >= len(self.detail):
            raise ValueError(f"pick {self.pick} with {len(self.detail)} details, expected a position from 0")
        return self


class Content(Shape):
    form: FormName | None = None
    header: Header
    stages: dict[Key, Stage] = Field(min_length=2, max_length=16)
    links: dict[Key, Label] = Field(default={})
    terminal: Panel
    footer: Footer | None = None


USUAL = {"stages": 4, "links": 4, "terminal": 1, "footer": 1}
RANGES = {"stages": (3, 6), "links": (3, 6), "terminal": (1, 1), "footer": (0, 1)}


class SystemDiagram(Family):
    name = "system_diagram"
    chained = True
    title = "System diagram"
    content = Content
    kinds = by_name(
        Kind("header_band", 0, (Header,), at_least=1, at_most=1),
        Kind("system_stage", 1, (Stage,), at_least=2, at_most=12, id_tag="stage_id"),
        Kind("system_link", 2, (Label,), at_least=2, at_most=24, end_tags=("from_stage", "to_stage")),
        Kind("terminal_panel", 3, (Panel,), at_least=1, at_most=1, id_tag="panel_id", last=True),
        Kind("footer_note", 4, (Footer,), at_most=1),
    )
    forms = by_name(*(Form(name, RANGES, USUAL, {"links": ("stages", 0)}) for name in get_args(FormName)))

    def parts(self, form: Form, counts: Mapping[str, int]) -> Iterator[Component]:
        names = [*(f"stage_{i}" for i in range(1, counts["stages"] + 1)), "terminal"]
        yield Component("header_band", ref="header")
        for name in names[:-1]:
            yield Component("system_stage", id=name, ref=f"stages.{name}")
        for a, b in pairwise(names):
            yield Component("system_link", source=a, target=b, ref=f"links.{a}_{b}")
        yield Component("terminal_panel", id="terminal", ref="terminal")
        if counts["footer"]:
            yield Component("footer_note", ref="footer")

    def inspect(self, scene: Scene) -> Iterator[Fault]:
        yield from super().inspect(scene)
        stages, links = len(scene.of("system_stage")), scene.of("system_link")
        if len(links) < stages:
            yield Fault(None, f"{len(links)} links for {stages} stages", "as many links as stages, or more")

    def form_of(self, bound: Bound) -> str:
        """Where something is picked there are choices to show; a build path can only be stated."""
        picks = [item.data.pick for item in bound.all("system_stage") if item.data.pick is not None]
        return "selection_path" if picks else "linear_pipeline"

    def draw(self, bound: Bound, sheet: Sheet) -> Tree:
        return lay_out(bound, sheet, self.summary(bound))


FAMILY = SystemDiagram()
