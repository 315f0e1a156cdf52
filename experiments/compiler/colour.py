"""Colour arithmetic: mixing, luminance, contrast, and finding a legible variant. Colours are `#rrggbb` strings;
nothing here is themed.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

LEGIBLE = 4.5  # contrast that text needs (WCAG 2.2, 1.4.3)
MARGIN = 4.6  # what is aimed at, so that rounding to 8 bits cannot fall below


@cache
def channels(colour: str) -> tuple[int, int, int]:
    """`#rrggbb` -> (r, g, b), 0..255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


@cache
def mix(base: str, top: str, share: float) -> str:
    """`top` laid over `base` with opacity `share`."""
    return "#" + "".join(
        f"{round(b + (t - b) * share):02x}" for b, t in zip(channels(base), channels(top), strict=True)
    )


@cache
def luminance(colour: str) -> float:
    """Relative luminance of an sRGB colour, 0..1 (WCAG 2.2)."""
    linear = [c / 3294.6 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in channels(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@cache
def contrast(a: str, b: str) -> float:
    """Contrast ratio of two colours, 1..21."""
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def worst(colour: str, grounds: Sequence[str]) -> float:
    """The lowest contrast of a colour against several grounds."""
    return min([contrast(colour, ground) for ground in grounds])


@cache
def legible(colour: str, grounds: tuple[str, ...], ratio: float = MARGIN) -> str:
    """The colour itself where it is legible on all grounds, else the nearest mix with black or white that is."""
    if worst(colour, grounds) >= ratio:
        return colour
    target = max(("#000000", "#ffffff"), key=lambda end: worst(end, grounds))
    for step in range(1, 21):
        candidate = mix(colour, target, step / 20)
        if worst(candidate, grounds) >= ratio:
            return candidate
    return target
