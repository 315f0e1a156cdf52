"""Layouts of stat cards: figures side by side, at full size and in atoms."""

from __future__ import annotations

from collections.abc import Iterator

from experiments.compiler.bind import Bound
from experiments.compiler.board import Board, ink, shape, text
from experiments.compiler.metric import width
from experiments.compiler.sheet import LEAST, Sheet
from experiments.compiler.tree import Font, Ornament, Text, Tree
from experiments.infographic import Asked, pairs
from experiments.scene import Component, Scene

FIGURE = 1.5  # times the headline's size


def draw_large(bound: Bound, sheet: Sheet) -> Tree:
    board = Board(bound, sheet)
    sheet = board.sheet
    page, words = board.page, board.words()
    groups = pairs([ref for ref, _ in words])
    gap = sheet.gap * 0.8
    wide = (page.room - gap * (len(groups) - 1)) / len(groups)
    headline = sheet.fonts["headline"]
    flows = []
    room = wide - 2 * sheet.pad
    widest = max(width(words[value][1], "bold", 1.0) for value, _ in groups)
    figures = Font("bold", max(LEAST, min(headline.size * FIGURE, room / widest)), 1.1)  # one size for all
    for value, label in groups:
        flow = page.flow(wide - 2 * sheet.pad, sheet.surface)
        fitted = flow.fit(*words[value], figures, room, 1)
        figure = Text.at(words[value][0], 0, 0, flow.width, fitted, sheet.surface.text(sheet.accent()), "middle")
        flow.nodes.append(figure)
        flow.height = figure.h
        flow.text(*words[label], "section", gap=sheet.gap * 0.5, most=4, anchor="middle", even=True)
        flows.append(flow)
    high = max(board.high * 0.72, max(flow.height for flow in flows) + 3 * sheet.pad)
    page.y += max(0.0, board.high - high) / 2
    for i, flow in enumerate(flows):
        lift = (high - flow.height) / 2 - sheet.pad
        box = page.card(f"card {i + 1}", flow, page.x0 + i * (wide + gap), page.y, wide, high, top=lift)
        if sheet.style.emphasis in (None, "top"):
            bar = sheet.line(sheet.accent())
            box.add(Ornament("rect", box.x + box.radius, box.y, wide - 2 * box.radius, 6, fill=bar, radius=3))
        page.add(box)
    return board.finish(page.y + high + max(0.0, board.high - high) / 2)


def small(scene: Scene, asked: Asked) -> Iterator[Component]:
    refs = scene.of("stats")[0].refs
    closing, groups = scene.of("footer"), pairs(refs)
    high, gap = (66 if closing else 82), 8
    high -= {"compact": 10, "balanced": 5}.get(asked.density, 0)
    wide = (216 - gap * (len(groups) - 1)) / len(groups)
    for i, (value, label) in enumerate(groups):
        left = 20 + i * (wide + gap)
        yield shape("rect", x=left, y=58, width=wide, height=high, rx=8, fill="paper", stroke="gray", sw=1)
        yield shape("rect", x=left + 8, y=58, width=wide - 16, height=4, rx=2, fill=asked.accent)
        yield text(refs[value], left + wide / 2, 58 + high * 0.5, 16 if len(groups) < 4 else 13, "black", "middle")
        yield text(refs[label], left + wide / 2, 58 + high * 0.8, 8 if len(groups) < 4 else 7, "black", "middle")
    if closing:
        yield text(closing[0].refs[0], 128, 140, 8, ink(asked), "middle")
