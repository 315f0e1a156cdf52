"""Proof that a layout tree is sound: nothing overflows, nothing overlaps, links touch only their ends, every text is
legible.

`check(tree)` measures texts again instead of trusting the sizes in the tree, and returns every violation with the
path of the node. It runs in each compile, so a picture that exists has passed it. It judges geometry and contrast,
not taste, and it mends nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from experiments.compiler.colour import LEGIBLE, worst
from experiments.compiler.sheet import LEAST
from experiments.compiler.tree import Box, Link, Node, Ornament, Text, Tree
from experiments.violation import Violation, shorten

EPS = 0.05  # px
TOUCH = 0.6  # px: how exactly a link must end on a border
CLEAR = 2.0  # px: how far a link stays from what it does not attach to
LIMIT = 20_000.0  # px

Rect = tuple[float, float, float, float]  # left, top, right, bottom
Placed = list[tuple[Rect, Node]]
Level = tuple[Placed, Node | None]  # what stands beside each other, and which of it is the box that one is in


def check(tree: Tree) -> list[Violation]:
    """Every violation of a tree; empty for a sound one."""
    found: list[Violation] = []
    if not (0 < tree.width < LIMIT and 0 < tree.height < LIMIT):
        return [Violation("canvas", f"{tree.width} x {tree.height}", f"finite sizes up to {LIMIT:.0f} px")]
    if tree.free:
        return list(_check_free(tree))
    _visit(tree.root, tree.grounds or tree.canvas, (), found, {})
    return found


def _check_free(tree: Tree) -> Iterator[Violation]:
    """A drawing that places its own shapes may lay them over each other; none may leave the canvas."""
    for node in tree.root.children:
        if not isinstance(node, Link):
            a = _rect(node)
            left, right, top, bottom = min(a[0], a[2]), max(a[0], a[2]), min(a[1], a[3]), max(a[1], a[3])
            if not (left >= -EPS and top >= -EPS and right <= tree.width + EPS and bottom <= tree.height + EPS):
                yield Violation(
                    _path(node), _show((left, top, right, bottom)), f"inside {tree.width:g} x {tree.height:g}"
                )


def _visit(
    box: Box,
    fills: Sequence[str],
    outer: tuple[Level, ...],
    found: list[Violation],
    boxes: dict[str, Box],
) -> None:
    """Check the children of a box against the box and against each other, then go down."""
    if not outer:
        boxes.update({node.path: node for node in _boxes(box)})
    around: Rect = (box.x - EPS, box.y - EPS, box.right + EPS, box.bottom + EPS)
    placed: Placed = []
    links: list[Link] = []
    inner: list[Box] = []
    for node in box.children:
        if isinstance(node, Link):
            links.append(node)
            continue
        rect = _rect(node)
        placed.append((rect, node))
        if not (rect[0] >= around[0] and rect[1] >= around[1] and rect[2] <= around[2] and rect[3] <= around[3]):
            found.append(
                Violation(
                    _path(node), _show(rect), f"inside `{box.path}` {_show((box.x, box.y, box.right, box.bottom))}"
                )
            )
        if isinstance(node, Text):
            _check_text(node, rect[2] - rect[0], fills, found)
        elif isinstance(node, Box):
            inner.append(node)
    _check_overlap(placed, found)
    nearby: tuple[Level, ...] = (*outer, (placed, None))
    for link in links:
        _check_link(link, box, nearby, boxes, found)
    if len(links) > 1:
        _check_shared_lines(links, found)
    for child in inner:
        _visit(child, (child.fill,) if child.fill else fills, (*outer, (placed, child)), found, boxes)


def _boxes(box: Box) -> Iterator[Box]:
    yield box
    for node in box.children:
        if isinstance(node, Box):
            yield from _boxes(node)


def _rect(node: Box | Text | Ornament) -> Rect:
    """The ink of a node: a text's own lines, a box's or an ornament's outline."""
    if isinstance(node, Text):
        left, right = node.extent()
        return left, node.y, right, node.y + node.h
    return node.x, node.y, node.x + node.w, node.y + node.h


def _path(node: Node) -> str:
    return f"{node.kind} at ({node.x:.0f}, {node.y:.0f})" if isinstance(node, Ornament) else node.path


def _show(rect: Rect) -> str:
    return f"x {rect[0]:.1f}..{rect[2]:.1f}, y {rect[1]:.1f}..{rect[3]:.1f}"


def _check_text(text: Text, wide: float, fills: Sequence[str], found: list[Violation]) -> None:
    """The words of a text, `wide` px at their widest, against its room, its height and its ground."""
    font = text.font
    if wide > text.w + EPS:
        found.append(
            Violation(
                text.path,
                f"a line {wide:.1f} px wide: {shorten(max(text.lines, key=len))}",
                f"at most {text.w:.1f} px",
            )
        )
    if abs(len(text.lines) * font.size * font.lead - text.h) > EPS:
        found.append(
            Violation(
                text.path,
                f"{len(text.lines)} lines in {text.h:.1f} px",
                f"{len(text.lines) * font.size * font.lead:.1f} px",
            )
        )
    if font.size < LEAST:
        found.append(Violation(text.path, f"type of {font.size:g} px", f"at least {LEAST:g} px"))
    contrast = worst(text.colour, fills)
    if contrast < LEGIBLE:
        found.append(
            Violation(text.path, f"{text.colour} on {', '.join(fills)}: contrast {contrast:.2f}", f"at least {LEGIBLE}")
        )


def _check_overlap(placed: Placed, found: list[Violation]) -> None:
    """Siblings must not overlap; ornaments may overlap ornaments."""
    order = sorted(placed, key=lambda entry: entry[0][1])
    for i, (a, first) in enumerate(order):
        if not (a[2] >= a[0] and a[3] >= a[1] and a[0] > -LIMIT and a[2] < LIMIT):  # also catches NaN
            found.append(Violation(_path(first), _show(a), "a finite box of non-negative size"))
        for b, second in order[i + 1 :]:
            if b[1] >= a[3] - EPS:
                break
            if (
                b[0] < a[2] - EPS
                and a[0] < b[2] - EPS
                and b[3] > a[1] + EPS
                and not (isinstance(first, Ornament) and isinstance(second, Ornament))
            ):
                found.append(Violation(_path(second), _show(b), f"clear of `{_path(first)}` {_show(a)}"))


def _check_link(
    link: Link, parent: Box, nearby: tuple[Level, ...], boxes: dict[str, Box], found: list[Violation]
) -> None:
    """A link ends on the borders of its boxes and stays clear of every other node, also outside its own container."""
    ends = (link.points[0], link.source), (link.points[-1], link.target)
    for (x, y), name in ends:
        box = boxes.get(name)
        if box is None:
            found.append(Violation(link.path, f"an end at `{name}`", "the path of a box"))
        elif not _on_border(x, y, box):
            found.append(
                Violation(link.path, f"an end at ({x:.1f}, {y:.1f})", f"on a straight part of the border of `{name}`")
            )
    left, right = min(x for x, _ in link.points), max(x for x, _ in link.points)
    top, bottom = min(y for _, y in link.points), max(y for _, y in link.points)
    if left < parent.x - EPS or right > parent.right + EPS or top < parent.y - EPS or bottom > parent.bottom + EPS:
        found.append(Violation(link.path, _show((left, top, right, bottom)), f"inside `{parent.path}`"))
    for level, inside in nearby:
        for rect, node in level:
            if (
                node is inside
                or rect[0] > right + CLEAR
                or rect[2] < left - CLEAR
                or rect[1] > bottom + CLEAR
                or rect[3] < top - CLEAR
            ):
                continue
            path = "" if isinstance(node, Ornament) else node.path
            if link.label and path == link.label:
                continue
            room = -TOUCH if path in (link.source, link.target) else CLEAR
            area = rect[0] - room, rect[1] - room, rect[2] + room, rect[3] + room
            if any(_crosses(a, b, area) for a, b in pairwise(link.points)):
                found.append(Violation(link.path, f"a line across `{_path(node)}` {_show(rect)}", "a way round it"))


def _on_border(x: float, y: float, box: Box) -> bool:
    """On a straight part of the border: a rounded corner would leave a gap."""
    corner = min(box.radius * 0.8, box.w / 2, box.h / 2) - TOUCH
    if min(abs(x - box.x), abs(x - box.right)) <= TOUCH:
        return box.y + corner <= y <= box.bottom - corner
    return min(abs(y - box.y), abs(y - box.bottom)) <= TOUCH and box.x + corner <= x <= box.right - corner


def _crosses(a: tuple[float, float], b: tuple[float, float], rect: Rect) -> bool:
    """Whether the segment a-b meets the open rectangle (Liang-Barsky)."""
    low, high = 0.0, 1.0
    for start, delta, near, far in ((a[0], b[0] - a[0], rect[0], rect[2]), (a[1], b[1] - a[1], rect[1], rect[3])):
        if abs(delta) < 1e-9:
            if not near < start < far:
                return False
            continue
        t1, t2 = (near - start) / delta, (far - start) / delta
        low, high = max(low, min(t1, t2)), min(high, max(t1, t2))
    return low < high - 1e-9


def _check_shared_lines(links: list[Link], found: list[Violation]) -> None:
    """Two links must not run on top of each other unless they are branches of one trunk."""
    for i, first in enumerate(links):
        for second in links[i + 1 :]:
            if first.trunk and first.trunk == second.trunk:
                continue
            if any(_shares(a, b, c, d) for a, b in pairwise(first.points) for c, d in pairwise(second.points)):
                found.append(Violation(second.path, f"a stretch on top of `{first.path}`", "a line of its own"))


def _shares(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float], d: tuple[float, float]) -> bool:
    """Whether two axis-parallel segments lie on one line and overlap."""
    for along, across in ((0, 1), (1, 0)):
        level = (
            abs(a[across] - b[across]) < EPS and abs(c[across] - d[across]) < EPS and abs(a[across] - c[across]) < CLEAR
        )
        if (
            level
            and min(max(a[along], b[along]), max(c[along], d[along]))
            - max(min(a[along], b[along]), min(c[along], d[along]))
            > CLEAR
        ):
            return True
    return False
