"""Arrangements: the parts of a lowered scene in another order and under other ids, for surfaces that write components.

What a form lowers to is one arrangement of its parts; here are the others that a brief may ask for. Only the numbered sequence of a
scene is arranged (stages, segments); its references still say which content is meant, and links keep the order of their labels.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache

from experiments.scene import Component, Scene

NUMBERED = re.compile(r"(stage|segment)_[0-9]+")

GREEK = (
    "alpha",
    "beta",
    "gamma",
    "delta",
    "epsilon",
    "zeta",
    "eta",
    "theta",
    "iota",
    "kappa",
    "lambda",
    "mu",
    "nu",
    "xi",
    "omicron",
    "pi",
    "rho",
    "sigma",
    "tau",
    "upsilon",
    "phi",
    "chi",
    "psi",
    "omega",
)
ORDERS: dict[str, Callable[[Sequence], list]] = {
    "forward": list,
    "backward": lambda parts: list(reversed(parts)),
    "odd_first": lambda parts: [*parts[::2], *parts[1::2]],
    "even_first": lambda parts: [*parts[1::2], *parts[::2]],
    "ends_first": lambda parts: [parts[i // 2] if i % 2 == 0 else parts[-1 - i // 2] for i in range(len(parts))],
    "first_last": lambda parts: [*parts[1:], *parts[:1]],
    "pairs_swapped": lambda parts: [parts[i ^ 1] if i ^ 1 < len(parts) else parts[i] for i in range(len(parts))],
    "from_middle": lambda parts: [*parts[len(parts) // 2 :], *parts[: len(parts) // 2]],
}
IDS: dict[str, Callable[[str, int], str]] = {
    "own": lambda name, place: name,
    "letters": lambda name, place: "abcdefghijklmnopqrstuvwxyz"[place],
    "greek": lambda name, place: GREEK[place],
    "numbers": lambda name, place: f"n{place + 1}",
}
LANES: dict[str, Callable[[int], str]] = {
    "above_first": lambda place: "bottom" if place % 2 else "top",
    "below_first": lambda place: "top" if place % 2 else "bottom",
    "middle": lambda place: "center",
}


def arrange(scene: Scene, topic: str, asked: Mapping[str, str]) -> Scene:
    """A scene without form and counts; `asked` may name an order, a naming of ids and lanes (by default as it is)."""
    choices = asked.get("order", "forward"), asked.get("ids", "own"), asked.get("lanes")
    return replace(scene, topic=topic, form="", counts=(), components=_arranged(scene.components, *choices))


@cache
def _arranged(parts: tuple[Component, ...], order: str, ids: str, lanes: str | None) -> tuple[Component, ...]:
    sequence = [p for p in parts if p.id and NUMBERED.fullmatch(p.id)]
    renamed = [replace(p, id=IDS[ids](str(p.id), place)) for place, p in enumerate(ORDERS[order](sequence))]
    if lanes:
        renamed = [replace(p, attributes=(("lane", LANES[lanes](place)),)) for place, p in enumerate(renamed)]
    ends = dict(zip((p.id for p in sequence), (p.id for p in renamed), strict=True))
    waiting = iter(renamed)

    def placed(part: Component) -> Component:
        if part in sequence:
            return next(waiting)
        if part.source is None:
            return part
        return replace(part, source=ends.get(part.source, part.source), target=ends.get(part.target, part.target))

    return tuple(placed(part) for part in parts)
