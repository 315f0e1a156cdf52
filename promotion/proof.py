"""Two proofs that a promotion needs beside the scores: the splits do not leak, and the engine's gradients are right.

These are records of checks that ran elsewhere (the leak check in `experiments`, parity in `cengine`). Deliberately no
`passed` flag exists: each proof carries what was compared and how far it was off, and derives from that why it fails.
"""

from __future__ import annotations

from promotion.contract import Contract
from promotion.identity import Identity, short
from promotion.record import Digest, Measured, Record, Word


class SplitClaim(Record):
    """One split's claim: `overlaps` of `compared` cases were found among the training rows. 0 of 0 proves nothing."""

    split: Word
    holds_out: Word  # what is claimed unseen: prompt, target, recombination
    compared: int
    overlaps: int


class LeakProof(Record):
    """The disjointness check of one contract against one training corpus."""

    contract: Digest
    corpus: Digest
    claims: tuple[SplitClaim, ...]

    def leaks(self) -> list[str]:
        """Each claim that the check refuted."""
        bad = [claim for claim in self.claims if claim.overlaps > 0]
        return [f"{c.overlaps} of {c.compared} {c.holds_out}s of {c.split} were trained on" for c in bad]

    def gaps(self, contract: Contract) -> list[str]:
        """Each held-out split of the contract for which nothing, or not every case, was compared."""
        sizes = {name: sum(case.split == name for case in contract.cases) for name in contract.held_out()}
        seen = {name: [c.compared for c in self.claims if c.split == name] for name in sizes}
        return [
            f"split {name} has {size} cases, the proof compared {min(seen[name], default=0)}"
            for name, size in sizes.items()
            if size == 0 or min(seen[name], default=0) < size
        ]

    def strangers(self, identity: Identity) -> list[str]:
        """Each hash by which this proof belongs to another contract or corpus."""
        return mismatched({"contract": self.contract, "corpus": self.corpus}, identity)


class ParityReport(Record):
    """Gradients of the engine against a float64 reference. `worst` is the largest relative error, null if not finite.

    The bound is not in here: a report that brought its own bound would judge itself (see `parity` in `stage.yaml`).
    """

    engine: Digest
    shape: Digest
    tensors: int  # gradient tensors that were compared
    declared: int  # gradient tensors that the model has
    worst: Measured
    precision: Word = "fp32"
    cached: bool = False

    def failures(self, bound: float) -> list[str]:
        """Each reason why the comparison that ran does not prove the engine right."""
        found = []
        if not 0 < self.tensors == self.declared:
            found.append(f"{self.tensors} of {self.declared} gradient tensors were compared")
        if self.worst is None or not 0.0 <= self.worst <= bound:
            found.append(f"the worst relative error is {self.worst}, the bound is {bound}")
        return found

    def strangers(self, identity: Identity) -> list[str]:
        """Each hash by which this report belongs to another engine or shape, cached or not."""
        return mismatched({"engine": self.engine, "shape": self.shape}, identity)


def mismatched(hashes: dict[str, str], identity: Identity) -> list[str]:
    """A sentence for each hash that is not the identity's own."""
    return [
        f"{field} is {short(value)}, the model has {short(getattr(identity, field))}"
        for field, value in hashes.items()
        if value != getattr(identity, field)
    ]
