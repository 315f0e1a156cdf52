"""Asset families: pictures whose components take their words field by field, and what these families share.

One signature a component kind, in the order in which a surface writes its fields: `caption?` may be left out, `note=` is written by
name, and a field listed in `CLOSED` takes one of a list of values. Slots and the shape that checks the words are both read from it.
A content document of such a family is a tree of words with any keys; entries under the name of a component kind
(`compare_bar.0.label`) must fit that kind. Layouts are the families' own; nothing here draws or parses.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import ConfigDict, Discriminator, Field, Tag, create_model, model_validator
from typing_extensions import TypeAliasType

from experiments.content import Header, Key, Shape, Short, Words
from experiments.family import Family, Fault, Kind, Slot, by_name
from experiments.scene import Component, Scene
from experiments.style import ACCENTS, STATES, Style

VARIANTS = ("default", "hero", "metric", "note", "warning", "success")
RULES = ("dash", "solid", "dots")
CLOSED = {"accent": ACCENTS, "variant": VARIANTS, "state": STATES, "style": RULES}
LONG = ("subtitle", "caption", "note", "text")  # fields of whole sentences; `support_1` and `column_1` are too

SIGNATURES = {
    "header_band": "kicker? headline subtitle?",
    "section_card": "title value? caption? variant?= accent?=",
    "compare_bar": "label value caption? accent?= note?=",
    "metric_bar": "label value caption? accent?= note?=",
    "compare_panel": "title value? caption? variant?= accent?=",
    "callout_card": "title note? accent?=",
    "annotation": "label note? accent?=",
    "axis": "label note?",
    "legend_row": " ".join(f"{name}?=" for name in ACCENTS),
    "divider": "style",
    "side_rail": "text",
    "table_header": "column_1 column_2? column_3? column_4?",
    "table_row": "column_1 column_2? column_3? note? state?= accent?=",
    "stage_card": "title caption? accent?=",
    "flow_arrow": "",
    "curved_connector": "",
    "phase_divider": "left right",
    "span_bracket": "label value",
    "floor_band": "text",
    "badge_pill": "text accent?=",
    "thesis_box": "headline support_1? support_2? support_3?",
    "conclusion_strip": "text",
    "footer_note": "text",
}


def _slots(signature: str) -> tuple[Slot, ...]:
    return tuple(
        Slot(name := word.rstrip("?="), "?" not in word, word.endswith("="), CLOSED.get(name, ()))
        for word in signature.split()
    )


SLOTS = {name: _slots(signature) for name, signature in SIGNATURES.items()}
ENDS = ("flow_arrow", "curved_connector")
RANKS = {"header_band": 0, "footer_note": 9}  # every other kind may interleave


def _shape(name: str) -> type[Shape]:
    """What the fields of a component make together."""
    if name == "header_band":
        return Header
    fields: dict[str, Any] = {}
    for slot in SLOTS[name]:
        base: Any = Words if slot.name in LONG or slot.name[-1].isdigit() else Short
        kind = Literal[slot.legal] if slot.legal else base
        fields[slot.name] = (kind, ...) if slot.required else (kind | None, None)
    return create_model("".join(map(str.title, name.split("_"))), __base__=Shape, **fields)


SHAPES = {name: _shape(name) for name in SIGNATURES}


def pick(ids: tuple[str, ...] = (), **counts: tuple[int, int]) -> Mapping[str, Kind]:
    """Component kinds of a family with how often each may occur; those in `ids` have an id of their own."""
    return by_name(
        *(
            Kind(
                name,
                RANKS.get(name, 1),
                (SHAPES[name],),
                *bounds,
                id_tag=f"{name.partition('_')[0]}_id" if name in ids else None,
                end_tags=("from_ref", "to_ref") if name in ENDS else None,
                ref_tag=None,
                slots=SLOTS[name],
            )
            for name, bounds in counts.items()
        )
    )


# ---- content: a tree of words


def _branch(value: Any) -> str | None:
    for kind, name in ((str, "(words)"), (dict, "(table)"), ((list, tuple), "(list)")):
        if isinstance(value, kind):
            return name
    return None


def _entries(value: Any) -> str | None:
    return (
        "(entries)"
        if isinstance(value, (list, tuple)) and value and all(isinstance(v, dict) for v in value)
        else _branch(value)
    )


_REFUSAL = {"custom_error_type": "tree", "custom_error_message": "words, a table or a list of them"}
_WORDS: TypeAlias = Annotated[Words, Tag("(words)")]
_TABLE: TypeAlias = Annotated[dict[Key, "Node"], Tag("(table)")]
_LIST: TypeAlias = Annotated[tuple["Node", ...], Tag("(list)")]
Node = TypeAliasType("Node", Annotated[_WORDS | _TABLE | _LIST, Discriminator(_branch, **_REFUSAL)])


class Document(Shape):
    """A content document of an asset family. Subclasses, one a family, add the entries of its component kinds."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[Key, Node] = Field(init=False)

    @model_validator(mode="after")
    def _refuse_foreign_components(self) -> Document:
        foreign = [name for name in self.model_extra or {} if name in SIGNATURES]
        if foreign:
            raise ValueError(f"no `{foreign[0]}`: this family has no such component")
        return self


def document(kinds: Mapping[str, Kind]) -> type[Document]:
    """The content shape of a family with these component kinds. Kinds without words of their own may have entries of any shape."""
    fields: dict[str, Any] = dict.fromkeys(kinds, (Node, ()))
    for name, kind in kinds.items():
        if all(slot.legal for slot in kind.slots):
            continue
        entries = Annotated[tuple[kind.data[0], ...], Tag("(entries)")]  # type: ignore[name-defined]
        choice = Annotated[entries | _WORDS | _TABLE | _LIST, Discriminator(_entries, **_REFUSAL)]
        fields[name] = (choice, ())
    return create_model("Content", __base__=Document, **fields)


# ---- components


def path_of(kind: str, number: int, slot: str) -> str:
    """Where a keyed content document holds a field of the `number`th component of a kind."""
    return f"{kind}.{number}.{slot}"


def arrange(
    kind: Kind,
    values: Mapping[str, str],
    literal: Mapping[str, str],
    id: str | None = None,
    source: str | None = None,
    target: str | None = None,
) -> Component:
    """A component from its references and its closed values, both in the order of the kind's slots."""
    return Component(
        kind.name,
        id,
        None,
        source,
        target,
        attributes=tuple((slot.name, literal[slot.name]) for slot in kind.slots if slot.name in literal),
        fields=tuple((slot.name, values[slot.name]) for slot in kind.slots if slot.name in values),
    )


def keyed(components: tuple[Component, ...]) -> tuple[Component, ...]:
    """The same components, each field at its keyed path."""
    seen: Counter[str] = Counter()
    parts = []
    for part in components:
        fields = tuple((name, path_of(part.kind, seen[part.kind], name)) for name, _ in part.fields)
        seen[part.kind] += 1
        parts.append(replace(part, fields=fields))
    return tuple(parts)


def inline(scene: Scene, content: Mapping[str, Any], kinds: Mapping[str, Kind]) -> Scene:
    """The same scene with the words that it refers to in itself; references to closed values become these values."""
    parts, words = [], []
    for part in scene.components:
        closed = {slot.name for slot in kinds[part.kind].slots if slot.legal}
        found = {name: _look_up(content, path) for name, path in part.fields}
        literal = {**dict(part.attributes), **{name: text for name, text in found.items() if name in closed}}
        paths = {name: path for name, path in part.fields if name not in closed}
        parts.append(arrange(kinds[part.kind], paths, literal, id=part.id, source=part.source, target=part.target))
        words += [found[name] for name in paths]
    components = keyed(tuple(parts))
    places = [path for part in components for _, path in part.fields]
    return replace(scene, components=components, words=tuple(zip(places, words, strict=True)))


def _look_up(content: Any, path: str) -> str:
    for step in path.split("."):
        content = content[int(step)] if isinstance(content, list) else content[step]
    return str(content)


# ---- families

_STATED = ("canvas", "frame", "hero", "columns", "emphasis", "rail", "connector")


def usual(*values: str) -> Mapping[str, str]:
    """Style attributes that a family's pictures have where nobody says otherwise: canvas, frame, hero, columns, emphasis, rail,
    connector.
    """
    return MappingProxyType(dict(zip(_STATED, values, strict=True)))


_STEPS = {"compact": "sm", "balanced": "md", "airy": "lg"}


class AssetFamily(Family):
    """A family of such components. `least`: how many components of some kinds together it needs; `style`: see `usual`."""

    spelling = "fields"
    least: tuple[tuple[int, tuple[str, ...]], ...] = ()
    style: Mapping[str, str]

    def inspect(self, scene: Scene) -> Iterator[Fault]:
        yield from super().inspect(scene)
        for number, kinds in self.least:
            there = len(scene.of(*kinds))
            if there < number:
                yield Fault(None, f"{there} of {', '.join(kinds)}", f"at least {number} in a {self.name}")

    def document(self, scene: Scene, content: Mapping[str, Any]) -> Mapping[str, Any]:
        from experiments.compiler import inline  # the compiler knows families, not the other way round

        return inline.document(scene.words) if scene.words else content

    def dress(self, style: Style) -> Style:
        """A style with what this family derives from its density and says by itself; what the style states stays."""
        derived = {**self.style, "inset": _STEPS[style.density], "gap": _STEPS[style.density]}
        return replace(style, **{axis: value for axis, value in derived.items() if getattr(style, axis) is None})


class StagedFamily(AssetFamily):
    """A family of stages joined by arrows. An arrow names a stage by its id, its number (`3`, `stage_3`), the key under which its title
    lies, or, where the scene holds the words, by its title with `_` (also in lower case), or by a word of it that no other title has.
    """

    chained = True

    def ends(self, scene: Scene) -> Mapping[str, int]:
        words = dict(scene.words)
        stages = [index for index, part in enumerate(scene.components) if part.kind == "stage_card"]
        names: dict[str, int] = {}
        single: dict[str, set[int]] = {}
        for number, index in enumerate(stages, 1):
            part = scene.components[index]
            path = dict(part.fields).get("title", "")
            key = path.split(".")[-2] if path.count(".") else ""
            said = words.get(path, "")
            title = re.sub(r"[^a-z0-9]+", "_", said.lower()).strip("_")
            for name in (
                part.id,
                str(number),
                f"stage_{number}",
                title,
                said.replace(" ", "_"),
                "" if key.isdecimal() else key,
            ):
                if name:
                    names.setdefault(name, index)
            for word in filter(None, title.split("_")):
                single.setdefault(word, set()).add(index)
        return {**{word: min(places) for word, places in single.items() if len(places) == 1}, **names}

    def inspect(self, scene: Scene) -> Iterator[Fault]:
        yield from super().inspect(scene)
        names, pairs = self.ends(scene), set()
        for index, part in enumerate(scene.components):
            pair = names.get(part.source or ""), names.get(part.target or "")
            if None not in pair and part.source != part.target and (pair[0] == pair[1] or pair in pairs):
                got = f"{part.source}->{part.target}"
                yield Fault(index, got, "two different stages, joined once (one stage may have several names)")
            pairs.add(pair)
