"""The exact statistics against published and recomputed tables, and their monotonicity."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from promotion import statistic as s

counts = st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
shares = st.floats(0.001, 0.999)
alphas = st.sampled_from([0.01, 0.025, 0.05, 0.1])

NEEDED = {  # threshold: smallest n with 0, 1, 2, 3, 5, 10 misses, one-sided 95 % Clopper-Pearson
    0.70: (9, 14, 19, 24, 33, 53),
    0.85: (19, 30, 40, 50, 68, 110),
    0.90: (29, 46, 61, 76, 103, 167),
    0.93: (42, 66, 88, 109, 148, 239),
    0.98: (149, 236, 313, 386, 523, 845),
    0.985: (199, 315, 418, 515, 699, 1128),
    0.99: (299, 473, 628, 773, 1049, 1693),
    0.995: (598, 947, 1258, 1549, 2100, 3389),
}
NEEDED_AT_99 = {
    0.70: (13, 20, 25, 30),
    0.85: (29, 42, 53, 64),
    0.90: (44, 64, 81, 97),
    0.93: (64, 92, 117, 140),
    0.98: (228, 330, 418, 499),
    0.985: (305, 440, 558, 667),
    0.99: (459, 662, 838, 1001),
    0.995: (919, 1325, 1678, 2006),
}


@pytest.mark.parametrize("threshold", NEEDED)
def test_cases_needed_at_95_percent(threshold):
    assert tuple(s.cases_needed(threshold, m) for m in (0, 1, 2, 3, 5, 10)) == NEEDED[threshold]


@pytest.mark.parametrize("threshold", NEEDED_AT_99)
def test_cases_needed_at_99_percent(threshold):
    assert tuple(s.cases_needed(threshold, m, 0.01) for m in range(4)) == NEEDED_AT_99[threshold]


@pytest.mark.parametrize("threshold", NEEDED)
def test_a_clean_suite_needs_what_the_closed_form_says(threshold):
    assert s.cases_needed(threshold) == math.ceil(math.log(0.05) / math.log(threshold))


@pytest.mark.parametrize(
    ("k", "n", "bound"),
    [(42, 42, 0.9312), (41, 42, 0.8920), (40, 42, 0.8576), (14, 14, 0.8074), (100, 100, 0.9705), (200, 200, 0.9851),
     (300, 300, 0.9901), (500, 500, 0.9940), (598, 598, 0.9950), (1000, 1000, 0.9970)],
)  # fmt: skip
def test_lower_bounds_of_small_suites(k, n, bound):
    assert s.lower_bound(k, n) == pytest.approx(bound, abs=6e-5)


def test_the_two_sided_interval_is_wider_than_the_one_sided_bound():
    assert s.interval(42, 42)[0] == pytest.approx(0.9159, abs=5e-5)


@pytest.mark.parametrize(("k", "families"), [(5, (305, 459, 919)), (9, (344, 517, 1036)), (20, (397, 597, 1196))])
def test_a_corrected_alpha_needs_more_cases(k, families):
    assert tuple(s.cases_needed(t, 0, 0.05 / k) for t in (0.985, 0.99, 0.995)) == families


@pytest.mark.parametrize(
    ("regressed", "fixed", "both", "worse"),
    [(5, 0, 0.0625, 0.031), (6, 0, 0.031, 0.016), (8, 2, 0.109, 0.055), (10, 1, 0.012, 0.006), (10, 3, 0.092, 0.046)],
)
def test_mcnemar_is_exact(regressed, fixed, both, worse):
    assert s.mcnemar(regressed, fixed) == pytest.approx((both, worse), abs=6e-4)


def test_mcnemar_without_discordant_pairs_shows_nothing():
    assert s.mcnemar(0, 0) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("n", "bound"),
    [(12, 0.221), (20, 0.139), (42, 0.069), (100, 0.030), (200, 0.015), (300, 0.010), (500, 0.006), (1000, 0.003)],
)
def test_no_regression_seen_is_not_no_regression(n, bound):
    assert s.regression_rate_bound(0, n) == pytest.approx(bound, abs=6e-4)


@pytest.mark.parametrize(("drop", "n"), [(0.01, 299), (0.02, 149), (0.03, 99), (0.05, 59), (0.10, 29)])
def test_cases_without_regression_that_exclude_a_regression_rate(drop, n):
    assert s.regression_rate_bound(0, n) <= drop < s.regression_rate_bound(0, n - 1)


@pytest.mark.parametrize(
    ("regressed", "fixed", "n", "bound"),
    [(0, 0, 42, 0.084), (0, 0, 200, 0.018), (1, 2, 500, 0.0106), (2, 3, 1000, 0.0066)],
)
def test_net_drop_bounds_are_those_published(regressed, fixed, n, bound):
    assert s.net_drop_bounds(regressed, fixed, n)[1] == pytest.approx(bound, abs=5e-4)


@pytest.mark.parametrize(("rate", "misses", "n", "threshold"), [
    (0.99888, 0, 199, 0.985), (0.99554, 3, 515, 0.985), (0.99703, 3, 773, 0.99), (0.99852, 3, 1549, 0.995),
])  # fmt: skip
def test_power_of_a_gate(rate, misses, n, threshold):
    assert s.misses_allowed(n, threshold) == misses
    assert s.pass_probability(rate, n, threshold) == pytest.approx(0.80, abs=2e-3)


def test_no_luck_helps_a_suite_that_is_too_small():
    assert s.misses_allowed(42, 0.985) == -1 and s.pass_probability(0.999, 42, 0.985) == 0.0


@given(counts, alphas)
@settings(max_examples=200)
def test_bounds_agree_with_scipy_and_bracket_the_rate(kn, alpha):
    k, n = kn
    low, high = s.lower_bound(k, n, alpha), s.upper_bound(k, n, alpha)
    assert low == pytest.approx(stats.beta.ppf(alpha, k, n - k + 1) if k else 0.0, rel=1e-9, abs=1e-12)
    assert high == pytest.approx(stats.beta.ppf(1 - alpha, k + 1, n - k) if k < n else 1.0, rel=1e-9, abs=1e-12)
    assert 0.0 <= low <= k / n <= high <= 1.0


@given(counts, alphas)
def test_bounds_grow_with_successes_and_with_a_looser_alpha(kn, alpha):
    k, n = kn
    assert s.lower_bound(k, n + 1, alpha) < s.lower_bound(k + 1, n + 1, alpha)
    assert s.upper_bound(k, n + 1, alpha) < s.upper_bound(k + 1, n + 1, alpha)
    assert s.lower_bound(k, n, alpha / 2) <= s.lower_bound(k, n, alpha)
    assert s.lower_bound(k + 1, n + 1, alpha) > s.lower_bound(k, n, alpha)


@given(shares, st.integers(0, 20), alphas)
@settings(max_examples=50)
def test_cases_needed_is_the_first_that_passes(threshold, misses, alpha):
    n = s.cases_needed(threshold, misses, alpha)
    assert s.lower_bound(n - misses, n, alpha) >= threshold
    assert n == misses + 1 or s.lower_bound(n - 1 - misses, n - 1, alpha) < threshold


@given(st.integers(1, 3000), st.sampled_from(sorted(NEEDED)), alphas)
@settings(max_examples=60)
def test_a_model_at_the_threshold_passes_no_more_often_than_alpha(n, threshold, alpha):
    assert s.pass_probability(threshold, n, threshold, alpha) <= alpha + 1e-12


@given(st.integers(0, 9), st.integers(0, 9), st.floats(0.02, 0.3))
@settings(max_examples=40)
def test_pairs_needed_is_the_first_that_excludes_the_margin(regressed, fixed, margin):
    n = s.pairs_needed(regressed, fixed, margin)
    assert s.net_drop_bounds(regressed, fixed, n)[1] <= margin
    assert n == max(1, regressed + fixed) or s.net_drop_bounds(regressed, fixed, n - 1)[1] > margin


@given(st.integers(0, 30), st.integers(0, 30), st.integers(61, 400))
def test_the_net_drop_is_antisymmetric(a, b, n):
    low, high = s.net_drop_bounds(a, b, n)
    assert low <= (a - b) / n <= high
    assert s.net_drop_bounds(b, a, n) == pytest.approx((-high, -low), abs=1e-12)


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize("kn", [(0, 0), (3, 2), (-1, 5), (1.0, 5), (True, 5), (NAN, 5), (1, NAN)])
def test_impossible_counts_are_refused_with_a_sentence(kn):
    for bound in (s.lower_bound, s.upper_bound, s.interval):
        with pytest.raises(ValueError, match=r"got .*; expected .*; "):
            bound(*kn)


@pytest.mark.parametrize("alpha", [0, 1, -0.1, 1.1, 5, NAN, INF, None, True, "0.05"])
def test_an_impossible_alpha_is_refused_with_a_sentence(alpha):
    for ask in (s.lower_bound, s.upper_bound, s.interval, s.regression_rate_bound):
        with pytest.raises(ValueError, match="alpha: got"):
            ask(1, 2, alpha)
    with pytest.raises(ValueError, match="alpha: got"):
        s.cases_needed(0.9, 0, alpha)


@pytest.mark.parametrize("threshold", [0, 1, 1.5, NAN, INF, -INF])
def test_an_impossible_threshold_is_refused_with_a_sentence(threshold):
    with pytest.raises(ValueError, match="threshold: got"):
        s.cases_needed(threshold)


def test_more_discordant_pairs_than_pairs_are_refused():
    with pytest.raises(ValueError, match="k <= n"):
        s.net_drop_bounds(3, 3, 5)
