"""The columns beside raw: the same case constrained and repaired, scored alike, and what all of them add up to.

Raw is what a run is judged and promoted on. `constrained` says what the mask makes of the same model, `repaired` what listed steps
make of the same text; both are logged as metrics of their own and gate nothing. Also here: the flaws of raw outputs as rates, and
whether the expected outputs still compile to their pictures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.probes import flaw
from experiments.probes.constrain import Guided
from experiments.probes.repair import repair
from experiments.probes.score import Score, score

NAMES = ("constrained", "repaired")
COUNTED = ("exact", "renderable", "materialized", "truncated")


@dataclass(frozen=True)
class Column:
    """One case in one column. `text` is None where it is the raw one; `steps` of a repair, `turned` tokens of a mask."""

    text: str | None
    stop: str
    score: Score
    steps: tuple[str, ...] = ()
    turned: int = 0

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


def measures(contract: dict, outputs: Sequence[Any]) -> dict[str, float]:
    """Metrics of scored outputs (`session.Output`): `constrained.exact` and the like over the cases that have the column (`.n`: how many);
    `FLAW_rate`; `gold_asset_parity_score`, the share of different expected outputs whose text compiles to the picture of the scene that was meant.
    """
    found: dict[str, float] = {}
    for name in NAMES:
        mine = [o.columns[name] for o in outputs if name in o.columns]
        if mine:
            for counted in COUNTED:
                held = sum(getattr(one.score, counted) for one in mine)
                found[f"{name}.{'truncation' if counted == 'truncated' else counted}"] = held / len(mine)
            found[f"{name}.changed"] = sum(one.text is not None for one in mine) / len(mine)
            found[f"{name}.n"] = float(len(mine))
    flaws = Counter(f for o in outputs for f in flaw.flaws(contract["surface"], o.raw, o.stop, contract["prompt_only"]))
    found |= {f"{name}_rate": flaws[name] / max(1, len(outputs)) for name in flaw.FLAWS}
    gold = {case["expected"]: case for case in contract["cases"]}
    drawn = [score(contract, case, text, "eos").materialized for text, case in gold.items()]
    return found | {"gold_asset_parity_score": sum(drawn) / len(drawn)}


def table(outputs: Sequence[Any]) -> list[str]:
    """Markdown lines: raw, constrained and repaired side by side; `-` for what was not measured, and how many cases a sample has."""
    lines = [
        "| | " + " | ".join(("exact", "renderable", "materialized", "truncation", "changed")) + " |",
        "|---" * 6 + "|",
    ]
    for name in ("raw", *NAMES):
        mine = [o.columns[name] for o in outputs if name in o.columns]
        scores = [o.score for o in outputs] if name == "raw" else [one.score for one in mine]
        if not scores:
            lines.append(f"| {name} |" + " - |" * 5)
            continue
        cells = [f"{sum(getattr(s, c) for s in scores) / len(scores):.1%}" for c in COUNTED]
        changed = "" if name == "raw" else str(sum(one.text is not None for one in mine))
        right = sum(o.score.exact for o in outputs if name in o.columns)
        sample = (
            f" (a sample of {len(scores)} of {len(outputs)} cases, raw exact {right})"
            if len(scores) < len(outputs)
            else ""
        )
        lines.append(f"| {name}{sample} | " + " | ".join([*cells, changed]) + " |")
    return lines
