"""Cards and arrows in layers: what `layered.py` arranges, measured with words and put on a page.

A family says what its cards hold and which arrows there are; this file finds widths, heights and routes and adds
boxes, arrows and arrow labels to the page. It knows no family.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from experiments.compiler import hang, layered
from experiments.compiler.bind import Bound, Item
from experiments.compiler.flow import Flow
from experiments.compiler.metric import width
from experiments.compiler.page import Page
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Box, Link, move
from experiments.violation import Violation

NARROW, WIDE = 216.0, 380.0  # px, limits of a card's width
ENTRY = "entry badge"
EDGES = 18.0  # px of a label beside its words
WHOLE = 0.9  # share of its size at which a label's longest word shall fit its place
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


def arrows_of(items: Sequence[Item]) -> list[Arrow]:
    """The arrows of edge components, each with its words."""
    return [Arrow(i.part.source or "", i.part.target or "", (f"{i.ref}.label", i.data.label)) for i in items]


@dataclass(slots=True)
class Graph:
    """Ids of cards in scene order, arrows, the ids to start from, and the words of a badge above the first one."""

    ids: tuple[str, ...]
    arrows: Sequence[Arrow]
    roots: tuple[str, ...]
    entry: tuple[str, str] | None = None

    @property
    def ends(self) -> tuple[layered.Edge, ...]:
        return tuple(arrow.ends for arrow in self.arrows)

    def folded(self, fit: int) -> hang.Folded:
        return hang.fold(self.ids, self.ends, self.roots, fit)

    def layers(self, fit: int) -> layered.Layers:
        """Layers of at most `fit` cards, where its leaves can be stacked."""
        folded = self.folded(fit)
        made = layered.arrange(folded.ids, folded.edges, self.roots)
        return made.under(ENTRY, self.roots[0]) if self.entry else made


def read_graph(bound: Bound, inner: str, *ends: str, edge: str = "decision_edge") -> tuple[dict[str, Item], Graph]:
    """The cards of a scene by id, and the graph that its edges make of them. It starts at the `inner` parts that no arrow leads to, at the
    first of them where there is none.
    """
    cards = {item.id: item for item in bound.all(inner, *ends)}
    arrows = arrows_of(bound.all(edge))
    reached = {arrow.target for arrow in arrows}
    nodes = [name for name, item in cards.items() if item.part.kind == inner]
    return cards, Graph(tuple(cards), arrows, tuple(name for name in nodes if name not in reached) or (nodes[0],))


@dataclass(slots=True)
class Room:
    """The horizontal room of a graph: `width` that the canvas needs, px for outer arrows at each side, px between
    cards.
    """

    width: float
    lanes: float
    gutter: float
    most: tuple[float, int]  # px that the fullest row takes besides its cards, and how many cards it has
    fit: int  # how many cards fit on a page of the usual width


def measure(sheet: Sheet, graph: Graph) -> Room:
    """How wide a canvas a graph needs."""
    gutter, rim = sheet.gap * 0.9, 14.0 if sheet.style.frame in ("card", "panel") else 0.0
    entries = max(Counter(arrow.target for arrow in graph.arrows).values(), default=0)
    narrow = max(NARROW, layered.least_width(entries))
    fit = int((sheet.width - 2 * (sheet.margin + rim) + gutter) / (narrow + gutter))
    layers = graph.layers(fit)
    outer = layered.outer_lanes(layers.rows, layers.steps)
    lanes = (outer + 1) * layered.LANE if outer else 0.0
    most = max((_fill(layers, row, gutter) for row in layers.rows), key=lambda fill: fill[0] + fill[1] * narrow)
    return Room(2 * (sheet.margin + rim + lanes) + most[0] + most[1] * narrow, lanes, gutter, most, fit)


def _fill(layers: layered.Layers, row: Sequence[str], gutter: float) -> tuple[float, int]:
    cards = sum(name not in layers.waypoints for name in row)
    return (len(row) - 1) * gutter + (len(row) - cards) * layered.WAY, cards


def roomy(room: Room) -> float:
    """The widest card of a graph whose rows are short: wide cards make a deep graph lower."""
    return {1: 620.0, 2: 500.0}.get(room.most[1], WIDE)


def draw_graph(
    page: Page,
    graph: Graph,
    room: Room,
    fill: Callable[[str, float], Flow],
    frame: Callable[[str], str],
    widest: float = WIDE,
) -> None:
    """Add the graph at the cursor. `fill(id, width)` makes a card's words, `frame(id)` its border colour; no card is wider
    than `widest`.
    """
    layers, stacks = graph.layers(room.fit), graph.folded(room.fit).stacks
    rows, points = layers.rows, layers.waypoints
    left, right = page.x0 + room.lanes, page.x1 - room.lanes
    wide = min(
        [widest, *((right - left - rest) / n for rest, n in (_fill(layers, row, room.gutter) for row in rows) if n)]
    )
    centre = layered.spread(rows, layers.steps, wide, points, room.gutter, left, right)
    needs = {
        layers.ways[a.ends][-1]: _need(page.sheet, a.label[1])
        for a in graph.arrows
        if a.label and a.ends in layers.ways
    }
    made = layered.plan(rows, layers.steps, centre, wide, left, right, points, dict.fromkeys(stacks, hang.SPINE), needs)
    plot = Plot(page, graph, layers, stacks, made, centre, wide)
    plot.measure(fill)
    for gap in range(len(rows)):
        plot.add_row(gap, frame)
    page.y += made.tracks[len(rows)] * layered.TRACK + (layered.STUB if made.tracks[len(rows)] else 0)
    for arrow in (*([Arrow(ENTRY, graph.roots[0])] if graph.entry else []), *graph.arrows):
        plot.add_link(arrow)
    page.add(*plot.boxes.values(), *(box for there in (plot.labels, plot.hanging) for box in there.values()))


@dataclass(slots=True)
class Plot:
    """A graph while it is put on a page. `labels` belong to the last step of an arrow, `hanging` ones to a card of a stack."""

    page: Page
    graph: Graph
    layers: layered.Layers
    stacks: Mapping[str, tuple[str, ...]]
    made: layered.Plan
    centre: Mapping[str, float]
    wide: float
    flows: dict[str, Flow] = field(default_factory=dict)
    boxes: dict[str, Box] = field(default_factory=dict)
    labels: dict[layered.Edge, Box] = field(default_factory=dict)
    hanging: dict[str, Box] = field(default_factory=dict)
    floors: list[float] = field(default_factory=list)
    tops: list[float] = field(default_factory=list)
    place: dict[str, str] = field(default_factory=dict)

    def measure(self, fill: Callable[[str, float], Flow]) -> None:
        """Words of all cards and labels."""
        pad = 2 * self.page.sheet.pad
        self.place = {name: stack for stack, members in self.stacks.items() for name in members}
        self.floors.append(self.page.y)
        for name in self.graph.ids:
            self.flows[name] = fill(name, self.wide - pad - (hang.INDENT if name in self.place else 0.0))
        for arrow in self.graph.arrows:
            if arrow.label and arrow.target in self.place:
                path = f"{arrow.source}->{arrow.target} label"
                self.hanging[arrow.target] = label_box(
                    self.page, path, *arrow.label, self.wide - hang.INDENT - EDGES, 2
                )
            elif arrow.label:
                last = self.layers.ways[arrow.ends][-1]
                self.labels[last] = _label(self.page, arrow, last, self.made)

    def add_row(self, gap: int, frame: Callable[[str], str]) -> None:
        """The cards and stacks of one row, below the room for what arrives."""
        page, row = self.page, self.layers.rows[gap]
        page.y += _gap_height(page.sheet, self.made, self.labels, gap)
        self.tops.append(page.y)
        if row == (ENTRY,) and self.graph.entry:
            self.boxes[ENTRY] = _badge(page, self.graph.entry, self.centre[ENTRY])
        cards = [name for name in row if name in self.flows]
        high = max((self.flows[name].height for name in cards), default=0.0) + 2 * page.sheet.pad
        new = {}
        for name in row:
            left = self.centre[name] - self.wide / 2
            if name in self.flows:
                new[name] = page.card(name, self.flows[name], left, page.y, self.wide, high, stroke=frame(name))
            elif name in self.stacks:
                new |= hang.place(page, self.stacks[name], self.flows, self.hanging, frame, left, self.wide)
        self.boxes |= new
        page.y = max(box.bottom for box in (new or self.boxes).values())
        self.floors.append(page.y)

    def add_link(self, arrow: Arrow) -> None:
        """An arrow through its steps, and its label on the last one."""
        page, source, target = self.page, self.boxes[arrow.source], self.boxes[arrow.target]
        way = self.layers.ways[arrow.source, self.place.get(arrow.target, arrow.target)]
        routes = {(route.source, route.target): route for route in self.made.routes}
        steps = [routes[step] for step in way]
        exits = {**self.centre, arrow.source: source.centre}
        lines = [layered.points(step, self.made, exits, self.floors, self.tops) for step in steps]
        lines[0][0] = (lines[0][0][0], source.bottom)
        label = self.hanging.get(arrow.target) or self.labels.get(way[-1])
        if arrow.target in self.place:
            lines[-1][-1] = (steps[-1].port, target.middle)
            lines.append([lines[-1][-1], (target.x, target.middle)])
        elif label is not None:
            lift = steps[-1].tier * _tiers(self.made, self.labels, self.made.level[arrow.target])[0]
            x = min(max(steps[-1].port - label.w / 2, target.x - 4), target.right + 4 - label.w)
            move([label], x, target.y - layered.ARROW - label.h - lift)
        path, sheet = f"{arrow.source}->{arrow.target}", page.sheet
        page.add(
            Link(
                path,
                layered.join(lines),
                source.path,
                target.path,
                sheet.wire,
                dash=sheet.dash,
                label=label.path if label is not None else "",
                trunk=arrow.source,
            )
        )


def _gap_height(sheet: Sheet, made: layered.Plan, labels: Labels, gap: int) -> float:
    """Room above a row: runs, then labels, then arrow heads."""
    arriving = [r for r in made.routes if made.level[r.target] == gap]
    runs = layered.STUB + (made.tracks[gap] - 1) * layered.TRACK + 8 if made.tracks[gap] else 0.0
    if not arriving:
        return max(runs, 0.0 if gap == 0 else sheet.gap * 0.8)
    tall, tiers = _tiers(made, labels, gap)
    return (runs or layered.STUB) + tall * tiers + layered.ARROW + (sheet.gap * 0.15 if tall else 0)


def _tiers(made: layered.Plan, labels: Labels, gap: int) -> tuple[float, int]:
    """(height of a tier, number of tiers) of the labels above a row."""
    found = [
        (labels[s, t].h + 8, r.tier + 1)
        for r in made.routes
        for s, t in [(r.source, r.target)]
        if made.level[t] == gap and (s, t) in labels
    ]
    return max((h for h, _ in found), default=0.0), max((n for _, n in found), default=1)


def _badge(page: Page, words: tuple[str, str], x: float) -> Box:
    """The filled badge above the first card."""
    ground = page.sheet.ground(page.sheet.line(page.sheet.accent()))
    room = min(2 * (x - page.x0), 2 * (page.x1 - x), 1.5 * WIDE)
    box = page.labels.box(ENTRY, *words, "strong", room, ground, edge=16, lift=8, radius=18)
    move([box], x - box.w / 2, page.y)
    return box


def _need(sheet: Sheet, words: str) -> float:
    """How wide a label has to be for its longest word, at the smallest size that is tried before a word is broken."""
    font = sheet.fonts["label"]
    return max((width(word, font.face, font.size) for word in words.split()), default=0.0) * WHOLE + EDGES


def _label(page: Page, arrow: Arrow, last: layered.Edge, made: layered.Plan) -> Box:
    """An arrow's words, to be set on its last step, on the way into the target."""
    assert arrow.label
    room = next(r.room for r in made.routes if (r.source, r.target) == last)
    return label_box(page, f"{arrow.source}->{arrow.target} label", *arrow.label, room - EDGES)


def label_box(page: Page, path: str, words_path: str, words: str, room: float, most: int = 4) -> Box:
    """A small quiet box with centred words of at most `room` px, at the origin."""
    sheet = page.sheet
    if room < 40:
        page.issues.append(
            Violation(f"content.{words_path}", f"a label where {room:.0f} px are left", "fewer arrows into one card")
        )
        room = 40
    return page.labels.box(
        path, words_path, words, "label", room + EDGES, sheet.surface_2, stroke=sheet.border, most=most
    )
