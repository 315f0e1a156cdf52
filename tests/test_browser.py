"""Pictures in headless Chromium: real glyphs stay in their boxes and off each other. Skipped, with the reason, where there is no Chromium."""

from __future__ import annotations

import pytest

from cktrack import browser, check
from experiments import case, compiler, families, sweep
from experiments.compiler.tree import Text, Tree, walk
from experiments.style import Style

needs_chromium = pytest.mark.skipif(
    browser.find() is None, reason="no Chromium on the path, and none named by CKTRACK_CHROMIUM"
)


def longest(family: str, form: str) -> case.Case:
    """The case with the most words of a family's form."""
    return max((c for c in case.every(family) if c.form == form), key=lambda c: len(str(c.content)))


SAMPLE = [longest(name, form) for name in families.names() for form in sorted({c.form for c in case.every(name)})]


@needs_chromium
def test_no_glyph_leaves_its_box_or_the_canvas_or_lies_on_another() -> None:
    """The longest case of every family and form, at both extremes of density, with everything that its form can hold."""
    shots = [shot for one in SAMPLE for shot in sweep.extremes(one)]
    assert len(shots) >= 2 * len(families.names())
    assert browser.faults([(str(shot), shot.compile()) for shot in shots]) == []


@needs_chromium
def test_what_is_planted_is_found() -> None:
    """A text out of its box, one out of the canvas, one over another, and a text that the browser does not see."""
    one = case.load("timeline", "http_versions")
    found = browser.faults([(name, plant(one, name)) for name in ("sound", "wide", "out", "over", "missing")])
    told = {
        name: [f.partition(": ")[2] for f in found if f.startswith(name)]
        for name in ("sound", "wide", "out", "over", "missing")
    }
    assert told["sound"] == []
    assert any("stage_2.title" in f and "expected inside" in f for f in told["wide"])
    assert any("stage_2.title" in f and "ink at x 1" in f for f in told["out"])
    assert any("lies over that of" in f for f in told["over"])
    assert told["missing"] and "texts in the browser, expected" in told["missing"][0]


def plant(one: case.Case, fault: str) -> compiler.Picture:
    """A picture in which the title of the second stage is drawn wrongly, without a check of ours."""
    tree: Tree = compiler.lay_out(one.scene(Style()), one.content)
    texts = {node.path: node for node in walk(tree.root) if isinstance(node, Text)}
    text = texts["stages.stage_2.title"]
    if fault == "wide":
        text.lines = (text.lines[0] * 6,)
    elif fault == "out":
        text.x = tree.width - 4
    elif fault == "over":
        text.y = texts["stages.stage_2.lines.0"].y
    svg = compiler.draw(tree)
    if fault == "missing":
        svg = svg.replace("<text", "<rect", 1).replace("</text>", "</rect>", 1)
    return compiler.Picture(svg, tree, tree.width, tree.height)


def test_without_chromium_the_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CKTRACK_CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    assert browser.find() is None
    with pytest.raises(RuntimeError, match=r"got none of chromium, .* on the path; install chromium"):
        browser.measure([])


@needs_chromium
def test_the_command_measures_families(capsys: pytest.CaptureFixture[str]) -> None:
    found = check.in_browser(["stat_cards"])
    assert found["families"]["stat_cards"]["pictures"] == 4 * len(case.every("stat_cards"))  # two canvases
    check.show(found)
    assert "stat_cards" in capsys.readouterr().out


def test_the_command_sweeps_and_tells_every_fault(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = check.sweep(["stat_cards", "decision_tree"], every=30)
    assert [line["faults"] for line in found["families"].values()] == [[], []]
    cases = {name: len(case.every(name)) for name in found["families"]}
    assert all(line["pictures"] + line["refused"] >= 6 * cases[name] for name, line in found["families"].items())
    monkeypatch.setattr(sweep, "SIDES", (400.0, 500.0, 3000.0))
    broken = check.sweep(["stat_cards"], every=30)
    check.show(broken)
    assert broken["families"]["stat_cards"]["faults"] and "px, expected 400 to 500" in capsys.readouterr().out
    with pytest.raises(ValueError, match="family: got 'timelime'; expected some of architecture_map"):
        check.command(["timelime"])
    with pytest.raises(ValueError, match="--every: got 0; expected at least 1"):
        check.command(None, 0)
