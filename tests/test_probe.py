"""Scores mean what they say: each way of being wrong is seen by the metrics that should see it, and gets its class."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from dataclasses import replace

import pytest

from cengine.decode import Generation
from experiments import compiler, ladder, pools, prompt, surfaces
from experiments.corpus import stage_rows
from experiments.probes import autopsy, baseline, odd
from experiments.probes import contract as contracts
from experiments.probes import score as scores
from experiments.probes.score import score
from experiments.session import Session
from experiments.style import Style


@pytest.fixture(scope="module")
def gold():
    spec = ladder.load("spec12")
    return contracts.build(spec, pools.draw(spec))


@pytest.fixture(scope="module")
def bundles():
    spec = ladder.load("spec16")
    return contracts.build(spec, pools.draw(spec))


def judged(contract, case, raw, stop="eos"):
    found = score(contract, case, raw, stop)
    return found, autopsy.classify(contract, case, raw, found)


def case_of(contract, family, split="unseen_target"):
    return next(c for c in contract["cases"] if c["family"] == family and c["split"] == split)


@pytest.mark.parametrize("which", ["gold", "bundles"])
def test_the_expected_output_scores_everything(which, request):
    contract = request.getfixturevalue(which)
    for case in contract["cases"][::25]:
        found, failure = judged(contract, case, " " + case["expected"])
        assert failure == "exact" and found.bools() == {
            "exact": True, "renderable": True, "materialized": True, "truncated": False,
            "clean_stop": True, "prefix_ok": True, "adherent": True, "first_block_exact": True,
        }  # fmt: skip


def test_white_space_does_not_matter_and_nothing_else_is_forgiven(gold):
    case = case_of(gold, "decision_tree")
    assert judged(gold, case, case["expected"].replace(" ", "\n  "))[0].exact
    for raw in (
        case["expected"] + " x",
        "x " + case["expected"],
        case["expected"].replace("] [", "][", 1),
        case["expected"].upper(),
    ):
        assert not judged(gold, case, raw)[0].exact


def test_a_tail_is_a_spill(gold):
    case = case_of(gold, "memory_map")
    found, failure = judged(gold, case, f"{case['expected']} [scene] [layout:memory_map]")
    assert (
        failure == "spill"
        and not found.exact
        and not found.clean_stop
        and not found.renderable
        and found.first_block_exact
    )


@pytest.mark.parametrize("stop", ["eos", "budget"])
def test_whatever_goes_on_after_its_end_has_spilled(gold, stop):
    """A right text that goes on to the budget is a spill, not a text that was too long; a wrong one is counted as spilled too."""
    case = case_of(gold, "memory_map")
    found, failure = judged(gold, case, f"{case['expected']} {case['expected'][:200]}", stop)
    assert failure == "spill" and found.spilled
    wrong = case["expected"].replace("[scene]", "[scene] [x]", 1)
    assert judged(gold, case, f"{wrong} more", stop)[0].spilled and not judged(gold, case, wrong, stop)[0].spilled


@pytest.mark.parametrize("stop", ["budget", "context"])
def test_the_right_text_that_never_ended_is_truncated(gold, stop):
    case = case_of(gold, "table_matrix")
    found, failure = judged(gold, case, case["expected"], stop)
    assert (
        failure == "truncation" and found.truncated and not found.exact and not found.clean_stop and found.materialized
    )


def test_an_output_that_was_cut_off_does_not_render(gold):
    case = case_of(gold, "table_matrix")
    found, failure = judged(gold, case, case["expected"].rsplit(" ", 3)[0], "budget")
    assert failure == "truncation" and not found.renderable and "[/scene]" in found.problem


def test_another_style_is_legal_but_not_asked_for(gold):
    case = case_of(gold, "decision_tree")
    theme = next(t for t in ("infra_dark", "paper_editorial") if f"[theme:{t}]" not in case["expected"])
    raw = re.sub(r"\[theme:[a-z_]+\]", f"[theme:{theme}]", case["expected"])
    found, failure = judged(gold, case, raw)
    assert failure == "style" and found.renderable and not found.materialized and not found.adherent and found.prefix_ok
    assert autopsy.differing(case, raw) == ["theme"]


def test_a_reference_to_nothing_does_not_render(gold):
    case = case_of(gold, "memory_map")
    raw = case["expected"].replace("[ref:offsets]", "[ref:nowhere]", 1)
    assert raw != case["expected"]
    found, failure = judged(gold, case, raw)
    assert failure == "refs" and not found.renderable and "nowhere" in found.problem and found.adherent


def test_a_component_too_few_is_a_structure_miss(gold):
    case = case_of(gold, "memory_map")
    at = case["expected"].rindex("[info_card]")
    raw = case["expected"][:at] + "[/scene]"
    assert judged(gold, case, raw)[1] == "structure"


def test_an_unknown_tag_is_a_syntax_miss_and_breaks_the_prefix(gold):
    case = case_of(gold, "decision_tree")
    found, failure = judged(gold, case, case["expected"].replace("[entry_badge]", "[entry_bandage]", 1))
    assert failure == "syntax" and not found.renderable and not found.prefix_ok


@pytest.mark.parametrize(
    "raw", ["", " ", "[", "hello", "rm -rf /", "[/scene]", "[scene]" * 300, "<svg/>", "\x00", "[scene] [/scene]"]
)
def test_rubbish_scores_nothing_and_never_raises(gold, raw):
    case = case_of(gold, "decision_tree")
    found, failure = judged(gold, case, raw)
    assert failure == "syntax" and not found.adherent and not found.first_block_exact
    assert not (found.exact or found.renderable or found.materialized)


def test_counts_that_were_not_asked_for(bundles):
    case = case_of(bundles, "timeline")
    n = int(case["expected"].split("[stages:")[1].split("]")[0])
    other = n - 1 if n > 3 else n + 1
    raw = (
        case["expected"]
        .replace(f"[stages:{n}]", f"[stages:{other}]")
        .replace(f"[arrows:{n - 1}]", f"[arrows:{other - 1}]")
    )
    found, failure = judged(bundles, case, raw)
    assert failure == "counts" and found.renderable and not found.materialized and not found.adherent


def test_counts_that_contradict_each_other_do_not_render(bundles):
    case = case_of(bundles, "timeline")
    n = int(case["expected"].split("[stages:")[1].split("]")[0])
    found, failure = judged(bundles, case, case["expected"].replace(f"[stages:{n}]", f"[stages:{n + 1}]"))
    assert failure == "syntax" and not found.renderable and "arrows" in found.problem


def test_another_family_and_another_form(bundles):
    case = case_of(bundles, "memory_map")
    other_form = next(c for c in bundles["cases"] if c["family"] == "memory_map" and c["form"] != case["form"])
    assert judged(bundles, case, other_form["expected"])[1] == "form"
    assert judged(bundles, case, case_of(bundles, "timeline")["expected"])[1] == "family"


def test_the_contract_is_plain_data_with_one_hash(gold):
    again = contracts.build(ladder.load("spec12"), pools.draw(ladder.load("spec12")))
    assert contracts.sha256(again) == contracts.sha256(gold) == contracts.sha256(json.loads(json.dumps(gold)))
    changed = {**gold, "cases": [{**gold["cases"][0], "expected": "x"}, *gold["cases"][1:]]}
    assert contracts.sha256(changed) != contracts.sha256(gold)


def test_every_expected_picture_is_the_compilers(gold):
    for case in gold["cases"][::40]:
        svg = compiler.compile_text(gold["surface"], case["expected"], contracts.content_of(gold, case)).svg
        assert hashlib.sha256(compiler.canonical(svg).encode()).hexdigest() == case["svg_sha256"]


PAIRS = [
    ("[task:svg] [layout:a] [topic:t] [theme:x] [OUT]", "[s] [layout:a] [theme:x] [topic:t] [ref:q] [/s]"),
    ("[task:svg] [layout:b] [topic:u] [theme:y] [OUT]", "[s] [layout:b] [theme:y] [topic:u] [/s]"),
    ("[task:svg] [layout:b] [topic:u] [theme:y] more words [OUT]", "[s] [layout:b] [theme:y] [topic:u] [/s]"),
]


def test_baselines_do_what_their_names_say():
    asked = "[task:svg] [layout:a] [topic:t] [theme:y] [OUT]"
    answers = {name: made(asked) for name, make in baseline.BASELINES.items() if (made := make(PAIRS))}
    assert answers == {
        "copy": "[s] [layout:a] [topic:t] [theme:y] [/s]",
        "topic_lookup": "[s] [layout:a] [theme:x] [topic:t] [ref:q] [/s]",
        "nearest_neighbour": "[s] [layout:a] [theme:x] [topic:t] [ref:q] [/s]",
        "slot_copy": "[s] [layout:a] [theme:y] [topic:t] [ref:q] [/s]",
        "value_copy": "[s] [layout:a] [theme:y] [topic:t] [ref:q] [/s]",
        "decision_table": "[s] [layout:a] [theme:x] [topic:t] [ref:q] [/s]",  # one row of each kind decides nothing
    }


def test_value_copy_replaces_words_under_any_name_and_both_ways_at_once():
    pairs = [
        ("[shape:dot] [color:red] [color2:blue] [n:3] [OUT]", "[s] [fill:red] [x:3] [stroke:blue] [note:dark-red] [/s]")
    ]
    asked = "[shape:dot] [color:blue] [color2:red] [n:4] [OUT]"
    assert baseline.value_copy(pairs)(asked) == "[s] [fill:blue] [x:3] [stroke:red] [note:dark-red] [/s]"


def test_a_decision_table_finds_what_decides_and_is_not_for_outputs_that_say_a_tag_twice():
    """Two facts decide the form together; a topic that differs in every row decides nothing."""
    pairs = [
        (
            f"[topic:t{n}] [goal:{goal}] [weight:{weight}] [OUT]",
            f"[b] [family:{goal}] [form:{goal}_{weight}]{' [n:2]' * (goal == 'map')} [/b]",
        )
        for n, (goal, weight) in enumerate([(g, w) for g in ("map", "line") for w in ("parts", "flow")] * 6)
    ]
    asked = "[topic:new] [goal:map] [weight:flow] [OUT]"
    assert baseline.decision_table(pairs)(asked) == "[b] [family:map] [form:map_flow] [n:2] [/b]"
    assert baseline.decision_table([("[a:b] [OUT]", "[s] [ref:a] [ref:b] [/s]")]) is None
    assert baseline.decision_table([("[a:b] [OUT]", "words alone")]) is None


def test_slot_copy_prefers_a_row_of_the_same_topic_to_a_nearer_one_of_another():
    pairs = [
        (
            "[task:svg] [layout:a] [topic:t] [theme:x] [tone:x] [OUT]",
            "[s] [theme:x] [tone:x] [topic:t] [ref:mine] [/s]",
        ),
        (
            "[task:svg] [layout:a] [topic:u] [theme:y] [tone:z] [OUT]",
            "[s] [theme:y] [tone:z] [topic:u] [ref:other] [/s]",
        ),
    ]
    asked = "[task:svg] [layout:a] [topic:t] [theme:y] [tone:z] [OUT]"
    assert baseline.slot_copy(pairs)(asked) == "[s] [theme:y] [tone:z] [topic:t] [ref:mine] [/s]"


def test_slot_copy_takes_a_template_that_agrees_in_what_it_cannot_write():
    """The nearest prompt has the right look and the wrong count; a look can be written over, a count of parts cannot. So it is with a tag
    that outputs leave out at one value."""
    pairs = [
        ("[parts:3] [ground:a] [tone:b] [topic:t] [OUT]", "[s] [ground:a] [tone:b] [x] [x] [x] [/s]"),
        ("[parts:4] [ground:none] [tone:b] [topic:t] [OUT]", "[s] [tone:b] [x] [x] [x] [x] [/s]"),
        ("[parts:4] [ground:q] [tone:r] [topic:t] [OUT]", "[s] [ground:q] [tone:r] [x] [x] [x] [x] [/s]"),
    ]
    copied = baseline.slot_copy(pairs)
    assert copied("[parts:4] [ground:a] [tone:b] [topic:t] [OUT]") == "[s] [ground:a] [tone:b] [x] [x] [x] [x] [/s]"
    assert copied("[parts:4] [ground:none] [tone:r] [topic:t] [OUT]") == "[s] [tone:r] [x] [x] [x] [x] [/s]"


def test_copy_knows_that_outputs_call_the_layout_family():
    pairs = [("[task:svg] [layout:a] [form:f] [theme:x] [OUT]", "[b] [family:a] [form:f] [theme:x] [/b]")]
    asked = "[task:svg] [layout:c] [form:g] [theme:y] [n:2] [OUT]"
    assert baseline.copy(pairs)(asked) == "[b] [family:c] [form:g] [theme:y] [n:2] [/b]"


@pytest.mark.parametrize(("name", "solver"), [("spec12", "slot_copy"), ("spec16", "copy")])
def test_a_template_copier_solves_both_specs(name, solver):
    """A finding about the tasks, held to: whoever makes a spec that copying cannot solve will want to say so here."""
    spec = ladder.load(name)
    found = pools.draw(spec)
    pairs = [
        (t.prompt, t.output) for t in stage_rows(ladder.select(f"{name}/{next(iter(spec.rungs))}"), "pretrain", found)
    ]
    cases = contracts.build(spec, found)["cases"]
    assert all(cell["k"] == cell["n"] for cell in baseline.evaluate(pairs, cases)[solver].values())


def test_baselines_are_counted_per_split():
    cases = [
        {"split": "u", "prompt": PAIRS[0][0], "expected": PAIRS[0][1]},
        {"split": "u", "prompt": "[topic:none] [OUT]", "expected": "[s] [/s]"},
    ]
    table = baseline.evaluate(PAIRS, cases)
    assert table["topic_lookup"] == {"u": {"k": 1, "n": 2}} and set(table) == set(baseline.BASELINES), (
        "a table is for such rows"
    )


class Echo:
    """A decoder that says each prompt's answer; one that bleeds says what was asked of it before."""

    def __init__(self, answers, bleeds=False):
        self.answers, self.bleeds, self.calls = answers, bleeds, []

    def generate(self, prompts, limit, eos, progress=None):
        before = self.calls[-1] if self.bleeds and self.calls else prompts
        self.calls.append(list(prompts))
        return [Generation([self.answers[prompt]], "eos") for prompt in before[: len(prompts)]]


class Words:
    """A tokenizer whose tokens are whole texts."""

    eos = None

    def encode_many(self, texts):
        return list(texts)

    def decode(self, ids):
        return ids[0]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        *((name, {"color", "bg"}) for name in ("spec02", "spec03", "spec04")),
        ("spec05", {"color", "bg", "frame", "density"}),
        *((name, {"accent", "bg", "frame", "density"}) for name in ("spec06", "spec07", "spec08")),
        ("spec12", {"theme", "tone", "density"}),
    ],
)
def test_two_looks_in_one_prompt_have_the_two_answers_that_each_would_have(name, said):
    spec = ladder.load(name)
    found = pools.draw(spec)
    known = {
        prompt.write("tags", 0, t.scene, spec.surface): t.text
        for pool in (found.trained, found.unseen, found.recombined, found.dev)
        for t in pool
    }
    odds = [one for one in odd.build(spec, found) if one.kind == "contradiction"]
    assert len(odds) == odd.kinds()["contradiction"].cases
    twice, checked = set(), 0
    for one in odds:
        pieces = one.prompt.split()
        (at,) = [i for i in range(1, len(pieces)) if pieces[i].split(":")[0] == pieces[i - 1].split(":")[0]]
        twice.add(pieces[at][1:].split(":")[0])
        first, second = (" ".join(pieces[:i] + pieces[i + 1 :]) for i in (at, at - 1))
        assert known[first] == one.answers[0] and len(set(one.answers)) == 2
        if second in known:
            checked += 1
            assert known[second] == one.answers[1]
        assert all(odd.passes(spec.surface, one, text, "eos") for text in one.answers)
    assert twice == said and checked


def test_a_text_that_says_another_scene_than_was_meant_is_exact_and_not_materialized(gold, monkeypatch):
    """The expected picture is that of the scene, so a surface that reads its own text wrongly cannot hide."""
    case, parse = gold["cases"][0], surfaces.load("gold").parse
    assert score(gold, case, case["expected"], "eos").materialized
    for remembered in (scores._compiled, scores._said):
        remembered.cache_clear()
    monkeypatch.setattr(surfaces.load("gold"), "parse", lambda text: replace(parse(text), style=Style()))
    other = next(c for c in gold["cases"] if parse(c["expected"]).style != Style())
    found = score(gold, other, other["expected"], "eos")
    scores._compiled.cache_clear()
    assert found.exact and found.renderable and not found.materialized


@pytest.mark.parametrize("name", ["spec12", "spec17", "routing"])
@pytest.mark.parametrize("kind", ["missing_tag", "contradiction"])
def test_every_tag_is_left_out_or_contradicted_about_as_often_as_the_others(name, kind):
    spec = ladder.load(name)
    odds = [o for o in odd.build(spec, pools.draw(spec)) if o.kind == kind]
    named = [Counter(piece[1:-1].partition(":")[0] for piece in o.prompt.split() if ":" in piece) for o in odds]
    asked = {n for names in named for n in names} & {*odd.kinds()[kind].drop, *odd.kinds()[kind].again}
    odd_number = 0 if kind == "missing_tag" else 2
    counts = Counter(n for names in named for n in asked if names[n] == odd_number)
    assert len(asked) > 1 and set(counts) == asked and max(counts.values()) <= 2 * min(counts.values()), counts


@pytest.mark.parametrize("bleeds", [False, True])
def test_turns_are_asked_of_one_session_and_held_to_fresh_answers(gold, bleeds):
    spec = ladder.load("spec12")
    targets = pools.draw(spec)
    odds = odd.build(spec, targets)
    answers = {o.prompt: "" for o in odds} | {o.prompt: o.answers[0] for o in odds if o.answers}
    made = []

    def fresh(slots, share):
        made.append((slots, share, Echo(answers, bleeds and share)))
        return made[-1][2]

    found = Session(gold, Words(), Echo(answers), fresh).odd(spec, targets)
    slots, share, kept = made[0]
    assert (slots, share, {len(c) for c in kept.calls}, sum(map(len, kept.calls))) == (odd.ABREAST, True, {8}, 200)
    assert all(not share and len(one.calls) == 1 and len(one.calls[0]) <= slots for slots, share, one in made[1:])
    assert found.rates["turns"] == {"k": odd.ABREAST if bleeds else 200, "n": 200}
    assert found.rates["unknown_topic"]["k"] is None and found.rates["unknown_topic"]["why"]
    assert "odd.unknown_topic" not in odd.measures(found.rates)


def test_a_right_answer_that_a_fresh_decoder_would_not_give_fails():
    spec = ladder.load("spec12")
    odds = [o for o in odd.build(spec, pools.draw(spec)) if o.kind == "turns"][:2]
    said = [(o.answers[0], "eos") for o in odds]
    assert odd.rates("gold", odds, said, dict(enumerate(said)))["turns"] == {"k": 2, "n": 2}
    assert odd.rates("gold", odds, said, {0: ("other", "eos"), 1: said[1]})["turns"] == {"k": 1, "n": 2}
