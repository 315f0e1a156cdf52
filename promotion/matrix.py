"""The evaluation matrix: every scored case of one model on one contract, and how many independent cases they amount to.

Effective n. Two rows with the same prompt, or with the same target (`cluster`), are no independent evidence: a greedy
decoder repeats itself, and fourteen prompts asked three times are fourteen cases. Such rows form one *unit*. Rates are
published over rows (k of n); bounds are computed over units (n_effective), conservatively on either side: for the lower
bound a unit is a success only if all its rows are, for the upper bound already if any row is. Without clusters the two
agree and the bounds are plain Clopper-Pearson. A case whose scoring failed is a row with an error and counts as a miss.
Deliberately no verdict is made here, and nothing is dropped: what is malformed stays and is named by a gate.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from promotion.contract import Case, Contract
from promotion.identity import Identity
from promotion.proof import LeakProof, ParityReport


@dataclass(frozen=True, slots=True)
class CaseScore:
    """One scored case. The labels come from the contract, the scores are bools; `error` says why there is no score."""

    case_id: str
    prompt: str
    split: str
    family: str
    surface: str = ""
    form: str = ""
    cluster: str = ""  # the target: rows that share it are one unit
    kind: str = "seen"  # seen, held_out or ood, as the contract declares for the split
    exact: bool = False
    renderable: bool = False
    materialized: bool = False
    truncated: bool = True
    clean_stop: bool = False
    prefix_ok: bool = False
    adherent: bool = False
    first_block_exact: bool = False
    error: str | None = None


SCORES = tuple(f.name for f in fields(CaseScore) if f.type == "bool")
LABELS = ("prompt", "split", "family", "surface", "form", "cluster", "kind")


def labels(case: Case, contract: Contract) -> dict[str, str]:
    """What the contract says about a case; a scored row must carry exactly this."""
    plain = {name: getattr(case, name) for name in ("prompt", "split", "family", "surface", "form")}
    return {**plain, "cluster": case.target, "kind": contract.kind(case.split)}


def scored(case: Case, contract: Contract, scores: Mapping[str, bool], error: str | None = None) -> CaseScore:
    """Join a declared case with its scores; a missing or unknown score is an error, and an error is a miss."""
    odd = sorted(set(SCORES) ^ set(scores))
    if error is None and odd:
        error = f"scores: got {sorted(scores)}; expected exactly {sorted(SCORES)}; look at {', '.join(odd)}"
    if error is not None:
        scores = {}
    values: dict[str, Any] = {**labels(case, contract), **scores}
    return CaseScore(case_id=case.case_id, error=error, **values)


@dataclass(frozen=True)
class Matrix:
    """All that was measured about one model on one contract.

    `evidence` is the digest of the bundle that the rows were recomputed from, null when they were merely handed over.
    `faults` are the differences that recomputing found.
    """

    identity: Identity
    contract: Contract
    rows: tuple[CaseScore, ...]
    leak: LeakProof | None = None
    parity: ParityReport | None = None
    measures: Mapping[str, float | None] = field(default_factory=dict)
    evidence: str | None = None
    faults: tuple[str, ...] = ()

    def select(self, scope: str = "all", family: str | None = None) -> list[CaseScore]:
        """The rows of a scope (`all`, `held_out`, `ood`, or the name of a split), and of one family if given."""
        return [r for r in self.rows if in_scope(r, scope) and family in (None, r.family)]

    def families(self) -> list[str]:
        """The declared families: one that was never scored is still there, with no row."""
        return sorted({case.family for case in self.contract.cases})


@dataclass(frozen=True)
class Contest:
    """A challenger's matrix and the champion's on the same cases; `champion` is null only while there is none."""

    challenger: Matrix
    champion: Matrix | None = None


def in_scope(row: CaseScore, scope: str) -> bool:
    """Whether a row counts in a scope; `held_out` includes `ood`, which is held out too."""
    groups = {"all": True, "held_out": row.kind != "seen", "ood": row.kind == "ood"}
    return groups.get(scope, row.split == scope)


def units(rows: Sequence[CaseScore]) -> list[list[CaseScore]]:
    """Group rows into independent units: connected through an equal prompt or an equal target."""
    parent: dict[tuple[str, str], tuple[str, str]] = {}

    def root(node: tuple[str, str]) -> tuple[str, str]:
        while parent.setdefault(node, node) != node:
            parent[node] = parent[parent[node]]  # halve the path as we walk it
            node = parent[node]
        return node

    for row in rows:
        parent[root(("target", row.cluster or row.prompt))] = root(("prompt", row.prompt))
    groups: dict[tuple[str, str], list[CaseScore]] = defaultdict(list)
    for row in rows:
        groups[root(("prompt", row.prompt))].append(row)
    return list(groups.values())


def count_units(rows: Iterable[CaseScore]) -> int:
    """How many independent cases these rows amount to."""
    return len(units(list(rows)))
