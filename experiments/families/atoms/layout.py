"""From atoms to a layout tree: each shape where its scene puts it, the words beside. A style has no say here.

The layout checker judges whether words can be read (`check.py`). `strict` also holds them to the shape that they stand in, and names the
content that is too long, for lowerings that have content to fit.
"""

from __future__ import annotations

from experiments import atom
from experiments.compiler.bind import Bound, Item
from experiments.compiler.metric import CAP, width
from experiments.compiler.tree import Box, Font, Ornament, Rect, Text, Tree, overlap
from experiments.scene import Component
from experiments.violation import Violation, shorten

LEAD = 1.2
Room = tuple[float, float]  # left, right: what a text stands in


def lay_out(bound: Bound, summary: str, strict: bool = False) -> Tree:
    """The tree of a bound scene of atoms; words that leave the canvas become issues."""
    header = atom.canvas(bound.scene)
    w, h = float(header["w"]), float(header["h"])
    ground = colour(header.get("bg", "none"))
    ground = "#ffffff" if ground == "none" else ground
    root = Box("canvas", 0, 0, w, h)
    for item in bound.items:
        if item.part.kind == "text":
            root.add(_text(bound, item, w, h))
        elif item.part.kind != "canvas":
            root.add(_shape(item.part))
    if strict:
        _judge(bound, root, (0.0, w))
    words = [line for node in root.children if isinstance(node, Text) for line in node.lines]
    title = (
        words[0] if words else bound.scene.topic.replace("_", " ") or header.get("layout", "drawing").replace("-", " ")
    )
    return Tree(w, h, (ground, ground), (ground,), [], root, title, summary, free=True)


def colour(name: str | None) -> str:
    """A name of the palette, or the `#rrggbb` itself, as `#rrggbb` or `none`."""
    return atom.COLOURS.get(name or "none", name or "none")


def _paint(name: str | None) -> str | None:
    found = colour(name)
    return None if found == "none" else found


def _shape(part: Component) -> Ornament:
    at = {name: float(value) for name, value in part.attributes if atom.NUMBER.fullmatch(value)}
    fill, stroke, thick = _paint(part.get("fill")), _paint(part.get("stroke")), at.get("sw", 1.0)
    if part.kind == "circle":
        x, y, r = at["cx"], at["cy"], at["r"]
        return Ornament("circle", x - r, y - r, 2 * r, 2 * r, fill, stroke, thick)
    if part.kind == "rect":
        return Ornament("rect", at["x"], at["y"], at["width"], at["height"], fill, stroke, thick, at.get("rx", 0.0))
    if part.kind == "line":
        return Ornament("line", at["x1"], at["y1"], at["x2"] - at["x1"], at["y2"] - at["y1"], None, stroke, thick)
    corners = tuple(atom.points(part))
    x, y = min(x for x, _ in corners), min(y for _, y in corners)
    w, h = max(x for x, _ in corners) - x, max(y for _, y in corners) - y
    return Ornament(part.kind, x, y, w, h, fill, stroke, thick, points=corners)


def _text(bound: Bound, item: Item, w: float, h: float) -> Text:
    """A line of words on its baseline; it must stay on the canvas."""
    part = item.part
    words = str(item.data)
    font = Font("sans", float(part.get("font") or 0), LEAD)
    wide, high = width(words, font.face, font.size), font.size * LEAD
    x, base = float(part.get("tx") or 0), float(part.get("ty") or 0)
    anchor = part.get("anchor") or "start"
    left = x if anchor == "start" else x - wide if anchor == "end" else x - wide / 2
    text = Text(part.ref or "", left, base - font.size * CAP / 2 - high / 2, wide, high, (words,), font, "", anchor)
    text.colour = colour(part.get("fill"))
    if left < 0 or left + wide > w or base - font.size * CAP < 0 or base > h:
        place = f"scene.{part.ref}" if part.ref in dict(bound.scene.words) else f"content.{part.ref}"
        got = f"{shorten(words)} from x {left:.0f} to {left + wide:.0f} on the line y {base:g}"
        bound.issues.append(Violation(place, got, f"words inside the canvas of {w:g} x {h:g} px; shorten the text"))
    return text


# ---- words against what they stand in


def _judge(bound: Bound, root: Box, page: Room) -> None:
    """Words stay inside the shape they stand in and keep clear of other words."""
    shapes: list[Ornament] = []
    texts: list[tuple[Rect, Text]] = []
    for node in root.children:
        if isinstance(node, Ornament):
            shapes.append(node)
        elif isinstance(node, Text):
            left, right = _room(node, shapes, page)
            place = f"content.{node.path}"
            if node.x < left or node.x + node.w > right:
                got = f"{node.w:.0f} px: {shorten(node.lines[0])}"
                room = _space(node, left, right)
                bound.issues.append(
                    Violation(place, got, f"at most {room:.0f} px in this small picture; shorten the text")
                )
            ink = node.ink()
            for taken, other in texts:
                if overlap(ink, taken):
                    bound.issues.append(
                        Violation(place, f"words on top of `{other.path}`", "room of their own; shorten the text")
                    )
            texts.append((ink, node))


def _space(text: Text, left: float, right: float) -> float:
    if text.anchor == "start":
        return right - text.x
    return (
        text.x + text.w - left
        if text.anchor == "end"
        else 2 * min(text.x + text.w / 2 - left, right - text.x - text.w / 2)
    )


def _room(text: Text, shapes: list[Ornament], page: Room) -> Room:
    """The innermost shape under the point that a text hangs on."""
    middle = text.y + text.h / 2
    x = {"start": text.x, "middle": text.x + text.w / 2, "end": text.x + text.w}[text.anchor]
    room = page
    for shape in shapes:
        if (
            shape.kind in ("rect", "circle")
            and shape.x <= x <= shape.x + shape.w
            and shape.y <= middle <= shape.y + shape.h
        ):
            inset = shape.stroke_width / 2 + 1 if shape.stroke else 1.0
            room = shape.x + inset, shape.x + shape.w - inset
    return room
