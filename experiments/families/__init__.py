"""Families are found, not registered: every folder beside this file that holds a `family.py` is one, and what other packages offer
(`experiments/plugin.py`).
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path

from experiments import plugin
from experiments.family import Family

FOLDER = Path(__file__).parent


@cache
def own() -> tuple[str, ...]:
    """The families of this folder, sorted."""
    return tuple(sorted(path.parent.name for path in FOLDER.glob("*/family.py")))


@cache
def names() -> tuple[str, ...]:
    """Every family's name, sorted. Raises PluginError if packages take each other's names."""
    return plugin.names(plugin.FAMILIES, own())


@cache
def load(name: str) -> Family:
    """The family called `name`."""
    if name not in names():
        raise KeyError(f"no family `{name}`; there are {', '.join(names())}")
    if name in own():
        family: Family = import_module(f"{__name__}.{name}.family").FAMILY
    else:
        family = plugin.load(plugin.FAMILIES, name, Family)
    if family.name != name:
        raise ValueError(f"{folder(name)} declares the family `{family.name}`, expected `{name}`")
    return family


def folder(name: str) -> Path:
    """Where a family's module lies, with its `cases`."""
    return FOLDER / name if name in own() else plugin.folder(plugin.FAMILIES, name)
