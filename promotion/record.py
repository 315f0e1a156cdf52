"""The frozen record that everything in promotion is made of, and its one canonical form.

A record refuses unknown fields, wrong types and NaN, and hashes the same on every machine: canonical JSON (sorted keys,
no spaces, ASCII) under sha256. It is deliberately no store: nothing here reads or writes a file.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError

SHA256 = re.compile(r"[0-9a-f]{64}")


class PromotionError(ValueError):
    """Base of every refusal in this package; catch it to print one sentence instead of a traceback."""


def canonical(value: Any) -> str:
    """Write plain data as the JSON text that is hashed: one text per value, NaN and infinity refused."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def sha256(value: Any) -> str:
    """Hash plain data through its canonical JSON, as 64 lower-case hex digits."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def check_digest(value: str) -> str:
    """Accept a real sha256 only: a constant such as 000…0 was never the hash of anything."""
    if not SHA256.fullmatch(value) or len(set(value)) == 1:
        raise ValueError(f"got {value!r}; expected a sha256 as 64 lower-case hex digits; hash the bytes themselves")
    return value


def drop_nonfinite(value: Any) -> Any:
    """Record a NaN or an infinity as null: it is no number that was measured, and a gate says so."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def check_word(value: str) -> str:
    """Accept text that says something: an empty name identifies nothing."""
    if not value.strip():
        raise ValueError(f"got {value!r}; expected a name; leave no identity empty")
    return value


Digest = Annotated[str, AfterValidator(check_digest)]
Measured = Annotated[float | None, BeforeValidator(drop_nonfinite)]
Word = Annotated[str, AfterValidator(check_word)]


class Record(BaseModel):
    """Frozen, strict, complete: no field appears, disappears or changes its type on the way through JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    def plain(self) -> dict[str, Any]:
        """The record as plain data; an absent value is null, never left out."""
        return self.model_dump(mode="json")

    @property
    def digest(self) -> str:
        """sha256 of the canonical JSON of every field."""
        return sha256(self.plain())

    def sealed(self) -> str:
        """The record as canonical JSON that carries its own digest; `unsealed` reads it back."""
        return canonical({**self.plain(), "digest": self.digest})

    @classmethod
    def unsealed(cls, text: str) -> Self:
        """Read what `sealed` wrote and refuse a text whose digest does not fit its content."""
        what = cls.__name__.lower()
        try:
            data = json.loads(text)
        except json.JSONDecodeError as problem:
            raise PromotionError(f"{what}: got no JSON ({problem}); expected what `sealed` wrote; reread it") from None
        claimed = data.pop("digest", None) if isinstance(data, dict) else None
        try:
            record = cls.model_validate_json(json.dumps(data))
        except ValidationError as problem:
            raise PromotionError(f"{what}: got a record of another shape: {summary(problem)}") from None
        if record.digest != claimed:
            raise PromotionError(
                f"{what}: got content that hashes to {record.digest[:12]}…; expected {str(claimed)[:12]}…; "
                f"it was edited after it was sealed, so take the original"
            )
        return record


def summary(problem: ValidationError) -> str:
    """Put every violation of a validation error, with its path, into one line."""
    lines = (f"{'.'.join(map(str, e['loc'])) or 'record'}: {e['msg']}" for e in problem.errors())
    return "; ".join(lines)


def listed(items: list[str], most: int = 4) -> str:
    """Name the first few of many things and count the rest: 'a, b, c and 12 more'."""
    rest = f" and {len(items) - most} more" if len(items) > most else ""
    return ", ".join(items[:most]) + rest
