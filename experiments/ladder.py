"""The ladder as data: one YAML per spec, with all its rungs. This file reads and checks it; it trains nothing.

A spec is a learning contract (surface, families, splits, model). A rung is one controlled change inside a spec: it states its
axis, its hypothesis and what it holds constant, its mixture of prompt surfaces and its budgets. Unknown keys are refused.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

FOLDER = Path(__file__).parent / "ladder"
STAGES = ("pretrain", "midtrain", "sft", "dpo", "grpo", "ppo")


class LadderError(ValueError):
    """A spec or rung that cannot be read; the message lists every fault with its path."""


class Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Shape(Record):
    """The model's shape; the vocabulary's size comes from the tokenizer."""

    layers: int = 3
    d_model: int = 192
    d_ff: int = 384
    heads: int = 8
    kv_heads: int = 4
    head_dim: int = 24
    ctx: int = 512
    tied: bool = True
    rope_theta: float = 1e6
    init: Literal["normal", "xavier_uniform"] = "normal"
    init_std: float = 0.02


class TokenizerSpec(Record):
    kind: Literal["ascii_bpe"] = "ascii_bpe"
    vocab: int = Field(default=1024, ge=300)
    min_frequency: int = Field(default=2, ge=1)


class Targets(Record):
    """Which scenes exist. kind `cases`: every case of the families in every style of the grid. kind `forms`: every form of the
    families in every style and, up to `counts` draws a style, in its legal counts.

    Held out by style combination: `never` combinations are trained with no case at all, `per_item` more are held out from each case
    (kind `cases`); `combinations` is the share of form x theme x density x background that is never trained together (kind `forms`),
    and `per_item` counts the targets that are held out inside the trained combinations of each form. `dev` of each are kept for the
    held-out loss and never scored.
    """

    kind: Literal["cases", "forms"]
    pairs: Literal["taught", "bundle"] = "taught"
    backgrounds: tuple[str, ...] = ("none",)
    counts: int = Field(default=1, ge=1)
    never: int = Field(default=0, ge=0)
    per_item: int = Field(..., ge=1)
    combinations: float = Field(default=0.0, ge=0.0, lt=1.0)
    dev: int = Field(..., ge=1)


class Split(Record):
    """One split of the probe contract. `targets` names the pool its cases come from, `surfaces` the prompt surfaces it asks with.
    kind: seen, held_out, or ood (held out and out of distribution). `holds_out` is what the leak check must prove.
    """

    kind: Literal["seen", "held_out", "ood"]
    targets: Literal["trained", "unseen", "recombined"]
    surfaces: tuple[str, ...]
    cases: int = Field(..., ge=1)
    holds_out: tuple[Literal["prompt", "target", "recombination"], ...] = ()
    combination: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _claims_fit(self) -> Split:
        if (self.kind == "seen") != (not self.holds_out):
            raise ValueError(
                f"kind {self.kind} with holds_out {list(self.holds_out)}; a seen split holds out nothing, any other split says what"
            )
        if ("recombination" in self.holds_out) != bool(self.combination):
            raise ValueError("`combination` names the tags of a recombination claim, and goes with it")
        return self


class Budget(Record):
    """One stage. `tokens` are processed tokens, padding included; `lr` is the peak of the schedule."""

    tokens: int = Field(..., ge=1)
    lr: float = Field(..., gt=0)
    warmup: int = Field(default=40, ge=0)
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    floor: float = Field(default=0.1, ge=0, le=1)


class Optimizer(Record):
    beta1: float = 0.9
    beta2: float = 0.95
    eps: float = 1e-8
    weight_decay: float = 0.01
    max_norm: float = 1.0


class Published(Record):
    """What the origin project published for this rung (its own metric and token accounting); for comparison only."""

    exact: float | None = None
    renderable: float | None = None
    materialized: float | None = None
    processed_tokens: int | None = None
    note: str = ""


class Rung(Record):
    """One controlled change. `mixture`: stage -> prompt surface -> rows per target. `rows` x `accumulate` windows make a step."""

    baseline: str | None
    axis: str
    hypothesis: str
    held_constant: tuple[str, ...]
    mixture: dict[str, dict[str, int]]
    budget: dict[str, Budget]
    rows: int = Field(default=4, ge=1)
    accumulate: int = Field(default=1, ge=1)
    optimizer: Optimizer = Optimizer()
    loss_on_prompt: bool = False
    seed: int = 42
    gates: str = "stage_b"
    published: Published = Published()

    @field_validator("mixture")
    @classmethod
    def _weights_are_rows(cls, value: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
        for stage, weights in value.items():
            bad = {k: w for k, w in weights.items() if w < 1}
            if bad or not weights:
                raise ValueError(
                    f"{stage}: {bad or 'no surface'}; a weight is the number of rows per target, at least 1"
                )
        return value

    @model_validator(mode="after")
    def _stages_fit(self) -> Rung:
        unknown = [s for s in self.budget if s not in STAGES]
        if unknown or not self.budget or set(self.budget) != set(self.mixture):
            raise ValueError(
                f"stages {sorted(self.budget)} with mixtures for {sorted(self.mixture)}; each stage of {STAGES} needs both"
            )
        return self

    def stages(self) -> list[str]:
        return [s for s in STAGES if s in self.budget]


class Spec(Record):
    """A learning contract with its rungs."""

    name: str
    title: str
    why: str
    surface: str
    families: tuple[str, ...]
    model: Shape = Shape()
    tokenizer: TokenizerSpec = TokenizerSpec()
    targets: Targets
    splits: dict[str, Split]
    rungs: dict[str, Rung]

    @model_validator(mode="after")
    def _baselines_exist(self) -> Spec:
        missing = {n: r.baseline for n, r in self.rungs.items() if r.baseline and r.baseline not in self.rungs}
        if missing:
            raise ValueError(f"baselines that are no rungs of this spec: {missing}")
        return self


class Selected(Record):
    """A rung with its spec: what one run trains."""

    spec: Spec
    name: str

    @property
    def rung(self) -> Rung:
        return self.spec.rungs[self.name]

    @property
    def label(self) -> str:
        return f"{self.spec.name}/{self.name}"

    def resolved(self) -> dict:
        """Everything that decides what is trained and scored, as plain data (no prose, no published figures)."""
        spec = self.spec.model_dump(mode="json", exclude={"rungs", "why", "title"})
        rung = self.rung.model_dump(
            mode="json", exclude={"hypothesis", "published", "baseline", "axis", "held_constant"}
        )
        return {**spec, "rung": rung, "rung_name": self.name}


def names() -> list[str]:
    """Specs of the ladder, sorted."""
    return sorted(p.stem for p in FOLDER.glob("*.yaml"))


def rungs() -> list[str]:
    """Every rung as SPEC/RUNG."""
    return [f"{name}/{rung}" for name in names() for rung in load(name).rungs]


@cache
def load(name: str) -> Spec:
    """A spec by name."""
    path = FOLDER / f"{name}.yaml"
    if not path.is_file():
        raise LadderError(f"spec: got {name!r}; expected one of {', '.join(names())}")
    return read(path.read_text(), name)


def read(text: str, name: str) -> Spec:
    """A spec from YAML text; raises LadderError with every fault and its path."""
    try:
        return Spec.model_validate({"name": name, **(yaml.safe_load(text) or {})})
    except (ValidationError, yaml.YAMLError) as error:
        raise LadderError(f"ladder/{name}.yaml: {_faults(error)}") from error


def _faults(error: ValidationError | yaml.YAMLError) -> str:
    if isinstance(error, yaml.YAMLError):
        return str(error)
    return "; ".join(
        f"{'.'.join(map(str, e['loc'])) or 'spec'}: {e['msg']} (got {str(e.get('input'))[:60]})" for e in error.errors()
    )


def select(label: str) -> Selected:
    """The rung called SPEC/RUNG."""
    spec_name, _, rung = label.partition("/")
    if spec_name not in names() or not rung:
        raise LadderError(f"rung: got {label!r}; expected one of {', '.join(rungs())}")
    spec = load(spec_name)
    if rung not in spec.rungs:
        raise LadderError(f"rung: {spec_name} has no {rung!r}; expected one of {', '.join(spec.rungs)}")
    return Selected(spec=spec, name=rung)


def digest(value: object) -> str:
    """sha256 of plain data in canonical JSON."""
    return hashlib.sha256(
        json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
    ).hexdigest()
