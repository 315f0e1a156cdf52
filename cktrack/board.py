"""The scoreboard of a run: every rate with its count and exact interval, as metrics, as rows and as the note of the run page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from experiments.probes import column, diagnosis
from experiments.run import Outcome
from experiments.split import asked
from promotion import CaseScore, Matrix, Rate, measure
from promotion import metrics as measures

NOTE_LIMIT = 7900  # characters of a run's note that every store keeps
GATES = "\n## Gates\n\n"
HEADLINE = ("exact", "renderable", "materialized", "truncation")


def rates(matrix: Matrix) -> dict[str, dict[str, Rate]]:
    """scope -> metric -> rate; scopes are all, held_out, ood, split/X and family/X, and layout/X where a family has several."""
    asks = measures()
    return measure(matrix) | {
        f"layout/{name}": {metric: ask(rows) for metric, ask in asks.items()} for name, rows in _layouts(matrix).items()
    }


def _layouts(matrix: Matrix) -> dict[str, list[CaseScore]]:
    """The rows of each layout that prompts ask for, of families that have more than one."""
    asking = [(row, name) for row in matrix.rows if (name := asked(row.prompt).get("layout"))]
    own = {family: {name for row, name in asking if row.family == family} for family in matrix.families()}
    found: dict[str, list[CaseScore]] = {}
    for row, name in sorted(asking, key=lambda pair: pair[1]):
        if len(own.get(row.family, ())) > 1:
            found.setdefault(name, []).append(row)
    return found


def metrics(board: Mapping[str, Mapping[str, Rate]]) -> dict[str, float]:
    """Flat metric names: `exact`, `exact.split.unseen_target`, `exact.family.timeline`, `exact.layout.badge`; `exact_low` is the lower end of the
    95 % interval, `cases` the count. The stage metrics only over everything, held-out and out-of-distribution cases."""
    found: dict[str, float] = {}
    for scope, row in board.items():
        where = "" if scope == "all" else "." + scope.replace("/", ".")
        shown = {
            n: r
            for n, r in row.items()
            if r.value is not None and (n in HEADLINE or scope in ("all", "held_out", "ood"))
        }
        found |= {
            f"{name}{where}": float(rate.k / rate.n) for name, rate in shown.items()
        }  # a rate without cases has no number
        if "exact" in shown:
            found |= {f"exact_low{where}": shown["exact"].interval[0], f"cases{where}": float(shown["exact"].n)}
    return found


def rows(board: Mapping[str, Mapping[str, Rate]]) -> list[dict]:
    """One row per scope and metric, for a table artifact."""
    return [
        {
            "scope": scope, "metric": name, "value": r.value, "k": r.k, "n": r.n, "n_effective": r.n_effective,
            "low": r.interval[0], "high": r.interval[1], "confidence": 1 - r.alpha,
        }
        for scope, row in board.items()
        for name, r in row.items()
    ]  # fmt: skip


def percent(rate: Rate) -> str:
    """Value, count and exact two-sided 95 % interval: `100.0 % of 320 (98.9-100.0)`."""
    if rate.value is None:
        return "not asked"
    low, high = rate.interval
    return f"{rate.value:.1%} of {rate.n} ({low:.1%}-{high:.1%})"


def table(board: Mapping[str, Mapping[str, Rate]], names: Sequence[str] = HEADLINE) -> list[str]:
    """Markdown lines: scopes down, headline metrics across."""
    lines = ["| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    return lines + [f"| {scope} | " + " | ".join(percent(row[n]) for n in names) + " |" for scope, row in board.items()]


def note(outcome: Outcome, board: Mapping[str, Mapping[str, Rate]], label: str, hypothesis: str) -> str:
    """The text of the run page."""
    failures = Counter(o.failure for o in outcome.outputs)
    misses = ", ".join(f"{n} {k}" for k, n in failures.most_common() if k != "exact") or "none"
    splits = list(outcome.contract["splits"])
    lines = [
        f"# {label}",
        "",
        hypothesis,
        "",
        "Raw outputs, scored as they came. 95 % exact intervals in parentheses.",
        "",
    ]
    lines += [
        *table(board),
        "",
        f"Misses by class: {misses}.",
        "",
        *column.table(outcome.outputs),
        "",
        *_advice(outcome),
        "",
        "## Baselines (exact)",
        "",
        "| | " + " | ".join(splits) + " |",
    ]
    lines += ["|---" * (len(splits) + 1) + "|"]
    for name, cells in outcome.baselines.items():
        lines.append(f"| {name} | " + " | ".join(f"{cells[s]['k'] / cells[s]['n']:.1%}" for s in splits) + " |")
    parity = outcome.parity
    checks = [
        f"{c['check']} against {c['against']}: "
        + (f"{c['value']:.1e}" if c["value"] is not None else f"not measured ({c['why']})")
        for c in parity["checks"]
    ]
    lines += [
        "",
        "## Proofs",
        "",
        f"Parity of {parity['precision']} {'passed' if parity['passed'] else 'FAILED'}{' (cached)' if parity['cached'] else ''}, "
        f"bound {parity['checks'][0]['bound']:g}.",
    ]
    lines += [f"- {c}" for c in checks]
    lines += [
        f"- split {c['split']}: {c['overlaps']} of {c['compared']} cases ({c['distinct']} different) have a trained {c['holds_out']}"
        for c in outcome.proof["claims"]
    ]
    m = outcome.measures
    lines += ["", f"{m['processed_tokens']:,.0f} processed tokens, {m['training_seconds']:.0f} s of training."]
    return "\n".join(lines) + "\n"


def _advice(outcome: Outcome) -> list[str]:
    """What is wrong, by the failure matrix, and the one action that is suggested."""
    found = diagnosis.facts(outcome.contract, outcome.outputs, outcome.measures)
    classes = [line.name for line in diagnosis.autopsy(found) if line.found] or ["none"]
    action = diagnosis.suggest(found)
    risks = [f"{name[5:]} {value:.1%}" for name, value in outcome.measures.items() if name.startswith("risk.")]
    lines = [
        f"Classes of the failure matrix: {', '.join(classes)}.",
        "",
        f"Next: {action.action} ({action.symptom}: {action.cause}).",
    ]
    return [*lines, "", f"Risk probes passed: {', '.join(risks)}."] if risks else lines


def with_gates(text: str, gates: str) -> str:
    """A run's note with the verdict of its promotion at the end, in place of an earlier one. The scoreboard gives way if room is short."""
    gates = gates[: NOTE_LIMIT // 2]
    return text.partition(GATES)[0][: NOTE_LIMIT - len(GATES) - len(gates)] + GATES + gates
