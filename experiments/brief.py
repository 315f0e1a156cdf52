"""Briefs: what somebody asks for in terms of their own, and the rules by which a scene follows from it.

A table `briefs/<name>.yaml` holds the facts that a brief may state (their values, and phrases for each), the rules that turn facts
into a family, a form, a style and counts, and which facts the content gives. Here tables are read, checked and followed, and briefs
are drawn. How a brief is worded is `prompt.py`'s; what of it is held out is `corpus.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from cengine import random
from experiments import arrange, document, families, vary
from experiments import case as library
from experiments.case import Case
from experiments.scene import Counts, Scene
from experiments.style import AXES, Style

FOLDER = Path(__file__).parent / "briefs"
NUMBERS = (
    "no",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
)
STYLE = ("theme", "tone", "density", "background", "frame", "connector")
ABSENT = 0.25  # share of briefs that leave out a fact which may be left out

Thing = TypeVar("Thing")
Facts = tuple[tuple[str, str], ...]  # in the table's order; numbers as digits


class BriefError(ValueError):
    """A table that cannot be read, or facts that it has no answer for."""


class Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Fact(Record):
    """Values with their phrases. `cases`: the values are the topics of the spec's cases. `of`: it is not drawn, but says this of the
    answer. `absent`: what leaving it out means (else it is always stated). `only`: outputs of the rules with which it is stated at all.
    """

    values: dict[str, tuple[str, ...]] = {}
    cases: bool = False
    of: Literal["family", "form"] | None = None
    absent: str | None = None
    only: dict[str, tuple[str, ...]] = {}

    @field_validator("values", mode="before")
    @classmethod
    def _names_are_phrases(cls, value: object) -> object:
        """A list of values is a table of values that are called by their names."""
        return {v: (str(v).replace("_", " "),) for v in value} if isinstance(value, list) else value


class Rule(Record):
    """An output by the facts and outputs that it is looked up with: nested tables, or without `is` the one input itself."""

    source: tuple[str, ...] = Field(..., alias="from", min_length=1)
    table: dict | None = Field(default=None, alias="is")

    def follow(self, known: Mapping[str, str]) -> object:
        at: object = self.table
        for name in self.source:
            value = known.get(name)
            if self.table is None:
                return value
            if not isinstance(at, dict) or value not in at:
                raise BriefError(
                    f"brief: no rule for {name} {value!r}, expected one of {', '.join(at) if isinstance(at, dict) else 'nothing'}"
                )
            at = at[value]
        return at


class Table(Record):
    """A table of briefs. `counts`: count of a form -> the fact by which the content states it; `fixed`: counts that keep one value;
    `parts`: briefs state how many of the parts of a case are said (`arrange.countings`); `names`: what parts may be called where they are
    listed instead of counted; `hints`: what a form is called in a hint. `varied`: every case of the families is a topic, and beside the
    table's facts a brief states how the case is varied (`vary.choices`).
    """

    name: str
    facts: dict[str, Fact] = Field(..., min_length=1)
    rules: dict[str, Rule] = {}
    counts: dict[str, str] = {}
    fixed: dict[str, int] = {}
    names: tuple[str, ...] = ()
    parts: bool = False
    hints: dict[str, str] = {}
    varied: bool = False

    def phrases(self, fact: str, value: str) -> Sequence[str]:
        known = self.facts[fact].values if fact in self.facts else {}
        return known.get(value) or (value.replace("_", " "),)

    def outputs(self, facts: Mapping[str, str]) -> dict:
        """What the rules give, in their order; a fact that is left out counts as what its absence means, and a rule about a fact
        that is not stated with every brief is left out with it.
        """
        known: dict = {name: fact.absent for name, fact in self.facts.items() if fact.absent} | dict(facts)
        made: dict = {}
        for name, rule in self.rules.items():
            if any(source in self.facts and self.facts[source].only and source not in known for source in rule.source):
                continue
            made[name] = known[name] = rule.follow(known)
        return made


@dataclass(frozen=True)
class Drawn:
    """A brief with the scene that answers it, and the case whose content the scene is drawn with. `arranged`: the brief says the structure."""

    facts: Facts
    case: str
    scene: Scene
    style: Style  # as it was asked for; the scene's may hold more, which its family says by itself
    arranged: bool = False


def names() -> list[str]:
    """Every table's name, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


@cache
def load(name: str) -> Table:
    """The table called `name`. Raises BriefError with every fault."""
    if name not in names():
        raise BriefError(f"briefs: got {name!r}, expected one of {', '.join(names())}")
    return read((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"), name)


def read(text: str, name: str) -> Table:
    """A table from YAML text. Raises BriefError with every fault and its path."""
    try:
        table = Table.model_validate({"name": name, **document.read(text)})
    except document.DocumentError as error:
        raise BriefError(f"briefs/{name}.yaml: {error}") from error
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise BriefError(f"briefs/{name}.yaml: {told}") from error
    if found := list(_faults(table)):
        raise BriefError(f"briefs/{name}.yaml: " + "; ".join(found))
    return table


def _faults(table: Table) -> Iterator[str]:
    """Rules that read what is not there, lack a value, or give what no style has; phrases that two values share."""
    known: dict[str, set[str]] = {name: set(fact.values) for name, fact in table.facts.items()}
    for name, rule in table.rules.items():
        if missing := [s for s in rule.source if s not in known]:
            yield f"rules.{name}.from: got {', '.join(missing)}, expected facts or earlier rules: {', '.join(known)}"
            continue
        known[name] = set(known[rule.source[0]]) if rule.table is None else set()
        if rule.table is not None:
            yield from _walk(f"rules.{name}.is", rule.table, rule.source, known, known[name])
        if strange := known[name] - set(AXES[name]) if name in AXES else set():
            yield f"rules.{name}: got {', '.join(sorted(strange))}, expected values of {name}: {', '.join(AXES[name])}"
    for name, fact in table.facts.items():
        if fact.absent and fact.absent not in fact.values:
            yield f"facts.{name}.absent: got {fact.absent!r}, expected one of {', '.join(fact.values)}"
        owner: dict[str, str] = {}
        for value, phrases in fact.values.items():
            for phrase in phrases:
                if owner.setdefault(phrase, value) != value:
                    yield f"facts.{name}: got {phrase!r} for {owner[phrase]} and {value}, expected a phrase of its own"


def _walk(
    place: str, at: object, source: Sequence[str], known: Mapping[str, set[str]], found: set[str]
) -> Iterator[str]:
    """Every value of the inputs has an entry at its level, and nothing else has; leaves are collected."""
    if not source:
        if isinstance(at, str):
            found.add(at)
        return
    if not isinstance(at, dict):
        yield f"{place}: got {at!r}, expected a table by {source[0]}"
        return
    expected = known[source[0]] or set(at)
    for value in sorted(expected ^ set(at), key=str):
        yield f"{place}: {value!r} is {'not a value of' if value in at else 'missing for'} {source[0]}"
    for value in sorted(expected & set(at)):
        yield from _walk(f"{place}.{value}", at[value], source[1:], known, found)


# ------------------------------------------------------------------------------------------------- drawing


class Source(Record):
    """What a draw needs to know of a spec."""

    table: str
    surface: str
    families: tuple[str, ...]


def draw(source: Source, seed: int, count: int) -> Iterator[Drawn]:
    """`count` briefs, every fact drawn evenly and on its own, each with its answer."""
    table = load(source.table)
    cases = _cases(source)
    values = {n: sorted(cases) if fact.cases else list(fact.values) for n, fact in table.facts.items()}
    width = 2 * len(values) + 2 + (vary.WORDS if table.varied else 0)
    words = random.bits(seed, random.stream_of(f"brief/{table.name}"), count * width)
    for row in words.reshape(count, -1):
        yield _answer(table, source, cases, _facts(table, values, row), row)


def _facts(table: Table, values: Mapping[str, list[str]], row: np.ndarray) -> dict[str, str]:
    """One value of each fact, or none where the draw leaves it out."""
    found = {}
    for place, (name, fact) in enumerate(table.facts.items()):
        if not fact.of and (fact.absent is None or row[2 * place] >= ABSENT * 2**32):
            found[name] = values[name][int(row[2 * place + 1]) % len(values[name])]
    return found


def _answer(table: Table, source: Source, cases: Mapping[str, Case], facts: dict[str, str], row: np.ndarray) -> Drawn:
    own = next((cases[facts[n]] for n, fact in table.facts.items() if fact.cases), None)
    made = _made(table, own, facts)
    facts = {n: v for n, v in facts.items() if all(made.get(k) in vs for k, vs in table.facts[n].only.items())}
    made = _made(table, own, facts)
    if own and table.varied:
        chosen = vary.pick(own, source.surface, style_of(made), row[-vary.WORDS :].tolist())
        return Drawn(
            (("layout", own.family), *facts.items(), *chosen.facts), own.id, chosen.scene, chosen.scene.style, True
        )
    facts = {n: made[fact.of] if fact.of else facts[n] for n, fact in table.facts.items() if fact.of or n in facts}
    if own and own.surface != "bundle":
        if table.parts:
            facts |= {name: str(n) for name, n in pick(arrange.countings(own.family, own.components), row[-1])}
        return Drawn(tuple(facts.items()), own.id, _said(own, made | facts), style_of(made))
    form = made["family"], made["form"]
    counts = counts_of(table, made) or pick(_legal(*form, tuple(table.fixed.items())), row[-1])
    facts |= stated(table, *form, counts)
    able = own or pick(_able(*form), row[-2])
    scene = build(source.surface, made, counts, able.id)
    return Drawn(tuple(facts.items()), able.id, scene, scene.style, source.surface != "bundle")


def _said(own: Case, asked: Mapping[str, str]) -> Scene:
    """A case with its parts as they are asked for, in the style that is asked for."""
    return replace(own, components=arrange.vary(own.family, own.components, asked)).scene(style_of(asked))


def _made(table: Table, own: Case | None, facts: Mapping[str, str]) -> dict:
    """What the rules give, with the family and the form of the case where the topic chooses one."""
    return table.outputs(facts) | ({"family": own.family, "form": own.form} if own else {})


def answer(source: Source, facts: Mapping[str, str]) -> Scene:
    """The scene that answers to facts, counts included. Raises BriefError where the table has none."""
    table, cases = load(source.table), _cases(source)
    own = next((cases[facts[n]] for n, fact in table.facts.items() if fact.cases), None)
    made = _made(table, own, facts)
    if own and table.varied:
        asked = {name: value for name, value in facts.items() if name not in ("layout", *table.facts)}
        return vary.follow(own, source.surface, style_of(made), asked)
    if own and own.surface != "bundle":
        return _said(own, {**made, **facts})
    counts = counts_of(table, made) or counted(table, made["family"], made["form"], facts)
    return build(source.surface, made, counts, own.id if own else "")


def build(surface: str, made: Mapping[str, str], counts: Counts, topic: str) -> Scene:
    """A form with counts in a style: as it is on the bundle surface, arranged and without its form elsewhere."""
    scene = families.load(made["family"]).lower(made["form"], counts, style_of(made))
    return scene if surface == "bundle" else arrange.arrange(scene, topic, made)


def style_of(made: Mapping[str, str]) -> Style:
    return Style(**{axis: made[axis] for axis in STYLE if axis in made})


def counts_of(table: Table, made: Mapping) -> Counts | None:
    """Counts that a rule gives, None where the content gives them."""
    given = made.get("counts")
    return (
        tuple((name, given[name]) for name in families.load(made["family"]).forms[made["form"]].ranges)
        if given
        else None
    )


def stated(table: Table, family: str, form: str, counts: Counts) -> dict[str, str]:
    """The facts by which content states counts: those that may vary and do not follow from another."""
    record = families.load(family).forms[form]
    return {
        table.counts[name]: str(value)
        for name, value in counts
        if name in table.counts
        and name not in (*record.derived, *table.fixed)
        and record.ranges[name][0] < record.ranges[name][1]
    }


def counted(table: Table, family: str, form: str, facts: Mapping[str, str]) -> Counts:
    """The counts that facts state, the rest as the form has it."""
    record = families.load(family).forms[form]
    wanted = {n: facts[f] for n, f in table.counts.items() if f in facts and n in record.ranges}
    for counts in _legal(family, form, tuple(table.fixed.items())):
        if all(str(dict(counts)[name]) == value for name, value in wanted.items()):
            return counts
    raise BriefError(f"brief: {form} has no counts {wanted}, expected {dict(record.ranges)}")


@cache
def _legal(family: str, form: str, fixed: tuple[tuple[str, int], ...]) -> tuple[Counts, ...]:
    """Counts that a form draws, without those that differ from what is fixed."""
    own = dict(fixed)
    return tuple(c for c in families.load(family).forms[form].legal() if all(own.get(n, v) == v for n, v in c))


def pick(items: Sequence[Thing], word: int) -> Thing:
    return items[int(word) % len(items)]


@cache
def _able(family: str, form: str) -> tuple[Case, ...]:
    found = tuple(c for c in library.every(family, "bundle") if c.form == form)
    if not found:
        raise BriefError(f"family {family}: no case of form {form}; add one to families/{family}/cases/")
    return found


def topics(source: Source) -> tuple[Case, ...]:
    """The cases that briefs ask for by name; none where the table has rules for everything."""
    asks = any(fact.cases for fact in load(source.table).facts.values())
    return tuple(_cases(source).values()) if asks else ()


def _cases(source: Source) -> dict[str, Case]:
    """Cases by the topic that a brief calls them: all if they are varied, those of forms where the table counts parts, else the surface's."""
    if load(source.table).varied:
        return {c.topic or c.id: c for family in source.families for c in library.every(family)}
    kind: Literal["bundle"] | str = "bundle" if load(source.table).counts else source.surface
    return {c.topic or c.id: c for family in source.families for c in library.every(family, kind)}
