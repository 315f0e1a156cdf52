"""Families and surfaces from other packages: entry points, found by the group's name when they are asked for.

    [project.entry-points."cktrack.families"]
    kanban = "my_pictures.kanban.family:FAMILY"     # a Family; `cases/*.json` lie beside its module

    [project.entry-points."cktrack.surfaces"]
    terse = "my_pictures.terse"                     # a module with what experiments/surfaces/__init__.py asks of one

A name belongs to one package: what is shipped here, or what two packages both offer, cannot be taken. What a plugin consists of counts
for a run's identity like the files here. Nothing here decides what a family or a surface must do.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

FAMILIES, SURFACES = "cktrack.families", "cktrack.surfaces"
NAME = re.compile(r"[a-z][a-z0-9_]*")
VALUE = re.compile(r"\w+(\.\w+)+(:\w+)?")  # a module that lies alone has no folder of its own


class PluginError(ValueError):
    """An entry point that cannot be used; the message names the package that it comes from."""


@cache
def found(group: str) -> dict[str, EntryPoint]:
    """The entry points of a group by name. Raises PluginError for a name that is malformed or offered by two packages."""
    table: dict[str, EntryPoint] = {}
    for entry in sorted(entry_points(group=group), key=lambda e: (e.name, owner(e))):
        if not NAME.fullmatch(entry.name) or not VALUE.fullmatch(entry.value):
            raise PluginError(
                f"{group}: got {entry.name!r} = {entry.value!r} from {owner(entry)}, expected a name of small letters, digits and _, "
                "and a module inside of a package"
            )
        if entry.name in table:
            raise PluginError(
                f"{group}: {entry.name!r} is offered by {owner(table[entry.name])} and by {owner(entry)}; uninstall one of them"
            )
        table[entry.name] = entry
    return table


def names(group: str, own: Sequence[str]) -> tuple[str, ...]:
    """`own` names and those of the group's plugins, sorted. Raises PluginError for a plugin that takes a name of our own."""
    for name in found(group).keys() & set(own):
        raise PluginError(
            f"{group}: {owner(found(group)[name])} offers {name!r}, which cktrack has itself; expected another name there"
        )
    return tuple(sorted([*own, *found(group)]))


def load(group: str, name: str, kind: type | None = None) -> Any:
    """What an entry point names; an instance of `kind` if that is asked for. Raises PluginError with the package's name."""
    entry = found(group)[name]
    try:
        thing = entry.load()
    except Exception as error:  # whatever a foreign module raises while it is imported
        raise PluginError(
            f"{group}: {name!r} of {owner(entry)} cannot be loaded from {entry.value}: {type(error).__name__}: {error}"
        ) from error
    if kind is not None and not isinstance(thing, kind):
        raise PluginError(
            f"{group}: {name!r} of {owner(entry)} is a {type(thing).__name__}, expected a {kind.__name__}"
        )
    return thing


def owner(entry: EntryPoint) -> str:
    """The distribution of an entry point, with its version."""
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown package"


def folder(group: str, name: str) -> Path:
    """The folder of an entry point's module. Raises PluginError if there is no such module."""
    entry = found(group)[name]
    try:
        spec = find_spec(entry.module)
    except ImportError:
        spec = None
    if spec is None or spec.origin is None:
        raise PluginError(f"{group}: {name!r} of {owner(entry)} names the module {entry.module}, which is not there")
    return Path(spec.origin).resolve().parent


def digests() -> Iterator[str]:
    """A line for each plugin: its group, name, package and the sha256 of every file of its module's top-level package."""
    for group in (FAMILIES, SURFACES):
        for name, entry in found(group).items():
            hashed = hashlib.sha256()
            for place in _packages(folder(group, name), entry):
                for path in sorted(p for p in place.rglob("*") if p.is_file() and "__pycache__" not in p.parts):
                    hashed.update(path.relative_to(place).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
            yield f"{group} {name} {owner(entry)} {entry.value} {hashed.hexdigest()}"


def _packages(own: Path, entry: EntryPoint) -> list[Path]:
    """The folders of the top-level package that a module is in: a package may lie in several."""
    spec = find_spec(entry.module.partition(".")[0])
    return [Path(place).resolve() for place in (spec and spec.submodule_search_locations) or (own,)]
