"""Timeline: dated milestones or numbered stages, on both sides of a spine or in rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import Field

from experiments.compiler.bind import Bound
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Tree
from experiments.content import Footer, Header, Key, Shape, Short, Words
from experiments.families.timeline.layout import lay_out
from experiments.family import Family, Fault, Form, Kind, by_name
from experiments.scene import Component, Scene
from experiments.style import LANES


class Stage(Shape):
    """One point in time: a date or step name, a title, a few lines."""

    badge: Short | None = None
    title: Short
    lines: tuple[Short, ...] = Field(default=(), max_length=6)
    note: Words | None = None
    accent: str | None = None


class Content(Shape):
    form: Literal["milestone_chain", "stage_sequence"] | None = None
    header: Header
    stages: dict[Key, Stage] = Field(min_length=2, max_length=16)
    footer: Footer | None = None


class Timeline(Family):
    name = "timeline"
    chained = True
    title = "Timeline"
    content = Content
    kinds = by_name(
        Kind("header_band", 0, (Header,), at_least=1, at_most=1),
        Kind("timeline_stage", 1, (Stage,), at_least=2, at_most=16, id_tag="stage_id", attributes={"lane": LANES}),
        Kind("timeline_arrow", 2, at_most=32, end_tags=("from_stage", "to_stage"), ref_tag=None),
        Kind("footer_note", 3, (Footer,), at_most=1),
    )
    forms = by_name(
        Form(
            "milestone_chain",
            {"stages": (3, 6), "arrows": (2, 5), "footer": (0, 1)},
            {"stages": 5, "arrows": 4, "footer": 1},
            {"arrows": ("stages", -1)},
        ),
        Form(
            "stage_sequence",
            {"stages": (2, 6), "arrows": (1, 5), "footer": (0, 1)},
            {"stages": 3, "arrows": 2, "footer": 0},
            {"arrows": ("stages", -1)},
        ),
    )

    def parts(self, form: Form, counts: Mapping[str, int]) -> Iterator[Component]:
        yield Component("header_band", ref="header")
        for i in range(1, counts["stages"] + 1):
            lane = "center" if form.name == "stage_sequence" else "top" if i % 2 else "bottom"
            yield Component("timeline_stage", id=f"stage_{i}", ref=f"stages.stage_{i}", attributes=(("lane", lane),))
        for i in range(1, counts["arrows"] + 1):
            yield Component("timeline_arrow", source=f"stage_{i}", target=f"stage_{i + 1}")
        if counts["footer"]:
            yield Component("footer_note", ref="footer")

    def inspect(self, scene: Scene) -> Iterator[Fault]:
        yield from super().inspect(scene)
        stages, arrows = len(scene.of("timeline_stage")), len(scene.of("timeline_arrow"))
        if arrows < stages - 1:
            yield Fault(None, f"{arrows} arrows between {stages} stages", f"at least {stages - 1}")

    def form_of(self, bound: Bound) -> str:
        """Stages that all stand on the line are steps."""
        lanes = {part.get("lane") for part in bound.scene.of("timeline_stage")}
        return "stage_sequence" if lanes == {"center"} else "milestone_chain"

    def draw(self, bound: Bound, sheet: Sheet) -> Tree:
        return lay_out(bound, sheet, self.summary(bound))


FAMILY = Timeline()
