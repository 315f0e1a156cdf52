"""The policy of a stage: which metric must reach what, read from `stage.yaml` and refused if it could decide nothing.

Thresholds are data outside of the artifact that they judge. Loading refuses an empty list, NaN, infinities, a threshold
of 1 (no number of cases proves it), a name that is no metric and a key written twice. Deliberately no judging here.
"""

from __future__ import annotations

import math
from importlib import resources
from typing import Any, Self

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from promotion import statistic
from promotion.metric import metrics
from promotion.record import PromotionError, Record, Word, summary


class PolicyError(PromotionError):
    """A policy that cannot be judged by."""


class Threshold(Record):
    """One line of the stage table: the metric's lower bound must reach `at_least` on the scope (null: the policy's)."""

    metric: Word
    at_least: float = Field(gt=0, lt=1)
    scope: Word | None = None

    @field_validator("metric")
    @classmethod
    def is_metric(cls, name: str) -> str:
        return check_metric(name)


class Rivalry(Record):
    """How much worse than the champion is still excluded: overall (`margin`), and in each split and family."""

    metric: Word
    margin: float = Field(gt=0, lt=1)
    slice_margin: float = Field(gt=0, lt=1)

    @field_validator("metric")
    @classmethod
    def is_metric(cls, name: str) -> str:
        return check_metric(name)


class Policy(Record):
    """All that a stage demands. Every event records its `digest`, so a loosened threshold stays visible afterwards."""

    stage: Word
    also: Word | None = None
    alpha: float = Field(gt=0, lt=0.5)
    spend_alpha: bool
    scope: Word
    required_splits: tuple[Word, ...] = Field(min_length=1)
    family_cases: int = Field(ge=1)
    parity: dict[Word, float] = Field(min_length=1)
    thresholds: tuple[Threshold, ...] = Field(min_length=1)
    champion: tuple[Rivalry, ...] = Field(min_length=1)

    @field_validator("parity")
    @classmethod
    def bounds_are_real(cls, bounds: dict[str, float]) -> dict[str, float]:
        for bound in bounds.values():
            statistic.check_share(bound, "parity")
        return bounds

    @model_validator(mode="after")
    def no_rule_twice(self) -> Self:
        """Two thresholds for one metric and scope: nobody could say which one counts."""
        for names in ([(t.metric, self.scope_of(t)) for t in self.thresholds], [r.metric for r in self.champion]):
            if len(set(names)) < len(names):
                raise ValueError(f"got {names}; expected each metric once per scope; keep the stricter line")
        return self

    def scope_of(self, threshold: Threshold) -> str:
        """Where a threshold counts."""
        return threshold.scope or self.scope

    def for_attempt(self, attempt: int) -> Policy:
        """The policy for the i-th model tried on one contract: with `spend_alpha`, all attempts share one alpha.

        alpha_i = alpha * 6 / (pi^2 i^2) sums to alpha over all i, so trying checkpoints until one passes gains nothing.
        """
        if not self.spend_alpha:
            return self
        return self.model_copy(update={"alpha": self.alpha * 6 / (math.pi * attempt) ** 2})

    def plan(self, misses: tuple[int, ...] = (0, 1, 2, 3)) -> list[dict[str, Any]]:
        """How many independent cases each threshold needs with so many misses: the size of a probe set, beforehand."""
        return [
            {"metric": t.metric, "scope": self.scope_of(t), "at_least": t.at_least}
            | {f"cases_with_{m}_missed": statistic.cases_needed(t.at_least, m, self.alpha) for m in misses}
            for t in self.thresholds
        ]


def load(stage: str, text: str | None = None) -> Policy:
    """The policy of a stage (by name or its other name), from the shipped `stage.yaml` unless a text is given."""
    policies = parse(text if text is not None else shipped())
    for policy in policies.values():
        if stage in (policy.stage, policy.also):
            return policy
    raise PolicyError(f"stage: got {stage!r}; expected one of {', '.join(policies)}; add it to stage.yaml")


def shipped() -> str:
    """The text of the policy file that comes with the package."""
    return resources.files(__package__).joinpath("stage.yaml").read_text(encoding="utf-8")


def parse(text: str) -> dict[str, Policy]:
    """Read and validate every stage of a policy file; a stage may override any shared value."""
    data = yaml.load(text, Loader=UniqueKeys)
    if not isinstance(data, dict) or set(data) != {"shared", "stages"} or not isinstance(data["stages"], dict):
        raise PolicyError(f"policy: got {str(data)[:60]!r}; expected `shared` and a mapping `stages`; see stage.yaml")
    return {name: build(name, {**(data["shared"] or {}), **(body or {})}) for name, body in data["stages"].items()}


def build(name: str, body: dict[str, Any]) -> Policy:
    """Validate one stage and put every violation, with its path, into one error."""
    listed = ("required_splits", "thresholds", "champion")
    body = {key: tuple(v) if key in listed and isinstance(v, list) else v for key, v in body.items()}
    try:
        return Policy(stage=name, **body)
    except (ValidationError, TypeError) as problem:
        why = summary(problem) if isinstance(problem, ValidationError) else str(problem)
        raise PolicyError(f"stage {name}: {why}; correct the policy file") from None


def check_metric(name: str) -> str:
    """Accept a metric that exists and is better when higher: a floor under `truncation` would reward truncation."""
    known = metrics()
    if name not in known or known[name].better != "higher":
        fit = sorted(m.name for m in known.values() if m.better == "higher")
        raise ValueError(f"got {name!r}; expected one of {', '.join(fit)}; for truncation gate eos_clean_stop")
    return name


class UniqueKeys(yaml.SafeLoader):
    """A safe loader that refuses a key written twice; YAML would silently keep the last, looser one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key) for key, _ in node.value]
        twice = {str(key) for key in keys if keys.count(key) > 1}
        if twice:
            raise PolicyError(f"policy: got {', '.join(sorted(twice))} twice; expected each key once; remove one")
        return super().construct_mapping(node, deep)
