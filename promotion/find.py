"""Finds the metrics and gates of this package: what a module defines is there, nobody edits a list.

Deliberately no plugin system: only the modules of `promotion` itself are read.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from types import ModuleType
from typing import TypeVar

Found = TypeVar("Found")


@cache
def modules() -> tuple[ModuleType, ...]:
    """Import every module of this package, in alphabetical order."""
    package = importlib.import_module(__package__)
    names = sorted(info.name for info in pkgutil.iter_modules(package.__path__))
    return tuple(importlib.import_module(f"{__package__}.{name}") for name in names)


def found(kind: type[Found]) -> dict[str, Found]:
    """Every object of this kind at the top of a module, by its name, in the order in which it is written."""
    result: dict[str, Found] = {}
    for module in modules():
        for name, value in vars(module).items():
            if not isinstance(value, kind):
                continue
            if result.get(name, value) is not value:
                raise TypeError(f"{module.__name__}.{name}: got a second {kind.__name__} of that name; rename one")
            result[name] = value
    return result
