"""The metrics: each is one function on a row, its definition is the docstring. To add a metric, add a function here.

Calling a metric with rows gives a `Rate`: k of n, the units behind it, exact one-sided bounds for gates and the
two-sided interval for print. Only a metric's scope, which follows from the contract, leaves a row out; what the row
contains never does: an error, a NaN or a null counts as the worse value. Deliberately no threshold is known here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import cleandoc

from promotion import statistic
from promotion.find import found
from promotion.matrix import CaseScore, Matrix, in_scope, units

Predicate = Callable[[CaseScore], bool]


@dataclass(frozen=True)
class Rate:
    """A measured share. `value` is null and the bounds are 0 and 1 when no row was in scope: nothing is known then."""

    metric: str
    k: int
    n: int
    k_effective: int  # units whose rows all hold; the lower bound rests on these
    n_effective: int
    lower_bound: float  # one-sided, 1 - alpha
    upper_bound: float  # one-sided, 1 - alpha
    interval: tuple[float, float]  # two-sided, 1 - alpha
    alpha: float
    method: str

    @property
    def value(self) -> float | None:
        """The plain share of rows, as published."""
        return self.k / self.n if self.n else None


@dataclass(frozen=True)
class Metric:
    """A named question about a row; call it with rows to measure their rate."""

    name: str
    better: str  # higher or lower
    scope: str  # all, or ood
    meaning: str
    predicate: Predicate

    def asks(self, row: CaseScore) -> bool:
        """Whether the question is put to this row at all."""
        return in_scope(row, self.scope)

    def holds(self, row: CaseScore) -> bool:
        """Whether the metric's event happened in this row; an error or a value that is no bool counts as the worse."""
        value = self.predicate(row)
        unknown = row.error is not None or type(value) is not bool
        return self.better == "lower" if unknown else value

    def __call__(self, rows: Sequence[CaseScore], alpha: float = 0.05) -> Rate:
        """Measure the rate over these rows; the bounds rest on independent units, see `matrix.py`."""
        kept = [row for row in rows if self.asks(row)]
        groups = [[self.holds(row) for row in unit] for unit in units(kept)]
        return rate(self.name, groups, alpha)


def rate(name: str, groups: list[list[bool]], alpha: float) -> Rate:
    """Turn units of outcomes into a rate with exact bounds."""
    k, n, m = sum(map(sum, groups)), sum(map(len, groups)), len(groups)
    all_hold, any_holds = sum(map(all, groups)), sum(map(any, groups))
    method = "Clopper-Pearson, one-sided" + ("" if m == n else f", over {m} independent units")
    if m == 0:
        return Rate(name, 0, 0, 0, 0, 0.0, 1.0, (0.0, 1.0), alpha, method)
    low, high = statistic.lower_bound(all_hold, m, alpha), statistic.upper_bound(any_holds, m, alpha)
    two_sided = statistic.interval(all_hold, m, alpha)[0], statistic.interval(any_holds, m, alpha)[1]
    return Rate(name, k, n, all_hold, m, low, high, two_sided, alpha, method)


def metric(better: str = "higher", scope: str = "all") -> Callable[[Predicate], Metric]:
    """Make a metric of a function on a row; its docstring is the definition that reports print."""

    def wrap(predicate: Predicate) -> Metric:
        if not predicate.__doc__:
            raise TypeError(f"metric {predicate.__name__}: got no docstring; expected its definition; write a sentence")
        return Metric(predicate.__name__, better, scope, cleandoc(predicate.__doc__), predicate)

    return wrap


def metrics() -> dict[str, Metric]:
    """Every metric of this package, by name."""
    return found(Metric)


def measure(matrix: Matrix, alpha: float = 0.05) -> dict[str, dict[str, Rate]]:
    """Every metric over everything, per split and per family: {scope: {metric: rate}}, `family/x` for a family."""
    scopes = {"all": matrix.select(), "held_out": matrix.select("held_out"), "ood": matrix.select("ood")}
    scopes |= {f"split/{name}": matrix.select(name) for name in matrix.contract.splits}
    scopes |= {f"family/{name}": matrix.select(family=name) for name in matrix.families()}
    return {scope: {name: ask(rows, alpha) for name, ask in metrics().items()} for scope, rows in scopes.items()}


@metric()
def exact(row: CaseScore) -> bool:
    """Raw text up to EOS, whitespace-normalised, equals the expected output, and nothing follows it."""
    return row.exact


@metric()
def renderable(row: CaseScore) -> bool:
    """The parsed output compiles: grammar, counts and every ref resolve, and the SVG passes the validator."""
    return row.renderable


@metric()
def materialized(row: CaseScore) -> bool:
    """The compiled SVG equals the expected SVG in canonical form."""
    return row.materialized


@metric(better="lower")
def truncation(row: CaseScore) -> bool:
    """The token budget or the context ended the output before EOS."""
    return row.truncated


@metric()
def first_block_exact(row: CaseScore) -> bool:
    """Exact up to the first closing tag, tail ignored: only for comparison with figures that were measured so."""
    return row.first_block_exact


@metric()
def valid_svg_rate(row: CaseScore) -> bool:
    """The output compiles to a valid SVG. The stage table's name for `renderable`, over the same outputs."""
    return row.renderable


@metric()
def prefix_integrity(row: CaseScore) -> bool:
    """The output opens with the surface's opening marker, and every tag in it is one that the surface knows."""
    return row.prefix_ok


@metric()
def eos_clean_stop(row: CaseScore) -> bool:
    """The output stopped at EOS and nothing follows the closing marker: no spill."""
    return row.clean_stop


@metric()
def adherence(row: CaseScore) -> bool:
    """Every control tag of the prompt is honoured in the output."""
    return row.adherent


@metric(scope="ood")
def ood_pass_rate(row: CaseScore) -> bool:
    """Exact on the splits that the contract marks as out of distribution (unseen targets and recombinations)."""
    return row.exact
