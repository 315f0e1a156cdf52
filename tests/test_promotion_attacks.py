"""Every gate ships an attack: matrices that it must refuse, with the status, and at least one that it must pass.

A gate that cannot fail, or cannot pass, is found here; a new gate without `attacks/<gate>.yaml` fails this file.
"""

from pathlib import Path

import pytest
import yaml
from attacks.world import contest

from promotion import gates, judge, load, wins

FOLDER = Path(__file__).parent / "attacks"
FILES = {path.stem: yaml.safe_load(path.read_text()) for path in sorted(FOLDER.glob("*.yaml"))}
REFUSED = [(name, case) for name, attack in FILES.items() for case in attack["refuse"]]
PASSED = [(name, case) for name, attack in FILES.items() for case in attack["pass"]]


def label(pair):
    return f"{pair[0]}: {pair[1]['why']}"


def test_every_gate_has_an_attack_and_every_attack_a_gate():
    assert set(FILES) == set(gates())
    assert all(attack["refuse"] and attack["pass"] for attack in FILES.values())


@pytest.mark.parametrize("pair", REFUSED, ids=label)
def test_a_gate_refuses_its_attack_and_the_challenger_loses(pair):
    name, case = pair
    policy, fight = load(case.get("stage", "stage_b")), contest(case)
    verdict = gates()[name](fight.challenger, fight.champion, policy)
    assert (verdict.status, verdict.blocks) == (case["status"], True), verdict.why
    assert not wins(judge(fight, policy))


@pytest.mark.parametrize("pair", PASSED, ids=label)
def test_a_gate_passes_what_it_must_not_refuse(pair):
    name, case = pair
    fight = contest(case)
    verdict = gates()[name](fight.challenger, fight.champion, load(case.get("stage", "stage_b")))
    assert verdict.status == "PASS", verdict.why


@pytest.mark.parametrize("name", list(gates()))
def test_a_gate_says_its_rule_and_why(name):
    case = FILES[name]["refuse"][0]
    fight = contest(case)
    verdict = gates()[name](fight.challenger, fight.champion, load("stage_b"))
    assert verdict.gate == name and verdict.rule.endswith(".") and verdict.why
