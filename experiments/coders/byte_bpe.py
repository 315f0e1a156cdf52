"""`byte_bpe`: reserved tags, and BPE over all 256 bytes for everything else. Any UTF-8 text comes back."""

from __future__ import annotations

from collections.abc import Sequence

from experiments import tokenizer
from experiments.tokenizer import Coder, Policy

ALPHABET = None


def train(rows: Sequence[str], policy: Policy) -> Coder:
    return tokenizer.train(rows, policy)
