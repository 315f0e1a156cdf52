"""The counted surface: the compact spelling of a scene, and before its components how many of each kind there are.

    [scene] [layout:F] .. [topic:T] [count:header_band=1] [count:decision_node=4] [count:decision_edge=3] [header_band:header] ..

A text that has its plan first can be held to it: counts that its components do not have are violations, each at the place of its plan.
Kinds come in their family's order; one without a component is not counted. Style attributes are all there and in order, as in `gold.py`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from experiments import block, payload
from experiments import families as folder
from experiments.family import Kind
from experiments.payload import MARKER
from experiments.pen import Pen
from experiments.scene import Component, Scene
from experiments.surfaces import compact
from experiments.surfaces.compact import families, prompt
from experiments.tag import Reader, Tag, Vocabulary, frame, read, stated
from experiments.violation import shorten
from experiments.wording import Parts, attributes

__all__ = ["MARKER", "families", "format", "grammar", "once", "parse", "prompt", "vocabulary"]

COUNT, END = "count", f" [/{MARKER}]"
_STATED = re.compile(rf"\[({COUNT}:[a-z_]+(?==)|[A-Za-z][A-Za-z0-9_]*(?=:))[:=][^\[\]\s]*\]")


def format(scene: Scene) -> str:
    family = block.refuse_foreign(scene, "counted", with_topic=True)
    found = Counter(part.kind for part in scene.components)
    counts = (_tag(name, found[name]) for name in family.kinds if found[name])
    body = (compact.write_component(family.kinds[part.kind], part) for part in scene.components)
    return " ".join([f"[{MARKER}]", *block.write_attributes(scene), *counts, *body, f"[/{MARKER}]"])


def _tag(kind: str, number: int) -> str:
    return f"[{COUNT}:{kind}={number}]"


def _opening(kind: Kind) -> str:
    return f" [{kind.name}:"


def once(text: str) -> Iterator[re.Match[str]]:
    """Where a text, broken or whole, states attributes of its scene and how many of a kind it has."""
    return stated(text, {*block.ORDER, *(f"{COUNT}:{name}" for name in block.kinds_of(families()))}, _STATED)


# ---- reading


def parse(text: str) -> Scene:
    reader = read(text)
    header, body = block.split_header(frame(reader, MARKER))
    values = block.read_attributes(reader, header, block.ALWAYS, ordered=True)
    kinds = block.kinds_of([values["layout"]] if "layout" in values else families())
    cut = next((i for i, tag in enumerate(body) if tag.name != COUNT), len(body))
    plan = _read_plan(reader, body[:cut], kinds)
    parts = list(payload.read_components(reader, body[cut:], kinds, compact.read_component))
    if not reader.violations:
        _check_plan(reader, plan, parts)
    return block.build(reader, values, parts)


def _read_plan(reader: Reader, tags: Sequence[Tag], kinds: Mapping[str, Kind]) -> dict[str, tuple[int, Tag]]:
    """Kind -> how many of it are announced, and where."""
    found: dict[str, tuple[int, Tag]] = {}
    last = ""
    for tag in tags:
        name, _, number = (tag.value or "").partition("=")
        kind = kinds.get(name)
        if kind is None:
            reader.report(tag, shorten(tag.text), f"[{COUNT}:] of one of {', '.join(kinds)}")
        elif number not in map(str, _numbers(kind)):
            reader.report(tag, shorten(tag.text), f"a number from {_numbers(kind)[0]} to {kind.at_most}")
        elif name in found:
            reader.report(tag, f"a second {_tag(name, 0)[:-2]}]", "each kind once")
        elif last and list(kinds).index(name) < list(kinds).index(last):
            reader.report(tag, f"{tag.text} after [{COUNT}:{last}=]", f"the order {', '.join(kinds)}")
        else:
            found[name], last = (int(number), tag), name
    return found


def _check_plan(reader: Reader, plan: Mapping[str, tuple[int, Tag]], parts: Sequence[tuple[Component, Tag]]) -> None:
    """Components are as many as the plan says; those that it does not announce are reported where the first of them stands."""
    there = Counter(part.kind for part, _ in parts)
    first = {part.kind: tag for part, tag in reversed(parts)}
    for name in dict.fromkeys([*plan, *there]):
        number, tag = plan.get(name, (0, first.get(name)))
        if there[name] != number:
            reader.report(
                tag, f"{there[name]} of {name}", f"{number}" if number else f"none, or {_tag(name, there[name])} before"
            )


def _numbers(kind: Kind) -> range:
    """How many of a kind a plan may announce."""
    return range(max(kind.at_least, 1), kind.at_most + 1)


# ---- grammar


def grammar(pen: Pen) -> None:
    pen.say(f" [{MARKER}]")
    legal = {**block.AXES, "layout": pen.carried(families())}
    values = attributes(pen, block.ORDER, legal, block.ALWAYS, lambda _: ())
    parts = _say_plan(pen, Parts.of(pen, folder.load(values["layout"]), values))
    while kind := parts.next(pen, _opening, END):
        compact.say_component(pen, kind, parts)


def _say_plan(pen: Pen, parts: Parts) -> Parts:
    """Say how many of each kind there are, those that are needed first. Returns parts of which there are as many and no others."""
    at = 0
    while at < len(parts.kinds):
        rest, needed = parts.kinds[at:], parts.needed()
        owed = next((i for i, kind in enumerate(rest) if kind.at_least), None)
        may = rest if owed is None else rest[: owed + 1]
        first = next((kind.name for kind in may if needed[kind.name]), None)
        said = {f" {_tag(k.name, n)}": (k.name, n) for k in may for n in _numbers(k)}
        options = sorted(said, key=lambda text: (said[text][0] != first, said[text][1] != needed[said[text][0]]))
        whole = _settle(parts, at, {})
        ends = () if owed is not None or (first and pen.closing) else tuple(whole.coming(pen, _opening, END))
        chosen = pen.sees((*options, *ends) if first else (*ends, *options))
        if chosen in ends:
            return replace(whole, plan=0)
        pen.say(chosen)
        name, number = said[chosen]
        after = next(i for i, kind in enumerate(parts.kinds) if kind.name == name) + 1
        parts = _settle(parts, at, {name: number}, after)
        at = after
    return replace(parts, plan=0)


def _settle(parts: Parts, start: int, counts: Mapping[str, int], stop: int | None = None) -> Parts:
    """The parts, with as many of the kinds from `start` to `stop` as `counts` says, and none of those that it does not name."""
    kinds = [
        replace(kind, at_least=counts.get(kind.name, 0), at_most=counts.get(kind.name, 0))
        for kind in parts.kinds[start:stop]
    ]
    least = {**parts.least, **{kind.name: kind.at_least for kind in kinds}}
    return replace(parts, kinds=[*parts.kinds[:start], *kinds, *parts.kinds[start:][len(kinds) :]], least=least)


def vocabulary(
    families: Sequence[str] | None = None, attributes: Sequence[str] = ("theme", "tone", "density")
) -> Vocabulary:
    """Style values and counts are closed lists; every component tag has an open payload."""
    base = compact.vocabulary(families, attributes)
    kinds = [kind for name in families or block.carried() for kind in folder.load(name).kinds.values()]
    return Vocabulary.of([*base.tags, *(_tag(kind.name, n) for kind in kinds for n in _numbers(kind))], base.prefixes)
