"""The gold surface: a scene as blocks, `[decision_node] [node_id:start] [ref:nodes.start] [/decision_node]`.

    [scene] [layout:F] [theme:T] [tone:T] [density:D] [topic:T] BLOCKS [/scene]

Further style attributes stand at their place in the canonical order. Reading is strict: every attribute in order,
every field of a block in order, nothing unknown, nothing after `[/scene]`. The one-line spelling of the same scenes
is `compact.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from experiments import block, longhand
from experiments import families as folder
from experiments.family import Kind
from experiments.pen import Pen
from experiments.scene import Component, Scene
from experiments.tag import REF, Reader, Tag, Vocabulary, frame, read
from experiments.violation import shorten
from experiments.wording import Parts, attributes

MARKER = "scene"


def families() -> tuple[str, ...]:
    return block.carried()


def prompt(scene: Scene) -> str:
    return block.write_prompt(scene)


def format(scene: Scene) -> str:
    family = block.refuse_foreign(scene, "gold", with_topic=True)
    tags = [f"[{MARKER}]", *block.write_attributes(scene)]
    for part in scene.components:
        tags += _write_block(family.kinds[part.kind], part)
    return " ".join([*tags, f"[/{MARKER}]"])


def _write_block(kind: Kind, part: Component) -> Iterator[str]:
    yield f"[{kind.name}]"
    for field in block.fields(kind):
        value = field.get(part)
        if value is not None:
            yield f"[{field.tag}:{value}]"
        if field.slot == "ref":
            yield from (f"[{field.tag}:{ref}]" for ref in part.more)
    yield f"[/{kind.name}]"


def parse(text: str, *, ordered: bool = True) -> Scene:
    """`ordered=False` reads scenes written by hand: style attributes in any order, absent ones at their default, and blocks
    that refer to their content field by field (`longhand.py`).
    """
    reader = read(text)
    header, body = block.split_header(frame(reader, MARKER))
    values = block.read_attributes(reader, header, block.ALWAYS if ordered else ("layout",), ordered)
    kinds = block.kinds_of([values["layout"]] if "layout" in values else families())
    states: dict[int, tuple[str, ...]] = {}
    if not ordered:
        body, states = longhand.fold(reader, body, kinds)
    parts = list(read_blocks(reader, body, kinds, _read_fields))
    if states:
        parts = [(replace(part, states=states.get(tag.position, ())), tag) for part, tag in parts]
    return block.build(reader, values, parts)


def read_blocks(
    reader: Reader,
    tags: Sequence[Tag],
    kinds: dict[str, Kind],
    read_fields: Callable[[Reader, Kind, Tag, Sequence[Tag]], Component | None],
) -> Iterator[tuple[Component, Tag]]:
    """Components from `[kind] FIELDS [/kind]` blocks, with their opening tags; `read_fields` reads what stands between."""
    at = 0
    while at < len(tags):
        tag = tags[at]
        kind = kinds.get(tag.name)
        at += 1
        if kind is None or tag.closing or tag.value is not None:
            reader.report(
                tag, shorten(tag.text), "the opening tag of a component: " + ", ".join(f"[{name}]" for name in kinds)
            )
            continue
        fields: list[Tag] = []
        while at < len(tags) and not tags[at].closing and tags[at].name not in kinds:
            fields.append(tags[at])
            at += 1
        if at < len(tags) and tags[at].text == f"[/{kind.name}]":
            at += 1
        else:
            reader.report(
                tags[at] if at < len(tags) else None,
                shorten(tags[at].text) if at < len(tags) else "the end of the scene",
                f"[/{kind.name}]",
            )
        part = read_fields(reader, kind, tag, fields)
        if part is not None:
            yield part, tag


def _read_fields(reader: Reader, kind: Kind, opening: Tag, tags: Sequence[Tag]) -> Component | None:
    expected = list(block.fields(kind))
    values: dict[str, str] = {}
    legal = ", ".join(f"[{field.tag}:]" for field in expected) + f" in a {kind.name}"
    sound, reached = True, -1
    more: list[str] = []
    for tag in tags:
        index = next((i for i, field in enumerate(expected) if field.tag == tag.name), None)
        if index is not None and index == reached and expected[index].slot == "ref" and kind.refs[1] > 1:
            more.append(expected[index].check(reader, tag, tag.value) or "?")
            continue
        if index is None or expected[index].slot in values or index < reached:
            problem = (
                ""
                if index is None
                else " a second time"
                if expected[index].slot in values
                else f" after [{expected[reached].tag}:]"
            )
            reader.report(tag, shorten(tag.text) + problem, legal + (", in this order" if index is not None else ""))
            sound = False
            continue
        reached = index
        value = expected[index].check(reader, tag, tag.value)
        sound = sound and value is not None
        values[expected[index].slot] = value or ""
    for field in expected:
        if field.required and field.slot not in values:
            reader.report(opening, f"no [{field.tag}:]", legal)
            sound = False
    return block.assemble(kind, values, more) if sound else None


def grammar(pen: Pen) -> None:
    pen.say(f" [{MARKER}]")
    legal = {**block.AXES, "layout": pen.carried(families())}
    values = attributes(pen, block.ORDER, legal, block.ALWAYS, lambda _: ())
    parts = Parts.of(pen, folder.load(values["layout"]), values)
    while kind := parts.next(pen, lambda kind: f" [{kind.name}]", f" [/{MARKER}]"):
        _say_fields(pen, kind, parts)
        pen.say(f" [/{kind.name}]")


def _say_fields(pen: Pen, kind: Kind, parts: Parts) -> None:
    fields, end, source, at, refs = block.fields(kind), f" [/{kind.name}]", "", 0, 0

    def openings(field: block.Field) -> list[str]:
        return [f" [{field.tag}:{value}]" for value in field.legal] or [f" [{field.tag}:"]

    while at < len(fields):
        field = fields[at]
        follow = openings(fields[at + 1]) if at + 1 < len(fields) else [end]
        again = field.slot == "ref" and refs > 0
        most = kind.refs[1] if field.slot == "ref" else 1
        optional = not field.required or (again and refs >= kind.refs[0])
        if (again and refs >= most) or (optional and pen.sees((*follow, *openings(field))) in follow):
            at += 1
            continue
        pen.choose((*follow, *openings(field)) if optional else openings(field))
        refs += field.slot == "ref"
        source = _say_value(pen, kind, parts, field, source)
        at += field.slot != "ref"


def _say_value(pen: Pen, kind: Kind, parts: Parts, field: block.Field, source: str) -> str:
    """Say what an open field holds, and its bracket. Returns the source of an edge, for its target."""
    if field.slot == "id":
        parts.id(pen, kind, "]")
    elif field.slot == "source":
        source = parts.source(pen, "]")
    elif field.slot == "target":
        parts.target(pen, source, "]")
    elif field.slot == "ref":
        pen.word(("a",), REF, "]")
    if not field.legal:
        pen.say("]")
    return source


def vocabulary(
    families: Sequence[str] | None = None, attributes: Sequence[str] = ("theme", "tone", "density")
) -> Vocabulary:
    """Block markers and style values are closed lists; ids, references and topics are open."""
    names = tuple(families or block.carried())
    base = block.style_vocabulary(names, attributes, MARKER)
    kinds = block.kinds_of(names).values()
    closed = [tag for kind in kinds for tag in (f"[{kind.name}]", f"[/{kind.name}]")]
    fields = [field for kind in kinds for field in block.fields(kind)]
    closed += [f"[{field.tag}:{value}]" for field in fields for value in field.legal]
    return Vocabulary.of(
        [*base.tags, *closed], [*base.prefixes, *(f"[{field.tag}:" for field in fields if not field.legal)]
    )
