"""What a promotion proves again instead of believing it: the contract, the training rows, the splits, and the engine.

Contract and rows are drawn anew from the ladder, the split proof runs on them, and parity is measured on this machine (or read from
its cache, for the same engine, shape and instruction set). What stays a run's own word is in docs/design.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from cengine import parity
from cengine.model import Config
from cktrack import home, judge
from experiments import ladder, material
from experiments.spec import Selected
from promotion import LeakProof, ParityReport


@dataclass(frozen=True)
class Proven:
    """The ladder's contract, and the proof that its held-out cases are not among the rung's rows."""

    contract: dict
    contract_sha256: str
    leak: LeakProof


def again(selected: Selected) -> Proven:
    """Draw a rung's material and prove its splits; raises LeakError if they leak."""
    drawn = material.draw(selected)
    hashes = {"contract": drawn.contract_sha256, "corpus": drawn.corpus_sha256}
    return Proven(drawn.contract, drawn.contract_sha256, judge.leak_proof(drawn.prove().as_dict(), hashes))


def parity_of(config: Config, precision: str) -> ParityReport:
    """Parity of this machine's engine at a model's shape, in the precision that trained it."""
    report = parity.cached(config, home.cache() / "parity", precision=precision)
    return judge.parity_report(report, {"shape": ladder.digest(config.as_dict())}, len(config.parameters()))
