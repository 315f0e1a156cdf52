"""Binding: content is checked against its family's shape, and every reference of a scene is resolved to a typed piece
of it.

A reference is a dotted path of keys and list positions. One that leads nowhere, or to the wrong kind of thing, is a
violation: nothing is skipped and nothing is drawn literally.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from experiments import families
from experiments.content import Shape
from experiments.family import Family, Kind
from experiments.scene import Component, Scene
from experiments.violation import Violation, ViolationError, nearest, shorten


class CompileError(ViolationError):
    """A scene and a content that cannot become a picture."""

    subject = "compile"


@dataclass(frozen=True, slots=True)
class Item:
    """A component with what its reference holds; a tuple where its kind holds several."""

    part: Component
    data: Any
    number: int = 0  # position among the components of its kind
    twin: bool = False  # whether its id is also that of a component of another kind

    @property
    def ref(self) -> str:
        return (
            self.part.ref or self.part.id or (f"{self.part.kind}.{self.number}" if self.part.fields else self.part.kind)
        )

    def at(self, field: str) -> str:
        """Where the words of a field come from."""
        return dict(self.part.fields).get(field) or f"{self.ref}.{field}"

    @property
    def id(self) -> str:
        """Unique within the scene: the id, with the kind where another kind has the same one; the reference where a kind has no id."""
        return f"{self.part.kind} {self.part.id}" if self.twin else self.part.id or self.ref


@dataclass(slots=True)
class Bound:
    """A scene whose references are all resolved; `issues` collects what drawing finds."""

    scene: Scene
    family: Family
    items: list[Item]
    content: Shape
    issues: list[Violation] = field(default_factory=list)

    @property
    def form(self) -> str:
        """The form in which the scene is drawn: its own, else the one that its content states, else what its family makes of the two."""
        return self.scene.form or getattr(self.content, "form", None) or self.family.form_of(self)

    def all(self, *kinds: str) -> list[Item]:
        return [item for item in self.items if item.part.kind in kinds]

    def one(self, kind: str) -> Item | None:
        return next((item for item in self.items if item.part.kind == kind), None)


def bind(scene: Scene, content: Mapping[str, Any]) -> Bound:
    """Content and scene joined, or CompileError with every violation of either. A scene with words of its own is bound to these too."""
    if scene.family not in families.names():
        raise CompileError([Violation("scene.family", shorten(scene.family), "one of " + ", ".join(families.names()))])
    family = families.load(scene.family)
    found = [
        Violation("scene" if f.component is None else f"scene.components.{f.component}", f.got, f.expected)
        for f in family.inspect(scene)
    ]
    document = family.document(scene, _unwrap(family, content))
    shape, faults = read_content(family, document)
    found += faults
    if shape is None or found:
        raise CompileError([*found, *_dangling(scene, document)])
    items = []
    seen: Counter[str] = Counter()
    ids = Counter(part.id for part in scene.components)
    for part in scene.components:
        data = (_assemble if family.kinds[part.kind].slots else _resolve)(shape, part, family, found)
        items.append(
            Item(part, data, seen[part.kind], part.id is not None and family.is_apart(part) and ids[part.id] > 1)
        )
        seen[part.kind] += 1
    if found:
        raise CompileError(found)
    return Bound(scene, family, items, shape)


def _dangling(scene: Scene, document: Any) -> Iterator[Violation]:
    """References that lead nowhere in a document, whatever else is wrong with it."""
    for part in scene.components:
        paths = [(path, f"{part.kind}.{name}") for name, path in part.fields]
        paths += [(ref, part.kind) for ref in part.refs]
        for path, user in paths:
            value: Any = document
            for step in path.split("."):
                at = int(step) if step.isdigit() and isinstance(value, list) else step
                try:
                    value = value[at]
                except (KeyError, IndexError, TypeError):
                    yield Violation(f"content.{path}", "nothing", f"what [{user}] refers to")
                    break


def _unwrap(family: Family, content: Mapping[str, Any]) -> Mapping[str, Any]:
    """Content whose body lies in a table `slots`, as if it lay beside it; what stands outside goes first. Shapes that have such a table keep
    it, and so do documents of any words, where a reference may lead through it.
    """
    inner = content.get("slots") if isinstance(content, Mapping) else None
    fields = family.content.model_fields
    if not isinstance(inner, Mapping) or "slots" in fields:
        return content
    if family.spelling == "fields":
        return {**inner, **content}
    rest = {name: value for name, value in content.items() if name != "slots"}
    return {**inner, **rest} if fields.keys() & inner.keys() else content


def read_content(family: Family, content: Mapping[str, Any]) -> tuple[Shape | None, list[Violation]]:
    """A content document in its family's shape, or every violation with its path. Cached by the document's JSON."""
    try:
        text = json.dumps(content, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        return None, [Violation("content", shorten(str(error)), "a document of JSON values")]
    return _read_content(family.name, text)


@lru_cache(maxsize=2048)
def _read_content(name: str, text: str) -> tuple[Shape | None, list[Violation]]:
    try:
        return families.load(name).content.model_validate(json.loads(text)), []
    except ValidationError as error:
        return None, [_violation(e) for e in error.errors()]


def _violation(error: Any) -> Violation:
    path = ".".join(
        ["content", *(str(step) for step in error["loc"] if not str(step).startswith("("))]
    )  # "(list)": a branch of a union
    message = error["msg"].removeprefix("Value error, ")
    got = "nothing" if error["type"] == "missing" else shorten(error["input"])
    return Violation(path, got, message[0].lower() + message[1:])


def _resolve(shape: Shape, part: Component, family: Family, found: list[Violation]) -> Any:
    kind = family.kinds[part.kind]
    if kind.ref_tag is None or (kind.refs[0] == 0 and part.ref is None):
        return None
    if kind.refs[1] > 1:
        return tuple([_follow(shape, ref, kind, found) for ref in part.refs])
    return _follow(shape, part.ref or "", kind, found)


def _follow(shape: Shape, ref: str, kind: Kind, found: list[Violation]) -> Any:
    """What lies at a reference; a violation where that is nothing, or nothing that the kind can show."""
    value = _walk(shape, ref, kind.name, found)
    if value is not None and not isinstance(value, kind.data):
        names = " or ".join(t.__name__ for t in kind.data)
        found.append(Violation(f"content.{ref}", type(value).__name__, f"{names}, as [{kind.name}] needs"))
    return value


def _assemble(shape: Shape, part: Component, family: Family, found: list[Violation]) -> Any:
    """The shape that the fields of a component make together."""
    before = len(found)
    values = dict(part.attributes)
    for name, path in part.fields:
        value = _walk(shape, path, f"{part.kind}.{name}", found)
        if isinstance(value, str):
            values[name] = value
        elif value is not None:
            found.append(Violation(f"content.{path}", f"a {type(value).__name__}", f"words, as [{part.kind}] needs"))
    if len(found) > before:
        return None
    try:
        return _validate(family.kinds[part.kind].data[0], tuple(values.items()))
    except ValidationError as error:
        for fault in error.errors():
            name = str(fault["loc"][0]) if fault["loc"] else ""
            found.append(replace(_violation(fault), place=f"content.{dict(part.fields).get(name, part.kind)}"))
        return None


@lru_cache(maxsize=1 << 14)
def _validate(shape: type[Shape], values: tuple[tuple[str, str], ...]) -> Shape:
    return shape.model_validate(dict(values))


def _walk(shape: Shape, path: str, user: str, found: list[Violation]) -> Any:
    """What a dotted path leads to; None and a violation where it leads nowhere."""
    steps = path.split(".")
    value: Any = shape
    for i, step in enumerate(steps):
        value, missing = _step(value, step)
        if missing or value is None:
            got = "nothing" if i == len(steps) - 1 else f"nothing at `{'.'.join(steps[: i + 1])}`"
            found.append(Violation(f"content.{path}", got, f"what [{user}] refers to{missing}"))
            return None
    return value


def _step(value: Any, step: str) -> tuple[Any, str]:
    """(what is at that key, "") or (None, a hint about what there is)."""
    if isinstance(value, Shape):
        if step in type(value).model_fields:
            return getattr(value, step), ""
        entries = value.entries()
        if step in entries:
            return entries[step], ""
        return None, _hint(
            step, list(dict.fromkeys([*(f for f in type(value).model_fields if f in value.model_fields_set), *entries]))
        )
    if isinstance(value, dict):
        return (value[step], "") if step in value else (None, _hint(step, list(value)))
    if isinstance(value, tuple):
        if step.isdecimal() and int(step) < len(value):
            return value[int(step)], ""
        return None, f"; there are {len(value)} entries, counted from 0"
    return None, f"; `{step}` is asked of a {type(value).__name__}"


def _hint(step: str, keys: list[str]) -> str:
    there = f"; the content has {len(keys)}: {', '.join(keys[:7])}{', ...' if len(keys) > 7 else ''}"
    return there + nearest(step, keys)
