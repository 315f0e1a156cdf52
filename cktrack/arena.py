"""The memory plan of a training step for people, read from its inventory (`cengine/inventory.py`, a run's `plan.json`): rows of a
table, and a picture of the arena with time to the right and addresses upwards.

The bytes of the picture depend on the inventory alone. Nothing is planned, measured or allocated here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from experiments.compiler.draw import number
from experiments.compiler.metric import STACKS, width

COLOURS = {  # role -> fill, in the order of the legend; every text on them is INK
    "activations": "#8ec5f2", "activation gradients": "#f6b98a", "scratch": "#d9c8f0", "weights": "#9fd8a4",
    "weight gradients": "#f2d479", "moments": "#c7e0b4", "packed weights": "#a9d8d2", "inputs, tables, losses": "#cfd4da",
}  # fmt: skip
INK, QUIET, PAPER, GROUND, LINE, ALIVE = "#16202a", "#4a5560", "#ffffff", "#f3f5f7", "#c3cad1", "#b9c6d3"
WIDE, HIGH = 1200.0, 860.0
LEFT, RIGHT, TOP, BOTTOM = 84.0, 1176.0, 256.0, 790.0  # of the arena
CURVE = (176.0, 236.0)  # top and bottom of the curve of memory that is alive
KEPT = 0.28  # most of the height that what is kept gets: nothing happens there
NARROW = {"pack": 46.0, "optimizer": 74.0}  # px of the spans whose groups are not told apart
BIGGEST = 8


def megabytes(size: float) -> str:
    return (
        f"{size / 1e6:,.0f} MB" if size >= 20e6 else f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"
    )


def totals(plan: Mapping[str, Any]) -> dict[str, int]:
    """Bytes by role, in the order of the legend. Tensors that share places are counted at their own size."""
    found = dict.fromkeys(COLOURS, 0)
    for slot in plan["slots"]:
        found[slot["role"]] += slot["bytes"]
    return found


def figures(plan: Mapping[str, Any]) -> dict[str, str]:
    """What the plan comes to, in words: name -> size, for the table and the picture's headline."""
    shared, apart = plan["bytes"]["shared"], plan["bytes"]["shared_if_apart"]
    return {
        "arena": megabytes(plan["bytes"]["arena"]),
        "kept for the whole training": megabytes(sum(s["bytes"] for s in plan["slots"] if s["first"] is None)),
        "shared by what lives shortly": megabytes(shared),
        "most of it alive at once": megabytes(plan["needed"]),
        "without sharing it would be": f"{megabytes(apart)}, {apart / max(1, shared):.1f} times as much",
    }


def biggest(plan: Mapping[str, Any]) -> list[dict[str, Any]]:
    return sorted(plan["slots"], key=lambda s: (-s["bytes"], s["name"]))[:BIGGEST]


def headline(plan: Mapping[str, Any]) -> str:
    """The model and the batch in one line."""
    m = plan["model"]
    in_parts = f" in parts of {m['part']}" if m["part"] < m["rows"] else ""
    heads = f"{m['heads']}/{m['kv_heads']} heads of {m['head_dim']}"
    return (
        f"{m['layers']} layers, d_model {m['d_model']}, d_ff {m['d_ff']}, {heads}, vocabulary {m['vocab']:,}: {m['parameters'] / 1e6:.1f} M weights; "
        f"{m['rows']} x {m['time']} tokens{in_parts}, {m['precision']}"
    )


@dataclass(frozen=True)
class Axes:
    """From groups and addresses to px. `marks` is the x of every group's beginning, and of the last one's end; below `floor`, where
    everything is kept, addresses may have a smaller scale than above."""

    marks: tuple[float, ...]
    arena: int
    floor: int

    @classmethod
    def of(cls, plan: Mapping[str, Any]) -> Axes:
        """Groups of forward and backward are equally wide; what packs weights and updates them has little to show."""
        spans = {name: last - first + 1 for name, (first, last) in plan["spans"].items()}
        wide = sum(count for name, count in spans.items() if name not in NARROW)
        each = (RIGHT - LEFT - sum(NARROW[n] for n in spans if n in NARROW)) / max(1, wide)
        marks = [LEFT]
        for name, (first, last) in sorted(plan["spans"].items(), key=lambda item: item[1]):
            step = NARROW[name] / spans[name] if name in NARROW else each
            marks += [marks[-1] + step * (i + 1) for i in range(last - first + 1)]
        arena = plan["bytes"]["arena"]
        return cls(
            tuple(marks), arena, min((s["offset"] for s in plan["slots"] if s["first"] is not None), default=arena)
        )

    def x(self, first: int | None, last: int | None) -> tuple[float, float]:
        """Left and right of a life; a tensor without one is always there."""
        return self.marks[0 if first is None else first], self.marks[-1 if last is None else last + 1]

    @property
    def bend(self) -> float:
        """The y of `floor`."""
        return BOTTOM - (BOTTOM - TOP) * min(KEPT, self.floor / self.arena)

    def y(self, place: float) -> float:
        if place <= self.floor:
            return BOTTOM - (BOTTOM - self.bend) * place / self.floor
        return self.bend - (self.bend - TOP) * (place - self.floor) / (self.arena - self.floor)


def svg(plan: Mapping[str, Any], title: str) -> str:
    """The picture of an inventory as SVG text."""
    axes, told = Axes.of(plan), figures(plan)
    body = [
        _text(LEFT, 44, title, 24, weight="bold"),
        _text(LEFT, 68, headline(plan), 13, QUIET),
        *_headline_figures(told),
        *_legend(plan),
        *_curve(plan, axes),
        f'<rect x="{number(LEFT)}" y="{number(TOP)}" width="{number(RIGHT - LEFT)}" height="{number(BOTTOM - TOP)}" fill="{GROUND}"/>',
        *_scale(axes),
        *_slots(plan, axes),
        _line(LEFT, axes.bend, RIGHT, axes.bend),
        *_time(plan, axes),
    ]
    summary = escape("; ".join(f"{name}: {size}" for name, size in told.items()))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{number(WIDE)}" height="{number(HIGH)}" viewBox="0 0 {number(WIDE)} {number(HIGH)}" '
        f'role="img" font-family="{STACKS["sans"]}">\n<title>{escape(title)}</title>\n<desc>{summary}</desc>\n'
        f'<rect width="{number(WIDE)}" height="{number(HIGH)}" fill="{PAPER}"/>\n' + "\n".join(body) + "\n</svg>\n"
    )


def _text(
    x: float, y: float, words: str, size: float, fill: str = INK, anchor: str = "start", weight: str = "normal"
) -> str:
    return (
        f'<text x="{number(x)}" y="{number(y)}" font-size="{number(size)}" fill="{fill}" text-anchor="{anchor}" '
        f'font-weight="{weight}">{escape(words)}</text>'
    )


def _line(x: float, y: float, to_x: float, to_y: float, dash: str = "") -> str:
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<line x1="{number(x)}" y1="{number(y)}" x2="{number(to_x)}" y2="{number(to_y)}" stroke="{LINE}" stroke-width="1"{dashed}/>'


def _rect(x: float, y: float, to_x: float, to_y: float, fill: str, title: str) -> str:
    """A rectangle with a tooltip; its border is drawn inside of its own colour, so that neighbours stay apart."""
    border = min(1.0, (to_y - y) / 8) if to_y - y > 2 else 0.0
    return (
        f'<rect x="{number(x)}" y="{y:.2f}" width="{number(to_x - x)}" height="{max(to_y - y, 0.2):.2f}" fill="{fill}" '
        f'stroke="{PAPER}" stroke-width="{border:.2f}"><title>{escape(title)}</title></rect>'
    )


def _headline_figures(told: Mapping[str, str]) -> Iterator[str]:
    """The figures side by side: what it is, small, over how much, large."""
    at = LEFT
    for name, size in told.items():
        value, _, rest = size.partition(", ")
        room = max(width(name, "sans", 12), width(value, "bold", 17) + (width(rest, "sans", 12) + 8 if rest else 0))
        yield _text(at, 98, name, 12, QUIET)
        yield _text(at, 119, value, 17, weight="bold")
        if rest:
            yield _text(at + width(value, "bold", 17) + 8, 119, rest, 12, QUIET)
        at += room + 30


def _legend(plan: Mapping[str, Any]) -> Iterator[str]:
    at = LEFT
    for role, size in totals(plan).items():
        if size:
            yield f'<rect x="{number(at)}" y="136" width="13" height="13" rx="2" fill="{COLOURS[role]}"/>'
            yield _text(at + 19, 147, role, 12)
            at += 19 + width(role, "sans", 12) + 20


def _curve(plan: Mapping[str, Any], axes: Axes) -> Iterator[str]:
    """How much of the shared memory is alive, group by group, against the room that the plan gives it."""
    top, bottom = CURVE
    room = max(plan["bytes"]["shared"], 1)
    points = [f"{number(LEFT)},{number(bottom)}"]
    for at, size in enumerate(plan["alive"]):
        y = bottom - (bottom - top) * size / room
        points += [f"{number(axes.marks[at])},{number(y)}", f"{number(axes.marks[at + 1])},{number(y)}"]
    points.append(f"{number(RIGHT)},{number(bottom)}")
    yield f'<rect x="{number(LEFT)}" y="{number(top)}" width="{number(RIGHT - LEFT)}" height="{number(bottom - top)}" fill="{GROUND}"/>'
    yield f'<polygon points="{" ".join(points)}" fill="{ALIVE}"/>'
    yield _text(LEFT - 8, top + 9, megabytes(room), 11, QUIET, "end")
    yield _text(LEFT - 8, bottom, "0", 11, QUIET, "end")
    yield _text(LEFT + 8, top + 15, "shared memory that is alive, of the room that it has", 12)


def _scale(axes: Axes) -> Iterator[str]:
    """Addresses at the left, below and above the bend."""
    for low, high in ((0, axes.floor), (axes.floor, axes.arena)):
        room = axes.y(low) - axes.y(high)
        step = next(s for s in (m * 10**e for e in range(3, 13) for m in (1, 2, 5)) if (high - low) / s <= room / 44)
        for place in range(-(-low // step) * step, high, step):
            if all(abs(axes.y(place) - axes.y(end)) > 14 for end in (axes.floor, axes.arena)):
                yield _line(LEFT, axes.y(place), RIGHT, axes.y(place))
                yield from _address(axes, place)
    yield from _address(axes, axes.floor, "bold")
    yield from _address(axes, axes.arena, "bold")


def _address(axes: Axes, place: int, weight: str = "normal") -> Iterator[str]:
    words = f"{place / 1e6:,.0f} MB" if place >= 1e6 else megabytes(place) if place else "0"
    yield _text(LEFT - 8, axes.y(place) + 4, words, 11, QUIET, "end", weight)


def _slots(plan: Mapping[str, Any], axes: Axes) -> Iterator[str]:
    """Rectangles first, words last, so that no word is covered."""
    blocks = list(joined(plan["slots"]))
    names = plan["groups"]
    for block in blocks:
        (x, to_x), low = axes.x(block["first"], block["last"]), axes.y(block["offset"])
        yield _rect(
            x, axes.y(block["offset"] + block["bytes"]), to_x, low, COLOURS[block["role"]], _about(block, names)
        )
    for block in blocks:
        (x, to_x), low = axes.x(block["first"], block["last"]), axes.y(block["offset"])
        high = axes.y(block["offset"] + block["bytes"])
        if label := _label(block, to_x - x, low - high):
            yield _text((x + to_x) / 2, (low + high) / 2 + 3.8, label, 10.5, anchor="middle")


def joined(slots: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Slots by address; kept neighbours of one role are one block, `count` says of how many tensors."""
    before: dict[str, Any] | None = None
    for slot in slots:
        kept = slot["first"] is None
        if before and kept and before["first"] is None and before["role"] == slot["role"]:
            before["bytes"], before["count"] = slot["offset"] + slot["bytes"] - before["offset"], before["count"] + 1
            continue
        if before:
            yield before
        before = {**slot, "count": 1}
    if before:
        yield before


def _label(block: Mapping[str, Any], room: float, height: float) -> str:
    """The longest of some wordings that fits; empty if none does."""
    if height < 11.5:
        return ""
    name = block["role"] if block["count"] > 1 else block["name"]
    short = "d_" * name.startswith("d_") + name.split(".", 1)[-1]
    wordings = (f"{name} {megabytes(block['bytes'])}", name, short)
    return next((w for w in wordings if width(w, "sans", 10.5) <= room - 6), "")


def _about(block: Mapping[str, Any], groups: Sequence[Sequence[str]]) -> str:
    size = f"{block['role']}, {megabytes(block['bytes'])}"
    if block["count"] > 1:
        return f"{block['count']} tensors: {size}, kept"
    shape = "x".join(map(str, block["shape"]))
    if block["first"] is None:
        return f"{block['name']} [{shape}]: {size}, kept"
    life = f"{groups[block['first']][0]} to {groups[block['last']][-1]}"
    return f"{block['name']} [{shape}]: {size}, alive from {life} (groups {block['first']} to {block['last']})"


def _time(plan: Mapping[str, Any], axes: Axes) -> Iterator[str]:
    """Which part of a step is when, and which layer, under the arena."""
    for name, (first, last) in plan["spans"].items():
        x, to_x = axes.x(first, last)
        yield _line(x, CURVE[0], x, BOTTOM + 44, "3 3")
        yield _text((x + to_x) / 2, BOTTOM + 40, name, 13, anchor="middle", weight="bold")
    found = [(layer, *axes.x(first, last)) for layer, first, last in layers(plan)]
    room = min((to_x - x for _, x, to_x in found), default=0.0)
    before = "layer " if width(f"layer {len(found) // 2}", "sans", 11) + 4 <= room else ""
    for layer, x, to_x in found:
        yield _line(x, BOTTOM, x, BOTTOM + 8)
        if width(layer, "sans", 11) <= to_x - x:
            yield _text((x + to_x) / 2, BOTTOM + 20, before + layer, 11, QUIET, "middle")
    note = f"{'numbers are layers; ' * (not before)}time: groups of kernels in the order in which the plan counts them"
    shrunk = (axes.floor / (BOTTOM - axes.bend)) / ((axes.arena - axes.floor) / (axes.bend - TOP))
    bent = f"; below {megabytes(axes.floor)}, what is kept, at {shrunk:.1f} times the bytes to a pixel" * (
        shrunk > 1.05
    )
    yield _text(LEFT, HIGH - 10, note + bent, 11, QUIET)


def layers(plan: Mapping[str, Any]) -> Iterator[tuple[str, int, int]]:
    """(number of the layer, first group, last group) through forward and backward; a group belongs where its first call does."""
    (first, _), (_, last) = plan["spans"]["forward"], plan["spans"]["backward"]
    before: tuple[str, int] | None = None
    for at in range(first, last + 1):
        name = plan["groups"][at][0].partition(" ")[0].partition(".")[0]
        part = name.removeprefix("layer") if name.startswith("layer") else ""
        if before is None or before[0] != part or at == plan["spans"]["backward"][0]:
            if before and before[0]:
                yield before[0], before[1], at - 1
            before = (part, at)
    if before and before[0]:
        yield before[0], before[1], last
