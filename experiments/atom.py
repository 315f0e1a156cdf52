"""Atoms: shapes and words that a scene places itself, as `[circle] [cx:64] ..`. Attribute orders, values, colours, geometry.

Facts that the atoms family, its surfaces and the lowerings into atoms share. Colours are names of `COLOURS` in the atoms
surface and `#rrggbb` in raw SVG; both are legal here. A text refers to a slot, or to words that its scene brings along (`carry`).
Nothing here reads or draws a text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache

from experiments import character
from experiments.scene import Component, Scene

# Attributes of each atom in the order in which they are written.
ATOMS: dict[str, tuple[str, ...]] = {
    "circle": ("cx", "cy", "r", "fill", "stroke", "sw"),
    "rect": ("x", "y", "width", "height", "rx", "fill", "stroke", "sw"),
    "polygon": ("points", "fill", "stroke", "sw"),
    "line": ("x1", "y1", "x2", "y2", "stroke", "sw"),
    "polyline": ("points", "fill", "stroke", "sw"),
    "text": ("tx", "ty", "font", "anchor", "fill"),
}
OPTIONAL = ("rx", "stroke", "sw", "fill")  # a shape may leave these out (a text says its colour)
WORDS = "words"  # of a text that was just read or made, as its last attribute: `carry` puts them where they belong
COLOURS: dict[str, str] = {
    "red": "#ef4444",
    "blue": "#3b82f6",
    "green": "#22c55e",
    "orange": "#f97316",
    "purple": "#a855f7",
    "teal": "#14b8a6",
    "gold": "#eab308",
    "paper": "#f8fafc",
    "mint": "#ecfdf5",
    "slate": "#1f2937",
    "black": "#111827",
    "white": "#f8fafc",
    "gray": "#94a3b8",
    "none": "none",
}
BACKGROUNDS = ("none", "paper", "mint", "slate")
ANCHORS = ("start", "middle", "end")
FRAMES, DENSITIES = ("plain", "card"), ("compact", "balanced", "airy")
LAYOUTS = ("single", "pair-h", "pair-v", "label-card", "badge")
INFOGRAPHICS = ("bullet-panel", "compare-panels", "stat-cards", "spectrum-band", "flow-steps")
ACCENTS = ("orange", "green", "blue", "purple", "gray")
# Attributes of the canvas in the order of the header; the topic, between layout and accent, is the scene's own.
CANVAS = ("w", "h", "bg", "layout", "accent", "frame", "density")
NEEDED = ("w", "h")

NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,3})(?:\.[0-9]{1,2})?")
POINTS = re.compile(rf"{NUMBER.pattern},{NUMBER.pattern}(?:\|{NUMBER.pattern},{NUMBER.pattern}){{1,31}}")
SIDE = re.compile(r"[1-9][0-9]{1,3}")
HEX = re.compile(r"#[0-9a-f]{6}")
LIMITS = {"font": (4, 96), "sw": (0, 40), "r": (0, 2000), "rx": (0, 400), "width": (0, 4000), "height": (0, 4000)}


def legal(name: str) -> tuple[str, ...]:
    """The values of an attribute with a closed list; empty where any number or list of points will do."""
    if name in ("fill", "stroke"):
        return tuple(COLOURS)
    return {
        "anchor": ANCHORS,
        "bg": BACKGROUNDS,
        "layout": (*LAYOUTS, *INFOGRAPHICS),
        "accent": ACCENTS,
        "frame": FRAMES,
    }.get(name, DENSITIES if name == "density" else ())


def fault(name: str, value: str) -> str | None:
    """What an attribute's value should have been; None for a sound one."""
    if name in ("fill", "stroke") and HEX.fullmatch(value):
        return None
    if legal(name):
        return None if value in legal(name) else "one of " + ", ".join(legal(name))
    if name == "points":
        return None if POINTS.fullmatch(value) else "points such as 4,8|12,8|8,2"
    if name in NEEDED:
        return None if SIDE.fullmatch(value) and 16 <= int(value) <= 4000 else "a whole number of px from 16 to 4000"
    if not NUMBER.fullmatch(value):
        return "a number such as 14 or 7.5"
    low, high = LIMITS.get(name, (-4000, 4000))
    return None if low <= float(value) <= high else f"a number from {low} to {high}"


def canvas(scene: Scene) -> Mapping[str, str]:
    """The header of a scene: w, h and what else it states."""
    found = scene.of("canvas")
    return dict(found[0].attributes) if found else {}


def points(part: Component) -> list[tuple[float, float]]:
    """The corners of a polygon or polyline, px."""
    pairs = (pair.split(",") for pair in (part.get("points") or "").split("|"))
    return [(float(x), float(y)) for x, y in pairs]


@lru_cache(1 << 14)
def extent(part: Component) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of a shape with its stroke, px; of a text only the point that it hangs on."""
    at = {name: float(value) for name, value in part.attributes if name != "points" and NUMBER.fullmatch(value)}
    edge = at.get("sw", 1.0) / 2 if part.get("stroke") not in (None, "none") else 0.0
    if part.kind == "circle":
        box = at["cx"] - at["r"], at["cy"] - at["r"], at["cx"] + at["r"], at["cy"] + at["r"]
    elif part.kind == "rect":
        box = at["x"], at["y"], at["x"] + at["width"], at["y"] + at["height"]
    elif part.kind == "text":
        box = at["tx"], at["ty"], at["tx"], at["ty"]
    elif part.kind == "line":
        xs, ys = sorted((at["x1"], at["x2"])), sorted((at["y1"], at["y2"]))
        box = xs[0], ys[0], xs[1], ys[1]
    else:
        corners = points(part)
        box = (
            min(x for x, _ in corners),
            min(y for _, y in corners),
            max(x for x, _ in corners),
            max(y for _, y in corners),
        )
    return box[0] - edge, box[1] - edge, box[2] + edge, box[3] + edge


def faults(scene: Scene) -> Iterator[tuple[int, str, str]]:
    """(component, got, expected) of each attribute that is missing, strange or malformed, and of each shape off the canvas."""
    size = canvas(scene)
    sound = not [name for name in NEEDED if fault(name, size.get(name, ""))]
    words = dict(scene.words)
    carried = [part.ref for part in scene.of("text") if part.ref in words]
    if list(words) != carried or carried != [f"{WORDS}.{n}" for n in range(len(scene.words))]:
        yield 0, "words that no text says", f"words for each text that refers to {WORDS}.0, {WORDS}.1 .., in order"
    for index, part in enumerate(scene.components):
        order = CANVAS if part.kind == "canvas" else ATOMS.get(part.kind, ())
        found = _attribute_faults(part, order)
        expected = _word_fault(words[part.ref]) if part.ref in words else None
        if expected:
            yield index, f"words {words[part.ref or '']!r}", expected
        for got, expected in found:
            yield index, got, expected
        if sound and not found and part.kind in ATOMS:
            left, top, right, bottom = extent(part)
            w, h = float(size["w"]), float(size["h"])
            if left < 0 or top < 0 or right > w or bottom > h:
                reach = f"x {left:g}..{right:g}, y {top:g}..{bottom:g}"
                yield index, f"a {part.kind} at {reach}", f"inside the canvas of {w:g} x {h:g}"


@lru_cache(1 << 14)
def _attribute_faults(part: Component, order: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """(got, expected) of its attributes; the same shape stands in many scenes."""
    return tuple(_find_attribute_faults(part, order))


def _find_attribute_faults(part: Component, order: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    given = [name for name, _ in part.attributes]
    needed = (
        NEEDED
        if part.kind == "canvas"
        else [n for n in order if n not in OPTIONAL or (n == "fill" and part.kind == "text")]
    )
    for name in needed:
        if name not in given:
            yield f"a {part.kind} without {name}", f"[{name}:]"
    known = [name for name in given if name in order]
    for name in given:
        if name not in known:
            yield f"`{name}` in a {part.kind}", "only " + ", ".join(order)
    if known != [name for name in order if name in known]:
        yield f"{' '.join(known)} in a {part.kind}", "each once, in the order " + " ".join(order)
    for name, value in part.attributes:
        expected = fault(name, value) if name in order else None
        if expected:
            yield f"{name} `{value}` in a {part.kind}", expected
    if part.kind == "text" and part.ref is None:
        yield "a text without words", "words, or a [slot:]"


def _word_fault(words: str) -> str | None:
    """What the words of a text should have been."""
    if set("[]") & set(words) or words != " ".join(words.split()):
        return "words without brackets, one space between them"
    return character.fault(words)


def carry(parts: Iterable[Component]) -> tuple[tuple[Component, ...], tuple[tuple[str, str], ...]]:
    """(components, words of the scene) from components whose texts still hold their words: each refers to `words.NUMBER` instead."""
    found: list[Component] = []
    words: list[tuple[str, str]] = []
    for part in parts:
        said = part.get(WORDS)
        if said is not None:
            words.append((f"{WORDS}.{len(words)}", said))
            own = tuple(pair for pair in part.attributes if pair[0] != WORDS)
            part = replace(part, ref=words[-1][0], attributes=own)
        found.append(part)
    return tuple(found), tuple(words)
