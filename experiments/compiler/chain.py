"""Cards one after the other, as a text is read: rows from left to right, an arrow from each card to the next, the words of an
arrow above it, and one arrow back to the left between two rows.

For structures without a branch; those with branches are `graph.py`'s. It knows no family.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from experiments.compiler.flow import Flow
from experiments.compiler.graph import Arrow, label_box
from experiments.compiler.page import Page
from experiments.compiler.tree import Box, Link, Text, move

LABELLED, BARE = 112.0, 44.0  # px between two cards, for an arrow with words and for one without
HEAD = 13.0  # px of an arrow that its words leave free above the tip


def order(ids: Sequence[str], ends: Sequence[tuple[str, str]]) -> list[str] | None:
    """The ids along the one chain that the edges make of them all; None where they make anything else."""
    after = dict(ends)
    starts = [name for name in ids if name not in after.values()]
    if len(after) != len(ends) or len(ends) != len(ids) - 1 or len(starts) != 1:
        return None
    found = starts
    while found[-1] in after:
        found.append(after[found[-1]])
    return found if len(found) == len(ids) else None


def columns_for(number: int) -> int:
    """How many of `number` cards stand in one row, so that rows are even and words keep their room."""
    return number if number <= 3 else 2 if number == 4 else 3


def draw_chain(
    page: Page,
    names: Sequence[str],
    arrows: Sequence[Arrow],
    columns: int,
    fill: Callable[[str, float], Flow],
    frame: Callable[[str], str],
) -> None:
    """Add the cards at the cursor; `arrows[i]` leads from card i to the next. `fill` and `frame` as for a graph."""
    sheet = page.sheet
    gap = LABELLED if any(arrow.label for arrow in arrows) else BARE
    wide = (page.room - (columns - 1) * gap) / columns
    cards: list[Box] = []
    for start in range(0, len(names), columns):
        row = names[start : start + columns]
        flows = [fill(name, wide - 2 * sheet.pad) for name in row]
        high = max(flow.height for flow in flows) + 2 * sheet.pad
        if start:
            page.y += _turn_height(page)
        for i, (name, flow) in enumerate(zip(row, flows, strict=True)):
            cards.append(page.card(name, flow, page.x0 + i * (wide + gap), page.y, wide, high, stroke=frame(name)))
        page.y += high
    for i, (a, b) in enumerate(pairwise(cards)):
        (_go_right if (i + 1) % columns else _go_back)(page, arrows[i], a, b)
    page.add(*cards)


def _turn_height(page: Page) -> float:
    """Room between two rows: for the run back to the left with one line of words on it, and the arrow head."""
    font = page.sheet.fonts["label"]
    return max(page.sheet.gap * 1.6, font.size * font.lead + 7 + 26)


def _go_right(page: Page, arrow: Arrow, a: Box, b: Box) -> None:
    """Straight into the next card, at a height that both have, with the words above the line."""
    y = a.y + min(a.h, b.h) / 2
    page.add(_link(page, arrow, [(a.right, y), (b.x, y)], a, b))
    if arrow.label:
        room = b.x - a.right - HEAD
        path, words = arrow.label
        fitted = page.flow(room).fit(path, words, page.sheet.fonts["label"], room, 4)
        text = Text.at(path, a.right, 0, room, fitted, page.sheet.canvas.muted, "middle")
        text.y = y - 6 - text.h
        page.add(text)


def _go_back(page: Page, arrow: Arrow, a: Box, b: Box) -> None:
    """From the last card of a row down, to the left, and down into the first card of the next row."""
    y = (a.bottom + b.y) / 2 - 3
    label = None
    if arrow.label:
        label = label_box(page, f"{a.path}->{b.path} label", *arrow.label, page.room * 0.5, 1)
        move([label], (a.centre + b.centre) / 2 - label.w / 2, y - label.h / 2)
    page.add(_link(page, arrow, [(a.centre, a.bottom), (a.centre, y), (b.centre, y), (b.centre, b.y)], a, b, label))
    if label:
        page.add(label)


def _link(
    page: Page, arrow: Arrow, corners: list[tuple[float, float]], a: Box, b: Box, label: Box | None = None
) -> Link:
    sheet, path = page.sheet, f"{arrow.source}->{arrow.target}"
    return Link(path, corners, a.path, b.path, sheet.wire, 2.5, sheet.dash, label=label.path if label else "")
