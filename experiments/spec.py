"""What a spec and a rung are: the records that a YAML of the ladder is made of, each with what is sound in itself.

A spec is a learning contract (surface, families, splits, model). A rung is one controlled change inside a spec: it states its
axis, its hypothesis and what it holds constant, its mixture of prompt surfaces and its budgets. Reading them, and whether the names
in them are names of something, is `ladder.py`'s.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from cengine.model import Config
from experiments import replay

PROSE = {
    "baseline",
    "axis",
    "change",
    "hypothesis",
    "held_constant",
    "gates",
    "headline",
    "published",
}  # of a rung: trains nothing
OWN = ("surface", "families")  # of a rung, in place of its spec's
STAGES = ("pretrain", "midtrain", "sft", "dpo", "grpo", "ppo")


class Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _yes_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, bool) and cls.model_fields[str(info.field_name)].annotation in (int, float):
            raise ValueError(f"got {value}, expected a number")
        return value


class Shape(Record):
    """The model's shape; the vocabulary's size comes from the tokenizer."""

    layers: int = Config.layers
    d_model: int = Config.d_model
    d_ff: int = Config.d_ff
    heads: int = Config.heads
    kv_heads: int = Config.kv_heads
    head_dim: int = Config.head_dim
    ctx: int = Config.ctx
    tied: bool = Config.tied
    rope_theta: float = Config.rope_theta
    init: Literal["normal", "xavier_uniform"] = "normal"
    init_std: float = Field(default=0.02, gt=0)

    def config(self, vocab: int) -> Config:
        """The engine's shape with so many tokens; raises ValueError for one that it does not compute."""
        return Config(vocab=vocab, **self.model_dump(exclude={"init", "init_std"}))


class TokenizerSpec(Record):
    """A kind of `experiments/coders/`; `reserved` none spells tags too, but for the one that opens every prompt and [OUT]."""

    kind: str = "byte_bpe"
    reserved: Literal["tags", "none"] = "tags"
    vocab: int = Field(default=1024, ge=300)
    min_frequency: int = Field(default=2, ge=1)


class Targets(Record):
    """Which scenes exist. kind `cases`: every case of the families in every style of the grid. kind `forms`: every form of the
    families in every style and, up to `counts` draws a style, in its legal counts.

    Held out by style combination: `never` combinations are trained with no case at all, `per_item` more are held out from each case
    (kind `cases`); `combinations` is the share of form x theme x density x background that is never trained together (kind `forms`),
    and `per_item` is the least number of targets of each form that are held out, in whole styles with all their counts. `dev` of each
    are kept for the held-out loss and never scored.

    kind `orders`: up to `draws` orders for drawings (`order.py`), as many of each layout; `framed` ones name a frame and a density. Held out
    like cases, by layout.

    kind `briefs`: the different answers to `draws` briefs of a table of `briefs/`. `never` styles are trained with no item; of each item
    (a form, or where the surface has none a case or a family), `per_item` or a share `combinations` of the styles or of the structures
    is held out, as `hold` says.

    `apart` names pairs of what a scene is made of (family, topic, form, an axis of its style, or `counts`: all numbers of its text): every
    second value of the first is never trained with one value of the second, whatever else goes with them. Any kind may hold such pairs out.
    """

    kind: Literal["cases", "forms", "orders", "briefs"]
    framed: bool = False
    briefs: str = ""
    draws: int = Field(default=0, ge=0)
    hold: Literal["style", "structure"] = "style"
    pairs: Literal["taught", "bundle"] = "taught"
    backgrounds: tuple[str, ...] = Field(default=("none",), min_length=1)
    counts: int = Field(default=1, ge=1)
    never: int = Field(default=0, ge=0)
    per_item: int = Field(default=0, ge=0)
    combinations: float = Field(default=0.0, ge=0.0, lt=1.0)
    apart: tuple[tuple[str, str], ...] = ()
    dev: int = Field(..., ge=1)

    @model_validator(mode="after")
    def _something_is_held_out(self) -> Targets:
        if not self.per_item and not (self.kind == "briefs" and self.combinations):
            raise ValueError(
                "per_item 0 holds out nothing; expected at least 1 (or, with briefs, a share `combinations`)"
            )
        if (self.kind == "briefs") != bool(self.briefs) or (self.kind in ("briefs", "orders")) != bool(self.draws):
            raise ValueError("`briefs` goes with kind briefs, `draws` with briefs and orders, and neither with another")
        if self.framed and self.kind != "orders":
            raise ValueError("`framed` goes with kind orders")
        return self


class Split(Record):
    """One split of the probe contract. `targets` names the pool its cases come from, `surfaces` the prompt surfaces it asks with.
    kind: seen, held_out, or ood (held out and out of distribution). `holds_out` is what the leak check must prove.
    """

    kind: Literal["seen", "held_out", "ood"]
    targets: Literal["trained", "unseen", "recombined", "apart"]
    surfaces: tuple[str, ...] = Field(..., min_length=1)
    cases: int = Field(..., ge=1)
    holds_out: tuple[Literal["prompt", "target", "recombination", "structure"], ...] = ()
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

    @property
    def is_of_all(self) -> bool:
        """Whether it asks for every family and form; pairs that never meet are of some only."""
        return self.targets != "apart"


class Budget(Record):
    """One stage. `tokens` are processed tokens, padding included; `lr` is the peak of the schedule."""

    tokens: int = Field(..., ge=1)
    lr: float = Field(..., gt=0)
    warmup: int = Field(default=40, ge=0)
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    floor: float = Field(default=0.1, ge=0, le=1)


class Optimizer(Record):
    """AdamW; max_norm 0 switches clipping off."""

    beta1: float = Field(default=0.9, ge=0, lt=1)
    beta2: float = Field(default=0.95, ge=0, lt=1)
    eps: float = Field(default=1e-8, gt=0)
    weight_decay: float = Field(default=0.01, ge=0)
    max_norm: float = Field(default=1.0, ge=0)


class Published(Record):
    """What the origin project published for this rung (its own metric and token accounting); for comparison only. Shares are of
    all its cases; where only that of the visible prompts is known, the note says so. `best` is the rung of the spec that was published
    with more than this one: a headline is held to that.
    """

    exact: float | None = None
    renderable: float | None = None
    materialized: float | None = None
    processed_tokens: int | None = None
    best: str | None = None
    note: str = ""


class Replay(Record):
    """Rows of other rungs of the spec in a stage: a builder of `replay.py`, the rungs whose rows it may take, and its options."""

    builder: str
    sources: tuple[str, ...] = Field(..., min_length=1)
    options: dict[str, int] = {}

    @model_validator(mode="after")
    def _can_be_built(self) -> Replay:
        for wrong in replay.faults(self.builder, self.options):
            raise ValueError(f"got {wrong}")
        return self


class Rung(Record):
    """One controlled change. `axis` is the one place of its settings that may differ from the baseline's (null without a baseline), `change` the
    same in words. `mixture`: stage -> prompt surface -> rows per target; `replay`: stage -> rows of other rungs beside these. `rows` x
    `accumulate` windows make a step. `headline` marks the spec's best rung. What a rung does not say, its baseline says, and
    `held_constant` is then what its axis does not touch.
    """

    baseline: str | None
    axis: str | None
    change: str
    hypothesis: str
    held_constant: tuple[str, ...] = ()
    mixture: dict[str, dict[str, int]]
    budget: dict[str, Budget]
    replay: dict[str, Replay] = {}
    rows: int = Field(default=4, ge=1)
    accumulate: int = Field(default=1, ge=1)
    model: Shape | None = None
    optimizer: Optimizer = Optimizer()
    loss_on_prompt: bool = False
    tokenizer: TokenizerSpec | None = None  # in place of the spec's
    surface: str | None = None  # in place of the spec's: the same scenes and questions, answered in other words
    families: tuple[str, ...] | None = Field(
        default=None, min_length=1
    )  # some of the spec's: it trains and asks no others
    precision: Literal["auto", "fp32", "bf16"] = (
        "auto"  # of the operands of matrix products in training; auto asks the machine
    )
    seed: int = Field(default=42, ge=0, lt=2**64)
    gates: str = "stage_b"
    headline: bool = False
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
        if strange := sorted(set(self.replay) - set(self.budget)):
            raise ValueError(
                f"replay in {', '.join(strange)}, expected it in stages of the rung: {', '.join(self.budget)}"
            )
        return self

    def stages(self) -> list[str]:
        return [s for s in STAGES if s in self.budget]

    def declared(self, stage: str) -> dict[str, float]:
        """Prompt surface -> share of a stage's rows by its weight; nothing where a replay chooses the rows."""
        weights = {} if stage in self.replay else self.mixture[stage]
        return {surface: round(weight / sum(weights.values()), 6) for surface, weight in weights.items()}


class Spec(Record):
    """A learning contract with its rungs."""

    name: str
    title: str
    why: str
    surface: str
    families: tuple[str, ...] = Field(..., min_length=1)
    model: Shape = Shape()
    tokenizer: TokenizerSpec = TokenizerSpec()
    targets: Targets
    splits: dict[str, Split] = Field(..., min_length=1)
    rungs: dict[str, Rung] = Field(..., min_length=1)

    @model_validator(mode="after")
    def _baselines_exist(self) -> Spec:
        missing = {n: r.baseline for n, r in self.rungs.items() if r.baseline and r.baseline not in self.rungs}
        if missing:
            raise ValueError(f"baselines that are no rungs of this spec: {missing}")
        absent = {n: r.published.best for n, r in self.rungs.items() if r.published.best not in (None, *self.rungs)}
        if absent:
            raise ValueError(f"published.best that are no rungs of this spec: {absent}")
        for name in self.rungs:
            self._follow_baselines(name)
            self._follow_sources(name, (name,))
        roots = [n for n, r in self.rungs.items() if r.baseline is None]
        if len(roots) != 1:
            raise ValueError(f"baseline: null in {', '.join(roots)}; exactly one rung has no baseline")
        best = [n for n, r in self.rungs.items() if r.headline]
        if len(best) > 1:
            raise ValueError(f"headline: {', '.join(best)}; at most one rung is the best of its spec")
        return self

    def _follow_baselines(self, name: str) -> None:
        """Refuse a rung that is compared with itself over others."""
        below: list[str] = []
        at = self.rungs[name].baseline
        while at is not None:
            below.append(at)
            if at == name or below.count(at) > 1:
                raise ValueError(f"baseline of {name}: {', '.join(below)}, a circle; expected one that leads to a root")
            at = self.rungs[at].baseline

    def _follow_sources(self, name: str, above: tuple[str, ...]) -> None:
        """Refuse replays of rungs that are not there, and of rungs that in turn replay this one."""
        for source in dict.fromkeys(s for way in self.rungs[name].replay.values() for s in way.sources):
            if source not in self.rungs or source in above:
                told = "replays itself" if source in above else "is no rung of this spec"
                raise ValueError(f"replay of {name}: its source {source} {told}")
            self._follow_sources(source, (*above, source))


class Selected(Record):
    """A rung with its spec: what one run trains. `spec` has the rung's own surface and families, where it has some."""

    spec: Spec
    name: str

    @model_validator(mode="before")
    @classmethod
    def _has_its_own(cls, value: Any) -> Any:
        spec, rung = value["spec"], value["spec"].rungs.get(value["name"])
        own = {name: found for name in OWN if (found := getattr(rung, name, None)) is not None}
        return {**value, "spec": spec.model_copy(update=own)} if own else value

    @property
    def rung(self) -> Rung:
        return self.spec.rungs[self.name]

    @property
    def label(self) -> str:
        return f"{self.spec.name}/{self.name}"

    @property
    def tokenizer(self) -> TokenizerSpec:
        """The rung's tokenizer, where it has one of its own, else the spec's."""
        return self.rung.tokenizer or self.spec.tokenizer

    @property
    def model(self) -> Shape:
        """The shape of the model, the rung's own or the spec's."""
        return self.rung.model or self.spec.model

    def settings(self) -> dict:
        """Everything that decides what is trained, as plain data with every default filled in. With the gates, what an axis is a place of."""
        spec = self.spec.model_dump(mode="json", exclude={"name", "rungs", "why", "title"})
        own = {"tokenizer": self.tokenizer.model_dump(), "model": self.model.model_dump()}
        rung = self.rung.model_dump(
            mode="json", exclude=PROSE | {*OWN} | ({"replay"} if not self.rung.replay else set())
        )
        return {**spec, **rung, **own}

    def resolved(self) -> dict:
        """Everything that decides what is trained and scored, as plain data (no prose, no published figures)."""
        return {**self.settings(), "name": self.spec.name, "rung_name": self.name, "gates": self.rung.gates}
