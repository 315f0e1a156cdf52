"""Benchmarks: ours and theirs alternate in one process, medians and spreads, with the machine named. Never a timed test."""

from __future__ import annotations

import statistics
import time
from typing import Any

import numpy as np

from cengine import loader, oracle
from cengine.model import Config, initial
from cengine.train import Batch, Optimizer, Trainer
from cktrack.rung import _cpu


def _batch(config: Config, rows: int) -> Batch:
    """Unpacked rows of random tokens, every position a target: the work that both sides do alike."""
    rng = np.random.default_rng(0)
    ids = rng.integers(0, config.vocab, (rows, config.ctx + 1)).astype(np.int32)
    pos = np.broadcast_to(np.arange(config.ctx, dtype=np.int32), (rows, config.ctx)).copy()
    return Batch(ids[:, :-1].copy(), ids[:, 1:].copy(), pos)


def _rates(tokens: int, seconds: list[float]) -> dict[str, Any]:
    rates = sorted(tokens / s for s in seconds)
    return {"tokens_per_second": statistics.median(rates), "min": rates[0], "max": rates[-1], "runs": len(rates)}


def train(config: Config, rows: int, pairs: int, threads: int | None, against: str) -> dict[str, Any]:
    """Optimizer steps of both sides in turn. ratio = median over pairs of (theirs seconds / ours seconds); null if theirs did not run."""
    if rows < 1:
        raise ValueError(f"bench: batch={rows}; expected at least 1 row of ctx tokens")
    if pairs < 1:
        raise ValueError(f"bench: pairs={pairs}; expected at least 1 (5 or more to quote)")
    if against not in ("torch", "none"):
        raise ValueError(f"bench: --against got {against!r}; expected torch or none")
    count = loader.thread_count(threads)
    weights, batch, settings = initial(config, 0), _batch(config, rows), Optimizer()
    trainer = Trainer(config, rows, config.ctx, settings, count)
    trainer.load(weights)
    missing = oracle.available() if against == "torch" else "not asked for (--against none)"
    other = oracle.Bench(config, weights, batch, count, settings) if missing is None else None

    def ours() -> float:
        before = time.perf_counter()
        trainer.step([batch], 1e-3)
        return time.perf_counter() - before

    for _ in range(2):
        ours()
        if other:
            other.seconds()
    mine, theirs = [], []
    for _ in range(pairs):
        mine.append(ours())
        if other:
            theirs.append(other.seconds())
    tokens = rows * config.ctx
    return {
        "benchmark": "train",
        "shape": {**config.as_dict(), "batch": rows},
        "precision": "fp32",
        "threads": count,
        "cpu": _cpu(),
        "cpu_flags": loader.available(),
        "instruction_set": loader.current(),
        "useful_gflop_per_second": statistics.median(tokens / s for s in mine)
        * config.flops_per_token(config.ctx / 2)
        / 1e9,
        "ours": {"name": "cktrack", **_rates(tokens, mine)},
        "theirs": {"name": f"torch {oracle.version()} eager fp32", **_rates(tokens, theirs)}
        if other
        else {"name": "torch", "tokens_per_second": None, "why": missing},
        "ratio": statistics.median(t / m for t, m in zip(theirs, mine, strict=True)) if other else None,
        "pairs": pairs,
    }
