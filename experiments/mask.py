"""Masks: which tokens a grammar lets a model say next, so that what is said is whole and read by the surface, within a budget.

A guide holds what was said and one way to end it, as tokens. A token is allowed if it is the next one of that way (which is then one
token shorter), or if the grammar knows a way to end the text behind it that fits in what is left. So at every step at least one token
is allowed, no text can run out of its budget, and what ends was read by the surface's own `parse`, in full, before its last token was
said. Tokens may span tags and split them: everything here is bytes. Which token is likely is the decoder's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import islice, product

import numpy as np

from experiments.pen import Grammar
from experiments.tokenizer import Coder

TRIES = 48  # tokens that are tried for a place, before the way to the end is taken
_MIDDLES = (0x80, 0xA0, 0xA9, 0xBF)  # bytes with which a character that was begun may well end


class MaskError(ValueError):
    """No text of the grammar fits in the budget."""


def _byte_of() -> dict[str, int]:
    """The letters by which byte-level BPE writes bytes (Radford et al. 2019): printable ones stand for themselves."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    table = {chr(b): b for b in plain}
    return table | {chr(0x100 + i): b for i, b in enumerate(b for b in range(256) if b not in plain)}


class Tokens:
    """The bytes of every token of a tokenizer. What is not text (end, padding, unknown) has none."""

    def __init__(self, coder: Coder, special: Sequence[str] = ("<|endoftext|>", "<|pad|>", "<|unk|>")) -> None:
        self.coder, self.eos = coder, coder.eos
        added = {i: token.content for i, token in coder.inner.get_added_tokens_decoder().items()}
        letters = _byte_of()
        self.bytes: list[bytes] = []
        for number in range(coder.size):
            text = added.get(number)
            if text is None:
                spelled = coder.inner.id_to_token(number) or ""
                self.bytes.append(b"" if spelled in special else bytes(letters[c] for c in spelled))
            else:
                self.bytes.append(b"" if text in special else text.encode())

    @cached_property
    def single(self) -> dict[int, int]:
        """The token of each byte that has one."""
        return {b[0]: i for i, b in enumerate(self.bytes) if len(b) == 1}

    def spell(self, text: str) -> list[int] | None:
        """Ids that spell a text, None where the tokenizer cannot."""
        ids = self.coder.encode(text)
        return ids if b"".join(self.bytes[i] for i in ids) == text.encode() else None


class Guide:
    """What one model may say. `room`: tokens that it may say before the end token."""

    def __init__(self, grammar: Grammar, tokens: Tokens, room: int) -> None:
        self.grammar, self.tokens, self.room = grammar, tokens, room
        self.said = b""
        self.turned = 0  # how often the likeliest token was not allowed
        closing = next(self._closings(b""), None)
        if closing is None or len(closing) > room:
            got = "no text at all" if closing is None else f"{len(closing)} tokens for the shortest text known"
            raise MaskError(
                f"constrained decoding: got {got}; expected one in {room} tokens; allow more new tokens, or a shorter prompt"
            )
        self.closing = closing

    def pick(self, logits: np.ndarray) -> int:
        """The likeliest token of logits [vocab] that is allowed (the lowest id wins a tie), which is taken to be said. Where none of the
        `TRIES` likeliest that may come is, the next one of the way to the end is said.
        """
        likeliest = int(np.argmax(logits))
        if self.take(likeliest):
            return likeliest
        self.turned += 1
        may = self._candidates()
        able = (int(token) for token in np.argsort(-logits, kind="stable") if may(int(token)))
        found = next((token for token in islice(able, TRIES) if self.take(token)), None)
        if found is None:
            found = self.closing[0] if self.closing else self.tokens.eos
            self.take(found)
        return found

    def allowed(self) -> list[int]:
        """Every allowed token."""
        may = self._candidates()
        return [token for token in range(len(self.tokens.bytes)) if may(token) and self._after(token) is not None]

    def take(self, token: int) -> bool:
        """Say a token if it is allowed; whether it was."""
        closing = self._after(token)
        if closing is None:
            return False
        self.said, self.closing, self.room = self.said + self.tokens.bytes[token], closing, self.room - 1
        return True

    def _after(self, token: int) -> list[int] | None:
        """The way to the end behind a token; None where it is not allowed. The end token is, where the text is whole."""
        if token == self.tokens.eos:
            return None if self.closing else []
        if not self.closing or not self.tokens.bytes[token]:
            return None
        if token == self.closing[0]:
            return self.closing[1:]
        if len(self.closing) >= self.room:
            return None  # there is room for this one way to the end and no other
        found = self._closings(self.said + self.tokens.bytes[token])
        return next((closing for closing in found if len(closing) < self.room), None)

    def _closings(self, said: bytes) -> Iterator[list[int]]:
        """Ways to end what was said. Where it stops inside a character, ways through some characters that begin so."""
        try:
            fillers, text = [b""], said.decode()
        except UnicodeDecodeError as error:
            if error.reason != "unexpected end of data":
                return
            fillers = [bytes(end) for n in (1, 2, 3) for end in product(_MIDDLES, repeat=n)]
        for filler in fillers:
            try:
                text = (said + filler).decode()
            except UnicodeDecodeError:
                continue
            rest = self.grammar.complete(text)
            spelled = None if rest is None else self.tokens.spell(rest)
            if spelled is not None and all(b in self.tokens.single for b in filler):
                yield [*(self.tokens.single[b] for b in filler), *spelled]

    def _candidates(self) -> Callable[[int], bool]:
        """A quick test that no allowed token fails."""
        table, first = self.tokens.bytes, self.closing[:1]
        try:
            texts, goes_on = self.grammar.frontier(self.said.decode())
        except UnicodeDecodeError:
            texts, goes_on = (), None

        if len(self.closing) >= self.room:
            return [*first, self.tokens.eos].__contains__

        def may(token: int) -> bool:
            if token == self.tokens.eos or token in first:
                return True
            try:
                word = table[token].decode()
            except UnicodeDecodeError:
                return True
            if any(text.startswith(word) or word.startswith(text) for text in texts):
                return bool(word)
            return not texts if goes_on is None else bool(word) and goes_on(word)

        return may
