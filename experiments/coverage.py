"""Coverage: does a rung train and ask everything that its spec declares? Read from the rows and cases, never from the declaration.

Every finding is one sentence; none is mended here. A spec that declares a surface, family, form, topic or value of a fact which its rows do
not hold would be scored on a promise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache

from experiments import brief, families, pools
from experiments import case as library
from experiments.corpus import Row
from experiments.material import Material
from experiments.spec import Selected, Spec
from experiments.split import tags

WHY = {"family": "the spec names it", "form": "the family or a topic has it", "topic": "the spec asks for it"}


def declared(spec: Spec) -> dict[str, tuple[str, ...]]:
    """What a spec declares: its families, forms (with their family before them) and topics. Forms are all that the families have where texts state
    them, else those of the topics; topics are the cases that prompts ask for by name, in whichever family: a spec may hold pairs apart.
    """
    topics = pools.subjects(spec)
    forms = [(family, form) for family in spec.families for form in families.load(family).forms]
    if spec.surface != "bundle":
        forms = [(one.family, form) for one in topics if (form := _form(one.family, one.id))]
    return {
        "family": spec.families,
        "form": tuple(dict.fromkeys(f"{family}/{form}" for family, form in forms)),
        "topic": tuple(dict.fromkeys(one.id for one in topics)),
    }


def held(row: Row | Mapping[str, str]) -> dict[str, str]:
    """What a row or case is of, as `declared` names it."""
    family, form, case = (
        str(row[n] if isinstance(row, Mapping) else getattr(row, n)) for n in ("family", "form", "case")
    )
    return {"family": family, "form": f"{family}/{form or _form(family, case)}", "topic": case}


@cache
def _form(family: str, case: str) -> str:
    """The form of a case's content; "" where it has none, and for what is no case."""
    own = next((one for one in library.every(family) if one.id == case), None)
    return own.form or str(own.content.get("form", "")) if own else ""


def present(rows: Iterable[Row | Mapping[str, str]]) -> dict[str, set[str]]:
    """What rows are of, by what it is: as `held` says of each."""
    found = [*map(held, rows)]
    return {axis: {one[axis] for one in found} for axis in WHY}


def audit(selected: Selected, drawn: Material) -> list[str]:
    """What is declared and not covered, one sentence each; empty where all is."""
    spec, known = selected.spec, declared(selected.spec)
    trained = [row for rows in drawn.stages.values() for row in rows]
    asked = {name: _asked(drawn.contract, name) for name, split in spec.splits.items() if split.is_of_all}
    places: list[tuple[str, Sequence[Row | dict], tuple[str, ...]]] = [("trained", trained, tuple(known))]
    stated = ("family", "form") if spec.surface == "bundle" else ("family",)
    places += [(f"asked in split {name}", cases, stated) for name, cases in asked.items()]
    places += [("asked", [case for cases in asked.values() for case in cases], tuple(known))]
    return [
        *_surfaces(selected, drawn),
        *dict.fromkeys(
            f"{axis} {name}: got no row {what}, expected some: {WHY[axis]}"
            for what, rows, axes in places
            for there in [present(rows)]
            for axis in axes
            for name in known[axis]
            if name not in there[axis]
        ),
        *_values(spec, trained),
    ]


def _asked(contract: dict, split: str) -> list[dict]:
    return [case for case in contract["cases"] if case["split"] == split]


def _surfaces(selected: Selected, drawn: Material) -> Iterator[str]:
    """Prompt surfaces that a mixture or a split names and no row has."""
    for stage, rows in drawn.stages.items():
        there = {row.surface for row in rows}
        for surface in selected.rung.mixture[stage]:
            if surface not in there:
                yield f"surface {surface}: got no row in {stage}, expected some: its mixture names it"
    for name, split in selected.spec.splits.items():
        there = {case["surface"] for case in _asked(drawn.contract, name)}
        for surface in split.surfaces:
            if surface not in there:
                yield f"surface {surface}: got no case in split {name}, expected some: the split names it"


def stated(spec: Spec, table: brief.Table) -> dict[str, brief.Fact]:
    """The facts that briefs of a spec may state: not those about families that it has not."""
    facts = table.facts.items()
    return {name: fact for name, fact in facts if set(fact.only.get("family", spec.families)) & set(spec.families)}


def _values(spec: Spec, trained: Sequence[Row]) -> Iterator[str]:
    """Values of facts that no trained row states, and facts that are never left out though they may be."""
    if spec.targets.kind != "briefs":
        return
    table = brief.load(spec.targets.briefs)
    told = [tags(row.brief) for row in trained]
    for name, fact in stated(spec, table).items():
        there = {found[name] for found in told if name in found}
        for value in fact.values:
            if value not in there:
                yield f"{name} {value}: got no trained row that states it, expected some: the table {table.name} has it"
        if fact.absent and all(name in found for found in told):
            yield f"{name}: got no trained row without it, expected some: it may be left out"
