"""Odd prompts: out of distribution, or risky, by kind; each kind with the behaviour that is expected of it, as data in `odd.yaml`.

A kind with a `risk` belongs to one of the four families of risk probes. Odd cases are made from trained targets asked by plain tags, so
that what fails is the oddity and not the target; where nothing is odd about the prompt itself (`plain`), from held-out ones, so that none
is a training prompt. They are scored beside the contract and are no part of it: what is expected of most of them is less than one exact
text. A kind of which a spec has no case says why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from experiments import brief, compiler, document, look, pools, prompt, split, surfaces
from experiments import case as library
from experiments.compiler import CompileError
from experiments.pools import Pools, Target
from experiments.probes.constrain import is_whole
from experiments.probes.score import spills
from experiments.spec import Spec
from experiments.split import fold
from experiments.style import AXES, STYLE
from experiments.tag import OUT, TASK, SurfaceError

FILE = Path(__file__).parent / "odd.yaml"
ABREAST = 8  # prompts of a turn: all of one sort, and the next turn is of another
SORTS: tuple[Callable[[Target], str], ...] = (  # what may change between turns, the widest first
    lambda t: t.family,
    lambda t: t.scene.form,
    lambda t: t.item,
    lambda t: t.case,
)

Said = tuple[str, str]  # a raw answer, and why it stopped


class OddError(ValueError):
    """Kinds that cannot be read."""


class Kind(BaseModel):
    """One oddity: how a prompt is changed, and what is expected of the answer. See `odd.yaml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    why: str
    expect: Literal["same", "either", "legal", "ends"]
    cases: int = 40
    risk: Literal["", "continuation_spill", "prompt_hijack", "mode_switch", "eos"] = ""
    replace: dict[str, tuple[str, ...]] = {}
    again: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    begin: tuple[int, ...] = ()
    plain: Literal["", "any", "turns"] = ""
    none: str = ""  # why a spec may have no case of it

    @model_validator(mode="after")
    def _changes_something(self) -> Kind:
        changes = [self.replace, self.again, self.drop, self.before + self.after, self.begin, self.plain]
        if sum(map(bool, changes)) != 1 or (self.expect == "either") != bool(self.again):
            raise ValueError(
                "expected one of replace, again, drop, before/after, begin, plain; `either` goes with again alone"
            )
        return self


@dataclass(frozen=True)
class Odd:
    """One odd case. `answers` are the texts that pass; empty where more than these may. `expect` is its kind's."""

    kind: str
    prompt: str
    answers: tuple[str, ...]
    family: str
    case: str
    expect: str = "legal"


@cache
def kinds() -> Mapping[str, Kind]:
    """Every kind by name. Raises OddError with every fault."""
    try:
        return {
            name: Kind.model_validate(data) for name, data in document.read(FILE.read_text(encoding="utf-8")).items()
        }
    except (document.DocumentError, ValidationError) as error:
        raise OddError(f"{FILE.name}: {error}") from error


def build(spec: Spec, targets: Pools, seed: int = 42) -> list[Odd]:
    """The odd cases of a spec: as many of each kind as it says, different prompts, as far as its targets and prompts allow."""
    found: list[Odd] = []
    for name, kind in kinds().items():
        pool = (*targets.unseen, *targets.recombined) if kind.plain else targets.trained
        order = pools.shuffled(seed, f"odd/{name}", pool)
        if kind.plain == "turns":
            order = _in_turns(order)
        made: dict[str, Odd] = {}
        for number in range(len(order) * max(1, len(kind.before + kind.after + kind.begin))):
            odd = _make(spec, name, kind, number + number // len(order), order[number % len(order)])
            if odd:
                made.setdefault(odd.prompt, odd)
            if len(made) == kind.cases:
                break
        found += made.values()
    return found


def sort_of(targets: Sequence[Target]) -> Callable[[Target], str] | None:
    """What changes among targets: families, or where there is one forms, layouts or topics. None where nothing does."""
    return next((sort for sort in SORTS if len({sort(target) for target in targets}) > 1), None)


def _in_turns(targets: Sequence[Target]) -> list[Target]:
    """Targets in turns of ABREAST, each of another sort than the one before it; what fills no turn is left out."""
    sort = sort_of(targets)
    if sort is None:
        return []
    queues: dict[str, list[Target]] = {}
    for target in targets:
        queues.setdefault(sort(target), []).append(target)
    whole = [[q[at : at + ABREAST] for at in range(0, len(q) - ABREAST + 1, ABREAST)] for q in queues.values()]
    found: list[list[Target]] = []
    for turn in (turn for turns in zip_longest(*whole) for turn in turns):
        if turn and (not found or sort(found[-1][0]) != sort(turn[0])):
            found.append(turn)
    return [target for turn in found for target in turn]


def _make(spec: Spec, name: str, kind: Kind, number: int, target: Target) -> Odd | None:
    """A target asked in this odd way, or None where its prompt has no place for it."""
    facts = target.briefs[0] if target.briefs else ()
    asked = prompt.Asked(brief.load(spec.targets.briefs), facts) if facts else None
    tags = prompt.write("tags", 0, target.scene, spec.surface, asked).removesuffix(f" {OUT}").split()
    begun, answer = _begun(kind, number, target.text)
    changed = next(_changed(spec, kind, number, target, dict(facts), tags), None)
    if changed is None or not answer:
        return None
    text, other = changed
    answers = () if kind.expect in ("legal", "ends") else (answer, *other)
    return Odd(name, f"{text} {OUT}{begun}", answers, target.family, target.case, kind.expect)


def _begun(kind: Kind, number: int, text: str) -> tuple[str, str]:
    """What of the answer stands in the prompt already, with its space, and what is left to say."""
    count = kind.begin[number % len(kind.begin)] if kind.begin else 0
    pieces = text.split()
    return "".join(f" {piece}" for piece in pieces[:count]), " ".join(pieces[count:])


def _changed(
    spec: Spec, kind: Kind, number: int, target: Target, facts: dict[str, str], tags: list[str]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(prompt, other answers that pass) of the first change that this prompt allows."""
    if kind.plain or kind.begin:
        yield " ".join(tags), ()
    at = {tag[1:-1].partition(":")[0]: i for i, tag in enumerate(tags) if tag != TASK}
    if kind.before or kind.after:
        line = (*((0, s) for s in kind.before), *((1, s) for s in kind.after))[number % len(kind.before + kind.after)]
        yield (" ".join([*tags, line[1]]) if line[0] else " ".join([line[1], *tags])), ()
    for name, values in kind.replace.items():
        if name in at and _silent(spec, name, facts) == (kind.expect == "same"):
            yield " ".join(_put(tags, at[name], [f"[{name}:{values[number % len(values)]}]"])), ()
    for name in _turned([n for n in kind.drop if n in at], number):
        yield " ".join(_put(tags, at[name], [])), ()
    for name in _turned([n for n in kind.again if n in at], number):
        for value in _turned(_values(spec, name, tags), number):
            said = f"[{name}:{value}]"
            text = _answer(spec, target, facts, name, value, " ".join([*_put(tags, at[name], [said]), OUT]))
            if said not in tags and text and text != target.text:
                yield " ".join(_put(tags, at[name], [tags[at[name]], said])), (text,)


def _turned(items: Sequence[str], number: int) -> list[str]:
    """The items from another one on for every number, so that none comes first always."""
    return [*items[number % len(items) :], *items[: number % len(items)]] if items else []


def _put(tags: Sequence[str], at: int, new: Sequence[str]) -> list[str]:
    return [*tags[:at], *new, *tags[at + 1 :]]


def _silent(spec: Spec, fact: str, facts: Mapping[str, str]) -> bool:
    """Whether a tag decides nothing: it states a fact, no rule reads it, and no case is chosen by it."""
    if fact not in facts:
        return False
    table = brief.load(spec.targets.briefs)
    if fact not in table.facts:
        return False
    return not table.facts[fact].cases and not any(fact in rule.source for rule in table.rules.values())


def _values(spec: Spec, name: str, tags: Sequence[str]) -> list[str]:
    """What a tag of a prompt may say: values of its fact, else those that an edit may give it, else of its axis."""
    if spec.targets.kind == "briefs":
        return list(brief.load(spec.targets.briefs).facts[name].values)
    edited = [value for edit, value in look.edits(split.tags(" ".join(tags))) if edit == name]
    return edited or list(AXES.get(name, ()))


def _answer(spec: Spec, target: Target, facts: dict[str, str], name: str, value: str, prompt: str) -> str | None:
    """What the prompt would have meant with another value of one tag, as `prompt` says it; None where it would have meant nothing."""
    try:
        if facts:
            scene = brief.answer(pools.source_of(spec), facts | {name: value})
        elif ordered := look.answer(spec.surface, target.family, target.case, prompt):
            scene = ordered
        elif name not in STYLE:
            return None
        else:
            scene = replace(target.scene, style=replace(target.scene.style, **{name: value}))
            surfaces.load(spec.surface).prompt(scene)  # refuses a style that no prompt asks for
        return surfaces.load(spec.surface).format(scene)
    except (brief.BriefError, SurfaceError):
        return None


def passes(surface: str, odd: Odd, raw: str, stop: str) -> bool:
    """Whether a raw output behaves as its kind expects; it must have ended by itself."""
    if stop != "eos":
        return False
    if odd.answers:
        return fold(raw) in {fold(answer) for answer in odd.answers}
    if odd.expect == "ends":
        return is_whole(surface, raw, stop) and not spills(surface, fold(raw))
    try:
        compiler.compile_text(surface, raw.strip(), library.content(odd.family, odd.case))
    except SurfaceError:
        return False
    except CompileError:
        return _drawn_with_another(surface, raw)
    return True


def _drawn_with_another(surface: str, raw: str) -> bool:
    """A legal answer may be of another family or topic than the case's: then some case's content draws it."""
    scene = surfaces.load(surface).parse(raw.strip())
    for family in dict.fromkeys((scene.family, *look.families(surface))):
        for case in library.every(family):
            try:
                compiler.compile(scene, library.content(family, case.id))
            except CompileError:
                continue
            return True
    return False


def rates(
    surface: str, odds: Sequence[Odd], outputs: Sequence[Said], fresh: Mapping[int, Said] | None = None
) -> dict[str, dict[str, Any]]:
    """Kind -> how many cases behave as expected: {k, n}; of a kind without a case k is null, and `why` says the reason.

    `outputs` are (raw, why it stopped). `fresh`: what a decoder that was never asked before says to some of them; another answer fails.
    """
    table: dict[str, dict[str, Any]] = {}
    for name, kind in kinds().items():
        mine = [at for at, odd in enumerate(odds) if odd.kind == name]
        held = [
            passes(surface, odds[at], *outputs[at]) and (fresh or {}).get(at, outputs[at]) == outputs[at] for at in mine
        ]
        table[name] = {"k": sum(held), "n": len(mine)} if mine else {"k": None, "n": 0, "why": kind.none}
    return table


def measures(table: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """The metrics of a table of rates: `odd.KIND`, `odd_pass_rate` over kinds without a risk, `risk.FAMILY` and its `risk_cases`."""
    asked = {name: cell for name, cell in table.items() if cell["n"]}
    found = {f"odd.{name}": cell["k"] / cell["n"] for name, cell in asked.items()}
    for risk in dict.fromkeys(kind.risk for kind in kinds().values()):
        cells = [asked[name] for name, kind in kinds().items() if kind.risk == risk and name in asked]
        k, n = sum(c["k"] for c in cells), sum(c["n"] for c in cells)
        if n:
            found |= {f"risk.{risk}": k / n, f"risk_cases.{risk}": float(n)} if risk else {"odd_pass_rate": k / n}
    return found
