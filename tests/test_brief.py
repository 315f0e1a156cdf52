"""Briefs, over every table that is found: facts decide the scene, every rule is whole, topics say nothing, and no copying answers them."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from functools import cache
from itertools import pairwise

import pytest
import yaml

from experiments import (
    arrange,
    brief,
    compiler,
    corpus,
    coverage,
    families,
    ladder,
    material,
    pools,
    prompt,
    split,
    surfaces,
)
from experiments import case as library
from experiments.brief import BriefError
from experiments.probes import baseline, odd
from experiments.probes import contract as contracts
from experiments.scene import Scene

SPECS = [name for name in ladder.names() if ladder.load(name).targets.kind == "briefs"]
FAR_BELOW = 0.2  # of the held-out targets, what a baseline may reach


@cache
def pools_of(name):
    return pools.draw(ladder.load(name))


@cache
def drawn_of(name):
    """A spec's material with its first rung's surfaces, one row for each target and surface."""
    first = ladder.select(f"{name}/{next(iter(ladder.load(name).rungs))}")
    mixture = {stage: dict.fromkeys(weights, 1) for stage, weights in first.rung.mixture.items()}
    rung = first.rung.model_copy(update={"mixture": mixture})
    selected = first.model_copy(update={"spec": first.spec.model_copy(update={"rungs": {first.name: rung}})})
    found = pools_of(name)
    stages = {stage: corpus.stage_rows(selected, stage, found) for stage in rung.stages()}
    return material.Material(found, stages, [], contracts.build(first.spec, found))


@pytest.fixture(params=SPECS)
def spec(request):
    return ladder.load(request.param)


# ------------------------------------------------------------------------------------------------- tables


def test_every_table_serves_a_spec():
    varied = {name for name in brief.names() if brief.load(name).varied}
    assert set(brief.names()) - varied == {ladder.load(name).targets.briefs for name in SPECS} - varied


def test_the_facts_of_a_brief_decide_its_scene(spec):
    """What a prompt states is enough to answer it: the same facts give the same text again."""
    surface, source = surfaces.load(spec.surface), pools.source_of(spec)
    for target in pools_of(spec.name).trained[::29]:
        for facts in target.briefs:
            assert surface.format(brief.answer(source, dict(facts))) == target.text


def test_targets_number_in_hundreds_for_a_case_and_in_thousands_for_forms(spec):
    found = pools_of(spec.name)
    distinct = {t.text for pool in (found.trained, found.unseen, found.recombined) for t in pool}
    assert len(distinct) >= (2000 if brief.load(spec.targets.briefs).counts or spec.surface == "bundle" else 800)


def test_a_sample_of_all_targets_can_be_drawn(spec):
    found = pools_of(spec.name)
    for target in [*found.trained[::61], *found.unseen[::61], *found.recombined[::61]]:
        content = library.content(target.family, target.case)
        assert compiler.compile_text(spec.surface, target.text, content).svg


def test_a_topic_goes_with_every_answer_and_gives_none_away(spec):
    """Where the topic names the content it may decide the structure, never the style."""
    table = brief.load(spec.targets.briefs)
    answers = defaultdict(set)
    for target in pools_of(spec.name).trained:
        for facts in target.briefs:
            answers[dict(facts)["topic"]].add(target.scene.style if table.facts["topic"].cases else target.scene.form)
    every = set().union(*answers.values())
    assert all(len(seen) >= min(8, len(every)) for seen in answers.values()), {t: len(a) for t, a in answers.items()}


def test_no_baseline_that_learns_nothing_answers_what_was_held_out(spec):
    """Where briefs state the style in the scene's own tags, a held-out style is copied by definition, and this says nothing."""
    if "theme" in brief.load(spec.targets.briefs).facts:
        pytest.skip("the prompt gives the style in the tags of the scene")
    drawn = drawn_of(spec.name)
    pairs = [(baseline.told(r.prompt, r.brief), f" {r.output}") for r in next(iter(drawn.stages.values()))]
    held = [c for c in drawn.contract["cases"] if c["split"] in ("unseen_target", "unseen_recombination")]
    told = baseline.evaluate(pairs, held[::5])
    for name, cells in ((name, told[name]) for name in told if name not in baseline.LEARNS):
        for name_of_split, cell in cells.items():
            assert cell["k"] <= FAR_BELOW * cell["n"], (name, name_of_split, cell)


def broken(change):
    data = yaml.safe_load((brief.FOLDER / "routing.yaml").read_text())
    change(data)
    return yaml.safe_dump(data, sort_keys=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda d: d["rules"]["family"]["is"].pop("tell_history"),
            "rules.family.is: 'tell_history' is missing for goal",
        ),
        (
            lambda d: d["rules"]["form"]["is"]["timeline"].pop("risk"),
            "rules.form.is.timeline: 'risk' is missing for emphasis",
        ),
        (lambda d: d["rules"]["theme"]["is"].update(editors="pink"), "rules.theme: got pink, expected values of theme"),
        (lambda d: d["rules"]["tone"]["is"].update(nobody="blue"), "'nobody' is not a value of audience"),
        (
            lambda d: d["rules"]["density"].update({"from": ["weather"]}),
            "rules.density.from: got weather, expected facts",
        ),
        (
            lambda d: d["facts"]["goal"]["values"].update(other=["find the slow spot"]),
            "got 'find the slow spot' for find_bottleneck",
        ),
        (lambda d: d["facts"]["goal"].update(absent="sleep"), "facts.goal.absent: got 'sleep'"),
        (lambda d: d.update(extra=1), "extra"),
    ],
)
def test_a_table_with_a_hole_is_refused(change, message):
    with pytest.raises(BriefError, match=re.escape(message)):
        brief.read(broken(change), "routing")


def test_facts_without_an_answer_are_refused():
    spec = ladder.load("routing")
    facts = dict(pools_of("routing").trained[0].briefs[0])
    with pytest.raises(BriefError, match="no rule for goal 'sleep'"):
        brief.answer(pools.source_of(spec), facts | {"goal": "sleep"})
    with pytest.raises(BriefError, match="has no counts"):
        brief.answer(pools.source_of(spec), facts | {"parts": "99"})


# ------------------------------------------------------------------------------------------------- wording


def test_every_surface_of_a_spec_states_every_fact(spec):
    """In tags or in words: the values of a prompt can be read back from it, or one of their phrases can."""
    table = brief.load(spec.targets.briefs)
    ways = {w for r in spec.rungs.values() for m in r.mixture.values() for w in m} | {
        w for s in spec.splits.values() for w in s.surfaces
    }
    for way in sorted(w for w in ways if "anchor" not in w):
        for number, target in enumerate(pools_of(spec.name).trained[::211]):
            asked = prompt.Asked(table, target.briefs[0])
            text = prompt.write(way, number, target.scene, spec.surface, asked)
            for name, value in asked.facts:
                word = brief.NUMBERS[int(value)] if value.isdigit() else value
                said = [
                    f"[{name}:{word}]",
                    f"{name} {word}",
                    *table.phrases(name, value),
                    f"{word} {name.removesuffix('s')}",
                ]
                listed = value.isdigit() and (text.count("[part:") == int(value) or f"the {name} " in text)
                assert listed or any(s in text for s in said), (way, name, value, text)


def test_wordings_are_many_and_depend_on_the_row_alone():
    table, target = brief.load("routing"), pools_of("routing").trained[7]
    asked = prompt.Asked(table, target.briefs[0])

    def texts():
        return [prompt.write("prose", n, target.scene, "bundle", asked) for n in range(50)]

    assert texts() == texts() and len(set(texts())) == 50


@pytest.mark.parametrize("items", [["a", "b"], ["a", "b", "c"]])
def test_a_permuted_prompt_is_no_plain_one_again(items):
    drawn = [prompt.Draw(str(number)).other(items) for number in range(40)]
    assert all(sorted(d) == items and d != items for d in drawn)


def test_unseen_sentences_are_no_trained_ones():
    trained, unseen = prompt.known("prose"), prompt.known("unseen_prose")
    said = {s for texts in trained.say.values() for s in texts} | {*trained.open, *trained.aside, *trained.close} - {""}
    assert not said & {s for texts in unseen.say.values() for s in texts}
    assert not said & {*unseen.open, *unseen.aside, *unseen.close}


def test_a_contrast_would_have_led_elsewhere():
    table = brief.load("intent")
    for target in pools_of("spec19").trained[::101]:
        facts = dict(target.briefs[0])
        text = prompt.write("family_minimal_pair", 0, target.scene, "bundle", prompt.Asked(table, target.briefs[0]))
        other = text.removeprefix("This is not to ").partition(".")[0].replace(" ", "_")
        made, own = table.outputs(facts | {"goal": other}), table.outputs(facts)
        assert (made["family"], made["form"]) != (own["family"], own["form"])


def half_of(row, fact, table):
    """What a minimal pair has in common: words without the value ruled out and the other facts; and the values asked for and ruled out."""
    told = split.tags(row.brief)
    asked = told.pop(fact, table.facts[fact].absent)
    words = " ".join(re.sub(r"\[[^]]*\]", "", row.prompt).split())
    ruled_out = next(v for v in sorted(table.facts[fact].values, key=len)[::-1] if v.replace("_", " ") in words)
    return (words.replace(ruled_out.replace("_", " "), "_"), tuple(told.items())), asked, ruled_out


@pytest.mark.parametrize(
    ("surface", "fact", "least"), [("form_minimal_pair", "emphasis", 0.8), ("family_minimal_pair", "goal", 0.9)]
)
@pytest.mark.parametrize(
    ("label", "stage"), [("spec18/r1", "midtrain"), ("spec19/r2", "pretrain"), ("spec19/r2", "midtrain")]
)
def test_minimal_pairs_have_both_halves(label, stage, surface, fact, least):
    """Most rows that rule a value out have the row that asks for it, in the same words, with another answer."""
    selected, table = ladder.select(label), brief.load("intent")
    weight, found = selected.rung.mixture[stage][surface], pools_of(selected.spec.name)
    one = selected.rung.model_copy(update={"mixture": {stage: {surface: weight}}})
    spec = selected.spec.model_copy(update={"rungs": {selected.name: one}})
    rows = corpus.stage_rows(selected.model_copy(update={"spec": spec}), stage, found)
    assert Counter(r.output for r in rows) == dict.fromkeys((t.text for t in found.trained), weight)
    halves = {half_of(row, fact, table): row for row in rows}
    paired = [(row, partner) for (rest, a, b), row in halves.items() if (partner := halves.get((rest, b, a)))]
    assert len(paired) >= least * len(rows)
    assert all(row.output != partner.output for row, partner in paired)
    if fact == "goal":
        assert sum(row.family != partner.family for row, partner in paired) >= 0.95 * len(paired)
    write, source = surfaces.load(spec.surface).format, pools.source_of(spec)
    for row in rows[::37]:
        assert write(brief.answer(source, split.tags(row.brief))) == row.output, row.prompt


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: {open: [x], say: {t: ['{value}']}, close: [x]}\n", "expected open, say"),
        (
            "a: {open: [x], say: {t: ['no value']}, aside: [x], close: [x]}\n",
            r"a\.t\.0: got 'no value', expected a sentence with",
        ),
        ("a: {open: ['{value}'], say: {t: ['{value}']}, aside: [x], close: [x]}\n", r"a\.open\.0: .*without braces"),
        ("a: {open: [x], say: {t: []}, aside: [x], close: [x]}\n", r"a\.t: got \[\], expected a list"),
    ],
)
def test_wrong_clauses_are_refused(text, message):
    with pytest.raises(prompt.PromptError, match=message):
        prompt.read(text)


def test_surfaces_that_cannot_state_a_brief_are_refused_when_a_spec_is_read():
    data = yaml.safe_load((ladder.FOLDER / "spec16.yaml").read_text())
    data["splits"]["seen"]["surfaces"] = ["prose"]
    with pytest.raises(
        ladder.LadderError, match=r"splits\.seen\.surfaces: got 'prose', which has no clause for a brief"
    ):
        ladder.read(yaml.safe_dump(data), "spec16")


# ------------------------------------------------------------------------------------------------- structures


def test_an_arrangement_keeps_the_parts_and_changes_their_order_and_names():
    source = pools.source_of(ladder.load("recombination"))
    for drawn in list(brief.draw(source, 42, 300))[::7]:
        facts = dict(drawn.facts)
        parts = [p for p in drawn.scene.components if p.kind in ("timeline_stage", "memory_segment", "system_stage")]
        places = [int(p.ref.rpartition("_")[2]) for p in parts]
        n = len(parts)
        assert str(n) == facts["parts"] and places == arrange.ORDERS[facts["sequence"]](list(range(1, n + 1)))
        assert len({p.id for p in parts}) == n and sorted(places) == list(range(1, n + 1))
        links = [c for c in drawn.scene.components if c.source]
        assert [c.source for c in links] == [p.id for p in parts][: len(links)]


def test_a_structure_that_was_trained_in_another_style_is_found():
    contract = drawn_of("recombination").contract
    case = next(c for c in contract["cases"] if c["split"] == "unseen_recombination")
    claim = next(c for c in contracts.claims(contract) if c.split == "unseen_recombination")
    other = re.sub(r"\[theme:[a-z_]+\]", "[theme:other]", case["expected"])
    with pytest.raises(split.LeakError, match="structure is in the training rows"):
        split.prove([f"[task:svg] any [OUT] {other}"], [case], [claim])


def test_hundreds_of_structures_are_asked_that_were_never_trained():
    asked = [c for c in drawn_of("recombination").contract["cases"] if c["split"] == "unseen_recombination"]
    assert len({split.structure(c["expected"]) for c in asked}) >= 300


def test_hundreds_of_combinations_are_asked_that_were_never_trained():
    asked = [c["brief"] for c in drawn_of("routing").contract["cases"] if c["split"] == "unseen_recombination"]
    names = ("goal", "emphasis", "audience", "constraint")
    trained = {split.combination("", f.brief, names) for rows in drawn_of("routing").stages.values() for f in rows}
    held = {split.combination("", text, names) for text in asked}
    assert len(held) >= 300 and not held & trained


# ------------------------------------------------------------------------------------------------- coverage, odd prompts


def test_every_spec_covers_what_it_declares(spec):
    selected = ladder.select(f"{spec.name}/{next(iter(spec.rungs))}")
    assert coverage.audit(selected, drawn_of(spec.name)) == []


def test_what_is_not_covered_is_named():
    selected, drawn = ladder.select("routing/r1"), drawn_of("routing")
    rows = [
        r
        for r in drawn.stages["pretrain"]
        if r.form != "layer_stack" and "budget_space" not in r.brief and r.surface != "listed"
    ]
    poor = material.Material(drawn.targets, {"pretrain": rows}, drawn.dev, drawn.contract)
    assert {f.partition(":")[0] for f in coverage.audit(selected, poor)} == {
        "surface listed", "form memory_map/layer_stack", "goal budget_space",
    }  # fmt: skip


@pytest.mark.parametrize("name", ladder.names())
def test_odd_prompts_are_no_trained_ones_and_know_what_passes(name):
    spec = ladder.load(name)
    found = pools_of(name)
    texts = {t.text for t in found.trained}
    odds = odd.build(spec, found)
    plain = [o.prompt for o in odds if o.kind == "strict_tags"]
    said = {"contradiction"} if any("[theme:" in text or "[goal:" in text for text in plain) else set()
    assert said | {"missing_tag", "foreign_language", "injection"} <= {o.kind for o in odds}
    counts = Counter(o.kind for o in odds)
    assert all(n == odd.kinds()[kind].cases for kind, n in counts.items()), counts
    assert len({(o.kind, o.prompt) for o in odds}) == len(odds)
    risks = Counter(odd.kinds()[o.kind].risk for o in odds)
    assert all(risks[r] >= 200 for r in ("continuation_spill", "prompt_hijack", "mode_switch", "eos")), risks
    rows = {row.prompt for part in drawn_of(name).stages.values() for row in part}
    assert not [o.prompt for o in odds if odd.kinds()[o.kind].plain and o.prompt in rows], (
        "a plain prompt is none of training"
    )
    for kind, cell in odd.rates(spec.surface, odds, [("", "eos")] * len(odds)).items():
        assert (cell["k"], cell["n"]) == (0, odd.kinds()[kind].cases) or (cell["k"] is None and cell["why"]), kind
    assert counts["unknown_value"] == odd.kinds()["unknown_value"].cases
    turns = [o for o in odds if o.kind == "turns"]
    by_text = {t.text: t for t in (*found.unseen, *found.recombined)}
    sort = odd.sort_of(list(by_text.values()))
    sorts = [sort(by_text[o.answers[0]]) for o in turns]
    told = [set(sorts[at : at + odd.ABREAST]) for at in range(0, len(sorts), odd.ABREAST)]
    assert all(len(t) == 1 for t in told) and all(a != b for a, b in pairwise(told)), "every turn switches"
    for each in odds[::31]:
        kind = odd.kinds()[each.kind]
        assert len(each.answers) == {"same": 1, "either": 2, "legal": 0, "ends": 0}[kind.expect]
        assert each.prompt.endswith("[OUT]") != bool(kind.begin)
        for answer in each.answers or (next(iter(texts)),):
            assert odd.passes(spec.surface, each, f" {answer}", "eos")
            assert not odd.passes(spec.surface, each, f" {answer}", "budget")
            assert not odd.passes(spec.surface, each, f" {answer} {answer}", "eos")
        assert not odd.passes(spec.surface, each, "hello", "eos")


def test_what_is_unknown_must_not_matter_where_it_says_nothing():
    kinds = {o.kind for o in odd.build(ladder.load("recombination"), pools_of("recombination"))}
    assert "unknown_topic" not in kinds, "there the topic chooses the content"
    assert "unknown_value" in kinds, "and there is another behaviour that it is held to"
    assert "unknown_topic" in {o.kind for o in odd.build(ladder.load("routing"), pools_of("routing"))}


# ------------------------------------------------------------------------------------------------- cases in other arrangements


@pytest.mark.parametrize("own", [c for c in library.every() if c.components and not c.form], ids=lambda c: c.id)
def test_a_case_keeps_its_words_whatever_its_arrangement(own):
    """Every arrangement is sound, says nothing that the case does not, and leaves out only parts that were counted."""
    if own.family == "memory_training_map" or own.surface not in ("gold", "keyed"):
        pytest.skip("its parts are not arranged")
    kept = {(p.kind, p.paths) for p in own.components}
    for counts in arrange.countings(own.family, own.components):
        for order, ids in (("forward", "letters"), ("backward", "own"), ("pairs_swapped", "numbers")):
            asked = {name: str(n) for name, n in counts} | {"order": order, "ids": ids}
            parts = arrange.vary(own.family, own.components, asked)
            assert {(p.kind, p.paths) for p in parts} <= kept
            assert not list(families.load(own.family).inspect(Scene(own.family, components=parts)))
    assert arrange.vary(own.family, own.components, {}) == own.components


def test_an_edge_with_words_follows_the_parts_that_it_joins():
    own = library.load("decision_tree", "cache_rollout")
    parts = arrange.vary(own.family, own.components, {"order": "backward", "ids": "letters"})
    named = {p.ref: p.id for p in parts if p.id}
    edge = next(p for p in parts if p.ref == "edges.stale_key")
    assert (edge.source, edge.target) == (named["nodes.stale"], named["nodes.key"])
