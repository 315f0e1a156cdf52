"""Exact binomial statistics for gates: bounds, how many cases a threshold needs, and paired comparison.

Nothing here approximates by a normal curve: such intervals have zero width at a perfect score, where the gates live.
Sources: Clopper and Pearson 1934 (bounds as beta quantiles), McNemar 1947 in its exact binomial form, Miller 2024
(arXiv 2411.00640: pair the models on the same cases), Bowyer et al. 2025 (arXiv 2503.01747: no CLT at this n).
Deliberately no opinion lives here: thresholds and margins are data (`stage.yaml`), verdicts are made in `verdict.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Integral

from scipy.special import bdtr, betaincinv

MOST_CASES = 1 << 40  # a search past this many cases means that the question has no answer


def lower_bound(k: int, n: int, alpha: float = 0.05) -> float:
    """One-sided Clopper-Pearson lower bound: the beta(k, n-k+1) quantile at alpha; 0 when nothing succeeded."""
    check_counts(k, n)
    check_share(alpha, "alpha")
    return 0.0 if k == 0 else float(betaincinv(k, n - k + 1, alpha))


def upper_bound(k: int, n: int, alpha: float = 0.05) -> float:
    """One-sided Clopper-Pearson upper bound: the beta(k+1, n-k) quantile at 1-alpha; 1 when nothing failed.

    Computed as one minus the lower bound of the misses, which keeps its digits where the bound is close to 1.
    """
    check_counts(k, n)
    check_share(alpha, "alpha")
    return 1.0 - lower_bound(n - k, n, alpha)


def interval(k: int, n: int, alpha: float = 0.05) -> tuple[float, float]:
    """Two-sided Clopper-Pearson interval, alpha/2 on each side: what is printed beside a published rate."""
    check_share(alpha, "alpha")
    return lower_bound(k, n, alpha / 2), upper_bound(k, n, alpha / 2)


def cases_needed(threshold: float, misses: int = 0, alpha: float = 0.05) -> int:
    """Smallest n whose one-sided lower bound reaches the threshold although `misses` cases failed.

    With no miss this is ceil(ln(alpha) / ln(threshold)): 0.985 needs 199 cases, 0.995 needs 598.
    """
    check_share(threshold, "threshold")
    check_count(misses, "misses")
    return first_true(lambda n: lower_bound(n - misses, n, alpha) >= threshold, start=misses + 1)


def more_cases_needed(k: int, n: int, threshold: float, alpha: float = 0.05) -> int:
    """How many further cases, all of them clean, would turn k of n into a pass; 0 when it passes already."""
    check_counts(k, n)
    return max(0, cases_needed(threshold, n - k, alpha) - n)


def misses_allowed(n: int, threshold: float, alpha: float = 0.05) -> int:
    """Most misses with which n cases still pass the threshold; -1 when even a perfect score cannot."""
    check_counts(0, n)
    check_share(threshold, "threshold")
    return first_true(lambda m: m > n or lower_bound(n - m, n, alpha) < threshold, start=0) - 1


def pass_probability(true_rate: float, n: int, threshold: float, alpha: float = 0.05) -> float:
    """Operating characteristic of a gate: the chance that a model of this true rate passes with n cases."""
    check_share(true_rate, "true_rate")
    allowed = misses_allowed(n, threshold, alpha)
    return 0.0 if allowed < 0 else float(bdtr(allowed, n, 1.0 - true_rate))


def mcnemar(regressed: int, fixed: int) -> tuple[float, float]:
    """Exact paired test over the discordant cases: (two-sided p, one-sided p for 'the challenger is worse').

    Under 'no difference' each discordant case is a fair coin: binomial(regressed + fixed, 1/2).
    """
    check_count(regressed, "regressed")
    check_count(fixed, "fixed")
    total = regressed + fixed
    if total == 0:
        return 1.0, 1.0
    both = min(1.0, 2.0 * float(bdtr(min(regressed, fixed), total, 0.5)))
    worse = float(bdtr(fixed, total, 0.5))  # P(fixed or fewer) = P(regressed or more), by symmetry
    return both, worse


def regression_rate_bound(regressed: int, n: int, alpha: float = 0.05) -> float:
    """One-sided upper bound on the share of cases that the challenger loses: 0 of 42 still allows 0.069."""
    return upper_bound(regressed, n, alpha)


def net_drop_bounds(regressed: int, fixed: int, n: int, alpha: float = 0.05) -> tuple[float, float]:
    """Conservative one-sided bounds on (champion's rate - challenger's rate) over the same n cases.

    The drop is P(regressed) - P(fixed). Each share gets its exact bound at alpha/2 and the two are subtracted
    (Bonferroni), so that each side holds with confidence 1-alpha whatever the correlation of the two.
    """
    check_share(alpha, "alpha")
    check_counts(regressed + fixed, n)
    high = upper_bound(regressed, n, alpha / 2) - lower_bound(fixed, n, alpha / 2)
    low = lower_bound(regressed, n, alpha / 2) - upper_bound(fixed, n, alpha / 2)
    return low, high


def pairs_needed(regressed: int, fixed: int, margin: float, alpha: float = 0.05) -> int:
    """Smallest n of pairs at which this many discordant ones still exclude a drop larger than the margin."""
    check_share(margin, "margin")
    check_count(regressed, "regressed")
    check_count(fixed, "fixed")
    start = max(1, regressed + fixed)
    return first_true(lambda n: net_drop_bounds(regressed, fixed, n, alpha)[1] <= margin, start)


def first_true(holds: Callable[[int], bool], start: int) -> int:
    """Smallest integer from `start` on for which a monotone condition holds: doubling, then bisection."""
    step = 1
    while not holds(start + step - 1):
        step *= 2
        if step > MOST_CASES:
            raise ValueError("got a condition that no number of cases meets; expected a reachable threshold; lower it")
    low, high = start + step // 2, start + step - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def check_count(value: int, name: str) -> None:
    """Refuse what cannot count cases: a negative number, a float, a bool."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{name}: got {value!r}; expected a whole number of cases, 0 or more; count rows, not rates")


def check_counts(k: int, n: int) -> None:
    """Refuse k of n that no experiment can give; n = 0 above all, because nothing was measured."""
    check_count(k, "k")
    check_count(n, "n")
    if n == 0:
        raise ValueError("n: got 0 cases; expected at least 1; a rate over no case is unknown, so score some first")
    if k > n:
        raise ValueError(f"k: got {k} of {n}; expected k <= n; look for rows that were counted twice")


def check_share(value: float, name: str) -> None:
    """Refuse what is no probability strictly between 0 and 1 (NaN, infinities, 95 for 0.95)."""
    real = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not real or not math.isfinite(value) or not 0.0 < value < 1.0:
        raise ValueError(f"{name}: got {value!r}; expected a number strictly between 0 and 1; write 5 % as 0.05")
