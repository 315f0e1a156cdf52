"""Layouts of compare panels: two equal cards, at full size and in atoms."""

from __future__ import annotations

from collections.abc import Iterator

from experiments.compiler.bind import Bound
from experiments.compiler.board import Board, ink, shape, text
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Ornament, Tree
from experiments.infographic import Asked, sides
from experiments.scene import Component, Scene

APART = 40.0  # px between the cards


def draw_large(bound: Bound, sheet: Sheet) -> Tree:
    board = Board(bound, sheet)
    sheet = board.sheet
    page, words = board.page, board.words()
    wide = (page.room - APART) / 2
    colours = [sheet.line(sheet.accent()), sheet.line(sheet.second)]
    flows = []
    for side, colour in zip(sides([ref for ref, _ in words]), colours, strict=True):
        flow = page.flow(wide - 2 * sheet.pad, sheet.surface)
        for number, at in enumerate(side):
            role, gap = ("headline", 0.0) if number == 0 else ("section", sheet.gap * 0.6)
            if number == 1:
                flow.skip(gap)
                flow.nodes.append(Ornament("line", 0, flow.height, flow.width, 0, stroke=sheet.rule))
            flow.text(*words[at], role, colour if number == 0 else None, gap=gap, most=4)
        flows.append(flow)
    need = max(flow.height for flow in flows) + 2 * sheet.pad + 8
    high = max(need, min(board.high, need + 200))
    rest = max(0.0, board.high - high) / 2
    page.y += rest
    for i, (flow, colour) in enumerate(zip(flows, colours, strict=True)):
        lift = max(0.0, (high - flow.height - 2 * sheet.pad) / 2 - 4)
        box = page.card(
            f"side {i + 1}", flow, page.x0 + i * (wide + APART), page.y, wide, high, stroke=colour, top=8 + lift * 0.85
        )
        box.add(Ornament("rect", box.x + box.radius, box.y, wide - 2 * box.radius, 6, fill=colour, radius=3))
        page.add(box)
    x, y = page.x0 + wide + APART / 2, page.y + high / 2
    for way in (-1, 1):
        corners = ((x + way * 13, y), (x + way * 4, y - 9), (x + way * 4, y + 9))
        page.add(Ornament("polygon", min(c[0] for c in corners), y - 9, 9, 18, fill=sheet.wire, points=corners))
    return board.finish(page.y + high + rest)


def small(scene: Scene, asked: Asked) -> Iterator[Component]:
    refs = scene.of("compare_pair")[0].refs
    closing = scene.of("footer")
    high = 72 if closing else 88
    for left, side, stroke in zip((18, 132), sides(refs), (asked.accent, "gray"), strict=True):
        yield shape("rect", x=left, y=54, width=106, height=high, rx=8, fill="paper", stroke=stroke, sw=2)
        step = min((high - 24) / max(1, len(side) - 1), {"compact": 12, "balanced": 14}.get(asked.density, 16))
        for number, at in enumerate(side):
            if number == 0:
                yield text(refs[at], left + 53, 69, 10, "black", "middle")
            else:
                yield text(refs[at], left + 8, 70 + step * number, 8, "black")
    if closing:
        yield text(closing[0].refs[0], 128, 142, 8, ink(asked), "middle")
