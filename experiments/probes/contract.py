"""The probe contract: the frozen, hashed list of prompts with expected outputs that scores every rung of a spec.

Plain data that holds all it takes to score an output again: prompts, expected texts, the content each scene is drawn with, the hash
of the expected picture. It depends on the spec and its seed, never on a rung, so that rungs and champions are scored alike.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from experiments import case as library
from experiments import compiler
from experiments.corpus import Row, probe_rows
from experiments.ladder import digest
from experiments.pools import Pools
from experiments.spec import Spec
from experiments.split import Claim

BUDGET = 1.5  # new tokens allowed: this times the longest expected output, plus MARGIN
MARGIN = 16
TAG_NAME = re.compile(r"\[/?([A-Za-z][A-Za-z0-9_]*)")


def build(spec: Spec, targets: Pools, seed: int = 42) -> dict:
    """The contract of a spec. Every expected picture is compiled once, from the scene that is meant and not from its text: what cannot be
    drawn cannot be asked for, and a text that says another scene is seen when it is scored.
    """
    rows = probe_rows(spec, targets, seed)
    pools = (targets.trained, targets.unseen, targets.recombined, targets.apart)
    scenes = {(t.family, t.case, t.text): t.scene for pool in pools for t in pool}
    contents = {(r.family, r.case): dict(library.content(r.family, r.case)) for r in rows}
    return {
        "contract": spec.name,
        "surface": spec.surface,
        "prompt_only": prompt_only(rows),
        "seed": seed,
        "decode": {"temperature": 0.0, "budget_ratio": BUDGET, "budget_margin": MARGIN},
        "splits": {
            n: {"kind": s.kind, "holds_out": list(s.holds_out), "combination": list(s.combination)}
            for n, s in spec.splits.items()
        },
        "contents": {f"{family}/{case}": content for (family, case), content in sorted(contents.items())},
        "cases": [
            _case(
                number,
                row,
                compiler.compile(scenes[row.family, row.case, row.output], contents[row.family, row.case]).svg,
            )
            for number, row in enumerate(rows, 1)
        ],
    }


def prompt_only(rows: Sequence[Row]) -> list[str]:
    """The names of tags that prompts have and no expected output has."""
    asked, said = ({name for r in rows for name in TAG_NAME.findall(getattr(r, side))} for side in ("prompt", "output"))
    told = {name for r in rows for name in TAG_NAME.findall(r.brief)}
    return sorted((asked | told | {"OUT", "edit", "task"}) - said)


def _case(number: int, row: Row, svg: str) -> dict:
    return {
        "id": f"{row.split}-{number:04d}",
        "split": row.split,
        "surface": row.surface,
        "family": row.family,
        "form": row.form,
        "case": row.case,
        "prompt": row.prompt,
        "expected": row.output,
        "svg_sha256": hashlib.sha256(compiler.canonical(svg).encode()).hexdigest(),
        **({"brief": row.brief} if row.brief else {}),
    }


def sha256(contract: dict) -> str:
    return digest(contract)


def claims(contract: dict) -> list[Claim]:
    """What each split of a contract claims to hold out, for `split.prove`."""
    return [
        Claim(
            name,
            "prompt" in s["holds_out"],
            "target" in s["holds_out"],
            tuple(s["combination"]),
            "structure" in s["holds_out"],
        )
        for name, s in contract["splits"].items()
        if s["holds_out"]
    ]


def content_of(contract: dict, case: dict) -> dict:
    return contract["contents"][f"{case['family']}/{case['case']}"]


def budget(contract: dict, expected_tokens: Sequence[int]) -> int:
    """New tokens that decoding may use."""
    return int(max(expected_tokens) * contract["decode"]["budget_ratio"]) + contract["decode"]["budget_margin"]
