"""The profile of a rung's rows counts what is there, and `cktrack dataset` tells it as tables, JSON and one page."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest
from typer.testing import CliRunner

from cktrack import cli, dataset
from experiments import ladder, preflight
from experiments.preflight import Finding
from experiments.prepared import Prepared
from experiments.profile import profile, spread, variety


@pytest.fixture(scope="module")
def prepared():
    return Prepared(ladder.select("spec12/r17"))


@pytest.fixture(scope="module")
def counted(prepared):
    return profile(prepared)


def test_stages_and_surfaces_are_counted_as_they_lie_there(prepared, counted):
    rows = prepared.material.stages["midtrain"]
    told = counted["stages"]["midtrain"]
    assert (told["rows"], told["different"]) == (len(rows), len({r.text for r in rows}))
    assert told["characters"]["max"] == max(len(r.text) for r in rows)
    longest = max(len(prepared.coder.encode(r.text)) for r in rows) + 1
    assert told["tokens"]["max"] == longest
    training = [r for part in prepared.material.stages.values() for r in part]
    assert {name: t["rows"] for name, t in counted["surfaces"].items()} == Counter(r.surface for r in training)
    assert sum(f["rows"] for f in counted["families"]) == len(training)
    assert sum(counted["styles"]["theme"].values()) == len({r.output for r in training})


def test_weights_are_shares_on_disk_and_nearly_those_of_the_budget(counted):
    for stage in counted["mixture"].values():
        assert sum(s["declared"] for s in stage.values()) == pytest.approx(1, abs=1e-4)
        for shares in stage.values():
            assert shares["rows"] == shares["declared"] and shares["budget"] == pytest.approx(
                shares["declared"], abs=0.03
            )


def test_the_same_rows_give_the_same_profile(prepared, counted):
    assert profile(prepared) == counted and dataset.page(counted) == dataset.page(counted)


def test_variety_falls_when_texts_repeat_their_words():
    varied, dull = variety(["a b c d", "e f g h"]), variety(["a b a b", "b a b a"])
    assert varied["share_1"] == 1 and dull["share_1"] == 0.25 and dull["different_2"] == 2
    assert variety(["a"] * 5)["texts"] == 1 and variety([])["share_1"] == 0


def test_lengths_are_told_by_their_order():
    assert spread(range(1, 101)) == {"min": 1, "mean": 50.5, "p50": 51, "p95": 96, "max": 100}
    assert spread([]) == {}


def test_the_page_needs_no_other_file_and_escapes_what_it_tells(counted):
    text = dataset.page({**counted, "rung": "<b>spec</b>"})
    assert "<b>spec" not in text and not re.search(r"(src|href)=|url\(|<script|@import", text)
    for title, _, _ in dataset.tables(counted):
        assert f"<h2>{title}</h2>" in text


def test_the_command_tells_everything_and_writes_the_page(home):
    page = home / "rows.html"
    result = CliRunner().invoke(cli.app, ["dataset", "spec12/r17", "--json", "--out", str(page)])
    assert result.exit_code == 0
    told = json.loads(result.stdout)
    assert {c["name"] for c in told["checks"]} == set(dataset.CHECKED) and told["rung"] == "spec12/r17"
    assert page.read_text().startswith("<!DOCTYPE html>")


def test_a_check_that_does_not_pass_is_the_exit_code(home, monkeypatch):
    bad = Finding("FAIL", "a leak", "no leak", name="held_apart")
    monkeypatch.setattr(preflight, "inspect", lambda *a, **k: [bad])
    monkeypatch.setattr("experiments.profile.profile", lambda prepared: {})
    result = CliRunner().invoke(cli.app, ["dataset", "spec12/r17", "--json"])
    assert result.exit_code == 1 and json.loads(result.stdout)["checks"][0]["got"] == "a leak"


def test_every_check_that_is_asked_for_is_there():
    assert set(dataset.CHECKED) <= {check.name for check in preflight.checks()}
