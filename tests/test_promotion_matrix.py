"""Rows, units and metrics: nothing is dropped, replicates are no evidence, an error is a miss."""

from dataclasses import replace
from itertools import pairwise

import pytest
from attacks.world import contest, contract, matrix
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from cktrack import board
from promotion import SCORES, CaseScore, Status, Verdict, gates, judge, load, measure, metrics, statistic, wins
from promotion.matrix import scored, units
from promotion.metric import rate
from promotion.versus import tally

GOOD = dict.fromkeys(SCORES, True) | {"truncated": False}


def row(number: int, cluster: str = "", prompt: str | None = None, **scores) -> CaseScore:
    prompt = prompt or f"prompt {number}"
    return CaseScore(str(number), prompt, "unseen_target", "f", cluster=cluster, kind="ood", **{**GOOD, **scores})


def test_replicates_of_fourteen_prompts_are_fourteen_cases():
    rows = [row(i, cluster=f"own {i}", prompt=f"prompt {i % 14}") for i in range(42)]
    measured = metrics()["exact"](rows)
    assert (measured.k, measured.n, measured.n_effective) == (42, 42, 14)
    assert measured.lower_bound == pytest.approx(0.8074, abs=1e-4)


def test_rows_of_one_target_are_one_unit_and_succeed_together():
    rows = [row(0, "a"), row(1, "a", exact=False), row(2, "b"), row(3, "b")]
    measured = metrics()["exact"](rows)
    assert (measured.k, measured.n, measured.k_effective, measured.n_effective) == (3, 4, 1, 2)
    assert measured.lower_bound == statistic.lower_bound(1, 2)  # all rows of a unit
    assert measured.upper_bound == statistic.upper_bound(2, 2)  # any row of a unit


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=30))
def test_units_partition_the_rows_and_never_split_a_prompt_or_a_target(pairs):
    rows = [row(i, cluster=f"t{t}", prompt=f"p{p}") for i, (t, p) in enumerate(pairs)]
    groups = units(rows)
    assert sorted(r.case_id for g in groups for r in g) == sorted(r.case_id for r in rows)
    for name in ("prompt", "cluster"):
        seen = [{getattr(r, name) for r in group} for group in groups]
        assert sum(map(len, seen)) == len(set().union(*seen))


@given(st.lists(st.lists(st.booleans(), min_size=1, max_size=4), min_size=1, max_size=40))
def test_clustered_bounds_are_never_bolder_than_the_rates_of_their_units(groups):
    measured = rate("x", groups, 0.05)
    assert measured.lower_bound <= sum(map(all, groups)) / len(groups) <= measured.upper_bound
    assert measured.interval[0] <= measured.lower_bound and measured.upper_bound <= measured.interval[1]


@pytest.mark.parametrize("name", [n for n, m in metrics().items() if n != "truncation"])
def test_an_error_is_a_miss_and_never_drops_out(name):
    rows = [row(0), row(1, error="the scorer crashed")]
    assert (metrics()[name](rows).k, metrics()[name](rows).n) == (1, 2)


def test_an_error_counts_as_truncated():
    assert metrics()["truncation"]([row(0), row(1, error="no output")]).k == 1


@pytest.mark.parametrize("odd", [float("nan"), None, 1, 1.0, "true"])
@pytest.mark.parametrize("name", ["exact", "truncation"])
def test_a_score_that_is_no_bool_counts_as_the_worse(name, odd):
    field = {"exact": "exact", "truncation": "truncated"}[name]
    measured = metrics()[name]([row(0, **{field: odd})])
    assert measured.value == (1.0 if name == "truncation" else 0.0)


def test_nothing_scored_is_nothing_known():
    measured = metrics()["exact"]([])
    assert (measured.value, measured.n, measured.lower_bound, measured.upper_bound) == (None, 0, 0.0, 1.0)


def test_a_scorer_that_forgets_a_score_makes_an_error():
    case = contract().cases[0]
    assert "look at exact" in scored(case, contract(), {k: v for k, v in GOOD.items() if k != "exact"}).error


def test_the_ood_rate_sees_only_what_the_contract_marks():
    measured = measure(matrix())
    assert measured["all"]["ood_pass_rate"].n == 300 and measured["all"]["exact"].n == 540
    assert measured["split/unseen_prompt"]["ood_pass_rate"].n == 0
    assert measured["family/memory_map"]["exact"].n_effective == 140  # a seen and an unseen prompt share 40 targets


def test_a_family_of_several_layouts_is_counted_by_each():
    made, one, two = matrix(), *(f"[task:svg] [layout:{name}] [bg:mint] [OUT]" for name in ("badge", "pair-h"))
    rows = tuple(replace(row, prompt=(one, two)[at % 3 == 0], exact=at % 3 == 0) for at, row in enumerate(made.rows))
    found = board.metrics(board.rates(replace(made, rows=rows)))
    assert found["exact.layout.badge"] == 0.0 and found["exact.layout.pair-h"] == 1.0
    assert found["renderable.layout.badge"] == found["materialized.layout.badge"] == 1.0
    assert found["cases.layout.badge"] + found["cases.layout.pair-h"] == len(rows)
    alike = replace(made, rows=tuple(replace(row, prompt=f"[layout:{row.family}] [OUT]") for row in rows))
    assert not any(scope.startswith("layout/") for scope in (*board.rates(made), *board.rates(alike)))


def test_every_metric_says_what_it_is():
    assert all(metric.meaning.endswith(".") for metric in metrics().values())
    assert set(metrics()) >= {"exact", "renderable", "materialized", "truncation", "valid_svg_rate", "ood_pass_rate"}


def test_one_row_more_wrong_never_helps():
    """Flip scores one by one: the lower bound of every gated metric falls, and no verdict gets better."""
    order, policy = list(Status), load("stage_b")
    for scores in (["renderable"], ["exact", "adherent"]):
        steps = [matrix({"miss": [{"scores": scores, "first": n}]} if n else {}) for n in (0, 150, 200, 300, 540)]
        verdicts = [gates()["thresholds"](m, None, policy) for m in steps]
        assert all(order.index(a.status) <= order.index(b.status) for a, b in pairwise(verdicts))


@given(st.integers(0, 539))
@settings(max_examples=10, deadline=None)
def test_no_single_row_can_be_lost_repeated_or_undefined(index):
    policy, good = load("stage_b"), matrix()
    spoilt = [
        good.rows[:index] + good.rows[index + 1 :],
        (*good.rows, good.rows[index]),
        (*good.rows[:index], replace(good.rows[index], exact=float("nan")), *good.rows[index + 1 :]),
    ]
    for rows in spoilt:
        worse = replace(good, rows=rows)
        names = ("completeness", "finite_values")
        assert any(gates()[name](worse, None, policy).status == "ERROR" for name in names)


def test_a_good_model_without_a_champion_wins_and_says_what_did_not_apply():
    verdicts = judge(contest({}), load("stage_b"))
    assert wins(verdicts), [v.why for v in verdicts if v.blocks]
    assert {v.gate for v in verdicts if not v.applies} == {"new_weights", "same_cases", "not_inferior", "families_hold"}


def test_a_gate_that_is_missing_or_crashes_does_not_let_pass():
    verdicts = judge(contest({}), load("stage_b"))
    assert not wins(verdicts[1:]) and not wins(()) and not wins(tuple(v for v in verdicts if v.status != "PASS"))
    crashed = gates()["thresholds"](replace(matrix(), rows=None), None, load("stage_b"))
    assert crashed.status == "ERROR" and "the gate broke" in crashed.why


def test_a_unit_that_lost_a_case_is_lost_though_it_gained_another():
    theirs = [row(0, "a", exact=False), row(1, "a"), row(2, "b", exact=False), row(3, "b", exact=False)]
    ours = [row(0, "a"), row(1, "a", exact=False), row(2, "b"), row(3, "b", exact=False)]
    count = tally(metrics()["exact"], ours, theirs)
    assert (count.n, count.lost, count.won) == (2, 1, 1)  # conservative for the bound on the loss
    assert (count.worse, count.better) == (0, 1)  # by net sign for McNemar: the first unit is a tie


def test_a_verdict_cannot_claim_what_its_numbers_deny():
    numbers = {"why": "trust me", "threshold": 0.9, "n_effective": 100}
    Verdict(status=Status.PASS, lower_bound=0.95, **numbers)
    blocked = Verdict(status=Status.FAIL, why="no")
    for claim in ({"lower_bound": 0.8}, {"lower_bound": None}, {"n_effective": 0}, {"parts": (blocked,)}):
        with pytest.raises(ValidationError, match="got PASS"):
            Verdict(status=Status.PASS, **{**numbers, "lower_bound": 0.95, **claim})
    with pytest.raises(ValidationError, match="expected it to clear"):
        Verdict(status=Status.PASS, why="paired", threshold=0.03, n_effective=100, regressed=1, upper_bound=0.04)
    with pytest.raises(ValidationError, match="does not apply"):
        Verdict(status=Status.PASS, why="skip me", applies=False)


def test_near_the_threshold_it_says_how_many_cases_are_missing():
    sizes = {"unseen_prompt": 60, "unseen_target": 80, "unseen_recombination": 40}
    spec = {"contract": {"families": ["f"], "sizes": sizes}}
    verdict = gates()["thresholds"](contest(spec).challenger, None, load("stage_b"))
    part = next(p for p in verdict.parts if p.metric == "valid_svg_rate")
    assert (part.status, part.n_effective, part.cases_needed_for_decision) == ("INCONCLUSIVE", 180, 19)
    assert part.why.endswith("needs 19 more clean cases")
    sizes["unseen_target"] += 19
    assert gates()["thresholds"](contest(spec).challenger, None, load("stage_b")).status == "PASS"


def test_a_paired_verdict_says_how_many_pairs_are_missing():
    sizes = {"unseen_prompt": 10, "unseen_target": 10, "unseen_recombination": 10}
    fight = contest({"contract": {"sizes": sizes}, "champion": {}})
    parts = gates()["families_hold"](fight.challenger, fight.champion, load("stage_b")).parts
    assert {part.cases_needed_for_decision for part in parts} == {statistic.pairs_needed(0, 0, 0.10) - 30}
