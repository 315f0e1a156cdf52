"""Layouts of a bullet panel: rows of points behind a stripe, at full size and in atoms."""

from __future__ import annotations

from collections.abc import Iterator

from experiments.compiler.bind import Bound
from experiments.compiler.board import Board, ink, shape, text
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Box, Ornament, Tree, move
from experiments.infographic import Asked
from experiments.scene import Component, Scene


def draw_large(bound: Bound, sheet: Sheet) -> Tree:
    board = Board(bound, sheet)
    sheet = board.sheet
    page, colour = board.page, sheet.line(sheet.accent())
    mark = sheet.fonts["section"].size * 1.7
    flows = [
        page.flow(page.room - 3 * sheet.pad - mark - 18, sheet.surface).text(ref, words, "section", most=4)
        for ref, words in board.words()
    ]
    gap = sheet.gap * 0.7
    need = sum(max(flow.height, mark) for flow in flows) + gap * (len(flows) - 1) + 2 * sheet.pad
    spare = max(0.0, board.high - need) / len(flows)
    panel = Box(
        "panel", page.x0, page.y, page.room, max(need, board.high), sheet.surface.fill, sheet.border, 1.2, sheet.radius
    )
    if sheet.style.emphasis in (None, "left"):
        panel.add(Ornament("rect", panel.x + 9, panel.y + sheet.pad, 6, panel.h - 2 * sheet.pad, fill=colour, radius=3))
    y = panel.y + sheet.pad
    for i, (flow, (ref, _)) in enumerate(zip(flows, board.words(), strict=True)):
        high = max(flow.height, mark) + spare
        number = page.labels.number(f"{ref} number", f"{ref} number", i + 1, "section", mark, mark, colour, mark * 0.3)
        move([number], panel.x + sheet.pad + 14, y + (high - mark) / 2)
        panel.add(number, *flow.place(number.right + sheet.pad, y + (high - flow.height) / 2))
        y += high
        if i + 1 < len(flows):
            panel.add(Ornament("line", number.x, y + gap / 2, panel.right - sheet.pad - number.x, 0, stroke=sheet.rule))
        y += gap
    page.add(panel)
    return board.finish(panel.bottom)


def small(scene: Scene, asked: Asked) -> Iterator[Component]:
    refs = scene.of("bullet_list")[0].refs
    closing = scene.of("callout")
    top, room = 58.0, 66 if closing else 88
    step = min(room / len(refs), {"compact": 14, "balanced": 17}.get(asked.density, 20))
    top += (room - step * len(refs)) / 2
    for i, ref in enumerate(refs):
        y = top + step * (i + 0.5)
        yield shape("circle", cx=28, cy=y, r=3, fill=asked.accent)
        yield text(ref, 38, y + 3, 9 if asked.density == "compact" else 10, ink(asked))
    if closing:
        yield shape("rect", x=20, y=126, width=216, height=18, rx=5, fill="paper", stroke=asked.accent, sw=1)
        yield text(closing[0].refs[0], 128, 138, 9, "black", "middle")
