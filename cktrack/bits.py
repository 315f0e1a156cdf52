"""The same bits, proven: one training is done in every way that must not matter, and the sha256 of what comes out is compared.

    cktrack bits spec12/r17                     threads, cuts of a window, again, guarded, and killed a few times
    python -m cktrack.bits FOLDER WAY           one of these trainings, in a process of its own; WAY is JSON

A training here is the stages of a rung on a part of its budget, with its model and rows; it is neither probed nor logged. Who is killed
(SIGKILL, at seeded random moments) begins again from what the process before it kept, as an interrupted run does.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, astuple, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cengine import checkpoint, random
from cengine.model import Config, initial
from cengine.train import Batch, Optimizer, Trainer
from experiments import ladder
from experiments.pack import Packed
from experiments.prepared import Prepared
from experiments.training import Unfinished, train_stages

WINDOW = 8  # rows of an optimizer step: it can be cut into 1, 2, 4 or 8 batches
HASHED = ("weights", "optimizer", "metrics")
STEPS_OF_A_LIFE = 5.0  # at most, of one who is killed
STAND_STILL = 20  # lives without a step in between, after which one is let through
Say = Callable[[str], None]


@dataclass(frozen=True)
class Way:
    """One way of doing the training. `kept` is where its checkpoints are, one after every step; empty keeps none."""

    threads: int = 2
    rows: int = WINDOW
    guard: bool = False
    seed: int = 1
    precision: str = "fp32"
    kept: str = ""


def ways(precision: str) -> dict[str, Way]:
    """What must not matter. The first is what the others are compared with."""
    cut = {f"{WINDOW // n} batches of {n}": Way(rows=n, precision=precision) for n in (1, 2)}
    return {
        "2 threads, 1 batch of 8": Way(precision=precision),
        "the same again": Way(precision=precision),
        "1 thread": Way(threads=1, precision=precision),
        "4 threads": Way(threads=4, precision=precision),
        **cut,
        "every kernel call guarded": Way(guard=True, precision=precision),
    }


@dataclass(frozen=True)
class Task:
    """What is trained: the stages of a rung on `scale` of its budget, a model, and windows by stage; `dev` for the held-out loss."""

    label: str
    scale: float
    config: Config
    packed: Mapping[str, Packed]
    dev: Packed

    def write(self, folder: Path) -> None:
        parts = {**self.packed, "dev": self.dev}
        arrays = {f"{n}.{k}": getattr(p.windows, k) for n, p in parts.items() for k in ("ids", "targets", "pos")}
        np.savez(folder / "windows.npz", **arrays)
        facts = {n: [p.members, *astuple(p)[2:]] for n, p in parts.items()}
        said = {"label": self.label, "scale": self.scale, "config": asdict(self.config), "parts": facts}
        (folder / "task.json").write_text(json.dumps(said))

    @classmethod
    def read(cls, folder: Path) -> Task:
        said, arrays = json.loads((folder / "task.json").read_text()), np.load(folder / "windows.npz")
        parts = {
            n: Packed(Batch(*(arrays[f"{n}.{k}"] for k in ("ids", "targets", "pos"))), tuple(map(tuple, m)), *rest)
            for n, (m, *rest) in said["parts"].items()
        }
        dev = parts.pop("dev")
        return cls(said["label"], said["scale"], Config(**said["config"]), parts, dev)


def task_of(label: str, steps: int) -> Task:
    """About `steps` optimizer steps of a rung, with its own rows and tokenizer."""
    prepared = Prepared(ladder.select(label))
    rung, dev = prepared.selected.rung, prepared.material.dev[:WINDOW]
    tokens = sum(rung.budget[stage].tokens for stage in rung.stages())
    scale = steps * WINDOW * prepared.config.ctx * 1.001 / tokens
    return Task(label, scale, prepared.config, prepared.packed, prepared.pack(dev))


@dataclass
class Listener:
    """Keeps what a training tells, in order; speeds differ from run to run and are left out."""

    told: list[Any] = field(default_factory=list)

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        self.told.append((step, {k: v for k, v in values.items() if k != "tokens_per_second"}))

    def __getattr__(self, _: str) -> Callable[..., None]:
        return lambda *__: None


def train(task: Task, way: Way, begun: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """Do the training, or go on with it; the sha256 of weights, moments and metrics, and the number of steps."""
    rung = ladder.select(task.label).rung.model_copy(update={"rows": way.rows, "accumulate": WINDOW // way.rows})
    optimizer, listener = Optimizer(**rung.optimizer.model_dump()), Listener()
    trainer = Trainer(
        task.config, way.rows, task.config.ctx, optimizer, way.threads, precision=way.precision, guard=way.guard
    )
    trainer.load(initial(task.config, way.seed))
    kept = Path(way.kept) if way.kept else None
    begun()
    with Unfinished(kept, "bits", trainer, listener, every=0.0) as unfinished:
        _, cursors = train_stages(rung, trainer, task.packed, task.dev, task.scale, way.seed, listener, unfinished)
        unfinished.done()
    told = json.dumps([listener.told, cursors], sort_keys=True)
    return {
        "weights": checkpoint.weights_digest(trainer.weights()),
        "optimizer": checkpoint.weights_digest(trainer.moments()),
        "metrics": hashlib.sha256(told.encode()).hexdigest(),
        "steps": trainer.updates,
    }


# ------------------------------------------------------------------------------------------------- processes


def start(folder: Path, way: Way) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", __name__, str(folder), json.dumps(asdict(way))],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What a process found. Raises RuntimeError with its last words if it did not end well."""
    out, err = process.communicate()
    if process.returncode:
        words = (err.strip().splitlines() or ["no words"])[-1]
        raise RuntimeError(f"bits: a training ended with {process.returncode}: {words[:300]}")
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return found


@dataclass
class Kills:
    """Where a killed training was: what it left says so."""

    done: int = 0
    trainings: int = 0
    moments: Counter[str] = field(default_factory=Counter)

    def note(self, place: Path, steps_before: int) -> None:
        self.done += 1
        writing = any(place.glob(".step-*")) or len(list(place.glob("step-*"))) > 1
        steps = _steps(place)
        word = "while a checkpoint was written" if writing else "before the first checkpoint" if not steps else None
        self.moments[
            word or ("in the first step of a life" if steps == steps_before else "between two checkpoints")
        ] += 1


def _steps(place: Path) -> int:
    """Steps of the newest checkpoint; 0 without one."""
    return max((int(p.name.partition("-")[2]) for p in place.glob("step-*")), default=0)


def killed(folder: Path, way: Way, kills: int, seed: int, seconds: float, tally: Kills) -> Iterator[dict[str, Any]]:
    """Train, killing at random moments within `seconds` of a life's beginning, until `kills` are done; the outcome of every training.

    A training that has come to its end is followed by the next one. One that stands still, because it is always killed before its
    first step is done, is let through.
    """
    stream, life, still = random.stream_of("kill"), 0, 0
    while tally.done < kills:
        tally.trainings += 1
        own = Way(**{**asdict(way), "kept": str(folder / f"kept-{tally.trainings}")})
        place = Path(own.kept) / "bits"
        while True:
            process, before = start(folder, own), _steps(place)
            assert process.stdout is not None
            process.stdout.readline()  # it says so when it begins
            if tally.done < kills and still < STAND_STILL:
                time.sleep(seconds * float(random.uniform(seed, stream, 1, life)[0]))
                life += 1
                if process.poll() is None:
                    process.kill()
                    process.communicate()
                    tally.note(place, before)
                    still = still + 1 if _steps(place) == before else 0
                    continue
            yield finish(process)
            still = 0
            break


def prove(
    task: Task, different: Mapping[str, Way], kills: int, seed: int = 1, say: Say = lambda _: None
) -> dict[str, Any]:
    """Every way in turn, then the killed trainings; `equal` if every hash of every line is that of the first."""
    lines: list[dict[str, Any]] = []
    tally = Kills()

    def note(name: str, found: dict[str, Any], seconds: float) -> None:
        same = {key: found[key] == lines[0][key] if lines else True for key in (*HASHED, "steps")}
        lines.append({"way": name, **found, "seconds": round(seconds, 2), "equal": all(same.values())})
        say(f"{name}: {'equal' if all(same.values()) else 'DIFFERENT'} ({seconds:.1f} s)")

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        task.write(folder)
        for name, way in different.items():
            before = time.monotonic()
            note(name, finish(start(folder, way)), time.monotonic() - before)
        if kills:
            first, before = next(iter(different.values())), time.monotonic()
            found = finish(start(folder, Way(**{**asdict(first), "kept": str(folder / "undisturbed")})))
            note("a checkpoint after every step", found, time.monotonic() - before)
            life = STEPS_OF_A_LIFE * lines[-1]["seconds"] / max(1, found["steps"])
            before = time.monotonic()
            for found in killed(folder, first, kills, seed, life, tally):
                note(f"killed and resumed, training {tally.trainings}", found, time.monotonic() - before)
                before = time.monotonic()
    return {
        "rung": task.label,
        "model": task.config.as_dict(),
        "steps": lines[0]["steps"],
        "envelope": checkpoint.envelope(next(iter(different.values())).precision),
        "kills": {"asked": kills, "done": tally.done, "trainings": tally.trainings, "moments": dict(tally.moments)},
        "ways": lines,
        "equal": all(line["equal"] for line in lines),
    }


def main() -> None:
    """One training, for who reads our standard output: a word when it begins, the hashes when it is done."""
    folder, way = Path(sys.argv[1]), Way(**json.loads(sys.argv[2]))
    print(json.dumps(train(Task.read(folder), way, lambda: print("training", flush=True))))


if __name__ == "__main__":
    main()
