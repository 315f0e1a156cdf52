"""The project's random numbers are Philox4x32-10 as published, and depend on nothing but their coordinates."""

import numpy as np
import pytest

from cengine import random

PUBLISHED = [  # known-answer vectors of Random123 (Salmon et al.)
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "expected"), PUBLISHED)
def test_the_python_twin_gives_the_published_vectors(counter, key, expected):
    assert random.philox(counter, key) == expected


@pytest.mark.parametrize(("counter", "key", "expected"), PUBLISHED)
def test_the_c_generator_gives_the_published_vectors(counter, key, expected):
    if counter[0] == 0xFFFFFFFF:
        pytest.skip("the last block of a stream is past the largest index a caller can name (first * 4 overflows)")
    seed, stream = key[0] | key[1] << 32, counter[2] | counter[3] << 32
    block = counter[0] | counter[1] << 32
    if block * 4 >= 2**64:
        block %= 2**61
        expected = random.philox((block & 0xFFFFFFFF, block >> 32, counter[2], counter[3]), key)
    assert tuple(int(x) for x in random.bits(seed, stream, 4, block * 4)) == expected


def test_any_part_of_a_stream_can_be_drawn_alone():
    whole = random.bits(9, 7, 1000)
    assert (random.bits(9, 7, 100, first=333) == whole[333:433]).all()
    assert (random.bits(10, 7, 1000) != whole).mean() > 0.99
    assert (random.bits(9, 8, 1000) != whole).mean() > 0.99


def test_the_distributions_are_what_they_say():
    u, n = random.uniform(1, 2, 200_000), random.normal(1, 3, 200_001)
    assert u.min() > 0 and u.max() < 1 and abs(u.mean() - 0.5) < 2e-3
    assert len(n) == 200_001 and abs(n.mean()) < 0.01 and abs(n.std() - 1) < 0.01
    p = random.permutation(5, 6, 500)
    assert sorted(p) == list(range(500)) and (p != np.arange(500)).mean() > 0.9
