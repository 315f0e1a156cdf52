"""Architecture map: the parts of a system from the way in to what comes out, and what each hands to the next. No forms: scenes come
from the scene surfaces.
"""

from __future__ import annotations

from experiments.compiler.bind import Bound
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Tree
from experiments.content import Footer, Graphed, Header, Label, Panel
from experiments.families.architecture_map.layout import lay_out
from experiments.family import Family, Kind, by_name


class ArchitectureMap(Family):
    name = "architecture_map"
    title = "Architecture map"
    content = Graphed
    axes = ("background",)
    kinds = by_name(
        Kind("header_band", 0, (Header,), at_least=1, at_most=1),
        Kind("decision_node", 1, (Panel,), at_least=2, at_most=16, id_tag="node_id"),
        Kind(
            "decision_edge", 1, (Label,), at_least=1, at_most=32, end_tags=("from_ref", "to_ref"), ref_tag="label_ref"
        ),
        Kind("outcome_panel", 1, (Panel,), at_most=4, id_tag="panel_id", last=True),
        Kind("footer_note", 2, (Footer,), at_most=1),
    )

    def draw(self, bound: Bound, sheet: Sheet) -> Tree:
        return lay_out(bound, sheet, self.summary(bound))


FAMILY = ArchitectureMap()
