"""What a gate says: a status, a sentence, and the numbers that it rests on.

Five statuses and no more: PASS (the lower bound reaches the threshold), FAIL (the upper bound is below it),
INCONCLUSIVE (too few cases to say), NOT_RUN (nothing was checked) and ERROR (the check itself is broken). Only PASS
promotes. A verdict that claims PASS against its own numbers or parts is refused. Deliberately no gate is defined here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from inspect import cleandoc
from typing import Any, Self

from pydantic import model_validator

from promotion import statistic
from promotion.matrix import Matrix
from promotion.metric import Rate
from promotion.record import Record, Word
from promotion.stage import Policy


class Status(StrEnum):
    """The five outcomes, from best to worst."""

    PASS = "PASS"
    INCONCLUSIVE = "INCONCLUSIVE"
    NOT_RUN = "NOT_RUN"
    FAIL = "FAIL"
    ERROR = "ERROR"


class Verdict(Record):
    """One gate's record. Every number is null where it was not measured. `applies` is false for a gate about a champion
    that does not exist: it did not run, says so, and does not block."""

    status: Status
    why: Word
    gate: str = ""
    rule: str = ""  # the gate's docstring: what it demands
    applies: bool = True
    metric: str | None = None
    scope: str | None = None
    threshold: float | None = None
    value: float | None = None
    k: int | None = None
    n: int | None = None
    k_effective: int | None = None
    n_effective: int | None = None
    lower_bound: float | None = None
    upper_bound: float | None = None
    method: str | None = None
    alpha: float | None = None
    cases_needed_for_decision: int | None = None
    regressed: int | None = None  # units in which the challenger lost a case that the champion had
    fixed: int | None = None  # units in which it only gained
    mcnemar: float | None = None  # exact one-sided p of 'the challenger is worse'
    parts: tuple[Verdict, ...] = ()

    @property
    def blocks(self) -> bool:
        """Whether this verdict keeps the challenger from the alias."""
        return self.applies and self.status is not Status.PASS

    @model_validator(mode="after")
    def agrees_with_its_numbers(self) -> Self:
        """A status is derived from its evidence; a PASS that its numbers or parts deny is refused."""
        if not self.applies and self.status is not Status.NOT_RUN:
            raise ValueError(f"got {self.status} from a gate that does not apply; expected NOT_RUN")
        if self.status is Status.PASS and any(part.blocks for part in self.parts):
            raise ValueError("got PASS over a part that blocks; expected the worst of the parts")
        paired = self.regressed is not None
        bound = self.lower_bound if not paired else self.upper_bound
        if self.status is Status.PASS and self.threshold is not None:
            held = bound is not None and (bound <= self.threshold if paired else bound >= self.threshold)
            if not held or not self.n_effective:
                raise ValueError(f"got PASS with a bound of {bound}; expected it to clear {self.threshold}")
        return self


Judge = Callable[[Matrix, Matrix | None, Policy], Verdict]


@dataclass(frozen=True)
class Gate:
    """A named judge. Its rule, the first paragraph of its docstring, is what a user reads when it blocks."""

    name: str
    rule: str
    judge: Judge

    def __call__(self, matrix: Matrix, champion: Matrix | None, policy: Policy) -> Verdict:
        """Judge, and sign the verdict; a gate that crashes is an ERROR, which blocks, and never a missing line."""
        try:
            verdict = self.judge(matrix, champion, policy)
        except Exception as problem:  # noqa: BLE001 - whatever broke inside a gate, the challenger must not pass
            verdict = Verdict(status=Status.ERROR, why=f"the gate broke: {type(problem).__name__}: {problem}")
        parts = tuple(part.model_copy(update={"gate": self.name}) for part in verdict.parts)
        return verdict.model_copy(update={"gate": self.name, "rule": self.rule, "parts": parts})


def gate(judge: Judge) -> Gate:
    """Make a gate of a function; it is found by being there (`gate.py`, `versus.py`), nobody keeps a list."""
    if not judge.__doc__:
        raise TypeError(f"gate {judge.__name__}: got no docstring; expected the rule it enforces; write one sentence")
    rule = " ".join(cleandoc(judge.__doc__).split("\n\n")[0].split())
    return Gate(judge.__name__, rule, judge)


def passed(why: str) -> Verdict:
    return Verdict(status=Status.PASS, why=why)


def failed(why: str) -> Verdict:
    return Verdict(status=Status.FAIL, why=why)


def broken(why: str) -> Verdict:
    return Verdict(status=Status.ERROR, why=why)


def not_run(why: str) -> Verdict:
    return Verdict(status=Status.NOT_RUN, why=why)


def not_applicable(why: str) -> Verdict:
    return Verdict(status=Status.NOT_RUN, why=why, applies=False)


def combined(parts: Sequence[Verdict], why: str) -> Verdict:
    """The worst of the parts, which stay visible; its sentence is the first of them. No part means that nothing ran."""
    if not parts:
        return not_run(f"nothing to judge: {why}")
    worst = max((part.status for part in parts), key=list(Status).index)
    reasons = [part.why for part in sorted(parts, key=lambda part: part.status is not worst) if part.blocks]
    counted = f"{why}: {len(parts) - len(reasons)} of {len(parts)} hold"
    more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
    return Verdict(status=worst, why=f"{counted}; {reasons[0]}{more}" if reasons else counted, parts=tuple(parts))


def reaches(rate: Rate, threshold: float, scope: str) -> Verdict:
    """Judge a rate against a threshold: PASS on the lower bound, FAIL on the upper one, INCONCLUSIVE between them."""
    if rate.n_effective == 0:
        return not_run(f"{rate.metric} on {scope}: no case was scored; probe some").model_copy(
            update={"metric": rate.metric, "scope": scope, "threshold": threshold, "n": 0, "n_effective": 0}
        )
    more = statistic.more_cases_needed(rate.k_effective, rate.n_effective, threshold, rate.alpha)
    status, said = decision(rate, threshold, more)
    needed = more if status is Status.INCONCLUSIVE else None
    return Verdict(
        status=status, why=f"{described(rate, scope)}, {said}", threshold=threshold,
        cases_needed_for_decision=needed, **numbers(rate, scope),
    )  # fmt: skip


def decision(rate: Rate, threshold: float, more: int) -> tuple[Status, str]:
    """The status of a rate, and the end of the sentence that explains it."""
    sure = f"with {100 * (1 - rate.alpha):.3g}% confidence"
    if rate.lower_bound >= threshold:
        return Status.PASS, f"so at least {floor(rate.lower_bound)} {sure}; {threshold} was asked"
    if rate.upper_bound < threshold:
        return Status.FAIL, f"so at most {ceiling(rate.upper_bound)} {sure}; {threshold} was asked"
    known = f"so only at least {floor(rate.lower_bound)} {sure}; {threshold} was asked"
    return Status.INCONCLUSIVE, f"{known}; needs {more} more clean cases"


def described(rate: Rate, scope: str) -> str:
    """`exact on held_out is 297 of 300 (99 of 100 independent)`; the parenthesis only where the two counts differ."""
    plain = f"{rate.metric} on {scope} is {rate.k} of {rate.n}"
    return plain if rate.n == rate.n_effective else f"{plain} ({rate.k_effective} of {rate.n_effective} independent)"


def numbers(rate: Rate, scope: str) -> dict[str, Any]:
    """A rate's numbers under the names that a verdict gives them."""
    same = ("metric", "value", "k", "n", "k_effective", "n_effective", "lower_bound", "upper_bound", "method", "alpha")
    return {"scope": scope} | {name: getattr(rate, name) for name in same}


def floor(bound: float) -> str:
    """Four digits, rounded down: a printed bound never claims more than was measured."""
    return f"{math.floor(bound * 10_000) / 10_000:.4f}"


def ceiling(bound: float) -> str:
    """Four digits, rounded up: the same honesty for an upper bound."""
    return f"{math.ceil(bound * 10_000) / 10_000:.4f}"
