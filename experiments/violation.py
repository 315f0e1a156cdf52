"""What a reader, a checker or a validator found wrong, one record per finding.

Every parser, binder, checker and validator under `experiments/` returns or raises *all* of its findings as
`Violation`s. This file holds the record, the one exception that carries a list of them, and the hint at the nearest name; it
deliberately decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True, slots=True)
class Violation:
    """One finding: where it is, what was got, what was expected (a hint on what to try may end `expected`)."""

    place: str
    got: str
    expected: str
    token: int | None = None  # 1-based tag position in a scene text, None elsewhere

    def __str__(self) -> str:
        return f"{self.place}: got {self.got}, expected {self.expected}"


class ViolationError(ValueError):
    """Carries every violation found; the message lists the first few."""

    subject = "input"
    shown = 8

    def __init__(self, violations: Sequence[Violation]) -> None:
        self.violations = tuple(violations)
        head = "\n".join(f"  {v}" for v in self.violations[: self.shown])
        more = len(self.violations) - self.shown
        tail = f"\n  ... and {more} more" if more > 0 else ""
        super().__init__(f"{self.subject}: {len(self.violations)} violation(s)\n{head}{tail}")


def shorten(value: object, limit: int = 60) -> str:
    """A value as an error message shows it: `repr`, cut to `limit` characters."""
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def nearest(name: str, known: Iterable[object]) -> str:
    """A hint that ends an `expected`: the known name that looks most like `name`, or nothing."""
    close = get_close_matches(name, [k for k in known if isinstance(k, str)], 1)
    return f"; did you mean `{close[0]}`?" if close else ""
