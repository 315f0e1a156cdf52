"""Telling MLflow what a run does, without ever slowing or breaking it.

Metrics are buffered and sent in batches. Whatever cannot be sent is kept as JSON lines under `.cache/spool/`, in order, and sent later
(at the end of the run, or by `cktrack deliver`); MLflow drops exact repeats of a point, so sending twice stores once.
Progress goes to the terminal: a bar where there is one, a line now and then where there is none.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlflow.entities import DatasetInput, InputTag, Metric
from mlflow.exceptions import MlflowException
from requests import RequestException
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cktrack import home, store
from cktrack.console import Console
from cktrack.store import Store

BATCH, SECONDS, BACKOFF = 800, 2.0, 20.0
SPOOL = threading.RLock()  # one of this process at a time keeps or delivers
Event = dict[str, Any]


AWAY = (MlflowException, RequestException)


def is_away(error: BaseException) -> bool:
    """Whether waiting may help: no connection, or a server that answers 5xx. Any other refusal is a mistake that must be seen."""
    return (
        isinstance(error, RequestException)
        or "API request to" in str(error)
        or getattr(error, "error_code", "") == "TEMPORARILY_UNAVAILABLE"
    )


def spool_path(run_id: str) -> Path:
    return home.cache() / "spool" / f"{run_id}.jsonl"


def keep(run_id: str, event: Event) -> None:
    """Append one undelivered event to a run's spool."""
    path = spool_path(run_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    with SPOOL, path.open("a") as file:
        file.write(json.dumps(event) + "\n")


def send(target: Store, run_id: str, event: Event) -> None:
    """Deliver one event; raises MlflowException if the server is away."""
    kind = event["event"]
    if kind == "metrics":
        target.client.log_batch(run_id, metrics=[Metric(k, v, at, step) for k, v, at, step in event["points"]])
    elif kind == "params":
        store.set_params(target, run_id, event["values"])
    elif kind == "tags":
        store.set_tags(target, run_id, event["values"])
    elif kind == "artifact":
        path = Path(event["path"])
        log = target.client.log_artifacts if path.is_dir() else target.client.log_artifact
        log(run_id, str(path), event["folder"] or None)
    elif kind == "dataset":
        target.client.log_inputs(run_id, [_dataset(event)])
    elif kind == "publish":
        from cktrack.publish import publish
        from experiments.run import read_outcome

        publish(target, run_id, event["label"], read_outcome(Path(event["folder"])))
    elif kind == "end":
        target.client.set_terminated(run_id, event["status"])


def _dataset(event: Event) -> DatasetInput:
    from datasets import Dataset
    from mlflow.data.huggingface_dataset import from_huggingface

    path = Path(event["path"])
    if path.suffix == ".parquet":
        rows = Dataset.from_parquet(str(path), cache_dir=str(home.cache() / "datasets"))
    else:
        rows = Dataset.from_list(json.loads(path.read_text())["cases"])
    entity = from_huggingface(rows, path=str(path), name=event["name"], digest=event["sha256"][:36])
    return DatasetInput(
        entity._to_mlflow_entity(),
        [InputTag("mlflow.data.context", event["context"]), InputTag("sha256", event["sha256"])],
    )


def deliver(target: Store) -> dict[str, int]:
    """Send everything that is kept; returns run id -> events still kept."""
    with SPOOL:
        return _deliver(target)


def _deliver(target: Store) -> dict[str, int]:
    left = {}
    for path in sorted((home.cache() / "spool").glob("*.jsonl")):
        events = [json.loads(line) for line in path.read_text().splitlines()]
        while events:
            try:
                send(target, path.stem, events[0])
            except AWAY as error:
                if not is_away(error):
                    raise
                break
            events.pop(0)
        if events:
            part = path.with_suffix(".part")
            part.write_text("".join(json.dumps(e) + "\n" for e in events))
            part.replace(path)
        else:
            path.unlink()
        left[path.stem] = len(events)
    return left


def display(console: Console) -> Progress:
    """Bars on a terminal, one for each task with a field `text`; they are gone when it stops."""
    columns = (
        TextColumn("{task.description:>9}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[text]}"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, transient=True)


@dataclass(frozen=True)
class Shared:
    """What the recorders of runs that go on at the same time share: bars on a terminal, and the order to end."""

    bars: Progress | None = None
    halt: threading.Event = field(default_factory=threading.Event)

    def go_on(self) -> None:
        """Raises KeyboardInterrupt where runs that go on together were told to end: signals reach the main thread alone."""
        if self.halt.is_set():
            raise KeyboardInterrupt


class MlflowRecorder:
    """The Recorder of one run (see experiments/run.py). `name` stands before all that it says, where others speak too."""

    def __init__(
        self,
        target: Store,
        run_id: str,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
        shared: Shared | None = None,
        name: str = "",
    ) -> None:
        self.store, self.run_id, self.clock = target, run_id, clock
        self.console = console or Console(stderr=True)
        self.points: list[tuple[str, float, int, int]] = []
        self.sent_points, self.flushed_at, self.silent_until = 0, clock(), -math.inf
        self.skipped: dict[str, int] = {}
        self.shared, self.name = shared or Shared(), name
        self.bar = self.shared.bars  # bars of several runs are begun and ended by whoever shares them
        self.tasks: dict[str, Any] = {}
        self.told_at = -math.inf

    # -- Recorder --------------------------------------------------------------------------------------------------------

    def params(self, values: Mapping[str, object]) -> None:
        self._emit({"event": "params", "values": {k: str(v) for k, v in values.items()}})

    def tags(self, values: Mapping[str, str]) -> None:
        self._emit({"event": "tags", "values": dict(values)})

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        """Buffer one step's numbers. A value that is not finite is not logged; how many were skipped is."""
        now = int(time.time() * 1000)
        for key, value in values.items():
            if math.isfinite(value):
                self.points.append((key, float(value), now, step))
            else:
                self.skipped[key] = self.skipped.get(key, 0) + 1
        if len(self.points) >= BATCH or self.clock() - self.flushed_at > SECONDS:
            self.flush()

    def artifact(self, path: Path, folder: str) -> None:
        self._emit({"event": "artifact", "path": str(path), "folder": folder})

    def dataset(self, path: Path, name: str, context: str, sha256: str) -> None:
        self._emit({"event": "dataset", "path": str(path), "name": name, "context": context, "sha256": sha256})

    def publish(self, label: str, folder: Path) -> None:
        """Log and register what a finished run left in its folder."""
        self.flush()
        self._emit({"event": "publish", "label": label, "folder": str(folder)})

    def say(self, message: str) -> None:
        named = f"{self.name}: " if self.name else ""
        self.console.print(f"[dim]{time.strftime('%H:%M:%S')}[/dim] {named}{message}", highlight=False)

    def progress(self, stage: str, done: int, total: int, values: Mapping[str, float]) -> None:
        """Show how far a stage is; here a run ends that was told to."""
        self.shared.go_on()
        text = " ".join(
            f"{k} {v:.3g}" if k != "tokens_per_second" else f"{v:,.0f} tokens/s"
            for k, v in values.items()
            if k != "seconds_left"
        )
        if self.console.is_terminal:
            self._bar(stage, done, total, text)
        elif done == total or self.clock() - self.told_at > 5.0:
            self.told_at = self.clock()
            left = f", {values['seconds_left']:.0f} s left" if "seconds_left" in values and done < total else ""
            self.say(f"{stage} {done}/{total} {text}{left}")

    def _bar(self, stage: str, done: int, total: int, text: str) -> None:
        if self.bar is None:
            self.bar = display(self.console)
            self.bar.start()
        if stage not in self.tasks:
            self.tasks[stage] = self.bar.add_task(f"{self.name} {stage}".strip(), total=total, text="")
        self.bar.update(self.tasks[stage], completed=done, text=text)

    # -- delivery ----------------------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Send the buffered points."""
        if self.points:
            self._emit({"event": "metrics", "points": self.points})
            self.sent_points += len(self.points)
            self.points = []
        self.flushed_at = self.clock()

    def _emit(self, event: Event) -> None:
        if self.clock() < self.silent_until or spool_path(self.run_id).exists():
            keep(self.run_id, event)  # behind what is already kept: order is part of the record
            self._retry()
            return
        try:
            send(self.store, self.run_id, event)
        except AWAY as error:
            if not is_away(error):
                raise
            self.say(
                f"[yellow]the tracking server is away; keeping events in {spool_path(self.run_id).name} and going on[/yellow]"
            )
            self.silent_until = self.clock() + BACKOFF
            keep(self.run_id, event)

    def _retry(self) -> None:
        if self.clock() >= self.silent_until:
            self.silent_until = self.clock() + BACKOFF
            deliver(self.store)

    def close(self) -> bool:
        """Flush and deliver what is kept; whether nothing is left."""
        if self.shared.bars is not None:
            for task in self.tasks.values():
                self.shared.bars.remove_task(task)
            self.tasks = {}
        elif self.bar is not None:
            self.bar.stop()
            self.bar = None
        if self.skipped:
            self.metrics({f"not_finite.{k}": float(n) for k, n in self.skipped.items()}, 0)
            self.skipped = {}
        self.flush()
        return deliver(self.store).get(self.run_id, 0) == 0
