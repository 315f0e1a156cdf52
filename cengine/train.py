"""Training: one optimizer step over a window of batches, the schedule, the data stream and the loop.

The loss of a window is the mean over its valid targets, however the window is cut into batches; clipping is by the global norm;
weight decay spares norms and embeddings. Bits do not depend on threads or on the cut. Nothing here logs or draws: the loop
hands each step's numbers to the caller.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import wraps
from typing import ParamSpec, TypeVar

import numpy as np

from cengine import random
from cengine.engine import Machine, Pool, Program
from cengine.ir import Call, Graph, backward
from cengine.model import BATCHED, Config, check_shapes, decays, rotary_tables, training_graph
from cengine.op import evaluate
from cengine.ops import IGNORED

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Optimizer:
    """AdamW and clipping. max_norm 0 switches clipping off. Raises ValueError for settings that AdamW is not defined for."""

    beta1: float = 0.9
    beta2: float = 0.95
    eps: float = 1e-8
    weight_decay: float = 0.01
    max_norm: float = 1.0

    def __post_init__(self) -> None:
        for name in ("beta1", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"optimizer: {name}={getattr(self, name)}; expected at least 0 and below 1")
        if not 0 < self.eps < math.inf:
            raise ValueError(f"optimizer: eps={self.eps}; expected a finite number above 0 (1e-8 is usual)")
        for name in ("weight_decay", "max_norm"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(
                    f"optimizer: {name}={getattr(self, name)}; expected a finite number, 0 to switch it off"
                )


@dataclass(frozen=True)
class Schedule:
    """Learning rate by step: linear warm-up to `peak`, then linear, cosine or constant to `floor` * peak at step `steps`."""

    peak: float
    steps: int
    warmup: int = 0
    kind: str = "linear"
    floor: float = 0.1

    def __post_init__(self) -> None:
        if self.kind not in ("linear", "cosine", "constant"):
            raise ValueError(f"schedule: got {self.kind!r}; expected linear, cosine or constant")
        if self.steps < 1 or self.warmup < 0 or not 0 < self.peak < math.inf:
            raise ValueError(
                f"schedule: steps={self.steps}, warmup={self.warmup}, peak={self.peak}; expected steps >= 1, warmup >= 0, a finite peak > 0"
            )
        if not 0 <= self.floor <= 1:
            raise ValueError(f"schedule: floor={self.floor}; expected a share of the peak, 0 to 1")

    def at(self, step: int) -> float:
        """Rate of step number `step`, counted from 0."""
        if step < self.warmup:
            return self.peak * (step + 1) / self.warmup
        done = min(1.0, (step - self.warmup) / max(1, self.steps - self.warmup))
        shape = {"constant": 1.0, "linear": 1.0 - done, "cosine": 0.5 * (1.0 + math.cos(math.pi * done))}[self.kind]
        return self.peak * (shape if self.kind == "constant" else self.floor + (1.0 - self.floor) * shape)


@dataclass(frozen=True)
class Batch:
    """ids, targets, pos: int32 [rows, time]. A negative target carries no loss; pos restarts at 0 with each packed row."""

    ids: np.ndarray
    targets: np.ndarray
    pos: np.ndarray

    def valid(self) -> int:
        return int((self.targets >= 0).sum())


@dataclass(frozen=True)
class Step:
    """What one optimizer step did. loss in nats per valid target, gradient norm before clipping."""

    step: int
    loss: float
    grad_norm: float
    lr: float
    tokens: int
    valid: int


def exclusive(method: Callable[P, R]) -> Callable[P, R]:
    """A method of an object with a machine: threads take turns, because there is one arena."""

    @wraps(method)
    def locked(*args: P.args, **kwargs: P.kwargs) -> R:
        with args[0].machine.lock:  # type: ignore[attr-defined]
            return method(*args, **kwargs)

    return locked


@dataclass(frozen=True)
class Window:
    """The calls of one optimizer step over batches of one shape: `clear`, then `main` for each batch, `norm`, `update`, `prepare`.
    A first `main` that overwrites gradients instead of adding to them needs no `clear`.

    `forward` is the part of `main` that gives losses; `gradients` names the tensor that holds a parameter's gradient after `norm`.
    """

    graph: Graph
    prepare: list[Call]
    forward: list[Call]
    main: list[Call]
    clear: list[Call]
    norm: list[Call]
    update: list[Call]
    gradients: dict[str, str]

    @property
    def calls(self) -> list[Call]:
        """Every call once, in the order by which memory is planned."""
        return [*self.prepare, *self.main, *self.clear, *self.norm, *self.update]


def window_of(config: Config, rows: int, time: int, precision: str = "fp32", room: int | None = None) -> Window:
    """The graph of a training step of a model for batches [rows, time], and its calls; `room`: as in training_graph."""
    graph = training_graph(config, rows, time, precision, room)
    back, parts = backward(graph)
    hyper = graph.tensor("hyper", (8,), "control")
    total = graph.tensor("norm.total", (1,), "control", "d")
    clear, merge, norm, update = [], [], [], []
    for name, pieces in parts.items():
        clear += [graph.use("fill_zero", f"{p}.clear", x=p) for p in pieces]
        merge += [graph.use("merge", f"{p}.merge", x=pieces[0], a=p) for p in pieces[1:]]
        norm.append(graph.use("sum_squares", f"{name}.norm", g=pieces[0], total=total.name))
        shape = config.parameters()[name]
        m, v = (graph.tensor(f"{k}_{name}", shape, "moment").name for k in "mv")
        decay = {"decay": float(decays(name))}
        update.append(
            graph.use(
                "adamw", f"{name}.update", decay, p=name, g=pieces[0], m=m, v=v, hyper=hyper.name, total=total.name
            )
        )
    gradients = {name: pieces[0] for name, pieces in parts.items()}
    main = [*graph.calls, *back]
    return Window(graph, graph.prepare, graph.calls, main, clear, [*merge, *norm], update, gradients)


def part_of(rows: int, time: int, threads: int) -> int:
    """Rows of a batch that are computed together: as few as keep every thread busy, so that they stay in its cache and memory is small.

    A divisor of `rows` near to four blocks of tokens for a thread. Results do not depend on it: gradients are summed row by row either way.
    """
    blocks = evaluate("T/ROWBLOCK", {"T": time})
    wanted = min(rows, -(-4 * threads // blocks))
    divisors = [n for n in range(1, rows + 1) if rows % n == 0]
    above = next(n for n in divisors if n >= wanted)
    return above if above <= 2 * wanted else max(n for n in divisors if n <= wanted)


class Trainer:
    """Weights, gradients and moments of a model in one arena, for batches of one shape [rows, time].

    A batch goes through in parts of `part` rows, by default as few as keep the threads busy.
    precision bf16 rounds the operands of matrix products to bf16; sums, weights, gradients and moments stay fp32.
    guard checks every kernel call for writes outside its tensors, at the same bits; None asks CKTRACK_GUARD.
    """

    def __init__(
        self,
        config: Config,
        rows: int,
        time: int,
        optimizer: Optimizer | None = None,
        threads: int | None = None,
        pool: Pool | None = None,
        precision: str = "fp32",
        part: int | None = None,
        guard: bool | None = None,
    ) -> None:
        if rows < 1 or not 1 <= time <= config.ctx:
            raise ValueError(
                f"trainer: got {rows} rows of {time} tokens; expected at least 1 row of 1 to ctx={config.ctx} tokens"
            )
        self.config, self.rows, self.time, self.precision = config, rows, time, precision
        self.optimizer = optimizer or Optimizer()
        pool = pool or Pool(threads)
        self.part = part or part_of(rows, time, pool.threads)
        if rows % self.part:
            raise ValueError(f"trainer: got parts of {self.part} rows; expected a divisor of the batch's {rows}")
        window = window_of(config, self.part, time, precision, rows)
        self.gradients = window.gradients
        self.machine = Machine(window.graph, window.calls, pool=pool, guard=guard)
        parts, stride = rows // self.part, dict.fromkeys(BATCHED, self.part * time)
        self._prepare, self._norm = map(self.machine.program, (window.prepare, window.norm))
        self._forward = self.machine.program(window.forward, times=parts, stride=stride)
        grads = {t.name for t in window.graph.tensors.values() if t.kind == "grad"}
        self._first, self._more = (
            self.machine.program(window.main, times=parts, stride=stride, fresh=fresh) for fresh in (grads, ())
        )
        self._update = self.machine.program([*window.update, *window.prepare])
        for name, table in zip(("rope.cos", "rope.sin"), rotary_tables(config), strict=True):
            self.machine.view(name)[:] = table
        self.updates = 0  # optimizer steps taken so far, over all stages: Adam's bias correction counts these

    # -- state ---------------------------------------------------------------------------------------------------------

    def weights(self) -> dict[str, np.ndarray]:
        """Views of the parameters by name; copy before keeping."""
        return {name: self.machine.view(name) for name in self.config.parameters()}

    def moments(self) -> dict[str, np.ndarray]:
        return {f"{k}_{name}": self.machine.view(f"{k}_{name}") for name in self.config.parameters() for k in "mv"}

    @exclusive
    def load(
        self, weights: Mapping[str, np.ndarray], moments: Mapping[str, np.ndarray] | None = None, updates: int = 0
    ) -> None:
        """Set the parameters, and the optimizer's state (zero if not given). Every tensor must be there with its shape."""
        check_shapes(self.config, weights)
        for name, view in self.weights().items():
            view[:] = weights[name]
        for name, view in self.moments().items():
            view[:] = 0.0 if moments is None else moments[name]
        self.updates = updates
        self.machine.run(self._prepare)

    # -- computing -----------------------------------------------------------------------------------------------------

    def _check(self, batch: Batch) -> None:
        for name in ("ids", "targets", "pos"):
            array = getattr(batch, name)
            if array.shape != (self.rows, self.time) or array.dtype.kind not in "iu":
                raise ValueError(
                    f"batch: {name} has shape {array.shape} of {array.dtype}; expected {(self.rows, self.time)} of whole numbers"
                )
        if batch.ids.min() < 0 or max(batch.ids.max(), batch.targets.max()) >= self.config.vocab:
            raise ValueError(
                f"batch: token ids must lie in 0..{self.config.vocab - 1}; got {batch.ids.min()}..{max(batch.ids.max(), batch.targets.max())}"
            )
        follows = batch.pos[:, 1:] == batch.pos[:, :-1] + 1
        if batch.pos[:, 0].any() or not (follows | (batch.pos[:, 1:] == 0)).all():
            raise ValueError("batch: pos must restart at 0 with each packed row and count up by one")

    def _run(self, batch: Batch, program: Program) -> np.ndarray:
        """Run a program over the batch; a view of the losses [rows, time]."""
        self._check(batch)
        for name in ("ids", "targets", "pos"):
            self.machine.view(name)[:] = getattr(batch, name)
        self.machine.run(program)
        return self.machine.view("loss")

    @exclusive
    def losses(self, batch: Batch) -> np.ndarray:
        """Forward only: nats per token, float32 [rows, time], 0 where there is no target."""
        return self._run(batch, self._forward).copy()

    @exclusive
    def accumulate(self, window: Sequence[Batch]) -> tuple[float, int]:
        """Gradients of the mean loss of a window (left in the arena); returns (loss in nats per target, valid targets)."""
        valid = sum(batch.valid() for batch in window)
        if valid == 0:
            raise ValueError(
                "window: no batch has a valid target, so there is no loss; check the packing and the loss mask"
            )
        self.machine.view("loss_scale")[0] = 1.0 / valid
        total = 0.0
        for i, batch in enumerate(window):
            for row in self._run(batch, self._more if i else self._first).astype(np.float64).sum(1):
                total += float(row)
        self.machine.view("norm.total")[0] = 0.0
        self.machine.run(self._norm)
        return total / valid, valid

    @exclusive
    def step(self, window: Sequence[Batch], lr: float) -> Step:
        """One optimizer step. Raises FloatingPointError, with the weights untouched, if the gradient is not finite."""
        loss, valid = self.accumulate(window)
        norm = math.sqrt(float(self.machine.view("norm.total")[0]))
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise FloatingPointError(
                f"training diverged at update {self.updates}: loss {loss}, gradient norm {norm}; lower the learning rate"
            )
        o, t = self.optimizer, self.updates + 1
        corrections = 1.0 / (1.0 - o.beta1**t), 1.0 / (1.0 - o.beta2**t)
        self.machine.view("hyper")[:] = (lr, o.beta1, o.beta2, o.eps, o.weight_decay, *corrections, o.max_norm)
        self.machine.run(self._update)
        self.updates = t
        return Step(t, loss, norm, lr, len(window) * self.rows * self.time, valid)

    def gradient(self, name: str) -> np.ndarray:
        """The gradient of a parameter after `accumulate`, before clipping."""
        return self.machine.view(self.gradients[name])

    def profile(self, window: Sequence[Batch], lr: float) -> dict[str, float]:
        """Seconds by C function of one optimizer step (which is taken)."""
        self.step(window, lr)
        spent: dict[str, float] = {}
        for program in self._step_programs():
            times = len(window) if program is self._first else 1
            for name, seconds in self.machine.profile(program).items():
                spent[name] = spent.get(name, 0.0) + seconds * times
        return spent

    def groups(self) -> list[tuple[int, float]]:
        """(parallel items, seconds) of every group of an optimizer step over the last batch, run once more."""
        return [group for program in self._step_programs() for group in self.machine.groups(program)]

    def _step_programs(self) -> tuple[Program, ...]:
        return self._first, self._norm, self._update


class Stream:
    """Windows in a new seeded order every epoch, forever; the cursor is (epoch, index) and can be saved.

    `windows` is one Batch of all rows [n, time]. The order of epoch e is a function of (seed, name, e) alone.
    """

    def __init__(self, windows: Batch, seed: int, name: str = "train", epoch: int = 0, index: int = 0) -> None:
        if len(windows.ids) == 0:
            raise ValueError(f"stream {name}: no rows to train on")
        self.windows, self.seed, self.name, self.epoch, self.index = windows, seed, name, epoch, index
        self._order: tuple[int, np.ndarray] | None = None

    def state(self) -> dict[str, int]:
        return {"epoch": self.epoch, "index": self.index}

    def order(self, epoch: int) -> np.ndarray:
        if self._order is None or self._order[0] != epoch:
            self._order = (
                epoch,
                random.permutation(self.seed, random.stream_of(f"order/{self.name}/{epoch}"), len(self.windows.ids)),
            )
        return self._order[1]

    def take(self, count: int) -> Batch:
        """The next `count` windows; an epoch that ends in the middle is followed by the next one."""
        rows = []
        for _ in range(count):
            rows.append(int(self.order(self.epoch)[self.index]))
            self.index += 1
            if self.index == len(self.windows.ids):
                self.epoch, self.index = self.epoch + 1, 0
        return Batch(self.windows.ids[rows], self.windows.targets[rows], self.windows.pos[rows])


def fit(
    trainer: Trainer, stream: Stream, schedule: Schedule, accumulate: int = 1, start: int = 0, stop: int | None = None
) -> Iterator[Step]:
    """Steps start..stop of a stage, one at a time; the caller logs, saves and may stop between any two."""
    for step in range(start, schedule.steps if stop is None else stop):
        yield trainer.step([stream.take(trainer.rows) for _ in range(accumulate)], schedule.at(step))


def held_out(trainer: Trainer, windows: Batch, text_bytes: int) -> dict[str, float]:
    """Mean loss over all windows: nats per target, and bits per byte of the `text_bytes` bytes that the targets spell.

    The last group is filled with ignored rows, so every window counts once.
    """
    total, valid = 0.0, 0
    for at in range(0, len(windows.ids), trainer.rows):
        part = [getattr(windows, n)[at : at + trainer.rows] for n in ("ids", "targets", "pos")]
        short = trainer.rows - len(part[0])
        fill = (0, IGNORED, 0)
        batch = Batch(
            *(np.concatenate([a, np.full((short, trainer.time), f, np.int32)]) for a, f in zip(part, fill, strict=True))
        )
        for row in trainer.losses(batch).astype(np.float64).sum(1):
            total += float(row)
        valid += batch.valid()
    return {"nats_per_target": total / valid, "bits_per_byte": total / math.log(2.0) / text_bytes, "targets": valid}


def settings(optimizer: Optimizer, schedule: Schedule) -> dict:
    return {**asdict(optimizer), **asdict(schedule)}


Report = Callable[[Step], None]
