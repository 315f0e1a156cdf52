"""What the two scene surfaces (blocks and one-line tags) share: style attributes, ranks, ids, and the scene record.

A surface hands over the tags between its markers in two parts: attributes, then components as `(Component, Tag)`. How
a component is spelled is the surface's own business.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from experiments import families
from experiments.family import Family, Kind
from experiments.scene import Component, Scene
from experiments.style import AXES, Style
from experiments.tag import (
    ID,
    OUT,
    REF,
    TASK,
    Reader,
    SurfaceError,
    Tag,
    Vocabulary,
    check_payload,
    check_value,
    stated,
)
from experiments.violation import Violation, shorten

# Canonical order of the attributes of a scene: the layout follows the canvas, the topic comes last.
ORDER = ("canvas", "layout", *(axis for axis in AXES if axis != "canvas"), "topic")
BLOCKS = ("blocks",)
FIELDS = ("fields",)
ALWAYS = ("layout", "theme", "tone", "density", "topic")


def carried(spellings: Sequence[str] = BLOCKS) -> tuple[str, ...]:
    """Families that are spelled in one of these ways (`Family.spelling`)."""
    return tuple(name for name in families.names() if families.load(name).spelling in spellings)


def write_attributes(scene: Scene, background: bool = False) -> list[str]:
    """`[layout:F] [theme:T] ...` in canonical order; what the scene leaves open is not written, and no background only if asked."""
    tags = []
    for name in ORDER:
        value = scene.family if name == "layout" else scene.topic if name == "topic" else getattr(scene.style, name)
        if value in (None, "") or (name == "background" and value == "none" and not background):
            continue
        tags.append(f"[{name}:{value}]")
    return tags


def write_prompt(scene: Scene) -> str:
    """The canonical tag prompt of a scene: task, layout, topic, the style attributes that the scene states, and the counts that
    its family asks for.
    """
    asked = {kind.asked: len(scene.of(kind.name)) for kind in families.load(scene.family).kinds.values() if kind.asked}
    left_out = tuple(f"[{name}:" for name in ("layout", "topic", *asked))
    style = [tag for tag in write_attributes(scene) if not tag.startswith(left_out)]
    counts = [f"[{name}:{number}]" for name, number in asked.items()]
    return " ".join([TASK, f"[layout:{scene.family}]", f"[topic:{scene.topic}]", *style, *counts, OUT])


def refuse_foreign(
    scene: Scene, surface: str, with_topic: bool = False, spellings: Sequence[str] = BLOCKS, words: bool = False
) -> Family:
    """The scene's family, or a SurfaceError where this surface would lose part of the scene."""
    found: list[Violation] = []
    if scene.family not in carried(spellings):
        found.append(Violation("scene.family", shorten(scene.family), f"one of {', '.join(carried(spellings))}"))
    if scene.words and not words:
        found.append(Violation("scene.words", "words in the scene", f"none: the {surface} surface writes references"))
    if scene.form or scene.counts:
        found.append(
            Violation(
                "scene.form", scene.form or "counts", f"no form and no counts: the {surface} surface cannot write them"
            )
        )
    found += [
        Violation(
            f"scene.components.{index}.states",
            ", ".join(part.states),
            f"none: the {surface} surface leaves them to the content",
        )
        for index, part in enumerate(scene.components)
        if part.states
    ]
    if not ID.fullmatch(scene.topic) and (scene.topic or with_topic):
        found.append(Violation("scene.topic", shorten(scene.topic), "letters, digits and _"))
    for axis, legal in AXES.items():
        if getattr(scene.style, axis) not in (None, *legal):
            found.append(
                Violation(f"scene.style.{axis}", shorten(getattr(scene.style, axis)), f"one of {', '.join(legal)}")
            )
    if found:
        raise SurfaceError(found)
    return families.load(scene.family)


def once(text: str) -> Iterator[re.Match[str]]:
    """Where a text, broken or whole, states attributes of its scene."""
    return stated(text, ORDER)


def split_header(tags: Sequence[Tag]) -> tuple[list[Tag], list[Tag]]:
    """(attribute tags, component tags): attributes are the tags up to the first that is no attribute."""
    cut = next((i for i, tag in enumerate(tags) if tag.name not in ORDER or tag.closing), len(tags))
    return list(tags[:cut]), list(tags[cut:])


def read_attributes(
    reader: Reader, tags: Sequence[Tag], required: Sequence[str], ordered: bool, spellings: Sequence[str] = BLOCKS
) -> dict[str, str]:
    """Attribute values by name; `ordered` also insists on the canonical order, `spellings` choose the families (`carried`)."""
    values: dict[str, str] = {}
    seen: set[str] = set()
    last = -1
    for tag in tags:
        place = ORDER.index(tag.name)
        if tag.name in seen:
            reader.report(tag, f"a second [{tag.name}:]", "each attribute once")
            continue
        seen.add(tag.name)
        if ordered and place < last:
            reader.report(tag, f"{tag.text} after [{ORDER[last]}:]", "the order " + " ".join(ORDER))
        last = max(last, place)
        value = read_attribute(reader, tag, spellings)
        if value is not None:
            values[tag.name] = value
    for name in required:
        if name not in seen:
            reader.report(None, f"no [{name}:]", f"[{name}:] among the attributes")
    return values


def read_attribute(reader: Reader, tag: Tag, spellings: Sequence[str] = BLOCKS) -> str | None:
    if tag.name == "layout":
        others = _writers(tag.value) if tag.value not in carried(spellings) else ()
        if others:
            expected = f"a family of this surface; {tag.value} is said by {', '.join(others)}"
            reader.report(tag, shorten(tag.text), expected)
            return None
        return check_value(reader, tag, carried(spellings))
    if tag.name == "topic":
        return check_payload(reader, tag, tag.value, ID, "a topic")
    return check_value(reader, tag, AXES[tag.name])


def _writers(family: str | None) -> tuple[str, ...]:
    """The surfaces that write a family; none for what is no family."""
    from experiments import surfaces

    return tuple(name for name in surfaces.names() if family in surfaces.load(name).families())


def build(
    reader: Reader,
    values: dict[str, str],
    parts: Sequence[tuple[Component, Tag]],
    words: tuple[tuple[str, str], ...] = (),
) -> Scene:
    """The scene, after every structural check of its family; raises with all violations."""
    family = families.load(values["layout"]) if "layout" in values else None
    style = Style(**{name: value for name, value in values.items() if name not in ("layout", "topic")})
    components = tuple(c for c, _ in parts)
    scene = Scene(family.name if family else "", style, values.get("topic", ""), components=components, words=words)
    for fault in family.inspect(scene) if family else ():
        reader.report(None if fault.component is None else parts[fault.component][1], fault.got, fault.expected)
    reader.fail_if_any()
    return scene


def kinds_of(names: Iterable[str]) -> dict[str, Kind]:
    """Every component kind of the named families (the same kind may serve several)."""
    return {kind.name: kind for name in names for kind in families.load(name).kinds.values()}


def style_vocabulary(names: Iterable[str], attributes: Sequence[str], marker: str) -> Vocabulary:
    """Tags of the prompt, the markers, the layouts, the closed style lists and the counts that are asked for; `[topic:` is open."""
    found = [families.load(name) for name in names]
    axes = dict.fromkeys([*attributes, *(axis for family in found for axis in family.axes)])
    tags = [TASK, OUT, f"[{marker}]", f"[/{marker}]", *(f"[layout:{family.name}]" for family in found)]
    tags += [f"[{name}:{value}]" for name in axes for value in AXES[name]]
    for kind in (kind for family in found for kind in family.kinds.values() if kind.asked):
        tags += [f"[{kind.asked}:{number}]" for number in range(kind.at_least, kind.at_most + 1)]
    return Vocabulary.of(tags, ["[topic:"])


# ---- the fields of a component


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a component: its tag in a block, the slot of `Component` it fills, its legal values (none = an id
    or a reference).
    """

    tag: str
    slot: str
    required: bool = True
    legal: tuple[str, ...] = ()

    def get(self, part: Component) -> str | None:
        return part.get(self.tag) if self.legal else getattr(part, self.slot)

    def check(self, reader: Reader, tag: Tag, value: str | None) -> str | None:
        if self.legal:
            if value in self.legal:
                return value
            reader.report(tag, f"{self.tag} {shorten(value)}", f"one of {', '.join(self.legal)}")
            return None
        return check_payload(
            reader, tag, value, REF if self.slot == "ref" else ID, "a reference" if self.slot == "ref" else "an id"
        )


@cache
def _fields(
    name: str,
    id_tag: str | None,
    id_required: bool,
    ends: tuple[str, str] | None,
    ref: str | None,
    attributes: tuple[tuple[str, tuple[str, ...]], ...],
) -> tuple[Field, ...]:
    found = [Field(id_tag, "id", id_required)] if id_tag else []
    found += [Field(ends[0], "source"), Field(ends[1], "target")] if ends else []
    found += [Field(ref, "ref")] if ref else []
    return (*found, *(Field(key, key, legal=legal) for key, legal in attributes))


def fields(kind: Kind) -> tuple[Field, ...]:
    """The fields of a component kind in the order in which a block writes them."""
    return _fields(
        kind.name, kind.id_tag, kind.id_required, kind.end_tags, kind.ref_tag, tuple(kind.attributes.items())
    )


def assemble(kind: Kind, values: Mapping[str, str], more: Sequence[str] = ()) -> Component:
    """A component from the values of its slots, and its further references."""
    return Component(
        kind.name,
        values.get("id"),
        values.get("ref"),
        values.get("source"),
        values.get("target"),
        tuple((key, values[key]) for key in kind.attributes if key in values),
        more=tuple(more),
    )
