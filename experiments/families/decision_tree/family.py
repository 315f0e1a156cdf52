"""Decision tree: questions, labelled branches and outcomes, laid out in layers for any ids. No forms: scenes come
from the scene surfaces.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from experiments.compiler.bind import Bound
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Tree
from experiments.content import Footer, Header, Key, Label, Panel, Shape
from experiments.families.decision_tree.layout import lay_out
from experiments.family import Family, Fault, Kind, by_name
from experiments.scene import Scene


class Content(Shape):
    header: Header
    entry: Label | None = None
    nodes: dict[Key, Panel] = Field(min_length=1, max_length=24)
    edges: dict[Key, Label] = Field(default={})
    outcomes: dict[Key, Panel] = Field(default={})
    finish: Panel | None = None
    footer: Footer | None = None


class DecisionTree(Family):
    name = "decision_tree"
    title = "Decision tree"
    content = Content
    kinds = by_name(
        Kind("header_band", 0, (Header,), at_least=1, at_most=1),
        Kind("entry_badge", 1, (Label,), at_most=1),
        Kind("decision_node", 2, (Panel,), at_least=1, at_most=16, id_tag="node_id"),
        Kind("decision_edge", 2, (Label,), at_most=32, end_tags=("from_ref", "to_ref"), ref_tag="label_ref"),
        Kind("outcome_panel", 2, (Panel,), at_most=12, id_tag="panel_id"),
        Kind("footer_note", 3, (Footer,), at_most=1),
    )

    def inspect(self, scene: Scene) -> Iterator[Fault]:
        yield from super().inspect(scene)
        outcomes = {c.id for c in scene.of("outcome_panel")}
        for index, part in enumerate(scene.components):
            if part.kind == "decision_edge" and part.source in outcomes and part.target not in outcomes:
                got = f"an edge that leaves the outcome `{part.source}` for a question"
                yield Fault(index, got, "edges that leave decision nodes, or lead from an outcome to a last one")

    def draw(self, bound: Bound, sheet: Sheet) -> Tree:
        return lay_out(bound, sheet, self.summary(bound))


FAMILY = DecisionTree()
