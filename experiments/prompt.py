"""Prompt surfaces: the ways of asking for a scene, as templates in `prompts.yaml`. A prompt always ends with the tags
and [OUT].
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from string import Formatter

from experiments import document, surfaces
from experiments.scene import Scene
from experiments.tag import OUT
from experiments.violation import Violation, nearest

FILE = Path(__file__).parent / "prompts.yaml"
FIELDS = ("tags", "family", "theme", "tone", "density")  # what a template may hold in braces


class PromptError(ValueError):
    """A prompt surface that is not there, or templates that could not be written."""


@cache
def templates() -> dict[str, tuple[str, ...]]:
    """Surface name -> its templates, from `prompts.yaml`. Raises PromptError with every fault."""
    return read(FILE.read_text(encoding="utf-8"))


def read(text: str) -> dict[str, tuple[str, ...]]:
    """Surface name -> its templates, from YAML text. Raises PromptError with every fault and its path."""
    try:
        data = document.read(text)
    except document.DocumentError as error:
        raise PromptError(f"{FILE.name}: {error}") from error
    found = [fault for name, rows in data.items() for fault in _faults(str(name), rows)]
    if found:
        raise PromptError(f"{FILE.name}: " + "; ".join(map(str, found)))
    return {name: tuple(rows) for name, rows in data.items()}


def _faults(name: str, rows: object) -> Iterator[Violation]:
    if not isinstance(rows, list) or not rows:
        yield Violation(name, repr(rows), "a list of templates, at least one")
        return
    for number, row in enumerate(rows):
        place = f"{name}.{number}"
        if not isinstance(row, str):
            yield Violation(place, repr(row), "a text in quotes")
            continue
        try:
            fields = [field for _, field, _, _ in Formatter().parse(row) if field is not None]
        except ValueError as error:
            yield Violation(place, repr(row), f"braces in pairs around a name ({error})")
            continue
        strange = [f for f in fields if f not in FIELDS]
        for field in strange:
            yield Violation(place, f"`{{{field}}}`", f"one of {', '.join(FIELDS)}{nearest(field, FIELDS)}")
        if not strange and not row.endswith("{tags}"):
            yield Violation(place, repr(row), "a template that ends with {tags}")


def template(surface: str, number: int) -> str:
    """Template `number` of a prompt surface, counted round its list."""
    if surface not in templates():
        known = f"{', '.join(templates())}{nearest(surface, templates())}"
        raise PromptError(f"prompt surface: got {surface!r}, expected one of {known}")
    rows = templates()[surface]
    return rows[number % len(rows)]


def write(surface: str, number: int, scene: Scene, dsl: str) -> str:
    """The prompt for a scene: template `number` (counted round the list) of a prompt surface, with [OUT] at the end."""
    tags = surfaces.load(dsl).prompt(scene).removesuffix(f" {OUT}")
    words = {axis: getattr(scene.style, axis).replace("_", " ") for axis in ("theme", "tone", "density")}
    return template(surface, number).format(tags=tags, family=scene.family.replace("_", " "), **words) + f" {OUT}"
