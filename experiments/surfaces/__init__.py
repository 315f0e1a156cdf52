"""Surfaces: textual dialects of the one scene model. Found, not registered: every module beside this file is one, and
what other packages offer (`experiments/plugin.py`).

A surface is a module with `families()`, `format(scene)`, `parse(text)`, `prompt(scene)` and `vocabulary(...)`; one that has a
`grammar(pen)` (`experiments/pen.py`) can be decoded under a mask; `once(text)` finds what stands once in a text, broken or whole
(`tag.stated`), where that is more than the attributes of `block.py`.
`parse(format(scene)) == scene` for every scene of a family that it carries; whatever it cannot write it refuses.
Repairing or completing a text is not a surface's work.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from experiments import plugin
from experiments.scene import Scene
from experiments.tag import SurfaceError, Vocabulary

__all__ = ["Surface", "SurfaceError", "Vocabulary", "load", "names"]


class Surface(Protocol):
    """What a surface module offers. `MARKER` names the opening and closing tag of its texts; where these are no bracket tags,
    `MARKERS` says what they are; `BARE`, a pattern, what else than tags may stand between them.
    """

    MARKER: str

    def families(self) -> tuple[str, ...]:
        """Families that this surface carries."""

    def format(self, scene: Scene) -> str:
        """The one canonical text of a scene."""

    def parse(self, text: str) -> Scene:
        """The scene of a text, or SurfaceError with every violation."""

    def prompt(self, scene: Scene) -> str:
        """The canonical tag prompt that asks for a scene."""

    def vocabulary(self, families: Sequence[str] | None = None) -> Vocabulary:
        """Structural tags to reserve in a tokenizer, for these families (all by default)."""


@cache
def own() -> tuple[str, ...]:
    """The surfaces of this folder, sorted."""
    return tuple(sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_")))


@cache
def names() -> tuple[str, ...]:
    """Every surface's name, sorted. Raises PluginError if packages take each other's names."""
    return plugin.names(plugin.SURFACES, own())


@cache
def load(name: str) -> Surface:
    """The surface called `name`."""
    if name not in names():
        raise KeyError(f"no surface `{name}`; there are {', '.join(names())}")
    if name in own():
        return cast(Surface, import_module(f"{__name__}.{name}"))
    found = plugin.load(plugin.SURFACES, name)
    if lacking := [
        a for a in ("MARKER", "families", "format", "parse", "prompt", "vocabulary") if not hasattr(found, a)
    ]:
        raise plugin.PluginError(f"surface {name!r}: it has no {', '.join(lacking)}; expected all that Surface lists")
    return cast(Surface, found)
