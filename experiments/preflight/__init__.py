"""Preflight: everything about a rung that can be known before a weight is trained. It fails closed: only PASS lets a rung start.

Checks are found, not registered: every function of a module beside this file that `@check` marks is one, its docstring is the rule.
Cost `cheap` is looked at before every run; `once` as well, but what passed is kept under the hash of all that decides it; `run` is what a run
proves itself before its first step, so only preflight asks for it. Nothing here repairs or trains.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from experiments import source
from experiments.ladder import digest
from experiments.prepared import Prepared

Cost = Literal["cheap", "once", "run"]
STATUSES = ("PASS", "FAIL", "NOT_RUN")


class PreflightError(ValueError):
    """A rung that does not pass; the message lists each check that blocks."""


@dataclass(frozen=True)
class Finding:
    """What a check says: PASS, FAIL or NOT_RUN, with what was got and what was expected. `facts` is plain data for a machine."""

    status: Literal["PASS", "FAIL", "NOT_RUN"]
    got: str
    expected: str
    facts: dict[str, Any] = field(default_factory=dict)
    name: str = ""
    seconds: float = 0.0
    cached: bool = False

    @property
    def blocks(self) -> bool:
        return self.status != "PASS"


@dataclass(frozen=True)
class Place:
    """Where a run would be kept: its `folder` on disk, the folder of what passed `once`, and that of parity reports. None keeps nothing."""

    folder: Path = Path()
    cache: Path | None = None
    parity: Path | None = None
    torch: bool = True
    threads: int | None = None


@dataclass(frozen=True)
class Check:
    """One check: a rung that is ready and its place in, a finding out."""

    name: str
    rule: str
    cost: Cost
    look: Callable[[Prepared, Place], Finding]


def check(cost: Cost = "cheap") -> Callable[[Callable[[Prepared, Place], Finding]], Check]:
    """Marks a function as a check."""

    def mark(look: Callable[[Prepared, Place], Finding]) -> Check:
        return Check(look.__name__, " ".join((look.__doc__ or "").split()), cost, look)

    return mark


def judge(passed: bool, got: str, expected: str, **facts: Any) -> Finding:
    return Finding("PASS" if passed else "FAIL", got, expected, facts)


@cache
def checks() -> tuple[Check, ...]:
    """Every check, by the names of the files and the order in them."""
    files = sorted(p.stem for p in Path(__file__).parent.glob("*.py") if not p.stem.startswith("_"))
    found = {
        value.name: value
        for file in files
        for value in vars(import_module(f"{__name__}.{file}")).values()
        if isinstance(value, Check)
    }
    return tuple(found.values())


def inspect(
    prepared: Prepared,
    place: Place,
    costs: Iterable[Cost] = ("cheap", "once", "run"),
    names: Sequence[str] | None = None,
) -> list[Finding]:
    """Every check of these costs, of these names alone where they are given. An error that comes up in a check is its failure; where it comes up
    again, NOT_RUN names the first."""
    findings: list[Finding] = []
    errors: dict[int, str] = {}
    for each in (c for c in checks() if c.cost in tuple(costs) and (names is None or c.name in names)):
        started = time.monotonic()
        try:
            found = _look(each, prepared, place)
        except (ValueError, RuntimeError, OSError, MemoryError) as error:
            first = errors.setdefault(id(error), each.name)
            if first == each.name:
                found = Finding("FAIL", str(error), each.rule)
            else:
                found = Finding("NOT_RUN", f"nothing to look at, for the reason of {first}", each.rule)
        findings.append(replace(found, name=each.name, seconds=round(time.monotonic() - started, 3)))
    return findings


def require(findings: Sequence[Finding], label: str) -> None:
    """Raise PreflightError unless every finding is a PASS."""
    bad = [f for f in findings if f.blocks]
    if bad:
        told = "".join(f"\n  {f.name}: {f.status}: got {f.got}; expected {f.expected}" for f in bad)
        raise PreflightError(
            f"preflight: {label} is not trained, {len(bad)} of {len(findings)} checks do not pass:{told}"
        )


def as_dict(finding: Finding) -> dict[str, Any]:
    return asdict(finding)


def _look(each: Check, prepared: Prepared, place: Place) -> Finding:
    """A finding; one of cost `once` that passed before on the same sources, settings and rows is read from the cache."""
    if each.cost != "once" or place.cache is None:
        return each.look(prepared, place)
    key = digest([source.digest(), prepared.selected.resolved(), prepared.material.corpus_sha256])
    file = place.cache / f"{each.name}-{key}.json"
    if file.is_file():
        return replace(Finding(**json.loads(file.read_text())), cached=True)
    found = each.look(prepared, place)
    if not found.blocks:
        place.cache.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        part.write_text(json.dumps(as_dict(found), allow_nan=False))
        part.replace(file)
    return found
