"""What the training curve of a run says beside its last loss: measures of loss and gradient norm, which `diagnosis.py` judges.

A measure is a function that `@measure` marks, on the stages of a run in their order; it is None where the curve is too short to tell. All of it
is read from what every optimizer step tells (`training.py`), so that it is logged under the same name and no run has to be repeated for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median

LOW = 0.1  # a loss below it, in nats per target, is one that was learned
WINDOW = 32  # steps that a running median looks back on
SPIKE = 5.0  # times the running median
PIECES = 8  # of the last half of a stage: their means are the smoothed loss
LEAST = 96  # steps from which something is said


@dataclass(frozen=True)
class Stage:
    """Loss and gradient norm before clipping of every optimizer step of a stage."""

    losses: Sequence[float]
    norms: Sequence[float]


Measure = Callable[[Sequence[Stage]], float | None]
MEASURES: dict[str, Measure] = {}


def measure(function: Measure) -> Measure:
    MEASURES[function.__name__] = function
    return function


def measures(history: Sequence[tuple[int, Mapping[str, float]]], steps: Sequence[int]) -> dict[str, float]:
    """Every measure that can be told, from what was told by step, and the number of steps of each stage."""
    told = [values for _, values in history if "grad_norm" in values]
    stages = []
    for count in steps:
        mine, told = told[:count], told[count:]
        stages.append(Stage([v["loss"] for v in mine], [v["grad_norm"] for v in mine]))
    found = {name: look(stages) for name, look in MEASURES.items()}
    return {name: value for name, value in found.items() if value is not None}


@measure
def gradient_spikes(stages: Sequence[Stage]) -> float | None:
    """Share of the steps whose gradient norm is SPIKE times the median of the WINDOW steps before it, or more, while the loss is not low: where it
    is, norms are next to nothing, and one hard row makes a spike that means nothing. The first steps of a stage are not looked at.
    """
    looked = spikes = 0
    for stage in stages:
        for at in range(WINDOW, len(stage.norms)):
            before = slice(at - WINDOW, at)
            looked += 1
            spikes += stage.norms[at] >= SPIKE * median(stage.norms[before]) and median(stage.losses[before]) >= LOW
    return spikes / looked if looked >= LEAST else None


@measure
def gradient_left(stages: Sequence[Stage]) -> float | None:
    """Median gradient norm of the last WINDOW steps, as a share of that of the first ones."""
    norms = [norm for stage in stages for norm in stage.norms]
    first = median(norms[:WINDOW]) if len(norms) >= LEAST else 0.0
    return median(norms[-WINDOW:]) / first if first else None


@measure
def loss_rises(stages: Sequence[Stage]) -> float | None:
    """How far the smoothed loss goes up in the last half of the last stage, all rises together, as a multiple of its mean there. A curve that falls,
    or that lies still, has none.
    """
    losses = stages[-1].losses if stages else ()
    half = losses[len(losses) // 2 :]
    if len(losses) < LEAST or not any(half):
        return None
    ends = [len(half) * piece // PIECES for piece in range(PIECES + 1)]
    smooth = [fmean(half[a:b]) for a, b in pairwise(ends)]
    return sum(max(0.0, b - a) for a, b in pairwise(smooth)) / fmean(half)


@measure
def late_loss(stages: Sequence[Stage]) -> float | None:
    """Median loss of the last WINDOW steps: the last step alone may be an odd one."""
    losses = stages[-1].losses if stages else ()
    return median(losses[-WINDOW:]) if len(losses) >= WINDOW else None
