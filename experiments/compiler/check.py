"""Proof that a layout tree is sound: nothing overflows, nothing overlaps, links touch only their ends, every text is
legible.

`check(tree)` measures texts again instead of trusting the sizes in the tree, and returns every violation with the
path of the node. It runs in each compile, so a picture that exists has passed it. It judges geometry and contrast,
not taste, and it mends nothing.

A drawing that places its own shapes (`tree.free`) is held to fewer rules: all of it stays on the canvas, its words are legible on every
colour that lies under them, no shape is drawn over them, and they do not lie on each other. Its shapes may overlap, and its words may
be of any size and reach out of the shape that they stand in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise, product
from math import hypot

from experiments.atom import WORDS
from experiments.compiler.colour import LEGIBLE, worst
from experiments.compiler.sheet import LEAST
from experiments.compiler.tree import Box, Link, Node, Ornament, Rect, Text, Tree, overlap
from experiments.violation import Violation, shorten

EPS = 0.05  # px
TOUCH = 0.6  # px: how exactly a link must end on a border
CLEAR = 2.0  # px: how far a link stays from what it does not attach to
LIMIT = 20_000.0  # px

Point = tuple[float, float]
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
    """A drawing that places its own shapes may lay them over each other; none may leave the canvas, and its words can be read."""
    for node in tree.root.children:
        if not isinstance(node, Link):
            left, top, right, bottom = _upright(_rect(node))
            if not (left >= -EPS and top >= -EPS and right <= tree.width + EPS and bottom <= tree.height + EPS):
                yield Violation(
                    _path(node), _show((left, top, right, bottom)), f"inside {tree.width:g} x {tree.height:g}"
                )
    yield from _check_words(tree)


def _check_words(tree: Tree) -> Iterator[Violation]:
    """The words of a free drawing against the shapes that are drawn before and after them, and against each other."""
    shapes: list[Ornament] = []
    texts: list[tuple[Rect, Text]] = []
    for node in tree.root.children:
        if isinstance(node, Ornament):
            for ink, text in texts:
                if _paints(node, ink)[0]:
                    got = f"a {node.kind} at {_show(_upright(_rect(node)))} over the words"
                    yield Violation(_origin(text), got, "nothing drawn over them")
            shapes.append(node)
        elif isinstance(node, Text):
            left, top, right, bottom = node.ink()
            ink = left + EPS, top + EPS, right - EPS, bottom - EPS
            yield from _check_contrast(_origin(node), node, _grounds(tree, shapes, ink))
            for other, text in texts:
                if overlap(ink, other):
                    yield Violation(_origin(node), _show(ink), f"clear of the words of `{text.path}` {_show(other)}")
            texts.append((ink, node))


def _origin(text: Text) -> str:
    """Where the words of a free drawing come from: the scene that brings them along, or the content that fills its slot."""
    return f"{'scene' if text.path.startswith(f'{WORDS}.') else 'content'}.{text.path}"


def _grounds(tree: Tree, shapes: Sequence[Ornament], area: Rect) -> Sequence[str]:
    """The colours in an area of a free drawing once these shapes are drawn. One that no single shape hides as a whole counts as seen."""
    found = list(tree.grounds or tree.canvas)
    for shape in shapes:
        colours, whole = _paints(shape, area)
        found = [*([] if whole else found), *colours]
    return tuple(dict.fromkeys(found))


def _paints(mark: Ornament, area: Rect) -> tuple[list[str], bool]:
    """The colours that a shape brings into an area, and whether its filling takes up the whole of it."""
    edge = mark.stroke_width / 2 if mark.stroke else 0.0
    left, top, right, bottom = _upright(_rect(mark))
    if not overlap((left - edge, top - edge, right + edge, bottom + edge), area):
        return [], False
    if mark.kind not in ("rect", "circle"):
        filled, whole, lined = _reach_straight(mark, edge, area)
    elif mark.w and mark.h:
        filled, whole = _reach_round(mark, 0.0, area)
        lined = _reach_round(mark, edge, area)[0] and not _reach_round(mark, -edge, area)[1]
    else:  # SVG draws nothing of it
        return [], False
    colours = (mark.fill if filled else None, mark.stroke if edge and lined else None)
    return [colour for colour in colours if colour], whole and mark.fill is not None


def _reach_round(mark: Ornament, by: float, area: Rect) -> tuple[bool, bool]:
    """Whether a rectangle or circle, `by` px larger at each side, reaches into an area, and whether it takes up the whole of it."""
    corner = min(mark.w, mark.h) / 2 if mark.kind == "circle" else mark.radius
    rx, ry = (max(0.0, min(corner, side / 2) + by) if corner else 0.0 for side in (mark.w, mark.h))
    core = mark.x - by + rx, mark.y - by + ry, mark.x + mark.w + by - rx, mark.y + mark.h + by - ry
    ends = [(x, y, x, y) for x, y in product((area[0], area[2]), (area[1], area[3]))]
    return _is_near(core, area, rx, ry), all(_is_near(core, end, rx, ry) for end in ends)


def _is_near(core: Rect, area: Rect, rx: float, ry: float) -> bool:
    """Whether an area is as near to the core of a shape as its round corners reach."""
    dx, dy = max(core[0] - area[2], area[0] - core[2], 0.0), max(core[1] - area[3], area[1] - core[3], 0.0)
    return dx <= rx and dy <= ry and (not dx or not dy or (dx / rx) ** 2 + (dy / ry) ** 2 <= 1)


def _reach_straight(mark: Ornament, edge: float, area: Rect) -> tuple[bool, bool, bool]:
    """Whether the filling of a shape with straight sides reaches into an area, takes up the whole of it, and whether its line reaches in."""
    corners = mark.points or ((mark.x, mark.y), (mark.x + mark.w, mark.y + mark.h))
    sides = [*pairwise(corners), (corners[-1], corners[0])]
    cut = any(_crosses(a, b, area) for a, b in sides)
    whole = not cut and _goes_round(sides, (area[0] + area[2]) / 2, (area[1] + area[3]) / 2)
    lined = any(_gap(a, b, area) < edge for a, b in (sides if mark.kind == "polygon" else sides[:-1]))
    return whole or (cut and len(corners) > 2), whole, lined


def _gap(a: Point, b: Point, area: Rect) -> float:
    """How far the segment a-b stays from an area, px."""
    if _crosses(a, b, area):
        return 0.0
    gaps = [hypot(max(area[0] - x, x - area[2], 0.0), max(area[1] - y, y - area[3], 0.0)) for x, y in (a, b)]
    dx, dy = b[0] - a[0], b[1] - a[1]
    for x, y in product((area[0], area[2]), (area[1], area[3])):
        along = ((x - a[0]) * dx + (y - a[1]) * dy) / ((dx * dx + dy * dy) or 1.0)
        share = min(1.0, max(0.0, along))
        gaps.append(hypot(a[0] + share * dx - x, a[1] + share * dy - y))
    return min(gaps)


def _goes_round(sides: Sequence[tuple[Point, Point]], x: float, y: float) -> bool:
    """Whether an outline goes round a point, counted as SVG counts it when it fills."""
    turns = 0
    for (ax, ay), (bx, by) in sides:
        if (ay <= y) != (by <= y):
            rises = by > ay
            if ((bx - ax) * (y - ay) > (x - ax) * (by - ay)) == rises:
                turns += 1 if rises else -1
    return turns != 0


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


def _upright(a: Rect) -> Rect:
    """The same rectangle, also where it is that of a line that runs up or to the left."""
    return min(a[0], a[2]), min(a[1], a[3]), max(a[0], a[2]), max(a[1], a[3])


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
    found.extend(_check_contrast(text.path, text, fills))


def _check_contrast(place: str, text: Text, fills: Sequence[str]) -> Iterator[Violation]:
    """The colour of a text against every colour that it stands on."""
    if text.colour == "none":
        yield Violation(place, f"words that are not painted: {shorten(text.lines[0])}", "a colour")
    elif (contrast := worst(text.colour, fills)) < LEGIBLE:
        yield Violation(place, f"{text.colour} on {', '.join(fills)}: contrast {contrast:.2f}", f"at least {LEGIBLE}")


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
