"""Preflight lets a sound rung pass, and every check that is found refuses a rung that was spoilt for it."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
import yaml
from typer.testing import CliRunner

from cengine import parity
from cktrack import cli
from experiments import coders, curriculum, ladder, preflight
from experiments.preflight import Place, PreflightError, machine, picture, token
from experiments.prepared import Prepared, policy_of
from experiments.spec import Selected, Targets

CHECKS = {c.name: c for c in preflight.checks()}
FINE = {"check": "gradients", "against": "float64", "value": 1e-6, "bound": 1e-5, "status": "pass", "worst": "w"}


def selected(**rung) -> Selected:
    """A rung of one family with few probes."""
    data = yaml.safe_load((ladder.FOLDER / "spec12.yaml").read_text())
    data["families"] = ["memory_map"]
    for split in data["splits"].values():
        split["cases"] = 8
    data["rungs"] = {"r17": {**data["rungs"]["r17"], **rung}}
    return Selected(spec=ladder.read(yaml.safe_dump(data), "spec12"), name="r17")


@pytest.fixture(scope="module")
def drawn():
    """What every test begins with; drawn once, and never changed."""
    prepared = Prepared(selected())
    return {name: getattr(prepared, name) for name in ("material", "coder", "packed", "packed_dev")}


@pytest.fixture
def sound(drawn, monkeypatch):
    """A rung that passes, on an engine whose parity is not measured here."""
    monkeypatch.setattr(parity, "run", lambda *a, **k: {"passed": True, "checks": [FINE]})
    return prepared_of(drawn)


def prepared_of(drawn, rung=None) -> Prepared:
    prepared = Prepared(rung or selected())
    prepared._made = dict(drawn)
    return prepared


def spoil_rows(prepared, change) -> None:
    """Replace the first row of midtrain by what `change` makes of it: a list of rows."""
    material = prepared.material
    first, *others = material.stages["midtrain"]
    stages = {**material.stages, "midtrain": [*change(first), *others]}
    prepared._made["material"] = replace(material, stages=stages)


def without_a_surface(prepared, monkeypatch):
    material = prepared.material
    kept = [r for r in material.stages["midtrain"] if r.surface != "clean_stop"]
    prepared._made["material"] = replace(material, stages={**material.stages, "midtrain": kept})


def without_a_family_in_a_split(prepared, monkeypatch):
    contract = prepared.material.contract
    cases = [c for c in contract["cases"] if c["split"] != "unseen_target"]
    prepared._made["material"] = replace(prepared.material, contract={**contract, "cases": cases})


def beyond_ascii(prepared, monkeypatch):
    spoil_rows(prepared, lambda r: [replace(r, prompt=r.prompt.replace("[task:svg]", "[task:svg] schön", 1))])


def a_special_text(prepared, monkeypatch):
    spoil_rows(prepared, lambda r: [replace(r, prompt=r.prompt.replace("[task:svg]", "[task:svg] <|endoftext|>", 1))])


def no_scene(prepared, monkeypatch):
    spoil_rows(prepared, lambda r: [replace(r, output=r.output.replace(" [/scene]", ""))])


def not_canonical(prepared, monkeypatch):
    spoil_rows(prepared, lambda r: [replace(r, output=r.output.replace(" ", "  ", 1))])


def twice(prepared, monkeypatch):
    spoil_rows(prepared, lambda r: [r] * 9)


def two_surfaces(prepared, monkeypatch):
    spoil_rows(prepared, lambda r: [r, replace(r, surface="compose")])


def two_outputs(prepared, monkeypatch):
    other = prepared.material.stages["midtrain"][-1].output
    spoil_rows(prepared, lambda r: [r, replace(r, output=other)])


def two_outputs_for_tags_in_another_order(prepared, monkeypatch):
    other = prepared.material.stages["midtrain"][-1].output
    task, *tags, out = next(c for c in prepared.material.contract["cases"] if c["split"] == "seen")["prompt"].split()
    spoil_rows(prepared, lambda r: [r, replace(r, prompt=" ".join([task, *reversed(tags), out]), output=other)])


def a_control_character(prepared, monkeypatch):
    spoil_rows(prepared, lambda r: [replace(r, prompt=r.prompt.replace("[task:svg]", "[task:svg] \x07", 1))])


def a_probe_among_the_rows(prepared, monkeypatch):
    case = next(c for c in prepared.material.contract["cases"] if c["split"] == "unseen_target")
    spoil_rows(prepared, lambda r: [replace(r, prompt=case["prompt"], output=case["expected"])])


def a_narrow_context(prepared, monkeypatch):
    monkeypatch.setattr(prepared, "selected", narrow(prepared.selected, 130))


def narrow(chosen: Selected, ctx: int) -> Selected:
    model = chosen.spec.model.model_copy(update={"ctx": ctx})
    return chosen.model_copy(update={"spec": chosen.spec.model_copy(update={"model": model})})


def letters_that_nobody_knows(prepared, monkeypatch):
    prepared._made["coder"] = coders.train("ascii_bpe", prepared.material.training, policy_of(prepared.selected))
    beyond_ascii(prepared, monkeypatch)


def reserved_payload(prepared, monkeypatch):
    policy = replace(policy_of(prepared.selected), openers=("[task:svg]", "a title of many words"))
    prepared._made["coder"] = coders.train("byte_bpe", prepared.material.training, policy)


def one_window(prepared, monkeypatch):
    few = {"tokens": 1, "lr": 0.001}
    monkeypatch.setattr(prepared, "selected", selected(rows=1, budget={"pretrain": few, "midtrain": few}))


FEW = {"tokens": 6000, "lr": 0.001}


def few_rows(prepared, monkeypatch):
    """Rows of every surface and topic, but few of them all."""
    whole = selected().rung.budget
    monkeypatch.setattr(
        prepared, "selected", selected(rows=1, budget={"pretrain": whole["pretrain"].model_dump(), "midtrain": FEW})
    )


def reserved_values(prepared, monkeypatch):
    """Tags that look like structure, and hold what a scene is about."""
    policy = policy_of(prepared.selected)
    policy = replace(policy, tags=(*policy.tags, "[topic:compression_codecs]", "[ref:nodes.start]"))
    prepared._made["coder"] = coders.train("byte_bpe", prepared.material.training, policy)


def reserved_words(prepared, monkeypatch):
    policy = replace(policy_of(prepared.selected), openers=("[task:svg]", "zeppelin"))
    prepared._made["coder"] = coders.train("byte_bpe", prepared.material.training, policy)


def full_memory(prepared, monkeypatch):
    monkeypatch.setattr(machine, "free_memory", lambda: 10_000_000)


def full_disk(prepared, monkeypatch):
    monkeypatch.setattr(machine, "free_disk", lambda folder: 10_000_000)


def wrong_gradients(prepared, monkeypatch):
    monkeypatch.setattr(parity, "run", lambda *a, **k: {"passed": False, "checks": [{**FINE, "value": 0.5}]})


def content_that_is_gone(prepared, monkeypatch):
    monkeypatch.setattr(picture.library, "load", lambda family, case: SimpleNamespace(content={}))


def a_text_of_another_picture(prepared, monkeypatch):
    pools = prepared.material.targets
    first, second, *others = pools.trained
    mixed = replace(pools, trained=(replace(first, text=second.text), second, *others))
    prepared._made["material"] = replace(prepared.material, targets=mixed)


def a_pair_that_is_another_picture(prepared, monkeypatch):
    pools = prepared.material.targets
    first, second = pools.trained[0], pools.trained[-1]
    mixed = replace(pools, apart=(replace(first, text=second.text),))
    prepared._made["material"] = replace(prepared.material, targets=mixed)


def a_compiler_that_draws_nothing(prepared, monkeypatch):
    monkeypatch.setattr(picture, "drawn", picture.drawn.__wrapped__)  # and not what was drawn before
    for name in ("compile", "compile_text"):
        monkeypatch.setattr(picture.compiler, name, lambda *a: SimpleNamespace(svg="<svg/>"))


def a_competency_that_nobody_trains(prepared, monkeypatch):
    book = curriculum.load()
    closure = book.competencies["closure"].model_copy(update={"surfaces": ("listed",)})
    plan = book.specs["routing"].model_copy(
        update={"competencies": {"closure": ("midtrain",)}, "frontiers": ("stop_leakage",)}
    )
    planted = book.model_copy(update={"competencies": {"closure": closure}, "specs": {"spec12": plan}})
    monkeypatch.setattr(curriculum, "load", lambda: planted)


ATTACKS = {
    "curriculum_taught": [a_competency_that_nobody_trains],
    "covered": [without_a_surface, without_a_family_in_a_split],
    "well_formed": [beyond_ascii, a_control_character, a_special_text, no_scene, not_canonical],
    "no_doubles": [twice, two_surfaces],
    "no_contradictions": [two_outputs, two_outputs_for_tags_in_another_order],
    "held_apart": [a_probe_among_the_rows],
    "token_budget": [a_narrow_context],
    "nothing_unknown": [letters_that_nobody_knows],
    "tokenizer_sound": [reserved_payload, reserved_values, reserved_words],
    "budget_reaches": [one_window, few_rows],
    "memory": [full_memory],
    "disk": [full_disk],
    "gradients": [wrong_gradients],
    "compiles": [
        content_that_is_gone,
        a_text_of_another_picture,
        a_pair_that_is_another_picture,
        a_compiler_that_draws_nothing,
    ],
}


def test_every_check_has_a_rule_and_an_attack():
    assert set(CHECKS) == set(ATTACKS) and all(c.rule for c in CHECKS.values())


def test_a_sound_rung_passes_every_check(sound, tmp_path):
    findings = preflight.inspect(sound, Place(tmp_path))
    assert [f.name for f in findings] == list(CHECKS) and not [f for f in findings if f.blocks]
    preflight.require(findings, "spec12/r17")


@pytest.mark.parametrize(("name", "attack"), [(n, a) for n, attacks in ATTACKS.items() for a in attacks])
def test_a_check_refuses_what_it_is_there_for(sound, monkeypatch, name, attack):
    attack(sound, monkeypatch)
    monkeypatch.setattr(preflight, "checks", lambda: (CHECKS[name],))
    (found,) = preflight.inspect(sound, Place())
    assert (found.name, found.status) == (name, "FAIL") and found.got and found.expected
    with pytest.raises(PreflightError, match=f"(?s)spec12/r17 is not trained, 1 of 1.*{name}: FAIL: got"):
        preflight.require([found], "spec12/r17")


def test_what_is_not_known_does_not_pass(sound, monkeypatch):
    monkeypatch.setattr(machine, "free_memory", lambda: None)
    monkeypatch.setattr(preflight, "checks", lambda: (CHECKS["memory"],))
    (found,) = preflight.inspect(sound, Place())
    assert found.status == "NOT_RUN" and found.blocks and "does not tell" in found.got


def test_rows_that_cannot_be_drawn_fail_once_and_leave_nothing_to_look_at(monkeypatch):
    rule = {"kind": "cases", "never": 10, "per_item": 36, "dev": 1}
    broken = selected().spec.model_copy(update={"targets": Targets(**rule)})
    findings = preflight.inspect(Prepared(Selected(spec=broken, name="r17")), Place())
    assert [f.status for f in findings] == ["FAIL"] + ["NOT_RUN"] * (len(CHECKS) - 1)
    assert "hold out fewer" in findings[0].got and findings[-1].got.endswith(f"the reason of {findings[0].name}")


def test_what_passed_once_is_not_looked_at_again(sound, monkeypatch, tmp_path):
    place = Place(cache=tmp_path)
    assert not preflight.inspect(sound, place, ["once"])[0].cached
    monkeypatch.setattr(picture.library, "load", lambda *a: pytest.fail("looked again"))
    assert preflight.inspect(sound, place, ["once"])[0].cached
    again = Prepared(selected(rows=2))
    again._made = sound._made
    with pytest.raises(pytest.fail.Exception):
        preflight.inspect(again, place, ["once"])


def test_the_forecast_counts_what_a_run_would_take(sound):
    (found,) = [f for f in preflight.inspect(sound, Place(), ["cheap"]) if f.name == "budget_reaches"]
    stage = found.facts["midtrain"]
    assert stage["share"] == stage["reached"] / stage["different"] == 1 and set(stage["surface"]) == {
        "tags", "bridge", "compose", "clean_stop",
    }  # fmt: skip


def test_what_a_small_budget_never_reaches_is_told_where_the_budget_is_what_is_asked(sound, monkeypatch):
    look = CHECKS["budget_reaches"].look
    one_window(sound, monkeypatch)
    found = look(sound, Place())
    assert found.status == "FAIL" and "never: " in found.got
    rung = sound.selected.rung.model_copy(update={"axis": "budget.tokens"})
    small = sound.selected.spec.model_copy(update={"rungs": {"r17": rung}})
    monkeypatch.setattr(sound, "selected", Selected(spec=small, name="r17"))
    told = look(sound, Place())
    assert told.status == "PASS" and told.got == found.got and told.facts == found.facts


def test_few_rows_are_enough_where_the_budget_is_what_is_asked(sound, monkeypatch):
    look = CHECKS["budget_reaches"].look
    few_rows(sound, monkeypatch)
    found = look(sound, Place())
    assert found.status == "FAIL" and "never" not in found.got and found.facts["midtrain"]["share"] < token.LEAST
    small = sound.selected

    def rungs(**changed):
        rung = small.rung.model_copy(update=changed)
        other = small.rung.model_copy(update={"baseline": "r17", "axis": "seed", "headline": False})
        return small.spec.model_copy(update={"rungs": {"r17": rung, "r18": other}})

    monkeypatch.setattr(sound, "selected", Selected(spec=rungs(axis="budget.tokens"), name="r17"))
    assert look(sound, Place()).status == "PASS"
    monkeypatch.setattr(sound, "selected", Selected(spec=rungs(axis="budget.midtrain.tokens"), name="r17"))
    assert look(sound, Place()).status == "PASS"
    monkeypatch.setattr(sound, "selected", Selected(spec=rungs(axis="budget.pretrain"), name="r17"))
    assert look(sound, Place()).status == "FAIL", "the budget of another stage"
    monkeypatch.setattr(sound, "selected", Selected(spec=rungs(axis="budget"), name="r18"))
    assert look(sound, Place()).status == "PASS", "a rung that has the small budget of such a baseline"
    other = {**small.rung.budget, "midtrain": small.rung.budget["midtrain"].model_copy(update={"tokens": 5999})}
    monkeypatch.setattr(sound, "selected", Selected(spec=rungs(axis="budget", budget=other), name="r18"))
    assert look(sound, Place()).status == "FAIL", "the small budget is its own"


# ------------------------------------------------------------------------------------------------- as a user meets it


@pytest.fixture
def spoilt(sound, monkeypatch):
    """The command line meets the small rung, with a full disk."""
    full_disk(sound, monkeypatch)
    monkeypatch.setattr("experiments.prepared.Prepared", lambda chosen: sound)
    monkeypatch.setattr("cktrack.rung.Prepared", lambda chosen: sound)


def test_preflight_exits_with_what_it_found(home, spoilt):
    told = CliRunner().invoke(cli.app, ["preflight", "spec12/r17", "--json", "--no-torch"])
    report = json.loads(told.stdout)
    assert told.exit_code == 1 and report["passed"] is False
    assert [c["name"] for c in report["checks"] if c["status"] != "PASS"] == ["disk"]
    table = CliRunner().invoke(cli.app, ["preflight", "spec12/r17", "--no-torch"])
    assert table.exit_code == 1 and "(kept)" in table.stdout and "expected at most the 10 MB" in table.stdout


def test_a_rung_that_fails_its_preflight_opens_no_run(home, empty_database, spoilt):
    (home / "mlflow.db").write_bytes(empty_database.read_bytes())
    told = CliRunner().invoke(cli.app, ["rung", "run", "spec12/r17"])
    assert isinstance(told.exception, PreflightError) and "disk: FAIL" in str(told.exception)
    assert not (home / "runs").exists() and not list(home.glob("mlartifacts/*/*"))
