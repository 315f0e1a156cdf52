"""Contests: opponents take turns in one process, and what is said of them is computed here, from seconds alone.

After the warm-up, every round lets each contestant do units of work for half a second, at least one, beginning with another contestant
each time; quoted is the time of one unit. Short units are preceded by one that is not timed: work goes on for hours, and the
first unit after another contestant's finds foreign data in the caches and its threads asleep. Quoted are medians, the
best, the spread of the middle half, and ratios as the median of the ratios within rounds: a busy moment hits a round, not a side.
A contestant that cannot run keeps its line, with null figures and the reason. This file knows no model.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

WARMUP, REST = 2, 0.01  # units before the first round; seconds in which threads that still spin go to sleep
TURN = 0.5  # seconds that a turn lasts at least
Unit = Callable[[], object]


class Absent(RuntimeError):
    """A contestant cannot run here; the message is one sentence why."""


@dataclass(frozen=True)
class Contestant:
    """`make` builds all that is needed and returns one unit of work; it raises Absent where that cannot be."""

    name: str
    make: Callable[[], Unit]
    precision: str = "fp32"


@dataclass
class Outcome:
    """Seconds of one contestant's unit in every round, or why there are none."""

    name: str
    precision: str
    seconds: list[float] = field(default_factory=list)
    why: str | None = None


def contest(
    contestants: Sequence[Contestant],
    rounds: int,
    warmup: int = WARMUP,
    clock: Callable[[], float] = time.perf_counter,
    rest: float = REST,
    turn_seconds: float = TURN,
) -> list[Outcome]:
    """Let all take turns. The first contestant is ours: its errors are raised. Others that fail are listed with the reason."""
    outcomes = [Outcome(c.name, c.precision) for c in contestants]
    units: dict[int, Unit] = {}
    times: dict[int, int] = {}  # units of a turn

    def attempt(number: int, do: Callable[[], Any]) -> Any:
        try:
            return do()
        except (RuntimeError, ImportError, OSError, MemoryError) as error:
            if number == 0:
                raise
            outcomes[number].why, outcomes[number].seconds = reason(error), []
            units.pop(number, None)

    def warm(number: int) -> None:
        before = clock()
        units[number]()
        times[number] = math.ceil(turn_seconds / max(clock() - before, 1e-6)) if turn_seconds else 1

    def timed(number: int) -> None:
        time.sleep(rest)
        if times.get(number, 1) > 1:
            units[number]()
        before = clock()
        for _ in range(times.get(number, 1)):
            units[number]()
        outcomes[number].seconds.append((clock() - before) / times.get(number, 1))

    for number, contestant in enumerate(contestants):
        if unit := attempt(number, contestant.make):
            units[number] = unit
    for _ in range(warmup):
        for number in list(units):
            attempt(number, lambda number=number: warm(number))  # type: ignore[misc]
    for turn in range(rounds):
        for number in (n % len(contestants) for n in range(turn, turn + len(contestants))):
            if number in units:
                attempt(number, lambda number=number: timed(number))  # type: ignore[misc]
    return outcomes


def reason(error: BaseException) -> str:
    """One sentence: what an Absent says, or the kind and first line of another error."""
    line = next((text.strip() for text in str(error).splitlines() if text.strip()), "no words")
    return line if isinstance(error, Absent) else f"{type(error).__name__}: {line[:160]}"


def ratio(outcome: Outcome, first: Outcome) -> float | None:
    """How many times as fast the first one is: the median over rounds of seconds / first's seconds. None if either did not run."""
    if not (outcome.seconds and first.seconds):
        return None
    return statistics.median(a / b for a, b in zip(outcome.seconds, first.seconds, strict=True))


def figures(outcome: Outcome, first: Outcome, work: float) -> dict[str, Any]:
    """What is said of one contestant that did `work` in every unit: work per second, and null for what was not measured.

    spread is the width of the middle half of the seconds, as a share of their median.
    """
    said: dict[str, Any] = {"name": outcome.name, "precision": outcome.precision}
    seconds = outcome.seconds
    if not seconds:
        return {
            **said,
            "median": None,
            "best": None,
            "worst": None,
            "spread": None,
            "ratio": None,
            "seconds": [],
            "why": outcome.why,
        }
    middle, spread = statistics.median(seconds), None
    if len(seconds) > 1:
        low, _, high = statistics.quantiles(seconds, n=4, method="inclusive")
        spread = (high - low) / middle
    return {
        **said,
        "median": work / middle,
        "best": work / min(seconds),
        "worst": work / max(seconds),
        "spread": spread,
        "ratio": ratio(outcome, first),
        "seconds": [float(f"{s:.6g}") for s in seconds],
        "why": None,
    }


def report(case: dict[str, Any], unit: str, outcomes: Sequence[Outcome], work: float) -> dict[str, Any]:
    """One contest as plain data; `unit` is what `median`, `best` and `worst` count."""
    return {"case": case, "unit": unit, "contestants": [figures(o, outcomes[0], work) for o in outcomes]}
