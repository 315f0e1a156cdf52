"""From a layout tree to SVG text: fixed decimals, presentation attributes only, no style sheet, no reference outside
the document.

The bytes depend on the tree alone. Arrow heads are polygons whose tip is the link's last point. This file decides no
position and no colour.
"""

from __future__ import annotations

from functools import lru_cache
from math import sqrt
from zlib import crc32

from experiments.compiler.metric import CAP, STACKS
from experiments.compiler.text import clean
from experiments.compiler.tree import Box, Link, Ornament, Text, Tree

HEAD_LENGTH, HEAD_WIDTH = 11.0, 9.0  # px


@lru_cache(maxsize=1 << 16)
def number(value: float) -> str:
    """One decimal, no trailing zero, no negative zero."""
    text = f"{value:.1f}"
    if text.endswith(".0"):
        text = text[:-2]
    return "0" if text == "-0" else text


def draw(tree: Tree) -> str:
    """The SVG document of a tree. Ids carry a checksum of the picture, so that several pictures can live in one
    page.
    """
    body: list[str] = []
    for tag, attributes in tree.pattern:
        body.append(f"<{tag} " + " ".join(f'{k}="{_value(v)}"' for k, v in attributes.items()) + "/>")
    _draw_box(tree.root, body)
    inner = "\n".join(body)
    key = f"{crc32(inner.encode('utf-8', 'replace')):08x}"
    w, h = number(tree.width), number(tree.height)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}" viewBox="0 0 {w} {h}" role="img" aria-labelledby="t{key} d{key}" '
        f'font-family="{STACKS["sans"]}">\n<title id="t{key}">{clean(tree.title)}</title>\n<desc id="d{key}">{clean(tree.summary)}</desc>\n'
        f'<defs><linearGradient id="g{key}" x1="0" y1="0" x2="0.4" y2="1"><stop offset="0" stop-color="{tree.canvas[0]}"/>'
        f'<stop offset="1" stop-color="{tree.canvas[1]}"/></linearGradient></defs>\n'
        f'<rect x="0" y="0" width="{w}" height="{h}" fill="url(#g{key})"/>\n{inner}\n</svg>\n'
    )


@lru_cache(maxsize=1 << 15)
def _value(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.3f}".rstrip("0").rstrip(".")


def _draw_box(box: Box, out: list[str]) -> None:
    if box.fill or box.stroke:
        out.append(
            _rectangle(box.x, box.y, box.w, box.h, box.radius, _paint(box.fill, box.stroke, box.stroke_width, box.dash))
        )
    for node in box.children:
        if isinstance(node, Text):
            out.append(_text(node))
        elif isinstance(node, Box):
            _draw_box(node, out)
        elif isinstance(node, Link):
            out.append(_link(node))
        else:
            out.append(_ornament(node))


def _paint(fill: str | None, stroke: str | None, width: float, dash: str) -> str:
    paint = f'fill="{fill or "none"}"'
    if stroke:
        paint += f' stroke="{stroke}" stroke-width="{number(width)}"'
    return paint + (f' stroke-dasharray="{dash}"' if dash else "")


def _rectangle(x: float, y: float, w: float, h: float, radius: float, paint: str) -> str:
    corner = f' rx="{number(radius)}"' if radius else ""
    return f'<rect x="{number(x)}" y="{number(y)}" width="{number(w)}" height="{number(h)}"{corner} {paint}/>'


def _text(text: Text) -> str:
    """One `<text>`; the capitals of each line are centred in its line box. Further lines are tspans."""
    font, line = text.font, text.font.size * text.font.lead
    x = number(text.x if text.anchor == "start" else text.x + text.w if text.anchor == "end" else text.x + text.w / 2)
    first = text.y + line / 2 + font.size * CAP / 2
    style = f'font-size="{number(font.size)}" fill="{text.colour}"'
    if font.face == "bold":
        style += ' font-weight="700"'
    elif font.face == "mono":
        style += f' font-family="{STACKS["mono"]}"'
    if text.anchor != "start":
        style += f' text-anchor="{text.anchor}"'
    if len(text.lines) == 1:
        return f'<text x="{x}" y="{number(first)}" {style}>{clean(text.lines[0])}</text>'
    spans = "".join(
        [f'<tspan x="{x}" y="{number(first + i * line)}">{clean(words)}</tspan>' for i, words in enumerate(text.lines)]
    )
    return f"<text {style}>{spans}</text>"


def _ornament(mark: Ornament) -> str:
    paint = _paint(mark.fill, mark.stroke, mark.stroke_width, mark.dash)
    if mark.kind == "circle":
        return f'<circle cx="{number(mark.x + mark.w / 2)}" cy="{number(mark.y + mark.h / 2)}" r="{number(min(mark.w, mark.h) / 2)}" {paint}/>'
    if mark.kind == "rect":
        return _rectangle(mark.x, mark.y, mark.w, mark.h, mark.radius, paint)
    if mark.kind == "line":
        ends = (
            f'x1="{number(mark.x)}" y1="{number(mark.y)}" x2="{number(mark.x + mark.w)}" y2="{number(mark.y + mark.h)}"'
        )
        return f'<line {ends} {_paint(None, mark.stroke, mark.stroke_width, mark.dash)} stroke-linecap="round"/>'
    points = " ".join(f"{number(x)},{number(y)}" for x, y in mark.points)
    tag = "polygon" if mark.kind == "polygon" else "polyline"
    return f'<{tag} points="{points}" {paint} stroke-linejoin="round"/>'


def _link(link: Link) -> str:
    """The line as a path with rounded corners, shortened under the head; then the head."""
    points = list(link.points)
    head = ""
    if link.head:
        head, points[-1] = _head(points[-2], points[-1], link.colour)
    path = [f"M{number(points[0][0])} {number(points[0][1])}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        bend = min(link.bend, _length(before, corner) / 2, _length(corner, after) / 2)
        if not bend:
            path.append(f"L{number(corner[0])} {number(corner[1])}")
            continue
        start, end = _toward(corner, before, bend), _toward(corner, after, bend)
        path.append(
            f"L{number(start[0])} {number(start[1])}Q{number(corner[0])} {number(corner[1])} {number(end[0])} {number(end[1])}"
        )
    path.append(f"L{number(points[-1][0])} {number(points[-1][1])}")
    dash = f' stroke-dasharray="{link.dash}"' if link.dash else ""
    return (
        f'<path d="{"".join(path)}" fill="none" stroke="{link.colour}" stroke-width="{number(link.width)}" '
        f'stroke-linecap="{"butt" if link.dash else "round"}"{dash}/>{head}'
    )


def _head(before: tuple[float, float], tip: tuple[float, float], colour: str) -> tuple[str, tuple[float, float]]:
    """(the head's polygon, where the line now ends)."""
    length = _length(before, tip) or 1.0
    ux, uy = (tip[0] - before[0]) / length, (tip[1] - before[1]) / length
    base = tip[0] - ux * HEAD_LENGTH, tip[1] - uy * HEAD_LENGTH
    half = HEAD_WIDTH / 2
    corners = (tip, (base[0] - uy * half, base[1] + ux * half), (base[0] + uy * half, base[1] - ux * half))
    points = " ".join(f"{number(x)},{number(y)}" for x, y in corners)
    return f'<polygon points="{points}" fill="{colour}"/>', (
        tip[0] - ux * (HEAD_LENGTH - 2),
        tip[1] - uy * (HEAD_LENGTH - 2),
    )


def _length(a: tuple[float, float], b: tuple[float, float]) -> float:
    return sqrt((a[0] - b[0]) * (a[0] - b[0]) + (a[1] - b[1]) * (a[1] - b[1]))


def _toward(start: tuple[float, float], end: tuple[float, float], distance: float) -> tuple[float, float]:
    length = _length(start, end) or 1.0
    return start[0] + (end[0] - start[0]) * distance / length, start[1] + (end[1] - start[1]) * distance / length
