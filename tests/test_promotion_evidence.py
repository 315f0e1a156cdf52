"""The bundle: what was sealed comes back, and what was edited, lost or added is found."""

import json

import pytest
from attacks.world import contract, digest, evidence, identity, read_marks
from pydantic import ValidationError

from promotion import SCORES, Evidence, Identity, PromotionError, differences, gates, load, metrics, recompute
from promotion import contest as contest_of


def test_a_sealed_bundle_comes_back_and_gives_the_same_matrix():
    bundle = evidence({"miss": [{"scores": ["exact"], "first": 3}]})
    again = Evidence.unsealed(bundle.sealed())
    assert again == bundle and again.sealed() == bundle.sealed()
    assert recompute(again, contract(), read_marks) == recompute(bundle, contract(), read_marks)


def test_a_digest_does_not_depend_on_the_order_of_keys():
    data = json.loads(evidence().sealed())
    turned = json.dumps(dict(reversed(data.items())), indent=2)
    assert Evidence.unsealed(turned).digest == evidence().digest


@pytest.mark.parametrize(
    "edit",
    [
        lambda d: d["outputs"][0].update(raw="[scene] better [/scene]"),
        lambda d: d["outputs"][0]["scores"].update(exact=False),
        lambda d: d["outputs"].pop(),
        lambda d: d["outputs"].append(d["outputs"][0]),
        lambda d: d["outputs"].reverse(),
        lambda d: d["identity"].update(weights=digest("other weights")),
        lambda d: d["parity"].update(worst=1e-9),
        lambda d: d.update(leak=None),
        lambda d: d.update(digest=digest("x")),
        lambda d: d.pop("digest"),
        lambda d: d.update(note="trust me"),
        lambda d: d["outputs"][0]["scores"].update(exact="yes"),
    ],
)
def test_an_edited_bundle_is_refused(edit):
    data = json.loads(evidence().sealed())
    edit(data)
    with pytest.raises(PromotionError, match="evidence: got"):
        Evidence.unsealed(json.dumps(data))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3"])
def test_a_text_that_is_no_bundle_is_refused(text):
    with pytest.raises(PromotionError, match="evidence: got"):
        Evidence.unsealed(text)


def spoil(change) -> list[str]:
    """Faults that recomputing finds in a bundle that was changed and sealed anew."""
    bundle = evidence()
    return list(recompute(bundle.model_copy(update=change(bundle)), contract(), read_marks).faults)


def test_each_difference_between_stored_and_recomputed_is_a_fault():
    first = lambda b, **change: (b.outputs[0].model_copy(update=change), *b.outputs[1:])  # noqa: E731
    name = evidence().outputs[0].case_id
    assert spoil(lambda b: {}) == []
    assert spoil(lambda b: {"outputs": b.outputs[1:]}) == [f"case {name} has no output"]
    assert spoil(lambda b: {"outputs": (*b.outputs, b.outputs[0])}) == [f"case {name} has 2 outputs"]
    assert spoil(lambda b: {"outputs": first(b, prompt="draw")}) == [f"case {name} was asked another prompt"]
    assert spoil(lambda b: {"cases": digest("easier cases")}) == ["the declared cases changed after probing"]
    assert len(spoil(lambda b: {"outputs": first(b, raw="nonsense")})) == len(SCORES) - 1  # it is not truncated either
    assert spoil(lambda b: {"outputs": first(b, raw="miss exact|" + b.outputs[0].raw)}) == [
        f"case {name}: exact stored as True, recomputed as False"
    ]
    assert spoil(lambda b: {"outputs": first(b, error="killed")}) == [
        f"case {name}: error stored as 'killed', recomputed as None"
    ]


def test_an_output_that_failed_is_a_miss_and_no_fault():
    bundle = evidence()
    failed = bundle.outputs[0].model_copy(update={"stop": "error", "error": "killed", "scores": {}})
    matrix = recompute(bundle.model_copy(update={"outputs": (failed, *bundle.outputs[1:])}), contract(), read_marks)
    assert not matrix.faults and metrics()["exact"](matrix.rows).k == 539


def test_an_extra_row_is_a_fault():
    bundle = evidence()
    extra = bundle.outputs[0].model_copy(update={"case_id": "invented"})
    matrix = recompute(bundle.model_copy(update={"outputs": (*bundle.outputs, extra)}), contract(), read_marks)
    assert matrix.faults == ("case invented is not declared",) and len(matrix.rows) == len(contract().cases)


def test_a_missing_output_is_a_miss_too():
    matrix = recompute(evidence({"drop": 10}), contract(), read_marks)
    assert len(matrix.rows) == 540 and sum(row.error is not None for row in matrix.rows) == 10


def test_a_scorer_that_crashes_makes_a_miss_and_no_fault():
    matrix = recompute(evidence({"miss": [{"scores": ["crash"], "first": 5}]}), contract(), read_marks)
    errors = [row.error for row in matrix.rows if row.error]
    assert not matrix.faults and errors == ["scorer: RecursionError: the output nests too deep"] * 5


def test_the_scorer_never_sees_the_stored_score():
    seen = []
    recompute(evidence(), contract(), lambda *told: seen.append(told) or read_marks(*told))
    assert all(len(told) == 3 and isinstance(told[1], str) and isinstance(told[2], str) for told in seen)


def test_a_numpy_bool_is_no_bool():
    numpy = pytest.importorskip("numpy")
    scorer = lambda *told: {k: numpy.bool_(v) for k, v in read_marks(*told).items()}  # noqa: E731
    matrix = recompute(evidence(), contract(), scorer)
    assert gates()["finite_values"](matrix, None, load("stage_b")).status == "ERROR"


def test_the_champion_is_scored_again_by_the_same_scorer():
    calls = []
    scorer = lambda *told: calls.append(1) or read_marks(*told)  # noqa: E731
    fight = contest_of(evidence(), evidence({}, "1"), contract(), scorer)
    assert len(calls) == 2 * len(contract().cases) and fight.champion.identity.version == "1"


def test_identities_differ_in_sentences():
    told = differences(identity("1"), identity("2", tokenizer="other"))
    assert [line.split()[0] for line in told] == ["version", "run_id", "weights", "tokenizer"]
    assert told[0] == "version differs: spec version 1 has 1, spec version 2 has 2"


@pytest.mark.parametrize("value", ["", "abc", "0" * 64, "A" * 64, "sha256:" + digest("x"), digest("x")[:36], None, 3])
def test_a_hash_that_is_none_is_refused(value):
    with pytest.raises(ValidationError):
        Identity(**{**identity("1").plain(), "weights": value})


@pytest.mark.parametrize("value", ["", " ", 3, None])
def test_a_version_is_text(value):
    with pytest.raises(ValidationError):
        Identity(**{**identity("1").plain(), "version": value})
