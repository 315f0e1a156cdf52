"""What the grammars of surfaces share: attributes in their order, and components as a family allows them.

`Parts` knows how often each kind may still come, which ids are taken and which ends wait for theirs; how a component is
spelled is the surface's own business. It only has to be roughly right: a closing is believed when the surface has parsed it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from types import MappingProxyType

from experiments.family import Family, Kind
from experiments.pen import Pen, Refused
from experiments.tag import ID

STAGES = "stage_card"  # components that arrows join by number where they have no ids


OPEN = ("", "#")  # values that go on as they like, the second after a sign of its own


@dataclass(frozen=True)
class Spelling:
    """How an attribute is written: `[theme:infra_dark]` unless said otherwise."""

    opening: Callable[[str], str] = lambda name: f" [{name}:"
    closing: Callable[[str], str] = lambda name: "]"

    def whole(self, name: str, value: str) -> str:
        """An attribute with its value, or only its beginning where the value is open."""
        return self.opening(name) + value + (self.closing(name) if value not in OPEN else "")


BRACKETS = Spelling()
Say = Callable[[Pen, str], str]  # says the open value of an attribute


def say_id(pen: Pen, stop: str) -> str:
    return pen.word(("a",), ID, stop)


@lru_cache(maxsize=2000)
def _table(
    spelling: Spelling, names: tuple[str, ...], legal: tuple[tuple[str, ...], ...]
) -> Mapping[str, tuple[str, str]]:
    """What may be said of these attributes, the last of them first: text -> (name, value)."""
    pairs = [(name, value) for name, values in zip(names, legal, strict=True) for value in values]
    pairs.sort(key=lambda pair: -names.index(pair[0]))
    return MappingProxyType({spelling.whole(name, value): (name, value) for name, value in pairs})


def attributes(
    pen: Pen, order: Sequence[str], legal: Mapping[str, Sequence[str]], needed: Sequence[str], after: Callable[[dict[str, str]], Sequence[str]],
    spelling: Spelling = BRACKETS, values: Mapping[str, Say] | None = None,
) -> dict[str, str]:  # fmt: skip
    """Attributes in order, each at most once. `legal`: their closed lists, in which "" stands for an open value and "#" for one that
    begins so; `values` say those, by name (an id by default). `after`: what may follow the last needed one.
    """
    found: dict[str, str] = {}
    at = 0
    while at < len(order):
        left = next((i for i in range(at, len(order)) if order[i] in needed), None)
        names = order[at : len(order) if left is None else left + 1]
        table = _table(spelling, tuple(names), tuple(tuple(legal.get(name, ("",))) for name in names))
        follow = tuple(after(found)) if left is None else ()
        chosen = pen.sees((*follow, *table))
        if chosen in follow:
            break
        pen.choose((*follow, *table))
        name, value = table[chosen]
        if value in OPEN:
            end = spelling.closing(name)
            value += (values or {}).get(name, say_id)(pen, end[0])
            pen.say(end)
        found[name] = value
        at = order.index(name) + 1
    return found


@dataclass
class Parts:
    """The components said so far."""

    family: Family
    kinds: list[Kind]
    plan: int
    least: Mapping[str, int]
    counts: Counter[str] = field(default_factory=Counter)
    names: list[tuple[str, str]] = field(default_factory=list)  # (id, kind), in order
    waiting: list[str] = field(default_factory=list)  # ends that no component has yet
    pairs: list[tuple[str, str]] = field(default_factory=list)
    rank: int = -1

    @classmethod
    def of(cls, pen: Pen, family: Family, values: Mapping[str, str], omit: Sequence[str] = ()) -> Parts:
        """`[columns:3]` asks for three of the kind that is asked for as columns. `omit`: kinds that are said otherwise."""
        said = {kind.name: values.get(kind.asked, "") for kind in family.kinds.values() if kind.asked}
        least = {
            k.name: int(said[k.name]) if said.get(k.name, "").isdigit() else k.at_least for k in family.kinds.values()
        }
        return cls(family, [k for k in family.kinds.values() if k.name not in omit], pen.plan, least)

    # ---- what may come

    def needed(self) -> dict[str, int]:
        """How many of each kind the shortest whole scene has, by the plan: 1 joins all neighbours, 2 has as many edges as stages, 3 one
        part more."""
        kinds, found = self.kinds, dict(self.least)
        for number, group in getattr(self.family, "least", ()):
            there = sum(max(self.counts[name], found.get(name, 0)) for name in group)
            first = next((n for n in group if n in found and self.family.kinds[n].rank >= self.rank), None)
            if there < number and first:
                found[first] = max(self.counts[first], found[first]) + number - there
        holder = next((k.name for k in kinds if k.id_tag and k.rank >= self.rank and not k.last), None)
        if self.waiting and holder:
            found[holder] = max(found[holder], self.counts[holder] + len(self.waiting))
        edge = next((k.name for k in kinds if k.end_tags), None)
        stage = next((k.name for k in kinds if k.id_tag or k.name == STAGES), None)
        if edge and stage and self.plan in (1, 2):
            found[edge] = max(found[edge], max(self.counts[stage], found[stage]) - (2 - self.plan))
        if self.plan == 3:
            extra = next(
                (
                    k.name
                    for k in kinds
                    if not found[k.name] and not k.end_tags and k.rank >= self.rank and self.counts[k.name] == 0
                ),
                None,
            )
            found |= {extra: 1} if extra else {}
        return found

    def options(self) -> tuple[list[Kind], bool, list[Kind]]:
        """(kinds that must still come, first things first; whether the scene may end; kinds that may come besides)."""
        kinds, needed = self.kinds, self.needed()
        lacking = [k for k in kinds if self.counts[k.name] < needed[k.name]]
        lacking.sort(key=lambda k: (k.rank, bool(k.end_tags)))
        owed = [k.rank for k in kinds if self.counts[k.name] < self.least[k.name]]
        floor = min(owed, default=99)
        may = [k for k in kinds if self.rank <= k.rank <= floor and self.counts[k.name] < k.at_most]
        first = [k for k in lacking if k in may]
        return first, not lacking and not self.waiting, [k for k in may if k not in first]

    def coming(self, pen: Pen, openings: Callable[[Kind], str], end: str) -> dict[str, Kind | None]:
        """The openings of what may come, first things first; the end is that of no kind."""
        first, whole, others = self.options()
        if not first and not whole and pen.closing:
            raise Refused("what is needed may not come any more")
        found: dict[str, Kind | None] = {openings(kind): kind for kind in first}
        found |= {end: None} if not first or not pen.closing else {}
        return found | {openings(kind): kind for kind in others}

    def next(self, pen: Pen, openings: Callable[[Kind], str], end: str) -> Kind | None:
        """Say the opening of a component, or the end (then None)."""
        table = self.coming(pen, openings, end)
        kind = table[pen.choose(tuple(table))]
        if kind:
            self.counts[kind.name] += 1
            self.rank = kind.rank
        return kind

    # ---- ids and ends

    def id(self, pen: Pen, kind: Kind, stops: str) -> None:
        """Say an id that is not taken; one that an edge waits for, first."""
        taken = {name for name, _ in self.names}
        fresh = next(f"n{i}" for i in range(1, 99) if f"n{i}" not in taken)
        name = pen.word((*self.waiting, fresh), ID, stops, mend=("0", "1", "2", "3", "x", "y", "z"))
        if name in taken:
            raise Refused(name)
        self.names.append((name, kind.name))
        self.waiting = [w for w in self.waiting if w != name]

    def source(self, pen: Pen, stops: str, tail: str = "") -> str:
        """Say one end; `tail` stands behind it."""
        pattern = re.compile(f"(?:{self._ends()}){tail}")
        return pen.word(
            (a + tail for a in self._likely(a for a, _ in self._pairs())), pattern, stops, mend=("0" + tail, tail)
        ).removesuffix(tail)

    def _ends(self) -> str:
        """What an end may be: any id while parts with ids may still come, or where parts go by other names too; else one of the known ones."""
        if STAGES in self.family.kinds or self._holder():
            return ID.pattern
        return "|".join(map(re.escape, self._known()))

    def _likely(self, first: Iterable[str]) -> Iterator[str]:
        """Likely ends, best first. Nothing is listed before it is asked for, which is where the text leaves an end open."""
        yield from dict.fromkeys([*first, *self._known(), *self._fresh()])

    def target(self, pen: Pen, source: str, stops: str) -> None:
        """Say the other end; ends that no component has yet wait for one."""
        one = self._stage(source)
        likely = self._likely(b for a, b in self._pairs() if a == one)
        target = pen.word((b for b in likely if b != source), re.compile(self._ends()), stops)
        known = {*self._known(), *self.waiting}
        if self._holder():
            self.waiting += [n for n in dict.fromkeys((source, target)) if self._stage(n) not in known]
        self.pairs.append((one, self._stage(target)))

    def _stage(self, name: str) -> str:
        """Stages without ids are `2` as well as `stage_2`; those with ids may be called by number too."""
        if not name.isdigit() or STAGES not in self.family.kinds:
            return name
        stages = [n for n, kind in self._known().items() if kind == STAGES]
        return stages[int(name) - 1] if 0 < int(name) <= len(stages) else name

    def _holder(self) -> Kind | None:
        """A kind whose components may still come, with an id."""
        return next(
            (k for k in self.kinds if k.id_tag and k.rank >= self.rank and self.counts[k.name] < k.at_most), None
        )

    def _fresh(self) -> list[str]:
        """Two names that no component has yet, where some may still get them."""
        taken = {name for name, _ in self.names}
        return [f"n{i}" for i in range(1, 99) if f"n{i}" not in taken][:2] if self._holder() else []

    def _known(self) -> dict[str, str]:
        """Names of ends with their kinds."""
        found = dict(self.names)
        return found if found else {f"stage_{i + 1}": STAGES for i in range(self.counts[STAGES])}

    def _pairs(self) -> Iterator[tuple[str, str]]:
        """Pairs of ends that are not joined yet: neighbours, then the others. What is an end of the picture comes last as a source."""
        known = self._known()
        names = [n for n, kind in known.items() if kind == STAGES or self.family.kinds[kind].id_tag]
        names = sorted(names, key=lambda n: "outcome" in known[n])
        coming = [(names[-1], fresh) for fresh in self._fresh()] if names else []
        every = [*pairwise(names), *coming, *((a, b) for a in names for b in names if a != b)]
        for a, b in dict.fromkeys(every):
            if (a, b) not in self.pairs and not (known[a] in self.family.kinds and self.family.kinds[known[a]].last):
                yield a, b
