"""Cases: contents that were written for a picture, found in `families/<family>/cases/*.json`.

A case of a scene surface carries its components; a case of the bundle surface carries a form and enough content for
the form's whole range of counts; a case of a surface that places things itself carries its scene as that surface writes it. A case has
no style: `case.scene(style)` gives it one. The surface in a case file is the one that it is spelled in; `case.on(surface)` is the same
case for another one that can say it. Cases hold our own words and are data; nothing here generates or splits.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from experiments import asset, families, payload, surfaces
from experiments.family import Family, Kind
from experiments.scene import Component, Counts, Scene
from experiments.style import Style
from experiments.surfaces import compact, dotted
from experiments.tag import Reader, SurfaceError, Tag
from experiments.violation import Violation, ViolationError, shorten

_SCENE = {"case", "surface", "topic", "components", "content"}
KEYS = {"gold": _SCENE, "keyed": _SCENE, "bundle": {"case", "surface", "form", "content"}}
WRITTEN = {"case", "surface", "scene", "content"}  # keys of a case of another surface


class CaseError(ViolationError):
    subject = "case"


@dataclass(frozen=True)
class Case:
    """One case. `topic` and `components` belong to scenes, `form` to bundles; the content says it too, for surfaces that cannot."""

    id: str
    family: str
    surface: str
    content: Mapping[str, Any] = field(hash=False, repr=False)
    topic: str = ""
    form: str = ""
    components: tuple[Component, ...] = field(default=(), repr=False)
    words: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def carries(self, counts: Counts) -> bool:
        """Whether the content has an entry for everything that these counts draw (bundle cases)."""
        family = families.load(self.family)
        parts = family.lower(self.form, counts, Style()).components
        return all(_holds(self.content, part.ref) for part in parts if part.ref)

    def scene(self, style: Style, counts: Counts | None = None) -> Scene:
        """The case in a style. `counts` only for bundles; by default the form's usual ones."""
        if self.surface == "bundle":
            family = families.load(self.family)
            return family.lower(self.form, counts or tuple(family.forms[self.form].usual.items()), style)
        if counts is not None:
            raise ValueError(f"case {self.id}: got counts, expected none: a {self.surface} case has a fixed structure")
        family = families.load(self.family)
        worn = family.dress(style) if isinstance(family, asset.AssetFamily) else style
        scene = Scene(self.family, worn, topic=self.topic, components=self.components, words=self.words)
        return asset.inline(scene, self.content, family.kinds) if self.surface == "asset" else scene

    def on(self, surface: str) -> Case | None:
        """This case for a surface; None where the surface cannot say it."""
        if surface == self.surface:
            return self
        if (surface == "bundle") != bool(self.form) or self.family not in surfaces.load(surface).families():
            return None
        moved = replace(self, surface=surface)
        try:
            surfaces.load(surface).format(moved.scene(Style()))
        except SurfaceError:
            return None
        return moved


@cache
def load(family: str, name: str) -> Case:
    """The case called `name` of a family."""
    path = families.folder(family) / "cases" / f"{name}.json"
    if not path.is_file():
        there = ", ".join(sorted(p.stem for p in path.parent.glob("*.json")))
        raise KeyError(f"no case `{name}` in {family}; there are {there}")
    return read(path, family)


def read(path: Path, family: str) -> Case:
    """One case file of a family; CaseError with every defect of its frame (content is checked when it is compiled)."""
    try:
        record: Any = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CaseError([Violation(str(path), str(error), "a JSON object in UTF-8")]) from error
    if not isinstance(record, dict):
        raise CaseError([Violation(str(path), shorten(repr(record)), "a JSON object")])
    surface = str(record.get("surface"))
    keys = KEYS.get(surface, WRITTEN if surface in surfaces.names() else {"surface"})
    found = [
        Violation(f"{path.name}: {key}", "an unknown or missing key", ", ".join(sorted(keys)))
        for key in sorted(set(record) ^ keys)
    ]
    if record.get("case") != path.stem:
        found.append(Violation(f"{path.name}: case", repr(record.get("case")), repr(path.stem)))
    lines, content = record.get("components", []), record.get("content", {})
    components = _components(families.load(family), lines, content, found, path.name)
    if found:
        raise CaseError(found)
    topic, form = record.get("topic", ""), record.get("form", "")
    words: tuple[tuple[str, str], ...] = ()
    if "scene" in record:
        scene = surfaces.load(surface).parse(record["scene"])
        if scene.family != family:
            raise CaseError([Violation(f"{path.name}: scene", f"a {scene.family}", f"a {family}, as its folder says")])
        topic, components, words = scene.topic, scene.components, scene.words
    return Case(
        record["case"], family, surface, _formed(record["content"], family, form), topic, form, components, words
    )


def _formed(content: Any, family: str, form: str) -> Any:
    """The content of a case, with its form where the family has a place for it: most surfaces cannot write a form, and the picture needs it."""
    has_place = form and isinstance(content, Mapping) and "form" in families.load(family).content.model_fields
    return {**content, "form": form} if has_place else content


def _holds(content: Any, ref: str) -> bool:
    for step in ref.split("."):
        if not isinstance(content, Mapping) or step not in content:
            return False
        content = content[step]
    return True


def _components(
    family: Family, lines: list[str], content: Mapping[str, Any], found: list[Violation], name: str
) -> tuple[Component, ...]:
    """Components from the compact or dotted spelling without its brackets."""
    reader = Reader([])
    parts: list[Component] = []
    for i, line in enumerate(lines):
        kind, _, payload = line.partition(":")
        if kind not in family.kinds:
            expected = "kind:payload with one of " + ", ".join(family.kinds)
            found.append(Violation(f"{name}: components.{i}", repr(line), expected))
            continue
        tag = Tag(i, 0, f"[{line}]", kind, payload)
        if isinstance(family, asset.AssetFamily):
            part = _read_keyed(reader, family.kinds[kind], tag, content, sum(p.kind == kind for p in parts))
        else:
            part = compact.read_component(reader, family.kinds[kind], tag)
        if part is not None:
            parts.append(part)
    found += reader.violations
    return tuple(parts)


def _read_keyed(reader: Reader, kind: Kind, tag: Tag, content: Mapping[str, Any], number: int) -> Component | None:
    """A component; one without references stands for every field that the content has at its keyed paths."""
    part = payload.read_component(reader, kind, tag, dotted.read_argument)
    if part is None or part.fields:
        return part
    entries = content.get(kind.name, [])
    entry = entries[number] if isinstance(entries, list) and number < len(entries) else {}
    return replace(
        part, fields=tuple((s.name, asset.path_of(kind.name, number, s.name)) for s in kind.slots if s.name in entry)
    )


def content(family: str, name: str) -> Mapping[str, Any]:
    """The content document of a case; empty where the name is, for scenes that bring their words along."""
    return load(family, name).content if name else {}


@cache
def every(family: str | None = None, surface: str | None = None) -> tuple[Case, ...]:
    """All cases, sorted by family and id; of one family, or those that a surface can say, where asked."""
    chosen = [family] if family else families.names()
    names = [(f, path.stem) for f in chosen for path in sorted((families.folder(f) / "cases").glob("*.json"))]
    cases = (load(*name) if surface is None else load(*name).on(surface) for name in names)
    return tuple(case for case in cases if case is not None)
