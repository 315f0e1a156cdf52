"""Kinds of tokenizers. Found, not registered: every module beside this file is one.

A kind is a module with `ALPHABET`, the characters whose texts come back from their ids (None: all of UTF-8), and `train(rows, policy)`.
All give a `Coder` whose tokenizer.json any loader of Hugging Face's reads; how they spell what is not reserved is theirs.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from experiments.tokenizer import Coder, Policy


class AlphabetError(ValueError):
    """A text outside of a kind's alphabet."""


class Kind(Protocol):
    """What a kind's module offers."""

    ALPHABET: Collection[str] | None

    def train(self, rows: Sequence[str], policy: Policy) -> Coder:
        """The tokenizer of these rows; the same rows and policy give the same bytes."""


@cache
def names() -> tuple[str, ...]:
    """Every kind's name, sorted."""
    return tuple(sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_")))


@cache
def load(name: str) -> Kind:
    """The kind called `name`."""
    if name not in names():
        raise KeyError(f"no kind of tokenizer `{name}`; there are {', '.join(names())}")
    return cast(Kind, import_module(f"{__name__}.{name}"))


def train(kind: str, rows: Sequence[str], policy: Policy) -> Coder:
    """Train a kind. Raises AlphabetError for the first row that it could not give back, with its number and character."""
    alphabet = load(kind).ALPHABET
    if alphabet is not None:
        known = set(alphabet)
        for number, row in enumerate(rows, 1):
            if strange := set(row) - known:
                sign = min(strange)
                raise AlphabetError(
                    f"tokenizer {kind}: row {number} holds {sign!r} (U+{ord(sign):04X}), expected only its {len(known)} characters; "
                    "write it in them (`cktrack tokenizer audit` lists what there is), or take byte_bpe"
                )
    return load(kind).train(rows, policy)
