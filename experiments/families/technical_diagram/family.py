"""Technical diagram: the stages of a mechanism, the rule that it follows as a formula, and what it reads and leaves behind. Stages
follow each other in their order; a scene with edges says itself what leads where. No forms: scenes come from the scene surfaces.
"""

from __future__ import annotations

from pydantic import Field

from experiments.compiler.bind import Bound
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Tree
from experiments.content import Footer, Header, Key, Label, Panel, Shape, Short, Words
from experiments.families.technical_diagram.layout import lay_out
from experiments.family import Family, Kind, by_name


class Formula(Shape):
    title: Short | None = None
    equation: Words
    bullets: tuple[Short, ...] = Field(default=(), max_length=8)


class Content(Shape):
    header: Header
    nodes: dict[Key, Panel] = Field(min_length=1, max_length=16)
    edges: dict[Key, Label] = Field(default={}, max_length=48)
    formula: Formula | None = None
    artifacts: dict[Key, Panel] = Field(default={}, max_length=8)
    footer: Footer | None = None


class TechnicalDiagram(Family):
    name = "technical_diagram"
    title = "Technical diagram"
    content = Content
    axes = ("background",)
    kinds = by_name(
        Kind("header_band", 0, (Header,), at_least=1, at_most=1),
        Kind("graph_node", 1, (Panel,), at_least=2, at_most=9, id_tag="node_id"),
        Kind("decision_edge", 1, (Label,), at_most=24, end_tags=("from_ref", "to_ref"), ref_tag="label_ref"),
        Kind("formula_strip", 2, (Formula,), at_most=1, id_tag="strip_id", apart=True),
        Kind("artifact_panel", 3, (Panel,), at_most=4, id_tag="panel_id", apart=True),
        Kind("footer_note", 4, (Footer,), at_most=1),
    )

    def draw(self, bound: Bound, sheet: Sheet) -> Tree:
        return lay_out(bound, sheet, self.summary(bound))


FAMILY = TechnicalDiagram()
