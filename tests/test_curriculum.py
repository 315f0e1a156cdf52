"""Curricula: what is declared is taught and asked, or the audit says what is not; every frontier is measured, and a planted failure reaches it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from types import SimpleNamespace

import pytest

from experiments import corpus, coverage, curriculum, ladder, material, pools
from experiments.curriculum import CurriculumError
from experiments.preflight import Place
from experiments.preflight.row import covered, curriculum_taught
from experiments.probes import contract as contracts
from experiments.spec import Selected

BOOK = curriculum.load()
TEXT = curriculum.FILE.read_text()


@cache
def headline(name):
    """The best rung of a spec and its material, of every other trained target."""
    spec = ladder.load(name)
    selected = Selected(spec=spec, name=next(n for n, r in spec.rungs.items() if r.headline))
    targets = pools.draw(spec)
    few = replace(targets, trained=targets.trained[::2])
    stages = {stage: material.stage_rows(selected, stage, few) for stage in selected.rung.stages()}
    return selected, material.Material(few, stages, corpus.dev_rows(spec, few), contracts.build(spec, targets))


@pytest.mark.parametrize("name", BOOK.specs)
def test_the_best_rung_of_a_spec_covers_its_curriculum(name):
    assert curriculum.audit(*headline(name)) == []


def test_every_spec_has_a_curriculum():
    assert set(BOOK.specs) == set(ladder.names())


@pytest.mark.parametrize(
    ("name", "said"), [("elsewhere", "all that is declared; no curriculum"), ("spec16", "all that is declared")]
)
def test_a_spec_without_a_curriculum_is_not_said_to_teach_it(name, said, monkeypatch):
    monkeypatch.setattr(curriculum, "audit", lambda selected, drawn: [])
    selected = ladder.select("spec16/r11")
    other = selected.model_copy(update={"spec": selected.spec.model_copy(update={"name": name})})
    assert curriculum_taught.look(SimpleNamespace(selected=other, material=None), Place()).got == said


def test_what_a_brief_declares_must_be_taught_without_a_curriculum_too():
    selected, drawn = headline("gen1")
    other = selected.model_copy(update={"spec": selected.spec.model_copy(update={"name": "elsewhere"})})
    dark = without(drawn, lambda s, r: "[theme:infra_dark]" not in r.brief)
    look = curriculum_taught.look(SimpleNamespace(selected=other, material=dark), Place())
    assert look.status == "FAIL" and "theme infra_dark" in look.got


def without(drawn, keep):
    return replace(drawn, stages={s: [r for r in rows if keep(s, r)] for s, rows in drawn.stages.items()})


def unasked(drawn, keep):
    return replace(drawn, contract={**drawn.contract, "cases": [c for c in drawn.contract["cases"] if keep(c)]})


SEQUENCE = "timeline/stage_sequence"
CLOSING = BOOK.competencies["closure"].surfaces


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda d: without(d, lambda s, r: s == "midtrain" or r.surface not in CLOSING), "competency closure: got no row in pretrain"),
        (lambda d: without(d, lambda s, r: r.family != "timeline"), "family timeline: got no row trained"),
        (lambda d: without(d, lambda s, r: r.form != "build_path"), "form system_diagram/build_path: got no row trained"),
        (lambda d: without(d, lambda s, r: r.surface != "prose"), "surface prose: got no row in midtrain"),
        (lambda d: without(d, lambda s, r: "[audience:buyer]" not in r.brief), "profile audience buyer: got no trained row"),
        (
            lambda d: without(d, lambda s, r: not ("[goal:look_back]" in r.brief and "[emphasis:flow]" in r.brief)),
            "profile goal look_back, emphasis flow: got no trained row",
        ),
        (lambda d: without(d, lambda s, r: "[pack:dense]" not in r.brief), "pack dense: got no trained row that states it"),
        (lambda d: unasked(d, lambda c: c["split"] != "unseen_prompt"), "frontier paraphrase_brittleness: got no case in unseen_prompt"),
        (lambda d: unasked(d, lambda c: c["split"] in ("seen", "unseen_prompt")), "competency recombining: got no case"),
        (lambda d: unasked(d, lambda c: c["surface"] != "explicit_anchor"), "competency anchoring: got no case, expected one of seen asked as"),
        (lambda d: unasked(d, lambda c: c["surface"] != "explicit_anchor"), "frontier anchor_retention_failure: got no case in seen"),
        (lambda d: unasked(d, lambda c: not c["surface"].startswith("unseen_")), "competency paraphrase_robustness: got no case"),
    ],
)  # fmt: skip
def test_what_is_declared_and_missing_is_named(spoil, said):
    selected, drawn = headline("spec17")
    assert any(said in found for found in curriculum.audit(selected, spoil(drawn)))


def test_a_surface_of_the_blueprint_is_not_replaced_by_others():
    selected, drawn = headline("spec19")
    kept = {
        "pretrain": {"tags": 2, "explicit_anchor": 1, "form_minimal_pair": 1},
        "midtrain": {"tags": 6, "explicit_anchor": 1, "form_minimal_pair": 1, "permuted": 1},
    }
    cut = selected.rung.model_copy(update={"mixture": kept})
    rungs = {**selected.spec.rungs, selected.name: cut}
    gutted = selected.model_copy(update={"spec": selected.spec.model_copy(update={"rungs": rungs})})
    drawn = without(drawn, lambda s, r: r.surface in kept[s])
    found = [f for f in curriculum.audit(gutted, drawn) if f.startswith("surface ")]
    assert found == [
        f"surface {name}: got no row in {stage}, expected some: the curriculum of spec19 needs it there"
        for stage, needed in BOOK.specs["spec19"].surfaces.items()
        for name in needed
        if name not in kept[stage]
    ]
    assert len(found) == 13
    look = curriculum_taught.look(SimpleNamespace(selected=gutted, material=drawn), Place())
    assert look.status == "FAIL" and "surface prose: got no row in midtrain" in str(look.facts)
    for name, status in (("published_budget", "FAIL"), ("canary", "FAIL"), ("no_clean_stop", "PASS")):
        other = selected.spec.rungs[name].model_copy(update={"mixture": kept})
        spec = selected.spec.model_copy(update={"rungs": {**selected.spec.rungs, name: other}})
        look = curriculum_taught.look(SimpleNamespace(selected=Selected(spec=spec, name=name), material=drawn), Place())
        assert look.status == status and "surface " in look.got, name


@pytest.mark.parametrize(
    ("name", "spoil", "said"),
    [
        ("spec12", lambda d: without(d, lambda s, r: r.case != "merge_or_rebase"), "topic merge_or_rebase: got no row trained"),
        ("spec12", lambda d: unasked(d, lambda c: c["case"] != "merge_or_rebase"), "topic merge_or_rebase: got no row asked"),
        ("spec14b", lambda d: without(d, lambda s, r: coverage.held(r)["form"] != SEQUENCE), "form timeline/stage_sequence: got no row trained"),
        ("spec14b", lambda d: unasked(d, lambda c: coverage.held(c)["form"] != SEQUENCE), "form timeline/stage_sequence: got no row asked"),
    ],
)  # fmt: skip
def test_a_topic_or_a_form_of_topics_that_is_missing_is_named(name, spoil, said):
    selected, drawn = headline(name)
    spoiled = spoil(drawn)
    assert any(said in found for found in curriculum.audit(selected, spoiled))
    look = covered.look(SimpleNamespace(selected=selected, material=spoiled), Place())
    assert look.status == "FAIL" and said.split(":")[0].split(" ")[1] in look.got


@pytest.mark.parametrize("name", BOOK.specs)
def test_a_plan_needs_the_surfaces_of_the_best_rung(name):
    needed = {stage: set(surfaces) for stage, surfaces in BOOK.specs[name].surfaces.items()}
    assert needed == {stage: set(mixture) for stage, mixture in headline(name)[0].rung.mixture.items()}


def test_a_stage_without_a_purpose_and_a_competency_without_a_frontier_are_named():
    selected, drawn = headline("spec17")
    plan = BOOK.specs["spec17"].model_copy(
        update={"stages": {"pretrain": "all"}, "frontiers": ("stop_leakage", "contrast_ignorance")}
    )
    found = curriculum.audit(selected, drawn, BOOK.model_copy(update={"specs": {"spec17": plan}}))
    assert any(f.startswith("stage midtrain: got no purpose") for f in found)
    assert any(f.startswith("competency recombining: got no frontier") for f in found)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "measure: family_pull",
            "measure: family_push",
            "frontiers.default_family_attractor.measure: got 'family_push', expected one of",
        ),
        ("loses: [closure]", "loses: [disclosure]", "frontiers.stop_leakage.loses: got 'disclosure', expected one of"),
        ("  spec17:\n", "  spec99:\n", "specs: got 'spec99'"),
        (
            "surfaces: [form_minimal_pair, family_minimal_pair]",
            "surfaces: [pairs]",
            "competencies.contrast.surfaces: got 'pairs'",
        ),
        ("closure: [pretrain]", "closure: [posttrain]", "got 'posttrain', expected one of pretrain"),
        (
            "midtrain: [tags, permuted, listed,",
            "midtrain: [tags, permutated, listed,",
            "specs.routing.surfaces.midtrain: got 'permutated', expected one of",
        ),
        (
            "pretrain: [tags, permuted, listed]",
            "posttrain: [tags, permuted, listed]",
            "specs.routing.surfaces: got 'posttrain', expected one of pretrain, midtrain",
        ),
        ("measure: spill, at_most: 0.0", "measure: spill", "expected at_least or at_most"),
        (
            "asked: [explicit_anchor]",
            "asked: [anchors]",
            "competencies.anchoring.asked: got 'anchors', expected one of",
        ),
        (
            "surfaces: [explicit_anchor],",
            "surfaces: [anchors],",
            "frontiers.anchor_retention_failure.surfaces: got 'anchors'",
        ),
        ("severity: medium", "severity: dreadful", "severity"),
    ],
)
def test_a_curriculum_that_names_nothing_is_refused(old, new, said):
    assert old in TEXT
    with pytest.raises(CurriculumError) as error:
        curriculum.read(TEXT.replace(old, new, 1))
    assert said in str(error.value)


# ------------------------------------------------------------------------------------------------- measures


@dataclass
class Said:
    """An output as a probe keeps it."""

    case: dict
    raw: str
    failure: str = "exact"
    score: object = None


def said(
    expected,
    raw=None,
    failure=None,
    split="unseen_prompt",
    family="timeline",
    surface="explicit_anchor",
    brief="",
    **score,
):
    raw = expected if raw is None else raw
    scores = {
        "exact": raw == expected,
        "clean_stop": True,
        "truncated": False,
        "first_block_exact": raw == expected,
        "spilled": False,
        **score,
    }
    prompt = "Plan the night ahead [OUT]" if brief else "[task:svg] [topic:night_shift] [goal:plan_ahead] [OUT]"
    case = {
        "split": split,
        "surface": surface,
        "family": family,
        "prompt": prompt,
        "expected": expected,
        "brief": brief,
    }
    return Said(case, raw, failure or ("exact" if raw == expected else "unknown"), SimpleNamespace(**scores))


RIGHT = "[bundle] [family:timeline] [form:milestone_chain] [theme:infra_dark] [tone:blue] [density:airy] [background:none] [/bundle]"
WRONG = {
    "exact": said(RIGHT, "nothing"),
    "wrong_family": said(RIGHT, "x", "family"),
    "wrong_form": said(RIGHT, "x", "form"),
    "wrong_style": said(RIGHT, "x", "style"),
    "wrong_counts": said(RIGHT, "x", "counts"),
    "family_pull": said(RIGHT, RIGHT.replace("timeline", "memory_map")),
    "form_pull": said(RIGHT, RIGHT.replace("milestone_chain", "stage_sequence")),
    "style_pull": said(RIGHT, RIGHT.replace("blue", "green")),
    "topic_leak": said(RIGHT, RIGHT + " [topic:night_shift]"),
    "prompt_copy": said(RIGHT, "[task:svg] " + RIGHT),
    "spill": said(RIGHT, RIGHT + " and on", "truncation", clean_stop=False, truncated=True, spilled=True),
    "family_gap": said(RIGHT, "nothing", family="memory_map"),
}


@pytest.mark.parametrize("name", curriculum.measures())
def test_a_measure_tells_a_planted_failure_from_a_sound_answer(name):
    look = curriculum.measures()[name]
    assert look.means
    sound = look.of([said(RIGHT)] * 4)
    spoilt = look.of([said(RIGHT)] * 3 + [WRONG[name]])
    assert sound == (1.0 if name == "exact" else 0.0)
    assert spoilt == (1.0 if name == "family_gap" else 0.75 if name == "exact" else 0.25)


def test_every_frontier_of_a_spec_is_measured_and_reached_when_it_fails():
    every = ("seen", "unseen_prompt", "unseen_target", "unseen_recombination")
    good = [said(RIGHT, split=split) for split in every for _ in range(50)]
    values = curriculum.measured("spec17", good)
    assert set(values) == set(BOOK.specs["spec17"].frontiers) and curriculum.reached(values) == []
    bad = curriculum.measured("spec17", [said(RIGHT, "x", "family", split=split) for split in every])
    assert {"paraphrase_brittleness", "goal_family_confusion", "recombination_failure"} <= set(curriculum.reached(bad))


def test_anchors_are_measured_on_prompts_with_anchors_alone():
    kept = [said(RIGHT, split="seen", surface="tags")] * 9
    values = curriculum.measured("spec17", [*kept, said(RIGHT, "x", "form", split="seen")])
    assert values["anchor_retention_failure"] == 0.0 and values["known_prompts_lost"] == 0.9
    assert curriculum.measured("spec17", kept)["anchor_retention_failure"] is None


def test_a_topic_that_is_told_in_words_leaks_too():
    leaked = said(RIGHT, RIGHT + " [topic:night_shift]", brief="[topic:night_shift] [goal:plan_ahead]")
    assert curriculum.topic_leak.of([leaked]) == 1.0


def test_what_was_not_measured_counts_as_reached():
    values = curriculum.measured("spec17", [said(RIGHT, split="seen")])
    assert values["paraphrase_brittleness"] is None and "paraphrase_brittleness" in curriculum.reached(values)


def test_a_spec_without_a_curriculum_has_no_frontiers():
    assert curriculum.measured("elsewhere", [said(RIGHT)]) == {}
