"""The gate table: rows for a machine and markdown for a run page. Deliberately no terminal colours and no file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from promotion.event import Event
from promotion.verdict import Verdict, ceiling, floor

HEADINGS = ("gate", "value", "n", "n_eff", "lower bound", "threshold", "verdict", "why")


def rows(verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    """One row per gate, and below it one per part (a threshold, a family, a split). Absent numbers are null."""
    return [row(verdict) for whole in verdicts for verdict in (whole, *whole.parts)]


def row(verdict: Verdict) -> dict[str, Any]:
    """One verdict under the table's headings; a gate that did not apply says `not applicable`."""
    asked = " on ".join(filter(None, (verdict.metric, verdict.scope)))
    name = f"{verdict.gate}: {asked}" if asked else verdict.gate
    status = str(verdict.status) if verdict.applies else "not applicable"
    numbers = (verdict.value, verdict.n, verdict.n_effective, verdict.lower_bound, verdict.threshold)
    return dict(zip(HEADINGS, (name, *numbers, status, verdict.why), strict=True))


def markdown(event: Event, parts: bool = True) -> str:
    """An event as a page: its sentence, the table (with the parts of each gate, or without), and the rule of every gate that blocks."""
    head = f"**{event.sentence}**\n\n"
    blocking = [v for v in event.verdicts if v.blocks]
    rules = "".join(f"- `{v.gate}` {v.status}: {v.rule}\n" for v in blocking)
    return head + table(event.verdicts, parts) + (f"\nWhat the blocking gates demand:\n\n{rules}" if rules else "")


def table(verdicts: Sequence[Verdict], parts: bool = True) -> str:
    """The gate table as markdown; an absent number is a dash. A paired row shows its bound on the loss, marked so."""
    lines = ["| " + " | ".join(HEADINGS) + " |", "| --- " * len(HEADINGS) + "|"]
    for verdict in (v for whole in verdicts for v in (whole, *(whole.parts if parts else ()))):
        cells = row(verdict)
        cells["value"] = "-" if verdict.value is None else f"{verdict.value:.4f}"
        cells["lower bound"], cells["threshold"] = bounds(verdict)
        lines.append("| " + " | ".join(cell(value) for value in cells.values()) + " |")
    return "\n".join(lines) + "\n"


def bounds(verdict: Verdict) -> tuple[str, str]:
    """Bound and threshold as printed: a rate's lower bound, or the upper bound of a paired loss and its margin."""
    if verdict.regressed is not None and verdict.upper_bound is not None:
        return f"loss ≤ {ceiling(verdict.upper_bound)}", f"loss ≤ {verdict.threshold}"
    low = "-" if verdict.lower_bound is None else floor(verdict.lower_bound)
    return low, "-" if verdict.threshold is None else f"{verdict.threshold}"


def cell(value: Any) -> str:
    """Text that cannot leave its cell: no pipe, no line break."""
    return "-" if value is None else str(value).replace("|", "\\|").replace("\n", " ")
