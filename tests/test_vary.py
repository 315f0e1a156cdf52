"""Variation: every family's cases give targets in thousands, each of them legal, drawn cleanly, and named by facts."""

from __future__ import annotations

import pytest

from experiments import brief, compiler, families, ladder, material, pools, surfaces, vary
from experiments import case as library
from experiments.spec import Selected
from experiments.style import Style

STYLES = 36  # that a corpus draws from, at least
SURFACES = ("gold", "keyed", "semantic", "atoms")  # one for each way of spelling


def surface_of(family):
    return next(s for s in SURFACES if family in surfaces.load(s).families())


def content_of(made):
    return library.load(made.scene.family, made.case).content if made.case else {}


CARRIED = [
    (f, s) for f in families.names() for s in surfaces.names() if s != "bundle" and f in surfaces.load(s).families()
]


@pytest.mark.parametrize(("family", "surface"), CARRIED)
def test_draws_are_different_legal_clean_and_the_same_again(family, surface):
    drawn = list(vary.draw(family, surface, 42, 8))
    texts = [surfaces.load(surface).format(made.scene) for made in drawn]
    assert len(set(texts)) == 8
    assert list(vary.draw(family, surface, 42, 8)) == drawn
    assert list(vary.draw(family, surface, 43, 8)) != drawn
    for text, made in zip(texts, drawn, strict=True):
        assert surfaces.load(surface).parse(text) == made.scene
        compiler.compile(made.scene, content_of(made))


@pytest.mark.parametrize("family", families.names())
def test_targets_number_in_thousands(family):
    assert vary.structures(family) * STYLES >= 1000


@pytest.mark.parametrize("family", [f for f in families.names() if families.load(f).spelling != "own"])
def test_a_scene_follows_from_its_case_its_style_and_its_facts(family):
    for made in vary.draw(family, surface_of(family), 7, 6):
        own = library.load(family, made.case)
        assert vary.follow(own, surface_of(family), made.scene.style, dict(made.facts)) == made.scene
        said = dict(made.facts)
        for kind in families.load(family).kinds.values():
            name = vary.counted(kind.name, kind.asked)
            assert name not in said or int(said[name]) == len(made.scene.of(kind.name))


def test_an_edge_past_a_part_that_is_gone_keeps_its_label():
    own = library.load("flow_graph", "cached_read")
    fewest = vary.choices(own)["decision_nodes"][0]
    scene = vary.follow(own, "gold", Style(), {"decision_nodes": fewest, "keep": "first"})
    ids = {part.id for part in scene.components if part.id}
    edges = scene.of("decision_edge")
    assert len(scene.of("decision_node")) == int(fewest) < 4
    assert edges and all({edge.source, edge.target} <= ids for edge in edges)


def test_ids_change_with_the_edges_that_name_them():
    own = library.load("decision_tree", "cache_rollout")
    plain = vary.follow(own, "gold", Style(), {})
    named = vary.follow(own, "gold", Style(), {"ids": "letters"})
    where = {part.ref: part.id for part in plain.components if part.id}
    there = {part.ref: part.id for part in named.components if part.id}
    new = {where[ref]: there[ref] for ref in where}
    assert [(new[e.source], new[e.target]) for e in plain.of("decision_edge")] == [
        (e.source, e.target) for e in named.of("decision_edge")
    ]


@pytest.mark.parametrize("asked", [{"order": "sideways"}, {"decision_nodes": "40"}, {"wings": "2"}])
def test_what_a_case_has_not_is_refused(asked):
    own = library.load("decision_tree", "cache_rollout")
    with pytest.raises(vary.VariationError, match=r"cache_rollout: got .* expected one of"):
        vary.follow(own, "gold", Style(), asked)


def test_more_than_there_is_is_refused(monkeypatch):
    monkeypatch.setattr(vary, "_styles", lambda: (Style(),))
    with pytest.raises(vary.VariationError, match="ask for fewer"):
        list(vary.draw("concept_editorial", "gold", 42, 2000))


# ------------------------------------------------------------------------------------------------- a spec that asks for them

SPEC = """
title: Varied trees
why: a test
surface: compact
families: [decision_tree, flow_graph]
targets: {kind: briefs, briefs: variation, draws: 400, hold: structure, never: 4, combinations: 0.2, dev: 2}
splits:
  seen: {kind: seen, targets: trained, surfaces: [tags], cases: 8}
  other: {kind: ood, targets: recombined, surfaces: [tags, permuted], cases: 40, holds_out: [prompt, target, structure]}
rungs:
  r1:
    baseline: null
    axis: null
    change: a test
    hypothesis: a test
    held_constant: [model]
    mixture: {pretrain: {tags: 1, permuted: 1}}
    budget: {pretrain: {tokens: 4096, lr: 0.002}}
"""


def test_a_spec_draws_varied_targets_and_holds_structures_out():
    selected = Selected(spec=ladder.read(SPEC, "varied"), name="r1")
    drawn = material.draw(selected)
    drawn.prove()
    assert len(drawn.targets.trained) > 200
    for target in drawn.targets.trained[:20]:
        made = brief.answer(pools.source_of(selected.spec), dict(target.briefs[0]))
        assert surfaces.load("compact").format(made) == target.text
