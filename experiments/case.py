"""Cases: contents that were written for a picture, found in `families/<family>/cases/*.json`.

A case of a scene surface carries its components; a case of the bundle surface carries a form and enough content for
the form's whole range of counts. A case has no style: `case.scene(style)` gives it one. Cases hold our own words and
are data; nothing here generates or splits.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from experiments import families
from experiments.family import Kind
from experiments.scene import Component, Counts, Scene
from experiments.style import Style
from experiments.surfaces import compact
from experiments.tag import Reader, Tag
from experiments.violation import Violation, ViolationError

KEYS = {"gold": {"case", "surface", "topic", "components", "content"}, "bundle": {"case", "surface", "form", "content"}}


class CaseError(ViolationError):
    subject = "case"


@dataclass(frozen=True)
class Case:
    """One case. `topic` and `components` belong to scene surfaces (`surface` "gold"), `form` to bundles."""

    id: str
    family: str
    surface: str
    content: Mapping[str, Any] = field(hash=False, repr=False)
    topic: str = ""
    form: str = ""
    components: tuple[Component, ...] = field(default=(), repr=False)

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
        return Scene(self.family, style, topic=self.topic, components=self.components)


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
    record = json.loads(path.read_text(encoding="ascii"))
    found = [
        Violation(
            f"{path.name}: {key}",
            "an unknown or missing key",
            ", ".join(sorted(KEYS.get(record.get("surface"), {"surface"}))),
        )
        for key in sorted(set(record) ^ KEYS.get(record.get("surface"), {"surface"}))
    ]
    if record.get("case") != path.stem:
        found.append(Violation(f"{path.name}: case", repr(record.get("case")), repr(path.stem)))
    components = _components(families.load(family).kinds, record.get("components", []), found, path.name)
    if found:
        raise CaseError(found)
    return Case(
        record["case"],
        family,
        record["surface"],
        record["content"],
        record.get("topic", ""),
        record.get("form", ""),
        components,
    )


def _holds(content: Any, ref: str) -> bool:
    for step in ref.split("."):
        if not isinstance(content, Mapping) or step not in content:
            return False
        content = content[step]
    return True


def _components(
    kinds: Mapping[str, Kind], lines: list[str], found: list[Violation], name: str
) -> tuple[Component, ...]:
    """Components from the compact spelling without its brackets."""
    reader = Reader([])
    parts = []
    for i, line in enumerate(lines):
        kind, _, payload = line.partition(":")
        if kind not in kinds:
            found.append(
                Violation(f"{name}: components.{i}", repr(line), "kind:payload with one of " + ", ".join(kinds))
            )
            continue
        parts.append(compact.read_component(reader, kinds[kind], Tag(i, 0, f"[{line}]", kind, payload)))
    found += reader.violations
    return tuple(part for part in parts if part is not None)


@cache
def every(family: str | None = None, surface: str | None = None) -> tuple[Case, ...]:
    """All cases, sorted by family and id; of one family, or of one surface (`gold` or `bundle`), where asked."""
    chosen = [family] if family else families.names()
    names = [(f, path.stem) for f in chosen for path in sorted((families.folder(f) / "cases").glob("*.json"))]
    return tuple(case for case in (load(*name) for name in names) if surface in (None, case.surface))
