"""How rungs stand: ours beside what was published, as data, as a table on the terminal, and as the note of a run page.

Everything is read from what the rungs' runs logged; nothing is measured here. What was not measured is null.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from cktrack import beside
from cktrack.console import Console
from experiments.probes import baseline
from promotion.statistic import interval

if TYPE_CHECKING:
    from cktrack.rung import Result
    from cktrack.store import Store
    from experiments.spec import Selected

STATUSES = ("run", "reused", "failed", "skipped")
COLOURS = {"run": "green", "reused": "green", "failed": "red", "skipped": "yellow", "broken": "red"}
HEADINGS = (
    "rung", "", "split", "exact", "95 %", "n", "renderable", "baseline", "tokens", "published", "tokens", "seconds", "reached",
)  # fmt: skip
ASKED = "unseen_target"  # the split that baselines are compared on
NOTE_LIMIT = 7900  # characters of a run's note that every store keeps


def record(store: Store, selected: Selected, status: str, why: str, result: Result | None) -> dict[str, Any]:
    """One rung of a report. `splits` and `unseen` (all of them but what is seen) hold k, n, value and the exact 95 % interval; so does
    `renderable`, of the unseen cases. `baseline` is the name and the exact rate of the best baseline on unseen targets. `published` is what
    it is held to: its own figures, or those of the rung of its spec that was published as better (`best`).
    """
    own = selected.rung.published
    published = selected.spec.rungs[own.best].published if own.best else own
    found: dict[str, Any] = {
        "rung": selected.label,
        "headline": selected.rung.headline,
        "of": selected.rung.baseline and f"{selected.spec.name}/{selected.rung.baseline}",
        "size": selected.model.config(selected.tokenizer.vocab).parameter_count(),
        "status": status,
        "why": why,
        "run_id": None,
        "experiment_id": None,
        "version": None,
        "splits": {},
        "unseen": None,
        "renderable": None,
        "baseline": None,
        "processed_tokens": None,
        "training_seconds": None,
        "published": {**published.model_dump(mode="json"), "best": own.best},
    }
    if result is not None:
        logged = store.client.get_run(result.run_id)
        metrics = logged.data.metrics
        splits = {n: _cell(metrics, "exact", n) for n in selected.spec.splits if f"cases.split.{n}" in metrics}
        names = [n for n in splits if selected.spec.splits[n].kind != "seen"]
        drawn = [_cell(metrics, "renderable", n) for n in names if f"renderable.split.{n}" in metrics]
        found |= {
            "run_id": result.run_id,
            "experiment_id": logged.info.experiment_id,
            "version": result.version,
            "splits": splits,
            "unseen": _sum([splits[n] for n in names]),
            "renderable": _sum(drawn) if len(drawn) == len(names) else None,
            "baseline": _best_baseline(metrics),
            "processed_tokens": _whole(metrics.get("processed_tokens")),
            "training_seconds": metrics.get("training_seconds"),
        }
    reached, said = _reached(found)
    return {**found, "reached": reached, "reached_why": said}


def _cell(metrics: Mapping[str, float], metric: str, split: str) -> dict[str, Any]:
    n = round(metrics[f"cases.split.{split}"])
    return _rate(round(metrics[f"{metric}.split.{split}"] * n), n)


def _sum(cells: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    return _rate(sum(c["k"] for c in cells), sum(c["n"] for c in cells)) if cells else None


def _best_baseline(metrics: Mapping[str, float]) -> dict[str, Any] | None:
    """The baseline that is right most often on unseen targets, of those that learn nothing; of equal ones the first by name."""
    rates = {
        key.split(".")[1]: value
        for key, value in sorted(metrics.items())
        if re.fullmatch(rf"baseline\.\w+\.{ASKED}", key) and key.split(".")[1] not in baseline.LEARNS
    }
    return {"name": max(rates, key=rates.__getitem__), "value": max(rates.values())} if rates else None


def _rate(k: int, n: int) -> dict[str, Any]:
    low, high = interval(k, n)
    return {"k": k, "n": n, "value": k / n, "low": low, "high": high}


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def _reached(found: Mapping[str, Any]) -> tuple[bool | None, str]:
    """Whether ours is at least as exact on unseen cases as what was published overall, in no more processed tokens."""
    published, ours = found["published"], found["unseen"]
    if not published["exact"]:
        return None, "no exact rate above 0 was published"
    if ours is None:
        return None, "ours was not measured"
    below = ours["value"] < published["exact"]
    limit, spent = published["processed_tokens"], found["processed_tokens"]
    over = limit is not None and spent is not None and spent > limit
    said = [f"exact {ours['value']:.3f} is below {published['exact']:.3f}"] * below
    said += [f"{spent:,} processed tokens are more than {limit or 0:,}"] * over
    if said:
        return False, "; ".join(said)
    return True, "" if limit is not None else "by exact alone: no processed tokens were published"


def report(records: Sequence[Mapping[str, Any]], run_id: str, seconds: float) -> dict[str, Any]:
    """All rungs of one invocation, each with what the others tell of it; `run_id` of the run that groups them, null where none was needed."""
    tally = Counter(r["status"] for r in records)
    return {
        "run_id": run_id or None,
        "seconds": round(seconds, 2),
        "counts": {status: tally[status] for status in STATUSES},
        "rungs": [{**r, "beside": beside.classes(r, records)} for r in records],
    }


# ------------------------------------------------------------------------------------------------- showing


def lines(found: Mapping[str, Any], label: str) -> list[list[str]]:
    """A line for all unseen cases of a rung, then one for each split, under HEADINGS."""
    published = found["published"]
    theirs = [_three(published["exact"]), _tokens(published["processed_tokens"])]
    compared = [_three(found[name] and found[name]["value"]) for name in ("renderable", "baseline")]
    seconds = "-" if found["training_seconds"] is None else f"{found['training_seconds']:.0f}"
    reached = {True: "yes", False: f"no: {found['reached_why']}", None: "-"}[found["reached"]]
    first = [label, found["status"], "all unseen", *_shown(found["unseen"]), *compared]
    told = [[*first, _tokens(found["processed_tokens"]), *theirs, seconds, reached]]
    told += [["", "", name, *_shown(cell), *[""] * 7] for name, cell in found["splits"].items()]
    return told


def _shown(cell: Mapping[str, Any] | None) -> list[str]:
    return (
        ["-"] * 3 if cell is None else [f"{cell['value']:.3f}", f"{cell['low']:.3f}-{cell['high']:.3f}", str(cell["n"])]
    )


def _three(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _tokens(count: int | None) -> str:
    return "-" if count is None else f"{count / 1e6:.2f} M"


def show(found: Mapping[str, Any]) -> None:
    """The report on standard output: what stands, or what would run and why; then why rungs failed."""
    out = Console()
    rungs = found["rungs"]
    if "counts" not in found:
        table = Table("rung", "", "why", box=None, pad_edge=False)
        for r in rungs:
            table.add_row(r["rung"], r["state"], escape(r["why"]))
        out.print(table)
        return
    table = Table(box=None, pad_edge=False)
    for heading in HEADINGS:
        table.add_column(heading, no_wrap=heading not in ("reached",))
    for r in rungs:
        for line in lines(r, r["rung"]):
            status = f"[{COLOURS[line[1]]}]{line[1]}[/]" if line[1] else ""
            table.add_row(line[0], status, *map(escape, line[2:]))
    out.print(table)
    for r in rungs:
        if r["status"] in ("failed", "skipped"):
            out.print(f"[red]{r['rung']}[/red] {r['status']}: {escape(r['why'])}", highlight=False, soft_wrap=True)
    for told in _beside(rungs):
        out.print(escape(told), highlight=False, soft_wrap=True)
    counts = ", ".join(f"{n} {status}" for status, n in found["counts"].items() if n)
    group = f"; run {found['run_id']} groups them" if found["run_id"] else "; nothing was left to run"
    out.print(f"{counts} in {found['seconds']:.0f} s{group}", highlight=False, soft_wrap=True)


def note(found: Mapping[str, Any]) -> str:
    """The text of the run page that groups the rungs: a line and a link for each, what was missed or failed and why, then every split."""
    summary, splits, reasons = [], [], []
    for r in found["rungs"]:
        link = f"[{r['rung']}](#/experiments/{r['experiment_id']}/runs/{r['run_id']})" if r["run_id"] else r["rung"]
        first, *rest = lines(r, link)
        reached = {True: "yes", False: "no", None: "-"}[r["reached"]]
        summary.append([link, r["status"], first[3], *first[5:11], reached])
        splits += [[r["rung"], *line[2:6]] for line in rest]
        why = r["why"] if r["status"] in ("failed", "skipped") else r["reached_why"] if r["reached"] is False else ""
        reasons += [f"- {r['rung']}: {why[:300]}"] if why else []
    reasons += [f"- {line}" for line in _beside(found["rungs"])]
    told = _markdown(("rung", "", "exact, unseen", *HEADINGS[5:11], "reached"), summary)
    told += ["", *reasons, "", "## Splits", "", *_markdown(("rung", "split", "exact", "95 %", "n"), splits)]
    return "\n".join(told)[:NOTE_LIMIT] + "\n"


def _beside(rungs: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for each class that a rung shows beside the others."""
    return [
        f"{r['rung']}: {name.replace('_', ' ')}: {told['why']}"
        for r in rungs
        for name, told in r["beside"].items()
        if told["found"]
    ]


def _markdown(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    rule = "|---" * len(headings) + "|"
    return ["| " + " | ".join(headings) + " |", rule, *("| " + " | ".join(row) + " |" for row in rows)]
