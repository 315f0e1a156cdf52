"""The gates against the frozen champion: the same cases, paired one by one, both scored again by the same evaluator.

Pairs are formed per case and counted per unit (see `matrix.py`), conservatively: a unit regressed if any of its cases
was lost, and is fixed only if some were gained and none lost. McNemar's test instead takes the sign of each unit's net
change, which is fair to either side. Without a champion these gates do not apply, and say so.
Deliberately no test of improvement: a challenger need not be better, it must not be worse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from promotion import statistic
from promotion.gate import label_faults, value_faults
from promotion.identity import differences
from promotion.matrix import CaseScore, Matrix, units
from promotion.metric import Metric, metrics
from promotion.record import listed
from promotion.stage import Policy, Rivalry
from promotion.verdict import Status, Verdict, broken, ceiling, combined, failed, gate, not_applicable, not_run, passed

ALONE = "there is no champion yet, so nothing was compared"


@gate
def new_weights(matrix: Matrix, champion: Matrix | None, policy: Policy) -> Verdict:
    """The challenger's weights are not the champion's own: a copy cannot challenge."""
    if champion is None:
        return not_applicable(ALONE)
    ours, theirs = matrix.identity, champion.identity
    if ours.weights == theirs.weights:
        return failed(f"{ours.label} has the same weights as {theirs.label}, byte for byte; it is the champion already")
    if ours.version == theirs.version:
        return broken(f"{ours.label} has other weights under the champion's version; register it as a new version")
    return passed(f"{ours.label} has other weights than {theirs.label}")


@gate
def same_cases(matrix: Matrix, champion: Matrix | None, policy: Policy) -> Verdict:
    """The champion was scored on the same cases, under the same contract and evaluator, from its own raw outputs."""
    if champion is None:
        return not_applicable(ALONE)
    faults = comparison_faults(matrix, champion)
    if faults:
        return broken(f"cannot compare: {listed(faults)}; probe the champion again under this contract")
    return passed(f"{len(matrix.rows)} cases scored for both by one evaluator")


@gate
def not_inferior(matrix: Matrix, champion: Matrix | None, policy: Policy) -> Verdict:
    """Paired with the champion, a loss above the margin is excluded, over all held-out cases and in each split."""
    if champion is None:
        return not_applicable(ALONE)
    if comparison_faults(matrix, champion):
        return broken("the two cannot be paired, see `same_cases`")
    splits = matrix.contract.held_out()
    parts = []
    for rule in policy.champion:
        parts.append(duel(matrix, champion, rule, Arena("held_out", rule.margin, policy.alpha)))
        arenas = [Arena(name, rule.slice_margin, policy.alpha, len(splits)) for name in splits]
        parts += [duel(matrix, champion, rule, arena) for arena in arenas if arena.counts(matrix, rule)]
    return combined(parts, "paired with the champion")


@gate
def families_hold(matrix: Matrix, champion: Matrix | None, policy: Policy) -> Verdict:
    """Paired with the champion, no family loses more than the margin, however well the others do."""
    if champion is None:
        return not_applicable(ALONE)
    if comparison_faults(matrix, champion):
        return broken("the two cannot be paired, see `same_cases`")
    names = matrix.families()
    arenas = [
        (rule, Arena("held_out", rule.slice_margin, policy.alpha, len(names), family=name))
        for rule in policy.champion
        for name in names
    ]
    return combined([duel(matrix, champion, rule, arena) for rule, arena in arenas], "families against the champion")


def comparison_faults(matrix: Matrix, champion: Matrix) -> list[str]:
    """Every reason why two matrices are not about the same question."""
    faults = differences(matrix.identity, champion.identity, ("model", "contract", "evaluator"))
    if matrix.contract.digest != champion.contract.digest:
        faults.append("the declared cases differ")
    ours, theirs = [sorted(row.case_id for row in m.rows) for m in (matrix, champion)]
    if ours != theirs:
        odd = sorted(set(ours) ^ set(theirs)) or ["some case twice"]
        faults.append(f"{len(odd)} cases are not scored once for both ({listed(odd)})")
    return faults + [f"champion: {fault}" for fault in baseline_faults(champion)]


def baseline_faults(champion: Matrix) -> list[str]:
    """What would make the champion look worse than it is: an error is no miss here, but a broken baseline."""
    errors = [row.case_id for row in champion.rows if row.error is not None]
    faults = [*champion.faults, *label_faults(champion), *value_faults(champion)]
    if errors:
        faults.append(f"{len(errors)} cases have no score ({listed(errors)})")
    if champion.evidence is None:
        faults.append("its scores were handed over, not recomputed")
    return faults


@dataclass(frozen=True)
class Arena:
    """Where two models are compared: a scope, maybe one family, the margin, and how many such alarms there are."""

    scope: str
    margin: float
    alpha: float
    alarms: int = 1
    family: str | None = None

    @property
    def name(self) -> str:
        """What the table calls it."""
        return f"family/{self.family}" if self.family else self.scope

    def counts(self, matrix: Matrix, rule: Rivalry) -> bool:
        """Whether the metric has anything to say here; `ood_pass_rate` has not on a split that is not ood."""
        ask = metrics()[rule.metric]
        rows = matrix.select(self.scope, self.family)
        return not rows or any(ask.asks(row) for row in rows)


@dataclass(frozen=True)
class Tally:
    """Discordant units between two models: lost and won conservatively, worse and better by net sign."""

    n: int
    lost: int
    won: int
    worse: int
    better: int


def tally(ask: Metric, ours: Sequence[CaseScore], theirs: Sequence[CaseScore]) -> Tally:
    """Pair the rows of two models by case and count the units in which they differ."""
    champion = {row.case_id: ask.holds(row) for row in theirs}
    kept = [row for row in ours if ask.asks(row)]
    changes = [[ask.holds(row) - champion[row.case_id] for row in unit] for unit in units(kept)]
    lost = sum(min(change) < 0 for change in changes)
    won = sum(min(change) >= 0 < max(change) for change in changes)
    nets = [sum(change) for change in changes]
    return Tally(len(changes), lost, won, sum(net < 0 for net in nets), sum(net > 0 for net in nets))


def duel(matrix: Matrix, champion: Matrix, rule: Rivalry, arena: Arena) -> Verdict:
    """Judge one paired comparison.

    FAIL: proven worse, either McNemar's one-sided p is below alpha / alarms or the loss provably exceeds the margin.
    PASS: the upper bound on the loss is within the margin. Between them INCONCLUSIVE, with the pairs that are missing.
    """
    ask = metrics()[rule.metric]
    ours, theirs = [m.select(arena.scope, arena.family) for m in (matrix, champion)]
    count = tally(ask, ours, theirs)
    if count.n == 0:
        return not_run(f"{rule.metric} on {arena.name}: no case to pair")
    low, high = statistic.net_drop_bounds(count.lost, count.won, count.n, arena.alpha)
    p = statistic.mcnemar(count.worse, count.better)[1]
    worse = p < arena.alpha / arena.alarms or low > arena.margin
    more = statistic.pairs_needed(count.lost, count.won, arena.margin, arena.alpha) - count.n
    status = Status.FAIL if worse else Status.PASS if high <= arena.margin else Status.INCONCLUSIVE
    ending = {Status.FAIL: "; proven worse", Status.INCONCLUSIVE: f"; needs {more} more clean pairs"}.get(status, "")
    return Verdict(
        status=status, why=told(rule, arena, count, high, p) + ending,
        cases_needed_for_decision=more if status is Status.INCONCLUSIVE else None,
        **evidence_of(ask, ours, arena, count), lower_bound=low, upper_bound=high, mcnemar=p,
    )  # fmt: skip


def evidence_of(ask: Metric, rows: list[CaseScore], arena: Arena, count: Tally) -> dict[str, Any]:
    """The numbers of a paired verdict; its bounds are on the loss (champion minus challenger), not on the rate."""
    rate = ask(rows, arena.alpha)
    return {
        "metric": ask.name, "scope": arena.name, "threshold": arena.margin,
        "value": rate.value, "k": rate.k, "n": rate.n, "k_effective": rate.k_effective, "n_effective": count.n,
        "regressed": count.lost, "fixed": count.won,
        "method": "paired, exact bounds on the net loss, McNemar one-sided", "alpha": arena.alpha,
    }  # fmt: skip


def told(rule: Rivalry, arena: Arena, count: Tally, high: float, p: float) -> str:
    """One sentence with the counts, the excluded loss and McNemar's p."""
    plain = f"{rule.metric} on {arena.name}: {count.lost} lost and {count.won} won of {count.n} against the champion"
    return f"{plain}, so at most {ceiling(max(high, 0.0))} net loss; {arena.margin} is allowed; McNemar p {p:.3g}"
