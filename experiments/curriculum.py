"""Curricula as data (`curriculum.yaml`): competencies that a spec's rows must teach, frontiers at which they are lost, what each stage is for.

Here they are read, checked against the ladder, audited against the rows and cases as drawn, and measured on a probe's outputs. A measure is
a function that `@measure` marks; a frontier names one and a bound. Nothing here changes a row or a score.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from experiments import brief, coverage, document, ladder, prompt
from experiments.material import Material
from experiments.spec import STAGES, Selected, Spec
from experiments.split import fold, tags
from experiments.style import STYLE
from experiments.tag import OUT, TASK
from experiments.violation import nearest

FILE = Path(__file__).parent / "curriculum.yaml"


class CurriculumError(ValueError):
    """A curriculum that cannot be read; the message lists every fault."""


class Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Competency(Record):
    """Something to be learned: of `surfaces` some train it, and in `splits` a case of one of the surfaces `asked` tests it."""

    means: str
    surfaces: tuple[str, ...] = Field(..., min_length=1)
    asked: tuple[str, ...] = Field(..., min_length=1)
    splits: tuple[str, ...] = Field(..., min_length=1)


class Frontier(Record):
    """A way to fail: `measure` over the outputs of `splits` and prompt `surfaces` (all of them by default) beyond its bound."""

    severity: Literal["high", "medium", "low"]
    means: str
    measure: str
    splits: tuple[str, ...] = ()
    surfaces: tuple[str, ...] = ()
    at_least: float | None = None
    at_most: float | None = None
    loses: tuple[str, ...] = Field(..., min_length=1)

    @model_validator(mode="after")
    def _has_one_bound(self) -> Frontier:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("got no bound or two, expected at_least or at_most")
        return self

    def covers(self, case: Mapping[str, Any]) -> bool:
        """Whether it is measured on a case."""
        return (not self.splits or case["split"] in self.splits) and (
            not self.surfaces or case["surface"] in self.surfaces
        )

    def is_reached(self, value: float) -> bool:
        """Whether a value lies beyond the bound: the failure is there."""
        return value < self.at_least if self.at_least is not None else value > (self.at_most or 0.0)


class Plan(Record):
    """A spec's curriculum: the stages in which each competency must be trained, the prompt surfaces that each stage needs, all of them,
    its frontiers, the purpose of each stage.
    """

    competencies: dict[str, tuple[str, ...]] = Field(..., min_length=1)
    surfaces: dict[str, tuple[str, ...]] = Field(..., min_length=1)
    frontiers: tuple[str, ...] = Field(..., min_length=1)
    stages: dict[str, str] = Field(..., min_length=1)


class Book(Record):
    competencies: dict[str, Competency]
    frontiers: dict[str, Frontier]
    specs: dict[str, Plan]


@cache
def load() -> Book:
    """Every curriculum. Raises CurriculumError with every fault."""
    return read(FILE.read_text(encoding="utf-8"))


def read(text: str) -> Book:
    """Curricula from YAML text; CurriculumError with every fault and its path."""
    try:
        book = Book.model_validate(document.read(text))
    except document.DocumentError as error:
        raise CurriculumError(f"{FILE.name}: {error}") from error
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise CurriculumError(f"{FILE.name}: {told}") from error
    if found := list(_faults(book)):
        raise CurriculumError(f"{FILE.name}: " + "; ".join(found))
    return book


def _faults(book: Book) -> Iterator[str]:
    """Names of nothing, and entries that nothing needs."""

    def unknown(place: str, names: Sequence[str], known: Sequence[str]) -> Iterator[str]:
        for name in names:
            if name not in known:
                yield f"{place}: got {name!r}, expected one of {', '.join(known)}{nearest(name, known)}"

    for name, competency in book.competencies.items():
        for place in ("surfaces", "asked"):
            yield from unknown(f"competencies.{name}.{place}", getattr(competency, place), list(prompt.templates()))
    for name, frontier in book.frontiers.items():
        yield from unknown(f"frontiers.{name}.measure", [frontier.measure], list(measures()))
        yield from unknown(f"frontiers.{name}.surfaces", frontier.surfaces, list(prompt.templates()))
        yield from unknown(f"frontiers.{name}.loses", frontier.loses, list(book.competencies))
    yield from unknown("specs", list(book.specs), ladder.names())
    for name, plan in book.specs.items():
        yield from unknown(f"specs.{name}.competencies", list(plan.competencies), list(book.competencies))
        yield from unknown(f"specs.{name}.frontiers", plan.frontiers, list(book.frontiers))
        for stage in dict.fromkeys((*plan.stages, *(s for stages in plan.competencies.values() for s in stages))):
            yield from unknown(f"specs.{name}", [stage], STAGES)
        yield from unknown(f"specs.{name}.surfaces", list(plan.surfaces), list(plan.stages))
        for stage, needed in plan.surfaces.items():
            yield from unknown(f"specs.{name}.surfaces.{stage}", needed, list(prompt.templates()))
    for kind in ("competencies", "frontiers"):
        used = {name for plan in book.specs.values() for name in getattr(plan, kind)}
        yield from (f"{kind}.{name}: got no spec that names it" for name in getattr(book, kind) if name not in used)


# ------------------------------------------------------------------------------------------------- audit


def audit(selected: Selected, drawn: Material, book: Book | None = None) -> list[str]:
    """What a rung's rows and cases do not cover of its curriculum and of what its spec declares, one sentence each."""
    found = coverage.audit(selected, drawn)
    plan = (book or load()).specs.get(selected.spec.name)
    if plan is not None:
        found += _lacking(selected, drawn, plan, book or load())
    return [*found, *profiles(selected.spec, drawn)]


def _lacking(selected: Selected, drawn: Material, plan: Plan, book: Book) -> Iterator[str]:
    stages = selected.rung.stages()
    for stage in (s for s in stages if s not in plan.stages):
        yield f"stage {stage}: got no purpose, expected one in the curriculum of {selected.spec.name}"
    for stage, needed in plan.surfaces.items():
        there = {row.surface for row in drawn.stages.get(stage, [])}
        named = selected.rung.mixture.get(stage, {})  # for what a mixture names, coverage asks
        for surface in (s for s in needed if s not in there and s not in named):
            yield f"surface {surface}: got no row in {stage}, expected some: the curriculum of {selected.spec.name} needs it there"
    cases = drawn.contract["cases"]
    asked = {(case["split"], case["surface"]) for case in cases}
    for name, where in plan.competencies.items():
        competency = book.competencies[name]
        for stage in where:
            there = {row.surface for row in drawn.stages.get(stage, [])}
            if not there & set(competency.surfaces):
                yield f"competency {name}: got no row in {stage}, expected rows of one of {', '.join(competency.surfaces)}"
        if not any(split in competency.splits and surface in competency.asked for split, surface in asked):
            said = f"{', '.join(competency.splits)} asked as one of {', '.join(competency.asked)}"
            yield f"competency {name}: got no case, expected one of {said}"
        if not any(name in book.frontiers[f].loses for f in plan.frontiers):
            yield f"competency {name}: got no frontier, expected one that shows when it is lost"
    for name in plan.frontiers:
        frontier = book.frontiers[name]
        there = {case["split"] for case in cases if frontier.covers(case)}
        if missing := [s for s in frontier.splits if s not in there]:
            yield f"frontier {name}: got no case in {', '.join(missing)}, expected some: it is measured there"
        if not set(frontier.loses) & set(plan.competencies):
            yield f"frontier {name}: got none of the spec's competencies, expected one of {', '.join(frontier.loses)}"


def profiles(spec: Spec, drawn: Material) -> Iterator[str]:
    """Entries of the brief's rules that no trained row follows: an answer that is declared and never taught."""
    if spec.targets.kind != "briefs":
        return
    table = brief.load(spec.targets.briefs)
    unstated = set(table.facts) - set(coverage.stated(spec, table))
    absent = {name: fact.absent for name, fact in table.facts.items() if fact.absent}
    stated = {(row.brief, row.family, row.form) for rows in drawn.stages.values() for row in rows}
    known = [absent | tags(told) | {"family": family, "form": form} for told, family, form in stated]
    for name, rule in table.rules.items():
        if rule.table is None or unstated & set(rule.source):
            continue
        taught = {tuple(facts.get(source) for source in rule.source) for facts in known}
        for path in _paths(rule.table, len(rule.source)):
            if path not in taught and _can_be(spec, rule.source, path):
                said = ", ".join(f"{s} {v}" for s, v in zip(rule.source, path, strict=True))
                yield f"profile {said}: got no trained row, expected some: it decides the {name}"


def _paths(at: Any, depth: int) -> Iterator[tuple[str, ...]]:
    if depth == 0:
        yield ()
        return
    for key, below in at.items():
        yield from ((key, *rest) for rest in _paths(below, depth - 1))


def _can_be(spec: Spec, source: Sequence[str], path: Sequence[str]) -> bool:
    """Entries about families that the spec has not are for others."""
    return all(value in spec.families for name, value in zip(source, path, strict=True) if name == "family")


# ------------------------------------------------------------------------------------------------- measures


class Answer(Protocol):
    """What a measure looks at: a case, its raw output, its class and scores."""

    @property
    def case(self) -> dict: ...
    @property
    def raw(self) -> str: ...
    @property
    def failure(self) -> str: ...
    @property
    def score(self) -> Any: ...


Answers = Sequence[Answer]


@dataclass(frozen=True)
class Measure:
    name: str
    means: str
    of: Callable[[Answers], float]


def measure(function: Callable[[Answers], float]) -> Measure:
    """Marks a function on a probe's outputs as a measure; its docstring is the definition."""
    return Measure(function.__name__, " ".join((function.__doc__ or "").split()), function)


def measures() -> dict[str, Measure]:
    """Every measure by name."""
    return {value.name: value for value in globals().values() if isinstance(value, Measure)}


def measured(spec: str, answers: Answers, book: Book | None = None) -> dict[str, float | None]:
    """Frontier of a spec -> its measure; null where its splits have no output."""
    book = book or load()
    plan = book.specs.get(spec)
    found: dict[str, float | None] = {}
    for name in plan.frontiers if plan else ():
        frontier = book.frontiers[name]
        mine = [a for a in answers if frontier.covers(a.case)]
        found[name] = round(measures()[frontier.measure].of(mine), 6) if mine else None
    return found


def reached(values: Mapping[str, float | None], book: Book | None = None) -> list[str]:
    """Frontiers whose measure lies beyond its bound, or is not known."""
    known = (book or load()).frontiers
    return [name for name, value in values.items() if value is None or known[name].is_reached(value)]


def _share(answers: Answers, holds: Callable[[Answer], bool]) -> float:
    return sum(map(holds, answers)) / len(answers)


def _pull(answers: Answers, *names: str) -> float:
    """The most that one value of some tags is said too often."""
    said: Counter[tuple] = Counter()
    for answer in answers:
        got, expected = tags(fold(answer.raw)), tags(answer.case["expected"])
        said[tuple(got.get(n) for n in names)] += 1
        said[tuple(expected.get(n) for n in names)] -= 1
    return max(0, max(said.values())) / len(answers)


@measure
def exact(answers: Answers) -> float:
    """Share of exact outputs."""
    return _share(answers, lambda a: a.score.exact)


@measure
def wrong_family(answers: Answers) -> float:
    """Share of outputs that fail by their family."""
    return _share(answers, lambda a: a.failure == "family")


@measure
def wrong_form(answers: Answers) -> float:
    """Share of outputs that fail by their form."""
    return _share(answers, lambda a: a.failure == "form")


@measure
def wrong_style(answers: Answers) -> float:
    """Share of outputs that fail by their style."""
    return _share(answers, lambda a: a.failure == "style")


@measure
def wrong_counts(answers: Answers) -> float:
    """Share of outputs that fail by their counts."""
    return _share(answers, lambda a: a.failure == "counts")


@measure
def family_pull(answers: Answers) -> float:
    """How much more often the most favoured family is said than it should be, as a share of all outputs."""
    return _pull(answers, "family")


@measure
def form_pull(answers: Answers) -> float:
    """The same for forms."""
    return _pull(answers, "form")


@measure
def style_pull(answers: Answers) -> float:
    """The same for whole styles."""
    return _pull(answers, *STYLE)


@measure
def topic_leak(answers: Answers) -> float:
    """Share of outputs that hold the topic of their prompt, told in tags or in words, although the expected output does not."""

    def leaks(answer: Answer) -> bool:
        topic = tags(answer.case.get("brief") or answer.case["prompt"]).get("topic")
        return topic is not None and topic in answer.raw and topic not in answer.case["expected"]

    return _share(answers, leaks)


@measure
def prompt_copy(answers: Answers) -> float:
    """Share of outputs that hold the tag that opens every prompt, or the one that closes it."""
    return _share(answers, lambda a: TASK in a.raw or OUT in a.raw)


@measure
def spill(answers: Answers) -> float:
    """Share of outputs that go on after their first closing tag, whatever stands before it and however they end."""
    return _share(answers, lambda a: a.score.spilled)


@measure
def family_gap(answers: Answers) -> float:
    """The best family's share of exact outputs less the worst one's."""
    by_family: dict[str, list[bool]] = {}
    for answer in answers:
        by_family.setdefault(answer.case["family"], []).append(bool(answer.score.exact))
    rates = [sum(hits) / len(hits) for hits in by_family.values()]
    return max(rates) - min(rates)
