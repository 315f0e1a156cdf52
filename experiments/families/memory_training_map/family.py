"""Memory training map: what a training step keeps in memory, as a tower of stored blocks over the band that comes and goes with a
run. Parts and content are those of a memory map; there are no forms.
"""

from __future__ import annotations

from dataclasses import replace

from experiments.compiler.bind import Bound
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Tree
from experiments.families.memory_map.family import Map, MemoryMap
from experiments.families.memory_training_map.layout import lay_out
from experiments.family import Family, by_name

LEAST = {"memory_segment": 2}  # one for the tower, one for the band


class MemoryTrainingMap(Family):
    name = "memory_training_map"
    tied = ("region_bracket",)
    title = "Memory of a training run"
    content = Map
    kinds = by_name(*(replace(kind, at_least=LEAST.get(kind.name, kind.at_least)) for kind in MemoryMap.kinds.values()))

    def draw(self, bound: Bound, sheet: Sheet) -> Tree:
        return lay_out(bound, sheet, self.summary(bound))


FAMILY = MemoryTrainingMap()
