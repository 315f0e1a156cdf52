"""`cktrack ask` counts what a checkpoint answers in each precision, and says what a precision changes against the first."""

from __future__ import annotations

import json
import sys

import pytest

from cengine import checkpoint
from cengine.model import Config, initial
from cktrack import ask, cli
from experiments import ladder, material, tokenizer
from experiments.probes.contract import sha256

RUNG = "spec12/r17"


@pytest.fixture(scope="module")
def contract():
    whole = material.draw(ladder.select(RUNG)).contract
    return {**whole, "cases": whole["cases"][:6]}


@pytest.fixture(scope="module")
def saved(contract, tmp_path_factory):
    """A checkpoint that was never trained, and its tokenizer."""
    rows = [f"{c['prompt']} {c['expected']}" for c in contract["cases"]]
    coder = tokenizer.train(rows, tokenizer.Policy(("[scene]", "[/scene]"), vocab=300))
    config = Config(coder.size, layers=1, d_model=24, d_ff=32, heads=2, kv_heads=1, head_dim=12, ctx=512)
    place = tmp_path_factory.mktemp("ask") / "checkpoint"
    files = {"tokenizer.json": coder.json().encode()}
    return checkpoint.save(place, config, initial(config, 1, "normal", 0.3), None, None, files, eos=coder.eos)


def test_a_precision_is_measured_against_the_first(contract, saved):
    said = ask.compare(checkpoint.load(saved), contract, ["fp32", "int8"], 1)
    first, second = said["precisions"]
    assert said["cases"] == 6 and said["contract_sha256"] == sha256(contract)
    assert first["answers_changed"] is None and first["logit_difference"] is None
    assert 0 < second["logit_difference"] < 1 and 0 <= second["answers_changed"] <= 6
    assert [p["precision"] for p in said["precisions"]] == ["fp32", "int8"]
    assert all(p["exact"] == 0 and p["tokens"] > 0 and p["seconds"] > 0 for p in said["precisions"])


def test_a_precision_changes_nothing_against_itself(contract, saved):
    said = ask.compare(checkpoint.load(saved), contract, ["int8", "int8"], 1)["precisions"][1]
    assert said["answers_changed"] == 0 and said["logit_difference"] == 0


@pytest.mark.parametrize("json_", [True, False])
def test_the_command_asks_the_contract_of_the_ladder(contract, saved, monkeypatch, capsys, json_):
    class Drawn:
        pass

    Drawn.contract = contract
    monkeypatch.setattr(material, "draw", lambda selected: Drawn)
    monkeypatch.setattr(sys, "argv", ["cktrack", "ask", str(saved), RUNG, *["--json"] * json_])
    monkeypatch.setenv("COLUMNS", "300")
    with pytest.raises(SystemExit) as left:
        cli.main()
    out = capsys.readouterr().out
    assert not left.value.code
    if json_:
        assert [p["precision"] for p in json.loads(out)["precisions"]] == ["fp32", "int8"]
    else:
        assert "int8" in out and "max |dlogit|" in out and "6 cases" in out


@pytest.mark.parametrize("asked", ["int4", "", "fp32,fp32", "fp32,int4"])
def test_a_precision_that_is_none_is_refused(asked):
    with pytest.raises(ValueError, match=r"--precision: got .*expected some of fp32,int8, each once"):
        ask.precisions(asked)
