"""Layers for boxes and arrows: rank by distance from the roots, order against crossings, centre over neighbours,
route in the gaps.

Works on ids and numbers only, for any directed graph, cycles included. Structure (`arrange`) is cached: it does not
depend on words or style. Every arrow leaves the middle of a bottom edge, runs in the gap below its row, and enters a
top edge; arrows to the same or an earlier row go round the outside. It draws nothing and measures no text.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise

Edge = tuple[str, str]
Rows = tuple[tuple[str, ...], ...]

TRACK = 12.0  # px between parallel runs in a gap
STUB = 14.0  # px from a box to the first run
ARROW = 17.0  # px kept free above a box for the arrow head
LANE = 16.0  # px between parallel runs outside
CORNER = 24.0  # px at each end of a top edge that no arrow enters
SHIFTS = (0.0, 9.0, -9.0, 18.0, -18.0, 27.0, -27.0)  # px by which the entries of a box may move aside


@lru_cache(maxsize=1024)
def arrange(ids: tuple[str, ...], edges: tuple[Edge, ...], roots: tuple[str, ...]) -> Rows:
    """Rows of ids: breadth-first distance from the roots; ids that no edge reaches come last, in a row of their own."""
    after: dict[str, list[str]] = {i: [] for i in ids}
    for source, target in edges:
        after[source].append(target)
    rank: dict[str, int] = dict.fromkeys(roots, 0)
    queue = deque(roots)
    while queue:
        here = queue.popleft()
        for there in after[here]:
            if there not in rank:
                rank[there] = rank[here] + 1
                queue.append(there)
    last = max(rank.values(), default=-1) + 1
    rows = [[i for i in ids if rank.get(i, last) == level] for level in range(last + 1)]
    return _order([row for row in rows if row], edges)


def _order(rows: list[list[str]], edges: tuple[Edge, ...]) -> Rows:
    """The order with the fewest crossings that a few barycentre sweeps find."""
    best, fewest = [list(row) for row in rows], _crossings(rows, edges)
    for sweep in range(6):
        if not fewest:
            break
        levels = range(1, len(rows)) if sweep % 2 == 0 else range(len(rows) - 2, -1, -1)
        for level in levels:
            beside = rows[level - 1] if sweep % 2 == 0 else rows[level + 1]
            rows[level] = _by_barycentre(rows[level], beside, edges)
        crossings = _crossings(rows, edges)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
    return tuple(tuple(row) for row in best)


def _by_barycentre(row: list[str], beside: list[str], edges: tuple[Edge, ...]) -> list[str]:
    place = {name: i / max(1, len(beside) - 1) for i, name in enumerate(beside)}
    key = {}
    for i, name in enumerate(row):
        near = [place[a] for a, b in edges if b == name and a in place] + [
            place[b] for a, b in edges if a == name and b in place
        ]
        key[name] = sum(near) / len(near) if near else i / max(1, len(row) - 1)
    return sorted(row, key=lambda name: key[name])


def _crossings(rows: Sequence[Sequence[str]], edges: tuple[Edge, ...]) -> int:
    total = 0
    for upper, lower in pairwise(rows):
        top, bottom = {n: i for i, n in enumerate(upper)}, {n: i for i, n in enumerate(lower)}
        pairs = [(top[a], bottom[b]) for a, b in edges if a in top and b in bottom]
        total += sum((p[0] - q[0]) * (p[1] - q[1]) < 0 for i, p in enumerate(pairs) for q in pairs[i + 1 :])
    return total


@lru_cache(maxsize=4096)
def spread(
    rows: Rows, edges: tuple[Edge, ...], width: float, gap: float, left: float, right: float
) -> Mapping[str, float]:
    """Centres of boxes `width` px wide: as near as the row allows to the mean of their neighbours, symmetric, inside
    left..right.
    """
    step, middle = width + gap, (left + right) / 2
    centre = {name: middle + (i - (len(row) - 1) / 2) * step for row in rows for i, name in enumerate(row)}
    above: dict[str, list[str]] = {}
    below: dict[str, list[str]] = {}
    level = {name: i for i, row in enumerate(rows) for name in row}
    for source, target in edges:
        if level[target] == level[source] + 1:
            above.setdefault(target, []).append(source)
            below.setdefault(source, []).append(target)
    for sweep in range(5):
        near = (above, below)[sweep % 2]
        for row in rows if sweep % 2 == 0 else rows[::-1]:
            wish = [_mean([centre[n] for n in near[name]]) if name in near else centre[name] for name in row]
            for name, x in zip(row, _place(wish, step, left + width / 2, right - width / 2), strict=True):
                centre[name] = x
    shift = middle - (min(centre.values()) + max(centre.values())) / 2
    return {name: x + shift for name, x in centre.items()}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _place(wish: Sequence[float], step: float, low: float, high: float) -> list[float]:
    """Positions nearest to the wishes (least squares) with at least `step` between neighbours, inside low..high."""
    blocks: list[list[float]] = []  # [sum, count], pooled while they violate the order
    for i, value in enumerate(wish):
        blocks.append([value - i * step, 1])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
            total, count = blocks.pop()
            blocks[-1][0] += total
            blocks[-1][1] += count
    flat = [total / count for total, count in blocks for _ in range(int(count))]
    end = high - (len(flat) - 1) * step
    return [min(max(x, low), max(low, end)) + i * step for i, x in enumerate(flat)]


# ---- routing


@dataclass(slots=True)
class Route:
    """One arrow: the x at which it enters its target, and the runs it takes in the gaps (gap index -> track)."""

    source: str
    target: str
    port: float
    room: float  # px: how wide a label on the entry may be
    tracks: dict[int, int] = field(default_factory=dict)
    lane: float | None = None  # x of the run outside, for arrows that do not go to the next row


@dataclass(slots=True)
class Plan:
    """All routes, and how many tracks each gap needs; gap g lies above row g."""

    routes: list[Route]
    tracks: list[int]
    level: dict[str, int]


@lru_cache(maxsize=4096)
def outer_lanes(rows: Rows, edges: tuple[Edge, ...]) -> int:
    """How many arrows must go round the outside."""
    level = {name: i for i, row in enumerate(rows) for name in row}
    return sum(level[target] != level[source] + 1 for source, target in edges)


def plan(
    rows: Rows, edges: Sequence[Edge], centre: Mapping[str, float], width: float, left: float, right: float
) -> Plan:
    """Ports and tracks. `left` and `right` bound the boxes; outer lanes lie beyond them."""
    level = {name: i for i, row in enumerate(rows) for name in row}
    routes = [Route(source, target, centre[target], width) for source, target in edges]
    _set_lanes(routes, level, centre, left, right)
    _set_ports(routes, level, centre, width)
    tracks = _set_tracks(routes, level, centre, len(rows))
    return Plan(routes, tracks, level)


def _set_lanes(
    routes: list[Route], level: dict[str, int], centre: Mapping[str, float], left: float, right: float
) -> None:
    used = [0, 0]
    for route in routes:
        if level[route.target] == level[route.source] + 1:
            continue
        a, b = centre[route.source], centre[route.target]
        side = 0 if (a - left) + (b - left) < (right - a) + (right - b) else 1
        used[side] += 1
        route.lane = left - used[side] * LANE if side == 0 else right + used[side] * LANE


def _origin(route: Route, centre: Mapping[str, float]) -> float:
    """Where an arrow comes from, seen from its target."""
    return route.lane if route.lane is not None else centre[route.source]


def _set_ports(routes: list[Route], level: dict[str, int], centre: Mapping[str, float], width: float) -> None:
    """Spread the entries of each box over its top edge in the order of their origins; straighten near-straight single ones."""
    for target in dict.fromkeys(route.target for route in routes):
        arriving = sorted((r for r in routes if r.target == target), key=lambda r: _origin(r, centre))
        step = width * 0.94 / len(arriving)
        for i, route in enumerate(arriving):
            route.port, route.room = centre[target] + (i - (len(arriving) - 1) / 2) * step, step - 8
        only = arriving[0]
        if len(arriving) == 1 and only.lane is None and abs(_origin(only, centre) - only.port) < 16:
            only.port = _origin(only, centre)
        above = {r.source for r in routes if level[r.source] == level[target] - 1}
        slack = (width - (len(arriving) - 1) * step) / 2 - CORNER
        shift = next((s for s in SHIFTS if abs(s) <= slack and _is_free(arriving, s, above, centre)), 0.0)
        for route in arriving:
            route.port += shift


def _is_free(arriving: Sequence[Route], shift: float, above: set[str], centre: Mapping[str, float]) -> bool:
    """Whether no entry would lie below the exit of a box that it does not come from."""
    return all(abs(centre[name] - r.port - shift) >= 7 for r in arriving for name in above if name != r.source)


def _set_tracks(routes: list[Route], level: dict[str, int], centre: Mapping[str, float], rows: int) -> list[int]:
    """A track per source in the gap below it, and one per outer arrow in the gap above its target, so that no two
    runs overlap.
    """
    runs: list[list[tuple[float, float, list[Route]]]] = [[] for _ in range(rows + 1)]
    for source in dict.fromkeys(route.source for route in routes):
        leaving = [r for r in routes if r.source == source]
        ends = [centre[source], *(r.lane if r.lane is not None else r.port for r in leaving)]
        if max(ends) - min(ends) > 0.01:
            runs[level[source] + 1].append((min(ends), max(ends), leaving))
    for route in routes:
        if route.lane is not None:
            low, high = sorted((route.lane, route.port))
            runs[level[route.target]].append((low, high, [route]))
    counts = []
    for gap, spans in enumerate(runs):
        ends_at: list[float] = []  # right end of the last run on each track
        for low, high, members in sorted(spans, key=lambda span: (span[0], span[1])):
            track = next((i for i, end in enumerate(ends_at) if end < low - 6), len(ends_at))
            ends_at[track : track + 1] = [high]
            for route in members:
                route.tracks[gap] = max(route.tracks.get(gap, 0), track) if gap in route.tracks else track
        counts.append(len(ends_at))
    return counts


def points(
    route: Route,
    made: Plan,
    centre: Mapping[str, float],
    tops: Sequence[float],
    bottoms: Mapping[str, float],
    row_bottoms: Sequence[float],
    top: float,
) -> list[tuple[float, float]]:
    """The corners of a route. `tops[g]` is the top of row g, `row_bottoms[g]` its bottom; `top` is the target box's
    top edge.
    """
    x = centre[route.source]
    start = (x, bottoms[route.source])
    below = made.level[route.source] + 1
    if below not in route.tracks:
        return [start, (route.port, top)]
    y = row_bottoms[below - 1] + STUB + route.tracks[below] * TRACK
    if route.lane is None:
        return (
            [start, (x, y), (route.port, y), (route.port, top)]
            if abs(x - route.port) > 0.01
            else [start, (route.port, top)]
        )
    gap = made.level[route.target]
    above = row_bottoms[gap - 1] if gap else tops[0] - made.tracks[0] * TRACK - STUB
    entry = above + STUB + route.tracks[gap] * TRACK
    return [start, (x, y), (route.lane, y), (route.lane, entry), (route.port, entry), (route.port, top)]
