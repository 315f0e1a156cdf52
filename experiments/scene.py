"""The scene model: what a model says, before any words or numbers are bound to it.

Frozen and hashable. Every surface formats and parses this one model; families give it meaning, the compiler draws it.
A scene never holds display text: components carry *references* into a content document.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from experiments.style import Style

Counts = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Component:
    """One part of a scene. Edges have `source` and `target`; the rest may have an `id`. `ref` is a dotted path into
    the content.
    """

    kind: str
    id: str | None = None
    ref: str | None = None
    source: str | None = None
    target: str | None = None
    attributes: tuple[tuple[str, str], ...] = ()

    def get(self, name: str, default: str | None = None) -> str | None:
        """The value of an attribute such as `lane`."""
        return dict(self.attributes).get(name, default)


@dataclass(frozen=True, slots=True)
class Scene:
    """A family, a style and components. `form` and `counts` are set where the surface states them (bundle), empty
    elsewhere.
    """

    family: str
    style: Style = field(default_factory=Style)
    topic: str = ""
    form: str = ""
    counts: Counts = ()
    components: tuple[Component, ...] = ()

    def of(self, *kinds: str) -> tuple[Component, ...]:
        """The components of the given kinds, in scene order."""
        return tuple(c for c in self.components if c.kind in kinds)
