"""Routes of a timeline's arrows beside its rows: which way each takes, and the room that it needs.

In a channel above or below its row an arrow leads on over several stages, or back; what leads to another row takes a channel that both
rows share, or a lane along the nearer margin from channel to channel. Each has a line of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from experiments.compiler.page import Page
from experiments.compiler.track import Run, assign
from experiments.compiler.tree import Box, Link
from experiments.violation import Violation

TRACK = 12.0  # px between two lines in a channel, and between two along a margin
FOOT = 16.0  # px from a box to the first line beside it
BESIDE = 18.0  # px from the cards to the first line along a margin
FIRST = 12.0  # px from the middle of a box to the first line that leaves it
PITCH, CLOSEST = 14.0, 6.0  # px from there to the next one; at the least
LEFT, RIGHT = -1, 1


@dataclass(frozen=True, slots=True)
class Way:
    """An arrow from stage `a` to stage `b`: whether it leaves and arrives above its box, through which channels, and the side of its lane
    where these are two.
    """

    a: int
    b: int
    leaves_above: bool
    arrives_above: bool
    out: int
    into: int
    lane: int


class Routes:
    """All arrows of a timeline with so many columns. Along a spine each row has two channels that are its own (`apart`), and arrows to the
    next stage are none of them; rows of cards share the channel between them, and an arrow that turns there to the next row goes with the others.
    """

    def __init__(self, page: Page, columns: int, apart: bool) -> None:
        self.page, self.columns, self.apart = page, columns, apart
        self.names = [item.id for item in page.bound.all("timeline_stage")]
        arrows = page.bound.all("timeline_arrow")
        pairs = sorted((self.names.index(i.part.source or ""), self.names.index(i.part.target or "")) for i in arrows)
        self.on = {a for a, b in pairs if b == a + 1}  # stages from which an arrow leads to the next one
        turns = [(a, b) for a, b in pairs if b == a + 1 and self._row(a) != self._row(b) and not apart]
        self.ways = [self._way(a, b) for a, b in [*turns, *(pair for pair in pairs if pair[1] != pair[0] + 1)]]
        self.lanes = {side: [n for n, way in enumerate(self.ways) if way.lane == side] for side in (LEFT, RIGHT)}
        for lanes in self.lanes.values():
            lanes.sort(key=lambda n: (abs(self.ways[n].out - self.ways[n].into), n))
        self.ends = self._ends()
        self.x: dict[tuple[int, bool], float] = {}  # of each way where it leaves (False) and where it arrives (True)
        self.tracks: dict[tuple[int, int], int] = {}  # (channel, way)
        self.margins = {LEFT: page.x0, RIGHT: page.x1}  # where cards begin and end
        self.floors: dict[int, float] = {}  # where the first track of each channel lies, filled while rows are laid out

    def _row(self, stage: int) -> int:
        return stage // self.columns

    def _column(self, stage: int) -> int:
        return stage % self.columns

    def above(self, row: int) -> int:
        """The channel above a row."""
        return 2 * row if self.apart else row

    def below(self, row: int) -> int:
        """The channel below a row."""
        return 2 * row + 1 if self.apart else row + 1

    def _way(self, a: int, b: int) -> Way:
        """Above the row where it leads on, below it where it leads back; to another row out at the side where that row is."""
        ahead = b > a
        leaves = ahead == (self._row(a) == self._row(b))
        out = (self.above if leaves else self.below)(self._row(a))
        into = (self.above if ahead else self.below)(self._row(b))
        near = self._column(a) + self._column(b) < self.columns
        return Way(a, b, leaves, ahead, out, into, 0 if out == into else LEFT if near else RIGHT)

    def _is_turn(self, way: Way) -> bool:
        return way.b == way.a + 1

    def _is_straight(self, way: Way) -> bool:
        return not way.lane and self._column(way.a) == self._column(way.b)

    def _ends(self) -> dict[tuple[int, bool, int], list[tuple[int, bool]]]:
        """(stage, above its box, side of its middle) -> the ends of ways there, from the middle outwards: the shortest way is outermost."""
        found: dict[tuple[int, bool, int], list[tuple[int, bool]]] = {}
        for number, way in enumerate(self.ways):
            if self._is_turn(way):
                continue
            side = way.lane or (RIGHT if self._column(way.b) >= self._column(way.a) else LEFT)
            found.setdefault((way.a, way.leaves_above, side), []).append((number, False))
            if not self._is_straight(way):
                found.setdefault((way.b, way.arrives_above, way.lane or -side), []).append((number, True))
        for ends in found.values():
            ends.sort(key=lambda end: (-self._reach(end[0]), end))
        return found

    def _reach(self, number: int) -> int:
        way = self.ways[number]
        if way.lane:
            return self.columns + self.lanes[way.lane].index(number)
        return abs(self._column(way.a) - self._column(way.b))

    # ---- room

    def aside(self, side: int) -> float:
        """Room for the lanes at a side of the cards, px."""
        return TRACK * len(self.lanes[side]) + BESIDE - 10 if self.lanes[side] else 0.0

    def width(self) -> float:
        """How much of a box must be straight so that the lines of every one find room, px."""
        most = max(map(len, self.ends.values()), default=0)
        return 2 * (FIRST + PITCH * (most - 0.5)) if most else 0.0

    def depth(self, channel: int) -> float:
        """Room that the lines of a channel take beside the first one, px."""
        return TRACK * max((track for (there, _), track in self.tracks.items() if there == channel), default=0)

    def is_used(self, channel: int) -> bool:
        """Whether any line lies in a channel."""
        return any(there == channel for there, _ in self.tracks)

    # ---- places

    def settle(self, centres: Sequence[float], straight: Sequence[float], left: float, right: float) -> None:
        """Give each line its place: `centres` of columns, how much of each stage's box is `straight`, where cards begin and end."""
        pitch = PITCH
        for (stage, *_), ends in self.ends.items():
            room = (straight[stage] / 2 - FIRST) / (len(ends) - 0.5)
            pitch = min(pitch, room)
            if room < CLOSEST:
                got = f"{len(ends)} arrows at one side of `{self.names[stage]}` where {straight[stage] / 2:.0f} px are left"
                self.page.issues.append(Violation("scene", got, "fewer arrows from and to one stage"))
        for (stage, above, side), ends in self.ends.items():
            for place, end in enumerate(ends):  # those below stand between those above: so they never meet in a channel
                shift = FIRST + pitch * (place if above else place + 0.5)
                self.x[end] = centres[self._column(stage)] + side * shift
        for number, way in enumerate(self.ways):
            if self._is_turn(way):
                self.x[number, False], self.x[number, True] = (centres[self._column(s)] for s in (way.a, way.b))
            elif self._is_straight(way):
                self.x[number, True] = self.x[number, False]
        self.margins = {LEFT: left, RIGHT: right}
        for channel in dict.fromkeys(there for way in self.ways for there in (way.out, way.into)):
            runs = sorted(self._runs(channel), key=lambda run: (run[0].low, run[0].high, run[1]))
            for (_, number), track in zip(runs, assign([run for run, _ in runs]), strict=True):
                self.tracks[channel, number] = track

    def _lane(self, number: int) -> float:
        side = self.ways[number].lane
        return self.margins[side] + side * (BESIDE + TRACK * self.lanes[side].index(number))

    def _runs(self, channel: int) -> Iterator[tuple[Run, int]]:
        """The level stretches in a channel. That above a stretch of spine is turned over: its first track is the one next to the badges."""
        turned = self.apart and channel % 2 == 0
        for number, way in enumerate(self.ways):
            ends = []  # (x, whether the line comes to it from above)
            if way.out == channel:
                ends.append((self.x[number, False], not way.leaves_above))
            if way.into == channel:
                ends.append((self.x[number, True], not way.arrives_above))
            if way.lane and ends:
                ends.append((self._lane(number), (way.into if way.out == channel else way.out) < channel))
            if ends:
                over = tuple(x for x, from_above in ends if from_above != turned)
                under = tuple(x for x, from_above in ends if from_above == turned)
                yield Run(min(x for x, _ in ends), max(x for x, _ in ends), over, under), number

    def _level(self, channel: int, number: int) -> float:
        step = -TRACK if self.apart and channel % 2 == 0 else TRACK
        return self.floors[channel] + step * self.tracks[channel, number]

    # ---- lines

    def links(self, boxes: Sequence[Box]) -> Iterator[Link]:
        """The arrows between the boxes of stages that are laid out."""
        sheet = self.page.sheet
        for number, way in enumerate(self.ways):
            a, b = boxes[way.a], boxes[way.b]
            x, to = self.x[number, False], self.x[number, True]
            y, height = self._level(way.out, number), self._level(way.into, number)
            corners = [(x, a.y if way.leaves_above else a.bottom)]
            if way.lane:
                lane = self._lane(number)
                corners += [(x, y), (lane, y), (lane, height), (to, height)]
            elif x != to:
                corners += [(x, y), (to, y)]
            corners.append((to, b.y if way.arrives_above else b.bottom))
            wide = 2.5 if self._is_turn(way) else 2.0
            yield Link(f"{a.path}->{b.path}", corners, a.path, b.path, sheet.wire, wide, sheet.dash)
