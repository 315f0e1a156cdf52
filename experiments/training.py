"""The stages of a rung: train, measure on the way, keep what is done, and go on from there after an interruption.

An interrupted run goes on bit for bit: weights, moments, the data cursor of each stage and the number of updates are kept, and
the order of an epoch follows from seed, stage and epoch. What was measured before is told again, so that a curve is whole.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from cengine import checkpoint
from cengine.train import Schedule, Step, Stream, Trainer, fit, held_out
from experiments.pack import Packed
from experiments.probes import curve
from experiments.recorder import Recorder
from experiments.spec import Budget, Rung

EVERY = 10.0  # seconds between two checkpoints of a run that is not finished


@dataclass
class Progress:
    """Where training stands, beside weights and moments. `history` is what was measured, by optimizer step over all stages."""

    stages: dict[str, dict[str, int]] = field(
        default_factory=dict
    )  # of each begun stage: steps done, and the data cursor
    tokens: int = 0
    targets: int = 0
    seconds: float = 0.0  # spent in optimizer steps
    loss: float = float("nan")
    held_out: float = float("nan")  # bits per byte
    history: list[tuple[int, dict[str, float]]] = field(default_factory=list)


class Unfinished:
    """Checkpoints of one run while it trains, in a folder under the run's identity. The newest is kept, until the run is done.

    Without a folder, or while another process trains the same, nothing is kept. A context manager: it holds the folder's lock.
    Runs with the same `settings` on another instruction set or in another precision are told of, and only gone on from if `across` says
    so; `crossed` is where that happened: [{step, from: envelope}].
    """

    def __init__(
        self,
        folder: Path | None,
        identity: str,
        trainer: Trainer,
        recorder: Recorder,
        every: float = EVERY,
        settings: str = "",
        across: bool = False,
    ) -> None:
        self.folder, self.trainer, self.recorder, self.every = folder and folder / identity, trainer, recorder, every
        self.settings, self.across = settings, across
        self.crossed: list[dict] = []
        self.last, self.lock = time.monotonic(), -1
        if self.folder:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.lock = os.open(self.folder / "lock", os.O_CREAT | os.O_RDWR)
            try:
                fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(self.lock)
                self.folder, self.lock = None, -1
                recorder.say(
                    "another process trains this rung with these settings; this run keeps nothing to go on from"
                )

    def __enter__(self) -> Unfinished:
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the folder: what is in it stays for the next run, unless this one is done."""
        if self.lock >= 0:
            os.close(self.lock)
        self.folder, self.lock = None, -1

    def _kept(self) -> list[Path]:
        """Newest first."""
        places = self.folder.glob("step-*") if self.folder else ()
        return sorted(places, key=_step, reverse=True)

    def restore(self) -> Progress:
        """Load the newest checkpoint that is whole, if there is one; otherwise training begins."""
        for place in self._kept():
            try:
                loaded = checkpoint.load(place)
                checkpoint.check_envelope(loaded.state, precision=self.trainer.precision)
            except checkpoint.CheckpointError as error:
                self.recorder.say(f"what an interrupted run left cannot be used: {error}")
                continue
            return self._go_on(loaded)
        return self._from_elsewhere() or Progress()

    def _go_on(self, loaded: checkpoint.Checkpoint) -> Progress:
        self.trainer.load(loaded.weights, loaded.moments, loaded.state["step"])
        self.crossed = loaded.state.get("crossed", [])
        progress = Progress(**loaded.state["progress"])
        progress.history = [(at, values) for at, values in json.loads(loaded.files["history.json"])]
        self.recorder.say(f"an earlier run was interrupted; going on at step {self.trainer.updates} with its weights")
        for at, values in progress.history:
            self.recorder.metrics(values, at)
        return progress

    def _from_elsewhere(self) -> Progress | None:
        """What a run with these settings kept where other bits come out: refused with a sentence, or gone on from if that was asked."""
        folders = self.folder.parent.glob("*/step-*") if self.folder and self.settings else ()
        for place in sorted(folders, key=_step, reverse=True):
            try:
                state = json.loads((place / "state.json").read_bytes())
                if state.get("settings") != self.settings:
                    continue
                checkpoint.check_envelope(state, self.across, self.trainer.precision)
                loaded = checkpoint.load(place)
            except (OSError, ValueError) as error:
                self.recorder.say(f"an interrupted run with these settings is kept at {place.name}: {error}")
                continue
            progress = self._go_on(loaded)
            self.crossed = [*self.crossed, {"step": self.trainer.updates, "from": loaded.state["envelope"]}]
            return progress
        return None

    def keep(self, progress: Progress, now: bool = False) -> None:
        """Write a checkpoint if it is time (or `now`), and remove the one before."""
        if not self.folder or not (now or time.monotonic() - self.last >= self.every):
            return
        state = {
            "step": self.trainer.updates,
            "settings": self.settings,
            "crossed": self.crossed,
            "progress": {k: v for k, v in asdict(progress).items() if k != "history"},
        }
        files = {"history.json": json.dumps(progress.history).encode()}
        before, place = self._kept(), self.folder / f"step-{self.trainer.updates}"
        if place not in before:
            checkpoint.save(
                place,
                self.trainer.config,
                self.trainer.weights(),
                self.trainer.moments(),
                state,
                files,
                precision=self.trainer.precision,
            )
        for old in before:
            if old != place:
                shutil.rmtree(old, ignore_errors=True)
        self.last = time.monotonic()

    def done(self) -> None:
        """The run has its own checkpoint: nothing is left to go on from."""
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)


def _step(place: Path) -> int:
    """Of a folder `step-N`."""
    return int(place.name.partition("-")[2])


def steps_of(budget: Budget, rung: Rung, window: int, scale: float) -> int:
    """Optimizer steps that a stage's processed-token budget pays for, with windows of so many tokens."""
    return max(1, int(budget.tokens * scale) // (rung.rows * rung.accumulate * window))


def train_stages(
    rung: Rung, trainer: Trainer, packed: Mapping[str, Packed], dev: Packed, scale: float, seed: int,
    recorder: Recorder, unfinished: Unfinished,
) -> tuple[dict[str, float], dict[str, dict[str, int]]]:  # fmt: skip
    """Every stage in turn; optimizer moments carry over, the schedule starts anew. Returns totals, and each stage's step and data cursor."""
    started = time.monotonic()
    progress = unfinished.restore()

    def tell(values: dict[str, float]) -> None:
        progress.history.append((trainer.updates, values))
        recorder.metrics(values, trainer.updates)

    def measure() -> None:
        progress.held_out = held_out(trainer, dev.windows, dev.text_bytes)["bits_per_byte"]
        tell({"held_out_bits_per_byte": progress.held_out})

    if not progress.stages:
        measure()
    for stage in rung.stages():
        budget = rung.budget[stage]
        steps = steps_of(budget, rung, trainer.time, scale)
        schedule = Schedule(budget.lr, steps, min(budget.warmup, max(1, steps // 5)), budget.schedule, budget.floor)
        at = progress.stages.setdefault(stage, {"step": 0, "epoch": 0, "index": 0})
        stream = Stream(packed[stage].windows, seed, stage, at["epoch"], at["index"])
        before = time.monotonic()
        for number, step in enumerate(fit(trainer, stream, schedule, rung.accumulate, at["step"]), at["step"] + 1):
            seconds = time.monotonic() - before
            progress.tokens, progress.targets = progress.tokens + step.tokens, progress.targets + step.valid
            progress.seconds, progress.loss = progress.seconds + seconds, step.loss
            progress.stages[stage] = {"step": number, **stream.state()}
            rate = step.tokens / max(seconds, 1e-9)
            tell(_step_metrics(step, progress.tokens, rate))
            left = {"loss": step.loss, "tokens_per_second": rate, "seconds_left": seconds * (steps - number)}
            if number % max(1, steps // 5) == 0 or number == steps:
                measure()
            unfinished.keep(progress, now=number == steps)
            recorder.progress(stage, number, steps, left)
            before = time.monotonic()
        recorder.say(
            f"{stage}: {steps} steps, loss {progress.loss:.4f}, held out {progress.held_out:.5f} bits per byte"
        )
    return {
        "processed_tokens": float(progress.tokens),
        "target_tokens": float(progress.targets),
        "optimizer_steps": float(trainer.updates),
        "training_seconds": progress.seconds,
        "stage_seconds": time.monotonic() - started,
        "held_out_bits_per_byte": progress.held_out,
        "final_loss": progress.loss,
        "lowest_fill": min(packed[stage].fill for stage in rung.stages()),
        **curve.measures(progress.history, [at["step"] for at in progress.stages.values()]),
    }, progress.stages


def _step_metrics(step: Step, tokens: int, rate: float) -> dict[str, float]:
    return {
        "loss": step.loss,
        "lr": step.lr,
        "grad_norm": step.grad_norm,
        "tokens_per_second": rate,
        "tokens_seen": float(tokens),
    }
