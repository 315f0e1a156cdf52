"""What stands beside raw outputs: repairs that only take away and close, flaws, the failure matrix and its one action. Each fault is planted."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from scipy import stats

from cengine.decode import Generation
from cktrack import show
from experiments import case as library
from experiments import coders, compiler, ladder, pools, prompt, surfaces
from experiments.probes import autopsy, column, constrain, curve, diagnosis, flaw
from experiments.probes.repair import STEPS, repair
from experiments.probes.score import score
from experiments.session import Output
from experiments.style import Style
from experiments.tokenizer import Policy

CASES = [next(iter(library.every(family))) for family in ("timeline", "memory_map", "decision_tree", "table_matrix")]
CASES = [c for c in CASES if c.surface == "gold"] + list(library.every(surface="gold"))[:3]
TEXTS = {c.id: surfaces.load("gold").format(c.scene(Style())) for c in CASES}
TEXT = next(iter(TEXTS.values()))


PROMPTS = ("OUT", "edit", "goal", "task")


def contract_of(cases):
    made = []
    for number, one in enumerate(cases):
        svg = compiler.compile_text("gold", TEXTS[one.id], one.content).svg
        made.append({
            "id": f"c{number}", "split": ("seen", "unseen")[number % 2], "surface": "tags", "family": one.family, "form": "", "case": one.id,
            "prompt": surfaces.load("gold").prompt(one.scene(Style())), "expected": TEXTS[one.id],
            "svg_sha256": hashlib.sha256(compiler.canonical(svg).encode()).hexdigest(),
        })  # fmt: skip
    splits = {"seen": {"kind": "seen"}, "unseen": {"kind": "ood"}}
    contents = {f"{c.family}/{c.id}": dict(c.content) for c in cases}
    return {
        "contract": "t",
        "surface": "gold",
        "prompt_only": list(PROMPTS),
        "contents": contents,
        "splits": splits,
        "cases": made,
    }


CONTRACT = contract_of(CASES)


def outputs_of(say, stop="eos"):
    """Every case answered by `say(expected)`, with its columns."""
    found = []
    for case in CONTRACT["cases"]:
        raw = say(case["expected"])
        scored = score(CONTRACT, case, raw, stop)
        columns = {"repaired": column.repaired(CONTRACT, case, raw, stop, scored)}
        found.append(Output(case, raw, stop, 9, scored, autopsy.classify(CONTRACT, case, raw, scored), columns))
    return found


def facts_of(say, stop="eos", **given):
    found = outputs_of(say, stop)
    return diagnosis.facts(CONTRACT, found, column.measures(CONTRACT, found) | given)


# ------------------------------------------------------------------------------------------------- repair

BROKEN = {
    "cut": lambda t: f"{t} [scene] [layout:timeline]",
    "strip": lambda t: t.replace("] [", "] <|pad|> [", 1),
    "begin": lambda t: f"sure: {t}",
    "space": lambda t: t.replace("] [", "][", 3),
    "loose": lambda t: t.replace("] [", "] and [", 2),
    "unfinished": lambda t: t.replace(" [/scene]", " [foo"),
    "repeat": lambda t: re.sub(r"(\[theme:[a-z_]+\])", r"\1 \1", t),
    "close": lambda t: t.removesuffix(" [/scene]").rsplit(" ", 1)[0],
    "fold_space": lambda t: f" {t.replace(' ', '  ')} x",
}


def test_every_step_is_tried_here():
    assert set(BROKEN) == set(STEPS)


@pytest.mark.parametrize("name", BROKEN)
def test_each_step_mends_what_it_is_for_and_says_so(name):
    broken = BROKEN[name](TEXT)
    found = repair("gold", broken, "eos")
    assert found.text == TEXT and name in found.steps
    assert repair("gold", found.text, "eos").steps == (), "what is whole stays"


@pytest.mark.parametrize("stop", ["budget", "context"])
def test_what_did_not_end_is_cut_and_what_is_wrong_stays_wrong(stop):
    assert repair("gold", f" {TEXT} {TEXT}", stop).text == TEXT
    other = TEXT.replace("[tone:blue]", "[tone:pink]")
    assert repair("gold", other, "eos").text == other, "no value is put in the place of another"
    assert repair("gold", "", stop).text == "" and repair("gold", "hello", stop).text == ""


@pytest.mark.parametrize("name", surfaces.names())
def test_a_repair_adds_nothing_but_closing_tags(name):
    """Whatever is broken: every piece of the repaired text that is no closing tag stood in the raw one, no more often than there."""
    text = constrain.grammar_of(name).complete("").strip()
    pieces = re.compile(r"\[[^\[\]\s]*\]|<[^<>]*>|[^\s\[\]<>]+")
    for end in range(0, len(text) + 1, 7):
        for raw in (
            text[:end],
            text[:end] + text[: end // 2],
            f"x {text[:end].replace('] [', '][')} <|pad|>",
            text[end:],
        ):
            found = repair(name, raw, "eos").text
            left = pieces.findall(raw.replace("][", "] ["))
            for piece in pieces.findall(found):
                if not piece.startswith(("[/", "</")):
                    assert piece in left, (raw, found, piece)
                    left.remove(piece)


# ------------------------------------------------------------------------------------------------- flaws

FLAWED = {
    "missing_scene_start": lambda t: t.removeprefix("[scene] "),
    "missing_scene_end": lambda t: t.removesuffix(" [/scene]"),
    "tail_after_end": lambda t: f"{t} [scene]",
    "duplicate_attr": lambda t: t.replace("[scene]", "[scene] [layout:timeline] [layout:timeline]"),
    "block_nesting_error": lambda t: t.replace(" [/header_band]", "", 1),
    "special_token_leak": lambda t: t.replace("[scene]", "[scene] <|endoftext|>"),
    "empty_response": lambda t: " ",
    "repeats": lambda t: t.replace("[scene]", "[scene] " + "[tone:blue] " * 4),
}


@pytest.mark.parametrize("name", flaw.FLAWS)
def test_each_flaw_is_seen_where_it_is_and_nowhere_else(name):
    assert name in flaw.flaws("gold", f" {FLAWED[name](TEXT)}", "eos", PROMPTS)
    for one in surfaces.names():
        text = constrain.grammar_of(one).complete("")
        assert flaw.flaws(one, text, "eos", PROMPTS) == [], (one, text)


def test_prompt_tags_in_an_output_are_a_leak_and_rates_are_shares():
    for tag in ("[OUT]", "[goal:explain]", "[edit:tone=blue]"):
        assert "special_token_leak" in flaw.flaws("gold", f"{TEXT} {tag}", "eos", PROMPTS)
    for empty in ("", "sorry", "[scene"):
        assert "block_nesting_error" not in flaw.flaws("gold", empty, "eos", PROMPTS)
    found = outputs_of(lambda t: t.removesuffix(" [/scene]"))
    rates = column.measures(CONTRACT, found)
    assert rates["missing_scene_end_rate"] == 1.0 and rates["missing_scene_start_rate"] == 0.0
    assert rates["repaired.exact"] == 1.0 and rates["repaired.changed"] == 1.0 and "constrained.exact" not in rates
    assert rates["gold_asset_parity_score"] == 1.0


def test_a_compiler_that_draws_otherwise_is_seen_in_the_gold_score():
    broken = {**CONTRACT, "cases": [{**c, "svg_sha256": "0" * 64} for c in CONTRACT["cases"]]}
    assert column.measures(broken, outputs_of(str))["gold_asset_parity_score"] == 0.0


ONCE = {  # a rung's spec: what its texts state once
    "spec02": "xmlns width height viewBox",
    "spec04": "w h bg layout",
    "spec06": "w h bg layout topic accent frame density",
    "spec07": "canvas source theme layout topic accent frame density rail hero",
    "spec08": "canvas layout theme tone frame density inset gap hero_align columns emphasis rail background connector topic",
    "spec10": "canvas layout theme tone density topic",
    "spec11": "canvas layout theme tone density topic",
    "spec12": "layout theme tone density topic",
    "spec14a": "layout theme tone density topic",
    "spec16": "family form theme tone density background segments brackets cards",
    "atomic": "layout theme tone density topic",
}


@pytest.mark.parametrize("name", ONCE)
def test_what_a_surface_says_once_is_seen_twice_and_put_right(name):
    spec = ladder.load(name)
    texts = [target.text for target in pools.draw(spec).trained]
    for said in ONCE[name].split():
        spelled = rf' {said}="[^"]*"| \[{said}:[^\]]*\]| \[{said}\] \S+ \[/{said}\]'
        text, found = next((t, found) for t in texts if (found := re.search(spelled, t)))
        twice = text[: found.end()] + found[0] + text[found.end() :]
        assert flaw.flaws(spec.surface, text, "eos", PROMPTS) == [], (said, text)
        assert flaw.flaws(spec.surface, twice, "eos", PROMPTS) == ["duplicate_attr"], (said, twice)
        mended = repair(spec.surface, twice, "eos")
        assert mended.text == text and "repeat" in mended.steps, (said, twice)


# ------------------------------------------------------------------------------------------------- the failure matrix

WRONG = {
    "scene_prefix_failure": FLAWED["missing_scene_start"],
    "scene_suffix_failure": FLAWED["tail_after_end"],
    "block_nesting_failure": FLAWED["block_nesting_error"],
    "special_token_leak": FLAWED["special_token_leak"],
    "contamination_supervision": FLAWED["empty_response"],
    "layout_drift": lambda t: re.sub(r"\[layout:[a-z_]+\]", "[layout:poem]", t),
    "theme_tone_drift": lambda t: t.replace("[tone:blue]", "[tone:green]"),
    "renderable_but_not_exact": lambda t: t.replace("[tone:blue]", "[tone:green]"),
    "undertraining": lambda t: "no",
}


def found_in(facts):
    return {line.name for line in diagnosis.autopsy(facts) if line.found}


@pytest.mark.parametrize("name", WRONG)
def test_each_class_is_found_where_it_is_planted(name):
    assert name in found_in(facts_of(WRONG[name]))


def test_the_other_classes_are_found_from_what_they_look_at():
    good = facts_of(str)
    assert found_in(good) == set() and diagnosis.suggest(good).symptom == "every case is exact"
    assert "budget_truncation" in found_in(facts_of(lambda t: t, "budget"))
    assert "family_imbalance" in found_in(replace(good, families={"a": 1.0, "b": 0.1}))
    assert {"exact_but_not_materialized", "probe_accounting_bug"} <= found_in(replace(good, exact_not_materialized=1))
    assert "compiler_parity_gap" in found_in(replace(good, gold_parity=0.5))
    unknown = {line.name for line in diagnosis.autopsy(replace(good, gold_parity=None)) if line.found is None}
    assert unknown == {
        "over_repair_fragmentation",
        "compiler_parity_gap",
        "seed_probe_integrity_gap",
        "capacity_misdiagnosis",
    }


GOOD = facts_of(str)
SYMPTOMS = [
    ("exact outputs, other pictures", {"drawn_wrong": 1}),
    ("every case is exact", {"exact": 1.0}),
    ("right beginnings that are cut off", {"begun": 0.2}),
    ("special tokens or prompt tags in outputs", {"flaws": {**GOOD.flaws, "special_token_leak": 0.1}}),
    ("what misses, repairs itself", {"repaired": 0.95}),
    ("what misses, repairs itself", {"won": 0.5}),
    ("gradient norms spike", {"gradient_spikes": 0.03}),
    ("gradient norms collapse, the loss does not", {"gradient_left": 0.001, "late_loss": 0.3}),
    ("the loss goes up and down and does not settle", {"loss_rises": 0.6, "late_loss": 0.3}),
    ("the loss is stuck, the windows are poorly filled", {"fill": 0.7, "late_loss": 0.9}),
    ("no family is learned, the loss is low", {"exact": 0.1, "families": {"a": 0.1}, "kinds": {"seen": 0.1}, "final_loss": 0.01}),
    ("no family is learned, the loss is high", {"exact": 0.1, "families": {"a": 0.1}, "kinds": {"seen": 0.1}, "final_loss": 1.0}),
    ("some families are strong, others weak", {"families": {"a": 0.9, "b": 0.2}}),
    ("seen prompts are right, unseen ones wrong", {"kinds": {"seen": 1.0, "ood": 0.6}}),
    ("all is legal, little is right", {"exact": 0.3, "renderable": 1.0}),
    ("outputs do not parse or draw", {"renderable": 0.7}),
    ("few misses of one kind", {}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "planted"), SYMPTOMS)
def test_each_symptom_suggests_its_action(name, planted):
    half = {"a": 0.8, "b": 0.8}
    base = {"exact": 0.8, "renderable": 0.95, "repaired": None, "kinds": {"seen": 0.8, "ood": 0.8}, "families": half}
    base |= {"begun": 0.0, "final_loss": 0.2}
    assert diagnosis.suggest(replace(GOOD, **{**base, **planted})).symptom == name
    tried = list(dict.fromkeys(row[0] for row in SYMPTOMS))
    assert [row[0] for row in diagnosis.SYMPTOMS] == tried, "every row of the matrix is tried"


def curve_of(shape, steps=256):
    """A stage whose losses and norms are what `shape` gives for the share of the steps that are done."""
    told = [shape(at, at / steps) for at in range(steps)]
    return [(at, {"loss": loss, "grad_norm": norm}) for at, (loss, norm) in enumerate(told)]


def falling(at, done):
    """A sound curve: loss and norm fall, rough by a tenth, down to next to nothing with a spike of a hard row now and then."""
    rough = 1 + 0.1 * (at * 7 % 11 - 5) / 5
    spike = 0.5 if at % 40 == 0 and done > 0.5 else 0.0
    return 5 * 0.5 ** (24 * done) * rough + 1e-6, (3 * 0.5 ** (18 * done) + spike) * rough


CURVES = {  # measure: an unsound curve, and the symptom that is seen by it
    "gradient_spikes": (lambda at, done: (2.0, 30.0 if at % 20 == 0 else 1.0), "gradient norms spike"),
    "gradient_left": (lambda at, done: (3.0, 4 * 0.5 ** (12 * done)), "gradient norms collapse, the loss does not"),
    "loss_rises": (lambda at, done: (1 + 0.6 * (at // 20 % 2), 1.0), "the loss goes up and down and does not settle"),
    "late_loss": (lambda at, done: (0.9, 1.0), "the loss is stuck, the windows are poorly filled"),
}


@pytest.mark.parametrize("name", curve.MEASURES)
def test_each_measure_tells_an_unsound_curve_from_a_sound_one(name):
    shape, symptom = CURVES[name]
    half = {"a": 0.8, "b": 0.8}
    base = replace(GOOD, exact=0.8, renderable=0.95, repaired=None, kinds={"seen": 0.8, "ood": 0.8}, families=half)

    def suggested(shape, fill, steps=256):
        history = curve_of(shape, steps)
        measured = curve.measures(history, [len(history)])
        facts = facts_of(str, final_loss=0.2, lowest_fill=fill, **measured)
        known = {key: getattr(facts, key) for key in (*curve.MEASURES, "fill")}
        assert {key: value for key, value in known.items() if value is not None} == {**measured, "fill": fill}
        return diagnosis.suggest(replace(base, **known)).symptom

    assert suggested(shape, 0.7) == symptom
    rest = "few misses of one kind"
    assert suggested(falling, 0.7) == rest, "padding alone is no symptom"
    assert suggested(lambda at, done: (0.9, 1.0), 0.95) == rest, "nor is a loss that lies still"
    assert suggested(shape, 0.95, steps=20) == rest, "a curve that is too short says nothing"


def test_a_stage_that_begins_with_a_spike_is_no_unstable_one():
    """Where a stage begins, other rows come: their first norms are no spikes, and the order of stages is kept."""
    first = curve_of(lambda at, done: (1.0, 0.1))
    second = curve_of(lambda at, done: (1.0, 2.0 if at < 8 else 0.1))
    told = [*first, (len(first), {"held_out_bits_per_byte": 1.0}), *second]
    assert curve.measures(told, [len(first), len(second)])["gradient_spikes"] == 0.0
    assert curve.measures(told, [len(first) + len(second)])["gradient_spikes"] > 0.0
    assert curve.measures([], [0]) == curve.measures([], []) == {}


@pytest.mark.parametrize("loss", [0.05, 0.3])
def test_what_is_learned_in_part_is_not_called_unlearned(loss):
    """One strong family, or seen prompts alone: neither is a contract that nobody learned, whatever the loss and the legality."""
    base = {"exact": 0.45, "renderable": 0.99, "repaired": None, "won": None, "begun": 0.0, "final_loss": loss}
    uneven = {"families": {"a": 1.0, "b": 0.1, "c": 0.1}, "kinds": {"seen": 0.45, "ood": 0.45}}
    known = {"families": {"a": 0.45}, "kinds": {"seen": 1.0, "ood": 0.2}}
    assert diagnosis.suggest(replace(GOOD, **base, **uneven)).symptom == "some families are strong, others weak"
    assert diagnosis.suggest(replace(GOOD, **base, **known)).symptom == "seen prompts are right, unseen ones wrong"


def answers_of(name, say, many=24):
    """Targets of a spec's surface, every other one answered by `say(expected)`."""
    spec = ladder.load(name)
    trained = pools.draw(spec).trained
    cases = [
        {
            "id": str(number), "split": "seen", "surface": "tags", "family": t.family, "form": t.scene.form, "case": t.case,
            "prompt": prompt.write("tags", 0, t.scene, spec.surface), "expected": t.text, "svg_sha256": "",
        }
        for number, t in enumerate(trained[:: len(trained) // many][:many])
    ]  # fmt: skip
    contents = {f"{c['family']}/{c['case']}": dict(library.content(c["family"], c["case"])) for c in cases}
    contract = {
        "contract": name,
        "surface": spec.surface,
        "prompt_only": list(PROMPTS),
        "contents": contents,
        "splits": {"seen": {"kind": "seen"}},
        "cases": cases,
    }
    outputs = []
    for number, case in enumerate(cases):
        raw = say(case["expected"]) if number % 2 else case["expected"]
        scored = score(contract, case, raw, "eos")
        outputs.append(Output(case, raw, "eos", 9, scored, autopsy.classify(contract, case, raw, scored)))
    return diagnosis.facts(contract, outputs)


def other(text, spelled, *values):
    """The text with one of the values that is not in it in the place of every match's group."""
    value = next(v for v in values if v not in text)
    return re.sub(spelled, lambda found: found[0].replace(found[1], value), text)


FILLS = r"\[fill:(red|blue|green|orange|purple)\]"
LOOKS = {
    "a drawing's colours as numbers": ("spec02", lambda t: other(t, r'fill="(#(?:ef4444|3b82f6|22c55e|f97316|a855f7))"', "#ef4444", "#3b82f6")),
    "a drawing's colours": ("spec04", lambda t: other(t, FILLS, "red", "blue", "green")),
    "a colour in a text that does not parse": ("spec04", lambda t: other(t, FILLS, "red", "blue", "green") + " [svg]"),
    "a drawing's background": ("spec04", lambda t: other(t, r"\[bg:(\w+)\]", "mint", "slate")),
    "an accent of atoms": ("spec06", lambda t: other(t, r"\[accent:(\w+)\]", "green", "gray", "orange")),
    "the shapes' accent": ("spec06", lambda t: re.sub(r"\[fill:\w+\]", "[fill:teal]", t)),
    "an accent": ("spec07", lambda t: other(t, r"\[accent:(\w+)\]", "green", "gray", "orange")),
    "a tone": ("spec08", lambda t: other(t, r"\[tone:(\w+)\]", "green", "gray", "orange")),
}  # fmt: skip


@pytest.mark.parametrize("planted", LOOKS)
def test_another_look_is_drift_on_every_surface(planted):
    found = answers_of(*LOOKS[planted])
    assert found.style_drift == 0.5 and "theme_tone_drift" in found_in(found) and found.layout_drift == 0.0
    assert set(found.failures) == {"syntax" if "parse" in planted else "style"}


@pytest.mark.parametrize("name", ["spec02", "spec04", "spec06"])
def test_what_is_right_or_wrong_in_other_ways_is_no_drift(name):
    assert answers_of(name, str).style_drift == 0.0
    moved = answers_of(
        name, lambda t: re.sub(r'(\[(?:y|cy|ty):| (?:y|cy)=")(\d+)', lambda m: f"{m[1]}{int(m[2]) + 1}", t)
    )
    assert moved.exact < 1.0 and moved.style_drift == 0.0 and "style" not in moved.failures


def test_drift_is_not_known_where_no_look_is_asked_for(monkeypatch):
    monkeypatch.setattr(surfaces.load("gold"), "prompt", lambda scene: f"[task:svg] [layout:{scene.family}] [OUT]")
    line = next(line for line in diagnosis.autopsy(facts_of(str)) if line.name == "theme_tone_drift")
    assert line.found is None and line.value is None and "Not known" in line.why


CUT, HIGH = "right beginnings that are cut off", "no family is learned, the loss is high"
STOPPED = [  # what a run says until its budget or context is used up, its loss, and what is suggested
    (lambda t: t[: len(t) // 2], 0.05, CUT),
    (lambda t: t[: len(t) // 2], None, CUT),
    (lambda t: t[: len(t) // 2], 5.14, HIGH),
    (lambda t: "]" * 300, 5.14, HIGH),
    (lambda t: "]]:]::]" * 40, 5.14, HIGH),
    (lambda t: "[theme:" * 40, 5.14, HIGH),
    (lambda t: "".join(reversed(t)), 5.14, HIGH),
    (lambda t: f"{t} {t}", 5.14, "what misses, repairs itself"),
    (lambda t: "", 5.14, HIGH),
]


@pytest.mark.parametrize(("say", "loss", "symptom"), STOPPED)
def test_only_a_right_beginning_is_cut_off(say, loss, symptom):
    found = facts_of(say, "budget", final_loss=loss)
    assert diagnosis.suggest(found).symptom == symptom
    assert ("budget_truncation" in found_in(found)) == (say(TEXT) == TEXT[: len(TEXT) // 2])
    assert diagnosis.suggest(replace(found, longest=1.5)).symptom == symptom


@pytest.mark.parametrize("raw", ["]" * 300, " [[ [ ]]] [[]", "[theme:" * 9, f"{TEXT[:40]} {'][' * 20}", "[a] [b] " * 8])
def test_what_is_said_over_and_over_is_seen_with_and_without_spaces(raw):
    assert "repeats" in flaw.flaws("gold", raw, "budget", PROMPTS)


def test_a_report_holds_every_class_and_one_action():
    found = diagnosis.report(facts_of(WRONG["layout_drift"]))
    assert [c["name"] for c in found["classes"]] == list(diagnosis.CLASSES) and len(found["classes"]) == 17
    assert found["action"]["action"] and found["misses"] == {"syntax": found["cases"]}


# ------------------------------------------------------------------------------------------------- the sample


class Silent:
    """A decoder that says nothing, and counts what it is asked."""

    config = SimpleNamespace(ctx=4000)

    def generate(self, prompts, limit, eos, picks):
        self.asked = len(prompts)
        return [Generation([], "eos")] * len(prompts)


def test_where_most_outputs_are_off_the_grammar_a_drawn_sample_is_measured(monkeypatch):
    monkeypatch.setattr(constrain, "MOST", 3)
    coder = coders.train("byte_bpe", [TEXT] * 4, Policy(("[OUT]",), vocab=400))
    prompts, whole = [c["prompt"] for c in CONTRACT["cases"]], [c["expected"] for c in CONTRACT["cases"]]
    assert len(prompts) > 4

    def guided(raws):
        decoder = Silent()
        return decoder, constrain.guide("gold", (), coder, decoder, prompts, [(r, "eos") for r in raws], 2000)[0]

    decoder, found = guided(["no"] * len(prompts))
    assert decoder.asked == sum(not g.left_out for g in found) == 3 and not any(g.why for g in found)
    assert [g.left_out for g in guided(["no"] * len(prompts))[1]] == [g.left_out for g in found], (
        "the same cases each time"
    )
    decoder, few = guided([*whole[:-2], "no", "no"])
    assert decoder.asked == 2 and not any(g.left_out for g in few)

    outputs = outputs_of(str)
    for o, g in zip(outputs, found, strict=True):
        if not g.left_out:
            o.columns["constrained"] = column.constrained(CONTRACT, o.case, g, o.score)
    numbers = column.measures(CONTRACT, outputs)
    assert (numbers["constrained.n"], numbers["constrained.exact"], numbers["repaired.n"]) == (3, 0.0, len(prompts))
    (line,) = [row for row in column.table(outputs) if row.startswith("| constrained")]
    assert f"a sample of 3 of {len(prompts)} outputs off the grammar" in line and "0.0%" in line
    assert diagnosis.facts(CONTRACT, outputs, numbers).won is None, "there is no miss"


def test_what_a_sample_of_the_mask_leaves_out_is_counted_by_what_it_asks(capsys):
    """Of thirty outputs twenty are on the grammar and exact, and ten off it; of two that are asked, one is won: 25 of 30 in all."""
    right = [replace(outputs_of(str)[0], columns={}) for _ in range(30)]
    wrong = replace(outputs_of(lambda text: "no")[0], columns={})
    kept = [replace(o, columns={"constrained": column.Column(None, "eos", o.score)}) for o in right[:20]]
    asked = [replace(wrong, columns={"constrained": column.Column("text", "eos", o.score)}) for o in (right[0], wrong)]
    outputs = [*kept, *asked, *[wrong] * 8]
    numbers = column.measures(CONTRACT, outputs)
    assert numbers["constrained.exact"] == pytest.approx(25 / 30) and numbers["constrained.n"] == 22
    assert numbers["constrained.changed"] == pytest.approx(10 / 30)
    (line,) = [row for row in column.table(outputs) if row.startswith("| constrained")]
    assert "a sample of 2 of 10 outputs" in line and "83.3% (70.0%-96.7%)" in line
    assert numbers["constrained.asked"] == 2, "one of the eight others may be won, and one that was asked is not"
    assert (numbers["constrained.exact_low"], numbers["constrained.exact_high"]) == (21 / 30, 29 / 30)
    assert "repaired.asked" not in column.measures(CONTRACT, outputs_of(str))
    show.advice({**numbers, "exact": 20 / 30, "cases": 30.0}, None)
    assert "constrained 0.833 (0.700-0.967, a sample of 2 asked)" in capsys.readouterr().out


def test_where_all_were_asked_nothing_is_open():
    right, wrong = outputs_of(str)[0], outputs_of(lambda text: "no")[0]
    asked = [replace(wrong, columns={"constrained": column.Column("x", "eos", o.score)}) for o in (right, right, wrong)]
    numbers = column.measures(CONTRACT, asked)
    assert numbers["constrained.asked"] == 3
    assert {numbers[f"constrained.exact{end}"] for end in ("_low", "", "_high")} == {2 / 3}
    (line,) = [row for row in column.table(asked) if row.startswith("| constrained")]
    assert "66.7% |" in line, "no interval beside what is counted"


@pytest.mark.parametrize(("asked", "off"), [(20, 21), (20, 60), (20, 400), (2, 10), (7, 7)])
def test_the_interval_of_a_sample_covers_what_all_would_give(asked, off):
    """Whatever the truth is, at most one sample in forty puts it below the interval; each end is where that stops."""
    low = [column.fewest(held, asked, off) for held in range(asked + 1)]
    assert low == sorted(low) and low[0] == 0
    for truth in range(off + 1):
        drawn = stats.hypergeom(off, truth, asked)
        assert sum(drawn.pmf(held) for held in range(asked + 1) if low[held] > truth) <= 1 / 40 + 1e-9
    for held, end in enumerate(low):
        assert stats.hypergeom(off, end, asked).sf(held - 1) > 1 / 40
        assert end == held or stats.hypergeom(off, end - 1, asked).sf(held - 1) <= 1 / 40 + 1e-9


def test_a_sample_of_the_mask_is_held_to_its_own_misses():
    """Twenty drawn cases that are all right say nothing of the misses among the others, however few of those there are."""
    outputs = [o for o in outputs_of(str) for _ in range(6)]
    wrong = outputs_of(lambda text: "no")[0]
    lucky = [replace(o, columns={"constrained": column.Column(None, "eos", o.score)}) for o in outputs[:20]]
    rest = [replace(wrong, columns={}) for _ in range(4)]
    numbers = {"repaired.exact": 20 / 24, "constrained.exact": 1.0}
    found = diagnosis.facts(CONTRACT, [*lucky, *rest], numbers)
    assert found.won is None and diagnosis.suggest(found).symptom != "what misses, repairs itself"
    right = column.Column("text", "eos", outputs[0].score)
    asked = [
        replace(o, columns={"constrained": right if n < 2 else column.Column(None, "eos", wrong.score)})
        for n, o in enumerate(rest)
    ]
    found = diagnosis.facts(CONTRACT, [*lucky, *asked], numbers)
    assert found.won == 0.5 and diagnosis.suggest(found).symptom == "what misses, repairs itself"


def test_the_documents_say_how_many_are_measured():
    said = (Path(__file__).parent.parent / "docs/probe.md").read_text()
    outputs = [replace(o, columns={**o.columns, "constrained": o.columns["repaired"]}) for o in outputs_of(str)]
    assert not [name for name in column.measures(CONTRACT, outputs) if f"`{name}`" not in said]
    assert f"If more than {constrain.MOST} outputs" in said and f"{constrain.MOST} of them\nare asked" in said
