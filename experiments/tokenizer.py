"""Byte-level BPE whose reserved tokens are the structural tags of a surface: what every kind of tokenizer here is made of.

Kinds (`experiments/coders/`) differ in their alphabet and in what they reserve. A tag costs one token because its reserved token carries
the space before it (` [scene]`); a tag that may open a row is reserved without the space as well. What is not reserved (ids, references,
prose) is byte-level BPE learned row by row, so no merge crosses a row or a tag, and any text of the alphabet comes back byte for byte.
The pre-tokenizer is Qwen2's, so that `transformers` and llama.cpp (`pre = qwen2`) cut the same text into the same ids; there is no
normalizer, because one would change the text.
It knows no model and no training.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

EOS, PAD, UNKNOWN = "<|endoftext|>", "<|pad|>", "<|unk|>"
SPECIAL = (EOS, PAD)
BREAK, COPIES = "\x00", 1000  # between words that are learned from, and how many of one stand in a text
ENDED = re.compile(
    r"[^A-Za-z]*[A-Za-z]+|[^A-Za-z]+"
)  # ASCII up to where letters end: no match of QWEN2_SPLIT goes on there
DEEPEST = 40  # groups inside of groups in a pattern of reserved texts
QWEN2_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


class RoundtripError(ValueError):
    """A text that does not come back from its ids: which row (from 1), the first character that differs, and what stands there."""

    def __init__(self, row: int, offset: int, got: str, expected: str) -> None:
        super().__init__(
            f"tokenizer: row {row} does not come back; at character {offset} got {got!r}, expected {expected!r}"
        )


@dataclass(frozen=True)
class Policy:
    """What is reserved: whole tags of closed lists, and the opening of tags whose value is open. Structure, never payload."""

    tags: tuple[str, ...]
    prefixes: tuple[str, ...] = ()
    openers: tuple[str, ...] = ("[task:svg]",)  # tags that may stand at the start of a row
    vocab: int = 1024
    min_frequency: int = 2

    def reserved(self) -> list[str]:
        """Reserved token texts in a fixed order."""
        spaced = [f" {t}" for t in dict.fromkeys((*self.tags, *self.prefixes))]
        return [*self.openers, *spaced]


def comes_back(text: str) -> bool:
    """Whether a reserved text comes back from its token: not where all its letters are letters of byte-level BPE, which are read as bytes."""
    return text.isascii() or not set(text) <= set(pre_tokenizers.ByteLevel.alphabet())


class Coder:
    """A trained tokenizer: text to ids and back."""

    def __init__(self, inner: Tokenizer) -> None:
        self.inner = inner
        self.eos, self.pad = self._special(EOS), self._special(PAD)

    def _special(self, token: str) -> int:
        found = self.inner.token_to_id(token)
        if found is None:
            raise ValueError(
                f"tokenizer: {token} is not in the vocabulary; expected a tokenizer made by experiments/tokenizer.py"
            )
        return int(found)

    @classmethod
    def from_json(cls, text: str) -> Coder:
        return cls(Tokenizer.from_str(text))

    @property
    def size(self) -> int:
        return self.inner.get_vocab_size(with_added_tokens=True)

    def encode(self, text: str) -> list[int]:
        return self.inner.encode(text, add_special_tokens=False).ids

    def encode_many(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text. Equal texts are encoded once and share one list, which nobody may change."""
        different = list(dict.fromkeys(texts))
        found = self.inner.encode_batch_fast(different, add_special_tokens=False)
        ids = {text: one.ids for text, one in zip(different, found, strict=True)}
        return [ids[text] for text in texts]

    def decode(self, ids: Sequence[int]) -> str:
        return self.inner.decode(list(ids), skip_special_tokens=False)

    def json(self) -> str:
        """tokenizer.json, the same bytes for the same training rows."""
        return self.inner.to_str(pretty=True)

    def sha256(self) -> str:
        return hashlib.sha256(self.json().encode()).hexdigest()

    def files(self, ctx: int) -> dict[str, bytes]:
        """What a checkpoint needs beside the weights. The class is named so that no loader swaps the pre-tokenizer."""
        config = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "eos_token": EOS,
            "pad_token": PAD,
            "bos_token": None,
            "unk_token": None,
            "add_bos_token": False,
            "add_eos_token": False,
            "add_prefix_space": False,
            "clean_up_tokenization_spaces": False,
            "model_max_length": ctx,
        }
        special = {"eos_token": EOS, "pad_token": PAD}
        if self.inner.token_to_id(UNKNOWN) is not None:
            config["unk_token"] = special["unk_token"] = UNKNOWN
        return {
            "tokenizer.json": self.json().encode(),
            "tokenizer_config.json": (json.dumps(config, indent=2) + "\n").encode(),
            "special_tokens_map.json": (json.dumps(special, indent=2) + "\n").encode(),
        }


def train(rows: Iterable[str], policy: Policy, alphabet: Collection[str] | None = None) -> Coder:
    """Learn merges from the rows' payload and reserve the policy's tags. The same rows give the same tokenizer.

    `alphabet`: characters of one byte that texts may hold, all bytes by default. A byte outside of it becomes `<|unk|>`.
    """
    specials = SPECIAL if alphabet is None else (*SPECIAL, UNKNOWN)
    inner = Tokenizer(models.BPE(byte_fallback=False, unk_token=None if alphabet is None else UNKNOWN, fuse_unk=False))
    cut = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN2_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    inner.decoder = decoders.ByteLevel()
    reserved, letters = policy.reserved(), _letters(alphabet)
    trainer = trainers.BpeTrainer(
        vocab_size=max(policy.vocab - len(reserved), len(letters) + len(specials)),
        min_frequency=policy.min_frequency,
        special_tokens=list(specials),
        initial_alphabet=letters,
        show_progress=False,
    )
    inner.pre_tokenizer = pre_tokenizers.Split(BREAK, behavior="removed")
    inner.train_from_iterator(_gathered(_words(cut, _payload(rows, reserved))), trainer)
    inner.pre_tokenizer = cut
    inner.add_tokens(
        [
            AddedToken(t, single_word=False, lstrip=False, rstrip=False, normalized=False, special=False)
            for t in reserved
        ]
    )
    return Coder(inner)


def _letters(alphabet: Collection[str] | None) -> list[str]:
    """The letters by which byte-level BPE writes the bytes of an alphabet."""
    if alphabet is None:
        return list(pre_tokenizers.ByteLevel.alphabet())
    written = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return [written.pre_tokenize_str(character)[0][0] for character in sorted(alphabet)]


def _payload(rows: Iterable[str], reserved: Sequence[str]) -> Iterator[str]:
    """The pieces of the rows between reserved tokens: what the merges are learned from."""
    cut = re.compile(_longest(reserved))
    for row in rows:
        for piece in cut.split(row) if reserved else [row]:
            if piece:
                yield piece


def _longest(texts: Iterable[str], depth: int = 0) -> str:
    """A pattern that matches the longest of the texts (not empty), by what they have in common: alternatives in a row would be tried one by one."""
    tails = sorted(set(texts), reverse=True)
    if depth == DEEPEST:
        return f"(?:{'|'.join(map(re.escape, tails))})"  # the longer of two that begin alike comes first
    ways = []
    for _, same in groupby(filter(None, tails), key=itemgetter(0)):
        alike = list(same)
        head = _shared(alike[0], alike[-1])  # of sorted texts the first and the last share least
        ways.append(re.escape(head) + (_longest((t[len(head) :] for t in alike), depth + 1) if alike != [head] else ""))
    pattern = "|".join(ways)
    if "" in tails:
        return f"(?:{pattern})?"
    return pattern if len(ways) == 1 else f"(?:{pattern})"


def _shared(a: str, b: str) -> str:
    """What two texts begin with."""
    return a[: next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))]


def _words(cut: pre_tokenizers.PreTokenizer, pieces: Iterable[str]) -> Counter[str]:
    """How often each word is in the pieces, in letters of byte-level BPE. There are millions of words and few different, so prose is taken apart
    where a word surely ends, and what is then equal is cut once."""
    alike: Counter[str] = Counter()
    for piece, count in Counter(pieces).items():
        for part in ENDED.findall(piece) if piece.isascii() else [piece]:
            alike[part] += count
    found: Counter[str] = Counter()
    for part, count in alike.items():
        for word, _ in cut.pre_tokenize_str(part):
            found[word] += count
    return found


def _gathered(words: Mapping[str, int]) -> Iterator[str]:
    """Every word as often as it is counted, between breaks, in few long texts: a trainer takes no counts."""
    for word, count in words.items():
        for taken in range(0, count, COPIES):
            yield BREAK.join([word] * min(COPIES, count - taken))


def roundtrip(coder: Coder, rows: Sequence[str]) -> dict:
    """Encode and decode every row; raises RoundtripError at the first that differs, with its line and offset. Returns what `counts` says."""
    encoded = coder.encode_many(rows)
    for number, (row, ids) in enumerate(zip(rows, encoded, strict=True), 1):
        back = coder.decode(ids)
        if back != row:
            at = next((i for i, (a, b) in enumerate(zip(row, back, strict=False)) if a != b), min(len(row), len(back)))
            raise RoundtripError(number, at, back[at : at + 30], row[at : at + 30])
    return counts(coder, rows, encoded)


def counts(coder: Coder, rows: Sequence[str], encoded: Sequence[Sequence[int]]) -> dict:
    """Rows (all of which come back), bytes, tokens, longest row in tokens, bytes per token."""
    sizes = [len(ids) for ids in encoded]
    total = sum(len(r.encode()) for r in rows)
    return {
        "rows": len(rows),
        "rows_exact": len(rows),
        "bytes": total,
        "tokens": sum(sizes),
        "longest_row": max(sizes, default=0),
        "bytes_per_token": total / max(1, sum(sizes)),
        "vocabulary": coder.size,
    }
