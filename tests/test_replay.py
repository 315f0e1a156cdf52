"""Replay builders: pure, of predictable size, the same every time, and never a way in for what is held out."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from statistics import median_low

import pytest

from experiments import corpus, ladder, material, pools, replay
from experiments.ladder import LadderError
from experiments.replay import ReplayError
from experiments.spec import Selected
from experiments.split import LeakError

SPEC = """
title: Replays
why: a test
surface: bundle
families: [timeline, memory_map, system_diagram]
targets: {kind: briefs, briefs: intent, draws: 1500, never: 6, per_item: 4, dev: 1}
splits:
  seen: {kind: seen, targets: trained, surfaces: [tags], cases: 8}
  unseen_prompt: {kind: held_out, targets: trained, surfaces: [unseen_brief], cases: 40, holds_out: [prompt]}
  unseen_target:
    kind: ood
    targets: unseen
    surfaces: [tags]
    cases: 20
    holds_out: [prompt, target, recombination]
    combination: [theme, tone, density, background]
rungs:
  past:
    baseline: null
    axis: null
    change: a test
    hypothesis: a test
    mixture: {pretrain: {tags: 1, explicit_anchor: 1}, midtrain: {tags: 1, permuted: 1}}
    budget: {pretrain: {tokens: 4096, lr: 0.002}, midtrain: {tokens: 4096, lr: 0.002}}
  next:
    baseline: past
    axis: sft
    change: a test
    hypothesis: a test
    mixture: {sft: {brief: 1, tags: 1}}
    budget: {sft: {tokens: 4096, lr: 0.002}}
    replay: {sft: {builder: delta, sources: [past]}}
"""


@pytest.fixture(scope="module")
def spec():
    return ladder.read(SPEC, "replays")


@pytest.fixture(scope="module")
def rows(spec):
    """(own rows, different rows of the source)"""
    targets = pools.draw(spec)
    own = corpus.stage_rows(Selected(spec=spec, name="next"), "sft", targets)
    past = [
        r for s in ("pretrain", "midtrain") for r in corpus.stage_rows(Selected(spec=spec, name="past"), s, targets)
    ]
    return own[: len(own) // 2], past


@pytest.mark.parametrize("name", replay.builders())
def test_a_builder_says_how_many_rows_come_out_and_gives_the_same_ones_again(rows, name):
    own, past = rows
    chosen = replay.builders()[name]
    found = replay.build(name, own, past, 42, {})
    assert len(found) == chosen.size(own, past, **chosen.options)
    assert replay.build(name, list(own), list(past), 42, {}) == found
    assert found != list(own)


@pytest.mark.parametrize("name", replay.builders())
def test_a_builder_writes_no_answer_and_no_prompt_of_its_own(rows, name):
    own, past = rows
    asked = {row.output: set() for row in (*own, *past)}
    for row in (*own, *past):
        asked[row.output].add(row.prompt.removesuffix(" [OUT]"))
    for row in replay.build(name, own, past, 42, {}):
        assert any(prompt in row.prompt for prompt in asked[row.output])
        assert row.surface == replay.INSTRUCTION or row.prompt.removesuffix(" [OUT]") in asked[row.output]


@pytest.mark.parametrize("name", replay.builders())
def test_a_builder_makes_no_contradiction_and_no_double(rows, name):
    own, past = rows
    answers, texts = {}, Counter()
    for row in replay.build(name, own, past, 42, {}):
        assert answers.setdefault(row.prompt, row.output) == row.output
        texts[row.text] += 1
    allowed = Counter(row.text for row in own)
    assert not [t for t, n in texts.items() if n > max(1, allowed[t])]


def test_options_change_the_size(rows):
    own, past = rows
    sizes = [len(replay.build("delta", own, past, 42, {"ratio": n})) for n in (1, 2)]
    new = {row.text for row in own} - {row.text for row in past}
    assert sizes == [2 * len(new), 3 * len(new)]
    assert len(replay.build("cumulative_neighbours", own, past, 42, {"add": 17})) == len(own) + 17


def test_delta_spreads_what_is_old_between_what_is_new(rows):
    own, past = rows
    found = replay.build("delta", own, past, 42, {"ratio": 2})
    assert [row.surface == "brief" for row in found[:9]] == [True, False, False] * 3
    old = [row for row in found if row.surface != "brief"]
    assert len({row.family for row in old}) == 3


def test_neighbours_are_a_tag_away(rows):
    own, past = rows
    answers = [row.output.split() for row in own]
    for row in replay.build("cumulative_neighbours", own[:40], past, 42, {"add": 20})[40:]:
        theirs = row.output.split()
        assert any(
            len(a) == len(theirs) and sum(x != y for x, y in zip(a, theirs, strict=True)) == 1 for a in answers[:40]
        )


def test_routes_come_back_with_their_anchors(rows):
    own, past = rows
    briefs = [row for row in own if row.surface == "brief"]
    added = replay.build("route_recovery", briefs, past, 42, {})[len(briefs) :]
    assert {row.output for row in added} == {row.output for row in briefs}
    assert all(replay.stated(row) >= 0.5 for row in added) and max(map(replay.stated, briefs)) < 0.5


def test_nothing_dominates_one_corpus(rows):
    own, past = rows
    whole = Counter(row.surface for row in replay.distinct([*own, *past]))
    counts = Counter(row.surface for row in replay.build("unified", own, past, 42, {"dominance": 50}))
    assert set(counts) == set(whole) and max(counts.values()) == median_low(list(whole.values())) // 2


def test_a_rung_replays_its_source(spec):
    selected = Selected(spec=spec, name="next")
    drawn = material.draw(selected)
    drawn.prove()
    chosen = replay.builders()["delta"]
    own = corpus.stage_rows(selected, "sft", drawn.targets)
    past = [row for stage in ("pretrain", "midtrain") for row in drawn.stages[stage]]
    assert len(drawn.stages["sft"]) == chosen.size(own, past, ratio=3) > len(own)
    assert {row.split for row in drawn.stages["sft"]} == {"sft"}
    assert material.draw(selected).corpus_sha256 == drawn.corpus_sha256


@pytest.mark.parametrize("split", ["unseen_prompt", "unseen_target"])
def test_a_held_out_row_is_refused_whatever_brought_it(spec, rows, split):
    targets = pools.draw(spec)
    held = next(row for row in corpus.probe_rows(spec, targets) if row.split == split)
    drawn, (own, past) = material.draw(Selected(spec=spec, name="past")), rows
    brought = []
    for name in replay.builders():
        taken = replay.build(name, own, [*past[:3], held, *past[3:]], 42, {})
        if held.text in {row.text for row in taken}:
            brought.append(name)
            with pytest.raises(LeakError, match=split):
                replace(drawn, stages={"sft": taken}).prove()
    assert "coherent_union" in brought


@pytest.mark.parametrize("split", ["unseen_prompt", "unseen_target"])
def test_a_held_out_row_in_a_source_stops_the_rung(split, monkeypatch):
    spec = ladder.read(SPEC.replace("builder: delta", "builder: coherent_union"), "replays")
    held = next(row for row in corpus.probe_rows(spec, pools.draw(spec)) if row.split == split)
    true = corpus.stage_rows
    monkeypatch.setattr(
        corpus, "stage_rows", lambda chosen, stage, t: [*true(chosen, stage, t), *([held] * (chosen.name == "past"))]
    )
    with pytest.raises(LeakError, match=split):
        material.draw(Selected(spec=spec, name="next")).prove()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("builder: delta", "builder: gamma", "expected one of .*delta"),
        ("sources: [past]", "sources: [later]", "later is no rung of this spec"),
        ("sources: [past]", "sources: [next]", "next replays itself"),
        ("sources: [past]", "sources: [past], options: {speed: 3}", "expected one of ratio"),
        ("sources: [past]", "sources: [past], options: {ratio: 0}", "at least 1"),
        ("replay: {sft:", "replay: {dpo:", "replay in dpo"),
    ],
)
def test_a_replay_that_cannot_be_built_is_refused_when_it_is_read(old, new, said):
    assert old in SPEC
    with pytest.raises(LadderError, match=said):
        ladder.read(SPEC.replace(old, new), "replays")


def test_nothing_to_replay_is_refused(rows):
    own, _ = rows
    with pytest.raises(ReplayError, match="nothing to replay"):
        replay.build("coherent_union", own, own, 42, {})
    with pytest.raises(ReplayError, match="no new row"):
        replay.build("delta", own, own, 42, {})


def test_every_builder_serves_a_rung():
    rungs = [rung for name in ladder.names() for rung in ladder.load(name).rungs.values()]
    assert {way.builder for rung in rungs for way in rung.replay.values()} == set(replay.builders())


def test_rungs_that_are_named_after_a_builder_use_it():
    rungs = ladder.load("spec19").rungs
    named = {"r3a": "delta", "r3b": "coherent_union", "r3c": "cumulative_neighbours", "r3d": "balanced_coverage"}
    named |= {"r3e": "route_recovery", "r3f": "unified", "r4": "unified", "sft_a": "instruction_sft"}
    assert {name: {way.builder for way in rungs[name].replay.values()} for name in named} == {
        name: {builder} for name, builder in named.items()
    }
