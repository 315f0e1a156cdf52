"""A column of measured things: texts, bullets, chips, code. Built at the origin for a given width, then moved into
place.

A `Flow` knows its height before it is placed, so that cards of one row can be made equally high. Words that do not
fit at the smallest legible size become a violation with the path of the words; nothing is cut.
"""

from __future__ import annotations

from collections.abc import Sequence

from experiments.compiler.label import Labeller, fit
from experiments.compiler.sheet import Ground, Sheet
from experiments.compiler.tree import Box, Fitted, Font, Node, Ornament, Text, move
from experiments.violation import Violation


class Flow:
    """A growing column of nodes, `width` px wide, on one ground."""

    def __init__(self, sheet: Sheet, ground: Ground, width: float, issues: list[Violation]) -> None:
        self.sheet, self.ground, self.width, self.issues = sheet, ground, width, issues
        self.nodes: list[Node] = []
        self.height = 0.0

    # ---- pieces

    def text(
        self,
        path: str,
        words: str,
        role: str = "body",
        colour: str | None = None,
        gap: float = 0.0,
        most: int = 8,
        anchor: str = "start",
        even: bool = False,
        indent: float = 0.0,
    ) -> Flow:
        """Words in a role's font; `colour` is made legible on the ground; at most `most` lines; `even` balances their
        lengths.
        """
        room = self.width - indent
        font, lines = self.fit(path, words, self.sheet.fonts[role], room, most, even)
        ink = self.ground.ink if colour is None else self.ground.text(colour)
        height = len(lines) * font.size * font.lead
        self.skip(gap)
        self.nodes.append(Text(path, indent, self.height, room, height, lines, font, ink, anchor))
        self.height += height
        return self

    def fit(self, path: str, words: str, font: Font, room: float, most: int, even: bool = False) -> Fitted:
        """A size and lines that fit, see `label.fit`."""
        return fit(self.issues, path, words, font, room, most, even)

    def bullets(
        self, path: str, items: Sequence[str], colour: str, role: str = "small", gap: float = 0.0, most: int = 4
    ) -> Flow:
        """One paragraph per item, each with a dot."""
        size = self.sheet.fonts[role].size
        for i, item in enumerate(items):
            self.skip(gap if i == 0 else size * 0.3)
            top = self.height
            self.text(f"{path}.{i}", item, role, indent=size * 1.15, most=most)
            font = self.nodes[-1].font if isinstance(self.nodes[-1], Text) else self.sheet.fonts[role]
            dot = size * 0.36
            self.nodes.append(
                Ornament(
                    "circle",
                    size * 0.12,
                    top + font.size * font.lead / 2 - dot / 2,
                    dot,
                    dot,
                    fill=self.sheet.line(colour),
                )
            )
        return self

    def chips(self, path: str, items: Sequence[str], colour: str, role: str = "tag", gap: float = 0.0) -> Flow:
        """Small rounded labels in rows; a label wider than the column takes several lines."""
        size, ground = self.sheet.fonts[role].size, self.sheet.tinted(colour, 0.2, self.ground.fill)
        labels, gutter = Labeller(self.sheet, self.issues), size * 0.5
        x, row = 0.0, 0.0
        self.skip(gap if items else 0)
        for i, words in enumerate(items):
            here = f"{path}.{i}"
            chip = labels.box(
                here,
                here,
                words,
                role,
                self.width,
                ground,
                colour,
                self.sheet.line(colour),
                1.0,
                size * 0.75,
                size * 0.35,
                size,
                3,
            )
            if x and x + chip.w > self.width + 0.01:
                self.height += row + gutter
                x, row = 0.0, 0.0
            move([chip], x, self.height)
            self.nodes.append(chip)
            x, row = x + chip.w + gutter, max(row, chip.h)
        self.height += row
        return self

    def badge(self, path: str, words: str, colour: str) -> Flow:
        """One filled label, as wide as its words."""
        size, ground = self.sheet.fonts["tag"].size, self.sheet.tinted(colour, 0.24, self.ground.fill)
        stroke = self.sheet.line(colour)
        box = Labeller(self.sheet, self.issues).box(
            path, path, words, "tag", self.width, ground, colour, stroke, 1.0, size * 0.8, size * 0.32, size
        )
        move([box], 0, self.height)
        self.nodes.append(box)
        self.height += box.h
        return self

    def code(self, path: str, lines: Sequence[str], gap: float = 0.0) -> Flow:
        """Lines in the mono face on a darker inset; runs of spaces are kept."""
        sheet, inset = self.sheet, self.sheet.pad * 0.6
        ground = sheet.ground(sheet.theme.canvas[0])
        inner = Flow(sheet, ground, self.width - 2 * inset, self.issues)
        for i, line in enumerate(lines):
            inner.code_line(f"{path}.{i}", line)
        self.skip(gap)
        box = Box(
            path,
            0,
            self.height,
            self.width,
            inner.height + 2 * inset,
            ground.fill,
            sheet.rule,
            1.0,
            min(8.0, sheet.radius / 2),
        )
        box.children = inner.place(inset, self.height + inset)
        self.nodes.append(box)
        self.height += box.h
        return self

    def code_line(self, path: str, line: str) -> Flow:
        """One line of code; where it wraps, what follows is indented. No-break spaces keep runs of spaces."""
        font = self.sheet.fonts["code"]
        indent = font.size * 1.2
        font, lines = self.fit(path, line.replace("  ", "\u00a0\u00a0"), font, self.width - indent, 4)
        step = font.size * font.lead
        for i, words in enumerate((lines[:1], lines[1:])):
            if words:
                left = indent * i
                self.nodes.append(
                    Text(path, left, self.height, self.width - left, len(words) * step, words, font, self.ground.ink)
                )
                self.height += len(words) * step
        return self

    def skip(self, gap: float) -> Flow:
        """Vertical space, in px."""
        if self.nodes:
            self.height += gap
        return self

    # ---- placing

    def place(self, x: float, y: float) -> list[Node]:
        """The nodes, moved so that the column's top left corner is at (x, y)."""
        move(self.nodes, x, y)
        return self.nodes
