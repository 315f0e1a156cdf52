"""The parity gate: does the engine, at a rung's own shape, compute what an independent float64 reference computes?

Every gradient tensor of the whole model over a window of two batches (one row as long as the context, packed rows, ignored targets,
an odd length too), ten AdamW steps with clipping and decay, and the logits of decoding token by token; against the NumPy reference,
and gradients and steps against PyTorch where it is installed. A comparison that did not run has the value null
and says why; it is never counted as passed. A report is cached under the hash of everything it depends on, and marked as cached.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cengine import loader, oracle, random, reference
from cengine.decode import Decoder
from cengine.model import Config, decays, initial
from cengine.ops import IGNORED
from cengine.train import Batch, Optimizer, Schedule, Trainer

BOUND = {"fp32": 1e-5, "bf16": 2e-2}  # of ||a-b|| / ||b||, by the precision of the operands
STEPS = 10
DEEPEST, NARROWEST = (
    4,
    24,
)  # layers and head size up to, and from, which bf16 was measured to stay well within its bound
ROWS, WHOLE = 2, 512  # of a batch that is compared, and its tokens in all layers at most
HERE = Path(__file__).resolve().parent


class ParityError(RuntimeError):
    """The engine does not compute the model; nothing may be trained with it."""


def precision_for(layers: int, head_dim: int) -> str:
    """The quickest precision that may be trained in here: bf16 where the CPU multiplies it and a model of this shape holds its bound, else
    fp32. The gate measures it all the same."""
    return "bf16" if holds_bf16(layers, head_dim) and loader.why_not("bf16") is None else "fp32"


def holds_bf16(layers: int, head_dim: int) -> bool:
    """Whether a model of this shape holds the bound of bf16, on a CPU that multiplies it."""
    return layers <= DEEPEST and head_dim >= NARROWEST


def sample_batch(config: Config, rows: int, time: int, seed: int) -> Batch:
    """Random tokens, three targets in ten ignored; the first row is one whole row, the others are packed from uneven ones."""
    draws = random.uniform(seed, random.stream_of(f"parity/{rows}/{time}"), 4 * rows * time).reshape(4, rows, time)
    ids, targets = ((d * config.vocab).astype(np.int32) for d in draws[:2])
    targets[draws[2] < 0.3] = IGNORED
    targets[0, -1] = ids[0, 0]  # there is always a target
    starts = draws[3] < 6.0 / time
    starts[0], starts[:, 0] = False, True
    at = np.arange(time)
    pos = at - np.maximum.accumulate(np.where(starts, at, 0), 1)
    return Batch(ids, targets, pos.astype(np.int32))


def sample_weights(config: Config, seed: int) -> dict[str, np.ndarray]:
    """Initial weights with every norm gain away from 1, so that a forgotten gain shows."""
    weights = initial(config, seed)
    for name, w in weights.items():
        if w.ndim == 1:
            w *= (0.75 + 0.5 * random.uniform(seed, random.stream_of(f"gain/{name}"), w.size)).astype(np.float32)
    return weights


def distance(a: np.ndarray, b: np.ndarray, floor: float = 1e-300) -> float:
    """||a-b|| / max(||b||, floor) in float64; infinite if a is not finite."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if not np.isfinite(a).all():
        return float("inf")
    return float(np.linalg.norm(a - b) / max(float(np.linalg.norm(b)), floor))


def _check(name: str, against: str, errors: dict[str, float], what: str, precision: str) -> dict:
    worst = max(errors, key=lambda n: errors[n])
    value = errors[worst]
    return {
        "check": name,
        "against": against,
        "what": what,
        "value": value if np.isfinite(value) else None,
        "bound": BOUND[precision],
        "worst": worst,
        "tensors": {n: (e if np.isfinite(e) else None) for n, e in errors.items()},
        "status": "pass" if value <= BOUND[precision] else "fail",
        "why": None if np.isfinite(value) else f"{worst} is not finite",
    }


def _skipped(name: str, against: str, why: str, precision: str) -> dict:
    return {
        "check": name,
        "against": against,
        "value": None,
        "bound": BOUND[precision],
        "status": "skipped",
        "why": why,
    }


Gradients = tuple[float, dict[str, np.ndarray]]


@dataclass(frozen=True)
class Terms:
    """How comparisons are run. `torch_missing`: why torch is no second opinion, or None."""

    seed: int
    threads: int | None
    precision: str
    torch_missing: str | None


def of_window(window: Sequence[Batch], of_batch: Callable[[Batch], Gradients]) -> Gradients:
    """Mean loss over all valid targets of a window and its gradients, from those of each batch."""
    total = sum(batch.valid() for batch in window)
    loss = 0.0
    sums: dict[str, np.ndarray] = {}
    for batch in window:
        part, gradients = of_batch(batch)
        share = batch.valid() / total
        loss += part * share
        sums = {n: sums.get(n, 0.0) + g * share for n, g in gradients.items()}
    return loss, sums


def _gradients(config: Config, rows: int, time: int, terms: Terms) -> list[dict]:
    weights = sample_weights(config, terms.seed)
    window = [sample_batch(config, rows, time, terms.seed + i) for i in range(2)]
    trainer = Trainer(config, rows, time, threads=terms.threads, precision=terms.precision)
    trainer.load(weights)
    loss, _ = trainer.accumulate(window)
    shape = f"{config.layers} layers, {config.heads} heads, 2x{rows}x{time}"
    name, what = f"gradients at {shape}", "loss and every gradient tensor, ||a-b||/||b||"

    def compare(against: str, expected_loss: float, expected: dict[str, np.ndarray]) -> dict:
        floor = 1e-6 * float(np.sqrt(sum(np.square(g).sum() for g in expected.values())))  # a gradient may be 0
        errors = {n: distance(trainer.gradient(n), g, floor) for n, g in expected.items()}
        return _check(
            name,
            against,
            {"loss": abs(loss - expected_loss) / max(abs(expected_loss), 1e-6), **errors},
            what,
            terms.precision,
        )

    def numpy_gradients(batch: Batch) -> Gradients:
        return reference.loss_and_gradients(config, weights, batch.ids, batch.targets, batch.pos)

    checks = [compare("float64 NumPy", *of_window(window, numpy_gradients))]
    if terms.torch_missing:
        return [*checks, _skipped(name, "float64 torch", terms.torch_missing, terms.precision)]
    return [*checks, compare("float64 torch", *of_window(window, lambda b: oracle.Model(config, weights).gradients(b)))]


def _updates(config: Config, rows: int, time: int, terms: Terms) -> list[dict]:
    """Steps with a decay and an epsilon that matter (rounding noise in a gradient near 0 would be a whole step), and a clip that bites."""
    weights, settings, schedule = (
        sample_weights(config, terms.seed),
        Optimizer(eps=1e-6, weight_decay=0.3),
        Schedule(3e-4, STEPS, 2),
    )
    windows = [[sample_batch(config, rows, time, terms.seed + 1 + i)] for i in range(STEPS)]
    trainer = Trainer(config, rows, time, settings, terms.threads, precision=terms.precision)
    trainer.load(weights)
    for i, window in enumerate(windows):
        trainer.step(window, schedule.at(i))
    name, what = f"{STEPS} AdamW steps at {rows}x{time}", "every weight tensor after the steps, ||a-b||/||b||"
    expected = {n: w.astype(np.float64) for n, w in weights.items()}
    moments: dict[str, np.ndarray] = {}
    for i, (batch,) in enumerate(windows):
        _, gradients = reference.loss_and_gradients(config, expected, batch.ids, batch.targets, batch.pos)
        reference.adamw(expected, gradients, moments, i + 1, schedule.at(i), settings, decays)
    own = trainer.weights()
    checks = [
        _check(name, "float64 NumPy", {n: distance(own[n], w) for n, w in expected.items()}, what, terms.precision)
    ]
    if terms.torch_missing:
        return [*checks, _skipped(name, "float64 torch", terms.torch_missing, terms.precision)]
    model = oracle.Model(config, weights)
    optimizer = model.optimizer(settings, schedule.at(0))
    for i, window in enumerate(windows):
        for group in optimizer.param_groups:
            group["lr"] = schedule.at(i)
        model.step(optimizer, window, settings.max_norm)
    errors = {n: distance(own[n], p.detach().numpy()) for n, p in model.parameters.items()}
    return [*checks, _check(name, "float64 torch", errors, what, terms.precision)]


def _decoding(config: Config, time: int, terms: Terms) -> list[dict]:
    """Two prompts, one fed at once and then token by token, the other token by token from the start."""
    weights, batch = sample_weights(config, terms.seed), sample_batch(config, 2, time, terms.seed)
    decoder = Decoder(config, weights, slots=2, threads=terms.threads)
    first, got = min(time - 1, time // 3 + 1), np.zeros((2, time, config.vocab))
    for at in range(0, first, decoder.room):
        part = range(at, min(first, at + decoder.room))
        got[0, part] = decoder.forward(batch.ids[0, part].tolist(), [0] * len(part), list(part))
    for at in range(time):
        fed = [0, 1] if at >= first else [1]
        got[fed, at] = decoder.forward(batch.ids[fed, at].tolist(), fed, [at] * len(fed))
    expected = reference.logits(config, weights, batch.ids, np.broadcast_to(np.arange(time), (2, time)))
    errors = {f"prompt {i}": distance(got[i], expected[i]) for i in range(2)}
    return [_check(f"decoding {time} tokens", "float64 NumPy", errors, "logits of every token, ||a-b||/||b||", "fp32")]


def run(
    config: Config,
    rows: int = ROWS,
    time: int | None = None,
    seed: int = 7,
    threads: int | None = None,
    torch: bool = True,
    precision: str = "fp32",
) -> dict:
    """Measure parity at a model's shape. `passed` needs every NumPy comparison to have run and held, and no torch one to have failed.

    Contexts beyond WHOLE tokens are compared in one layer with one key head: the reference stores every score.
    """
    length = min(config.ctx, time or WHOLE)
    terms = Terms(seed, threads, precision, oracle.available() if torch else "not asked for")
    jobs: list[Callable[[], list[dict]]] = [
        lambda: _gradients(config, rows, length, terms),
        lambda: _gradients(config, rows, max(1, length // 4 - 1) | 1, terms),
        lambda: _updates(config, rows, min(length, 128), terms),
        lambda: _decoding(config, min(length, 160), terms),
    ]
    if config.ctx > length and time is None:
        long = replace(config, layers=1, heads=config.heads // config.kv_heads, kv_heads=1)
        jobs.append(lambda: _gradients(long, 1, config.ctx, terms))
    checks = [check for job in jobs for check in job()]
    own = [c for c in checks if c["against"] == "float64 NumPy"]
    passed = (
        len(own) == len(jobs) and all(c["status"] == "pass" for c in own) and all(c["status"] != "fail" for c in checks)
    )
    return {
        "passed": passed,
        "cached": False,
        "model": config.as_dict(),
        "engine": loader.fingerprint(),
        "instruction_set": loader.current(),
        "precision": precision,
        "torch": oracle.version() if terms.torch_missing is None else None,
        "checks": checks,
    }


def memory(config: Config) -> int:
    """About how many bytes the float64 references of `run` hold at most: scores and activations of every layer, logits, and six times the weights."""
    time = min(config.ctx, WHOLE)
    tokens, scores = ROWS * time, ROWS * config.heads * time * time
    wide = 6 * config.d_model + 6 * config.heads * config.head_dim + 5 * config.d_ff
    short = config.layers * (tokens * wide + scores) + 4 * scores + 5 * tokens * config.vocab
    long = 5 * config.heads // config.kv_heads * config.ctx**2 if config.ctx > time else 0
    return 8 * (max(short, long) + 6 * config.parameter_count())


def key(config: Config, torch: bool = True, precision: str = "fp32") -> str:
    """Hash of all that a report depends on: the compiled engine, its sources and this package, instruction set, shape, NumPy and torch."""
    sources = b"".join(path.read_bytes() for path in sorted(HERE.glob("*.py")))
    judges = [np.__version__, oracle.version() if torch and oracle.available() is None else None]
    engine = [loader.fingerprint(), loader.binary(), loader.current(), precision]
    what = json.dumps([config.as_dict(), engine, judges, hashlib.sha256(sources).hexdigest()])
    return hashlib.sha256(what.encode()).hexdigest()


def cached(
    config: Config,
    folder: Path,
    torch: bool = True,
    measure: Callable[..., dict] | None = None,
    precision: str = "fp32",
) -> dict:
    """The report for this engine and shape: read from `folder` and marked as cached if it was measured before, else measured."""
    name = key(config, torch, precision)
    path = folder / f"{name}.json"
    if path.is_file():
        report = json.loads(path.read_text())
        if report.get("passed") is True:
            return {**report, "cached": True}
    report = {**(measure or run)(config, torch=torch, precision=precision), "key": name}
    folder.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(report, indent=1, allow_nan=False))
    part.replace(path)
    return report


def require(report: dict) -> None:
    """Raise ParityError unless the report passed."""
    if report["passed"] is True:
        return
    bad = [
        f"{c['check']} against {c['against']}: {c.get('worst')} differs by {c['value']}, bound {c['bound']}"
        for c in report["checks"]
        if c["status"] == "fail"
    ]
    raise ParityError(
        "parity failed, so nothing is trained: "
        + ("; ".join(bad) or "a comparison with the float64 reference did not run")
    )
