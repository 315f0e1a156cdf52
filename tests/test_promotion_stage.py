"""The policy file: exactly the playbook's thresholds, and a policy that could judge nothing is refused."""

import re

import pytest
import yaml

from promotion import PromotionError, load
from promotion.stage import parse, shipped

TABLE = {  # the playbook's formal eval matrix
    "stage_a": {"valid_svg_rate": 0.98, "prefix_integrity": 0.99, "eos_clean_stop": 0.98, "adherence": 0.85},
    "stage_b": {"valid_svg_rate": 0.985, "adherence": 0.90, "ood_pass_rate": 0.70},
    "sft": {"valid_svg_rate": 0.99, "prefix_integrity": 0.995, "eos_clean_stop": 0.99, "adherence": 0.93},
}


@pytest.mark.parametrize("stage", TABLE)
def test_the_thresholds_are_the_playbooks(stage):
    assert {t.metric: t.at_least for t in load(stage).thresholds} == TABLE[stage]


def test_stages_have_the_names_of_the_training_ladder():
    assert load("pretrain") == load("stage_a") and load("midtrain") == load("stage_b")


def test_an_unknown_stage_is_refused_with_the_known_ones():
    with pytest.raises(PromotionError, match="got 'stage_z'; expected one of stage_a, stage_b, sft"):
        load("stage_z")


def test_a_plan_says_how_many_cases_a_stage_needs():
    assert [line["cases_with_0_missed"] for line in load("sft").plan()] == [299, 598, 299, 42]


def test_a_loosened_threshold_changes_the_digest():
    loose = shipped().replace("0.985", "0.98")
    assert load("stage_b", loose).digest != load("stage_b").digest
    assert load("stage_a", loose).digest == load("stage_a").digest


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("at_least: 0.985", "at_least: .nan", "stage_b: thresholds.0.at_least"),
        ("at_least: 0.985", "at_least: .inf", "at_least"),
        ("at_least: 0.985", "at_least: 98.5", "at_least"),
        ("at_least: 0.985", "at_least: 1.0", "at_least"),
        ("at_least: 0.985", "at_least: 0.0", "at_least"),
        ("at_least: 0.985", "at_least: '0.985'", "at_least"),
        ("at_least: 0.985", "at_least: true", "at_least"),
        ("alpha: 0.05", "alpha: .nan", "alpha"),
        ("alpha: 0.05", "alpha: 0.9", "alpha"),
        ("spend_alpha: false", "spend_alfa: false", "spend_alfa"),
        ("{metric: ood_pass_rate,", "{metric: ood_rate,", "got 'ood_rate'; expected one of"),
        ("{metric: ood_pass_rate,", "{metric: truncation,", "gate eos_clean_stop"),
        ("{metric: ood_pass_rate,", "{metric: adherence,", "each metric once per scope"),
        ("required_splits: [unseen_prompt, unseen_target]", "required_splits: []", "required_splits"),
        ("margin: 0.03,", "margin: .nan,", "champion.0.margin"),
        ("margin: 0.03,", "", "champion.0.margin"),
        ("{fp32: 1.0e-5, bf16: 2.0e-2}", "{}", "parity"),
        ("{fp32: 1.0e-5, bf16: 2.0e-2}", "{fp32: .inf}", "parity"),
        ("family_cases: 20", "family_cases: 0", "family_cases"),
        ("also: midtrain", "also: midtrain\n    alpha: 0.2\n    alpha: 0.4", "got alpha twice"),
        ("stages:", "stadiums:", "expected `shared` and a mapping `stages`"),
    ],
)
def test_a_policy_that_could_not_judge_is_refused(old, new, why):
    assert old in shipped()
    with pytest.raises(PromotionError, match=re.escape(why)):
        parse(shipped().replace(old, new))


@pytest.mark.parametrize("field", ["thresholds", "champion"])
def test_a_stage_without_gates_is_refused(field):
    data = yaml.safe_load(shipped())
    data["stages"]["sft"][field] = []
    with pytest.raises(PromotionError, match=f"stage sft: {field}"):
        parse(yaml.safe_dump(data))


@pytest.mark.parametrize("text", ["", "[]", "null", "shared: {}"])
def test_an_empty_policy_is_refused(text):
    with pytest.raises(PromotionError):
        load("stage_a", text)


def test_spent_alpha_sums_to_alpha():
    policy = load("stage_b", shipped().replace("spend_alpha: false", "spend_alpha: true"))
    spent = [policy.for_attempt(i).alpha for i in range(1, 2000)]
    assert spent[0] == pytest.approx(0.05 * 0.6079, abs=1e-5) and 0.0499 < sum(spent) < 0.05
    assert load("stage_b").for_attempt(7).alpha == 0.05
