"""Decoding gives the ids of a full forward, whatever the batch, the threads and the order; and says why it stopped."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cengine import loader, ops, parity, reference
from cengine.decode import Decoder, Sampling, pick
from cengine.model import DECODING, Config, initial
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


@pytest.mark.kernel
@pytest.mark.parametrize("precision", DECODING)
def test_a_token_at_a_time_gives_the_bits_of_a_full_forward(isa, weights, precision):
    decoder = Decoder(CONFIG, weights, slots=3, precision=precision)
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


def test_weights_as_bytes_compute_the_model_whose_weights_they_stand_for(isa, weights):
    """Against float64 with the rounded weights: all of the change is in the weights. The embedding itself is not rounded."""
    decoder = Decoder(CONFIG, weights, slots=1, precision="int8")
    products = {n for n, w in weights.items() if w.ndim == 2 and "embed" not in n}
    rounded = {n: ops.as_bytes(w) if n in products else w for n, w in weights.items()}
    rounded["lm_head.weight"] = ops.as_bytes(weights["model.embed_tokens.weight"])
    ids = np.random.default_rng(2).integers(0, 83, (1, 150))
    got = decoder.forward(ids[0].tolist(), [0] * 150, range(150)).copy()
    expected = reference.logits(replace(CONFIG, tied=False), rounded, ids, np.arange(150)[None])[0]
    plain = reference.logits(CONFIG, weights, ids, np.arange(150)[None])[0]
    assert parity.distance(got, expected) < 1e-5 < 1e-3 < parity.distance(got, plain) < 0.1


def test_a_batch_of_weights_as_bytes_gives_the_ids_of_each_prompt_alone(isa, weights):
    alone = [Decoder(CONFIG, weights, 1, 1, precision="int8").generate([p], 20, EOS)[0] for p in prompts(6)]
    assert Decoder(CONFIG, weights, 4, 2, precision="int8").generate(prompts(6), 20, EOS) == alone


def test_a_precision_that_is_none_is_refused(weights):
    with pytest.raises(ValueError, match=r"decoding precision: got 'int4'; expected one of \['fp32', 'int8'\]"):
        Decoder(CONFIG, weights, precision="int4")


def test_a_batch_gives_the_ids_of_each_prompt_alone(isa, weights):
    together = Decoder(CONFIG, weights, slots=5, threads=2).generate(prompts(), 40, EOS)
    alone = [Decoder(CONFIG, weights, slots=1, threads=1).generate([p], 40, EOS)[0] for p in prompts()]
    assert together == alone
    assert Decoder(CONFIG, weights, slots=12, threads=4).generate(prompts(), 40, EOS) == alone


@st.composite
def companies(draw) -> list[list[int]]:
    """Prompts of which many begin alike, some are equal and some begin another."""
    base = draw(st.lists(st.integers(0, 82), min_size=1, max_size=60))
    parts = st.tuples(st.integers(0, len(base)), st.lists(st.integers(0, 82), max_size=25))
    return [base[:kept] + rest or [1] for kept, rest in draw(st.lists(parts, min_size=1, max_size=9))]


@pytest.fixture(scope="module")
def deciders(weights):
    """Decoders that keep their caches between the examples, and one that shares nothing."""
    shapes = {(1, True): 1, (2, True): 2, (5, True): 1, (9, True): 2, (1, False): 1, (4, False): 2}
    return {key: Decoder(CONFIG, weights, key[0], threads, share=key[1]) for key, threads in shapes.items()}


@settings(max_examples=12, deadline=None)
@given(asked=companies(), said=st.integers(1, 30))
def test_no_company_and_no_sharing_changes_an_id(deciders, asked, said):
    alone = [deciders[1, False].generate([p], said, EOS)[0] for p in asked]
    for key, decoder in deciders.items():
        assert decoder.generate(asked, said, EOS) == alone, key


@settings(max_examples=5, deadline=None)
@given(asked=companies())
def test_no_company_and_no_sharing_changes_a_draw(deciders, asked):
    sampling = Sampling(0.9, 0.95, seed=3)
    apart = deciders[1, False].generate(asked, 12, EOS, sampling)
    assert all(decoder.generate(asked, 12, EOS, sampling) == apart for decoder in deciders.values())


def counted(decoder) -> list[int]:
    """Counts the tokens that the decoder feeds from now on, in the returned list."""
    fed, plain = [], decoder._set

    def watched(ids, *others):
        fed.extend(ids)
        plain(ids, *others)

    decoder._set = watched
    return fed


def test_a_common_beginning_is_fed_once_and_its_copy_has_the_bits_of_the_fed_one(isa, weights):
    begin = [int(i) for i in np.random.default_rng(8).integers(0, 83, 90)]
    asked = [[*begin, 3, number] for number in range(6)]
    decoder = Decoder(CONFIG, weights, slots=6)
    fed = counted(decoder)
    answers = decoder.generate(asked, 1, None)
    assert len(fed) == 92 + 5, "each of the others feeds its last token alone"
    caches = [n for n, t in decoder.graph.tensors.items() if n.endswith(("keys", "values"))]
    apart = Decoder(CONFIG, weights, slots=6, share=False)
    assert apart.generate(asked, 1, None) == answers and len(caches) == 4
    logits = [d.forward([7] * 6, range(6), [92] * 6).tobytes() for d in (decoder, apart)]
    assert logits[0] == logits[1]


def test_what_was_asked_before_is_not_fed_again(weights):
    decoder = Decoder(CONFIG, weights, slots=2)
    first = decoder.generate([[1, 2, 3]], 30, None)[0]
    fed = counted(decoder)
    assert decoder.generate([[1, 2, 3, *first.ids[:20]]], 10, None)[0].ids == first.ids[20:]
    assert len(fed) == 1, "the last token of the prompt, with which the steps begin"


def test_a_cache_that_was_fed_by_hand_is_not_shared(weights):
    decoder = Decoder(CONFIG, weights, slots=1)
    answer = decoder.generate([[1, 2, 3]], 9, None)
    decoder.forward([9] * 40, [0] * 40, range(40))
    assert decoder.generate([[1, 2, 3]], 9, None) == answer


def test_a_call_that_was_interrupted_leaves_a_decoder_that_works(weights):
    def stop(done: int) -> None:
        raise KeyboardInterrupt

    decoder, asked = Decoder(CONFIG, weights, slots=3), [p * 3 for p in prompts(9) if len(p) < 60]
    alone = [Decoder(CONFIG, weights, slots=1).generate([p], 5, EOS)[0] for p in asked]
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            decoder.generate(asked, 5, EOS, progress=stop)
        assert decoder.generate(asked, 5, EOS) == alone


def test_copying_a_cache_writes_within_it(isa, weights):
    """Counts at and around the borders of panels, on guard words."""
    decoder = Decoder(CONFIG, weights, slots=3)
    ids = [int(i) for i in np.random.default_rng(5).integers(0, 83, 200)]
    decoder.forward(ids[:150], [0] * 150, range(150))
    decoder.forward(ids[150:199], [0] * 49, range(150, 199))
    expected = {at: decoder.forward([ids[at]], [0], [at])[0].copy() for at in (1, 23, 24, 25, 47, 48, 49, 96, 199)}
    for at, logits in expected.items():
        for name, value in (("source", 0), ("target", 2), ("count", at)):
            decoder.machine.view(f"copy_{name}")[0] = value
        decoder.machine.run(decoder._program("copy", 1), guard=True)
        assert (decoder.forward([ids[at]], [2], [at])[0] == logits).all(), at


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


def test_picks_choose_from_the_same_logits_whatever_the_company(weights):
    """Even ids alone, by whoever picks: the same texts for any number of slots, and those of repeated full forwards."""

    def even(logits):
        return int(np.argmax(np.where(np.arange(83) % 2 == 0, logits, -np.inf)))

    asked = prompts(7)
    said = {
        slots: [g.ids for g in Decoder(CONFIG, weights, slots=slots).generate(asked, 20, None, picks=[even] * 7)]
        for slots in (1, 3, 7)
    }
    assert said[1] == said[3] == said[7] and all(i % 2 == 0 for ids in said[1] for i in ids)
    alone, text = Decoder(CONFIG, weights, slots=1), list(asked[2])
    for _ in range(20):
        text.append(even(alone.forward(text, [0] * len(text), range(len(text)))[-1]))
    assert said[1][2] == text[len(asked[2]) :]
    decoder = Decoder(CONFIG, weights, slots=4)
    greedy = decoder.generate(asked, 9, EOS)
    assert decoder.generate(asked, 9, EOS, picks=[lambda logits: int(np.argmax(logits))] * 7) == greedy
    with pytest.raises(ValueError, match="2 picks for 7 prompts"):
        decoder.generate(asked, 9, EOS, picks=[even] * 2)
