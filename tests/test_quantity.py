"""Bars are as long as their values say: quantities in words, their units, and scales that refuse what cannot be compared."""

from __future__ import annotations

import pytest

from experiments.compiler.inline import humanise
from experiments.compiler.quantity import Quantity, quantity, scale


@pytest.mark.parametrize(
    ("text", "number", "unit"),
    [
        ("$250k+", 250e3, "$"), ("1,024 tokens", 1024, "token"), ("1 token", 1, "token"), ("~40 us", 40e-6, "seconds"),
        ("2 MiB", 2 * 1024**2, "bytes"), ("3 GB/s eq", 3e9, "bytes/s eq"), ("8x", 8, "x"), ("12%", 12, "%"), ("0.5", 0.5, ""),
    ],
)  # fmt: skip
def test_quantity(text: str, number: float, unit: str) -> None:
    found = quantity(text)
    assert isinstance(found, Quantity) and found.number == pytest.approx(number) and found.unit == unit


@pytest.mark.parametrize("text", ["low", "3 to 5", "fp32", "", "ten", "v1.2.3"])
def test_what_is_no_quantity(text: str) -> None:
    assert quantity(text) is None


def test_shares_are_proportional_or_refused() -> None:
    found = scale(["28 GB", "14 GB", "3500 MB"])
    assert found is not None and found.shares == pytest.approx((1, 0.5, 0.125)) and not found.decades
    assert scale(["28 GB", "3 ms"]) is None and scale(["28 GB", "much"]) is None and scale(["0", "0"]) is None
    assert scale(["<5 ms", "7 ms"]) is None, "a bound is no value"


def test_a_logarithmic_scale_starts_a_power_of_ten_below_the_smallest() -> None:
    found = scale(["1 ns", "100 ns", "10 ms"], logarithmic=True)
    assert found is not None and found.shares == pytest.approx((1 / 8, 3 / 8, 1))
    assert [round(share * 8) for share, _ in found.decades] == [1, 2, 3, 4, 5, 6, 7, 8]


def test_inline_words_are_made_readable() -> None:
    assert humanise("memory map of the gpu") == "Memory map of the GPU"
    assert humanise("67000 GB s per link") == "67000 GB/s per link" and humanise("iPhone s") == "iPhone s"
