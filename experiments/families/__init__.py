"""Families are found, not registered: every folder beside this file that holds a `family.py` is one."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path

from experiments.family import Family

FOLDER = Path(__file__).parent


@cache
def names() -> tuple[str, ...]:
    """Every family's name, sorted."""
    return tuple(sorted(path.parent.name for path in FOLDER.glob("*/family.py")))


@cache
def load(name: str) -> Family:
    """The family called `name`."""
    if name not in names():
        raise KeyError(f"no family `{name}`; there are {', '.join(names())}")
    family: Family = import_module(f"{__name__}.{name}.family").FAMILY
    if family.name != name:
        raise ValueError(f"families/{name}/family.py declares the name `{family.name}`, expected `{name}`")
    return family
