"""The project's own random numbers: Philox4x32-10, counter-based, so that a value depends on (seed, stream, index) alone.

Restarting, threads and the order of use cannot change a draw. `philox` is the NumPy twin of `c/random.c`, held against it and
against the published vectors in the tests; everything else calls C.
"""

from __future__ import annotations

import hashlib

import numpy as np

from cengine.loader import ffi, lib


def stream_of(name: str) -> int:
    """A stream number from a name, so that adding a tensor does not shift the draws of another."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")


def bits(seed: int, stream: int, count: int, first: int = 0) -> np.ndarray:
    """uint32 words first .. first+count-1 of a stream."""
    out = np.empty(count, np.uint32)
    lib.ck_random_bits(seed & (2**64 - 1), stream, first, count, ffi.from_buffer("uint32_t[]", out))
    return out


def uniform(seed: int, stream: int, count: int, first: int = 0) -> np.ndarray:
    """float64 in (0, 1): (word + 1/2) / 2^32."""
    return (bits(seed, stream, count, first) + 0.5) * 2.0**-32


def normal(seed: int, stream: int, count: int) -> np.ndarray:
    """Standard normal float64 by Box and Muller (1958), two words to a pair."""
    pairs = -(-count // 2)
    u = uniform(seed, stream, 2 * pairs).reshape(pairs, 2)
    radius, angle = np.sqrt(-2.0 * np.log(u[:, 0])), 2.0 * np.pi * u[:, 1]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).reshape(-1)[:count]


def permutation(seed: int, stream: int, count: int) -> np.ndarray:
    """A permutation of range(count): the order of 64-bit random keys."""
    keys = bits(seed, stream, 2 * count).astype(np.uint64)
    return np.argsort((keys[0::2] << np.uint64(32)) | keys[1::2], kind="stable")


def philox(counter: tuple[int, int, int, int], key: tuple[int, int]) -> tuple[int, int, int, int]:
    """One Philox4x32-10 block in plain Python (Salmon et al., SC11)."""
    c, (k0, k1) = list(counter), key
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k0, b & 0xFFFFFFFF, (a >> 32) ^ c[3] ^ k1, a & 0xFFFFFFFF]
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return c[0], c[1], c[2], c[3]
