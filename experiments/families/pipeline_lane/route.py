"""Routes of a pipeline's arrows: which way each takes, and the room below the lanes that it needs.

Neighbours in a lane are joined straight; the last of a lane and the first of the next round both ends; every other pair by a line of
its own below the cards, and along the left margin where the two are in different lanes.
"""

from __future__ import annotations

from collections.abc import Iterator

from experiments.compiler.bind import Item
from experiments.compiler.page import Page
from experiments.compiler.tree import Box, Link

FIRST, STEP = 14.0, 12.0  # px below the cards: the first line, and from line to line
SIDE = 14.0  # px beside the cards: the turn from lane to lane
SPREAD = 20.0  # px between two lines that leave one card
MARGIN = 20.0  # px for all lines outside the turn

Point = tuple[float, float]


class Routes:
    """All arrows of a pipeline. `floors` = where each lane's cards end, filled while the lanes are laid out."""

    def __init__(self, page: Page, stages: int, columns: int) -> None:
        self.page, self.columns = page, columns
        self.floors: list[float] = []
        names = page.bound.family.ends(page.bound.scene)
        order = {index: number for number, index in enumerate(sorted(set(names.values())))}
        self.arrows: list[tuple[Item, int, int]] = [
            (item, order[names[item.part.source or ""]], order[names[item.part.target or ""]])
            for item in page.bound.all("flow_arrow", "curved_connector")
        ]
        self.lines: list[list[int]] = [[] for _ in range(0, stages, columns)]  # arrows with a line below each lane
        self.sides: list[int] = []  # arrows with a line along the margin
        self.feet: dict[int, list[tuple[float, int]]] = {}  # arrows at the foot of each stage
        for number, (_, a, b) in enumerate(self.arrows):
            self._plan(number, a, b)
        for lane in self.lines:  # short ones next to the cards, the turn to the next lane outside of all
            lane.sort(key=lambda number: (self._is_turn(*self.arrows[number][1:]), self._reach(number), number))

    def _reach(self, number: int) -> int:
        _, a, b = self.arrows[number]
        return abs(b - a)

    def _is_turn(self, a: int, b: int) -> bool:
        return b == a + 1 and self.row(a) != self.row(b)

    def row(self, stage: int) -> int:
        return stage // self.columns

    def _plan(self, number: int, a: int, b: int) -> None:
        turn = self._is_turn(a, b)
        if b == a + 1 and not turn:
            return
        if not turn:
            self.feet.setdefault(a, []).append((b - a, number))
            self.feet.setdefault(b, []).append((a - b, number))
            if self.row(a) != self.row(b):
                self.sides.append(number)
                self.lines[self.row(b)].append(number)
        self.lines[self.row(a)].append(number)

    def depth(self, row: int) -> float:
        """Room below a lane for its lines, px."""
        return FIRST + STEP * len(self.lines[row]) if self.lines[row] else 0.0

    def links(self, boxes: list[Box]) -> Iterator[Link]:
        sheet = self.page.sheet
        for number, (item, a, b) in enumerate(self.arrows):
            first, last = boxes[a], boxes[b]
            curved = item.part.kind == "curved_connector"
            colour = sheet.line(sheet.accent()) if curved else sheet.wire
            points = self._points(number, a, b, first, last)
            bend = 18.0 if curved else 8.0
            path = f"{item.part.source}->{item.part.target}"
            yield Link(path, points, first.path, last.path, colour, 2.5, "6 5" if curved else sheet.dash, bend=bend)

    def _points(self, number: int, a: int, b: int, first: Box, last: Box) -> list[Point]:
        if b == a + 1 and self.row(a) == self.row(b):
            return [(first.right, first.middle), (last.x, last.middle)]
        if b == a + 1:
            y, left, right = self._level(number, self.row(a)), self.page.x0 - SIDE, self.page.x1 + SIDE
            middle = last.middle
            return [
                (first.right, first.middle),
                (right, first.middle),
                (right, y),
                (left, y),
                (left, middle),
                (last.x, middle),
            ]
        start, end = self._foot(number, a, first), self._foot(number, b, last)
        if self.row(a) == self.row(b):
            y = self._level(number, self.row(a))
            return [(start, first.bottom), (start, y), (end, y), (end, last.bottom)]
        side = self.page.x0 - SIDE - MARGIN * (self.sides.index(number) + 1) / (len(self.sides) + 1)
        y, z = self._level(number, self.row(a)), self._level(number, self.row(b))
        return [(start, first.bottom), (start, y), (side, y), (side, z), (end, z), (end, last.bottom)]

    def _level(self, number: int, row: int) -> float:
        return self.floors[row] + FIRST + STEP * self.lines[row].index(number)

    def _foot(self, number: int, stage: int, box: Box) -> float:
        """Where an arrow meets the foot of a card: beside the others, those that go further left to the left."""
        order = [arrow for _, arrow in sorted(self.feet[stage])]
        return box.centre + (order.index(number) - (len(order) - 1) / 2) * min(SPREAD, (box.w - 60) / len(order))
