"""The keyed surface: a block per component with each field and where its words are, one reference after its field.

    [compare_bar] [field:label] @compare_bar.0.label [field:value] @compare_bar.0.value [accent:amber] [/compare_bar]

Values of closed lists are tags of their own. Usually a path is `kind.position.field`; any dotted path is read. The one-line spelling of
the same scenes is `dotted.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from experiments import asset, block, payload
from experiments import families as folder
from experiments.family import Kind
from experiments.payload import MARKER, families
from experiments.pen import Pen
from experiments.scene import Component, Scene
from experiments.style import AXES
from experiments.surfaces import gold
from experiments.tag import ID, REF, Reader, Tag, Vocabulary, check_payload, frame, read
from experiments.violation import nearest, shorten
from experiments.wording import Parts, attributes

__all__ = ["MARKER", "families", "format", "grammar", "parse", "prompt", "vocabulary"]

BARE = re.compile(rf"@(?:{REF.pattern})")


def prompt(scene: Scene) -> str:
    return payload.prompt(scene)


def format(scene: Scene) -> str:
    family = block.refuse_foreign(scene, "keyed", with_topic=True, spellings=block.FIELDS)
    tags = [f"[{MARKER}]", *block.write_attributes(scene, background=True)]
    for part in scene.components:
        tags += _write_block(family.kinds[part.kind], part)
    return " ".join([*tags, f"[/{MARKER}]"])


def _write_block(kind: Kind, part: Component) -> Iterator[str]:
    paths, literal = dict(part.fields), dict(part.attributes)
    yield f"[{kind.name}]"
    if kind.id_tag:
        yield f"[{kind.id_tag}:{part.id}]"
    if kind.end_tags:
        yield from (f"[{kind.end_tags[0]}:{part.source}]", f"[{kind.end_tags[1]}:{part.target}]")
    for slot in kind.slots:
        if slot.name in paths:
            yield from (f"[field:{slot.name}]", f"@{paths[slot.name]}")
        elif slot.name in literal:
            yield f"[{slot.name}:{literal[slot.name]}]"
    yield f"[/{kind.name}]"


def parse(text: str, *, ordered: bool = True) -> Scene:
    """`ordered=False` reads scenes written by hand: style attributes in any order, absent ones at their default."""
    reader = read(text, BARE)
    header, body = block.split_header(frame(reader, MARKER))
    values = block.read_attributes(
        reader, header, block.ALWAYS if ordered else ("layout",), ordered, spellings=block.FIELDS
    )
    kinds = block.kinds_of([values["layout"]] if "layout" in values else families())
    return block.build(reader, values, list(gold.read_blocks(reader, body, kinds, _read_fields)))


def _read_fields(reader: Reader, kind: Kind, opening: Tag, tags: Sequence[Tag]) -> Component | None:
    order = [*filter(None, (kind.id_tag, *(kind.end_tags or ()))), *(slot.name for slot in kind.slots)]
    legal = {slot.name: slot.legal for slot in kind.slots}
    before, reached = len(reader.violations), -1
    own: dict[str, str | None] = {}
    paths: dict[str, str] = {}
    literal: dict[str, str] = {}
    rest = list(tags)
    while rest:
        tag = rest.pop(0)
        name = tag.value or "" if tag.name == "field" else tag.name
        path = rest.pop(0) if tag.name == "field" and rest and not rest[0].name else None
        if name not in order or (name in legal and tag.name != "field" and not legal[name]):
            expected = f"[field:] with one of {', '.join(legal)}, or " + ", ".join(
                f"[{n}:]" for n in order if legal.get(n, True)
            )
            reader.report(tag, shorten(tag.text), expected + nearest(name, order))
            continue
        if order.index(name) <= reached:
            reader.report(
                tag, f"{shorten(tag.text)} after {order[reached]}", "each once, in the order " + ", ".join(order)
            )
        reached = max(reached, order.index(name))
        if name not in legal:
            own[name] = check_payload(reader, tag, tag.value, ID, "an id")
        elif tag.name != "field":
            _read_closed(reader, tag, name, legal[name], literal)
        elif path is None:
            reader.report(
                tag,
                f"{shorten(tag.text)} without a reference",
                f"{tag.text} and then a path such as `@{kind.name}.0.{name}`",
            )
        else:
            paths[name] = (path.value or "")[1:]
    for name in order:
        if name not in legal and name not in own:
            reader.report(opening, f"no [{name}:]", f"[{name}:] in a {kind.name}")
    if len(reader.violations) > before:
        return None
    ends = dict(zip(("source", "target"), (own.get(name) for name in kind.end_tags or ()), strict=False))
    return asset.arrange(kind, paths, literal, id=own.get(kind.id_tag or ""), **ends)


def _read_closed(reader: Reader, tag: Tag, name: str, legal: Sequence[str], literal: dict[str, str]) -> None:
    if tag.value in legal:
        literal[name] = tag.value or ""
    else:
        reader.report(tag, shorten(tag.text), f"[{name}:] with one of {', '.join(legal)}")


def grammar(pen: Pen) -> None:
    pen.say(f" [{MARKER}]")
    legal = {**block.AXES, "layout": pen.carried(families())}
    values = attributes(pen, block.ORDER, legal, block.ALWAYS, lambda _: ())
    parts = Parts.of(pen, folder.load(values["layout"]), values)
    while kind := parts.next(pen, lambda kind: f" [{kind.name}]", f" [/{MARKER}]"):
        _say_fields(pen, kind, parts)


def _say_fields(pen: Pen, kind: Kind, parts: Parts) -> None:
    if kind.id_tag:
        pen.say(f" [{kind.id_tag}:")
        parts.id(pen, kind, "]")
        pen.say("]")
    if kind.end_tags:
        pen.say(f" [{kind.end_tags[0]}:")
        source = parts.source(pen, "]")
        pen.say(f"] [{kind.end_tags[1]}:")
        parts.target(pen, source, "]")
        pen.say("]")
    slots, at, end = kind.slots, 0, f" [/{kind.name}]"
    while True:
        owed = next((i for i in range(at, len(slots)) if slots[i].required), None)
        may = slots[at:] if owed is None else slots[at : owed + 1]
        table = {f" [field:{slot.name}] @": slot for slot in reversed(may)}
        table |= {f" [{slot.name}:{value}]": slot for slot in reversed(may) for value in slot.legal}
        ended = (end,) if owed is None and (at or not slots) else ()
        chosen = pen.choose((*ended, *table))
        if chosen == end:
            return
        if chosen.endswith("@"):
            pen.word(("a",), REF, " ")
        at = slots.index(table[chosen]) + 1


def vocabulary(families: Sequence[str] | None = None, attributes: Sequence[str] = tuple(AXES)) -> Vocabulary:
    """Markers, fields and closed values are closed lists; ids, ends, references and topics are open."""
    names = tuple(families or payload.families())
    base = block.style_vocabulary(names, attributes, MARKER)
    kinds = block.kinds_of(names).values()
    tags = [tag for kind in kinds for tag in (f"[{kind.name}]", f"[/{kind.name}]")]
    for slot in [slot for kind in kinds for slot in kind.slots]:
        tags += [f"[field:{slot.name}]", *(f"[{slot.name}:{value}]" for value in slot.legal)]
    own = [name for kind in kinds for name in (kind.id_tag, *(kind.end_tags or ())) if name]
    return Vocabulary.of([*base.tags, *tags], [*base.prefixes, "@", *(f"[{name}:" for name in own)])
