"""Arrangements: the parts of a scene in another order, under other ids and fewer of them, for surfaces that write components.

What a form lowers to is one arrangement of its parts; here are the others that a brief may ask for. Only the numbered sequence of a
scene is arranged (stages, segments); its references still say which content is meant, and links keep the order of their labels.
The components of a case are arranged too: the kind that occurs most often, with edges that follow the parts which they join.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import product

from experiments import families
from experiments.scene import Component, Counts, Scene

CHOICES = ("order", "ids", "lanes")  # of an arrangement, beside how many parts there are
FRAME = ("header_band", "footer_note")  # of a page, whatever stands on it
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


# ------------------------------------------------------------------------------------------------- the components of a case


@cache
def countings(family: str, parts: tuple[Component, ...]) -> tuple[Counts, ...]:
    """Every number of parts that a case may be cut to and still be sound, the whole case included: of each kind that prompts ask for by
    number, else of its main kind. Of the main kind, parts with a name are not cut off: edges and content may speak of them.
    """
    there = {name: sum(p.kind in kinds for p in parts) // len(kinds) for name, kinds in _counted(family, parts).items()}
    joined = any(p.source or ("parts" in there and p.id) for p in parts)
    every = product(*(range(n if joined else max(1, n - 2), n + 1) for n in there.values()))
    found = (tuple(zip(there, chosen, strict=True)) for chosen in every)
    return tuple(counts for counts in found if _is_sound(family, _varied(family, parts, counts, "forward", "own")))


def _is_sound(family: str, parts: tuple[Component, ...]) -> bool:
    return not any(families.load(family).inspect(Scene(family, components=parts)))


@cache
def _counted(family: str, parts: tuple[Component, ...]) -> dict[str, tuple[str, ...]]:
    """Count -> the kinds of parts that it counts."""
    there = {p.kind for p in parts}
    known = families.load(family).kinds.values()
    asked: dict[str, tuple[str, ...]] = {k.asked: (k.name,) for k in known if k.asked and k.name in there}
    return asked or {"parts": _main(parts)}


@cache
def _main(parts: tuple[Component, ...]) -> tuple[str, ...]:
    """The kind that occurs most often, edges and the frame of the page aside, and the kinds that run along with it."""
    found = Counter(p.kind for p in parts if not p.source and p.kind not in FRAME)
    return tuple(kind for kind, number in found.items() if number == max(found.values()))


def vary(family: str, parts: tuple[Component, ...], asked: Mapping[str, str]) -> tuple[Component, ...]:
    """The components of a case, as many of them as `asked` says, its main parts in the order and under the ids that it names."""
    counts = tuple((name, int(asked[name])) for name in _counted(family, parts) if name in asked)
    return _varied(family, parts, counts, asked.get("order", "forward"), asked.get("ids", "own"))


@cache
def _varied(family: str, parts: tuple[Component, ...], counts: Counts, order: str, ids: str) -> tuple[Component, ...]:
    chosen = _main(parts)
    for name, number in counts:
        for kind in _counted(family, parts)[name]:
            beyond = [p for p in parts if p.kind == kind][number:]
            parts = tuple(p for p in parts if p not in beyond)
    for kind in chosen:
        parts = _placed(parts, [p for p in parts if p.kind == kind], order, ids if kind == chosen[0] else "own")
    return parts


def _placed(parts: tuple[Component, ...], own: Sequence[Component], order: str, ids: str) -> tuple[Component, ...]:
    """The parts `own` in another order, in the places where parts of theirs stood. An edge with words of its own follows the parts that it
    joins, one without joins what stands in the same places.
    """
    placed = ORDERS[order](own)
    renamed = [replace(p, id=IDS[ids](p.id, place)) if p.id else p for place, p in enumerate(placed)]
    followed: dict[str | None, str | None] = {
        old.id: new.id for old, new in zip(placed, renamed, strict=True) if old.id
    }
    stood: dict[str | None, str | None] = {old.id: new.id for old, new in zip(own, renamed, strict=True) if old.id}
    waiting = iter(renamed)

    def put(part: Component) -> Component:
        if part in own:
            return next(waiting)
        names = followed if part.refs else stood
        return replace(part, source=names.get(part.source, part.source), target=names.get(part.target, part.target))

    return tuple(map(put, parts))
