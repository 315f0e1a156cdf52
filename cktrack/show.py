"""What the command line prints: tables for people. Nothing is computed here, and nothing is judged."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from rich.table import Table

from cktrack import arena, table
from cktrack.console import Console
from promotion import Event
from promotion.report import rows

HEADLINE = ("exact", "renderable", "materialized", "truncation")
COLOURS = {"PASS": "green", "FAIL": "red", "ERROR": "red", "INCONCLUSIVE": "yellow", "NOT_RUN": "yellow"}
PARTS = 4  # parts of a gate that are shown when they do not pass (--json has all)


def document(value: object) -> None:
    """One JSON document on standard output."""
    print(json.dumps(value, indent=1, allow_nan=False, default=str))


def scores(numbers: Mapping[str, float], title: str) -> None:
    """The headline metrics by scope, with the number of cases and the lower end of exact's interval."""
    table = Table(title=title, box=None, pad_edge=False)
    for heading in ("", *HEADLINE, "exact >=", "cases"):
        table.add_column(heading, no_wrap=not heading)
    scopes = {k.partition(".")[2] for k in numbers if k == "exact" or k.startswith("exact.")}
    for scope in sorted(scopes, key=lambda s: (s != "", s)):
        end = f".{scope}" if scope else ""
        cells = [f"{numbers[m + end]:.3f}" if m + end in numbers else "-" for m in (*HEADLINE, "exact_low")]
        table.add_row(scope or "all", *cells, f"{numbers.get(f'cases{end}', 0):.0f}")
    Console().print(table)


def advice(numbers: Mapping[str, float], autopsy: Mapping[str, Any] | None) -> None:
    """Constrained and repaired beside raw, the risk probes, and the next action."""
    out = Console(highlight=False, soft_wrap=True)
    beside = [
        f"{name} {numbers[f'{name}.exact']:.3f}{_sample(numbers, name)}" if f"{name}.exact" in numbers else f"{name} -"
        for name in ("constrained", "repaired")
    ]
    risks = [f"{name[5:]} {value:.3f}" for name, value in sorted(numbers.items()) if name.startswith("risk.")]
    out.print(
        f"exact, raw {numbers.get('exact', 0.0):.3f}, {', '.join(beside)}"
        + (f"; risks: {', '.join(risks)}" if risks else "")
    )
    if autopsy:
        classes = [line["name"] for line in autopsy["classes"] if line["found"]]
        out.print(f"failure classes: {', '.join(classes) or 'none'}\nnext: {autopsy['action']['action']}")


def _sample(numbers: Mapping[str, float], name: str) -> str:
    """The interval of a column's exact rate and how many were asked for it, where they are a sample of those that it changes."""
    asked, n, cases = (numbers.get(key) for key in (f"{name}.asked", f"{name}.n", "cases"))
    if asked is None or not n or not cases or n >= cases:
        return ""
    low, high = numbers[f"{name}.exact_low"], numbers[f"{name}.exact_high"]
    return f" ({low:.3f}-{high:.3f}, a sample of {asked:.0f} asked)"


def asked(result: Mapping[str, Any], title: str) -> None:
    """What `cktrack ask` measured, a line for each precision."""
    table = Table(title=title, box=None, pad_edge=False)
    for heading in (
        "weights",
        "exact",
        "renderable",
        "materialized",
        "truncated",
        "answers changed",
        "max |dlogit|",
        "tokens/s",
    ):
        table.add_column(heading, no_wrap=True)
    for line in result["precisions"]:
        changed, logit = line["answers_changed"], line["logit_difference"]
        cells = [str(line[m]) for m in ("exact", "renderable", "materialized", "truncated")]
        cells += ["-" if changed is None else str(changed), "-" if logit is None else f"{logit:.4f}"]
        table.add_row(line["precision"], *cells, f"{line['tokens'] / line['seconds']:,.0f}")
    Console().print(table)


def verdicts(event: Event) -> None:
    """Every gate with its numbers, why it blocks if it does, and the event in a sentence."""
    table = Table("gate", "value", "n", "n eff", "bound", "asked", "verdict", box=None, pad_edge=False)
    for row in _brief(rows(event.verdicts)):
        cells = [
            "-" if row[h] is None else f"{row[h]:.4f}" if isinstance(row[h], float) else str(row[h])
            for h in ("value", "n", "n_eff", "lower bound")
        ]
        asked = "-" if row["threshold"] is None else str(row["threshold"])
        table.add_row(row["gate"], *cells, asked, f"[{COLOURS.get(row['verdict'], 'dim')}]{row['verdict']}")
    out = Console()
    out.print(table)
    for verdict in event.verdicts:
        if verdict.blocks:
            rule = verdict.rule.splitlines()[0]
            out.print(f"[red]{verdict.gate}[/red]: {verdict.why}. The rule: {rule}", highlight=False, soft_wrap=True)
    out.print(event.sentence, highlight=False, soft_wrap=True)


def _brief(table: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every gate, every threshold, and of other parts the first that do not pass."""
    kept: list[dict[str, Any]] = []
    shown: dict[str, int] = {}
    for row in table:
        gate, _, part = row["gate"].partition(":")
        shown[gate] = shown.get(gate, 0) + bool(part and row["verdict"] != "PASS")
        if not part or gate == "thresholds" or (row["verdict"] != "PASS" and shown[gate] <= PARTS):
            kept.append(row)
    return kept


def parity(report: Mapping[str, Any], title: str) -> None:
    table = Table("check", "against", "worst", "in", "bound", "status", title=title, box=None, pad_edge=False)
    for c in report["checks"]:
        value, where = (f"{c['value']:.2e}", c["worst"]) if c["value"] is not None else ("not measured", c["why"])
        table.add_row(c["check"], c["against"], value, where, f"{c['bound']:.0e}", c["status"])
    Console().print(table)


def plan(made: Mapping[str, Any], title: str) -> None:
    """Bytes by role, the biggest tensors, and what the plan comes to."""
    out, roles = Console(), Table("tensors", box=None, pad_edge=False)
    roles.add_column("bytes", justify="right")
    for role, size in arena.totals(made).items():
        roles.add_row(role, arena.megabytes(size))
    most = Table("biggest", "shape", box=None, pad_edge=False)
    most.add_column("bytes", justify="right")
    most.add_column("alive")
    for slot in arena.biggest(made):
        life = "always" if slot["first"] is None else f"groups {slot['first']} to {slot['last']}"
        most.add_row(slot["name"], "x".join(map(str, slot["shape"])), arena.megabytes(slot["bytes"]), life)
    out.print(f"memory of a training step of {title}: {arena.headline(made)}", highlight=False, soft_wrap=True)
    out.print(roles)
    out.print(most)
    for name, words in arena.figures(made).items():
        out.print(f"{name}: {words}", highlight=False, soft_wrap=True)


def bits(told: Mapping[str, Any]) -> None:
    """The beginning of every hash, way by way, and whether they agree."""
    out, rows = Console(), Table(box=None, pad_edge=False)
    for heading in ("way", "weights", "optimizer", "metrics", "seconds", ""):
        rows.add_column(heading, no_wrap=True)
    for line in told["ways"]:
        cells = [line[k][:8] for k in ("weights", "optimizer", "metrics")]
        rows.add_row(
            line["way"], *cells, f"{line['seconds']:.1f}", "equal" if line["equal"] else "[red]DIFFERENT[/red]"
        )
    out.print(rows)
    kills = told["kills"]
    moments = ", ".join(f"{count} {word}" for word, count in sorted(kills["moments"].items()))
    out.print(
        f"{told['rung']}, {told['steps']} steps; killed {kills['done']} times in {kills['trainings']} trainings"
        + (f": {moments}" if moments else ""),
        highlight=False,
        soft_wrap=True,
    )


def bench(result: Mapping[str, Any]) -> None:
    """Who was how fast, who did not run and why, and the machine."""
    out = Console()
    for title, cells in ((None, table.rows(result)), (result.get("prediction"), table.predictions(result))):
        if cells:
            shown = Table(title=title, box=None, pad_edge=False)
            for heading, cell in zip(*cells[:2], strict=True):
                side: Literal["left", "right"] = "right" if table.NUMBER.fullmatch(cell) else "left"
                shown.add_column(heading, justify=side, no_wrap=not heading)
            for row in cells[1:]:
                shown.add_row(*row)
            out.print(shown)
    said = [*table.absent(result), table.machine(result), *filter(None, [table.peaks(result), table.busy(result)])]
    said += [f"{name} {result[key]}" for key, name in (("note", "note:"), ("run_id", "logged as run")) if key in result]
    for line in said:
        out.print(line, highlight=False, soft_wrap=True)
