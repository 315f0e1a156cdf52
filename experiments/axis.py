"""Whether a rung changes what it says and nothing else: its resolved settings against its baseline's, as plain data.

An axis is a place in those settings: `mixture`, `budget.midtrain.lr`, `tokenizer`. Without its stage, `budget.tokens` is the same place in
every stage. The name of a stage that only one of the two has (`sft`) is an axis too: all that is said of this stage. On a budget, one quantity
changes at a time. Why the change is worth a run is prose, and not this file's; neither is what any setting means.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from experiments.violation import Violation, nearest, shorten

BY_STAGE = ("mixture", "budget", "replay")  # settings that are a table of stages
NOTHING = "nothing"


def flat(settings: Any, place: str = "") -> dict[str, Any]:
    """Nested settings as dotted place -> value; an empty table is a value."""
    if not isinstance(settings, Mapping) or not settings:
        return {place: settings}
    return {
        inner: value
        for key, part in settings.items()
        for inner, value in flat(part, f"{place}.{key}" if place else str(key)).items()
    }


def differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Place -> (ours, theirs) wherever two settings differ; NOTHING where one has no such place."""
    mine, other = flat(ours), flat(theirs)
    pairs = {place: (mine.get(place, NOTHING), other.get(place, NOTHING)) for place in {**other, **mine}}
    return {place: pair for place, pair in pairs.items() if pair[0] != pair[1]}


def covers(axis: str, place: str, stages: Collection[str]) -> bool:
    """Whether a place lies on an axis."""
    if axis in stages:
        return any(covers(f"{table}.{axis}", place, ()) for table in BY_STAGE)
    return any(name == axis or name.startswith(f"{axis}.") for name in (place, _anywhere(place)))


def _anywhere(place: str) -> str:
    """A place of a table of stages, without its stage."""
    table, *steps = place.split(".")
    return ".".join([table, *steps[1:]]) if table in BY_STAGE and len(steps) > 1 else place


def untouched(axis: object, places: Iterable[str], stages: Collection[str]) -> list[str]:
    """The places of which a change on this axis leaves everything as it was; none if the axis is no name."""
    if not isinstance(axis, str):
        return []
    touched = set(BY_STAGE) if axis in stages else {axis.split(".")[0]}
    return [place for place in places if place not in touched]


def faults(
    axis: str | None,
    held_constant: Iterable[str],
    ours: Mapping[str, Any],
    theirs: Mapping[str, Any] | None,
    stages: Collection[str],
) -> Iterator[Violation]:
    """What is wrong with a rung's `axis` and `held_constant`. `theirs` are its baseline's settings, None where it has none."""
    known = [*_places({**ours, **(theirs or {})}), *stages]
    leaves = [place for place in known if axis and covers(axis, place, stages)]
    for number, name in enumerate(held_constant):
        if name not in known:
            yield Violation(f"held_constant.{number}", repr(name), _one_of(name, known))
        elif any(covers(name, place, stages) for place in leaves):
            yield Violation(f"held_constant.{number}", repr(name), f"what the axis {axis} does not touch")
    if theirs is None:
        if axis is not None:
            yield Violation("axis", repr(axis), "null beside `baseline: null`; prose belongs into `change`")
        return
    both = [*_places(ours), *_places(theirs), *stages]
    if axis is None or axis not in both:
        said = "nothing" if axis is None else shorten(axis)
        yield Violation("axis", said, f"{_one_of(axis or '', both)}; prose belongs into `change`")
        return
    changed = differences(ours, theirs)
    if axis in stages and all(axis in said.get("budget", {}) for said in (ours, theirs)):
        tables = ", ".join(
            sorted({f"{place.split('.')[0]}.{axis}" for place in changed if covers(axis, place, stages)})
        )
        yield Violation(
            "axis", f"{axis!r}, a stage that the baseline has too", f"what changes in it: one of {tables or NOTHING}"
        )
    if not any(covers(axis, place, stages) for place in changed):
        yield Violation("axis", repr(axis), "a setting that is not the baseline's own")
    quantities = {_anywhere(place) for place in changed if place.startswith("budget.") and covers(axis, place, stages)}
    if len(quantities) > 1 and axis not in stages:
        names = sorted(name.partition(".")[2] for name in quantities)
        narrower = ", ".join(f"{axis}.{name}" for name in names)
        yield Violation("axis", f"{axis!r}, on which {', '.join(names)} differ", f"one of them: {narrower}")
    for place, (mine, other) in changed.items():
        if not covers(axis, place, stages):
            yield Violation(place, _told(mine), f"the baseline's {_told(other)}, because the axis is {axis}")


def _told(value: Any) -> str:
    return NOTHING if value == NOTHING else shorten(value)


def _places(settings: Mapping[str, Any]) -> list[str]:
    """Every dotted place of nested settings, tables before what they hold, and each place of a stage without its stage."""
    found: dict[str, None] = {}
    for place in flat(settings):
        steps = place.split(".")
        found |= dict.fromkeys([*(".".join(steps[:n]) for n in range(1, len(steps) + 1)), _anywhere(place)])
    return list(found)


def _one_of(name: str, known: Iterable[str]) -> str:
    """The shortest places, and the one that looks most like `name`."""
    known = list(dict.fromkeys(known))
    return f"one of {', '.join(k for k in known if '.' not in k)}, or a place inside of one{nearest(name, known)}"
