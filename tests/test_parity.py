"""The parity gate passes for the engine as it is, on every instruction set, and refuses engines that are wrong."""

from __future__ import annotations

import json
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from variant import planted, python

from cengine import loader, oracle, parity, reference
from cengine.model import Config, initial
from cengine.train import Trainer

RUNG = Config(vocab=512)  # the shape of the ladder's rungs: 3 layers, d 192, ff 384, heads 8/4, ctx 512
TINY = Config(vocab=61, layers=2, d_model=32, d_ff=40, heads=4, kv_heads=2, head_dim=8, ctx=48)


@pytest.fixture(params=loader.INSTRUCTION_SETS)
def isa(request):
    if request.param not in loader.available():
        pytest.skip(f"this CPU has no {request.param}")
    yield loader.choose(request.param)
    loader.choose()


def test_every_gradient_and_ten_steps_agree_at_training_shape(isa):
    report = parity.run(RUNG)
    parity.require(report)
    assert {c["check"] for c in report["checks"]} == {
        "gradients at 3 layers, 8 heads, 2x2x512",
        "gradients at 3 layers, 8 heads, 2x2x127",
        "10 AdamW steps at 2x128",
        "decoding 160 tokens",
    }
    gradients = next(c for c in report["checks"] if c["check"].endswith("2x2x512"))
    assert set(gradients["tensors"]) == {"loss", *RUNG.parameters()}
    assert max(gradients["tensors"].values()) <= 1e-5


@pytest.mark.parametrize("config", [RUNG, TINY], ids=["rung", "tiny"])
def test_bf16_operands_stay_within_their_bounds(config):
    if loader.why_not("bf16"):
        pytest.skip(loader.why_not("bf16"))
    report = parity.run(config, precision="bf16")
    parity.require(report)
    assert {c["bound"] for c in report["checks"]} == {2e-2, 1e-5} and report["precision"] == "bf16"
    worst = max(c["value"] for c in report["checks"] if c["check"].startswith("gradients"))
    assert worst > 1e-4, "these were not bf16 operands"


def test_an_untied_head_and_odd_sizes_agree(isa):
    parity.require(
        parity.run(
            Config(vocab=77, layers=2, d_model=84, d_ff=130, heads=6, kv_heads=3, head_dim=10, ctx=131, tied=False)
        )
    )


def test_the_reference_agrees_with_finite_differences():
    """The judge is judged: a random direction through every parameter at once."""
    weights = {n: w.astype(np.float64) for n, w in parity.sample_weights(TINY, 1).items()}
    batch = parity.sample_batch(TINY, 2, 48, 1)
    where = (batch.ids, batch.targets, batch.pos)
    _, gradients = reference.loss_and_gradients(TINY, weights, *where)
    rng, h = np.random.default_rng(0), 1e-6
    for name in weights:
        direction = rng.normal(size=weights[name].shape)
        shifted = [
            reference.loss_and_gradients(TINY, {**weights, name: weights[name] + s * h * direction}, *where)[0]
            for s in (1, -1)
        ]
        slope = (shifted[0] - shifted[1]) / (2 * h)
        assert slope == pytest.approx(float((gradients[name] * direction).sum()), rel=1e-5, abs=1e-9), name


def test_torch_is_a_second_opinion_or_says_why_not(monkeypatch):
    monkeypatch.setattr(oracle, "available", lambda: "torch is not installed (planted)")
    report = parity.run(TINY)
    torch_checks = [c for c in report["checks"] if "torch" in c["against"]]
    assert report["passed"] and all(
        c["status"] == "skipped" and c["value"] is None and "planted" in c["why"] for c in torch_checks
    )


MUTANTS = {
    "attention forgets the softmax term": (
        "attention.c",
        "v_mul(v_load(p + e), v_sub(c[i][j], v_set(delta[m + i])))",
        "v_mul(v_load(p + e), c[i][j])",
    ),
    "attention leaks into the earlier packed row": (
        "attention.c",
        "v_greater(at, last, other, v_greater(first, at, other, x))",
        "v_greater(at, last, other, x)",
    ),
    "attention forgets keys far back": (
        "attention.c",
        "(float)(at - pos[at])",
        "(float)ck_max(at - pos[at], at - 191)",
    ),
    "weight gradients lose the last tokens of a chunk": (
        "linear.c",
        "some, tokens, a.at + m",
        "some, tokens - 1, a.at + m",
    ),
    "weight gradients forget the batches before": (
        "linear.c",
        "int more = (add & 2) != 0;",
        "int more = 0;",
    ),
    "norm gain gradients skip a block": (
        "rmsnorm.c",
        "for (int64_t k = 0; k < B",
        "for (int64_t k = 1; k < B",
    ),
    "weight decay is a third too small": (
        "adamw.c",
        "lr * hyper[4] * decay",
        "lr * hyper[4] * decay * 0.7f",
    ),
    "the key cache is off by one behind token forty": (
        "attention_cached.c",
        "p = pos[task], w",
        "p = pos[task] - (pos[task] > 40), w",
    ),
}


@pytest.fixture(scope="module")
def mutant_engine(tmp_path_factory):
    """All mutants in one broken build would hide each other: one build each."""
    if "avx2" not in loader.available():
        pytest.skip("the mutations are written against the vector kernels")

    return lambda *change: planted(tmp_path_factory.mktemp("mutant"), "-O1", change)


@pytest.mark.kernel
@pytest.mark.parametrize("ctx", [1, 2, 3, 5, 16])
def test_a_short_context_is_no_fault(ctx, isa):
    parity.require(
        parity.run(Config(vocab=300, layers=1, d_model=32, d_ff=48, heads=4, kv_heads=2, head_dim=8, ctx=ctx))
    )


def test_a_long_context_is_compared_at_its_length():
    config = Config(vocab=40, layers=2, d_model=16, d_ff=24, heads=4, kv_heads=2, head_dim=8, ctx=1100)
    report = parity.run(config)
    parity.require(report)
    assert any(c["check"] == "gradients at 1 layers, 2 heads, 2x1x1100" for c in report["checks"])


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_kernel_is_caught(name, mutant_engine):
    tree = mutant_engine(*MUTANTS[name])
    code = (
        "import json; from cengine import parity; from cengine.model import Config;"
        "r = parity.run(Config(vocab=97, layers=1, ctx=512), torch=False); print(json.dumps(r)); parity.require(r)"
    )
    done = python(tree, "-c", code)
    assert done.returncode != 0 and "ParityError: parity failed, so nothing is trained" in done.stderr
    report = json.loads(done.stdout.splitlines()[0])
    assert report["passed"] is False and any(c["status"] == "fail" and c["worst"] for c in report["checks"])


@pytest.mark.parametrize(
    "config", [replace(RUNG, ctx=64), replace(RUNG, ctx=256), replace(RUNG, ctx=64, vocab=8000, tied=False)]
)
def test_what_the_references_hold_is_known_before_they_are_asked(config):
    weights = parity.sample_weights(config, 7)
    window = [parity.sample_batch(config, 2, config.ctx, 7 + i) for i in range(2)]
    terms = parity.Terms(7, 1, "fp32", "not asked for")
    peaks = []
    for job in (
        lambda: parity.of_window(
            window, lambda b: reference.loss_and_gradients(config, weights, b.ids, b.targets, b.pos)
        ),
        lambda: parity._updates(config, 2, config.ctx, terms),
    ):
        tracemalloc.start()
        job()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert 0.6 <= max(peaks) / parity.memory(config) <= 1.1


def test_a_cached_report_is_marked_and_a_failed_one_is_measured_again(tmp_path):
    calls = []

    def measure(config, torch=True, precision="fp32"):
        calls.append(1)
        return {"passed": len(calls) > 1, "cached": False, "checks": []}

    first = parity.cached(TINY, tmp_path, measure=measure)
    second = parity.cached(TINY, tmp_path, measure=measure)
    third = parity.cached(TINY, tmp_path, measure=measure)
    assert [r["passed"] for r in (first, second, third)] == [False, True, True]
    assert [r["cached"] for r in (first, second, third)] == [False, False, True] and len(calls) == 2
    with pytest.raises(parity.ParityError, match="did not run"):
        parity.require(first)


def test_the_cache_key_changes_with_shape_engine_and_instruction_set(monkeypatch):
    keys = {parity.key(TINY), parity.key(RUNG), parity.key(TINY, torch=False), parity.key(TINY, precision="bf16")}
    monkeypatch.setattr(loader, "fingerprint", lambda: "another")
    keys.add(parity.key(TINY))
    monkeypatch.setattr(loader, "binary", lambda: "another")
    keys.add(parity.key(TINY))
    monkeypatch.setattr(loader, "current", lambda: "another")
    keys.add(parity.key(TINY))
    assert len(keys) == (7 if oracle.available() is None else 6)


def test_initial_weights_come_from_named_streams():
    """A deeper model starts with the same first layers, and each init has the spread it says."""
    shallow, deep = (
        initial(Config(vocab=61, layers=n, d_model=32, d_ff=40, heads=4, kv_heads=2, head_dim=8), 9) for n in (1, 3)
    )
    assert all((deep[n] == w).all() for n, w in shallow.items())
    normal, xavier = initial(RUNG, 1, "normal", 0.02), initial(RUNG, 1, "xavier_uniform")
    name = "model.layers.0.mlp.gate_proj.weight"
    assert normal[name].std() == pytest.approx(0.02, rel=0.02)
    assert np.abs(xavier[name]).max() <= np.sqrt(6 / (192 + 384)) and xavier[name].std() == pytest.approx(
        np.sqrt(2 / (192 + 384)), rel=0.02
    )


def test_the_longest_context_agrees():
    """4096 positions, one layer: attention over 43 key tiles and 128 query tiles."""
    config = Config(vocab=50, layers=1, d_model=16, d_ff=24, heads=2, kv_heads=1, head_dim=8, ctx=4096)
    weights, batch = parity.sample_weights(config, 3), parity.sample_batch(config, 1, 4096, 3)
    trainer = Trainer(config, 1, 4096)
    trainer.load(weights)
    loss, _ = trainer.accumulate([batch])
    expected_loss, expected = reference.loss_and_gradients(config, weights, batch.ids, batch.targets, batch.pos)
    assert loss == pytest.approx(expected_loss, rel=1e-6)
    assert max(parity.distance(trainer.gradient(n), g) for n, g in expected.items()) <= 1e-5
