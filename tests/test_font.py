"""Advance widths and line breaking: the table is what the fonts say, and no line is wider than its room."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments import character
from experiments.compiler import extract_metrics, metric
from experiments.compiler.text import balance, clean, split_token, tidy, wrap

FONTS = Path("/usr/share/fonts")
FILES = {"sans": "DejaVuSans.ttf", "bold": "DejaVuSans-Bold.ttf", "mono": "DejaVuSansMono.ttf"}
WORDS = st.text(st.sampled_from("abc iIWM.-_/é—7 "), min_size=1, max_size=120).filter(str.strip)


@pytest.mark.parametrize("face", FILES)
def test_table_is_what_the_font_says(face: str) -> None:
    found = sorted(FONTS.rglob(FILES[face]))
    if not found:
        pytest.skip("the DejaVu fonts are not installed here")
    table = json.loads((Path(metric.__file__).parent / "advances.json").read_text())
    assert table[face] == json.loads(json.dumps(extract_metrics.extract(str(found[0]))))


@pytest.mark.parametrize("face", FILES)
def test_characters_outside_the_table_are_no_wider_than_they_count(face: str) -> None:
    found = sorted(FONTS.rglob(FILES[face]))
    if not found:
        pytest.skip("the DejaVu fonts are not installed here")
    ttLib = pytest.importorskip("fontTools.ttLib")
    font = ttLib.TTFont(str(found[0]))
    widths = {chr(c): font["hmtx"][name][0] / metric.UNITS for c, name in font.getBestCmap().items()}
    wide = {c: w for c, w in widths.items() if w > metric.advance(c, face) + 1e-9 and character.fault(f"x{c}") is None}
    assert not wide


def test_printable_ascii_is_drawable_and_measured() -> None:
    """So it is let in without being looked at."""
    signs = "".join(map(chr, range(32, 127)))
    assert signs.isprintable() and not character.UNSAFE.search(signs) and character._measured().fullmatch(signs)
    assert all(sign in metric._ADVANCES[face] for sign in signs for face in FILES)
    assert character.fault(" ") == character.fault("") == character.BLANK


def test_known_widths() -> None:
    assert metric.advance(" ", "mono") == metric.advance("W", "mono") == 1233 / 2048
    assert metric.advance("i", "sans") < metric.advance("W", "sans") < metric.advance("W", "bold")
    assert metric.advance("\U0001f600", "sans") == metric.UNKNOWN  # not in the table: wider than any fallback draws it
    assert metric.width("ab", "sans", 10) == pytest.approx(metric.SLACK * 10 * metric.advance("ab", "sans"))


@given(WORDS, st.sampled_from(sorted(FILES)), st.floats(12, 40), st.floats(60, 600))
@settings(max_examples=300, deadline=None)
def test_lines_fit_and_nothing_is_lost(text: str, face: str, size: float, room: float) -> None:
    for breaker in (wrap, balance, tidy):
        lines = breaker(text, face, size, room)
        assert all(metric.width(line, face, size) <= room + 1e-6 for line in lines)
        assert all(line and line == line.strip(" ") for line in lines)
        assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert (
        len(balance(text, face, size, room)) == len(wrap(text, face, size, room)) == len(tidy(text, face, size, room))
    )


def test_long_tokens_break_after_punctuation() -> None:
    pieces = split_token("model_matrix_report_latest.json", "sans", 16, 150)
    assert "".join(pieces) == "model_matrix_report_latest.json" and all(p[-1] in "_." for p in pieces[:-1])


@given(st.text(max_size=60))
def test_clean_text_is_safe(text: str) -> None:
    safe = clean(text)
    assert not set(safe) & set('<>"\0\u202e') and clean('a<b & "c"') == "a&lt;b &amp; &quot;c&quot;"
    safe.encode("utf-8")
