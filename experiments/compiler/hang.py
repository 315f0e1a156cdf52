"""Leaves that hang below each other: where a layer would be wider than the page, cards that end their branch are stacked under the
card that they come from.

`fold` decides on ids and numbers only and is cached; `place` draws a stack. The rest of the graph does not notice: to it a stack is one
more box. What cannot be stacked stays side by side.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from experiments.compiler import layered
from experiments.compiler.flow import Flow
from experiments.compiler.page import Page
from experiments.compiler.tree import Box, move

SPINE, INDENT = 12.0, 34.0  # px from the left edge of a stack to its line, and to its cards


@dataclass(frozen=True, slots=True)
class Folded:
    """A graph with its stacks: each is an id of its own, which one edge enters; `stacks` says who is in it."""

    ids: tuple[str, ...]
    edges: tuple[layered.Edge, ...]
    stacks: Mapping[str, tuple[str, ...]]


@lru_cache(maxsize=1024)
def fold(ids: tuple[str, ...], edges: tuple[layered.Edge, ...], roots: tuple[str, ...], fit: int) -> Folded:
    """Stacks for every layer of more than `fit` cards, as far as its leaves allow."""
    entered, left = Counter(target for _, target in edges), {source for source, _ in edges}
    parent = {target: source for source, target in edges if entered[target] == 1 and target not in left}
    stacks: dict[str, tuple[str, ...]] = {}
    for row in layered.arrange(ids, edges, roots).rows:
        cards = [name for name in row if name in ids]
        groups: dict[str, list[str]] = {}
        for name in (name for name in ids if name in cards and name in parent):
            groups.setdefault(parent[name], []).append(name)
        if len(cards) > fit:
            stacks.update(_stack(groups, fit - len(cards) + sum(map(len, groups.values()))))
    place = {name: stack for stack, members in stacks.items() for name in members}
    return Folded(
        tuple(dict.fromkeys(place.get(name, name) for name in ids)),
        tuple(dict.fromkeys((source, place.get(target, target)) for source, target in edges)),
        stacks,
    )


def _stack(groups: Mapping[str, list[str]], room: int) -> dict[str, tuple[str, ...]]:
    """The leaves of each parent in as many columns as there is room for, the longest column first to be halved."""
    columns = dict.fromkeys(groups, 1)
    while sum(columns.values()) < room:
        longest = max(groups, key=lambda name: len(groups[name]) / columns[name], default=None)
        if longest is None or len(groups[longest]) <= columns[longest]:
            break
        columns[longest] += 1
    stacks = {}
    for name, members in groups.items():
        for i in range(columns[name]):
            part = members[len(members) * i // columns[name] : len(members) * (i + 1) // columns[name]]
            if len(part) > 1:
                stacks[f"{name} stack {i + 1}"] = tuple(part)
    return stacks


def place(
    page: Page,
    members: tuple[str, ...],
    flows: Mapping[str, Flow],
    labels: Mapping[str, Box],
    frame: Callable[[str], str],
    left: float,
    wide: float,
) -> dict[str, Box]:
    """Cards below each other from the cursor on, the label of the way into each above it."""
    sheet, y, boxes = page.sheet, page.y, {}
    for name in members:
        if name in labels:
            move([labels[name]], left + INDENT, y)
            y = labels[name].bottom + 5
        high = flows[name].height + 2 * sheet.pad
        boxes[name] = page.card(name, flows[name], left + INDENT, y, wide - INDENT, high, stroke=frame(name))
        y += high + sheet.gap * 0.5
    return boxes
