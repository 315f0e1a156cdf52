"""The gates about one model: is the evidence whole, is it this model's, and does it reach what the stage demands.

A gate is a function `(matrix, champion, policy) -> Verdict`; its docstring is the rule that a user reads on a refusal.
Adding one is adding a function here and `tests/attacks/<gate>.yaml`, with a matrix that it must refuse and one that it
must pass. Gates against the champion are in `versus.py`. Deliberately no gate trusts a stored verdict or a flag.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from promotion.find import found
from promotion.matrix import SCORES, CaseScore, Contest, Matrix, labels
from promotion.metric import metrics
from promotion.record import listed
from promotion.stage import Policy
from promotion.verdict import (
    Gate,
    Status,
    Verdict,
    broken,
    combined,
    failed,
    gate,
    not_run,
    passed,
    reaches,
)


def gates() -> dict[str, Gate]:
    """Every gate of this package, by name."""
    return found(Gate)


def judge(contest: Contest, policy: Policy) -> tuple[Verdict, ...]:
    """Run every gate. The order is the table's; no gate is skipped because another one blocked."""
    return tuple(ask(contest.challenger, contest.champion, policy) for ask in gates().values())


def wins(verdicts: tuple[Verdict, ...]) -> bool:
    """Whether these verdicts promote: every gate of this package spoke, none blocks, and something did pass."""
    spoke = {verdict.gate for verdict in verdicts}
    some = any(verdict.status is Status.PASS for verdict in verdicts)
    return some and spoke >= set(gates()) and not any(verdict.blocks for verdict in verdicts)


@gate
def evidence_replayed(matrix: Matrix, champion: Matrix | None, policy: Policy) -> Verdict:
    """Every score was recomputed from the stored raw outputs, and equals the score stored with them."""
    if matrix.faults:
        return broken(f"recomputing the evidence found {len(matrix.faults)} faults: {listed(list(matrix.faults))}")
    if matrix.evidence is None:
        return not_run("these scores were handed over, not recomputed; build the matrix with `evidence.recompute`")
    return passed(f"{len(matrix.rows)} raw outputs scored again, all as stored, bundle {matrix.evidence[:12]}…")


@gate
def completeness(matrix: Matrix, champion: Matrix | None, policy: Policy) -> Verdict:
    """Every declared case was scored exactly once, under the contract that the run names, with every required split."""
    if not matrix.contract.cases or not matrix.rows:
        return not_run(f"{len(matrix.contract.cases)} cases declared, {len(matrix.rows)} scored; nothing to judge")
    faults = [*matrix.contract.violations(), *count_faults(matrix), *label_faults(matrix)]
    faults += split_faults(matrix, policy)
    if matrix.identity.contract != matrix.contract.hash:
        faults.append("the run was probed under another contract hash; probe it again under this one")
    if faults:
        return broken(f"{len(faults)} faults: {listed(faults)}")
    return passed(f"{len(matrix.rows)} of {len(matrix.contract.cases)} declared cases scored, none twice")


def count_faults(matrix: Matrix) -> list[str]:
    """Cases that were dropped, invented or counted twice."""
    counts = Counter(row.case_id for row in matrix.rows)
    declared = {case.case_id for case in matrix.contract.cases}
    missing, extra = sorted(declared - set(counts)), sorted(set(counts) - declared)
    twice = sorted(name for name, count in counts.items() if count > 1)
    kinds = {"declared but not scored": missing, "scored but not declared": extra, "scored more than once": twice}
    return [f"{len(names)} cases {what} ({listed(names)})" for what, names in kinds.items() if names]


def label_faults(matrix: Matrix) -> list[str]:
    """Rows that claim another split, family, prompt or target than the contract declares for the case."""
    told = {case.case_id: labels(case, matrix.contract) for case in matrix.contract.cases}
    return [
        f"case {row.case_id} is scored as {name} {getattr(row, name)!r}, declared {value!r}"
        for row in matrix.rows
        for name, value in told.get(row.case_id, {}).items()
        if getattr(row, name) != value
    ]


def split_faults(matrix: Matrix, policy: Policy) -> list[str]:
    """Required splits that the contract has not, or has but does not hold out."""
    splits = matrix.contract.splits
    kinds = {name: splits.get(name, "absent") for name in policy.required_splits}
    return [f"required split {name} is {kind}" for name, kind in kinds.items() if kind in ("absent", "seen")]


@gate
def finite_values(matrix: Matrix, champion: Matrix | None, policy: Policy) -> Verdict:
    """Every score is true or false and every measured number is finite: NaN is not a result."""
    if not matrix.rows:
        return not_run("no row was scored")
    if odd := value_faults(matrix):
        return broken(f"{len(odd)} values are no results: {listed(odd)}")
    return passed(f"{len(matrix.rows) * len(SCORES)} scores and {len(matrix.measures)} measures are finite")


def value_faults(matrix: Matrix) -> list[str]:
    """Scores that are no bool and measures that are no finite number."""
    scores = [(f"case {row.case_id}: {name}", getattr(row, name)) for row in matrix.rows for name in SCORES]
    odd = [f"{what} is {value!r}" for what, value in scores if type(value) is not bool]
    return odd + [f"{name} is {value}" for name, value in matrix.measures.items() if not is_finite(value)]


def is_finite(value: object) -> bool:
    """Whether this is a real, finite number; null and text are not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < float("inf")


@gate
def no_leak(matrix: Matrix, champion: Matrix | None, policy: Policy) -> Verdict:
    """A check of this contract against this training corpus shows that no held-out case was trained on."""
    proof = matrix.leak
    if proof is None or not proof.claims:
        return not_run("no disjointness check came with the evidence; run the split check on the training rows")
    if strangers := proof.strangers(matrix.identity):
        return broken(
            f"the check is of something else: {listed(strangers)}; train it again on the rows as they are now"
        )
    if leaks := proof.leaks():
        return failed(f"held-out cases leaked: {listed(leaks)}")
    if gaps := proof.gaps(matrix.contract):
        return not_run(f"the check did not cover every held-out case: {listed(gaps)}")
    return passed(f"{len(proof.claims)} claims checked, none leaks")


@gate
def parity(matrix: Matrix, champion: Matrix | None, policy: Policy) -> Verdict:
    """The engine that trained this model, at its shape, computes every gradient within the bound of the reference."""
    report = matrix.parity
    if report is None:
        return not_run("no parity report came with the evidence; run `cktrack parity` for this engine and shape")
    if strangers := report.strangers(matrix.identity):
        return broken(f"the report is of something else: {listed(strangers)}; train it again with this engine")
    bound = policy.parity.get(report.precision)
    if bound is None:
        return broken(f"precision {report.precision} has no bound in the policy; expected {', '.join(policy.parity)}")
    if report.tensors < 1:
        return not_run("the report compared 0 gradient tensors")
    if failures := report.failures(bound):
        return failed(listed(failures))
    reused = ", reused from an earlier check of the same engine and shape" if report.cached else ""
    return passed(f"{report.tensors} gradient tensors within {bound}, worst {report.worst}{reused}")


@gate
def thresholds(matrix: Matrix, champion: Matrix | None, policy: Policy) -> Verdict:
    """The exact lower bound of every metric in the stage table reaches its threshold on its scope."""
    parts = []
    for line in policy.thresholds:
        scope = policy.scope_of(line)
        rate = metrics()[line.metric](matrix.select(scope), policy.alpha)
        parts.append(reaches(rate, line.at_least, scope))
    return combined(parts, f"{policy.stage} thresholds")


@gate
def no_collapse(matrix: Matrix, champion: Matrix | None, policy: Policy) -> Verdict:
    """No family and no held-out split is provably below a stage threshold, and each family has enough cases to tell.

    The alarm runs at alpha over the number of slices looked at, so that looking at many does not refuse a good model.
    """
    slices = {f"family/{name}": matrix.select("held_out", name) for name in matrix.families()}
    slices |= {f"split/{name}": matrix.select(name) for name in matrix.contract.held_out()}
    alpha = policy.alpha / max(1, len(slices) * len(policy.thresholds))
    parts = [enough_cases(name, rows, policy) for name, rows in slices.items() if name.startswith("family/")]
    for line in policy.thresholds:
        rates = {name: metrics()[line.metric](rows, alpha) for name, rows in slices.items()}
        low = {n: r for n, r in rates.items() if r.n_effective and r.upper_bound < line.at_least}
        parts += [reaches(rate, line.at_least, name) for name, rate in low.items()]
    return combined(parts, f"{len(slices)} families and splits")


def enough_cases(scope: str, rows: list[CaseScore], policy: Policy) -> Verdict:
    """Whether a slice has enough independent cases for a collapse to show."""
    rate = metrics()["exact"](rows, policy.alpha)
    have, want = rate.n_effective, policy.family_cases
    shared: dict[str, Any] = {"scope": scope, "n": rate.n, "n_effective": have}
    if have >= want:
        return Verdict(status=Status.PASS, why=f"{scope} has {have} independent held-out cases", **shared)
    status = Status.INCONCLUSIVE if have else Status.NOT_RUN
    why = f"{scope} has {have} independent held-out cases of {want}; needs {want - have} more"
    return Verdict(status=status, why=why, cases_needed_for_decision=want - have, **shared)
