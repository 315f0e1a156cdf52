"""Fitting words into a given room, and labels: small boxes as wide as their words.

Words that do not fit at a legible size become a violation with their path; nothing is cut short without one.
"""

from __future__ import annotations

from functools import lru_cache

from experiments.compiler.metric import width
from experiments.compiler.sheet import LEAST, Ground, Sheet
from experiments.compiler.text import balance, is_whole, tidy
from experiments.compiler.tree import Box, Fitted, Font, Text
from experiments.violation import Violation, shorten

SHRINK = 0.7  # the smallest share of a role's size, if that is legible


def fit(
    issues: list[Violation], path: str, words: str, font: Font, room: float, most: int, even: bool = False
) -> Fitted:
    """The largest size at which the words take at most `most` lines of `room` px; a slightly smaller word beats a broken one."""
    font, lines = _fit(words, font, room, most, even)
    if len(lines) > most:
        got = f"{len(lines)} lines at {font.size:g} px in {room:.0f} px: {shorten(words)}"
        issues.append(Violation(f"content.{path}", got, f"at most {most}; shorten the text"))
        lines = lines[:most]
    return font, lines


@lru_cache(maxsize=1 << 15)
def _fit(words: str, font: Font, room: float, most: int, even: bool) -> Fitted:
    breaker, least = (balance if even else tidy), max(LEAST, font.size * SHRINK)
    if not is_whole(words, font.face, font.size, room):
        sizes = (max(LEAST, font.size * share) for share in (0.95, 0.9, 0.85, 0.8))
        size = next((size for size in sizes if is_whole(words, font.face, size, room)), font.size)
        font = Font(font.face, size, font.lead)
    lines = breaker(words, font.face, font.size, room)
    while len(lines) > most and font.size > least:
        font = Font(font.face, max(least, font.size * 0.94), font.lead)
        lines = breaker(words, font.face, font.size, room)
    return font, lines


def centred(path: str, fitted: Fitted, x: float, y: float, w: float, h: float, colour: str) -> Text:
    """Lines in the middle of a box."""
    text = Text.at(path, x, y, w, fitted, colour, "middle")
    text.y += (h - text.h) / 2
    return text


class Labeller:
    """Makes labels in one style; `issues` collects words that do not fit."""

    def __init__(self, sheet: Sheet, issues: list[Violation]) -> None:
        self.sheet, self.issues = sheet, issues

    def box(
        self,
        name: str,
        path: str,
        words: str,
        role: str,
        room: float,
        ground: Ground,
        colour: str | None = None,
        stroke: str | None = None,
        stroke_width: float = 1.0,
        edge: float = 9.0,
        lift: float = 3.5,
        radius: float = 11.0,
        most: int = 2,
    ) -> Box:
        """A rounded box at the origin, at most `room` px wide: `edge` px beside the words, `lift` px above and below them."""
        font, lines = fit(self.issues, path, words, self.sheet.fonts[role], room - 2 * edge, most)
        wide = max(width(line, font.face, font.size) for line in lines) + 2 * edge
        high = len(lines) * font.size * font.lead + 2 * lift
        box = Box(name, 0, 0, wide, high, ground.fill, stroke, stroke_width, min(high / 2, radius))
        box.add(centred(path, (font, lines), 0, 0, wide, high, ground.text(colour) if colour else ground.ink))
        return box

    def number(self, name: str, path: str, number: int, role: str, w: float, h: float, fill: str, radius: float) -> Box:
        """An ordinal on a filled box at the origin."""
        ground = self.sheet.ground(fill)
        box = Box(name, 0, 0, w, h, ground.fill, None, radius=radius)
        box.add(centred(path, (self.sheet.fonts[role], (str(number),)), 0, 0, w, h, ground.ink))
        return box
