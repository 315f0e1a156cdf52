"""Tracks in a gap between two rows: which level stretch of an arrow lies above which, so that none overlap and few cross."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations


@dataclass(frozen=True, slots=True)
class Run:
    """A level stretch in a gap, from `low` to `high`, and where lines come to it from above (`over`) and go on below (`under`)."""

    low: float
    high: float
    over: tuple[float, ...]
    under: tuple[float, ...]

    def meets(self, other: Run) -> bool:
        """Whether the two need tracks of their own."""
        return self.low <= other.high + 6 and other.low <= self.high + 6

    def cost_above(self, other: Run) -> int:
        """How many crossings there are where this run lies above the other."""
        return sum(other.low < x < other.high for x in self.under) + sum(self.low < x < self.high for x in other.over)


def assign(runs: Sequence[Run]) -> list[int]:
    """A track for each run of a gap, 0 the highest, so that no two overlap: as few as can be, and more only where that saves crossings.
    `runs` come from left to right.
    """
    tracks = _pack(runs)
    crossings = tuple(tuple(a.cost_above(b) if a.meets(b) else 0 for b in runs) for a in runs)
    if _count(crossings, sorted(range(len(runs)), key=lambda i: tracks[i])):
        return _stack(runs, _fewest(crossings))
    return tracks


def _pack(runs: Sequence[Run]) -> list[int]:
    """The fewest tracks on which runs, from left to right, do not overlap."""
    tracks = []
    ends_at: list[float] = []  # right end of the last run on each track
    for run in runs:
        track = next((i for i, end in enumerate(ends_at) if end < run.low - 6), len(ends_at))
        ends_at[track : track + 1] = [run.high]
        tracks.append(track)
    return tracks


def _stack(runs: Sequence[Run], order: Sequence[int]) -> list[int]:
    """The highest tracks on which runs keep to an order from above where they overlap."""
    tracks: dict[int, int] = {}
    for i in order:
        tracks[i] = max((track + 1 for j, track in tracks.items() if runs[i].meets(runs[j])), default=0)
    return [tracks[i] for i in range(len(runs))]


def _count(crossings: tuple[tuple[int, ...], ...], order: Sequence[int]) -> int:
    return sum(crossings[a][b] for i, a in enumerate(order) for b in order[i + 1 :])


@lru_cache(maxsize=1024)
def _fewest(crossings: tuple[tuple[int, ...], ...]) -> tuple[int, ...]:
    """The order from above with the fewest crossings: the best of all of few runs; of many, next is what costs least over the rest."""
    if len(crossings) <= 6:
        return min(permutations(range(len(crossings))), key=lambda order: _count(crossings, order))
    order: list[int] = []
    rest = list(range(len(crossings)))
    while rest:
        order.append(min(rest, key=lambda i: sum(crossings[i][j] for j in rest)))
        rest.remove(order[-1])
    return tuple(order)
