"""Checks on what the targets become: every case can be drawn, and its text says the whole picture."""

from __future__ import annotations

from experiments import case as library
from experiments import compiler
from experiments.pools import Target
from experiments.preflight import Finding, Place, check, judge
from experiments.prepared import Prepared

MOST = 500  # targets that are drawn


def chosen(targets: list[Target]) -> list[Target]:
    """One target of every case and form, then others evenly, MOST of all."""
    first = list({(t.family, t.scene.form, t.case): t for t in reversed(targets)}.values())[::-1]
    rest = targets[:: max(1, -(-len(targets) // max(1, MOST - len(first))))]
    return list({id(t): t for t in [*first, *rest]}.values())


@check("once")
def compiles(prepared: Prepared, place: Place) -> Finding:
    """Every case compiles, and the scene that is read from a target's text gives the bytes of the scene that was drawn."""
    pools, surface = prepared.material.targets, prepared.selected.spec.surface
    every = [*pools.trained, *pools.unseen, *pools.recombined, *pools.dev]
    faults: list[str] = []
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
    told = f"{len(targets)} of {len(every)} targets of {cases} cases drawn twice"
    got = f"{len(faults)} of {len(targets)}: {faults[0][:300]}" if faults else told
    return judge(not faults, got, "pictures, equal from the scene and from its text", drawn=len(targets), cases=cases)
