"""How wide a text is: advance widths of three faces, read once from `advances.json`.

Widths are sums of advances: no kerning, no ligatures, no shaping (all of which only narrow Latin text). A character
outside the table counts as 1.61 em: content lets in only those whose glyphs are not wider (`character.py`). No system
font is ever consulted, so a picture is the same on every machine.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

UNITS = 2048
UNKNOWN = 1.61  # em; the widest glyph that content may name outside of the table (a sleeping face) takes this
CAP = 0.729  # cap height of the sans faces, em
ASCENT, DESCENT = 0.928, 0.236  # em

# Stacks whose members share these metrics closely enough for the slack that layouts keep.
STACKS = {"sans": "DejaVu Sans, Verdana, sans-serif", "mono": "DejaVu Sans Mono, Menlo, Consolas, monospace"}
SLACK = 1.02  # a line may be drawn this much wider than measured and still fits


def _load() -> dict[str, dict[str, float]]:
    table = json.loads(Path(__file__).with_name("advances.json").read_text())
    faces: dict[str, dict[str, float]] = {}
    for face, record in table.items():
        widths = {chr(block[0] + i): w / UNITS for block in record["blocks"] for i, w in enumerate(block[1:]) if w}
        faces[face] = widths
    return faces


_ADVANCES = _load()


def _measurer(face: str) -> Callable[[str], float]:
    get = _ADVANCES[face].get

    @cache
    def measure(text: str) -> float:
        return sum([get(c, UNKNOWN) for c in text])

    return measure


_MEASURERS = {face: _measurer(face) for face in _ADVANCES}


def advance(text: str, face: str) -> float:
    """Width of a text in em; `face` is sans, bold or mono."""
    return _MEASURERS[face](text)


def width(text: str, face: str, size: float) -> float:
    """Width of a text in px at a type size in px, with the slack."""
    return _MEASURERS[face](text) * size * SLACK
