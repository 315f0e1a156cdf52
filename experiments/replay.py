"""Replay: rows of earlier rungs beside a stage's own, chosen by a small pure function that a rung names.

Builders are found, not registered: every function here that `@builder` marks is one. Each takes the stage's own rows and the different
rows of the rungs that it names as sources, in their order, and says beforehand how many rows come out. Rows are chosen, never written
(but for instructions, which wrap a prompt that is there), so no held-out row can come in by a builder; that none came in by a source
either, `material.py` proves on the finished rows.
"""

from __future__ import annotations

import hashlib
import inspect
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from statistics import median_low
from typing import TYPE_CHECKING

from cengine import random
from experiments import prompt
from experiments.tag import OUT

if TYPE_CHECKING:
    from experiments.corpus import Row

Rows = Sequence["Row"]
INSTRUCTION = "instruction"  # the prompt surface whose frames wrap other prompts


class ReplayError(ValueError):
    """A builder that is not there, or one that finds nothing to replay."""


@dataclass(frozen=True)
class Builder:
    """A way to replay: `build(own, past, seed, **options)` gives as many rows as `size(own, past, **options)` says. `options` have
    their defaults here.
    """

    name: str
    rule: str
    build: Callable[..., list[Row]]
    size: Callable[..., int]
    options: Mapping[str, int]


def builder(size: Callable[..., int]) -> Callable[[Callable[..., list[Row]]], Builder]:
    """Marks a function as a builder, with how many rows it gives."""

    def mark(build: Callable[..., list[Row]]) -> Builder:
        given = {n: p.default for n, p in inspect.signature(build).parameters.items() if p.kind is p.KEYWORD_ONLY}
        return Builder(build.__name__, " ".join((build.__doc__ or "").split()), build, size, given)

    return mark


def builders() -> dict[str, Builder]:
    """Every builder by name."""
    return {value.name: value for value in globals().values() if isinstance(value, Builder)}


def faults(name: str, options: Mapping[str, int]) -> Iterator[str]:
    """What is wrong with a builder's name or options."""
    known = builders()
    if name not in known:
        yield f"builder {name!r}, expected one of {', '.join(known)}"
        return
    for option, value in options.items():
        if option not in known[name].options:
            yield f"option {option!r}, expected one of {', '.join(known[name].options) or 'none'} of {name}"
        elif value < 1:
            yield f"option {option} {value}, expected at least 1"


def build(name: str, own: Rows, past: Rows, seed: int, options: Mapping[str, int]) -> list[Row]:
    """The rows of a stage with a replay. ReplayError for what cannot be built, or if it would be nothing but the stage's own rows."""
    for fault in faults(name, options):
        raise ReplayError(f"replay: got {fault}")
    chosen = builders()[name]
    settings = {**chosen.options, **options}
    rows = chosen.build(own, distinct(past), seed, **settings)
    if [r.text for r in rows] == [r.text for r in own]:
        raise ReplayError(f"replay: {name} got nothing to replay from {len(past)} rows, expected some")
    return rows


def distinct(rows: Rows) -> list[Row]:
    """Each text once, where it first comes."""
    return list({row.text: row for row in reversed(rows)}.values())[::-1]


def evenly(rows: Rows, count: int) -> list[Row]:
    """`count` of the rows, evenly spread over their order."""
    return [rows[i * len(rows) // count] for i in range(count)]


def _drawn(seed: int, name: str, rows: Rows) -> list[Row]:
    order = random.permutation(seed, random.stream_of(f"replay/{name}"), len(rows))
    return [rows[int(i)] for i in order]


def _others(own: Rows, past: Rows) -> list[Row]:
    """Past rows with a prompt of their own: what the stage asks itself, it answers itself."""
    asked = {row.prompt for row in own}
    return list({row.prompt: row for row in reversed(past) if row.prompt not in asked}.values())[::-1]


# ------------------------------------------------------------------------------------------------- delta


def _new(own: Rows, past: Rows) -> list[Row]:
    old = {row.text for row in past}
    return [row for row in own if row.text not in old]


@builder(lambda own, past, *, ratio: len(n := _new(own, past)) + min(ratio * len(n), len(_others(n, distinct(past)))))
def delta(own: Rows, past: Rows, seed: int, *, ratio: int = 3) -> list[Row]:
    """Only what is new in the stage, each new row followed by `ratio` old ones, evenly sampled."""
    new = _new(own, past)
    if not new:
        raise ReplayError(f"replay: delta got no new row among {len(own)}, expected rows that no source has")
    others = _others(new, past)
    old = iter(evenly(others, min(ratio * len(new), len(others))))
    found = []
    for row in new:
        found += [row, *(o for _, o in zip(range(ratio), old, strict=False))]
    return found


# ------------------------------------------------------------------------------------------------- unions


@builder(lambda own, past: len(own) + len(_others(own, distinct(past))))
def coherent_union(own: Rows, past: Rows, seed: int) -> list[Row]:
    """The stage's rows and every old row whose prompt it does not ask itself, so that no prompt has two answers."""
    return [*own, *_others(own, past)]


def _buckets(rows: Rows, names: Sequence[str]) -> dict[tuple, list[Row]]:
    found: dict[tuple, list[Row]] = defaultdict(list)
    for row in rows:
        found[tuple(getattr(row, name) for name in names)].append(row)
    return found


COVERED = ("family", "form", "surface")


@builder(
    lambda own, past, *, each: sum(
        min(each, len(rows)) for rows in _buckets([*distinct(own), *_others(own, distinct(past))], COVERED).values()
    )
)
def balanced_coverage(own: Rows, past: Rows, seed: int, *, each: int = 100) -> list[Row]:
    """As many rows, `each` if there are, for every family x form x prompt surface of the stage and its sources."""
    buckets = _buckets([*distinct(own), *_others(own, past)], COVERED)
    return [row for key, rows in buckets.items() for row in _drawn(seed, "/".join(key), rows)[:each]]


def _cap(own: Rows, past: Rows, dominance: int) -> int:
    counts = Counter(row.surface for row in [*distinct(own), *_others(own, distinct(past))])
    return max(1, median_low(list(counts.values())) * dominance // 100)


@builder(
    lambda own, past, *, dominance: sum(
        min(len(rows), _cap(own, past, dominance))
        for rows in _buckets([*distinct(own), *_others(own, distinct(past))], ("surface",)).values()
    )
)
def unified(own: Rows, past: Rows, seed: int, *, dominance: int = 150) -> list[Row]:
    """One corpus of everything, in which no prompt surface has more than `dominance` % of the rows of the surface in the middle."""
    cap = _cap(own, past, dominance)
    buckets = _buckets([*distinct(own), *_others(own, past)], ("surface",))
    return [row for (name,), rows in buckets.items() for row in _drawn(seed, name, rows)[:cap]]


# ------------------------------------------------------------------------------------------------- rows beside rows


def _neighbours(own: Rows, past: Rows) -> list[Row]:
    """Past rows whose answer differs from another one of the stage in exactly one tag."""
    answers = {row.output for row in own}
    masked = Counter(key for answer in answers for key in _masked(answer))

    @cache
    def is_near(answer: str) -> bool:
        return any(masked[key] > (answer in answers) for key in _masked(answer))

    return [row for row in _others(own, past) if is_near(row.output)]


def _masked(answer: str) -> Iterator[tuple]:
    """An answer without one tag at a time, as keys that are equal for answers that differ there alone."""
    tags = answer.split()
    codes = [int.from_bytes(_code(tag, place), "little") for place, tag in enumerate(tags)]
    total = sum(codes)
    for place, code in enumerate(codes):
        yield len(tags), place, total - code


def _code(tag: str, place: int) -> bytes:
    """16 bytes that stand for a tag at its place."""
    return hashlib.blake2b(f"{place} {tag}".encode(), digest_size=16).digest()


@builder(lambda own, past, *, add: len(own) + min(add, len(_neighbours(own, distinct(past)))))
def cumulative_neighbours(own: Rows, past: Rows, seed: int, *, add: int = 1000) -> list[Row]:
    """The stage's rows and up to `add` old ones whose answers are a single tag away from one of theirs."""
    return [*own, *_drawn(seed, "neighbours", _neighbours(own, past))[:add]]


def stated(row: Row) -> float:
    """The share of an answer's tags that its prompt states: 1 in an anchor, 0 where the answer has to be concluded."""
    values = [tag.strip("[]").partition(":")[2] for tag in row.output.split() if ":" in tag]
    words = set(row.prompt.replace("[", " ").replace("]", " ").replace(":", " ").split())
    return sum(value in words for value in values) / max(1, len(values))


def _anchors(own: Rows, past: Rows, anchors: int) -> list[Row]:
    """For each answer of the stage, old rows that state most of it in their prompt."""
    asked: dict[str, list[Row]] = defaultdict(list)
    for row in _others(own, past):
        if stated(row) >= 0.5:
            asked[row.output].append(row)
    return [row for answer in dict.fromkeys(r.output for r in own) for row in asked[answer][:anchors]]


@builder(lambda own, past, *, anchors: len(own) + len(_anchors(own, distinct(past), anchors)))
def route_recovery(own: Rows, past: Rows, seed: int, *, anchors: int = 1) -> list[Row]:
    """Beside each answer of the stage, `anchors` old rows that ask for the same answer by its values: the way from naming to meaning."""
    return [*own, *_anchors(own, past, anchors)]


@builder(
    lambda own, past, *, wrappers, remember: (
        len(own) + wrappers * len(distinct(own)) + min(remember, len(_others(own, distinct(past))))
    )
)
def instruction_sft(own: Rows, past: Rows, seed: int, *, wrappers: int = 3, remember: int = 1) -> list[Row]:
    """The stage's rows, each different one again in `wrappers` instructions, and `remember` old rows, evenly sampled, as they were."""
    frames = prompt.known(INSTRUCTION)
    assert isinstance(frames, tuple)
    if wrappers > len(frames):
        raise ReplayError(
            f"replay: got {wrappers} wrappers, expected at most {len(frames)}, the frames of {INSTRUCTION}"
        )
    wrapped = [
        _wrapped(row, frames[(number + turn) % len(frames)])
        for number, row in enumerate(distinct(own))
        for turn in range(wrappers)
    ]
    others = _others(own, past)
    return [*own, *wrapped, *evenly(others, min(remember, len(others)))]


def _wrapped(row: Row, frame: str) -> Row:
    """A row whose prompt stands in an instruction."""
    order = frame[frame.rindex("{") :]
    return replace(row, prompt=f"{frame.replace(order, row.prompt.removesuffix(f' {OUT}'))} {OUT}", surface=INSTRUCTION)
