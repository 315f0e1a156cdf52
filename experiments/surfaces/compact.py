"""The compact surface: a scene with one tag per component, `[decision_node:start|nodes.start]`,
`[decision_edge:a->b|edges.a_b]`.

The spelling in which people write scenes, on one line or many: style attributes may come in any order and those that
are absent keep their default; only the layout is needed. Components keep the order of their ranks. Writing is
canonical. The block spelling is `gold.py`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from experiments import block, payload
from experiments.family import Kind
from experiments.pen import Pen
from experiments.scene import Component, Scene
from experiments.tag import ID, REF, Reader, Tag, Vocabulary, check_payload
from experiments.violation import shorten
from experiments.wording import Parts

MARKER = payload.MARKER


def families() -> tuple[str, ...]:
    return block.carried()


def prompt(scene: Scene) -> str:
    return block.write_prompt(scene)


def format(scene: Scene) -> str:
    block.refuse_foreign(scene, "compact")
    return payload.write(scene, write_component, background=False)


def write_component(kind: Kind, part: Component, mark: str = "") -> str:
    """The tag of a component; `mark` stands before each of its references."""
    head = f"{part.source}->{part.target}" if kind.end_tags else part.id
    slots = [
        part.id if kind.end_tags else None,
        head,
        *(f"{mark}{ref}" for ref in part.refs),
        *(f"{name}={value}" for name, value in part.attributes),
    ]
    return f"[{kind.name}:{'|'.join(slot for slot in slots if slot is not None)}]"


def parse(text: str) -> Scene:
    reader, values, parts = payload.parse(text, read_component, block.BLOCKS)
    return block.build(reader, values, parts)


def read_component(reader: Reader, kind: Kind, tag: Tag, mark: str = "") -> Component | None:
    """One component from `[kind:a->b|ref]`, `[kind:id|ref|lane=top]` or `[kind:ref]`, with `mark` before each reference; None and a
    violation where it is malformed.
    """
    slots = (tag.value or "").split("|")
    named = [slot.split("=", 1) for slot in slots if "=" in slot]
    plain = [slot for slot in slots if "=" not in slot]
    fields = list(block.fields(kind))
    open_fields = [field for field in fields if not field.legal]
    closed_fields = [field for field in fields if field.legal]
    if kind.end_tags and plain and "->" in plain[0]:
        plain = [*plain[0].split("->", 1), *plain[1:]]
    if len(plain) < len(open_fields):
        open_fields = [field for field in open_fields if field.required]
    extra = plain[len(open_fields) :] if kind.refs[1] > 1 else []
    plain = plain[: len(plain) - len(extra)]
    if len(plain) != len(open_fields) or sorted(name for name, _ in named) != sorted(f.tag for f in closed_fields):
        reader.report(tag, shorten(tag.text), _spelling(kind, mark))
        return None
    given = [*zip(open_fields, plain, strict=True), *((field, dict(named)[field.tag]) for field in closed_fields)]
    if bare := [ref for ref in [*(v for f, v in given if f.slot == "ref"), *extra] if not ref.startswith(mark)]:
        reader.report(tag, shorten(bare[0]), f"a reference such as `{mark}{bare[0]}` in {_spelling(kind, mark)}")
        return None
    given = [(field, value.removeprefix(mark) if field.slot == "ref" else value) for field, value in given]
    extra = [ref.removeprefix(mark) for ref in extra]
    checked = {field.slot: field.check(reader, tag, value) for field, value in given}
    values = {slot: value for slot, value in checked.items() if value is not None}
    more = [ref for ref in extra if check_payload(reader, tag, ref, REF, "a reference")]
    return block.assemble(kind, values, more) if (len(values), len(more)) == (len(checked), len(extra)) else None


def _spelling(kind: Kind, mark: str = "") -> str:
    slots = ["a->b"] if kind.end_tags else ["id"] if kind.id_tag else []
    slots += [f"{mark}ref"] * kind.refs[0] + ["..."] * (kind.refs[0] < kind.refs[1]) if kind.ref_tag else []
    slots += [f"{name}={'/'.join(legal)}" for name, legal in kind.attributes.items()]
    return f"[{kind.name}:{'|'.join(slots)}]"


def grammar(pen: Pen) -> None:
    """The canonical order of attributes, and all that a style always says."""
    payload.say(pen, say_component, block.BLOCKS)


def say_component(pen: Pen, kind: Kind, parts: Parts, group: int = 1, mark: str = "") -> None:
    """What stands in a component's tag behind the colon, and the bracket. `group`: references come so many at a time; `mark` stands
    before each.
    """
    ref, count = re.compile(f"{mark}(?:{REF.pattern})"), 0
    least, most = kind.refs if kind.ref_tag else (0, 0)
    said = bool(kind.end_tags or (kind.id_tag and kind.id_required))
    if kind.end_tags:
        source = parts.source(pen, ">", "-")
        pen.say(">")
        parts.target(pen, source, "|]")
    elif said:
        parts.id(pen, kind, "|]")
    elif kind.id_tag and mark:
        name = pen.word((f"{mark}a",), re.compile(f"{ref.pattern}|{ID.pattern}"), "|]")
        said, count = True, name.startswith(mark)
    elif kind.id_tag:
        most += 1  # an id may come first
    lists = [[f"|{name}={value}" for value in legal] for name, legal in kind.attributes.items()]
    while count < least or (count < most and not lists and (count % group or pen.sees(("]", "|")) == "|")):
        if said:
            pen.say("|")
        pen.word((f"{mark}a",), ref, "|]")
        said, count = True, count + 1
    for options in lists:
        pen.choose(options)
    pen.say("]")


def vocabulary(
    families: Sequence[str] | None = None, attributes: Sequence[str] = ("theme", "tone", "density")
) -> Vocabulary:
    """Style values are closed lists; every component tag has an open payload."""
    return payload.vocabulary(tuple(families or block.carried()), attributes)
