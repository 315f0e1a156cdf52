"""What a family of pictures declares: forms with legal counts, component kinds, content shape, lowering and layout.

A family is one folder `families/<name>/` whose `family.py` ends in `FAMILY = ...`. This file holds the shared records
and the checks that every family gets for free. It holds no family, no drawing and no text syntax.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import product
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from experiments.content import Shape
from experiments.scene import Component, Counts, Scene
from experiments.style import Style
from experiments.violation import nearest

if TYPE_CHECKING:
    from experiments.compiler.bind import Bound
    from experiments.compiler.sheet import Sheet
    from experiments.compiler.tree import Tree


@dataclass(frozen=True, slots=True)
class Slot:
    """One field of a component that takes its content field by field. `named`: written `name=value` rather than by position;
    `legal`: its closed list of values, empty for words.
    """

    name: str
    required: bool = True
    named: bool = False
    legal: tuple[str, ...] = ()


@dataclass(frozen=True)
class Kind:
    """A component kind: how a block names its id, its ends and its reference, how often it may occur, what its
    reference holds.

    `rank` orders the kinds of a family in a scene: a lower rank comes first, equal ranks may interleave. A kind with `slots` has no
    reference of its own but a path for each field, and `data` is the shape that these make together.
    """

    name: str
    rank: int
    data: tuple[type, ...] = ()
    at_least: int = 0
    at_most: int = 99
    id_tag: str | None = None
    id_required: bool = True
    end_tags: tuple[str, str] | None = None
    ref_tag: str | None = "ref"
    refs: tuple[int, int] = (1, 1)  # fewest and most references of one component; several are bound as a tuple
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    last: bool = False  # no edge may leave it
    apart: bool = False  # no edge and no span names it: parts of another kind may have the same id
    asked: str = ""  # the tag in which a prompt states how many there are, where it does: `columns` for [columns:3]
    slots: tuple[Slot, ...] = ()


@dataclass(frozen=True)
class Form:
    """A sub-layout with the counts that it can draw. `derived` fields follow another field: `{"arrows": ("stages",
    -1)}`.
    """

    name: str
    ranges: Mapping[str, tuple[int, int]]
    usual: Mapping[str, int]
    derived: Mapping[str, tuple[str, int]] = field(default_factory=dict)

    def faults(self, counts: Mapping[str, int]) -> Iterator[tuple[str, str, str]]:
        """(field, got, expected) for each count that this form cannot draw."""
        for name, (low, high) in self.ranges.items():
            if name not in counts:
                yield name, "nothing", f"a count from {low} to {high}"
            elif not low <= counts[name] <= high:
                yield (
                    name,
                    str(counts[name]),
                    f"{low} to {high} in form {self.name}" if low < high else f"{low} in form {self.name}",
                )
        for name, (other, delta) in self.derived.items():
            if name in counts and other in counts and counts[name] != counts[other] + delta:
                rule = f"{other}{delta:+d}" if delta else other
                yield name, str(counts[name]), f"{counts[other] + delta} (= {rule})"
        for name in counts:
            if name not in self.ranges:
                yield name, f"a count `{name}`", "only " + ", ".join(self.ranges)

    def legal(self) -> tuple[Counts, ...]:
        """Every count tuple that this form draws, in a fixed order."""
        return self._legal

    @cached_property
    def _legal(self) -> tuple[Counts, ...]:
        axes = [range(low, high + 1) for low, high in self.ranges.values()]
        every = (tuple(zip(self.ranges, values, strict=True)) for values in product(*axes))
        return tuple(counts for counts in every if not any(self.faults(dict(counts))))


Named = TypeVar("Named", Kind, Form)


def by_name(*records: Named) -> Mapping[str, Named]:
    """A read-only table of kinds or forms, in the order given."""
    return MappingProxyType({record.name: record for record in records})


@dataclass(frozen=True)
class Fault:
    """A structural defect of a scene: the index of the component it concerns (None = the scene as a whole)."""

    component: int | None
    got: str
    expected: str


class Family(ABC):
    """One kind of picture. Subclasses set the class attributes and implement `draw`; those with forms implement
    `parts`.
    """

    name: str
    title: str  # what a reader calls such a picture
    kinds: Mapping[str, Kind]
    content: type[Shape]
    forms: Mapping[str, Form] = {}
    axes: tuple[str, ...] = ()  # style attributes that its prompts state besides theme, tone and density
    chained = False  # its edges lead from each part to the next one, whichever parts these are
    tied: tuple[
        str, ...
    ] = ()  # kinds whose content names other parts: they stay where they are, or out, where parts change places
    spelling: Literal["blocks", "fields", "own"] = (
        "blocks"  # which surfaces write it: gold and compact; asset, keyed, dotted; its own
    )

    # ---- structure

    def parts(self, form: Form, counts: Mapping[str, int]) -> Iterator[Component]:
        """The components that a bundle of this form and these counts stands for."""
        raise NotImplementedError(f"{self.name} has no forms")

    @cache  # noqa: B019 - families are a handful of module-level singletons
    def _components(self, form: str, counts: Counts) -> tuple[Component, ...]:
        return tuple(self.parts(self.forms[form], dict(counts)))

    def lower(self, form: str, counts: Counts, style: Style) -> Scene:
        """Bundle -> scene. The counts must be legal: `Form.faults` says why they are not."""
        faults = [
            f"{name}: got {got}, expected {expected}" for name, got, expected in self.forms[form].faults(dict(counts))
        ]
        if faults:
            raise ValueError(f"{self.name}/{form} cannot be lowered: " + "; ".join(faults))
        return Scene(self.name, style, form=form, counts=counts, components=self._components(form, counts))

    def inspect(self, scene: Scene) -> Iterator[Fault]:
        """Structural defects that need no content: number and order of parts, ids, edge ends, counts that do not
        hold.
        """
        yield from self._inspect_kinds(scene)
        yield from self._inspect_ids(scene)
        yield from self._inspect_slots(scene)
        if scene.form:
            yield from self._inspect_form(scene)

    def _inspect_kinds(self, scene: Scene) -> Iterator[Fault]:
        seen = Counter(c.kind for c in scene.components)
        rank, last = -1, ""
        for index, part in enumerate(scene.components):
            kind = self.kinds.get(part.kind)
            if kind is None:
                yield Fault(index, f"component `{part.kind}`", f"one of {', '.join(self.kinds)} in a {self.name}")
            elif kind.rank < rank:
                yield Fault(index, f"`{part.kind}` after `{last}`", f"`{part.kind}` before it")
            else:
                rank, last = kind.rank, part.kind
            if kind and kind.ref_tag and not kind.refs[0] <= len(part.refs) <= kind.refs[1]:
                low, high = kind.refs
                yield Fault(
                    index,
                    f"{len(part.refs)} references in `{part.kind}`",
                    f"{low} to {high}" if low < high else f"{low}",
                )
        for kind in self.kinds.values():
            if not kind.at_least <= seen[kind.name] <= kind.at_most:
                bound = (
                    f"exactly {kind.at_least}"
                    if kind.at_least == kind.at_most
                    else f"{kind.at_least} to {kind.at_most}"
                )
                yield Fault(None, f"{seen[kind.name]} `{kind.name}`", bound)

    def _inspect_ids(self, scene: Scene) -> Iterator[Fault]:
        ids = Counter(self.name_of(c) for c in scene.components if c.id is not None)
        last = {c.id: c.kind for c in scene.components if c.kind in self.kinds and self.kinds[c.kind].last}
        names = self.ends(scene)
        pairs: set[tuple[str, str]] = set()
        first: set[tuple[str, str | None]] = set()
        for index, part in enumerate(scene.components):
            name = self.name_of(part)
            if ids[name] > 1:
                if name in first:
                    yield Fault(index, f"a second component with id `{part.id}`", "ids that occur once")
                first.add(name)
            if part.source is None or part.target is None:
                continue
            for end in (part.source, part.target):
                if end not in names:
                    yield Fault(
                        index, f"an edge end `{end}`", "the id of a component of this scene" + nearest(end, names)
                    )
            if part.source in last:
                got = f"an edge that leaves the {last[part.source].replace('_', ' ')} `{part.source}`"
                yield Fault(index, got, "edges that leave other parts; this one is the end")
            if part.source == part.target:
                yield Fault(index, f"an edge from `{part.source}` to itself", "two different ends")
            if (part.source, part.target) in pairs:
                yield Fault(index, f"a second edge {part.source}->{part.target}", "one edge per pair of ends")
            pairs.add((part.source, part.target))

    def ends(self, scene: Scene) -> Mapping[str, int]:
        """What an edge may name as its end: each name with the position of its component among the scene's components."""
        return {c.id: i for i, c in enumerate(scene.components) if c.id is not None and not self.is_apart(c)}

    def is_apart(self, part: Component) -> bool:
        """Whether nothing but its own kind can confuse its id."""
        return part.kind in self.kinds and self.kinds[part.kind].apart

    def name_of(self, part: Component) -> tuple[str, str | None]:
        """What must occur once: the id, and the kind where the id is that kind's own affair."""
        return part.kind if self.is_apart(part) else "", part.id

    def _inspect_slots(self, scene: Scene) -> Iterator[Fault]:
        """Fields that a component must have, and closed ones with their values. Fields that it cannot have."""
        for index, part in enumerate(scene.components):
            kind = self.kinds.get(part.kind)
            if kind is None or not (kind.slots or part.fields):
                continue
            slots = {slot.name: slot for slot in kind.slots}
            stated = [name for name, _ in (*part.fields, *part.attributes)]
            for name, count in Counter(stated).items():
                if name not in slots or count > 1:
                    got = f"a field `{name}`" if name not in slots else f"{count} fields `{name}`"
                    yield Fault(index, got, f"once each of {', '.join(slots)}" + nearest(name, slots))
            for name, value in part.attributes:
                if name in slots and value not in slots[name].legal:
                    yield Fault(index, f"{name}={value}", f"one of {', '.join(slots[name].legal) or '(a reference)'}")
            for slot in kind.slots:
                if slot.required and slot.name not in stated:
                    yield Fault(index, f"a {kind.name} without `{slot.name}`", f"its `{slot.name}`")
            if kind.slots and not stated:
                yield Fault(index, f"a {kind.name} without fields", f"at least one of {', '.join(slots)}")

    def _inspect_form(self, scene: Scene) -> Iterator[Fault]:
        form = self.forms.get(scene.form)
        if form is None:
            yield Fault(None, f"form `{scene.form}`", f"one of {', '.join(self.forms) or '(none)'} in a {self.name}")
            return
        faults = list(form.faults(dict(scene.counts)))
        for name, got, expected in faults:
            yield Fault(None, f"{name} {got}", expected)
        if not faults and scene.components != self._components(scene.form, scene.counts):
            yield Fault(None, "components that differ from what form and counts stand for", "the components of lower()")

    # ---- drawing

    def document(self, scene: Scene, content: Mapping[str, Any]) -> Mapping[str, Any]:
        """The content that a scene is bound to: the document, and the words that the scene brings along."""
        return {**content, "words": [text for _, text in scene.words]} if scene.words else content

    def form_of(self, bound: Bound) -> str:
        """Which form a scene has where neither it nor its content states one: the first, unless a family can tell by what is bound."""
        return next(iter(self.forms), "")

    @abstractmethod
    def draw(self, bound: Bound, sheet: Sheet) -> Tree:
        """The layout tree of a bound scene."""

    def summary(self, bound: Bound) -> str:
        """One sentence for `<desc>`: what is in the picture, for a reader who cannot see it."""
        counts = Counter(c.kind for c in bound.scene.components if c.kind not in ("header_band", "footer_note"))
        parts = ", ".join(f"{n} {kind.replace('_', ' ')}{'s' if n > 1 else ''}" for kind, n in counts.items())
        return f"{self.title}: {parts}."
