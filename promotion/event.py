"""Registry events: an append-only, hash-chained journal of promotions, refusals and rollbacks.

Each event carries the digest of the one before it, so an edited, removed or reordered event is found. A chain without a
key proves order and integrity against its last digest only: keep `State.head` where the journal's writer cannot change
it (a version tag, a run, a release note) and pass it to `fold`. Deliberately no storage: events go in and out as text.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from promotion.identity import Identity
from promotion.record import Digest, PromotionError, Record, Word, listed
from promotion.verdict import Verdict


class Kind(StrEnum):
    """What can happen to a champion."""

    PROMOTED = "promoted"
    REFUSED = "refused"
    ROLLED_BACK = "rolled_back"


class Event(Record):
    """One entry of the journal. `subject` is who was promoted, refused or rolled back to; `judged_against` is the
    version that was champion at the time (null: none), and the event applies to no other champion."""

    sequence: int = Field(ge=1)
    previous: Digest | None
    kind: Kind
    at: Word  # UTC, ISO 8601
    actor: Word
    reason: str
    subject: Identity
    judged_against: str | None
    stage: str | None = None
    policy: Digest | None = None
    alpha: float | None = None
    attempt: int | None = None
    evidence: Digest | None = None
    champion_evidence: Digest | None = None
    verdicts: tuple[Verdict, ...] = ()

    @model_validator(mode="after")
    def fits_its_verdicts(self) -> Self:
        """A promotion over a blocking gate, a refusal over none, a rollback with gates: such events cannot be."""
        blocking = [v.gate for v in self.verdicts if v.blocks]
        if self.kind is Kind.PROMOTED and (blocking or not self.verdicts or self.evidence is None):
            raise ValueError(f"got a promotion against {blocking or 'missing evidence'}; expected every gate to pass")
        if self.kind is Kind.REFUSED and not blocking:
            raise ValueError("got a refusal that no gate asked for; expected a blocking verdict")
        if self.kind is Kind.ROLLED_BACK and self.verdicts:
            raise ValueError("got a rollback with verdicts; expected none, a rollback judges nothing")
        return self

    @property
    def sentence(self) -> str:
        """The event as a person would tell it."""
        over = f"version {self.judged_against}" if self.judged_against else "no champion before it"
        told = {
            Kind.PROMOTED: f"became champion over {over}: {self._gates()}",
            Kind.REFUSED: f"was refused against {over}: {self._gates()}",
            Kind.ROLLED_BACK: f"became champion again, rolled back from {over}",
        }[self.kind]
        because = f" ({self.reason})" if self.reason else ""
        return f"{self.at} {self.actor}: {self.subject.label} {told}{because}"

    def _gates(self) -> str:
        """How many gates passed, or which ones blocked."""
        blocking = [f"{v.gate} {v.status}" for v in self.verdicts if v.blocks]
        skipped = [v.gate for v in self.verdicts if not v.applies]
        counted = f"{len(self.verdicts) - len(skipped)} gates of {self.stage} passed"
        if blocking:
            return f"blocked by {listed(blocking, 6)}"
        return counted + (f", {len(skipped)} did not apply" if skipped else "")


def stamp(now: datetime) -> str:
    """A moment as UTC text; a time without zone is refused, because it is another moment on another machine."""
    if now.tzinfo is None:
        raise PromotionError(f"now: got {now.isoformat()} without a time zone; expected one; pass datetime.now(UTC)")
    return now.astimezone(UTC).isoformat(timespec="seconds")
