"""The ladder as the outside sees it: rungs whose gates promotion knows. Everything else about a spec, `experiments/ladder.py` checks.

`experiments` knows no promotion, so a rung's `gates` is only a word there; here it must be a stage of `promotion/stage.yaml`.
"""

from __future__ import annotations

from collections.abc import Iterator

from experiments import ladder
from experiments.ladder import LadderError
from experiments.spec import Selected, Spec
from experiments.violation import Violation, nearest
from promotion import stage


def select(label: str) -> Selected:
    """The rung called SPEC/RUNG. Raises LadderError if its spec cannot be read, names unknown gates, or has no such rung."""
    selected = ladder.select(label)
    if found := list(_strangers(selected.spec)):
        raise ladder.refusal(f"ladder/{selected.spec.name}.yaml", found)
    return selected


def every() -> tuple[list[Selected], list[LadderError]]:
    """Every rung of the specs that can be run, and one error for each spec that cannot."""
    found, errors = ladder.every()
    faults = {s.spec.name: list(_strangers(s.spec)) for s in found}
    errors += [ladder.refusal(f"ladder/{name}.yaml", said) for name, said in faults.items() if said]
    return [s for s in found if not faults[s.spec.name]], errors


def _strangers(spec: Spec) -> Iterator[Violation]:
    """Gates that are no stage of the policy, by either of its names."""
    policies = stage.parse(stage.shipped()).values()
    known = [name for policy in policies for name in (policy.stage, policy.also) if name]
    for name, rung in spec.rungs.items():
        if rung.gates not in known:
            expected = f"one of {', '.join(known)}{nearest(rung.gates, known)}"
            yield Violation(f"rungs.{name}.gates", repr(rung.gates), expected)
