"""Layouts of flow steps: numbered cards joined by arrows, at full size and in atoms."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from experiments.compiler.bind import Bound
from experiments.compiler.board import Board, ink, shape, text
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Box, Link, Tree
from experiments.infographic import Asked, pairs
from experiments.scene import Component, Scene


def draw_large(bound: Bound, sheet: Sheet) -> Tree:
    board = Board(bound, sheet)
    sheet = board.sheet
    page, words = board.page, board.words()
    groups = pairs([ref for ref, _ in words])
    gap = sheet.gap * 0.4 + 30
    wide = (page.room - gap * (len(groups) - 1)) / len(groups)
    colour, size = sheet.line(sheet.accent()), sheet.fonts["section"].size * 1.9
    flows = []
    for i, (title, caption) in enumerate(groups):
        flow = page.flow(wide - 1.6 * sheet.pad, sheet.surface)
        ref = words[title][0]
        flow.nodes.append(
            page.labels.number(f"{ref} number", f"{ref} number", i + 1, "section", size, size, colour, size * 0.3)
        )
        flow.height = size
        flow.text(*words[title], "section", gap=sheet.gap * 0.7, most=3)
        flow.text(*words[caption], "body", sheet.surface.muted, gap=sheet.gap * 0.25, most=7)
        flows.append(flow)
    high = max(board.high * 0.62, max(flow.height for flow in flows) + 1.6 * sheet.pad)
    rest = max(0.0, board.high - high) / 2
    y = page.y + rest
    boxes: list[Box] = []
    for i, flow in enumerate(flows):
        lift = (high - flow.height - 1.6 * sheet.pad) * 0.5
        boxes.append(
            page.card(f"step {i + 1}", flow, page.x0 + i * (wide + gap), y, wide, high, pad=sheet.pad * 0.8, top=lift)
        )
    for a, b in pairwise(boxes):
        ends = [(a.right, a.middle), (b.x, b.middle)]
        page.add(Link(f"{a.path}->{b.path}", ends, a.path, b.path, sheet.wire, 2.5, sheet.dash))
    page.add(*boxes)
    return board.finish(y + high + rest)


def small(scene: Scene, asked: Asked) -> Iterator[Component]:
    refs = scene.of("steps")[0].refs
    closing, groups = scene.of("badge"), pairs(refs)
    gap = 14 if len(groups) < 5 else 10
    wide = (216 - gap * (len(groups) - 1)) / len(groups)
    high = {"compact": 48, "balanced": 54}.get(asked.density, 60)
    for i, (title, caption) in enumerate(groups):
        left = 20 + i * (wide + gap)
        yield shape("rect", x=left, y=56, width=wide, height=high, rx=6, fill="paper", stroke=asked.accent, sw=2)
        yield text(
            refs[title], left + wide / 2, 56 + high * 0.45, {2: 10, 3: 9, 4: 8}.get(len(groups), 7), "black", "middle"
        )
        yield text(refs[caption], left + wide / 2, 56 + high * 0.75, 7 if len(groups) < 4 else 6, "black", "middle")
        if i + 1 < len(groups):
            x, y = round(left + wide + gap), round(56 + high / 2)
            yield shape("line", x1=x - gap + 1, y1=y, x2=x - 5, y2=y, stroke=ink(asked), sw=2)
            yield shape("polygon", points=f"{x - 1},{y}|{x - 6},{y - 3}|{x - 6},{y + 3}", fill=ink(asked))
    if closing:
        yield shape("rect", x=38, y=126, width=180, height=18, rx=9, fill="paper", stroke=asked.accent, sw=1)
        yield text(closing[0].refs[0], 128, 138, 9, "black", "middle")
