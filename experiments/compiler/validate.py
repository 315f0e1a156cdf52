"""Whether an SVG text is one that this compiler may have written: allow-listed elements and attributes, each value of
its grammar, inside the canvas.

`validate(svg)` and `inspect(svg)` return every violation with its path. It trusts nothing: the text is size-capped, parsed with
entities and DTDs forbidden, and each attribute must match. A text that is written as the compiler writes is known as sound by one
pattern; every other is walked over, element by element. No script, style, event, link, image or foreign element
can pass. It says nothing about looks, and it mends nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import chain
from math import nan
from operator import add
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, ParseError

import defusedxml.ElementTree
from defusedxml import DefusedXmlException

from experiments.character import is_blank, is_unsafe
from experiments.compiler.metric import STACKS
from experiments.violation import Violation, shorten

NAMESPACE = "{http://www.w3.org/2000/svg}"
MAX_BYTES, MAX_ELEMENTS, MAX_SIDE, MAX_DEPTH = 512_000, 4_000, 8_000.0, 4
KNOWN = 1 << 15  # attributes of one element that are remembered as sound
ROUNDING = 0.11  # px: sizes are written with one decimal

_NUM = r"-?\d{1,5}(?:\.\d{1,3})?"
_POINT = rf"{_NUM},{_NUM}"
_PAIR = rf"{_NUM} {_NUM}"
_ID = r"[a-z][0-9a-f]{8}"
_GRAMMAR = {
    "number": _NUM,
    "size": r"\d{1,5}(?:\.\d{1,3})?",
    "share": r"0|1|0?\.\d{1,3}|1\.0",
    "colour": r"#[0-9a-f]{6}",
    "paint": rf"none|#[0-9a-f]{{6}}|url\(#{_ID}\)",
    "id": _ID,
    "ids": rf"{_ID}(?: {_ID})*",
    "viewbox": rf"0 0 {_NUM} {_NUM}",
    "points": rf"{_POINT}(?: {_POINT}){{1,63}}",
    "path": rf"M{_PAIR}(?:L{_PAIR}|Q{_PAIR} {_PAIR}){{1,63}}",
    "dash": r"\d{1,2} \d{1,2}",
    "anchor": "middle|end",
    "weight": "700",
    "cap": "round|butt",
    "join": "round",
    "role": "img",
    "offset": "0|1",
    "family": "|".join(re.escape(stack) for stack in STACKS.values()),
}
_PATTERNS = {name: re.compile(pattern, re.ASCII) for name, pattern in _GRAMMAR.items()}
_PAINT = {
    "fill": "paint",
    "fill-opacity": "share",
    "stroke": "colour",
    "stroke-opacity": "share",
    "stroke-width": "size",
    "stroke-dasharray": "dash",
    "stroke-linecap": "cap",
    "stroke-linejoin": "join",
}
_TYPE = {
    "x": "number",
    "y": "number",
    "font-size": "size",
    "fill": "colour",
    "font-weight": "weight",
    "font-family": "family",
    "text-anchor": "anchor",
}
_LAST = "stroke-dasharray"  # of a link
# element -> (attribute -> grammar, in their usual order; children)
ALLOWED: dict[str, tuple[dict[str, str], frozenset[str]]] = {
    "svg": (
        {
            "width": "size",
            "height": "size",
            "viewBox": "viewbox",
            "role": "role",
            "aria-labelledby": "ids",
            "font-family": "family",
        },
        frozenset({"title", "desc", "defs", "rect", "circle", "line", "path", "polygon", "polyline", "text"}),
    ),
    "title": ({"id": "id"}, frozenset()),
    "desc": ({"id": "id"}, frozenset()),
    "defs": ({}, frozenset({"linearGradient"})),
    "linearGradient": ({"id": "id", "x1": "share", "y1": "share", "x2": "share", "y2": "share"}, frozenset({"stop"})),
    "stop": ({"offset": "offset", "stop-color": "colour"}, frozenset()),
    "rect": ({"x": "number", "y": "number", "width": "size", "height": "size", "rx": "size", **_PAINT}, frozenset()),
    "circle": ({"cx": "number", "cy": "number", "r": "size", **_PAINT}, frozenset()),
    "line": ({"x1": "number", "y1": "number", "x2": "number", "y2": "number", **_PAINT}, frozenset()),
    "path": ({"d": "path", **{n: g for n, g in _PAINT.items() if n != _LAST}, _LAST: "dash"}, frozenset()),
    "polygon": ({"points": "points", **_PAINT}, frozenset()),
    "polyline": ({"points": "points", **_PAINT}, frozenset()),
    "text": (_TYPE, frozenset({"tspan"})),
    "tspan": (_TYPE, frozenset()),
}
_WORDS = frozenset({"title", "desc", "text", "tspan"})
_NUMBERS = re.compile(_NUM, re.ASCII)


def validate(svg: str) -> list[str]:
    """Every violation of an SVG text as a sentence with its path; empty for a valid picture."""
    return [str(violation) for violation in inspect(svg)]


def inspect(svg: str) -> list[Violation]:
    """Every violation of an SVG text."""
    if len(svg) > MAX_BYTES:
        return [Violation("svg", f"{len(svg)} characters", f"at most {MAX_BYTES}")]
    return [] if _is_plain(svg) else _walk(svg)


def _walk(svg: str) -> list[Violation]:
    """Every violation, found by parsing the text and going over its elements."""
    declares = "<!" in svg or "<?" in svg
    try:
        root = _read_guarded(svg) if declares else ElementTree.fromstring(svg)
    except (ParseError, DefusedXmlException, ValueError) as error:
        return [
            Violation(
                "svg",
                shorten(str(error) or type(error).__name__),
                "well-formed XML without DTD, entities or references",
            )
        ]
    if root.tag != f"{NAMESPACE}svg":
        return [Violation("svg", f"a root <{root.tag}>", "<svg> in the SVG namespace")]
    if declares or not svg.startswith("<svg "):
        return [
            Violation(
                "svg", shorten(svg[:40]), "one <svg> element without declarations, comments or processing instructions"
            )
        ]
    found = list(_root_violations(root))
    inner: list[Violation] = []
    _visit(root, (_float(root.get("width")), _float(root.get("height"))), MAX_DEPTH, inner)
    return found + [replace(violation, place=f"svg{violation.place}") for violation in inner]


def _read_guarded(svg: str) -> Element:
    """A text that holds a declaration, which no picture does: read only to tell which kind of it is wrong. Without one there is no DTD and
    no entity, and the parser in C is as safe.
    """
    root: Element = defusedxml.ElementTree.fromstring(svg, forbid_dtd=True, forbid_entities=True, forbid_external=True)
    return root


def _root_violations(root: Element) -> Iterator[Violation]:
    for name in ("width", "height"):
        side = _float(root.get(name))
        if not 0 < side <= MAX_SIDE:
            yield Violation(f"svg@{name}", shorten(root.get(name)), f"a size in (0, {MAX_SIDE:.0f}]")
    if root.get("viewBox") != f"0 0 {root.get('width')} {root.get('height')}":
        yield Violation("svg@viewBox", shorten(root.get("viewBox")), "0 0 width height")
    if root.get("role") != "img":
        yield Violation("svg@role", shorten(root.get("role")), "img")
    elements = sum(1 for _ in root.iter())
    if not 4 <= elements <= MAX_ELEMENTS:
        yield Violation("svg", f"{elements} elements", f"4 to {MAX_ELEMENTS}")
    if [child.tag.removeprefix(NAMESPACE) for child in root[:2]] != ["title", "desc"]:
        yield Violation("svg", "no <title> and <desc>", "both, first")
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    named = (root.get("aria-labelledby") or "").split()
    if len(ids) != len(set(ids)) or not named or not set(named) <= set(ids):
        yield Violation("svg@aria-labelledby", shorten(named), "the ids of title and desc, each id once")


def _visit(element: Element, size: tuple[float, float], depth: int, found: list[Violation]) -> None:
    """What is wrong with an element and below it, with paths that begin there: most pictures have nothing to name."""
    tag, attributes, children, inside, known = _RULES[element.tag]
    at, text = element.attrib, element.text
    if not at.items() <= known:
        found += _check_attributes(tag, at, attributes, known)
    if inside and not inside(at, *size):
        found.append(Violation("", shorten(dict(at)), "a place inside the canvas"))
    if tag in _WORDS:
        _check_words(element, found)
    elif text and not text.isspace():
        found.append(Violation("", shorten(text), f"no text in <{tag}>"))
    for i, child in enumerate(element):
        before = len(found)
        if depth and child.tag in children:
            _visit(child, size, depth - 1, found)
        else:
            legal = ", ".join(sorted(map(_short, children))) or "no elements"
            found.append(Violation("", f"<{_short(child.tag)}>", f"{legal} in <{tag}>"))
        if len(found) > before:
            found[before:] = [replace(v, place=f"/{_short(child.tag)}[{i}]{v.place}") for v in found[before:]]
        if child.tail and not child.tail.isspace():
            found.append(Violation("", shorten(child.tail), "no text between elements"))


def _check_attributes(
    tag: str, at: Attributes, attributes: Mapping[str, str], known: set[tuple[str, str]]
) -> Iterator[Violation]:
    """What is wrong with attributes; those of which nothing is are remembered, since pictures repeat most of them."""
    if len(known) > KNOWN:
        known.clear()
    for name, value in at.items():
        grammar = attributes.get(name)
        if grammar is None:
            yield Violation(f"@{name}", shorten(value), f"only {', '.join(attributes)} on <{tag}>")
        elif not _PATTERNS[grammar].fullmatch(value):
            yield Violation(f"@{name}", shorten(value), f"a {grammar}")
        else:
            known.add((name, value))


def _short(tag: object) -> str:
    """The name of an element without its namespace; comments and the like have none."""
    return tag.removeprefix(NAMESPACE) if isinstance(tag, str) else "?"


def _check_words(element: Element, found: list[Violation]) -> None:
    text = element.text or ""
    if is_unsafe(text):
        found.append(Violation("", shorten(text), "no control or bidi characters"))
    if is_blank(text) and not len(element):
        found.append(Violation("", "no words", "some"))


@lru_cache(maxsize=1 << 15)
def _float(value: str | None) -> float:
    """The number; 0 where it is absent, NaN (which lies nowhere) where it is no number."""
    return 0.0 if value is None else float(value) if _PATTERNS["number"].fullmatch(value) else nan


# ---- pictures without a fault, known by their text


def _attributes(tag: str) -> str:
    """The attributes of an element in their usual order, so that none stands twice."""
    return "".join(f'(?: {name}="(?:{_GRAMMAR[grammar]})")?' for name, grammar in ALLOWED[tag][0].items())


_WORD = r"(?:[^<>&\x00-\x1f\x7f]|&(?:amp|lt|gt|quot);)+"
_SHAPES = "|".join(f"{tag}{_attributes(tag)}" for tag in ("rect", "circle", "line", "path", "polygon", "polyline"))
_LINES = f"<tspan{_attributes('tspan')}>{_WORD}</tspan>"
_PLAIN = re.compile(
    rf"""<svg xmlns="{re.escape(NAMESPACE[1:-1])}" width="({_GRAMMAR["size"]})" height="({_GRAMMAR["size"]})" viewBox="0 0 \1 \2" """
    rf"""role="img" aria-labelledby="({_ID}) ({_ID})" font-family="(?:{_GRAMMAR["family"]})">\n"""
    rf"""<title id="\3">{_WORD}</title>\n<desc id="\4">{_WORD}</desc>\n"""
    rf"""<defs><linearGradient id="({_ID})"{_attributes("linearGradient")}>(?:<stop{_attributes("stop")}/>)+</linearGradient></defs>\n"""
    rf"""(?:(?:<(?:{_SHAPES})/>|<text{_attributes("text")}>(?:{_WORD}|(?:{_LINES})+)</text>)\n?)*</svg>\n""",
    re.ASCII,
)
_SAID = re.compile(r">([^<\n]+)<")
_PLACED = tuple(
    re.compile(f"<{opening} " + " ".join(f'{name}="([^"]*)"' for name in names))
    for opening, names in (
        ("rect", ("x", "y", "width", "height")),
        ("circle", ("cx", "cy", "r")),
        ("line", ("x1", "y1", "x2", "y2")),
        ("(?:text|tspan)", ("x", "y")),
    )
)
_POINTS = re.compile(r' (?:d|points)="([^"]*)"')


def _is_plain(svg: str) -> bool:
    """Whether a text is, sign by sign, such as this compiler writes: nothing but allowed elements with sound attributes in their usual order, in
    their place, and words that can be drawn. Then parsing it and walking over its elements would find no fault. False says nothing.
    """
    head = _PLAIN.fullmatch(svg)
    if not head:
        return False
    w, h, count = float(head[1]), float(head[2]), svg.count
    rects, circles, lines, texts = (pattern.findall(svg) for pattern in _PLACED)
    shapes, said = _POINTS.findall(svg), _SAID.findall(svg)
    points = map(_NUMBERS.findall, shapes)
    corners, rounds = _numbers(rects), _numbers(circles)
    return (
        0 < w <= MAX_SIDE
        and 0 < h <= MAX_SIDE
        and count("<") <= MAX_ELEMENTS
        and len({head[3], head[4], head[5]}) == 3
        and (len(rects), len(circles), len(lines)) == (count("<rect"), count("<circle"), count("<line "))
        and len(shapes) == count("<path") + count("<poly")
        and len(rects) + len(texts) == count(' x="') == count(' y="')
        and (svg.isascii() or not any(map(is_unsafe, said)))
        and not any(map(is_blank, said))
        and _lie(corners[::4], corners[1::4], w, h)
        and _lie(
            [*map(add, corners[::4], corners[2::4])],
            [*map(add, corners[1::4], corners[3::4])],
            w + ROUNDING,
            h + ROUNDING,
        )
        and _lie(rounds[::3], rounds[1::3], w, h)
        and all(0 < r <= max(w, h) for r in rounds[2::3])
        and all(_lie(found[::2], found[1::2], w, h) for found in (_numbers(lines), _numbers(texts), _numbers(points)))
    )


def _numbers(found: Iterable[Sequence[str]]) -> list[float]:
    return [*map(float, chain.from_iterable(found))]


def _lie(xs: Sequence[float], ys: Sequence[float], w: float, h: float) -> bool:
    """Whether these points lie on a canvas of w x h px."""
    return not xs or (min(xs) >= 0 and min(ys) >= 0 and max(xs) <= w and max(ys) <= h)


# ---- whether a shape lies on a canvas of w x h px

Attributes = Mapping[str, str]


def _rect_inside(at: Attributes, w: float, h: float) -> bool:
    x, y = _float(at.get("x")), _float(at.get("y"))
    right, bottom = x + _float(at.get("width")), y + _float(at.get("height"))
    return x >= 0 and y >= 0 and right <= w + ROUNDING and bottom <= h + ROUNDING


def _circle_inside(at: Attributes, w: float, h: float) -> bool:
    """Circles also make the background: their centre must be on the canvas and they may not be larger than it."""
    return 0 <= _float(at.get("cx")) <= w and 0 <= _float(at.get("cy")) <= h and 0 < _float(at.get("r")) <= max(w, h)


def _line_inside(at: Attributes, w: float, h: float) -> bool:
    get = at.get
    return (
        0 <= _float(get("x1")) <= w
        and 0 <= _float(get("x2")) <= w
        and 0 <= _float(get("y1")) <= h
        and 0 <= _float(get("y2")) <= h
    )


def _text_inside(at: Attributes, w: float, h: float) -> bool:
    return 0 <= _float(at.get("x")) <= w and 0 <= _float(at.get("y")) <= h


def _points_inside(at: Attributes, w: float, h: float) -> bool:
    return _coordinates_inside(at.get("d") or at.get("points") or "", w, h)


@lru_cache(maxsize=1 << 14)
def _coordinates_inside(text: str, w: float, h: float) -> bool:
    values = [*map(float, _NUMBERS.findall(text))]
    return bool(values) and _lie(values[::2], values[1::2], w, h)


_PLACES: dict[str, Callable[[Attributes, float, float], bool]] = {
    "rect": _rect_inside,
    "circle": _circle_inside,
    "line": _line_inside,
    "text": _text_inside,
    "tspan": _text_inside,
    "path": _points_inside,
    "polygon": _points_inside,
    "polyline": _points_inside,
}

_Rule = tuple[
    str, dict[str, str], frozenset[str], Callable[[Attributes, float, float], bool] | None, set[tuple[str, str]]
]
# namespaced tag -> (tag, its attributes, the namespaced tags of its children, the test of its place, attributes known to be sound)
_RULES: dict[str, _Rule] = {
    NAMESPACE + tag: (tag, attributes, frozenset(NAMESPACE + child for child in children), _PLACES.get(tag), set())
    for tag, (attributes, children) in ALLOWED.items()
}
