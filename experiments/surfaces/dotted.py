"""The dotted surface: one tag per component with dotted paths into its content, `[compare_bar:@bars.primary.label|@bars.primary.value]`.

A path walks keys and list positions of the content document, so a scene can be bound to a document of any shape. A component that takes
its content field by field has a path for each: values of closed lists stand as they are (`accent=amber`) or are references too
(`accent=@bars.primary.accent`). One whose content is a piece has the path of the piece, `[decision_node:start|@nodes.start]`, as
`compact.py` spells it without the sign. Words are refused: `asset.py` has those. Read as people write: style attributes in any order,
absent ones at their default.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from experiments import block, payload
from experiments.family import Kind, Slot
from experiments.payload import MARKER
from experiments.pen import Pen
from experiments.scene import Component, Scene
from experiments.style import AXES
from experiments.surfaces import compact
from experiments.tag import REF, Reader, Tag, Vocabulary
from experiments.violation import shorten
from experiments.wording import Parts

__all__ = ["MARKER", "families", "format", "grammar", "parse", "prompt", "vocabulary"]

SPELLINGS = (*block.BLOCKS, *block.FIELDS)
MARK = "@"


def families() -> tuple[str, ...]:
    return block.carried(SPELLINGS)


def prompt(scene: Scene) -> str:
    if scene.family in block.carried():
        return block.write_prompt(scene)
    return payload.prompt(scene, [axis for axis in ("frame", "background") if getattr(scene.style, axis) is not None])


def format(scene: Scene) -> str:
    block.refuse_foreign(scene, "dotted", spellings=SPELLINGS)
    return payload.write(scene, _write_component)


def _is_whole(kind: Kind) -> bool:
    """Whether a component's content is a piece with one reference, rather than fields with one each."""
    return kind.ref_tag is not None


def _write_component(kind: Kind, part: Component) -> str:
    if _is_whole(kind):
        return compact.write_component(kind, part, MARK)
    return payload.write_component(kind, part, lambda path: f"{MARK}{path}")


def parse(text: str) -> Scene:
    reader, values, parts = payload.parse(text, _read_component, SPELLINGS)
    return block.build(reader, values, parts)


def _read_component(reader: Reader, kind: Kind, tag: Tag) -> Component | None:
    if _is_whole(kind):
        return compact.read_component(reader, kind, tag, MARK)
    return payload.read_component(reader, kind, tag, read_argument)


def read_argument(reader: Reader, tag: Tag, slot: Slot, piece: str) -> str | None:
    """The path of `@path`; None and a violation for anything else."""
    if piece.startswith(MARK) and REF.fullmatch(piece[1:]):
        return piece[1:]
    also = f", or one of {', '.join(slot.legal)}" if slot.legal else " (words are not of this surface)"
    reader.report(tag, f"{slot.name} {shorten(piece)}", f"a reference such as `@title.headline`{also}")
    return None


_PIECE = re.compile(rf"(?:[a-z_0-9]+=)?(?:@(?:{REF.pattern})|[a-z]+)")


def grammar(pen: Pen) -> None:
    payload.say(pen, _say_component, SPELLINGS)


def _say_component(pen: Pen, kind: Kind, parts: Parts) -> None:
    if _is_whole(kind):
        compact.say_component(pen, kind, parts, mark=MARK)
    else:
        payload.say_component(pen, kind, parts, _PIECE, "@a")


def vocabulary(families: Sequence[str] | None = None, attributes: Sequence[str] = tuple(AXES)) -> Vocabulary:
    return payload.vocabulary(tuple(families or block.carried(SPELLINGS)), attributes)
