"""Checks on what the targets become: every case can be drawn, and its text says the whole picture."""

from __future__ import annotations

import hashlib
import json
from functools import cache

from experiments import case as library
from experiments import compiler, families
from experiments.pools import Target
from experiments.preflight import Finding, Place, check, judge
from experiments.prepared import Prepared
from experiments.style import Style

MOST = 500  # targets that are drawn
GOLDEN = "golden.json"  # case -> sha256 of its picture


def chosen(targets: list[Target]) -> list[Target]:
    """One target of every case and form, then others evenly, MOST of all."""
    first = list({(t.family, t.scene.form, t.case): t for t in reversed(targets)}.values())[::-1]
    rest = targets[:: max(1, -(-len(targets) // max(1, MOST - len(first))))]
    return list({id(t): t for t in [*first, *rest]}.values())


@cache
def drawn(case: library.Case) -> str:
    """sha256 of a case's picture in the default style; drawn once, however many rungs of a ladder have its family."""
    return hashlib.sha256(compiler.compile(case.scene(Style()), case.content).svg.encode()).hexdigest()


def astray(name: str) -> list[str]:
    """The cases of a family that the compiler draws otherwise than `golden.json` beside the family says; a family from another package may
    come without one."""
    golden = families.folder(name) / GOLDEN
    if not golden.is_file():
        return [f"{name}: got no {GOLDEN}, expected the sha256 of every case's picture"] * (name in families.own())
    kept, faults = json.loads(golden.read_text()), []
    for case in library.every(name):
        try:
            if drawn(case) != kept.get(case.id):
                faults.append(f"{name}: {case.id} is not drawn as its golden picture")
        except ValueError as error:
            faults.append(f"{name}: {case.id}: {error}")
    return faults


@check("once")
def compiles(prepared: Prepared, place: Place) -> Finding:
    """Every case compiles, the scene that is read from a target's text gives the bytes of the scene that was drawn, and every case of the
    families is drawn as its golden picture."""
    pools, surface = prepared.material.targets, prepared.selected.spec.surface
    every = [*pools.trained, *pools.unseen, *pools.recombined, *pools.apart, *pools.dev]
    families_of = sorted({t.family for t in every})
    faults = [fault for name in families_of for fault in astray(name)]
    targets = chosen(every)
    for target in targets:
        content = library.content(target.family, target.case)
        try:
            same = (
                compiler.compile(target.scene, content).svg == compiler.compile_text(surface, target.text, content).svg
            )
        except ValueError as error:
            faults.append(f"{target.family}/{target.case}: {error}")
        else:
            faults += [] if same else [f"{target.family}/{target.case}: its text gives another picture"]
    cases = len({(t.family, t.case) for t in targets})
    told = f"{len(targets)} of {len(every)} targets of {cases} cases drawn twice, every case of {len(families_of)} families as its golden picture"
    got = f"{len(faults)} faults: {faults[0][:300]}" if faults else told
    return judge(
        not faults,
        got,
        "pictures as the golden ones, equal from the scene and from its text",
        drawn=len(targets),
        cases=cases,
    )
