"""The asset surface: one tag per component with the words in it, `[compare_bar:GPU_path|$250k|8_GPUs|accent=amber]`.

A space is written `_`, so words cannot hold an underscore, a bar or a bracket. The words are the scene's text but not its components':
`parse` gives each field its keyed path (`compare_bar.0.label`) and puts the words beside the components, in `Scene.words`. References
belong to `dotted.py` and `keyed.py`, which spell the same components. Read as people write: style attributes in any order.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from experiments import asset, block, payload
from experiments.family import Kind, Slot
from experiments.payload import MARKER, families
from experiments.pen import Pen
from experiments.scene import Component, Scene
from experiments.style import AXES
from experiments.tag import Reader, SurfaceError, Tag, Vocabulary
from experiments.violation import Violation, shorten

__all__ = ["MARKER", "families", "format", "grammar", "parse", "prompt", "vocabulary"]

WORDS = re.compile(r"(?!@)[^\s\[\]|_]+(?: [^\s\[\]|_]+)*")
_NAMED = re.compile(r"([a-z_0-9]+)=")
NAMELESS = "words that do not begin with the name of a field and ="
_PIECE = re.compile(r"[^\s\[\]|]+")


def prompt(scene: Scene) -> str:
    return payload.prompt(scene)


def format(scene: Scene) -> str:
    family = block.refuse_foreign(scene, "asset", spellings=block.FIELDS, words=True)
    words = dict(scene.words)
    keyed = asset.keyed(scene.components)
    kinds = {path: family.kinds[part.kind] for part in keyed for _, path in part.fields}
    order = [path for part in keyed for _, path in part.fields]
    found: list[Violation] = []
    if keyed != scene.components or order != [path for path, _ in scene.words]:
        found.append(Violation("scene.words", "other paths", "words for all fields, each at its keyed path, in order"))
    for path, text in scene.words:
        if not WORDS.fullmatch(text):
            found.append(Violation(f"scene.words.{path}", shorten(text), "words without _ | [ ] or double spaces"))
        elif path in kinds and _is_named(kinds[path], text):
            found.append(Violation(f"scene.words.{path}", shorten(text), NAMELESS))
    if found:
        raise SurfaceError(found)

    def spell(path: str) -> str:
        return words[path].replace(" ", "_")

    return payload.write(scene, lambda kind, part: payload.write_component(kind, part, spell))


def parse(text: str) -> Scene:
    reader, values, said = payload.parse(text, _read_component)
    parts = asset.keyed(tuple(part for part, _ in said))
    places = [path for part in parts for _, path in part.fields]
    words = [text for part, _ in said for _, text in part.fields]
    tags = [tag for _, tag in said]
    return block.build(reader, values, list(zip(parts, tags, strict=True)), tuple(zip(places, words, strict=True)))


def _read_component(reader: Reader, kind: Kind, tag: Tag) -> Component | None:
    part = payload.read_component(reader, kind, tag, _read_argument)
    for name, text in part.fields if part else ():
        if _is_named(kind, text):
            reader.report(tag, f"{name} {shorten(text)}", NAMELESS)
            return None
    return part


def _is_named(kind: Kind, text: str) -> bool:
    """Whether words would be read as another field of their component."""
    named = _NAMED.match(text)
    return named is not None and any(slot.name == named[1] for slot in kind.slots)


def _read_argument(reader: Reader, tag: Tag, slot: Slot, piece: str) -> str | None:
    if slot.legal:
        reader.report(tag, f"{slot.name} {shorten(piece)}", f"one of {', '.join(slot.legal)}")
        return None
    said = " ".join(piece.replace("_", " ").split())
    if WORDS.fullmatch(said):
        return said
    reader.report(
        tag, f"{slot.name} {shorten(piece)}", "words, with _ for a space (a reference is not of this surface)"
    )
    return None


def grammar(pen: Pen) -> None:
    payload.say(pen, lambda pen, kind, parts: payload.say_component(pen, kind, parts, _PIECE, "a"))


def vocabulary(families: Sequence[str] | None = None, attributes: Sequence[str] = tuple(AXES)) -> Vocabulary:
    return payload.vocabulary(tuple(families or payload.families()), attributes)
