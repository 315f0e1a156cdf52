"""How an output is scored where nothing is known but the expected text, and what of a split was in the training rows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from experiments.corpus import Row
from experiments.split import fold

CLOSING = re.compile(r"(?:\[/[^\s\[\]]+\]|</[^\s<>]+>)\Z")  # at the end of a text
METRICS = ("exact", "first_block_exact", "truncation")


def score(expected: str, raw: str, stop: str) -> dict[str, bool]:
    """The metrics of one raw output that ended for the reason `stop`: eos, budget or context. White space is folded."""
    text, wanted = fold(raw), fold(expected)
    return {
        "exact": stop == "eos" and text == wanted,
        "first_block_exact": first_block(text, wanted) == wanted,
        "truncation": stop in ("budget", "context"),
    }


def first_block(text: str, wanted: str) -> str:
    """`text` up to the closing tag that ends `wanted`, at its place among equal ones there (`[a] [/a] [a] [/a]` ends with the second);
    the whole text if `wanted` ends with none, or `text` holds fewer.
    """
    last = CLOSING.search(wanted)
    if not last:
        return text
    closings = wanted.count(last[0])
    parts = text.split(last[0], closings)
    return last[0].join([*parts[:closings], ""]) if len(parts) > closings else text


def leaked(training: Mapping[str, Sequence[Row]], cases: Sequence[Mapping[str, str]]) -> dict[str, dict[str, int]]:
    """Split -> how many of its cases have their prompt, their target, or both in one row, among the training rows."""
    rows = [(fold(r.prompt), fold(r.output)) for found in training.values() for r in found]
    prompts, targets, both = {p for p, _ in rows}, {t for _, t in rows}, set(rows)
    table: dict[str, dict[str, int]] = {}
    for case in cases:
        prompt, target = fold(case["prompt"]), fold(case["expected"])
        cell = table.setdefault(case["split"], {"prompt": 0, "target": 0, "row": 0})
        cell["prompt"] += prompt in prompts
        cell["target"] += target in targets
        cell["row"] += (prompt, target) in both
    return table
