"""Coverage: does a rung train and ask everything that its spec declares? Read from the rows and cases, never from the declaration.

Every finding is one sentence; none is mended here. A spec that declares a surface, family, form or value of a fact which its rows do
not hold would be scored on a promise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from experiments import brief, families
from experiments.corpus import Row
from experiments.material import Material
from experiments.spec import Selected, Spec
from experiments.split import tags


def audit(selected: Selected, drawn: Material) -> list[str]:
    """What is declared and not covered, one sentence each; empty where all is."""
    trained = [row for rows in drawn.stages.values() for row in rows]
    return [
        *_surfaces(selected, drawn),
        *_families(selected.spec, trained, "trained"),
        *(
            f
            for n, split in selected.spec.splits.items()
            if split.is_of_all
            for f in _families(selected.spec, _asked(drawn.contract, n), f"asked in split {n}")
        ),
        *_values(selected.spec, trained),
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


def _families(spec: Spec, rows: Sequence[Row | dict], what: str) -> Iterator[str]:
    """Families, and forms where scenes have them, that no row is of."""
    there = {(_of(row, "family"), _of(row, "form")) for row in rows}
    for family in spec.families:
        if family not in {f for f, _ in there}:
            yield f"family {family}: got no row {what}, expected some: the spec names it"
        elif spec.surface == "bundle":
            for form in families.load(family).forms:
                if (family, form) not in there:
                    yield f"form {family}/{form}: got no row {what}, expected some: the family has it"


def _of(row: Row | dict, name: str) -> str:
    return str(row[name] if isinstance(row, dict) else getattr(row, name))


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
