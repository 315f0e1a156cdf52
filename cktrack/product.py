"""Matrix products of a linear layer, by us and by others, as units of work: y = x w^T, and the two products of its backward.

`kind` is forward (y[N,O] = x[N,C] w[O,C]^T), dx (dx[N,C] = dy[N,O] w[O,C]) or dw (dw[O,C] += dy[N,O]^T x[N,C]; the others overwrite).
N = rows * time. Every product writes into memory that is there. Ours has its weights packed before: training does that once a step.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from cengine import loader, oracle
from cengine.engine import Machine, Pool
from cengine.ir import Graph, backward
from cktrack.contest import Absent, Unit
from cktrack.machine import lacks_bf16

KINDS = ("forward", "dx", "dw")
Make = Callable[[str, int, int, int, int], Unit]  # kind, rows, time, inputs, outputs


def makers(precision: str, threads: int, torch: bool = True) -> dict[str, Make]:
    """Who multiplies in this precision: name -> maker of units. A maker raises Absent where it cannot."""

    torchs: Make = partial(torch_mm, precision=precision, threads=threads) if torch else _unasked
    if precision == "bf16":
        return {"torch.mm": torchs}
    return {"cktrack": partial(Ours, pool=Pool(threads)), "torch.mm": torchs, "numpy": partial(numpy, threads=threads)}


def _unasked(*shape: object) -> Unit:
    raise Absent("torch was not asked for")


class Ours:
    """The op `linear` alone, through the executor that training uses. Its tensors are in `machine`: x, w, y and their gradients d_..."""

    def __init__(self, kind: str, rows: int, time: int, inputs: int, outputs: int, pool: Pool) -> None:
        graph = Graph()
        x = graph.tensor("x", (rows, time, inputs), "input")
        w = graph.tensor("w", (outputs, inputs), "param")
        targets, scale = graph.tensor("targets", (rows, time), "input", "i"), graph.tensor("scale", (1,), "control")
        y = graph.apply("linear", "y", x=x, w=w)
        graph.apply(
            "cross_entropy", "loss", logits=y, targets=targets, scale=scale
        )  # something that gives y a gradient
        back, _ = backward(graph)
        self.machine = Machine(graph, [*graph.prepare, *graph.calls, *back], pool=pool)
        rng = np.random.default_rng(0)
        for name in ("x", "w"):
            self.machine.view(name)[:] = rng.standard_normal(self.machine.view(name).shape, np.float32)
        self.machine.run(self.machine.program(graph.prepare))
        dy = self.machine.view("d_y")
        dy[:] = rng.standard_normal(dy.shape, np.float32)
        call = next(c for c in (graph.calls if kind == "forward" else back) if c.op.name == "linear")
        phases = [phase.function for phase in call.direction.phases]
        self.records = self.machine.program([call]).plain()
        self.number = phases.index("linear_fwd" if kind == "forward" else f"linear_bwd_{kind}")

    def __call__(self) -> None:
        self.machine.pool.run(self.records + self.number, 1)


def numpy(kind: str, rows: int, time: int, inputs: int, outputs: int, threads: int) -> Unit:
    """np.matmul, with the threads that NumPy's library took when it was loaded."""
    if threads != loader.thread_count(0):
        raise Absent(f"NumPy's own number of threads cannot be set to {threads} once it is loaded")
    rng = np.random.default_rng(0)
    x, w, dy = (
        rng.standard_normal(s, np.float32) for s in ((rows * time, inputs), (outputs, inputs), (rows * time, outputs))
    )
    a, b = {"forward": (x, w.T), "dx": (dy, w), "dw": (dy.T, x)}[kind]
    out = np.empty((a.shape[0], b.shape[1]), np.float32)
    return lambda: np.matmul(a, b, out=out)


def torch_mm(kind: str, rows: int, time: int, inputs: int, outputs: int, precision: str, threads: int) -> Unit:
    missing = oracle.available() or (lacks_bf16() if precision == "bf16" else None)
    if missing:
        raise Absent(missing)
    oracle.set_threads(threads)
    return oracle.product(kind, rows * time, inputs, outputs, {"fp32": "float32", "bf16": "bfloat16"}[precision])
