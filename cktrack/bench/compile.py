"""How many scenes are compiled in a second on one core, by family: parsed content bound, laid out, checked, drawn and validated.

Every round draws every case in styles that no other round has: contents come back, as they do in a corpus, and pictures do not. A
round's figure is the median of its scenes. Seconds are the core's own (`process_time`): a core that others use as well is not slower.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from typing import Annotated, Any

from typer import Option

from cktrack import contest, machine
from cktrack.bench import at_least_one
from cktrack.contest import Outcome
from cktrack.option import families_of


def measure(
    rounds: int,
    styles: Annotated[int, Option(help="styles in which each round draws every case")] = 8,
    family: Annotated[list[str] | None, Option(help="only this family; may be given several times")] = None,
) -> dict[str, Any]:
    """Scenes per second and family, on one core."""
    at_least_one("styles", styles, " style")
    from experiments import case

    names = families_of(family)
    facts = machine.facts(1, False)
    for name in names:  # what is made once: tables, content shapes
        _round(case.every(name), 0, 1)
    outcomes = {name: Outcome("cktrack", "") for name in names}
    for number in range(rounds):  # families take turns, so that a busy moment hits all of them
        for name in names:
            taken = _round(case.every(name), number * styles, styles)
            outcomes[name].seconds.append(statistics.median(taken))
    contests = [
        contest.report({"family": name, "cases": len(case.every(name))}, "scenes/s", [outcomes[name]], 1.0)
        for name in names
    ]
    return {
        "benchmark": "compile",
        **facts,
        "note": f"{styles} styles a case and round, none twice until all {len(_looks())} were drawn; a figure is the median of a round's scenes",
        "rounds": rounds,
        "contests": contests,
    }


def _round(cases: Sequence[Any], start: int, count: int) -> list[float]:
    """Seconds of each scene: every case in `count` styles from `start` on."""
    from experiments.sweep import Shot

    looks = _looks()
    taken = []
    for one in cases:
        for number in range(start, start + count):
            shot = Shot(one, looks[number * STRIDE % len(looks)])
            begun = time.process_time()
            shot.compile()
            taken.append(time.process_time() - begun)
    return taken


STRIDE = 67  # shares no factor with the number of looks: neighbours differ in everything


def _looks() -> Sequence[Any]:
    from experiments.sweep import LOOKS

    return LOOKS
