"""Breaking text into lines and making it safe to write.

Breaks at spaces; a token too long for its line is broken after punctuation, then anywhere. Nothing is ever shortened:
an ellipsis would hide words. What does not fit is the caller's error to report.
"""

from __future__ import annotations

from functools import lru_cache

from experiments.character import UNSAFE, is_unsafe
from experiments.compiler.metric import SLACK, advance, width

_SOFT = "/_.-:,;=|&?+)>"


def clean(text: str) -> str:
    """XML-safe text: markup characters escaped, undrawable ones (controls, bidi overrides, lone surrogates) replaced
    by U+FFFD.
    """
    if is_unsafe(text):
        text = UNSAFE.sub("\ufffd", text)
    if "&" in text or "<" in text or ">" in text:
        text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace('"', "&quot;") if '"' in text else text


@lru_cache(maxsize=1 << 16)
def wrap(text: str, face: str, size: float, room: float) -> tuple[str, ...]:
    """Lines of at most `room` px, greedily filled; runs of spaces count as one."""
    lines: list[str] = []
    line, used = "", 0.0
    gap = width(" ", face, size)
    for word in filter(None, text.split(" ")):
        wide = width(word, face, size)
        if line and used + gap + wide <= room:
            line, used = f"{line} {word}", used + gap + wide
            continue
        if line:
            lines.append(line)
        if wide > room:
            *full, word = split_token(word, face, size, room)
            lines.extend(full)
            wide = width(word, face, size)
        line, used = word, wide
    return (*lines, line)


def split_token(token: str, face: str, size: float, room: float) -> list[str]:
    """A token cut into pieces of at most `room` px, after punctuation where there is some in the last half of a
    piece.
    """
    pieces: list[str] = []
    while width(token, face, size) > room and len(token) > 1:
        end = 1
        while end < len(token) and width(token[: end + 1], face, size) <= room:
            end += 1
        soft = max((i + 1 for i in range(end // 2, end) if token[i] in _SOFT), default=end)
        pieces.append(token[:soft])
        token = token[soft:]
    return [*pieces, token]


@lru_cache(maxsize=1 << 14)
def balance(text: str, face: str, size: float, room: float) -> tuple[str, ...]:
    """Like `wrap`, with the same number of lines made as even as they can be (for titles)."""
    lines = wrap(text, face, size, room)
    if len(lines) < 2:
        return lines
    low, high = room / 2, room
    for _ in range(7):
        middle = (low + high) / 2
        if len(wrap(text, face, size, middle)) > len(lines) or not is_whole(text, face, size, middle):
            low = middle
        else:
            high = middle
    return wrap(text, face, size, high)


@lru_cache(maxsize=1 << 16)
def tidy(text: str, face: str, size: float, room: float) -> tuple[str, ...]:
    """Like `wrap`, but without a single word on the last line where the same number of lines allows it."""
    lines = wrap(text, face, size, room)
    if len(lines) < 2 or " " in lines[-1]:
        return lines
    for share in (0.95, 0.9, 0.85, 0.8):
        if is_whole(text, face, size, room * share):
            narrow = wrap(text, face, size, room * share)
            if len(narrow) == len(lines) and " " in narrow[-1]:
                return narrow
    return lines


def is_whole(text: str, face: str, size: float, room: float) -> bool:
    """Whether no token must be broken to fit."""
    return longest_word(text, face) * size * SLACK <= room


@lru_cache(maxsize=1 << 14)
def longest_word(text: str, face: str) -> float:
    """Width of the widest token, em."""
    return max(advance(word, face) for word in text.split(" "))
