"""The dotted surface: one tag per component with dotted paths for its words, `[compare_bar:@bars.primary.label|@bars.primary.value]`.

A path walks keys and list positions of the content document, so a scene can be bound to a document of any shape. Values of closed
lists stand as they are (`accent=amber`) or are references too (`accent=@bars.primary.accent`). Words are refused: `asset.py` has those.
Read as people write: style attributes in any order, absent ones at their default.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from experiments import block, payload
from experiments.family import Slot
from experiments.payload import MARKER, families
from experiments.pen import Pen
from experiments.scene import Scene
from experiments.style import AXES
from experiments.tag import REF, Reader, Tag, Vocabulary
from experiments.violation import shorten

__all__ = ["MARKER", "families", "format", "grammar", "parse", "prompt", "vocabulary"]


def prompt(scene: Scene) -> str:
    return payload.prompt(scene, [axis for axis in ("frame", "background") if getattr(scene.style, axis) is not None])


def format(scene: Scene) -> str:
    block.refuse_foreign(scene, "dotted", spelling="fields")
    return payload.write(scene, lambda path: f"@{path}")


def parse(text: str) -> Scene:
    reader, values, parts = payload.parse(text, read_argument)
    return block.build(reader, values, parts)


def read_argument(reader: Reader, tag: Tag, slot: Slot, piece: str) -> str | None:
    """The path of `@path`; None and a violation for anything else."""
    if piece.startswith("@") and REF.fullmatch(piece[1:]):
        return piece[1:]
    also = f", or one of {', '.join(slot.legal)}" if slot.legal else " (words are not of this surface)"
    reader.report(tag, f"{slot.name} {shorten(piece)}", f"a reference such as `@title.headline`{also}")
    return None


_PIECE = re.compile(rf"(?:[a-z_0-9]+=)?(?:@(?:{REF.pattern})|[a-z]+)")


def grammar(pen: Pen) -> None:
    payload.say(pen, _PIECE, "@a")


def vocabulary(families: Sequence[str] | None = None, attributes: Sequence[str] = tuple(AXES)) -> Vocabulary:
    return payload.vocabulary(tuple(families or payload.families()), attributes)
