"""The ladder is checked when it is read: every name, number and shape, each fault with its file, its path and the nearest match."""

from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from cktrack import cli
from cktrack import ladder as outside
from experiments import document, ladder, pools, prompt, surfaces
from experiments.ladder import LadderError

RUNGS = ladder.rungs()
TEXT = (ladder.FOLDER / "spec12.yaml").read_text()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A ladder of its own that holds the shipped specs."""
    place = tmp_path / "ladder"
    shutil.copytree(ladder.FOLDER, place)
    monkeypatch.setattr(ladder, "FOLDER", place)
    ladder.load.cache_clear()
    yield place
    ladder.load.cache_clear()


def changed(change, source="spec12") -> str:
    """A spec's text after a change, without rungs that inherit from another: a fault is told for each that has it."""
    data = yaml.safe_load((ladder.FOLDER / f"{source}.yaml").read_text())
    data["rungs"] = {name: rung for name, rung in data["rungs"].items() if rung["baseline"] is None}
    change(data)
    return yaml.safe_dump(data)


def rung(data) -> dict:
    return data["rungs"]["r17"]


def test_there_is_a_ladder():
    assert {label.partition("/")[0] for label in RUNGS} == set(ladder.names())


@pytest.mark.parametrize("label", RUNGS)
def test_every_rung_says_why_it_exists_and_its_gates_are_known(label):
    selected = outside.select(label)
    assert selected.rung.hypothesis and selected.rung.change and selected.rung.held_constant and selected.spec.why
    assert selected.rung.stages() and set(selected.rung.mixture) == set(selected.rung.budget)


@pytest.mark.parametrize("name", ladder.names())
def test_every_spec_has_one_best_rung(name):
    assert sum(r.headline for r in ladder.load(name).rungs.values()) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(extra=1), r"extra: got an unknown key, expected one of title"),
        (
            lambda d: rung(d).update(accumulat=1),
            r"rungs\.r17\.accumulat: got an unknown key.*did you mean `accumulate`",
        ),
        (lambda d: d.update(name="spec13"), r"name: got 'spec13', expected no such key"),
        (lambda d: d.pop("surface"), r"surface: got nothing, expected"),
        (lambda d: d["model"].update(layers="many"), r"model\.layers: got 'many', expected a whole number"),
        (lambda d: rung(d)["budget"]["pretrain"].update(lr=-1), r"rungs\.r17\.budget\.pretrain\.lr: got -1"),
        (lambda d: rung(d)["budget"]["pretrain"].update(lr=float("inf")), r"pretrain\.lr: got inf, expected a finite"),
        (lambda d: d["model"].update(rope_theta=float("nan")), r"model\.rope_theta: got nan, expected a finite"),
        (lambda d: rung(d).update(optimizer={"beta1": -3}), r"optimizer\.beta1: got -3, expected at least 0"),
        (lambda d: rung(d).update(rows=True), r"rungs\.r17\.rows: got True, expected a number"),
        (lambda d: d["targets"].update(backgrounds=[]), r"targets\.backgrounds"),
        (lambda d: rung(d).update(seed=-1), r"rungs\.r17\.seed: got -1"),
        (lambda d: rung(d)["mixture"].pop("midtrain"), "each stage of"),
        (lambda d: rung(d)["mixture"]["pretrain"].update(tags=0), "at least 1"),
        (lambda d: d["splits"]["unseen_target"].update(holds_out=[]), "any other split says what"),
        (lambda d: d["splits"]["seen"].update(surfaces=[]), r"splits\.seen\.surfaces"),
        (lambda d: d.update(families=[]), "families"),
        (lambda d: d.update(rungs={}), "rungs"),
        (lambda d: rung(d).update(baseline="r5"), "baselines that are no rungs"),
        # names
        (lambda d: d.update(surface="nope"), r"surface: got 'nope', expected one of .*bundle, compact, .*gold"),
        (lambda d: d.update(surface="golt"), r"surface: got 'golt'.*did you mean `gold`"),
        (lambda d: d.update(families=["nope"]), r"families\.0: got 'nope', expected one of .*decision_tree"),
        (lambda d: d.update(families=["timelin"]), r"families\.0: .*did you mean `timeline`"),
        (lambda d: d.update(families=["timeline", "timeline"]), r"families: got timeline twice"),
        (
            lambda d: d.update(surface="bundle"),
            r"families\.0: got 'table_matrix', expected one of .*memory_map, system_",
        ),
        (lambda d: d["targets"].update(kind="forms"), r"families\.0: got 'table_matrix'.*forms"),
        (lambda d: d.update(families=["timeline"]), r"families\.0: got 'timeline'.*no case"),
        (
            lambda d: d["targets"].update(backgrounds=["gird"]),
            r"targets\.backgrounds\.0: got 'gird'.*did you mean `grid`",
        ),
        (
            lambda d: rung(d).update(mixture={"pretrain": {"bridge": 2}, "midtrain": {"compose": 1}}),
            r"rungs\.r17\.mixture: got no tags in any stage, expected some: seen cases are asked so",
        ),
        (
            lambda d: rung(d)["mixture"]["midtrain"].update(bridgee=1),
            r"ladder/spec12\.yaml: rungs\.r17\.mixture\.midtrain: got 'bridgee', expected one of tags.*did you mean `bridge`",
        ),
        (lambda d: d["splits"]["seen"].update(surfaces=["tag"]), r"splits\.seen\.surfaces\.0: .*did you mean `tags`"),
        # the model's shape, by the engine's own rules
        (lambda d: d["model"].update(heads=7), "model: heads=7 is not a multiple of kv_heads=4"),
        (lambda d: d["model"].update(head_dim=7), "model: head_dim=7; expected an even number"),
    ],
)
def test_a_wrong_spec_is_refused_with_file_and_path(change, message):
    with pytest.raises(LadderError, match=message) as caught:
        ladder.read(changed(change), "spec12")
    assert str(caught.value).startswith("ladder/spec12.yaml: ")


def test_forms_are_refused_where_the_surface_cannot_write_them():
    with pytest.raises(LadderError, match=r"surface: got 'gold', expected a surface that writes.*memory_map"):
        ladder.read(changed(lambda d: d.update(surface="gold", families=["memory_map"]), "spec16"), "spec16")


def test_a_combination_names_style_axes():
    def change(data):
        data["splits"]["unseen_recombination"]["combination"] = ["form", "them"]

    with pytest.raises(LadderError, match=r"combination\.1: got 'them'.*did you mean `theme`"):
        ladder.read(changed(change, "spec16"), "spec16")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "got nothing, expected a mapping"),
        ("- a\n- b\n", "got a list, expected a mapping"),
        ("just words", "got a str, expected a mapping"),
        ("title: [", "line 1"),
        ("1: 2\n", r"1: got 1, expected"),
        (TEXT.replace("    rows: 4\n", "    rows: 4\n    rows: 8\n"), r"line \d+: got the key `rows` twice"),
        ("title: a\ntitle: b\n", "line 2: got the key `title` twice"),
        ("? [a, b]\n: 1\n", "line 1"),
    ],
)
def test_a_document_that_is_no_spec_is_refused_with_its_line(text, message):
    with pytest.raises(LadderError, match=message) as caught:
        ladder.read(text, "spec12")
    assert str(caught.value).startswith("ladder/spec12.yaml: ")


def test_a_merge_key_is_no_key_written_twice():
    assert document.read("a: &x {k: 1, l: 2}\nb: {<<: *x, k: 3}\n")["b"] == {"k": 3, "l": 2}


def test_several_faults_are_told_at_once():
    text = changed(lambda d: (d["model"].update(layers="x"), d["targets"].update(dev=0)))
    with pytest.raises(LadderError, match=r"(?s)2 faults.*model\.layers.*targets\.dev"):
        ladder.read(text, "spec12")


def test_an_unknown_rung_names_the_known_ones(folder):
    with pytest.raises(LadderError, match=r"expected one of r17, .*did you mean `r17`"):
        ladder.select("spec12/r177")
    with pytest.raises(LadderError, match="spec12/r17"):
        ladder.select("nowhere/r1")
    (folder / "broken.yaml").write_text("- a\n")
    with pytest.raises(LadderError, match=r"spec12/r17, .*spec16/r11, .*; did you mean `spec12/r17`"):
        ladder.select("spec1/r17")


# ------------------------------------------------------------------------------------------------- one change at a time


def child(d, axis="budget", **changes) -> dict:
    """A second rung behind r17 that differs from it in `changes`."""
    copied = {k: v for k, v in rung(d).items() if k not in ("headline", "published", "held_constant")}
    d["rungs"]["second"] = {**copied, "baseline": "r17", "axis": axis, "held_constant": ["model"], **changes}
    return d["rungs"]["second"]


MORE = {"pretrain": {"tokens": 500000, "lr": 0.002}, "midtrain": {"tokens": 400000, "lr": 0.001}}
LESS = {"pretrain": {"tokens": 400000, "lr": 0.002}, "midtrain": {"tokens": 40000, "lr": 0.0001}}
DEEP = {
    "layers": 6,
    "d_model": 384,
    "d_ff": 768,
    "heads": 8,
    "kv_heads": 4,
    "head_dim": 48,
    "ctx": 512,
    "tied": True,
}  # trains in fp32
SFT = {
    "mixture": {"pretrain": {"tags": 2, "bridge": 1}, "midtrain": {"tags": 1}, "sft": {"tags": 1}},
    "budget": {"pretrain": {"tokens": 400000, "lr": 0.002}, "midtrain": {"tokens": 1, "lr": 1}, "sft": {"tokens": 1, "lr": 1}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("axis", "changes"),
    [
        ("budget", {"budget": MORE}),
        ("budget.pretrain", {"budget": MORE}),
        ("budget.pretrain.tokens", {"budget": MORE}),
        ("budget.tokens", {"budget": MORE}),
        ("budget.lr", {"budget": {"pretrain": {"tokens": 400000, "lr": 0.1}, "midtrain": {"tokens": 400000, "lr": 0.1}}}),
        ("gates", {"gates": "stage_a"}),
        ("tokenizer", {"tokenizer": {"kind": "ascii_bpe"}}),
        ("tokenizer.kind", {"tokenizer": {"kind": "ascii_bpe"}}),
        ("optimizer.beta2", {"optimizer": {"beta2": 0.99}}),
        ("mixture.pretrain", {"mixture": {"pretrain": {"tags": 1}}}),
        ("midtrain", {"mixture": {"midtrain": None}, "budget": {"midtrain": None}}),
        ("surface", {"surface": "compact"}),
        ("families", {"families": ["memory_map"]}),
    ],
)  # fmt: skip
def test_a_rung_may_change_what_lies_on_its_axis(axis, changes):
    assert ladder.read(changed(lambda d: child(d, axis, **changes)), "spec12").rungs["second"].axis == axis


@pytest.mark.parametrize(
    ("axis", "changes", "message"),
    [
        ("tokenizer", {"tokenizer": {"kind": "ascii_bpe"}, "rows": 8},
         r"rungs\.second\.rows: got 8, expected the baseline's 4, because the axis is tokenizer"),
        ("budget.midtrain", {"budget": MORE}, r"(?s)2 faults.*rungs\.second\.axis: .*budget\.pretrain\.tokens: got 500000, expected the b"),
        ("midtrain", SFT, r"(?s)mixture\.sft\.tags: got 1, expected the baseline's nothing.*budget\.sft\.tokens"),
        ("budget", {}, r"rungs\.second\.axis: got 'budget', expected a setting that is not the baseline's own"),
        ("midtrain", {"budget": LESS}, r"axis: got 'midtrain', a stage that the baseline has too, expected .*: one of budget\.midtrain"),
        (None, {"budget": MORE}, r"rungs\.second\.axis: got nothing, expected one of "),
        ("budgets", {"budget": MORE}, r"axis: got 'budgets', .*did you mean `budget`\?; prose belongs into `change`"),
        ("more tokens than before", {"budget": MORE}, r"axis: got 'more tokens than before'.*prose belongs"),
        ("budget", {"budget": MORE, "held_constant": ["mixtur"]}, r"held_constant\.0: got 'mixtur', .*did you mean `mixture`"),
        ("budget.pretrain", {"budget": MORE, "held_constant": ["budget"]}, r"held_constant\.0: got 'budget', expected what the axis"),
        ("tokenizer", {"tokenizer": {"kind": "byte_bpe"}}, "not the baseline's own"),
        ("budget", {"budget": LESS}, r"axis: got 'budget', on which lr, tokens differ, expected one of them: budget\.lr, budget\.tokens"),
        ("budget.midtrain", {"budget": LESS}, r"axis: got 'budget\.midtrain', on which .*expected one of them: budget\.midtrain\.lr"),
        ("budget.tokens", {"budget": LESS}, r"budget\.midtrain\.lr: got 0\.0001, expected the baseline's 0\.001, because the axis is budget\.tokens"),
        ("budget.tokens", {"budget": MORE, "held_constant": ["budget.pretrain"]}, r"held_constant\.0: got 'budget\.pretrain', expected what"),
        ("budget.tokens", SFT, r"mixture\.sft\.tags: got 1, expected the baseline's nothing"),
        ("model", {"model": DEEP}, r"rungs\.second\.precision: got 'fp32', expected the baseline's 'bf16', because the axis is model"),
        ("surface", {"surface": "gold"}, "surface', expected a setting that is not the baseline's own"),
        ("surface", {"surface": "compact", "rows": 8}, r"rungs\.second\.rows: got 8, expected the baseline's 4, because the axis is surface"),
        ("surface", {"surface": "compat"}, r"rungs\.second\.surface: got 'compat', expected one of .*; did you mean `compact`"),
        ("families", {"families": ["memory_map", "poster_stack"]}, r"rungs\.second\.families\.1: got 'poster_stack', expected one of table_matrix"),
        ("families", {"families": []}, r"rungs\.second\.families"),
        ("surface", {"surface": "asset"}, r"rungs\.second\.surface: got 'asset', expected one that gives targets of kind cases in "),
        ("budget.pretrain", {"budget": MORE, "gates": "stage_a"}, r"gates: got 'stage_a', expected the baseline's 'stage_b'"),
    ],
)  # fmt: skip
def test_a_rung_that_changes_more_or_less_than_its_axis_is_refused(axis, changes, message):
    with pytest.raises(LadderError, match=message):
        ladder.read(changed(lambda d: child(d, axis, **changes)), "spec12")


def test_a_rung_on_a_surface_of_its_own_asks_the_same_in_other_words():
    """Targets, prompts and splits are the baseline's; what is answered is said on the rung's own surface."""
    spec = ladder.load("spec14a")
    plain, other = (pools.draw(ladder.select(f"spec14a/{name}").spec) for name in ("r1", "counted"))
    write, read = surfaces.load("counted").format, surfaces.load("compact").parse
    for pool in ("trained", "unseen", "recombined", "dev"):
        ours, theirs = getattr(other, pool), getattr(plain, pool)
        assert len(ours) == len(theirs) > 0
        assert [t.scene for t in ours] == [t.scene for t in theirs]
        assert all(a.text == write(read(b.text)) != b.text for a, b in zip(ours[::50], theirs[::50], strict=True))
    assert spec.surface == "compact" and ladder.select("spec14a/counted").settings()["surface"] == "counted"


def test_a_rung_of_some_families_trains_and_asks_no_others():
    chosen = ladder.select("gen1/r3")
    drawn = pools.draw(chosen.spec)
    there = {t.family for pool in (drawn.trained, drawn.unseen, drawn.recombined, drawn.dev) for t in pool}
    assert there == set(chosen.spec.families) < set(ladder.load("gen1").families)
    assert chosen.settings()["families"] == list(chosen.spec.families)


def test_a_rung_without_a_baseline_has_no_axis():
    with pytest.raises(LadderError, match=r"rungs\.r17\.axis: got 'mixture', expected null beside `baseline: null`"):
        ladder.read(changed(lambda d: rung(d).update(axis="mixture")), "spec12")


def test_a_spec_has_one_rung_that_is_compared_with_none():
    with pytest.raises(LadderError, match="baseline: null in r17, second; exactly one rung has no baseline"):
        ladder.read(
            changed(
                lambda d: child(d, None, baseline=None, mixture={"pretrain": {"tags": 9}, "midtrain": {"tags": 9}})
            ),
            "spec12",
        )

    def circle(data):
        child(data, budget=MORE, baseline="third")
        data["rungs"]["third"] = {**child(data, budget=MORE), "baseline": "second"}
        data["rungs"]["second"]["baseline"] = "third"

    with pytest.raises(LadderError, match="baseline of second: third, second, a circle"):
        ladder.read(changed(circle), "spec12")


def test_a_spec_has_one_best_rung_at_most():
    with pytest.raises(LadderError, match="headline: r17, second; at most one"):
        ladder.read(changed(lambda d: child(d, budget=MORE, headline=True)), "spec12")


# ------------------------------------------------------------------------------------------------- as a user meets it


def test_gates_are_known_before_anything_is_trained(folder):
    (folder / "spec12.yaml").write_text(changed(lambda d: rung(d).update(gates="stage_zz")))
    with pytest.raises(LadderError, match=r"spec12\.yaml: rungs\.r17\.gates: got 'stage_zz', expected one of stage_a"):
        outside.select("spec12/r17")


def test_gates_may_be_called_by_their_other_name(folder):
    (folder / "spec12.yaml").write_text(changed(lambda d: rung(d).update(gates="midtrain")))
    assert outside.select("spec12/r17").rung.gates == "midtrain"


@pytest.mark.parametrize(
    "text", ["- a\n", "title: [\n", "\xff\xfe", changed(lambda d: rung(d).update(gates="stage_zz"))]
)
def test_the_list_shows_the_good_specs_and_names_the_bad_file(folder, text):
    (folder / "broken.yaml").write_bytes(text.encode("latin-1"))
    result = CliRunner().invoke(cli.app, ["rung", "list"])
    assert result.exit_code == 2 and "spec12/r17" in result.stdout and "spec16/r11" in result.stdout
    assert "ladder/broken.yaml: " in result.stderr and "broken" not in result.stdout


def test_a_broken_rung_is_refused_before_a_store_is_opened(folder, home):
    (folder / "spec12.yaml").write_text(changed(lambda d: d["model"].update(heads=7)))
    result = CliRunner().invoke(cli.app, ["rung", "run", "spec12/r17"])
    assert isinstance(result.exception, LadderError) and not (home / "mlflow.db").exists()


# ------------------------------------------------------------------------------------------------- prompts.yaml


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tags: []\n", r"prompts\.yaml: tags: got \[\], expected a list of templates"),
        ("tags: '{tags}'\n", "tags: got '{tags}', expected a list of templates"),
        ("tags: [7]\n", r"tags\.0: got 7, expected a text"),
        ("tags: ['{tgs} {tags}']\n", r"tags\.0: got `{tgs}`, expected one of .*did you mean `tags`"),
        ("tags: ['say it']\n", r"tags\.0: got 'say it', expected a template that ends with {tags}"),
        ("tags: ['{ {tags}']\n", r"tags\.0: got '{ {tags}', expected"),
        ("tags: ['{tags}']\ntags: ['a {tags}']\n", "got the key `tags` twice"),
        ("[]\n", "got a list, expected a mapping"),
    ],
)
def test_wrong_templates_are_refused(text, message):
    with pytest.raises(prompt.PromptError, match=message):
        prompt.read(text)


def test_an_unknown_prompt_surface_is_refused_with_the_nearest():
    with pytest.raises(prompt.PromptError, match=r"got 'bridgee', expected one of tags.*did you mean `bridge`"):
        prompt.template("bridgee", 0)


# ------------------------------------------------------------------------------------------------- what was published

SHARED = Path(__file__).parents[2] / "shared"
LEDGER = SHARED / "reference" / "published_ledger.csv"
MATRIX = SHARED / "seeds" / "001_886d1c069052e15f.txt"
RUNS = {  # rungs whose run has another name
    "spec04/blended": "spec04_ctx512_d64_h128_v224",
    "spec18/short": "spec18_ctx768_r1",
    "spec19/published_budget": "spec19_ctx768_r2",
    "spec19/sft_a": "spec19_ctx768_r3d_sft_instruction",
    "spec19/sft_b": "spec19_ctx768_r3d_sft_b_instruction",
    "broader_1/r1": "spec_broader_1_ctx512_r1",
    "gen1/r0": "spec_broader_1_ctx512_r1",
}
TOLD = {
    "spec04/blended": "Spec04 structured",
    "spec19/sft_b": "Spec19 SFT-B",
    "gen1/r0": "Gen1 scene r0",
}  # in the matrix
ROUNDED = 0.0006  # both are told with three digits, or as a share in per cent with one


def shared(file):
    if not file.is_file():
        pytest.skip(f"no {file.name} in ../shared: nothing to compare with")
    return file


def run_of(label: str, runs: dict[str, dict]) -> dict | None:
    """The run of the published ledger that a rung is named after."""
    spec, _, name = label.partition("/")
    mine = re.compile(rf"{spec}_ctx\d+_{name}(_[a-z_]*)?")
    found = [run for run in runs if mine.fullmatch(run) and "_sft_" not in run]
    return runs[RUNS[label]] if label in RUNS else runs[found[0]] if found else None


def processed(run: dict) -> int:
    """Micro-steps of one window each x the window: the run's context, but for spec04, whose windows follow from passes x tokens / steps."""
    ctx = int(re.search(r"_ctx(\d+)", run["run"])[1])
    steps = [(int(n), int(k)) for n, k in re.findall(r"(\d+)×\((\d+)K\)", run["stages_microsteps_x_ledger_tokens"])]
    if "seq" not in run["passes"]:
        return sum(n for n, _ in steps) * ctx
    passes = int(run["passes"].split()[0])
    return sum(n * round(passes * k * 1024 / n / 64) * 64 for n, k in steps)


def test_published_figures_are_those_of_the_ledger():
    with shared(LEDGER).open(encoding="utf-8") as file:
        runs = {run["run"]: run for run in csv.DictReader(file)}
    known = {label: run for label in RUNGS if (run := run_of(label, runs))}
    assert len(known) > 40
    wrong = []
    for label, run in known.items():
        ours = ladder.select(label).rung.published
        if run["overall_exact"] and (ours.exact is None or abs(ours.exact - float(run["overall_exact"])) > ROUNDED):
            wrong.append(f"{label}: exact {ours.exact}, expected {run['overall_exact']}")
        told = run["visible_renderable"] if "visible" in ours.note or not run["hidden_exact"] else ""
        if told and (ours.renderable is None or abs(ours.renderable - float(told)) > ROUNDED):
            wrong.append(f"{label}: renderable {ours.renderable}, expected {told}")
        tokens = processed(run) or None
        if ours.processed_tokens != tokens and "not recorded" not in ours.note:
            wrong.append(f"{label}: processed tokens {ours.processed_tokens}, expected {tokens}")
    assert wrong == []


def test_published_shares_are_those_of_all_cases_where_they_are_known():
    """The matrix of runs tells exact, renderable and materialized of all cases, each behind the number of cases without a space."""
    text, wrong, seen = shared(MATRIX).read_text(encoding="utf-8"), [], 0
    for label in RUNGS:
        ours = ladder.select(label).rung.published
        spec, _, name = label.partition("/")
        start = TOLD.get(label, rf"{spec.capitalize()} [\w -]*\b{name}(?=n/a|spec|gen1|\s)")
        row = re.search(rf"(?m)^{start}.*?(\d+\.\d)%([\d.]+)%([\d.]+)%[\dn]", text)
        if row is None or ours.exact is None or not row[1].endswith(f"{100 * ours.exact:.1f}"):
            continue  # not in the matrix, or there with other cases
        seen += 1
        for figure, share in (("renderable", row[2]), ("materialized", row[3])):
            value = getattr(ours, figure)
            if value is None or abs(100 * value - float(share)) > 100 * ROUNDED:
                wrong.append(f"{label}: {figure} {value}, expected {share} %")
    assert wrong == [] and seen > 20
