"""The layout tree: boxes that hold texts, ornaments, links and further boxes, all at absolute positions in px.

Nodes are plain mutable records: a family measures them at the origin and moves them into place. The tree is what
`check.py` proves and `draw.py` writes; it knows neither scenes nor SVG.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from experiments.compiler.metric import CAP, width

TAIL = 0.2  # em: how far letters with tails reach below their line
Rect = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True, slots=True)
class Font:
    """A face (sans, bold, mono) at a size in px; `lead` = line height / size."""

    face: str
    size: float
    lead: float = 1.3


Fitted = tuple[Font, tuple[str, ...]]  # a size and the lines that fit at it


@dataclass(slots=True)
class Text:
    """Lines of one font in a box: `w` is the room given, `h` = lines x line height. `path` names where the words come
    from.
    """

    path: str
    x: float
    y: float
    w: float
    h: float
    lines: tuple[str, ...]
    font: Font
    colour: str
    anchor: str = "start"  # start, middle, end

    @classmethod
    def at(cls, path: str, x: float, y: float, w: float, fitted: Fitted, colour: str, anchor: str = "start") -> Text:
        """Fitted lines with their top left corner at (x, y)."""
        font, lines = fitted
        return cls(path, x, y, w, len(lines) * font.size * font.lead, lines, font, colour, anchor)

    def extent(self) -> tuple[float, float]:
        """Left and right end of the widest line."""
        wide = max([width(line, self.font.face, self.font.size) for line in self.lines])
        left = (
            self.x
            if self.anchor == "start"
            else self.x + self.w - wide
            if self.anchor == "end"
            else self.x + (self.w - wide) / 2
        )
        return left, left + wide

    def ink(self) -> Rect:
        """Left, top, right and bottom of its letters: from the capitals of the first line to the tails of the last one."""
        left, right = self.extent()
        line = self.font.size * self.font.lead
        base = self.y + line / 2 + self.font.size * CAP / 2
        return left, base - self.font.size * CAP, right, base + line * (len(self.lines) - 1) + self.font.size * TAIL


@dataclass(slots=True)
class Ornament:
    """A mark without words, inside `x y w h`: rect, circle (inscribed), line (diagonal of the box) or polygon
    (`points`).
    """

    kind: str
    x: float
    y: float
    w: float
    h: float
    fill: str | None = None
    stroke: str | None = None
    stroke_width: float = 1.0
    radius: float = 0.0
    points: tuple[tuple[float, float], ...] = ()
    dash: str = ""


@dataclass(slots=True)
class Link:
    """A connector through `points` from the border of the box `source` to that of `target`; `label` = path of the box
    that sits on it.
    """

    path: str
    points: list[tuple[float, float]]
    source: str
    target: str
    colour: str
    width: float = 2.0
    dash: str = ""
    head: bool = True
    label: str = ""
    bend: float = 8.0  # corner radius
    trunk: str = ""  # links of one trunk may share a stretch of line


@dataclass(slots=True)
class Box:
    """A rectangle with children. `fill=None` shows what is behind. Children stay inside and do not overlap each
    other.
    """

    path: str
    x: float
    y: float
    w: float
    h: float
    fill: str | None = None
    stroke: str | None = None
    stroke_width: float = 1.0
    radius: float = 0.0
    dash: str = ""
    children: list[Node] = field(default_factory=list)

    @property
    def right(self) -> float:
        return self.x + self.w

    @property
    def bottom(self) -> float:
        return self.y + self.h

    @property
    def middle(self) -> float:
        """Vertical middle."""
        return self.y + self.h / 2

    @property
    def centre(self) -> float:
        """Horizontal centre."""
        return self.x + self.w / 2

    def add(self, *nodes: Node) -> None:
        self.children.extend(nodes)


Node = Box | Text | Ornament | Link


@dataclass(slots=True)
class Tree:
    """A whole picture: size, canvas gradient, background pattern, the root box, and what a screen reader is told."""

    width: float
    height: float
    canvas: tuple[str, str]
    grounds: tuple[str, ...]  # every colour that can lie behind text on the bare canvas
    pattern: list[tuple[str, dict[str, str | float]]]
    root: Box
    title: str
    summary: str
    free: bool = False  # every node stands where the scene itself put it: `check.py` says what still holds


def overlap(a: Rect, b: Rect) -> bool:
    """Whether two rectangles have an area in common."""
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def move(nodes: Iterable[Node], dx: float, dy: float) -> None:
    """Shift nodes and all they hold."""
    for node in nodes:
        if isinstance(node, Link):
            node.points = [(x + dx, y + dy) for x, y in node.points]
            continue
        node.x += dx
        node.y += dy
        if isinstance(node, Box):
            move(node.children, dx, dy)
        elif isinstance(node, Ornament) and node.points:
            node.points = tuple((x + dx, y + dy) for x, y in node.points)


def walk(box: Box) -> Iterator[Node]:
    """Every node below a box, parents first."""
    for node in box.children:
        yield node
        if isinstance(node, Box):
            yield from walk(node)
