"""Decoding gives the ids of a full forward, whatever the batch, the threads and the order; and says why it stopped."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from cengine import loader, parity
from cengine.decode import Decoder, Sampling, pick
from cengine.model import Config, initial
from cengine.train import Batch, Trainer

CONFIG = Config(vocab=83, layers=2, d_model=64, d_ff=96, heads=6, kv_heads=2, head_dim=14, ctx=200)
EOS = 5


@pytest.fixture(params=loader.INSTRUCTION_SETS)
def isa(request):
    if request.param not in loader.available():
        pytest.skip(f"this CPU has no {request.param}")
    yield loader.choose(request.param)
    loader.choose()


@pytest.fixture(scope="module")
def weights():
    return initial(CONFIG, 3, "normal", 0.3)


def prompts(count: int = 12) -> list[list[int]]:
    rng = np.random.default_rng(0)
    return [[int(i) for i in rng.integers(0, 83, 1 + 13 * n % 70)] for n in range(count)]


def test_a_token_at_a_time_gives_the_bits_of_a_full_forward(isa, weights):
    decoder = Decoder(CONFIG, weights, slots=3)
    ids = [int(i) for i in np.random.default_rng(1).integers(0, 83, 150)]
    whole = decoder.forward(ids, [0] * 150, range(150), guard=True).copy()
    single = np.stack([decoder.forward([token], [2], [at])[0].copy() for at, token in enumerate(ids)])
    assert (whole == single).all()


def test_decoding_computes_the_model_that_training_computes(isa, weights):
    """Greedy ids equal the argmax of the training forward; losses agree to rounding."""
    decoder, rng = Decoder(CONFIG, weights, slots=1), np.random.default_rng(2)
    ids = rng.integers(0, 83, 120).astype(np.int32)
    logits = decoder.forward(ids, [0] * 120, range(120)).astype(np.float64)
    trainer = Trainer(CONFIG, 1, 120)
    trainer.load(weights)
    targets = rng.integers(0, 83, (1, 120)).astype(np.int32)
    losses = trainer.losses(Batch(ids[None], targets, np.arange(120, dtype=np.int32)[None]))[0]
    lse = np.log(np.exp(logits - logits.max(1, keepdims=True)).sum(1)) + logits.max(1)
    assert np.abs(losses - (lse - logits[np.arange(120), targets[0]])).max() < 2e-4 * np.abs(losses).max()


def test_a_batch_gives_the_ids_of_each_prompt_alone(isa, weights):
    together = Decoder(CONFIG, weights, slots=5, threads=2).generate(prompts(), 40, EOS)
    alone = [Decoder(CONFIG, weights, slots=1, threads=1).generate([p], 40, EOS)[0] for p in prompts()]
    assert together == alone
    assert Decoder(CONFIG, weights, slots=12, threads=4).generate(prompts(), 40, EOS) == alone


def test_greedy_ids_are_those_of_repeated_full_forwards(weights):
    decoder = Decoder(CONFIG, weights, slots=1)
    row = [1, 2, 3]
    expected: list[int] = []
    while len(expected) < 20:
        token = int(decoder.forward(row, [0] * len(row), range(len(row)))[-1].argmax())
        if token == EOS:
            break
        expected.append(token)
        row.append(token)
    assert decoder.generate([[1, 2, 3]], 20, EOS)[0].ids == expected


def test_sampling_is_seeded_by_prompt_and_position(weights):
    sampling = Sampling(0.9, 0.95, seed=11)
    first = Decoder(CONFIG, weights, slots=4).generate(prompts(), 25, EOS, sampling)
    again = Decoder(CONFIG, weights, slots=1, threads=1).generate(prompts(), 25, EOS, sampling)
    other = Decoder(CONFIG, weights, slots=4).generate(prompts(), 25, EOS, Sampling(0.9, 0.95, seed=12))
    assert first == again and first != other


def test_top_p_keeps_the_smallest_set_that_reaches_its_mass():
    logits = np.log(np.array([0.5, 0.3, 0.15, 0.05]))
    drawn = {pick(logits, Sampling(1.0, 0.75, seed), 0, 0) for seed in range(300)}
    assert drawn == {0, 1}
    assert {pick(logits, Sampling(1.0, 1.0, seed), 0, 0) for seed in range(300)} == {0, 1, 2, 3}
    counts = np.bincount([pick(logits, Sampling(1.0, 1.0, seed), 0, 0) for seed in range(3000)], minlength=4) / 3000
    assert np.abs(counts - [0.5, 0.3, 0.15, 0.05]).max() < 0.03


def test_the_reason_for_stopping_is_told(weights):
    decoder = Decoder(CONFIG, weights, slots=2)
    free = decoder.generate([[1, 2, 3]], 30, eos=None)[0]
    assert free.reason == "budget" and len(free.ids) == 30
    ended = decoder.generate([[1, 2, 3]], 30, eos=free.ids[4])[0]
    assert ended.reason == "eos" and ended.ids == free.ids[: free.ids.index(free.ids[4])]
    full = decoder.generate([[1] * 190], 30, eos=None)[0]
    assert full.reason == "context" and len(full.ids) == 200 - 190 + 1


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([[]], "prompt 0 has 0 tokens"),
        ([[1], [83]], "prompt 1 has ids outside"),
        ([[1] * 201], "expected 1 to ctx=200"),
    ],
)
def test_bad_prompts_are_refused(bad, message, weights):
    with pytest.raises(ValueError, match=message):
        Decoder(CONFIG, weights, slots=1).generate(bad, 5, EOS)


@pytest.mark.parametrize("head_dim", [8, 256])
def test_the_smallest_and_largest_head_decode_what_they_train(head_dim):
    config = Config(vocab=31, layers=1, d_model=16, d_ff=24, heads=2, kv_heads=1, head_dim=head_dim, ctx=120)
    report = parity.run(config, torch=False)
    parity.require(report)
    decoder = Decoder(config, initial(config, 1, "normal", 0.5), slots=2)
    ids = [int(i) for i in np.random.default_rng(4).integers(0, 31, 110)]
    whole = decoder.forward(ids, [0] * 110, range(110), guard=True).copy()
    assert (whole == np.stack([decoder.forward([t], [1], [i])[0].copy() for i, t in enumerate(ids)])).all()


def test_threads_that_share_a_decoder_take_turns(weights):
    decoder = Decoder(CONFIG, weights, slots=3, threads=2)
    asked = prompts(8)
    alone = [decoder.generate([p], 20, EOS)[0] for p in asked]
    with ThreadPoolExecutor(4) as crowd:
        assert list(crowd.map(lambda p: decoder.generate([p], 20, EOS)[0], asked)) == alone


def test_a_sampled_prompt_does_not_depend_on_its_company(weights):
    decoder, sampling = Decoder(CONFIG, weights, slots=4), Sampling(0.9, 0.95, seed=11)
    a, b = [1, 2, 3], [4, 5, 6, 7]
    alone = decoder.generate([b], 25, EOS, sampling)[0]
    assert decoder.generate([a, b], 25, EOS, sampling)[1] == alone == decoder.generate([b, a], 25, EOS, sampling)[0]
    twice = decoder.generate([b, b], 25, EOS, sampling)
    assert twice[0] == alone and twice[1] != alone  # equal prompts draw differently


@pytest.mark.parametrize(
    ("ids", "slots", "positions"),
    [([83], [0], [0]), ([1], [2], [0]), ([1], [0], [200]), ([-1], [0], [0]), ([1], [0], [0, 1]), ([], [], [])],
)
def test_tokens_outside_the_caches_are_refused(ids, slots, positions, weights):
    with pytest.raises(ValueError, match=r"decoder: .*expected"):
        Decoder(CONFIG, weights, slots=2).forward(ids, slots, positions)


def test_weights_that_are_not_the_models_are_refused(weights):
    with pytest.raises(ValueError, match=r"model\.norm\.weight has shape \(1,\)"):
        Decoder(CONFIG, {**weights, "model.norm.weight": np.ones(1, np.float32)}, slots=1)
    with pytest.raises(ValueError, match="missing"):
        Decoder(CONFIG, {n: w for n, w in weights.items() if n != "model.norm.weight"}, slots=1)
    with pytest.raises(ValueError, match=r"seed .* expected 0 to 2\^64"):
        Sampling(seed=2**64)
