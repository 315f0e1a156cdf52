"""Threads: the speed of a training step with 1 to N of them, measured; and with 1 to 64, predicted from the plan.

The prediction takes the step on one thread apart into the groups that the executor runs one after the other. A group of n equal
items takes ceil(n / threads) / n of its time; what happens outside of the engine does not shrink. It knows neither barriers nor a
memory that is shared, so it is what the plan allows, and a machine gives less.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from math import ceil
from typing import Annotated, Any

from typer import Option

from cktrack import contest, machine
from cktrack.bench import Shape, at_least_one
from cktrack.contest import Contestant, Unit

PREDICTED = range(1, 65)


def measure(
    shape: Shape,
    rounds: int,
    threads: int,
    batch: Annotated[int, Option(help="rows of ctx tokens in a batch")] = 4,
) -> dict[str, Any]:
    """Speed-up and efficiency of a training step over threads: measured here, and predicted for up to 64."""
    at_least_one("batch", batch, " row of ctx tokens")
    from cengine import loader
    from cengine.train import Trainer
    from cktrack.bench.train import work

    config, most = shape.config(), loader.thread_count(threads or None)
    facts = machine.facts(most, torch=False)
    weights, rows, settings = work(shape, batch)

    def with_threads(count: int, part: int | None = None) -> Any:
        trainer = Trainer(config, batch, config.ctx, settings, count, part=part)
        trainer.load(weights)
        return trainer

    def unit_of(count: int) -> Unit:
        trainer = with_threads(count)
        return lambda: trainer.step([rows], 1e-3)

    field = [Contestant(name(n), lambda n=n: unit_of(n)) for n in counted(most)]  # type: ignore[misc]
    outcomes = contest.contest(field, rounds)
    measured = contest.report({"batch": batch}, "tokens/s", outcomes, batch * config.ctx)
    for count, line, outcome in zip(counted(most), measured["contestants"], outcomes, strict=True):
        speedup = contest.ratio(outcomes[0], outcome)
        del line["ratio"]
        line.update(threads=count, speedup=speedup, efficiency=speedup / count if speedup else None)

    groups = profiled(with_threads(1, part=batch), rows, rounds)
    return {
        "benchmark": "scaling",
        **facts,
        "shape": {**config.as_dict(), "batch": batch},
        "rounds": rounds,
        "contests": [measured],
        "groups": shares(groups),
        "predicted": [{"threads": n, "speedup": predicted(groups, n)} for n in PREDICTED],
        "prediction": "from the items of each group on one thread, the whole batch at once; without barriers and limits of memory",
    }


def name(threads: int) -> str:
    return f"{threads} thread{'s' if threads > 1 else ''}"


def counted(most: int) -> list[int]:
    """1, 2, 4, ... and `most`."""
    return sorted({2**n for n in range(most.bit_length())} | {most})


def profiled(trainer: Any, rows: Any, rounds: int) -> list[tuple[int, float]]:
    """(items, seconds) of every group of an optimizer step on one thread, medians; the rest of the step last, as one item."""
    taken, whole = [], []
    for _ in range(max(2, rounds)):
        before = time.perf_counter()
        trainer.step([rows], 1e-3)
        whole.append(time.perf_counter() - before)
        taken.append(trainer.groups())
    groups = [(each[0][0], statistics.median(seconds for _, seconds in each)) for each in zip(*taken, strict=True)]
    rest = statistics.median(whole) - sum(seconds for _, seconds in groups)
    return [*groups, (1, max(0.0, rest))]


def predicted(groups: Sequence[tuple[int, float]], threads: int) -> float:
    """How many times as fast as one thread, if every group's items are equal and nothing else costs time."""
    then = sum(seconds * ceil(items / threads) / items for items, seconds in groups)
    return sum(seconds for _, seconds in groups) / then


def shares(groups: Sequence[tuple[int, float]]) -> list[dict[str, Any]]:
    """Share of the step by number of parallel items, the fewest first."""
    total = sum(seconds for _, seconds in groups)
    found: dict[int, list[float]] = {}
    for items, seconds in groups:
        found.setdefault(items, []).append(seconds)
    return [{"items": n, "groups": len(s), "share": sum(s) / total} for n, s in sorted(found.items())]
