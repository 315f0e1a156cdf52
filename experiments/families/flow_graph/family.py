"""Flow graph: nodes that hand something on, labelled edges that may branch, merge and lead back, and the result that comes out.
No forms: scenes come from the scene surfaces.
"""

from __future__ import annotations

from pydantic import model_validator

from experiments.compiler.bind import Bound
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Tree
from experiments.content import Footer, Graphed, Header, Label, Panel
from experiments.families.flow_graph.layout import lay_out
from experiments.family import Family, Kind, by_name


class Content(Graphed):
    """The result stands under one key of its own: `result`, `residual`, `artifacts`, ..."""

    @model_validator(mode="after")
    def _have_one_result(self) -> Content:
        if len(self.named()) != 1:
            found = ", ".join(self.named()) or "none"
            raise ValueError(f"the result under one key of its own, such as `result`; there is {found}")
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
        Kind("outcome_panel", 1, (Panel,), at_least=1, at_most=1, id_tag="panel_id", last=True),
        Kind("footer_note", 2, (Footer,), at_most=1),
    )

    def draw(self, bound: Bound, sheet: Sheet) -> Tree:
        return lay_out(bound, sheet, self.summary(bound))


FAMILY = FlowGraph()
