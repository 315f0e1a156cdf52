"""How many scenes are compiled in a second on one core, by family: parsed content bound, laid out, checked, drawn and validated.

Every round draws every case in styles that no other round has. In one half of it contents come back, as they do in a corpus, where thousands of
scenes say some dozens of them: what was broken into lines or arranged once is not done again. In the other half their words were never seen: the
letters of every phrase are others, its lengths and closed values are not. A round's figure is the median of its scenes. Seconds are the core's own
(`process_time`): a core that others use as well is not slower.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
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
    outcomes = {name: (Outcome("contents that come back", ""), Outcome("words never seen", "")) for name in names}
    for number in range(rounds):  # families take turns, so that a busy moment hits all of them
        for name in names:
            for words, outcome in zip((0, number + 1), outcomes[name], strict=True):
                taken = _round(case.every(name), number * styles, styles, words)
                outcome.seconds.append(statistics.median(taken))
    contests = [
        contest.report({"family": name, "cases": len(case.every(name))}, "scenes/s", outcomes[name], 1.0)
        for name in names
    ]
    return {
        "benchmark": "compile",
        **facts,
        "note": f"{styles} styles a case and round, none twice until all {len(_looks())} were drawn; a figure is the median of a round's scenes",
        "rounds": rounds,
        "contests": contests,
    }


def _round(cases: Sequence[Any], start: int, count: int, words: int = 0) -> list[float]:
    """Seconds of each scene: every case in `count` styles from `start` on. `words`: which other letters its phrases have, 0 for its own."""
    from experiments import compiler

    looks = _looks()
    taken = []
    for one in cases:
        for number in range(start, start + count):
            scene = one.scene(looks[number * STRIDE % len(looks)])
            content = _reworded(one.content, words * count + number - start) if words else one.content
            begun = time.process_time()
            try:
                compiler.compile(scene, content)
            except compiler.CompileError:
                if not words:
                    raise
                continue  # other letters are wider: a content that has no room for them is no picture
            taken.append(time.process_time() - begun)
    return taken


def _reworded(content: Any, turn: int) -> Any:
    """A content with other letters in all of its phrases, as many as there were; single words may be values of closed lists, or names."""
    if isinstance(content, Mapping):
        return {key: _reworded(part, turn) for key, part in content.items()}
    if isinstance(content, list | tuple):
        return [_reworded(part, turn) for part in content]
    if not isinstance(content, str) or " " not in content.strip():
        return content
    return "".join(_letter(sign, turn + place) for place, sign in enumerate(content))


def _letter(sign: str, turn: int) -> str:
    first = "a" if sign.islower() else "A"
    return chr(ord(first) + (ord(sign) - ord(first) + turn) % 26) if sign.isascii() and sign.isalpha() else sign


STRIDE = 67  # shares no factor with the number of looks: neighbours differ in everything


def _looks() -> Sequence[Any]:
    from experiments.sweep import LOOKS

    return LOOKS
