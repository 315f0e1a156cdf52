"""Quantities in words: `$250k+`, `1.5 GB`, `67,000 GB/s`, `12 ms` as a number in a base unit, so that bars can be as long as they say.

What has no number, or a range of them, is no quantity; quantities of different units are not compared. Nothing is guessed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

_NUMBER = re.compile(r"~?\s*([<>$]?)\s*(\d[\d,]*(?:\.\d+)?)\s*([A-Za-z%/]*)(.*)")
_BYTES = {"B": 1.0} | {
    f"{p}{i}B": (1024.0 if i or p == "K" else 1000.0) ** n for n, p in enumerate("KMGTP", 1) for i in ("", "i")
} | {"kB": 1e3, "KB": 1e3}  # fmt: skip
_TIMES = {
    "ns": 1e-9,
    "us": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "sec": 1.0,
    "seconds": 1.0,
    "min": 60.0,
    "minutes": 60.0,
    "h": 3600.0,
}
_COUNTS = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_FLOPS = {"FLOP": 1.0, "MFLOP": 1e6, "GFLOP": 1e9, "TFLOP": 1e12, "MFLOPs": 1e6, "GFLOPs": 1e9, "TFLOPs": 1e12}


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number in the base unit of its kind (bytes, seconds, pieces)."""

    number: float
    unit: str


@lru_cache(maxsize=4096)
def quantity(text: str) -> Quantity | None:
    """The quantity that a text states, None where it states none or more than one number."""
    match = _NUMBER.fullmatch(text.strip())
    if match is None or any(c.isdigit() for c in match[4]):
        return None
    number, word, rest = float(match[2].replace(",", "")), match[3], " ".join(match[4].strip(" +").split())
    head, slash, per = word.partition("/")
    tail = f"{slash}{per}{' ' + rest if rest else ''}"
    for kind, table in (("bytes", _BYTES), ("seconds", _TIMES), ("flop", _FLOPS)):
        if head in table:  # of such a kind, a remark changes nothing unless it says of what one: `GB per request`
            own = tail if rest.split(" ")[0] in ("per", "a", "an", "each", "every") else f"{slash}{per}"
            return Quantity(number * table[head], f"{match[1]}{kind}{own}")
    if head in _COUNTS:
        return Quantity(number * _COUNTS[head], f"{match[1]}{tail.strip()}")
    return Quantity(number, f"{match[1]}{head.removesuffix('s') if len(head) > 3 else head}{tail}")


@dataclass(frozen=True, slots=True)
class Scale:
    """Shares of the longest bar for each value; `decades` = powers of ten of a logarithmic scale with their shares, else empty."""

    shares: tuple[float, ...]
    decades: tuple[tuple[float, int], ...] = ()


def scale(texts: Sequence[str], logarithmic: bool = False) -> Scale | None:
    """How long the bars of these values are, proportional to the values (or to their logarithms above a power of ten below the
    smallest); None where they cannot be compared.
    """
    found = [quantity(text) for text in texts]
    known = [q for q in found if q is not None and q.number >= 0]
    if len(known) < len(texts) or len({q.unit for q in known}) != 1 or max(q.number for q in known) <= 0:
        return None
    top, least = max(q.number for q in known), min(q.number for q in known)
    if not logarithmic or least <= 0:
        return Scale(tuple(q.number / top for q in known))
    floor = math.ceil(math.log10(least)) - 1
    span = math.log10(top) - floor
    decades = tuple(((n - floor) / span, n) for n in range(floor + 1, math.floor(math.log10(top)) + 1))
    return Scale(tuple((math.log10(q.number) - floor) / span for q in known), decades)
