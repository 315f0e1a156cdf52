"""`cktrack corpus run`: someone else's rows, trained and probed as one MLflow run. What that means, `experiments/userdata` knows.

No model is registered: promotion judges contracts of the ladder, and these rows belong to none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cktrack.console import Console
from cktrack.option import Json, Threads, of_run
from cktrack.show import document

if TYPE_CHECKING:
    from cktrack.store import Store
    from experiments.run import Options
    from experiments.userdata.study import Prepared

METRICS = ("exact", "first_block_exact", "truncation")
ARTIFACTS = {
    "probes": ("outputs.jsonl", "report.json", "hashes.json"),
    "evidence": ("probes.json", "parity.json"),
    "config": ("config.json",),
}
FOLDERS = ("tokenizer", "checkpoint")


app = typer.Typer(help="Rows of your own, without any compiler.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Rows of your own, without any compiler."""


@app.command("run")
def corpus_run(
    file: Annotated[Path, typer.Argument(help="YAML that names files of rows and probes")],
    threads: Threads = 0,
    json_: Json = False,
) -> None:
    """Train and probe on rows of your own as one MLflow run; the YAML's keys are in docs/corpus.md."""
    from cktrack.store import open_store
    from experiments.userdata import study

    options = of_run(threads)
    prepared = study.prepare(file, options.threads)  # a corpus that cannot be trained opens no store
    report = run_corpus(open_store(), prepared, options, Console(stderr=True))
    if json_:
        document(report)
    else:
        show(report)


def run_corpus(store: Store, prepared: Prepared, options: Options, console: Console) -> dict:
    """Train, probe and log; returns the report with intervals and the run's id."""
    from cktrack import home, machine
    from cktrack.recorder import MlflowRecorder
    from cktrack.rung import git_commit
    from cktrack.store import run
    from experiments.userdata import study

    name = prepared.manifest.name
    with run(store, f"corpus-{name}", name, {"cktrack.corpus": name, "machine.cpu": machine.cpu()}) as run_id:
        recorder, folder = MlflowRecorder(store, run_id, console), home.runs() / run_id
        try:
            recorder.params({"git.commit": git_commit()})
            report = with_intervals(study.run(prepared, folder, recorder, options)) | {"run_id": run_id}
            (folder / "report.json").write_text(json.dumps(report, indent=1, allow_nan=False) + "\n")
            publish(recorder, report, folder)
        finally:
            recorder.close()
    return report


def with_intervals(report: Mapping[str, Any]) -> dict[str, Any]:
    """The report with the exact 95 % interval of every rate."""
    from promotion.statistic import interval

    splits = {
        name: {**cell, "interval": {m: list(interval(k, cell["n"])) for m, k in cell["counts"].items()}}
        for name, cell in report["splits"].items()
    }
    return {**report, "splits": splits}


def publish(recorder: Any, report: Mapping[str, Any], folder: Path) -> None:
    """Final metrics, artifacts and the note of a finished run."""
    from cktrack.store import COMPLETE

    final: dict[str, float] = {k: report[k] for k in ("processed_tokens", "training_seconds", "seconds")}
    for name, cell in report["splits"].items():
        final |= {f"{metric}.split.{name}": cell[metric] for metric in METRICS}
        final |= {f"exact_low.split.{name}": cell["interval"]["exact"][0], f"cases.split.{name}": cell["n"]}
        final |= {f"leaked_{what}.split.{name}": k for what, k in cell["leaked"].items()}
        final |= {f"baseline.{b}.{name}": rate for b, rate in cell["baselines"].items()}
    recorder.metrics(final, report["optimizer_steps"])
    for place, files in ARTIFACTS.items():
        for file in files:
            recorder.artifact(folder / file, place)
    for place in FOLDERS:
        recorder.artifact(folder / place, place)
    recorder.flush()
    recorder.tags({"mlflow.note.content": note(report), "cktrack.folder": str(folder), COMPLETE: "true"})


HEADINGS = (
    "split",
    "cases",
    "exact",
    "at least",
    "first block",
    "truncated",
    "prompt / target leaked",
    "best baseline",
)


def cells(report: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """A line for each split, under HEADINGS."""
    lines = []
    for name, c in report["splits"].items():
        best = max(c["baselines"], key=c["baselines"].__getitem__)
        rates = [f"{v:.3f}" for v in (c["exact"], c["interval"]["exact"][0], c["first_block_exact"], c["truncation"])]
        leaks = f"{c['leaked']['prompt']} / {c['leaked']['target']}"
        lines.append((name, str(c["n"]), *rates, leaks, f"{best} {c['baselines'][best]:.3f}"))
    return lines


def note(report: Mapping[str, Any]) -> str:
    """The text of the run page."""
    table = ["| " + " | ".join(line) + " |" for line in (HEADINGS, *cells(report))]
    table.insert(1, "|---" * len(HEADINGS) + "|")
    told = [f"{report['processed_tokens']:,} processed tokens, {report['seconds']:.0f} s in all.", *report["notes"]]
    return "\n".join([f"# {report['name']}", "", *table, "", *told])[:7900] + "\n"


def show(report: Mapping[str, Any]) -> None:
    """The splits as a table on standard output."""
    from rich.table import Table

    table = Table(title=f"{report['name']}: run {report['run_id']}", box=None, pad_edge=False)
    for heading in HEADINGS:
        table.add_column(heading, no_wrap=heading == HEADINGS[0])
    for line in cells(report):
        table.add_row(*line)
    out = Console()
    out.print(table)
    out.print(f"{report['processed_tokens']:,} processed tokens, {report['seconds']:.0f} s", highlight=False)
