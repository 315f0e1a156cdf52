"""Run a rung of the ladder as one MLflow run: the whole main job behind `cktrack rung run` and `mlflow run`."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cengine import loader
from cktrack import home, ladder, machine, preflight
from cktrack.console import Console
from cktrack.publish import PUBLISHED
from cktrack.recorder import MlflowRecorder, Shared
from cktrack.store import COMPLETE, IDENTITY, Store, StoreError, run
from experiments.prepared import Prepared
from experiments.run import Options, execute, identity, in_force, write_json
from experiments.spec import Selected


@dataclass(frozen=True)
class Result:
    """What happened: the MLflow run, the registered version, whether an earlier equal run was found instead."""

    run_id: str
    model: str
    version: str
    folder: str
    reused: bool

    def autopsy(self) -> dict[str, Any] | None:
        """The failure matrix of the run and its action; None where its folder is gone."""
        path = Path(self.folder) / "autopsy.json"
        found: dict[str, Any] | None = json.loads(path.read_text()) if self.folder and path.is_file() else None
        return found


def git_commit() -> str:
    """The commit of the source tree, `+` behind it if the tree differs from it; `unknown` outside of git."""
    root = Path(__file__).resolve().parent.parent

    def ask(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=20, check=True
        ).stdout.strip()

    try:
        return ask("rev-parse", "HEAD") + ("+" if ask("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def find_equal(store: Store, selected: Selected, name: str) -> Result | None:
    """A finished run with the identity `name` and a registered version: the same bits would come out again."""
    experiment = store.client.get_experiment_by_name(selected.spec.name)
    if experiment is None:
        return None
    query = f"attributes.status = 'FINISHED' AND tags.`{IDENTITY}` = '{name}'"
    for found in store.client.search_runs([experiment.experiment_id], query, order_by=["attributes.start_time DESC"]):
        tags = found.data.tags
        if tags.get(COMPLETE) == "true" and tags.get("cktrack.version"):
            return Result(
                found.info.run_id, selected.spec.name, tags["cktrack.version"], tags.get("cktrack.folder", ""), True
            )
    return None


def run_rung(
    store: Store,
    label: str,
    options: Options,
    console: Console,
    force: bool = False,
    parent: str = "",
    shared: Shared | None = None,
    prepared: Prepared | None = None,
) -> Result:
    """Train, probe, log and register a rung. An equal finished run is returned instead, unless forced or begun by `mlflow run`.

    `parent` is the id of the run that this one belongs to, `shared` what it shares with runs beside it, `prepared` the rung as it is in
    force, where somebody drew it already.

    Raises PreflightError, before any run is opened, for a rung that does not pass its preflight.
    """
    selected = ladder.select(label)
    begun = "MLFLOW_RUN_ID" in os.environ  # a run that is there already would stay empty
    prepared = prepared or Prepared(in_force(selected, options))
    name = identity(selected, options, prepared.corpus_sha256)
    earlier = None if force or begun or options.across else find_equal(store, selected, name)
    if earlier:
        console.print(
            f"{label}: run {earlier.run_id} has the same data, settings, seed and engine, so it would give the same bits; "
            "reused (--force trains anyway)"
        )
        return earlier
    findings = preflight.demand(prepared, options, console)
    if shared:
        shared.go_on()
    tags = {
        IDENTITY: name,
        "cktrack.rung": label,
        "machine.cpu": machine.cpu(),
        "engine.instruction_sets": ",".join(loader.available()),
        **({"mlflow.parentRunId": parent} if parent else {}),
    }
    with run(store, selected.spec.name, label, tags) as run_id:
        recorder = MlflowRecorder(store, run_id, console, shared=shared, name=label if parent else "")
        folder = home.runs() / run_id
        recorder.say(f"run {run_id} in experiment {selected.spec.name}")
        try:
            recorder.params({"git.commit": git_commit()})
            outcome = execute(prepared, folder, recorder, options)
            write_json(folder / "preflight.json", findings)
            recorder.artifact(folder / "preflight.json", "evidence")
            recorder.params({f"sha256.{k}": v for k, v in outcome.hashes.items()})
            recorder.publish(label, folder)
        finally:
            recorder.close()
    if not (folder / PUBLISHED).is_file():
        raise StoreError(
            f"{label} is trained and probed in {folder}, but the tracking server is away; nothing is lost, `cktrack deliver` sends it"
        )
    published = json.loads((folder / PUBLISHED).read_text())
    return Result(run_id, published["model"], published["version"], str(folder), False)
