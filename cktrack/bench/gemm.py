"""The matrix products of a model's linear layers, forward and both of the backward: our packed product, torch.mm and NumPy."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from typer import Option

from cktrack import contest, machine
from cktrack.bench import Shape, at_least_one
from cktrack.contest import Contestant, Unit

FLOP = 4e9  # of one unit of work at least: products that are too short to be timed are repeated


def measure(
    shape: Shape,
    rounds: int,
    threads: int,
    batch: Annotated[int, Option(help="rows of ctx tokens that the products run over")] = 4,
    torch: Annotated[bool, Option("--torch/--no-torch", help="torch.mm as an opponent")] = True,
) -> dict[str, Any]:
    """GFLOP/s of the products that a model is made of, and their share of the best product of this machine."""
    at_least_one("batch", batch, " row of ctx tokens")
    from cengine import loader
    from cktrack.product import KINDS, makers

    config, count = shape.config(), loader.thread_count(threads or None)
    facts, peaks = machine.facts(count, torch), machine.peaks(count, torch)
    contests, sides = [], makers("fp32", count, torch)
    for names, (outputs, inputs) in layers(config.parameters(), config.tied).items():
        for kind in KINDS:
            flop = 2.0 * batch * config.ctx * inputs * outputs
            times = max(1, round(FLOP / flop))
            field = [
                Contestant(side, partial(_repeated, make, times, kind, batch, config.ctx, inputs, outputs))
                for side, make in sides.items()
            ]
            case = {"layer": names, "product": kind, "inputs": inputs, "outputs": outputs, "tokens": batch * config.ctx}
            contests.append(contest.report(case, "GFLOP/s", contest.contest(field, rounds), times * flop / 1e9))
    peaks = machine.peaks(count, torch, peaks)
    for line in (line for each in contests for line in each["contestants"]):
        line["share_of_peak"] = line["median"] / peaks["fp32"]["gflop_per_second"] if line["median"] else None
    return {
        "benchmark": "gemm",
        **facts,
        "peaks": peaks,
        "shape": {**config.as_dict(), "batch": batch},
        "note": "weights are packed before: training does that once a step; torch.mm and NumPy pack in every product",
        "rounds": rounds,
        "contests": contests,
    }


def layers(parameters: dict[str, tuple[int, ...]], tied: bool) -> dict[str, tuple[int, int]]:
    """The different shapes [outputs, inputs] of linear layers, named after the layers that have them."""
    names: dict[tuple[int, int], list[str]] = {}
    for name, shape in parameters.items():
        head = "lm_head" in name or ("embed_tokens" in name and tied)
        if len(shape) == 2 and (head or "_proj" in name):
            short = "head" if head else name.split(".")[-2].removesuffix("_proj")
            of = names.setdefault((shape[0], shape[1]), [])
            if short not in of:
                of.append(short)
    return {" ".join(short): shape for shape, short in names.items()}


def _repeated(make: Any, times: int, *shape: Any) -> Unit:
    unit = make(*shape)

    def repeat() -> None:
        for _ in range(times):
            unit()

    return repeat
