"""The contact sheet holds every picture itself, and no text of a case can become markup."""

from cktrack.sheet import Shown, page

SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"/>'


def test_misses_come_first_with_what_was_expected():
    text = page("r", [Shown("a", "seen", "p", True, SVG, "", None), Shown("b", "seen", "p", False, SVG, "", SVG)])
    assert text.index(">b <") < text.index(">a <") and text.count("<img") == 3 and "1 of them missed" in text
    assert "http" not in text.replace("http-equiv", "") and text.count("data:image/svg+xml;base64,") == 3


def test_what_a_model_said_is_text():
    evil = "<script>alert(1)</script>"
    text = page(evil, [Shown(evil, evil, evil, False, None, evil, None)])
    assert "<script" not in text and text.count("&lt;script&gt;") == 6
