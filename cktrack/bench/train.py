"""Training steps: ours against PyTorch, eager and compiled, both in fp32 and in bfloat16, on the same weights, rows and threads."""

from __future__ import annotations

from typing import Annotated, Any

from typer import Option

from cktrack import contest, footprint, machine
from cktrack.bench import Shape, counts
from cktrack.contest import Absent, Contestant, Unit

TORCH = {  # option -> name, precision, compiled
    "eager": ("torch eager fp32", "fp32", False),
    "compile": ("torch.compile fp32", "fp32", True),
    "bf16": ("torch eager bf16", "bf16", False),
    "compile-bf16": ("torch.compile bf16", "bf16", True),
}


def measure(
    shape: Shape,
    rounds: int,
    threads: int,
    against: Annotated[
        str, Option(help="torch (all four), none, or some of eager,compile,bf16,compile-bf16 with commas")
    ] = "torch",
    batch: Annotated[str, Option(help="rows of ctx tokens in a batch; several with commas")] = "4",
    memory: Annotated[bool, Option(help="peak memory of each, in a process of its own")] = True,
) -> dict[str, Any]:
    """Training tokens per second, ours against PyTorch eager, compiled and in bf16, on the same shape and threads."""
    batches, names = counts("batch", batch, "row of ctx tokens"), opponents(against)
    from cengine import loader

    config, count = shape.config(), loader.thread_count(threads or None)
    fits(shape, max(batches), count, names)
    facts, peaks = machine.facts(count, bool(names)), machine.peaks(count, bool(names))
    contests, flop = [], config.flops_per_token(config.ctx / 2)
    for rows in batches:
        outcomes = contest.contest(contestants(shape, rows, count, names), rounds)
        contests.append(contest.report({"batch": rows}, "tokens/s", outcomes, rows * config.ctx))
    peaks = machine.peaks(count, bool(names), peaks)
    for each in contests:
        for line in each["contestants"]:
            speed = line["median"] * flop / 1e9 if line["median"] else None
            top = peaks[line["precision"]]["gflop_per_second"]
            line["gflop_per_second"], line["mfu"] = speed, speed / top if speed and top else None
            line["peak_memory"], line["peak_memory_why"] = None, line["why"] or "not asked for (--no-memory)"
            if memory and speed:
                case = {"rows": each["case"]["batch"], "threads": count, "names": names}
                line["peak_memory"], line["peak_memory_why"] = footprint.ask("train", line["name"], shape, case)
    result = {
        "benchmark": "train",
        **facts,
        "peaks": peaks,
        "shape": {**config.as_dict(), "batch": batches[0] if len(batches) == 1 else batches},
        "flop_per_token": flop,
        "rounds": rounds,
        "contests": contests,
    }
    return {**result, **_pair(contests[0], against, facts["versions"]["torch"])}


def fits(shape: Shape, rows: int, threads: int, names: list[str]) -> None:
    """Refuse what this machine has no memory for: all contestants of a batch live at once. Torch's part is a guess from ours: weights,
    gradients and moments, and every tensor of the step in a place of its own."""
    from cengine.inventory import plan_of
    from cengine.train import part_of
    from experiments.preflight.machine import free_memory

    free, config = free_memory(), shape.config()
    part = part_of(rows, config.ctx, threads)
    ours_ = sum(plan_of(config, rows, config.ctx, p, part)["bytes"]["arena"] for p in ("fp32", "bf16"))
    theirs_ = 16 * config.parameter_count() + plan_of(config, rows, config.ctx)["bytes"]["shared_if_apart"]
    needed = ours_ + len(names) * theirs_
    if free is not None and needed > free:
        raise ValueError(
            f"bench: {len(names) + 2} contestants would need about {needed / 1e9:.1f} GB at once, {free / 1e9:.1f} GB are free; "
            "ask for fewer (--against eager,compile or none), a smaller --batch or --shape"
        )


def opponents(against: str) -> list[str]:
    """The options named by --against."""
    if against in ("torch", "none"):
        return list(TORCH) if against == "torch" else []
    names = against.split(",")
    if not set(names) <= set(TORCH):
        raise ValueError(f"bench: --against got {against!r}; expected torch, none, or some of {','.join(TORCH)}")
    return [name for name in TORCH if name in names]


def contestants(shape: Shape, rows: int, threads: int, names: list[str]) -> list[Contestant]:
    """Ours first. A unit of work is one optimizer step over one batch."""

    def torchs(name: str) -> Contestant:
        label, precision, compiled = TORCH[name]
        return Contestant(label, lambda: theirs(shape, rows, threads, precision, compiled), precision)

    own = Contestant("cktrack", lambda: ours(shape, rows, threads, "fp32"))
    bf16 = Contestant("cktrack bf16", lambda: ours(shape, rows, threads, "bf16"), "bf16")
    return [own, bf16, *map(torchs, names)]


def work(shape: Shape, rows: int) -> tuple[Any, Any, Any]:
    """Weights, a batch and the optimizer's settings: unpacked rows of random tokens, every position a target."""
    import numpy as np

    from cengine.model import initial
    from cengine.train import Batch, Optimizer

    config, rng = shape.config(), np.random.default_rng(0)
    ids = rng.integers(0, config.vocab, (rows, config.ctx + 1)).astype(np.int32)
    pos = np.broadcast_to(np.arange(config.ctx, dtype=np.int32), (rows, config.ctx)).copy()
    return initial(config, 0), Batch(ids[:, :-1].copy(), ids[:, 1:].copy(), pos), Optimizer()


def ours(shape: Shape, rows: int, threads: int, precision: str) -> Unit:
    from cengine import loader
    from cengine.train import Trainer

    missing = loader.why_not(precision)
    if missing:
        raise Absent(missing)
    weights, batch, settings = work(shape, rows)
    config = shape.config()
    trainer = Trainer(config, rows, config.ctx, settings, threads, precision=precision)
    trainer.load(weights)
    return lambda: trainer.step([batch], 1e-3)


def theirs(shape: Shape, rows: int, threads: int, precision: str, compiled: bool) -> Unit:
    from cengine import oracle

    missing = oracle.available() or (machine.lacks_bf16() if precision == "bf16" else None)
    if missing:
        raise Absent(missing)
    weights, batch, settings = work(shape, rows)
    return oracle.Bench(shape.config(), weights, batch, threads, settings, precision, compiled).step


def _pair(first: dict[str, Any], against: str, torch: str | None) -> dict[str, Any]:
    """The two sides that are quoted most, of the first batch: ours and torch eager fp32. `ratio` is null if theirs did not run."""
    lines = {line["name"]: line for line in first["contestants"]}
    mine, other = lines["cktrack"], lines.get(TORCH["eager"][0])

    def side(line: dict[str, Any], name: str) -> dict[str, Any]:
        return {
            "name": name,
            "tokens_per_second": line["median"],
            "min": line["worst"],
            "max": line["best"],
            "runs": len(line["seconds"]),
        }

    why = other["why"] if other else f"not asked for (--against {against})"
    ran = other is not None and other["median"] is not None
    return {
        "ours": side(mine, "cktrack"),
        "theirs": side(other, f"torch {torch} eager fp32")
        if ran and other
        else {"name": "torch", "tokens_per_second": None, "why": why},
        "ratio": other["ratio"] if ran and other else None,
        "pairs": len(mine["seconds"]),
        "precision": mine["precision"],
        "useful_gflop_per_second": mine["gflop_per_second"],
    }
