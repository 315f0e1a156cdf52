"""The columns beside raw: the same case constrained and repaired, scored alike, and what all of them add up to.

Raw is what a run is judged and promoted on. `constrained` says what the mask makes of the same model, `repaired` what listed steps
make of the same text; both are logged as metrics of their own and gate nothing. Also here: the flaws of raw outputs as rates, and
whether the expected outputs still compile to their pictures.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import Any

from experiments.probes import flaw
from experiments.probes.constrain import Guided
from experiments.probes.repair import repair
from experiments.probes.score import Score, score

NAMES = ("constrained", "repaired")
COUNTED = ("exact", "renderable", "materialized", "truncated")
SIDES = 40  # each side of a two-sided 95 % interval leaves out one in so many


@dataclass(frozen=True)
class Column:
    """One case in one column. `text` is None where it is the raw one; `steps` of a repair, `turned` tokens of a mask."""

    text: str | None
    stop: str
    score: Score
    steps: tuple[str, ...] = ()
    turned: int = 0

    @property
    def changed(self) -> bool:
        """Whether it was repaired or asked again."""
        return self.text is not None

    def as_dict(self) -> dict[str, Any]:
        """What is kept; scores are computed anew from it."""
        return {
            "text": self.text,
            "stop": self.stop,
            "steps": list(self.steps),
            "turned": self.turned,
            "exact": self.score.exact,
        }


def repaired(contract: dict, case: dict, raw: str, stop: str, scored: Score) -> Column:
    """The repaired column. What was repaired has ended, whatever ended the raw text."""
    found = repair(contract["surface"], raw, stop)
    if not found.steps:
        return Column(None, stop, scored)
    return Column(found.text, "eos", score(contract, case, found.text, "eos"), found.steps)


def constrained(contract: dict, case: dict, guided: Guided, scored: Score) -> Column:
    if not guided.asked:
        return Column(None, guided.stop, scored)
    return Column(guided.raw, guided.stop, score(contract, case, guided.raw, guided.stop), turned=guided.turned)


def again(contract: dict, case: dict, kept: Mapping[str, Any], raw: str, scored: Score) -> Column:
    """A column from what was kept of it, scored again."""
    text = kept["text"]
    found = scored if text is None else score(contract, case, text, kept["stop"])
    return Column(text, kept["stop"], found, tuple(kept["steps"]), kept["turned"])


def standing(outputs: Sequence[Any], name: str) -> list[tuple[Any, float]]:
    """The outputs that have a column, each with how many it stands for: one, and those that were changed also for the others that would have been,
    where a sample of them was asked. Together they stand for all outputs.
    """
    mine = [o for o in outputs if name in o.columns]
    changed = sum(o.columns[name].changed for o in mine)
    times = 1 + (len(outputs) - len(mine)) / changed if changed else 1.0
    return [(o, times if o.columns[name].changed else 1.0) for o in mine]


def interval(outputs: Sequence[Any], name: str, counted: str) -> tuple[float, float]:
    """What the sample of a column leaves open about a rate of these outputs, at 95 %. Those that stood as they were are known; those that were
    changed are drawn from all that would have been. Where all of these were asked, both ends are the rate.
    """
    mine = [o.columns[name] for o in outputs if name in o.columns]
    asked = [c for c in mine if c.changed]
    off, held = len(asked) + len(outputs) - len(mine), sum(getattr(c.score, counted) for c in asked)
    known = sum(getattr(c.score, counted) for c in mine) - held
    most = off - fewest(len(asked) - held, len(asked), off)
    return (known + fewest(held, len(asked), off)) / len(outputs), (known + most) / len(outputs)


def fewest(held: int, asked: int, off: int) -> int:
    """How many of `off` hold at least, where `asked` of them were drawn and `held` of these do: the lower end of the exact two-sided 95 % interval of
    draws that are not put back, so that nothing is left open where all were drawn.
    """

    def is_likely(total: int) -> bool:
        """Whether so many of the drawn ones, or more, hold in one of SIDES draws, if `total` of all do."""
        ways = sum(comb(total, k) * comb(off - total, asked - k) for k in range(held, asked + 1))
        return ways * SIDES > comb(off, asked)

    possible = range(held, off - (asked - held) + 1)
    return possible[bisect_left(possible, True, key=is_likely)]


def measures(contract: dict, outputs: Sequence[Any]) -> dict[str, float]:
    """Metrics of scored outputs (`session.Output`): `constrained.exact` and the like (`.n`: how many cases were looked at for them; `.asked`: how
    many of these were asked under the mask, `_low` and `_high`: what that leaves open); `FLAW_rate`; `gold_asset_parity_score`, the share of
    different expected outputs whose text compiles to the picture of the scene that was meant.
    """
    found: dict[str, float] = {}
    for name in NAMES:
        mine = standing(outputs, name)
        if mine:
            for counted in COUNTED:
                held = sum(times * getattr(o.columns[name].score, counted) for o, times in mine)
                metric = f"{name}.{'truncation' if counted == 'truncated' else counted}"
                found[metric] = held / len(outputs)
                if name == "constrained":
                    found[f"{metric}_low"], found[f"{metric}_high"] = interval(outputs, name, counted)
            found[f"{name}.changed"] = sum(times * o.columns[name].changed for o, times in mine) / len(outputs)
            found[f"{name}.n"] = float(len(mine))
            if name == "constrained":
                found["constrained.asked"] = float(sum(o.columns[name].changed for o, _ in mine))
    flaws = Counter(f for o in outputs for f in flaw.flaws(contract["surface"], o.raw, o.stop, contract["prompt_only"]))
    found |= {f"{name}_rate": flaws[name] / max(1, len(outputs)) for name in flaw.FLAWS}
    gold = {case["expected"]: case for case in contract["cases"]}
    drawn = [score(contract, case, text, "eos").materialized for text, case in gold.items()]
    return found | {"gold_asset_parity_score": sum(drawn) / len(drawn)}


def table(outputs: Sequence[Any]) -> list[str]:
    """Markdown lines: raw, constrained and repaired side by side; `-` for what was not measured. Where a sample was asked, of how many it is, and the
    interval of each rate.
    """
    lines = [
        "| | " + " | ".join(("exact", "renderable", "materialized", "truncation", "changed")) + " |",
        "|---" * 6 + "|",
    ]
    for name in ("raw", *NAMES):
        mine = standing(outputs, name)
        scores = [(o.score, 1.0) for o in outputs] if name == "raw" else [(o.columns[name].score, t) for o, t in mine]
        if not scores:
            lines.append(f"| {name} |" + " - |" * 5)
            continue
        cells = [f"{sum(times * getattr(s, c) for s, times in scores) / len(outputs):.1%}" for c in COUNTED]
        changed = sum(o.columns[name].changed for o, _ in mine)
        off, sample = changed + len(outputs) - len(mine), ""
        if name != "raw" and off > changed:
            sample = f" (asked: a sample of {changed} of {off} outputs off the grammar)"
            ends = [interval(outputs, name, c) for c in COUNTED]
            cells = [f"{cell} ({low:.1%}-{high:.1%})" for cell, (low, high) in zip(cells, ends, strict=True)]
        lines.append(f"| {name}{sample} | " + " | ".join([*cells, "" if name == "raw" else str(changed)]) + " |")
    return lines
