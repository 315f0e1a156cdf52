"""Layers for boxes and arrows: rank by the longest way from the roots, order against crossings, centre over neighbours,
route in the gaps.

Works on ids and numbers only, for any directed graph, cycles included. Structure (`arrange`) is cached: it does not
depend on words or style. Every arrow leaves the middle of a bottom edge, runs in the gap below its row, and enters a
top edge; one that skips rows passes each of them at a waypoint, a narrow place between the boxes; one that leads back
goes round the outside. It draws nothing and measures no text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from types import MappingProxyType

from experiments.compiler.track import Run, assign

Edge = tuple[str, str]
Rows = tuple[tuple[str, ...], ...]

TRACK = 12.0  # px between parallel runs in a gap
STUB = 14.0  # px from a box to the first run
ARROW = 17.0  # px kept free above a box for the arrow head
LANE = 16.0  # px between parallel runs outside
CORNER = 24.0  # px at each end of a top edge that no arrow enters
WAY = 40.0  # px that a waypoint takes between boxes
PORT = 160.0  # px between two entries of one box, where it is that wide
CLOSEST = 40.0  # px between two entries at the least
ASIDE = 20.0  # px of a top edge that are kept so that entries can move aside
CROWDED = 76.0  # px between entries below which their labels take turns in two tiers
SHIFTS = tuple(
    sign * 3.0 * i for i in range(10) for sign in (1, -1) if i or sign > 0
)  # px by which the entries of a box may move aside


@dataclass(frozen=True, slots=True)
class Layers:
    """`rows` of ids and waypoints; `ways`: the steps of each edge, one from row to row where it leads down, else the edge itself."""

    rows: Rows
    ways: Mapping[Edge, tuple[Edge, ...]]
    waypoints: frozenset[str]

    @property
    def steps(self) -> tuple[Edge, ...]:
        return tuple(step for way in self.ways.values() for step in way)

    def under(self, entry: str, root: str) -> Layers:
        """The same layers below one more box that leads to `root`, which stands in the first row."""
        return Layers(((entry,), *self.rows), {(entry, root): ((entry, root),), **self.ways}, self.waypoints)


@lru_cache(maxsize=1024)
def arrange(ids: tuple[str, ...], edges: tuple[Edge, ...], roots: tuple[str, ...]) -> Layers:
    """Rows of ids by their longest way from the roots; ids that no edge reaches come last, in a row of their own."""
    level = _levels(ids, edges, roots)
    rows: list[list[str]] = [[] for _ in range(max(level.values()) + 1)]
    for name in ids:
        rows[level[name]].append(name)
    ways: dict[Edge, tuple[Edge, ...]] = {}
    for source, target in edges:
        passed = [f"{source}->{target} row {i}" for i in range(level[source] + 1, level[target])]
        for i, name in enumerate(passed, level[source] + 1):
            rows[i].append(name)
        ways[source, target] = tuple(pairwise([source, *passed, target]))
    points = {name for row in rows for name in row} - set(ids)
    steps = tuple(step for way in ways.values() for step in way)
    return Layers(_order([row for row in rows if row], steps), ways, frozenset(points))


def _levels(ids: tuple[str, ...], edges: tuple[Edge, ...], roots: tuple[str, ...]) -> dict[str, int]:
    """The row of each id: the length of the longest way from a root that follows no edge back to where it came from."""
    after: dict[str, list[str]] = {i: [] for i in ids}
    for source, target in edges:
        after[source].append(target)
    order: list[str] = []  # reversed: ids after all that they lead to
    state: dict[str, int] = {}  # 1 = on the way, 2 = done
    forward: list[Edge] = []

    def follow(here: str) -> None:
        state[here] = 1
        for there in after[here]:
            if state.get(there) != 1:
                forward.append((here, there))
                if there not in state:
                    follow(there)
        state[here] = 2
        order.append(here)

    for root in roots:
        if root not in state:
            follow(root)
    level = dict.fromkeys(reversed(order), 0)
    for here in level:
        for source, target in forward:
            if source == here:
                level[target] = max(level[target], level[here] + 1)
    last = max(level.values(), default=-1) + 1
    return {name: level.get(name, last) for name in ids}


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
    rows: Rows, steps: tuple[Edge, ...], width: float, waypoints: frozenset[str], gap: float, left: float, right: float
) -> Mapping[str, float]:
    """Centres of boxes `width` px wide and of waypoints: as near as the row allows to the mean of their neighbours,
    symmetric, inside left..right.
    """
    middle = (left + right) / 2
    wide = {name: WAY if name in waypoints else width for row in rows for name in row}
    offsets = {row: _offsets([wide[name] for name in row], gap) for row in rows}
    centre = {
        name: middle + x - offsets[row][-1] / 2 for row in rows for name, x in zip(row, offsets[row], strict=True)
    }
    above: dict[str, list[str]] = {}
    below: dict[str, list[str]] = {}
    level = {name: i for i, row in enumerate(rows) for name in row}
    for source, target in steps:
        if level[target] == level[source] + 1:
            above.setdefault(target, []).append(source)
            below.setdefault(source, []).append(target)
    for sweep in range(5):
        near = (above, below)[sweep % 2]
        for row in rows if sweep % 2 == 0 else rows[::-1]:
            wish = [_mean([centre[n] for n in near[name]]) if name in near else centre[name] for name in row]
            ends = left + wide[row[0]] / 2, right - wide[row[-1]] / 2
            for name, x in zip(row, _place(wish, offsets[row], *ends), strict=True):
                centre[name] = x
    shift = (
        middle - (min(x - wide[n] / 2 for n, x in centre.items()) + max(x + wide[n] / 2 for n, x in centre.items())) / 2
    )
    shifted = _straighten({name: x + shift for name, x in centre.items()}, rows, steps, waypoints)
    return _set_aside(shifted, rows, above, waypoints)


def _straighten(
    centre: dict[str, float], rows: Rows, steps: tuple[Edge, ...], waypoints: frozenset[str]
) -> dict[str, float]:
    """Waypoints of one arrow that all lie at the same end of their rows stand below each other."""
    after = {source: target for source, target in steps if source in waypoints}
    for head in (target for source, target in steps if target in waypoints and source not in waypoints):
        way = [head]
        while after[way[-1]] in waypoints:
            way.append(after[way[-1]])
        for end, outermost in ((0, min), (-1, max)):
            if {row[end] for row in rows}.issuperset(way):
                centre.update(dict.fromkeys(way, outermost([centre[name] for name in way])))
    return centre


def _offsets(widths: Sequence[float], gap: float) -> list[float]:
    """Centres of boxes side by side, the first at 0."""
    offsets = [0.0]
    for a, b in pairwise(widths):
        offsets.append(offsets[-1] + (a + b) / 2 + gap)
    return offsets


def _set_aside(
    centre: dict[str, float], rows: Rows, above: Mapping[str, list[str]], waypoints: frozenset[str]
) -> dict[str, float]:
    """Waypoints straight below where they come from, if that is near, and never below another exit."""
    for upper, row in pairwise(rows):
        for name in row:
            if name in waypoints:
                start = above[name][0]
                straight = centre[start] - centre[name]
                shifts = (straight, *SHIFTS[:13]) if abs(straight) < 18 else SHIFTS[:13]
                taken = [centre[other] for other in upper if other != start]
                x = centre[name]
                centre[name] += next((s for s in shifts if all(abs(x + s - t) >= 7 for t in taken)), 0.0)
    return centre


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _place(wish: Sequence[float], offsets: Sequence[float], low: float, high: float) -> list[float]:
    """Positions nearest to the wishes (least squares), at least as far from each other as the offsets are, inside low..high."""
    blocks: list[list[float]] = []  # [sum, count], pooled while they violate the order
    for value, offset in zip(wish, offsets, strict=True):
        blocks.append([value - offset, 1])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
            total, count = blocks.pop()
            blocks[-1][0] += total
            blocks[-1][1] += count
    flat = [total / count for total, count in blocks for _ in range(int(count))]
    end = high - offsets[-1]
    return [min(max(x, low), max(low, end)) + offset for x, offset in zip(flat, offsets, strict=True)]


# ---- routing


@dataclass(slots=True)
class Route:
    """One arrow: the x at which it enters its target, and the runs it takes in the gaps (gap index -> track)."""

    source: str
    target: str
    port: float
    room: float  # px: how wide a label on the entry may be
    tier: int = 0  # 1 where the label stands above those of its neighbours, so that both may be wider
    tracks: dict[int, int] = field(default_factory=dict)
    lane: float | None = None  # x of the run outside, for arrows that do not go to the next row


@dataclass(slots=True)
class Plan:
    """All routes, and how many tracks each gap needs; gap g lies above row g."""

    routes: list[Route]
    tracks: list[int]
    level: dict[str, int]


def least_width(entries: int) -> float:
    """How wide a box must be for that many labelled arrows to enter it, px."""
    return 2 * CORNER + ASIDE + (entries - 1) * CLOSEST


@lru_cache(maxsize=4096)
def outer_lanes(rows: Rows, edges: tuple[Edge, ...]) -> int:
    """How many arrows must go round the outside."""
    level = {name: i for i, row in enumerate(rows) for name in row}
    return sum(level[target] != level[source] + 1 for source, target in edges)


def plan(
    rows: Rows,
    edges: Sequence[Edge],
    centre: Mapping[str, float],
    width: float,
    left: float,
    right: float,
    waypoints: frozenset[str] = frozenset(),
    spines: Mapping[str, float] = MappingProxyType({}),
    needs: Mapping[Edge, float] = MappingProxyType({}),
) -> Plan:
    """Ports and tracks. `left` and `right` bound the boxes; outer lanes lie beyond them. A box of `spines` is entered that many px
    from its left edge. `needs` are the px that a label has to have for its longest word.
    """
    level = {name: i for i, row in enumerate(rows) for name in row}
    routes = [Route(source, target, centre[target], width) for source, target in edges]
    _set_lanes(routes, level, centre, left, right)
    entering = [route for route in routes if route.target not in waypoints]
    _set_ports([route for route in entering if route.target not in spines], routes, level, centre, width, needs)
    for route in (route for route in entering if route.target in spines):
        route.port = centre[route.target] - width / 2 + spines[route.target]
        above = {r.source for r in routes if level[r.source] == level[route.target] - 1}
        route.port += next((s for s in SHIFTS[:7] if _is_free([route], s, above, centre)), 0.0)
    tracks = _set_tracks(routes, level, centre, len(rows))
    return Plan(routes, tracks, level)


def _set_lanes(
    routes: list[Route], level: dict[str, int], centre: Mapping[str, float], left: float, right: float
) -> None:
    """A lane outside for each arrow that does not lead to the next row, the shortest ways innermost."""
    used = [0, 0]
    outer = [route for route in routes if level[route.target] != level[route.source] + 1]
    for route in sorted(outer, key=lambda r: abs(level[r.source] + 1 - level[r.target])):
        a, b = centre[route.source], centre[route.target]
        side = 0 if (a - left) + (b - left) < (right - a) + (right - b) else 1
        used[side] += 1
        route.lane = left - used[side] * LANE if side == 0 else right + used[side] * LANE


def _origin(route: Route, centre: Mapping[str, float]) -> float:
    """Where an arrow comes from, seen from its target."""
    return route.lane if route.lane is not None else centre[route.source]


def _set_ports(
    entering: list[Route],
    routes: list[Route],
    level: dict[str, int],
    centre: Mapping[str, float],
    width: float,
    needs: Mapping[Edge, float],
) -> None:
    """The entries of each box in the order of their origins: straight below them where the top edge allows, else spread over it."""
    for target in dict.fromkeys(route.target for route in entering):
        arriving = sorted((r for r in entering if r.target == target), key=lambda r: _origin(r, centre))
        step = min(width * 0.94 / len(arriving), PORT, (width - 2 * CORNER - ASIDE) / max(1, len(arriving) - 1))
        wish = [r.port if r.lane is not None else centre[r.source] for r in arriving]
        reach = min((width - step) / 2, width / 2 - CORNER - (10 if len(arriving) > 1 else 0))
        if len(arriving) == 1 and abs(wish[0] - centre[target]) >= 16:
            wish = [centre[target]]
        ports = _place(wish, [i * step for i in range(len(arriving))], centre[target] - reach, centre[target] + reach)
        for route, port in zip(arriving, ports, strict=True):
            route.port = port
        above = {r.source for r in routes if level[r.source] == level[target] - 1}
        _evade(arriving, above, centre, width / 2 - CORNER, step)
        _set_rooms(arriving, centre[target], width, needs)


def _set_rooms(arriving: Sequence[Route], centre: float, width: float, needs: Mapping[Edge, float]) -> None:
    """How wide the label of each entry may be; crowded ones, and those with a word that needs more, take turns in two tiers."""
    ports = [route.port for route in arriving]
    if len(ports) == 1:
        arriving[0].room = width * 0.94 - 8
        return
    beside = [min(abs(p - q) for j, q in enumerate(ports) if j != i) for i, p in enumerate(ports)]
    outer = [width / 2 + 4 - abs(port - centre) for port in ports]
    single = [near / 2 - 4 + min(near / 2 - 4, side) for near, side in zip(beside, outer, strict=True)]
    wanted = [needs.get((route.source, route.target), 0.0) for route in arriving]
    tight = any(room < need for room, need in zip(single, wanted, strict=True))
    crowded = (len(ports) > 2 and min(beside) < CROWDED) or tight
    for i, (route, near, side) in enumerate(zip(arriving, beside, outer, strict=True)):
        route.tier = i % 2 if crowded else 0
        route.room = near - 4 + min(near - 4, side) if crowded else single[i]


def _evade(arriving: Sequence[Route], above: set[str], centre: Mapping[str, float], reach: float, step: float) -> None:
    """Move entries aside, together or else one by one, that would lie below the exit of a box that they do not come from."""
    slack = reach - max(abs(r.port - centre[r.target]) for r in arriving)
    shift = next((s for s in SHIFTS if abs(s) <= slack and _is_free(arriving, s, above, centre)), None)
    for route in arriving:
        mine = (s for s in SHIFTS if abs(route.port + s - centre[route.target]) <= reach and abs(s) < step / 2 - 3)
        route.port += next((s for s in mine if _is_free([route], s, above, centre)), 0.0) if shift is None else shift


def _is_free(arriving: Sequence[Route], shift: float, above: set[str], centre: Mapping[str, float]) -> bool:
    """Whether no entry would lie below the exit of a box that it does not come from."""
    return all(abs(centre[name] - r.port - shift) >= 7 for r in arriving for name in above if name != r.source)


def _set_tracks(routes: list[Route], level: dict[str, int], centre: Mapping[str, float], rows: int) -> list[int]:
    """A track per source in the gap below it, and one per outer arrow in the gap above its target; how many each gap has."""
    counts = []
    for gap, runs in enumerate(_runs(routes, level, centre, rows)):
        tracks = assign([run for run, _ in runs])
        for (_, members), track in zip(runs, tracks, strict=True):
            for route in members:
                route.tracks[gap] = track
        counts.append(max(tracks, default=-1) + 1)
    return counts


def _runs(
    routes: list[Route], level: dict[str, int], centre: Mapping[str, float], rows: int
) -> list[list[tuple[Run, list[Route]]]]:
    """The runs of each gap with their routes, from left to right."""
    runs: list[list[tuple[Run, list[Route]]]] = [[] for _ in range(rows + 1)]
    for source in dict.fromkeys(route.source for route in routes):
        leaving = [r for r in routes if r.source == source]
        back = [r.lane for r in leaving if r.lane is not None and level[r.target] <= level[source]]
        ahead = [r.port if r.lane is None else r.lane for r in leaving if level[r.target] > level[source]]
        ends = [centre[source], *back, *ahead]
        if max(ends) - min(ends) > 0.01:
            run = Run(min(ends), max(ends), (centre[source], *back), tuple(ahead))
            runs[level[source] + 1].append((run, leaving))
    for route in routes:
        if route.lane is not None:
            low, high = sorted((route.lane, route.port))
            upwards = level[route.target] <= level[route.source]
            over, under = ((), (route.port, route.lane)) if upwards else ((route.lane,), (route.port,))
            runs[level[route.target]].append((Run(low, high, over, under), [route]))
    return [sorted(gap, key=lambda there: (there[0].low, there[0].high)) for gap in runs]


def points(
    route: Route,
    made: Plan,
    centre: Mapping[str, float],
    floors: Sequence[float],
    tops: Sequence[float],
) -> list[tuple[float, float]]:
    """The corners of a route. Gap g goes from `floors[g]` down to `tops[g]`, the top of row g."""
    x = centre[route.source]
    above, gap = made.level[route.source], made.level[route.target]
    start, end = (x, floors[above + 1]), (route.port, tops[gap])
    if above + 1 not in route.tracks:
        return [start, end]
    y = start[1] + STUB + route.tracks[above + 1] * TRACK
    if route.lane is None:
        return [start, (x, y), (route.port, y), end] if abs(x - route.port) > 0.01 else [start, end]
    entry = floors[gap] + STUB + route.tracks[gap] * TRACK
    return [start, (x, y), (route.lane, y), (route.lane, entry), (route.port, entry), end]


def join(parts: Sequence[list[tuple[float, float]]]) -> list[tuple[float, float]]:
    """One line through the corners of several steps, without corners that do not turn."""
    flat = [point for part in parts for point in part]
    kept = flat[:1]
    for here, there in pairwise(flat[1:]):
        before = kept[-1]
        turns = abs((here[0] - before[0]) * (there[1] - here[1]) - (here[1] - before[1]) * (there[0] - here[0])) > 0.01
        if turns:
            kept.append(here)
    return [*kept, flat[-1]]
