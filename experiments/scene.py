"""The scene model: what a model says, before any words or numbers are bound to it.

Frozen and hashable. Every surface formats and parses this one model; families give it meaning, the compiler draws it.
A component never holds display text: it carries *references* into a content document. Where a surface writes the words into the
scene itself (`asset`, `atoms`, `raw_svg`), they lie beside the components in `Scene.words`, as content that the text brought along.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from experiments.style import Style

Counts = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Component:
    """One part of a scene. Edges have `source` and `target`; the rest may have an `id`. `ref` is a dotted path into
    the content; `more` are further ones, of kinds that hold several. Kinds that take their content field by field have one path for
    each of their `fields` instead. `states` are those of a table's rows, in order, where the scene states them: they are drawn in
    place of the content's; an empty one leaves a row to the content.
    """

    kind: str
    id: str | None = None
    ref: str | None = None
    source: str | None = None
    target: str | None = None
    attributes: tuple[tuple[str, str], ...] = ()
    more: tuple[str, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()
    states: tuple[str, ...] = ()

    @property
    def refs(self) -> tuple[str, ...]:
        """All references of the component as a whole, in order."""
        return (self.ref, *self.more) if self.ref is not None else self.more

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path into the content, whichever way the component refers to it."""
        return (*self.refs, *(path for _, path in self.fields))

    def get(self, name: str, default: str | None = None) -> str | None:
        """The value of an attribute such as `lane`."""
        return dict(self.attributes).get(name, default)


@dataclass(frozen=True, slots=True)
class Scene:
    """A family, a style and components. `form` and `counts` are set where the surface states them (bundle), `words` (path, text)
    where it carries them inline (asset); empty elsewhere.
    """

    family: str
    style: Style = field(default_factory=Style)
    topic: str = ""
    form: str = ""
    counts: Counts = ()
    components: tuple[Component, ...] = ()
    words: tuple[tuple[str, str], ...] = ()

    def of(self, *kinds: str) -> tuple[Component, ...]:
        """The components of the given kinds, in scene order."""
        return tuple(c for c in self.components if c.kind in kinds)
