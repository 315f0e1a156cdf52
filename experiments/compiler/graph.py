"""Cards and arrows in layers: what `layered.py` arranges, measured with words and put on a page.

A family says what its cards hold and which arrows there are; this file finds widths, heights and routes and adds
boxes, arrows and arrow labels to the page. It knows no family.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from experiments.compiler import layered
from experiments.compiler.flow import Flow
from experiments.compiler.page import Page
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Box, Link, move
from experiments.violation import Violation

NARROW, WIDE = 216.0, 380.0  # px, limits of a card's width
ENTRY = "entry badge"
Labels = Mapping[layered.Edge, Box]


@dataclass(slots=True)
class Arrow:
    """An arrow between two cards; `label` is the path of its words and the words."""

    source: str
    target: str
    label: tuple[str, str] | None = None

    @property
    def ends(self) -> layered.Edge:
        return self.source, self.target


@dataclass(slots=True)
class Graph:
    """Ids of cards in scene order, arrows, the ids to start from, and the words of a badge above the first one."""

    ids: tuple[str, ...]
    arrows: Sequence[Arrow]
    roots: tuple[str, ...]
    entry: tuple[str, str] | None = None

    def edges(self) -> tuple[layered.Edge, ...]:
        return (*([(ENTRY, self.roots[0])] if self.entry else []), *(arrow.ends for arrow in self.arrows))

    def rows(self) -> layered.Rows:
        rows = layered.arrange(self.ids, tuple(arrow.ends for arrow in self.arrows), self.roots)
        return ((ENTRY,), *rows) if self.entry else rows


@dataclass(slots=True)
class Room:
    """The horizontal room of a graph: `width` that the canvas needs, px for outer arrows at each side, px between
    cards.
    """

    width: float
    lanes: float
    gutter: float
    most: int


def measure(sheet: Sheet, graph: Graph) -> Room:
    """How wide a canvas a graph needs."""
    rows = graph.rows()
    outer = layered.outer_lanes(rows, graph.edges())
    lanes = (outer + 1) * layered.LANE if outer else 0.0
    most, gutter = max(len(row) for row in rows), sheet.gap * 0.9
    rim = 14.0 if sheet.style.frame in ("card", "panel") else 0.0
    return Room(2 * (sheet.margin + rim + lanes) + most * NARROW + (most - 1) * gutter, lanes, gutter, most)


def draw_graph(
    page: Page, graph: Graph, room: Room, fill: Callable[[str, float], Flow], frame: Callable[[str], str]
) -> None:
    """Add the graph at the cursor. `fill(id, width)` makes a card's words, `frame(id)` its border colour."""
    sheet, rows, edges = page.sheet, graph.rows(), graph.edges()
    left, right = page.x0 + room.lanes, page.x1 - room.lanes
    wide = min(WIDE, (right - left - (room.most - 1) * room.gutter) / room.most)
    centre = layered.spread(rows, edges, wide, room.gutter, left, right)
    made = layered.plan(rows, edges, centre, wide, left, right)
    flows = {name: fill(name, wide - 2 * sheet.pad) for name in graph.ids}
    labels = {arrow.ends: _label(page, arrow, made) for arrow in graph.arrows if arrow.label}
    boxes: dict[str, Box] = {}
    tops, bottoms = [], []
    for gap, row in enumerate(rows):
        page.y += _gap_height(sheet, made, labels, gap)
        tops.append(page.y)
        if row == (ENTRY,) and graph.entry:
            boxes[ENTRY] = _badge(page, graph.entry, centre[ENTRY])
        high = boxes[ENTRY].h if row == (ENTRY,) else max(flows[name].height for name in row) + 2 * sheet.pad
        for name in row:
            if name in flows:
                boxes[name] = page.card(
                    name, flows[name], centre[name] - wide / 2, page.y, wide, high, stroke=frame(name)
                )
        page.y += high
        bottoms.append(page.y)
    page.y += made.tracks[len(rows)] * layered.TRACK + (layered.STUB if made.tracks[len(rows)] else 0)
    _add_links(page, made, tops, bottoms, boxes, labels)
    page.add(*boxes.values(), *labels.values())


def _gap_height(sheet: Sheet, made: layered.Plan, labels: Labels, gap: int) -> float:
    """Room above a row: runs, then labels, then arrow heads."""
    arriving = [r for r in made.routes if made.level[r.target] == gap]
    runs = layered.STUB + (made.tracks[gap] - 1) * layered.TRACK + 8 if made.tracks[gap] else 0.0
    if not arriving:
        return max(runs, 0.0 if gap == 0 else sheet.gap * 0.8)
    tall = max([labels[r.source, r.target].h + 8 for r in arriving if (r.source, r.target) in labels], default=0.0)
    return (runs or layered.STUB) + tall + layered.ARROW + (sheet.gap * 0.15 if tall else 0)


def _badge(page: Page, words: tuple[str, str], x: float) -> Box:
    """The filled badge above the first card."""
    ground = page.sheet.ground(page.sheet.line(page.sheet.accent()))
    room = min(2 * (x - page.x0), 2 * (page.x1 - x), 1.5 * WIDE)
    box = page.labels.box(ENTRY, *words, "strong", room, ground, edge=16, lift=8, radius=18)
    move([box], x - box.w / 2, page.y)
    return box


def _label(page: Page, arrow: Arrow, made: layered.Plan) -> Box:
    """An arrow's words, to be set on its way into the target."""
    assert arrow.label
    room = next(r.room for r in made.routes if (r.source, r.target) == arrow.ends)
    return label_box(page, f"{arrow.source}->{arrow.target} label", *arrow.label, room - 18)


def label_box(page: Page, path: str, words_path: str, words: str, room: float, most: int = 4) -> Box:
    """A small quiet box with centred words of at most `room` px, at the origin."""
    sheet = page.sheet
    if room < 40:
        page.issues.append(
            Violation(f"content.{words_path}", f"a label where {room:.0f} px are left", "fewer arrows into one card")
        )
        room = 40
    return page.labels.box(path, words_path, words, "label", room + 18, sheet.surface_2, stroke=sheet.border, most=most)


def _add_links(
    page: Page, made: layered.Plan, tops: list[float], bottoms: list[float], boxes: dict[str, Box], labels: Labels
) -> None:
    sheet = page.sheet
    centres = {name: box.centre for name, box in boxes.items()}
    ends = {name: box.bottom for name, box in boxes.items()}
    for route in made.routes:
        target = boxes[route.target]
        corners = layered.points(route, made, centres, tops, ends, bottoms, target.y)
        label = labels.get((route.source, route.target))
        if label is not None:
            move([label], route.port - label.w / 2, target.y - layered.ARROW - label.h)
        page.add(
            Link(
                f"{route.source}->{route.target}",
                corners,
                boxes[route.source].path,
                target.path,
                sheet.wire,
                dash=sheet.dash,
                label=label.path if label is not None else "",
                trunk=route.source,
            )
        )
