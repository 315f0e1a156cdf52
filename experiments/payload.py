"""The payload spelling of a component, `[compare_bar:a|b|c|accent=amber|note=d]`: what one-line surfaces share.

Fields stand by position in the order of the kind's slots; from the first one left out, the rest are written by name. An id or a pair
of ends comes first. What an argument may be - words or a reference - is the surface's own business.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from experiments import asset, block
from experiments.family import Kind, Slot
from experiments.pen import Pen
from experiments.scene import Component, Scene
from experiments.style import Style
from experiments.tag import ID, OUT, TASK, Reader, Tag, Vocabulary, check_payload, frame, read
from experiments.violation import nearest, shorten
from experiments.wording import Parts, attributes

MARKER = "scene"
Argument = Callable[[Reader, Tag, Slot, str], str | None]  # the checked argument, or None and a violation
Write = Callable[[Kind, Component], str]  # the tag of a component
Read = Callable[[Reader, Kind, Tag], Component | None]  # the component of a tag; None and its violations
Say = Callable[[Pen, Kind, Parts], None]  # what stands in a component's tag behind the colon, and the bracket


def families() -> tuple[str, ...]:
    return block.carried(block.FIELDS)


def write(scene: Scene, component: Write, background: bool = True) -> str:
    """A scene's text; `background`: also where there is none."""
    kinds = block.families.load(scene.family).kinds
    body = (component(kinds[part.kind], part) for part in scene.components)
    return " ".join([f"[{MARKER}]", *block.write_attributes(scene, background), *body, f"[/{MARKER}]"])


def write_component(kind: Kind, part: Component, spell: Callable[[str], str]) -> str:
    """The tag of a component; `spell` writes the argument for a path."""
    arguments = [f"{part.source}->{part.target}"] if kind.end_tags else [part.id or ""] if kind.id_tag else []
    values = {name: spell(path) for name, path in part.fields} | dict(part.attributes)
    by_place = True
    for slot in kind.slots:
        by_place = by_place and not slot.named and slot.name in values
        if slot.name in values:
            arguments.append(values[slot.name] if by_place else f"{slot.name}={values[slot.name]}")
    return f"[{kind.name}:{'|'.join(arguments)}]"


def prompt(scene: Scene, always: Sequence[str] = ()) -> str:
    """The tag prompt: layout, topic, theme, tone, density, then `always` and whatever the family would not derive by itself."""
    family = block.families.load(scene.family)
    plain = Style(scene.style.theme, scene.style.tone, scene.style.density)
    usual = family.dress(plain) if isinstance(family, asset.AssetFamily) else plain
    stated = [
        f"[{axis}:{getattr(scene.style, axis)}]"
        for axis in block.AXES
        if axis in always or getattr(scene.style, axis) not in (None, getattr(usual, axis))
    ]
    named = [tag for tag in stated if not tag.startswith(("[theme:", "[tone:", "[density:"))]
    head = [f"[{axis}:{getattr(scene.style, axis)}]" for axis in ("theme", "tone", "density")]
    return " ".join([TASK, f"[layout:{scene.family}]", f"[topic:{scene.topic}]", *head, *named, OUT])


def parse(
    text: str, component: Read, spellings: Sequence[str] = block.FIELDS
) -> tuple[Reader, dict[str, str], list[tuple[Component, Tag]]]:
    """(reader, attribute values, components with their tags); a component's fields hold arguments as they were read. Style
    attributes may come in any order and keep their default where they are absent.
    """
    reader = read(text)
    header, body = block.split_header(frame(reader, MARKER))
    values = block.read_attributes(reader, header, ("layout",), ordered=False, spellings=spellings)
    kinds = block.kinds_of([values["layout"]] if "layout" in values else block.carried(spellings))
    return reader, values, list(read_components(reader, body, kinds, component))


def read_components(
    reader: Reader, tags: Sequence[Tag], kinds: dict[str, Kind], component: Read
) -> Iterator[tuple[Component, Tag]]:
    """Components from one tag each, with their tags."""
    for tag in tags:
        kind = kinds.get(tag.name)
        if kind is None or tag.closing or tag.value is None:
            near = nearest(tag.name, kinds)
            reader.report(tag, shorten(tag.text), "a component: " + ", ".join(f"[{k}:...]" for k in kinds) + near)
            continue
        part = component(reader, kind, tag)
        if part is not None:
            yield part, tag


def read_component(reader: Reader, kind: Kind, tag: Tag, argument: Argument) -> Component | None:
    """One component; None and every violation where it is malformed."""
    pieces = tag.value.split("|") if tag.value else []
    before = len(reader.violations)
    own = _read_own(reader, kind, tag, pieces)
    values: dict[str, str] = {}
    literal: dict[str, str] = {}
    for slot, piece in _place(reader, kind, tag, pieces):
        if piece in slot.legal:
            literal[slot.name] = piece
            continue
        value = argument(reader, tag, slot, piece)
        values[slot.name] = value or ""
    return asset.arrange(kind, values, literal, **own) if len(reader.violations) == before else None


def _read_own(reader: Reader, kind: Kind, tag: Tag, pieces: list[str]) -> dict[str, str | None]:
    """The id or the ends of a component, taken off the front of its pieces."""
    if kind.end_tags:
        source, arrow, target = (pieces.pop(0) if pieces else "").partition("->")
        if not (arrow and ID.fullmatch(source) and ID.fullmatch(target)):
            reader.report(tag, shorten(tag.text), f"[{kind.name}:a->b] with the names of two components")
        return {"source": source, "target": target}
    if kind.id_tag:
        return {"id": check_payload(reader, tag, pieces.pop(0) if pieces else "", ID, "an id")}
    return {}


def _place(reader: Reader, kind: Kind, tag: Tag, pieces: Sequence[str]) -> list[tuple[Slot, str]]:
    """Each piece with its slot: `name=value` by name, the others by position."""
    slots = {slot.name: slot for slot in kind.slots}
    places = [slot for slot in kind.slots if not slot.named]
    found: dict[str, tuple[Slot, str]] = {}
    named = False
    for number, piece in enumerate(pieces):
        name, equals, value = piece.partition("=")
        slot: Slot | None
        if equals and name in slots:
            slot, named = slots[name], True
        else:
            slot, value = (places[number] if number < len(places) and not named else None), piece
        if slot is None or slot.name in found:
            hint = nearest(name, slots) if equals else ""
            reader.report(tag, f"{shorten(piece)} in {shorten(tag.text)}", spelling(kind) + hint)
        else:
            found[slot.name] = (slot, value)
    return list(found.values())


def spelling(kind: Kind) -> str:
    """How a component of a kind is written, for messages."""
    head = ["a->b"] if kind.end_tags else ["id"] if kind.id_tag else []
    fields = [f"{slot.name}={'/'.join(slot.legal)}" if slot.named else slot.name for slot in kind.slots]
    return f"[{kind.name}:{'|'.join([*head, *fields])}]"


# ---- grammar


def say(pen: Pen, component: Say, spellings: Sequence[str] = block.FIELDS) -> None:
    """The grammar of such a surface."""
    pen.say(f" [{MARKER}]")
    legal = {**block.AXES, "layout": pen.carried(block.carried(spellings))}
    opening, end = (lambda kind: f" [{kind.name}:"), f" [/{MARKER}]"

    def parts_of(values: dict[str, str]) -> Parts:
        return Parts.of(pen, block.families.load(values["layout"]), values)

    needed = ("layout", "theme", "tone", "density")
    values = attributes(
        pen, block.ORDER, legal, needed, lambda values: tuple(parts_of(values).coming(pen, opening, end))
    )
    parts = parts_of(values)
    while kind := parts.next(pen, opening, end):
        component(pen, kind, parts)


def say_component(pen: Pen, kind: Kind, parts: Parts, piece: re.Pattern[str], usual: str) -> None:
    """`piece` is what an argument may be, `usual` the shortest one."""
    said = bool(kind.end_tags or kind.id_tag)
    if kind.end_tags:
        source = parts.source(pen, ">", "-")
        pen.say(">")
        parts.target(pen, source, "|]")
    elif kind.id_tag:
        parts.id(pen, kind, "|]")
    slots = {slot.name: slot for slot in kind.slots}
    places = [slot for slot in kind.slots if not slot.named]
    stated: list[str] = []
    by_name = False
    while len(stated) < len(slots):
        missing = next((slot.name for slot in kind.slots if slot.required and slot.name not in stated), None)
        if missing is None and stated and pen.sees(("]", "|")) == "]":
            break
        if said:
            pen.say("|")
        here = None if by_name or len(stated) >= len(places) else places[len(stated)]
        own = list(here.legal or (usual,)) if here else []
        named = [f"{n}={value}" for n, slot in slots.items() if n not in stated for value in slot.legal or (usual,)]
        named.sort(key=lambda text: not text.startswith(f"{missing}="))
        first = [*named, *own] if missing and (here is None or here.name != missing) else [*own, *named]
        name, equals, _ = pen.word(first, piece, "|]", mend=("a", usual)).partition("=")
        by_name = by_name or bool(equals and name in slots)
        stated.append(name if equals and name in slots else here.name if here else "")
        said = True
    pen.say("]")


def vocabulary(families: Sequence[str], attributes: Sequence[str]) -> Vocabulary:
    """Style values are closed lists; every component tag has an open payload."""
    base = block.style_vocabulary(families, attributes, MARKER)
    return Vocabulary(base.tags, (*base.prefixes, *(f"[{name}:" for name in block.kinds_of(families))))
