"""Layouts of a spectrum band: coloured segments under their names, a marker on the middle, at full size and in atoms."""

from __future__ import annotations

from collections.abc import Iterator

from experiments.compiler.bind import Bound
from experiments.compiler.board import Board, ink, shape, text
from experiments.compiler.colour import MARGIN, mix, worst
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Box, Ornament, Tree
from experiments.infographic import Asked
from experiments.scene import Component, Scene

MARK = 30.0  # px for the marker above the band


def draw_large(bound: Bound, sheet: Sheet) -> Tree:
    board = Board(bound, sheet)
    sheet = board.sheet
    page, words = board.page, board.words()
    gap = 6.0
    wide = (page.room - gap * (len(words) - 1)) / len(words)
    quiet = mix(sheet.accent(), sheet.theme.surface_2, 0.72)
    colours = [_fill(sheet, mix(quiet, sheet.line(sheet.accent()), i / (len(words) - 1))) for i in range(len(words))]
    flows = [
        page.flow(wide - 24, sheet.ground(colour)).text(ref, text, "section", most=5, anchor="middle", even=True)
        for (ref, text), colour in zip(words, colours, strict=True)
    ]
    focus = sheet.style.emphasis in (None, "center")
    high = max(board.high * 0.42, max(flow.height for flow in flows) + 3 * sheet.pad)
    whole = max(board.high, high + 2 * MARK + 20)
    y = page.y + (whole - high) / 2
    for i, (flow, colour) in enumerate(zip(flows, colours, strict=True)):
        box = Box(f"segment {i + 1}", page.x0 + i * (wide + gap), y, wide, high, colour, None, radius=10)
        box.add(*flow.place(box.x + 12, y + (high - flow.height) / 2))
        page.add(box)
    ends = ((page.x0, y + high + 14), (page.x0, y + high + 24), (page.x1, y + high + 24), (page.x1, y + high + 14))
    page.add(
        Ornament("polyline", page.x0, y + high + 14, page.room, 10, stroke=sheet.wire, stroke_width=2, points=ends)
    )
    if focus:
        x, tip = page.x0 + (len(words) // 2) * (wide + gap) + wide / 2, y - 6
        corners = ((x, tip), (x - 15, tip - 20), (x + 15, tip - 20))
        page.add(Ornament("polygon", x - 15, tip - 20, 30, 20, fill=sheet.line(sheet.accent()), points=corners))
    return board.finish(page.y + whole)


def _fill(sheet: Sheet, colour: str) -> str:
    """The colour, as much lighter as words on it need: a middle tone bears neither dark nor light ones."""
    steps = (mix(colour, "#ffffff", step / 20) for step in range(20))
    return next(fill for fill in steps if worst(sheet.ground(fill).ink, (fill,)) >= MARGIN)


def small(scene: Scene, asked: Asked) -> Iterator[Component]:
    refs = scene.of("band")[0].refs
    wide = 216 / len(refs)
    high = {"compact": 18, "balanced": 22}.get(asked.density, 26)
    shades = ("gray", asked.accent) if asked.accent != "gray" else ("black", "gray")
    for i, ref in enumerate(refs):
        left = 20 + i * wide
        yield shape("rect", x=left, y=76, width=wide, height=high, fill=shades[i % 2], stroke="white", sw=1)
        yield text(ref, left + wide / 2, 76 + high + 13, 8, ink(asked), "middle")
    if scene.style.emphasis == "center":
        x = round(20 + (len(refs) // 2 + 0.5) * wide)
        yield shape("polygon", points=f"{x},74|{x - 6},64|{x + 6},64", fill=ink(asked))
    for closing in scene.of("footer"):
        yield text(closing.refs[0], 128, 140, 8, ink(asked), "middle")
