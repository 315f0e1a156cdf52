"""The picture of a memory plan: every slot is in it at its place and life, the words can be read, and the bytes are always the same."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from functools import cache

import pytest
from typer.testing import CliRunner

from cengine.inventory import plan_of
from cengine.model import Config
from cengine.train import Trainer
from cktrack import arena
from cktrack.cli import app
from experiments.compiler.colour import LEGIBLE, contrast
from experiments.compiler.metric import width

SHAPES = {
    "small": (Config(vocab=1088), 4),
    "deep": (Config(vocab=1088, layers=16, d_model=128, d_ff=512), 4),
    "wide": (Config(vocab=50304, layers=2, d_model=768, d_ff=2048, heads=12, kv_heads=12, head_dim=64, ctx=1024), 1),
}
SVG = "{http://www.w3.org/2000/svg}"


@cache
def planned(name: str) -> dict:
    config, rows = SHAPES[name]
    return plan_of(config, rows, config.ctx)


@pytest.fixture(params=SHAPES)
def plan(request) -> dict:
    return planned(request.param)


def test_the_inventory_is_that_of_the_trainers_arena():
    config = SHAPES["small"][0]
    trainer = Trainer(config, 2, 200, threads=1)
    assert trainer.part == 1
    plan = plan_of(config, 2, 200, part=trainer.part)
    assert plan["bytes"] == trainer.machine.plan.summary() and json.loads(json.dumps(plan)) == plan
    assert {s["name"]: s["offset"] for s in plan["slots"]} == {
        n: 4 * s.offset for n, s in trainer.machine.plan.slots.items()
    }


def test_the_spans_are_all_groups_in_order(plan):
    spans = list(plan["spans"].items())
    assert [name for name, _ in spans] == ["pack", "forward", "backward", "optimizer"]
    covered = [at for _, (first, last) in spans for at in range(first, last + 1)]
    assert covered == list(range(len(plan["groups"])))
    assert plan["needed"] == max(plan["alive"]) <= plan["bytes"]["shared"] < plan["bytes"]["shared_if_apart"]


def test_every_slot_is_drawn_at_its_place_and_life(plan):
    root = ET.fromstring(arena.svg(plan, "a plan"))
    rects = [(t.text, r) for r in root.iter(f"{SVG}rect") if (t := r.find(f"{SVG}title")) is not None]
    blocks = list(arena.joined(plan["slots"]))
    assert sum(b["count"] for b in blocks) == len(plan["slots"]) and len(rects) == len(blocks)
    axes = arena.Axes.of(plan)
    for slot in (s for s in plan["slots"] if s["first"] is not None):
        (rect,) = [r for title, r in rects if title.startswith(f"{slot['name']} [")]
        x, to_x = axes.x(slot["first"], slot["last"])
        assert float(rect.get("x")) == pytest.approx(x, abs=0.06)
        assert float(rect.get("width")) == pytest.approx(to_x - x, abs=0.06) and to_x > x
        assert float(rect.get("y")) == pytest.approx(axes.y(slot["offset"] + slot["bytes"]), abs=0.006)
        assert arena.TOP <= float(rect.get("y")) < axes.bend + 0.01 and rect.get("fill") == arena.COLOURS[slot["role"]]


def test_no_two_rectangles_cover_each_other(plan):
    """The picture shows what the plan promises: what is alive at the same time lies apart."""
    shared = [s for s in plan["slots"] if s["first"] is not None]
    for i, a in enumerate(shared):
        for b in shared[:i]:
            together = a["first"] <= b["last"] and b["first"] <= a["last"]
            assert not together or a["offset"] >= b["offset"] + b["bytes"] or b["offset"] >= a["offset"] + a["bytes"]


def test_words_stay_inside_and_can_be_read(plan):
    root = ET.fromstring(arena.svg(plan, "Memory of a training step: spec12/r17"))
    for text in root.iter(f"{SVG}text"):
        size, x = float(text.get("font-size")), float(text.get("x"))
        room = width(text.text, "bold" if text.get("font-weight") == "bold" else "sans", size)
        left = x - {"start": 0.0, "middle": 0.5, "end": 1.0}[text.get("text-anchor")] * room
        assert size >= 10 and left >= 0 and left + room <= arena.WIDE, text.text
    assert all(contrast(arena.INK, fill) >= LEGIBLE for fill in (*arena.COLOURS.values(), arena.ALIVE))
    assert all(contrast(arena.QUIET, ground) >= LEGIBLE for ground in (arena.PAPER, arena.GROUND))


def test_layers_are_told_in_both_directions(plan):
    told = [int(layer) for layer, _, _ in arena.layers(plan)]
    count = plan["model"]["layers"]
    assert told == [*range(count), *reversed(range(count))]


def test_the_command_prints_draws_and_emits_the_same_plan(tmp_path):
    runner = CliRunner()
    place = tmp_path / "plan.svg"
    table = runner.invoke(app, ["plan", "spec12/r17", "--svg", str(place)])
    assert table.exit_code == 0 and "activations" in table.stdout and "times as much" in table.stdout
    made = json.loads(runner.invoke(app, ["plan", "spec12/r17", "--json"]).stdout)
    assert place.read_text() == arena.svg(made, "Memory of a training step: spec12/r17")
    other = json.loads(runner.invoke(app, ["plan", "spec12/r17", "--json", "--rows", "64", "--threads", "49"]).stdout)
    assert other["bytes"]["shared"] > 9 * made["bytes"]["shared"] and "in parts of" in arena.headline(other)
    assert re.search(r"\d+ MB", table.stdout)
