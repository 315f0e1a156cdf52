"""The ladder as data: one YAML per spec, with all its rungs. This file reads and checks it; it trains nothing.

A spec is a learning contract (surface, families, splits, model). A rung is one controlled change inside a spec: it states its
axis, its hypothesis and what it holds constant, its mixture of prompt surfaces and its budgets. Reading refuses unknown and doubled
keys, names of nothing, numbers that are not finite, shapes that the engine does not compute, and rungs that change more than their axis.
What a rung's gates are called is promotion's knowledge, so `cktrack/ladder.py` checks it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator

from cengine.model import Config
from experiments import axis, brief, coders, document, families, look, prompt, replay, surfaces
from experiments.style import AXES, BACKGROUNDS, Style
from experiments.tag import SurfaceError, Vocabulary
from experiments.violation import Violation, nearest

FOLDER = Path(__file__).parent / "ladder"
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
CHOSEN = (
    "model",
    "tokenizer",
    "targets",
    "splits",
    "mixture",
    "budget",
)  # what a rung is made of, in the words of `held_constant`
STAGES = ("pretrain", "midtrain", "sft", "dpo", "grpo", "ppo")


class LadderError(ValueError):
    """A spec or rung that cannot be read; the message lists every fault with its path."""


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
    targets: Literal["trained", "unseen", "recombined"]
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
    """What the origin project published for this rung (its own metric and token accounting); for comparison only."""

    exact: float | None = None
    renderable: float | None = None
    materialized: float | None = None
    processed_tokens: int | None = None
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
    precision: Literal["fp32", "bf16"] = "fp32"  # of the operands of matrix products in training
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
        for name in self.rungs:
            self._follow_sources(name, (name,))
        best = [n for n, r in self.rungs.items() if r.headline]
        if len(best) > 1:
            raise ValueError(f"headline: {', '.join(best)}; at most one rung is the best of its spec")
        return self

    def _follow_sources(self, name: str, above: tuple[str, ...]) -> None:
        """Refuse replays of rungs that are not there, and of rungs that in turn replay this one."""
        for source in dict.fromkeys(s for way in self.rungs[name].replay.values() for s in way.sources):
            if source not in self.rungs or source in above:
                told = "replays itself" if source in above else "is no rung of this spec"
                raise ValueError(f"replay of {name}: its source {source} {told}")
            self._follow_sources(source, (*above, source))


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

    @property
    def tokenizer(self) -> TokenizerSpec:
        """The rung's tokenizer, where it has one of its own, else the spec's."""
        return self.rung.tokenizer or self.spec.tokenizer

    @property
    def model(self) -> Shape:
        """The shape of the model, the rung's own or the spec's."""
        return self.rung.model or self.spec.model

    def settings(self) -> dict:
        """Everything that decides what is trained, as plain data with every default filled in: what an axis is a place of."""
        spec = self.spec.model_dump(mode="json", exclude={"name", "rungs", "why", "title"})
        own = {"tokenizer": self.tokenizer.model_dump(), "model": self.model.model_dump()}
        rung = self.rung.model_dump(mode="json", exclude=PROSE | ({"replay"} if not self.rung.replay else set()))
        return {**spec, **rung, **own}

    def resolved(self) -> dict:
        """Everything that decides what is trained and scored, as plain data (no prose, no published figures)."""
        return {**self.settings(), "name": self.spec.name, "rung_name": self.name, "gates": self.rung.gates}


# ------------------------------------------------------------------------------------------------- reading


def names() -> list[str]:
    """Specs of the ladder, sorted."""
    return sorted(p.stem for p in FOLDER.glob("*.yaml"))


def every() -> tuple[list[Selected], list[LadderError]]:
    """Every rung of the specs that can be read, and one error for each spec that cannot."""
    found: list[Selected] = []
    errors: list[LadderError] = []
    for name in names():
        try:
            spec = load(name)
        except LadderError as error:
            errors.append(error)
        else:
            found += [Selected(spec=spec, name=rung) for rung in spec.rungs]
    return found, errors


def rungs() -> list[str]:
    """Every rung that can be read, as SPEC/RUNG."""
    return [selected.label for selected in every()[0]]


@cache
def load(name: str) -> Spec:
    """A spec by name. Raises LadderError with every fault and its path."""
    path = FOLDER / f"{name}.yaml"
    if not path.is_file():
        raise LadderError(f"spec: got {name!r}, expected {_one_of(name, names())}")
    try:
        return read(path.read_text(encoding="utf-8"), name)
    except UnicodeDecodeError as error:
        raise LadderError(f"ladder/{name}.yaml: got byte {error.start} of no text, expected UTF-8") from error


def read(text: str, name: str) -> Spec:
    """A spec from YAML text; raises LadderError with the file, and every fault with its path."""
    file = f"ladder/{name}.yaml"
    try:
        data = document.read(text)
    except document.DocumentError as error:
        raise LadderError(f"{file}: {error}") from error
    if "name" in data:
        raise refusal(file, [Violation("name", repr(data["name"]), "no such key: the file's name is the spec's")])
    try:
        spec = Spec.model_validate({"name": name, **data, "rungs": _inherited(data.get("rungs"))})
    except ValidationError as error:
        raise refusal(file, [fault(e) for e in error.errors()]) from error
    if found := [*_strangers(spec), *_shape(spec)] or [*_changes(spec)]:
        raise refusal(file, found)
    return spec


def select(label: str) -> Selected:
    """The rung called SPEC/RUNG. Raises LadderError if its spec cannot be read or there is no such rung."""
    spec_name, _, rung = label.partition("/")
    if spec_name not in names() or not rung:
        raise LadderError(f"rung: got {label!r}, expected {_one_of(label, rungs())}")
    spec = load(spec_name)
    if rung not in spec.rungs:
        raise LadderError(f"rung: {spec_name} has no {rung!r}, expected {_one_of(rung, spec.rungs)}")
    return Selected(spec=spec, name=rung)


# ------------------------------------------------------------------------------------------------- refusing


def refusal(file: str, faults: Iterable[object]) -> LadderError:
    """The error of a file with these faults: one in its line, several below each other."""
    told = [str(fault) for fault in faults]
    return LadderError(f"{file}: {told[0]}" if len(told) == 1 else "\n  ".join([f"{file}: {len(told)} faults", *told]))


def _one_of(name: str, known: Iterable[str]) -> str:
    known = list(known)
    return f"one of {', '.join(known) or '(none)'}{nearest(name, known)}"


def fault(error: Any, record: type[Record] | None = None) -> object:
    """One finding of pydantic in the house's words, about a spec or another `record`; a sentence of our own validators stays as it is."""
    loc, kind, message = error["loc"], error["type"], error["msg"]
    path = ".".join(map(str, loc)) or (record or Spec).__name__.lower()
    if kind == "value_error":
        return f"{path}: {message.removeprefix('Value error, ')}"
    if kind == "extra_forbidden":
        return Violation(path, "an unknown key", _one_of(str(loc[-1]), _keys(loc[:-1], record or Spec)))
    expected = message.removeprefix("Input should be ").removeprefix("Input should ")
    return Violation(path, "nothing" if kind == "missing" else repr(error["input"])[:60], expected)


def _keys(loc: tuple[int | str, ...], record: Any) -> list[str]:
    """Keys of the record at a place of a `record`."""
    for step in loc:
        fields = getattr(record, "model_fields", None)
        record = fields[step].annotation if fields else get_args(record)[-1]  # a table's values are records
    return [key for key in record.model_fields if record is not Spec or key != "name"]


def _strangers(spec: Spec) -> Iterator[Violation]:
    """Names that nothing goes by: surface, families, backgrounds, tags of a combination, prompt surfaces."""

    def unknown(place: str, chosen: Iterable[str], known: Iterable[str]) -> Iterator[Violation]:
        known = list(known)
        for key, name in enumerate(chosen):
            if name not in known:
                yield Violation(f"{place}.{key}", repr(name), _one_of(name, known))

    ways = prompt.templates()
    if spec.surface not in surfaces.names():
        yield Violation("surface", repr(spec.surface), _one_of(spec.surface, surfaces.names()))
        yield from unknown("families", spec.families, families.names())
    else:
        strange = list(unknown("families", spec.families, look.families(spec.surface)))
        yield from strange or _pools(spec)
    if twice := {f for f in spec.families if spec.families.count(f) > 1}:
        yield Violation("families", f"{', '.join(sorted(twice))} twice", "each family once")
    for place, made in [
        ("tokenizer", spec.tokenizer),
        *((f"rungs.{n}.tokenizer", r.tokenizer) for n, r in spec.rungs.items()),
    ]:
        if made and made.kind not in coders.names():
            yield Violation(f"{place}.kind", repr(made.kind), _one_of(made.kind, coders.names()))
    yield from unknown("targets.backgrounds", spec.targets.backgrounds, BACKGROUNDS)
    yield from _briefs(spec)
    for name, split in spec.splits.items():
        yield from unknown(f"splits.{name}.surfaces", split.surfaces, ways)
        yield from unknown(f"splits.{name}.combination", split.combination, _tags(spec))
    for name, rung in spec.rungs.items():
        for stage, mixture in rung.mixture.items():
            for way in (w for w in mixture if w not in ways):
                yield Violation(f"rungs.{name}.mixture.{stage}", repr(way), _one_of(way, ways))


def _tags(spec: Spec) -> list[str]:
    """Names of tags that a combination may name: what prompts and texts of the spec hold."""
    found = surfaces.load(spec.surface).vocabulary() if spec.surface in surfaces.names() else Vocabulary.of([])
    named = {tag.strip("[/]").partition(":")[0] for tag in (*found.tags, *found.prefixes) if ":" in tag}
    return list(dict.fromkeys(["topic", "family", "form", *AXES, *sorted(named)]))


def _briefs(spec: Spec) -> Iterator[Violation]:
    """A table that is not there or cannot be read, and prompt surfaces that cannot state what the spec asks by."""
    table = None
    if spec.targets.kind == "briefs":
        try:
            table = brief.load(spec.targets.briefs)
        except brief.BriefError as error:
            yield Violation("targets.briefs", repr(spec.targets.briefs), str(error))
            return
    asked = {f"splits.{n}.surfaces": s.surfaces for n, s in spec.splits.items()}
    asked |= {f"rungs.{n}.mixture.{stage}": tuple(m) for n, r in spec.rungs.items() for stage, m in r.mixture.items()}
    for place, ways in asked.items():
        for way in (w for w in ways if w in prompt.templates()):
            for reason in prompt.lacking(way, table):
                yield Violation(place, f"{way!r}, which has {reason}", "a surface that can ask for this spec's scenes")


def _pools(spec: Spec) -> Iterator[Violation]:
    """Families that give the spec no target: without a case of its surface, without forms, or with forms it cannot write."""
    for key, name in enumerate(spec.families):
        place, family = f"families.{key}", families.load(name)
        if spec.targets.kind == "orders" and not look.ordered(spec.surface, name):
            yield Violation(
                place,
                repr(name),
                f"atoms, on the surface atoms or raw_svg; orders give nothing of it on {spec.surface}",
            )
        if spec.targets.kind == "cases" and not look.cases(name, spec.surface):
            yield Violation(place, repr(name), f"a family with cases of {spec.surface}; there is no case of it")
        if spec.targets.kind == "forms" and not family.forms:
            yield Violation(place, repr(name), f"a family with forms: {', '.join(surfaces.load('bundle').families())}")
        for form in family.forms if spec.targets.kind == "forms" else ():
            try:
                surfaces.load(spec.surface).format(family.lower(form, family.forms[form].legal()[0], Style()))
            except SurfaceError:
                yield Violation("surface", repr(spec.surface), f"a surface that writes forms, such as {form} of {name}")
                return


def _shape(spec: Spec) -> Iterator[str]:
    """What the engine says against the model's shape."""
    for name in spec.rungs:
        selected = Selected(spec=spec, name=name)
        try:
            selected.model.config(selected.tokenizer.vocab)
        except ValueError as error:
            yield str(error)
            return


def _inherited(rungs: Any) -> Any:
    """Rungs with everything that trains, taken from their baselines where they do not say it themselves. Of tables by stage, a rung says
    the stages that differ, and null for one that it has not. Faults are left to validation.
    """
    if not isinstance(rungs, dict):
        return rungs
    whole: dict[str, Any] = {}

    def fill(name: Any, below: tuple[Any, ...]) -> Any:
        rung = rungs.get(name)
        if name in whole or not isinstance(rung, dict) or name in below:
            return whole.get(name, rung)
        base = fill(rung.get("baseline"), (*below, name))
        if isinstance(base, dict):
            taken = {key: value for key, value in base.items() if key not in PROSE - {"gates"}}
            rung = {**taken, "held_constant": axis.untouched(rung.get("axis"), CHOSEN, STAGES), **rung}
            for table in axis.BY_STAGE:
                if isinstance(base.get(table), dict) and isinstance(rung[table], dict):
                    rung[table] = {k: v for k, v in {**base[table], **rung[table]}.items() if v is not None}
        whole[name] = rung
        return rung

    return {name: fill(name, ()) for name in rungs}


def _changes(spec: Spec) -> Iterator[Violation]:
    """Rungs that change more than their axis, or not even that."""
    for name, rung in spec.rungs.items():
        before = spec.rungs[rung.baseline] if rung.baseline else rung
        theirs = Selected(spec=spec, name=rung.baseline).settings() if rung.baseline else None
        ours, stages = Selected(spec=spec, name=name).settings(), {*rung.stages(), *before.stages()}
        for found in axis.faults(rung.axis, rung.held_constant, ours, theirs, stages):
            yield replace(found, place=f"rungs.{name}.{found.place}")


def digest(value: object) -> str:
    """sha256 of plain data in canonical JSON."""
    return hashlib.sha256(
        json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
    ).hexdigest()
