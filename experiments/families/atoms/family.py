"""Atoms: a small drawing whose scene places every shape and word itself. No forms, no layout and, for literal words, no content.

What a scene draws is what it says: the checks are those of its own geometry (`atom.py`), that words stay on the canvas, and that they
can be read there (`compiler/check.py`).
"""

from __future__ import annotations

from collections.abc import Iterator

from experiments import atom
from experiments.compiler.bind import Bound
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Tree
from experiments.content import Slots, Words
from experiments.families.atoms.layout import lay_out
from experiments.family import Family, Fault, Kind, by_name
from experiments.scene import Scene


class Drawing(Slots):
    """Words by slot, and in `words` those that a scene brings along."""

    words: tuple[Words, ...] = ()


class Atoms(Family):
    name = "atoms"
    title = "Drawing"
    content = Drawing
    spelling = "own"
    kinds = by_name(
        Kind("canvas", 0, at_least=1, at_most=1, ref_tag=None),
        *(Kind(name, 1, ref_tag=None) for name in atom.ATOMS if name != "text"),
        Kind("text", 1, (str,), ref_tag="slot", refs=(0, 1)),
    )

    def inspect(self, scene: Scene) -> Iterator[Fault]:
        yield from super().inspect(scene)
        if len(scene.components) == len(scene.of("canvas")):
            yield Fault(None, "no shape", "at least one of " + ", ".join(atom.ATOMS))
        for index, got, expected in atom.faults(scene):
            yield Fault(index, got, expected)

    def draw(self, bound: Bound, sheet: Sheet) -> Tree:
        return lay_out(bound, self.summary(bound))

    def summary(self, bound: Bound) -> str:
        shapes = [item.part.kind for item in bound.items if item.part.kind not in ("canvas", "text")]
        counts = ", ".join(
            f"{shapes.count(kind)} {kind}{'s' * (shapes.count(kind) > 1)}" for kind in dict.fromkeys(shapes)
        )
        return f"{self.title}: {counts or 'words alone'}."


FAMILY = Atoms()
