"""Who is being judged: the hashes that pin a model version to bytes, and a sentence for each difference.

Deliberately not a lookup: every hash was computed by who holds the bytes, from the bytes.
"""

from __future__ import annotations

from promotion.record import Digest, Record, Word


class Identity(Record):
    """One model version. `version` is text, as a registry over HTTP gives it, so that 3 and "3" cannot differ."""

    model: Word  # registered name, one per contract
    version: Word  # registry version, as text
    run_id: Word  # the run that trained it
    weights: Digest  # sha256 of model.safetensors
    tokenizer: Digest  # sha256 of tokenizer.json
    engine: Digest  # hash of the engine's sources and build
    shape: Digest  # hash of the model's shape: layers, widths, heads, context
    contract: Digest  # hash of the frozen probe contract
    corpus: Digest  # hash of the training rows
    evaluator: Digest  # hash of compiler and scorer together

    @property
    def label(self) -> str:
        """The name that a person reads: `spec12 version 4`."""
        return f"{self.model} version {self.version}"


def differences(ours: Identity, theirs: Identity, fields: tuple[str, ...] = tuple(Identity.model_fields)) -> list[str]:
    """One sentence for each field in which two identities differ, in the order of the fields."""
    return [
        f"{field} differs: {ours.label} has {short(getattr(ours, field))}, "
        f"{theirs.label} has {short(getattr(theirs, field))}"
        for field in fields
        if getattr(ours, field) != getattr(theirs, field)
    ]


def short(value: str) -> str:
    """Twelve digits of a hash are enough for a person; names stay whole."""
    return f"{value[:12]}…" if len(value) == 64 else value
