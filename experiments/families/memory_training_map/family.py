"""Memory training map: what a training step keeps in memory, as a tower of stored blocks over the band that comes and goes with a
run. Parts and content are those of a memory map; there are no forms.
"""

from __future__ import annotations

from experiments.compiler.bind import Bound
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Tree
from experiments.content import Footer, Header
from experiments.families.memory_map.family import Bracket, Card, Content, Segment
from experiments.families.memory_training_map.layout import lay_out
from experiments.family import Family, Kind, by_name


class MemoryTrainingMap(Family):
    name = "memory_training_map"
    title = "Memory of a training run"
    content = Content
    kinds = by_name(
        Kind("header_band", 0, (Header,), at_least=1, at_most=1),
        Kind("address_strip", 1, (tuple,), at_most=1),
        Kind("memory_segment", 2, (Segment,), at_least=2, at_most=12, id_tag="segment_id"),
        Kind("region_bracket", 2, (Bracket, Segment), at_most=4, id_tag="bracket_id", id_required=False),
        Kind("info_card", 3, (Card,), at_most=6, id_tag="card_id"),
        Kind("footer_note", 4, (Footer,), at_most=1),
    )

    def draw(self, bound: Bound, sheet: Sheet) -> Tree:
        return lay_out(bound, sheet, self.summary(bound))


FAMILY = MemoryTrainingMap()
