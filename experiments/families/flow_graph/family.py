"""Flow graph: nodes that hand something on, labelled edges that may branch, merge and lead back, and the result that comes out.
No forms: scenes come from the scene surfaces.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ConfigDict, Field, model_validator

from experiments.compiler.bind import Bound
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Tree
from experiments.content import Footer, Header, Key, Label, Panel, Shape
from experiments.families.flow_graph.layout import lay_out
from experiments.family import Family, Fault, Kind, by_name
from experiments.scene import Scene
from experiments.tag import ID


class Content(Shape):
    """Besides these keys, one more: the result, under a name of its own (`result`, `residual`, `artifacts`, ...)."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, Panel]

    header: Header
    nodes: dict[Key, Panel] = Field(min_length=1, max_length=24)
    edges: dict[Key, Label] = Field(default={})
    footer: Footer | None = None

    @model_validator(mode="after")
    def _have_one_result(self) -> Content:
        names = list(self.model_extra or {})
        if len(names) != 1 or not ID.fullmatch(names[0]):
            raise ValueError(f"the result under one key of its own, such as `result`; there are {names or 'none'}")
        return self


class FlowGraph(Family):
    name = "flow_graph"
    title = "Flow graph"
    content = Content
    axes = ("connector",)
    kinds = by_name(
        Kind("header_band", 0, (Header,), at_least=1, at_most=1),
        Kind("decision_node", 1, (Panel,), at_least=1, at_most=16, id_tag="node_id"),
        Kind(
            "decision_edge", 1, (Label,), at_least=1, at_most=32, end_tags=("from_ref", "to_ref"), ref_tag="label_ref"
        ),
        Kind("outcome_panel", 1, (Panel,), at_least=1, at_most=1, id_tag="panel_id"),
        Kind("footer_note", 2, (Footer,), at_most=1),
    )

    def inspect(self, scene: Scene) -> Iterator[Fault]:
        yield from super().inspect(scene)
        results = {c.id for c in scene.of("outcome_panel")}
        for index, part in enumerate(scene.components):
            if part.kind == "decision_edge" and part.source in results:
                yield Fault(index, f"an edge that leaves the result `{part.source}`", "edges that leave nodes")

    def draw(self, bound: Bound, sheet: Sheet) -> Tree:
        return lay_out(bound, sheet, self.summary(bound))


FAMILY = FlowGraph()
