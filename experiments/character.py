"""Which characters may be drawn, by Unicode category and by block, and which texts are blank.

A character is undrawable if its category says so: controls, format characters (bidi marks, zero-width ones, tags), separators of
lines, surrogates, private and unassigned ones. It is unmeasured if it lies outside `advances.json` and outside the blocks below:
a glyph of unknown width may be ten times as wide as a letter (U+FDFD), and a picture must not depend on luck. Deliberately no
width is known here; that is `compiler/metric.py`.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path

UNDRAWABLE = ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp")
INVISIBLE = "\u034f\u115f\u1160\u3164\uffa0"  # letters and marks that draw nothing: the grapheme joiner, Hangul fillers
LAST = 0x3FFFF  # beyond it lie only tags, variation selectors, private and unassigned characters

# Blocks outside of `advances.json` whose glyphs are at most UNKNOWN em wide in the fonts that stand in for ours.
NARROW = (
    (0x180, 0x24F),  # Latin Extended-B
    (0x300, 0x36F),  # combining marks
    (0x460, 0x5F4),  # Cyrillic, Armenian, Hebrew
    (0x620, 0x6D5),  # Arabic letters, without ligatures
    (0x904, 0x97F),  # Devanagari
    (0xE01, 0xE5B),  # Thai
    (0x10A0, 0x11FF),  # Georgian, Hangul letters
    (0x1E00, 0x1FFE),  # Latin and Greek with marks
    (0x2000, 0x200A),  # spaces
    (0x2300, 0x23FF),  # technical signs
    (0x2460, 0x24FF),  # enclosed letters and digits
    (0x2600, 0x27BF),  # signs and dingbats
    (0x2E80, 0x312F),  # Han radicals, kana
    (0x3130, 0x318F),  # Hangul
    (0x31F0, 0x31FF),  # small kana
    (0x3400, 0x9FFF),  # Han
    (0xAC00, 0xD7A3),  # Hangul syllables
    (0xF900, 0xFAFF),  # Han, compatibility
    (0xFE00, 0xFE0F),  # variation selectors: no width of their own
    (0xFF01, 0xFFEE),  # full-width and half-width forms
    (0x1F300, 0x1FAFF),  # pictographs
    (0x20000, LAST),  # Han, further planes
)


def _ranges(codes: Iterator[int]) -> Iterator[tuple[int, int]]:
    first = last = -2
    for code in codes:
        if code != last + 1:
            if first >= 0:
                yield first, last
            first = code
        last = code
    yield first, last


def _class(ranges: Iterator[tuple[int, int]]) -> str:
    return "".join(f"\\U{a:08x}-\\U{b:08x}" for a, b in ranges)


UNSAFE = re.compile(
    "["
    + _class(_ranges(c for c in range(LAST + 1) if chr(c) in INVISIBLE or unicodedata.category(chr(c)) in UNDRAWABLE))
    + f"\\U{LAST + 1:08x}-\\U0010ffff]"
)


@cache
def _measured() -> re.Pattern[str]:
    """Texts of characters whose width is known, or known to be at most what unknown ones are counted."""
    table = json.loads((Path(__file__).parent / "compiler" / "advances.json").read_text())
    blocks = [(b[0], b[0] + len(b) - 2) for b in table["sans"]["blocks"]]
    return re.compile(f"[{_class(iter([*blocks, *NARROW]))}]*")


BLANK = "the text is blank; leave the field out instead"


def fault(text: str) -> str | None:
    """Why a text cannot be drawn, with the character and its offset, or None. Printable ASCII is drawable, and its widths are known."""
    if text.isascii() and text.isprintable():
        return BLANK if is_blank(text) else None
    undrawable = UNSAFE.search(text)
    if undrawable:
        return f"character {_name(undrawable[0])} at offset {undrawable.start()} cannot be drawn; remove it or split the text"
    match = _measured().match(text)
    end = match.end() if match else 0
    if end < len(text):
        return (
            f"character {_name(text[end])} at offset {end} has no known width; write it in letters, or as a common sign"
        )
    return BLANK if is_blank(text) else None


def is_unsafe(text: str) -> bool:
    """Whether a text holds a character that cannot be drawn; printable ASCII, the usual case, is known without a search."""
    return not (text.isascii() and text.isprintable()) and UNSAFE.search(text) is not None


def is_blank(text: str) -> bool:
    """Whether nothing of a text is seen: only spaces, marks without a letter to stand on, and format characters."""
    return not text[:1].isalnum() and all(unicodedata.category(c)[0] in "ZMC" for c in text)


def _name(character: str) -> str:
    return f"U+{ord(character):04X}"
