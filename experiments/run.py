"""One rung, from prompt rows to scored outputs: the list of verbs that a run is.

    draw -> prove -> write -> tokenize -> pack -> check parity -> train -> save -> probe -> compare with baselines

Everything lands in one folder. What happens on the way is told to a `Recorder`; who that is (a tracking server, a test) this file
does not know. Rates and intervals are made from the outcome by whoever publishes them.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

from cengine import checkpoint, loader, parity
from cengine.decode import Decoder
from cengine.engine import Pool
from cengine.model import Config, initial
from cengine.train import Optimizer, Schedule, Step, Stream, Trainer, fit, held_out
from experiments import corpus, material, split, surfaces, tokenizer
from experiments.corpus import Row
from experiments.ladder import Budget, Selected, digest, select
from experiments.material import Material
from experiments.pack import Packed, pack
from experiments.probes import autopsy, baseline
from experiments.probes import contract as contracts
from experiments.probes.score import Score, score
from experiments.tokenizer import Coder

HERE = Path(__file__).resolve().parent
PROBE_SLOTS = 64


class Recorder(Protocol):
    """Who is told what a run does. Must never raise because a listener is away."""

    def params(self, values: Mapping[str, object]) -> None: ...

    def metrics(self, values: Mapping[str, float], step: int) -> None: ...

    def say(self, message: str) -> None: ...

    def progress(self, stage: str, done: int, total: int, values: Mapping[str, float]) -> None: ...

    def artifact(self, path: Path, folder: str) -> None: ...

    def dataset(self, path: Path, name: str, context: str, sha256: str) -> None: ...


@dataclass(frozen=True)
class Options:
    """What a user may change about a rung. `scale` multiplies every token budget; the seed replaces the rung's."""

    seed: int | None = None
    scale: float = 1.0
    threads: int | None = None
    parity_cache: Path = Path(".cache/parity")
    torch: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.scale <= 100:
            raise ValueError(
                f"budget scale: got {self.scale}; expected a number above 0 and at most 100 (1 is the rung's own budget)"
            )


@dataclass(frozen=True)
class Output:
    """One probe: what the model said, why it stopped, and its score."""

    case: dict
    raw: str
    stop: str
    tokens: int
    score: Score
    failure: str


@dataclass(frozen=True)
class Outcome:
    """What a run leaves behind, for whoever publishes and judges it."""

    folder: Path
    checkpoint: Path
    contract: dict
    outputs: list[Output]
    baselines: dict
    proof: dict
    parity: dict
    hashes: dict[str, str]
    measures: dict[str, float] = field(default_factory=dict)


def scoring_digest() -> str:
    """sha256 of everything that decides a score: scene model, surfaces, families, compiler, scorer."""
    files = [
        *HERE.glob("*.py"),
        *(
            p
            for d in ("surfaces", "families", "compiler", "probes")
            for p in (HERE / d).rglob("*")
            if p.suffix in (".py", ".json")
        ),
    ]
    digest_ = hashlib.sha256()
    for path in sorted(files):
        digest_.update(str(path.relative_to(HERE)).encode() + b"\0" + path.read_bytes())
    return digest_.hexdigest()


def identity(selected: Selected, options: Options) -> str:
    """Hash of all that decides a run's result: two runs with one identity give the same bits."""
    parts = [selected.resolved(), options.seed, options.scale, loader.fingerprint(), loader.current(), scoring_digest()]
    return digest(parts)


def configuration(selected: Selected, seed: int, scale: float) -> dict:
    """The whole configuration of a run: spec and rung as they were read, every default filled in, with the seed and scale in force."""
    spec = selected.spec.model_dump(mode="json", exclude={"rungs"})
    rung = {"name": selected.name, **selected.rung.model_dump(mode="json"), "seed": seed}
    return {"spec": spec, "rung": rung, "budget_scale": scale}


def execute(selected: Selected, folder: Path, recorder: Recorder, options: Options) -> Outcome:
    """Run a rung in `folder` (which must not hold one already)."""
    spec, rung = selected.spec, selected.rung
    seed = rung.seed if options.seed is None else options.seed
    folder.mkdir(parents=True, exist_ok=False)
    _write(folder / "config.json", configuration(selected, seed, options.scale))
    recorder.artifact(folder / "config.json", "config")

    drawn = material.draw(selected)
    targets, stages, dev, contract, training = drawn.targets, drawn.stages, drawn.dev, drawn.contract, drawn.training
    recorder.say(
        f"{len(targets.trained)} trained targets, {sum(map(len, stages.values()))} rows, {len(contract['cases'])} probe cases"
    )
    proof = drawn.prove().as_dict()
    _write_rows(folder, drawn, recorder)

    coder = _tokenize(folder, selected, training, dev, contract, recorder)
    ctx = spec.model.ctx
    packed = {
        stage: pack([r.text for r in rows], coder, ctx, seed, rung.loss_on_prompt) for stage, rows in stages.items()
    }
    packed_dev = pack([r.text for r in dev], coder, ctx, seed, rung.loss_on_prompt)
    config = model_of(selected.label, coder.size)

    recorder.say("parity: engine against float64 references at this rung's shape")
    report = parity.cached(config, options.parity_cache, options.torch)
    _write(folder / "parity.json", report)
    parity.require(report)
    recorder.say("parity: passed" + (" (cached)" if report["cached"] else ""))

    pool = Pool(options.threads)
    trainer = Trainer(config, rung.rows, ctx, Optimizer(**rung.optimizer.model_dump()), pool=pool)
    trainer.load(initial(config, seed, spec.model.init, spec.model.init_std))
    _write(folder / "plan.json", trainer.machine.plan.summary())
    recorder.params(_params(selected, options, config, coder, packed, stages, trainer, seed))
    measures, cursors = _train_stages(selected, trainer, packed, packed_dev, options, seed, recorder)

    hashes = {
        "contract": drawn.contract_sha256,
        "corpus": drawn.corpus_sha256,
        "tokenizer": hashlib.sha256(coder.json().encode()).hexdigest(),
        "shape": digest(config.as_dict()),
        "engine": loader.fingerprint(),
        "evaluator": scoring_digest(),
        "identity": identity(selected, options),
    }
    place = _save(folder, trainer, coder, seed, hashes, measures, cursors)
    hashes["weights"] = checkpoint.weights_digest(trainer.weights())
    outputs = probe(contract, coder, Decoder(config, trainer.weights(), PROBE_SLOTS, pool=pool), recorder)
    baselines = baseline.evaluate([split.cut(t) for t in training], contract["cases"])
    outcome = Outcome(folder, place, contract, outputs, baselines, proof, report, hashes, measures)
    _write_outcome(outcome)
    return outcome


# ------------------------------------------------------------------------------------------------- data


def _write_rows(folder: Path, drawn: Material, recorder: Recorder) -> None:
    """`PROMPT [OUT] OUTPUT` lines by stage, and the same rows with their labels as a dataset."""
    from datasets import Dataset, disable_progress_bars

    disable_progress_bars()
    stages, dev, contract = drawn.stages, drawn.dev, drawn.contract
    everything: list[Row] = [*(r for rows in stages.values() for r in rows), *dev]
    (folder / "rows").mkdir()
    for name, rows in {**stages, "dev": dev}.items():
        lines = [r.text for r in rows]
        if any("\n" in line or "\r" in line or not line.isascii() for line in lines):
            raise ValueError(f"rows of {name}: a row must be one line of ASCII")
        (folder / "rows" / f"{name}.txt").write_text("\n".join(lines) + "\n")
    probes = [
        Row(c["prompt"], c["expected"], c["split"], c["surface"], c["family"], c["form"], c["case"])
        for c in contract["cases"]
    ]
    columns = [
        {**asdict(r), "target_sha256": hashlib.sha256(split.fold(r.output).encode()).hexdigest()}
        for r in [*everything, *probes]
    ]
    (folder / "dataset").mkdir()
    table = Dataset.from_list(columns)
    table.to_parquet(folder / "dataset" / "rows.parquet")
    _write(folder / "contract.json", contract)
    recorder.dataset(
        folder / "dataset" / "rows.parquet", f"{contract['contract']} rows", "training", drawn.corpus_sha256
    )
    recorder.dataset(folder / "contract.json", f"{contract['contract']} contract", "eval", drawn.contract_sha256)


def _tokenize(
    folder: Path, selected: Selected, training: Sequence[str], dev: Sequence[Row], contract: dict, recorder: Recorder
) -> Coder:
    """Train the tokenizer on the training rows and hold it to every line that the run will see."""
    spec = selected.spec
    vocabulary = surfaces.load(spec.surface).vocabulary(spec.families)
    policy = tokenizer.Policy(
        vocabulary.tags, vocabulary.prefixes, vocab=spec.tokenizer.vocab, min_frequency=spec.tokenizer.min_frequency
    )
    coder = tokenizer.train(training, policy)
    every = [*training, *(r.text for r in dev), *(f"{c['prompt']} {c['expected']}" for c in contract["cases"])]
    facts = tokenizer.roundtrip(coder, list(dict.fromkeys(every)))
    (folder / "tokenizer").mkdir()
    for name, data in coder.files(spec.model.ctx).items():
        (folder / "tokenizer" / name).write_bytes(data)
    _write(folder / "tokenizer" / "roundtrip.json", facts)
    recorder.say(
        f"tokenizer: {facts['vocabulary']} tokens, {facts['rows']} rows come back exactly, longest row {facts['longest_row']} tokens"
    )
    return coder


# ------------------------------------------------------------------------------------------------- training


def model_of(label: str, vocab: int | None = None) -> Config:
    """The model's shape of a rung; the vocabulary is the tokenizer's budget unless given (its real size is known after training it)."""
    spec = select(label).spec
    return Config(vocab=vocab or spec.tokenizer.vocab, **spec.model.model_dump(exclude={"init", "init_std"}))


def steps_of(budget: Budget, selected: Selected, scale: float) -> int:
    """Optimizer steps that a stage's processed-token budget pays for."""
    per_step = selected.rung.rows * selected.rung.accumulate * selected.spec.model.ctx
    return max(1, int(budget.tokens * scale) // per_step)


def _train_stages(
    selected: Selected,
    trainer: Trainer,
    packed: Mapping[str, Packed],
    dev: Packed,
    options: Options,
    seed: int,
    recorder: Recorder,
) -> tuple[dict[str, float], dict[str, dict[str, int]]]:
    """Every stage in turn; optimizer moments carry over, the schedule starts anew. Returns totals, and each stage's step and data cursor."""
    rung, at, tokens, targets = selected.rung, 0, 0, 0
    cursors: dict[str, dict[str, int]] = {}
    started, training_seconds = time.monotonic(), 0.0
    held = held_out(trainer, dev.windows, dev.text_bytes)
    recorder.metrics({"held_out_bits_per_byte": held["bits_per_byte"]}, 0)
    for stage in rung.stages():
        budget = rung.budget[stage]
        steps = steps_of(budget, selected, options.scale)
        schedule = Schedule(budget.lr, steps, min(budget.warmup, max(1, steps // 5)), budget.schedule, budget.floor)
        stream = Stream(packed[stage].windows, seed, stage)
        before = time.monotonic()
        for number, step in enumerate(fit(trainer, stream, schedule, rung.accumulate), 1):
            now = time.monotonic()
            training_seconds += now - before
            tokens, targets, at = tokens + step.tokens, targets + step.valid, at + 1
            rate = step.tokens / max(now - before, 1e-9)
            recorder.metrics(_step_metrics(step, tokens, rate), at)
            recorder.progress(
                stage,
                number,
                steps,
                {"loss": step.loss, "tokens_per_second": rate, "seconds_left": (now - before) * (steps - number)},
            )
            if number % max(1, steps // 5) == 0 or number == steps:
                held = held_out(trainer, dev.windows, dev.text_bytes)
                recorder.metrics({"held_out_bits_per_byte": held["bits_per_byte"]}, at)
            before = time.monotonic()
        cursors[stage] = {"step": steps, **stream.state()}
        recorder.say(
            f"{stage}: {steps} steps, loss {step.loss:.4f}, held out {held['bits_per_byte']:.5f} bits per byte"
        )
    return {
        "processed_tokens": float(tokens),
        "target_tokens": float(targets),
        "optimizer_steps": float(at),
        "training_seconds": training_seconds,
        "stage_seconds": time.monotonic() - started,
        "held_out_bits_per_byte": held["bits_per_byte"],
        "final_loss": step.loss,
    }, cursors


def _step_metrics(step: Step, tokens: int, rate: float) -> dict[str, float]:
    return {
        "loss": step.loss,
        "lr": step.lr,
        "grad_norm": step.grad_norm,
        "tokens_per_second": rate,
        "tokens_seen": float(tokens),
    }


def _params(
    selected: Selected, options: Options, config: Config, coder: Coder, packed: Mapping[str, Packed],
    stages: Mapping[str, Sequence[Row]], trainer: Trainer, seed: int,
) -> dict[str, object]:  # fmt: skip
    """Every setting of the run under one flat, documented name (docs/run.md)."""
    rung = selected.rung
    values: dict[str, object] = {
        "rung.label": selected.label, "rung.axis": rung.axis, "rung.baseline": rung.baseline or "none", "rung.gates": rung.gates,
        "seed.init_and_order": seed, "seed.data": 42, "budget.scale": options.scale, "engine.threads": trainer.machine.pool.threads,
        "engine.instruction_set": loader.current(), "engine.precision": "fp32", "engine.arena_bytes": trainer.machine.plan.bytes,
        "model.parameters": config.parameter_count(), "model.init": selected.spec.model.init, "model.init_std": selected.spec.model.init_std,
        "tokenizer.kind": selected.spec.tokenizer.kind, "tokenizer.size": coder.size, "data.surface": selected.spec.surface,
        "data.families": ",".join(selected.spec.families), "data.loss_on_prompt": rung.loss_on_prompt,
        "batch.rows": rung.rows, "batch.accumulate": rung.accumulate,
    }  # fmt: skip
    values |= {f"model.{k}": v for k, v in config.as_dict().items()}
    values |= {f"optimizer.{k}": v for k, v in rung.optimizer.model_dump().items()}
    for stage, budget in rung.budget.items():
        values |= {f"{stage}.{k}": v for k, v in budget.model_dump().items()}
        values |= {f"{stage}.steps": steps_of(budget, selected, options.scale), f"{stage}.rows": len(stages[stage])}
        values |= {f"{stage}.windows": len(packed[stage].windows.ids), f"{stage}.fill": round(packed[stage].fill, 4)}
        total = sum(rung.mixture[stage].values())
        shares = corpus.realised(stages[stage])
        for surface, weight in rung.mixture[stage].items():
            values[f"{stage}.declared.{surface}"] = round(weight / total, 6)
            values[f"{stage}.realised.{surface}"] = round(shares[surface], 6)
    return values


def _save(
    folder: Path,
    trainer: Trainer,
    coder: Coder,
    seed: int,
    hashes: dict[str, str],
    measures: dict[str, float],
    cursors: Mapping[str, Mapping[str, int]],
) -> Path:
    """The finished checkpoint with its tokenizer: what is registered, served, promoted and continued."""
    state = {
        "step": trainer.updates,
        "stages": cursors,  # where each stage's data stream stands: the order of an epoch follows from seed, stage and epoch
        "random": {"generator": "Philox4x32-10", "seed": seed},
        "tokens": measures["processed_tokens"],
        "hashes": hashes,
    }
    files, config = coder.files(trainer.config.ctx), trainer.config
    return checkpoint.save(
        folder / "checkpoint", config, trainer.weights(), trainer.moments(), state, files, eos=coder.eos, pad=coder.pad
    )


# ------------------------------------------------------------------------------------------------- probing


def ask(
    contract: dict, coder: Coder, decoder: Decoder, progress: Callable[[int], None] | None = None
) -> list[tuple[str, str, int]]:
    """(raw output, why it stopped, tokens) of every prompt of the contract, decoded greedily within the contract's budget."""
    cases = contract["cases"]
    expected = coder.encode_many([f" {c['expected']}" for c in cases])
    limit = contracts.budget(contract, [len(e) + 1 for e in expected])
    answers = decoder.generate(coder.encode_many([c["prompt"] for c in cases]), limit, coder.eos, progress=progress)
    return [(coder.decode(a.ids), a.reason, len(a.ids)) for a in answers]


def probe(contract: dict, coder: Coder, decoder: Decoder, recorder: Recorder) -> list[Output]:
    """Ask every prompt of the contract and score what comes back as it comes."""
    cases = contract["cases"]
    answers = ask(contract, coder, decoder, lambda done: recorder.progress("probe", done, len(cases), {}))
    outputs = []
    for case, (raw, stop, tokens) in zip(cases, answers, strict=True):
        scored = score(contract, case, raw, stop)
        outputs.append(Output(case, raw, stop, tokens, scored, autopsy.classify(contract, case, raw, scored)))
    return outputs


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1, allow_nan=False, ensure_ascii=True) + "\n")


def _write_outcome(outcome: Outcome) -> None:
    """Raw outputs with their scores, one JSON line each; baselines, proof and hashes beside."""
    rows = [
        {
            "id": o.case["id"], "split": o.case["split"], "family": o.case["family"], "prompt": o.case["prompt"], "raw": o.raw, "stop": o.stop,
            "tokens": o.tokens, "failure": o.failure, "problem": o.score.problem, **o.score.bools(),
        }
        for o in outcome.outputs
    ]  # fmt: skip
    (outcome.folder / "outputs.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    _write(outcome.folder / "baselines.json", outcome.baselines)
    _write(outcome.folder / "splits.json", outcome.proof)
    _write(outcome.folder / "hashes.json", outcome.hashes)
    _write(outcome.folder / "measures.json", outcome.measures)


def read_outcome(folder: Path) -> Outcome:
    """A finished run's outcome from its folder; the raw outputs are scored again."""

    def stored(name: str) -> dict:
        return json.loads((folder / f"{name}.json").read_text())

    contract = stored("contract")
    cases = {c["id"]: c for c in contract["cases"]}
    outputs = []
    for row in map(json.loads, (folder / "outputs.jsonl").read_text().splitlines()):
        scored = score(contract, cases[row["id"]], row["raw"], row["stop"])
        failure = autopsy.classify(contract, cases[row["id"]], row["raw"], scored)
        outputs.append(Output(cases[row["id"]], row["raw"], row["stop"], row["tokens"], scored, failure))
    return Outcome(
        folder, folder / "checkpoint", contract, outputs, stored("baselines"), stored("splits"), stored("parity"), stored("hashes"),
        stored("measures"),
    )  # fmt: skip
