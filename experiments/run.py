"""One rung, from prompt rows to scored outputs: the list of verbs that a run is.

    draw -> prove -> write -> tokenize -> pack -> check parity -> train -> save -> probe -> compare with baselines

Everything lands in one folder. What happens on the way is told to a `Recorder`; who that is (a tracking server, a test) this file
does not know. Rates and intervals are made from the outcome by whoever publishes them.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cengine import checkpoint, loader, parity
from cengine.decode import Decoder
from cengine.engine import Pool
from cengine.inventory import plan_of
from cengine.model import Config, initial
from cengine.train import Optimizer, Stream, Trainer
from experiments import curriculum, dataset, material, plugin, source, tokenizer
from experiments.corpus import Row
from experiments.ladder import digest, select
from experiments.pack import Packed, trained
from experiments.prepared import Prepared
from experiments.probes import autopsy, baseline, column, diagnosis, odd
from experiments.probes.score import score
from experiments.profile import profile
from experiments.recorder import Recorder
from experiments.session import PROBE_SLOTS, Output, Session
from experiments.spec import Selected
from experiments.tokenizer import Coder
from experiments.training import Unfinished, steps_of, train_stages

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Options:
    """What a user may change about a rung. `scale` multiplies every token budget; seed and precision replace the rung's."""

    seed: int | None = None
    scale: float = 1.0
    threads: int | None = None
    pool: Pool | None = None  # threads that somebody else may give more of later; None makes `threads` of its own
    parity_cache: Path = Path(".cache/parity")
    unfinished: Path | None = None  # where interrupted training is kept, to go on from; None keeps nothing
    torch: bool = True
    precision: str | None = None
    across: bool = (
        False  # go on from what a run with these settings kept on another instruction set or in another precision
    )
    guard: bool | None = None  # every kernel call checked for writes outside its tensors; None asks CKTRACK_GUARD

    def __post_init__(self) -> None:
        if not 0 < self.scale <= 100:
            raise ValueError(
                f"budget scale: got {self.scale}; expected a number above 0 and at most 100 (1 is the rung's own budget)"
            )
        loader.guarded(self.guard)
        reason = self.precision and loader.why_not(self.precision)
        if reason:
            raise ValueError(reason)


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
    for line in plugin.digests():
        digest_.update(line.encode() + b"\0")
    return digest_.hexdigest()


def in_force(selected: Selected, options: Options) -> Selected:
    """The rung with what the options replace in it, its seed and its precision, and with what `auto` is on this machine."""
    own, shape = selected.rung.precision, selected.model
    machine = parity.precision_for(shape.layers, shape.head_dim) if own == "auto" else own
    asked = {"seed": options.seed, "precision": options.precision or machine}
    rung = selected.rung.model_copy(update={k: v for k, v in asked.items() if v is not None})
    rungs = {**selected.spec.rungs, selected.name: rung}
    return selected.model_copy(update={"spec": selected.spec.model_copy(update={"rungs": rungs})})


def identity(selected: Selected, options: Options, corpus_sha256: str | None = None) -> str:
    """Hash of all that decides a run's result: two runs with one identity give the same bits. The rows are drawn unless their hash is given."""
    rows = corpus_sha256 or material.corpus_sha256(*material.rows(selected)[1:])
    built = loader.fingerprint(), loader.current()
    across = ["across"] * options.across  # its bits depend on where it crossed over
    return digest([in_force(selected, options).resolved(), options.scale, *built, source.digest(), rows, *across])


def settings_of(selected: Selected, options: Options, corpus_sha256: str) -> str:
    """Hash of what a user chose, whatever computes it: runs with equal settings may be gone on from across envelopes."""
    chosen = in_force(selected, replace(options, precision="fp32")).resolved()
    return digest([chosen, options.scale, corpus_sha256])


def configuration(selected: Selected, scale: float) -> dict:
    """The whole configuration of a run: spec and rung with every default filled in, and the budget scale."""
    spec = selected.spec.model_dump(mode="json", exclude={"rungs"})
    return {
        "spec": spec,
        "rung": {"name": selected.name, **selected.rung.model_dump(mode="json")},
        "budget_scale": scale,
    }


def execute(prepared: Prepared, folder: Path, recorder: Recorder, options: Options) -> Outcome:
    """Run a rung, as it is `in_force`, in `folder` (which must not hold one already)."""
    selected, drawn = prepared.selected, prepared.material
    rung, seed = selected.rung, selected.rung.seed
    loader.kernels(rung.precision)  # refused here, or not at all
    folder.mkdir(parents=True, exist_ok=False)
    write_json(folder / "config.json", configuration(selected, options.scale))
    recorder.artifact(folder / "config.json", "config")

    name = identity(selected, options, drawn.corpus_sha256)
    targets, stages, dev, contract = drawn.targets, drawn.stages, drawn.dev, drawn.contract
    recorder.say(
        f"{len(targets.trained)} trained targets, {sum(map(len, stages.values()))} rows, {len(contract['cases'])} probe cases"
    )
    proof = drawn.prove().as_dict()
    dataset.write(folder, contract["contract"], stages, dev, recorder)
    write_json(folder / "contract.json", contract)
    recorder.dataset(folder / "contract.json", f"{contract['contract']} contract", "eval", drawn.contract_sha256)

    _write_tokenizer(folder, prepared, recorder)
    coder, config, packed, packed_dev = prepared.coder, prepared.config, prepared.packed, prepared.packed_dev
    write_json(folder / "profile.json", profile(prepared))

    recorder.say(f"parity: engine in {rung.precision} against float64 references at this rung's shape")
    report = parity.cached(config, options.parity_cache, options.torch, precision=rung.precision)
    write_json(folder / "parity.json", report)
    parity.require(report)
    recorder.say("parity: passed" + (" (cached)" if report["cached"] else ""))

    pool = options.pool or Pool(options.threads)
    settings, guard = Optimizer(**rung.optimizer.model_dump()), options.guard
    trainer = Trainer(config, rung.rows, config.ctx, settings, pool=pool, precision=rung.precision, guard=guard)
    trainer.load(initial(config, seed, selected.model.init, selected.model.init_std))
    write_json(folder / "plan.json", plan_of(config, rung.rows, config.ctx, rung.precision, trainer.part))
    recorder.params(_params(selected, options, config, coder, packed, stages, trainer, seed))
    hashes = {
        "contract": drawn.contract_sha256,
        "corpus": drawn.corpus_sha256,
        "tokenizer": hashlib.sha256(coder.json().encode()).hexdigest(),
        "shape": digest(config.as_dict()),
        "engine": loader.fingerprint(),
        "evaluator": scoring_digest(),
        "identity": name,
    }
    settings_sha256 = settings_of(selected, options, drawn.corpus_sha256)
    with Unfinished(
        options.unfinished, name, trainer, recorder, settings=settings_sha256, across=options.across
    ) as unfinished:
        measures, cursors = train_stages(rung, trainer, packed, packed_dev, options.scale, seed, recorder, unfinished)
        place = save(folder, trainer, coder, seed, hashes, measures, cursors, unfinished.crossed)
        envelope = checkpoint.envelope(rung.precision)
        recorder.params(
            {"engine.trained_in": checkpoint.trained_in({"envelope": envelope, "crossed": unfinished.crossed})}
        )
        unfinished.done()
    for stage, cursor in cursors.items():
        stream = Stream(packed[stage].windows, seed, stage, cursor["epoch"], cursor["index"])
        recorder.params(_realised(stage, stages[stage], trained(packed[stage], stream).tolist(), recorder))
    hashes["weights"] = checkpoint.weights_digest(trainer.weights())

    def fresh(slots: int, share: bool) -> Decoder:
        return Decoder(config, trainer.weights(), slots, pool=pool, share=share, guard=guard)

    session = Session(contract, coder, fresh(PROBE_SLOTS, True), fresh)
    outputs, seconds = session.columns(selected.spec.families, session.probe(recorder), recorder)
    odds = session.odd(selected.spec, targets)
    for kind, cell in odds.rates.items():
        if not cell["n"]:
            recorder.say(f"odd prompts: none of {kind}, {cell['why']}")
    write_json(folder / "odd.json", {"rates": odds.rates, "outputs": odds.answers})
    measures |= column.measures(contract, outputs) | {"constrained.seconds": seconds}
    measures |= {"longest_share_of_context": session.longest() / config.ctx} | odd.measures(odds.rates)
    measures |= _frontiers(folder, selected, outputs)
    pairs = [(baseline.told(r.prompt, r.brief), f" {r.output}") for rows in stages.values() for r in rows]
    baselines = baseline.evaluate(pairs, contract["cases"])
    outcome = Outcome(folder, place, contract, outputs, baselines, proof, report, hashes, measures)
    _write_outcome(outcome)
    return outcome


# ------------------------------------------------------------------------------------------------- data


def _write_tokenizer(folder: Path, prepared: Prepared, recorder: Recorder) -> None:
    """The tokenizer's files and its audit, which held it to every line that the run will see."""
    coder, lost = prepared.coder, prepared.audit["roundtrip"]["first_wrong"]
    if lost:
        raise tokenizer.RoundtripError(**lost)
    facts = tokenizer.counts(coder, prepared.texts, prepared.ids)
    (folder / "tokenizer").mkdir()
    for name, data in coder.files(prepared.config.ctx).items():
        (folder / "tokenizer" / name).write_bytes(data)
    write_json(folder / "tokenizer" / "roundtrip.json", facts)
    write_json(folder / "tokenizer" / "audit.json", prepared.audit)
    recorder.say(
        f"tokenizer: {facts['vocabulary']} tokens, {facts['rows']} rows come back exactly, longest row {facts['longest_row']} tokens"
    )


# ------------------------------------------------------------------------------------------------- training


def model_of(label: str, vocab: int | None = None) -> Config:
    """The model's shape of a rung; the vocabulary is the tokenizer's budget unless given (its real size is known after training it)."""
    selected = select(label)
    return selected.model.config(vocab or selected.tokenizer.vocab)


def _params(
    selected: Selected, options: Options, config: Config, coder: Coder, packed: Mapping[str, Packed],
    stages: Mapping[str, Sequence[Row]], trainer: Trainer, seed: int,
) -> dict[str, object]:  # fmt: skip
    """Every setting of the run under one flat, documented name (docs/run.md)."""
    rung = selected.rung
    values: dict[str, object] = {
        "rung.label": selected.label, "rung.axis": rung.axis or "none", "rung.change": rung.change,
        "rung.baseline": rung.baseline or "none", "rung.gates": rung.gates,
        "seed.init_and_order": seed, "seed.data": 42, "budget.scale": options.scale, "engine.threads": trainer.machine.pool.threads,
        "engine.instruction_set": loader.current(), "engine.precision": trainer.precision, "engine.arena_bytes": trainer.machine.plan.bytes,
        "engine.guard": trainer.machine.guard,
        "model.parameters": config.parameter_count(), "model.init": selected.model.init, "model.init_std": selected.model.init_std,
        "tokenizer.kind": selected.tokenizer.kind, "tokenizer.reserved": selected.tokenizer.reserved,
        "tokenizer.size": coder.size, "data.surface": selected.spec.surface,
        "data.families": ",".join(selected.spec.families), "data.loss_on_prompt": rung.loss_on_prompt,
        "batch.rows": rung.rows, "batch.accumulate": rung.accumulate,
    }  # fmt: skip
    values |= {f"model.{k}": v for k, v in config.as_dict().items()}
    values |= {f"optimizer.{k}": v for k, v in rung.optimizer.model_dump().items()}
    for stage, budget in rung.budget.items():
        values |= {f"{stage}.{k}": v for k, v in budget.model_dump().items()}
        values |= {
            f"{stage}.steps": steps_of(budget, rung, trainer.time, options.scale),
            f"{stage}.rows": len(stages[stage]),
        }
        values |= {f"{stage}.windows": len(packed[stage].windows.ids), f"{stage}.fill": round(packed[stage].fill, 4)}
        values |= {f"{stage}.declared.{surface}": share for surface, share in rung.declared(stage).items()}
        if stage in rung.replay:
            values[f"{stage}.replay"] = rung.replay[stage].builder
    return values


def _realised(stage: str, rows: Sequence[Row], times: Sequence[int], recorder: Recorder) -> dict[str, object]:
    """What a stage really trained, from how often each of its rows was taken: rows, how many are different, and surfaces' shares."""
    taken: Counter[str] = Counter({row.surface: 0 for row in rows})
    for row, count in zip(rows, times, strict=True):
        taken[row.surface] += int(count)
    different = {r.text for r in rows}
    trained_ = {r.text for r, count in zip(rows, times, strict=True) if count}
    if len(trained_) < len(different):
        recorder.say(f"{stage}: the budget reached {len(trained_)} of {len(different)} different rows")
    values: dict[str, object] = {
        f"{stage}.rows_taken": taken.total(), f"{stage}.rows_different": len(different), f"{stage}.rows_trained": len(trained_),
    }  # fmt: skip
    return values | {f"{stage}.realised.{s}": round(n / taken.total(), 6) for s, n in taken.items()}


def save(
    folder: Path,
    trainer: Trainer,
    coder: Coder,
    seed: int,
    hashes: dict[str, str],
    measures: dict[str, float],
    cursors: Mapping[str, Mapping[str, int]],
    crossed: Sequence[Mapping] = (),
) -> Path:
    """The finished checkpoint with its tokenizer: what is registered, served, promoted and continued."""
    state = {
        "step": trainer.updates,
        "stages": cursors,  # where each stage's data stream stands: the order of an epoch follows from seed, stage and epoch
        "random": {"generator": "Philox4x32-10", "seed": seed},
        "tokens": measures["processed_tokens"],
        "crossed": list(crossed),  # steps at which training went on from another envelope
        "hashes": hashes,
    }
    files, config = coder.files(trainer.config.ctx), trainer.config
    return checkpoint.save(
        folder / "checkpoint",
        config,
        trainer.weights(),
        trainer.moments(),
        state,
        files,
        eos=coder.eos,
        pad=coder.pad,
        precision=trainer.precision,
    )


# ------------------------------------------------------------------------------------------------- results


def _frontiers(folder: Path, selected: Selected, outputs: Sequence[Output]) -> dict[str, float]:
    """The measure of each frontier of the spec's curriculum, and how many lie beyond their bounds; nothing where there is no curriculum."""
    values = curriculum.measured(selected.spec.name, outputs)
    if not values:
        return {}
    reached = curriculum.reached(values)
    write_json(folder / "frontiers.json", {"values": values, "reached": reached})
    known = {f"frontier.{name}": value for name, value in values.items() if value is not None}
    return {**known, "frontiers_reached": float(len(reached))}


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1, allow_nan=False, ensure_ascii=True) + "\n")


def _write_outcome(outcome: Outcome) -> None:
    """Raw outputs with their scores, one JSON line each; baselines, proof and hashes beside."""
    rows = [
        {
            "id": o.case["id"], "split": o.case["split"], "family": o.case["family"], "prompt": o.case["prompt"], "raw": o.raw, "stop": o.stop,
            "tokens": o.tokens, "failure": o.failure, "problem": o.score.problem, **o.score.bools(),
            "columns": {name: c.as_dict() for name, c in o.columns.items()},
        }
        for o in outcome.outputs
    ]  # fmt: skip
    (outcome.folder / "outputs.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    write_json(outcome.folder / "baselines.json", outcome.baselines)
    write_json(outcome.folder / "splits.json", outcome.proof)
    write_json(outcome.folder / "hashes.json", outcome.hashes)
    write_json(outcome.folder / "measures.json", outcome.measures)
    found = diagnosis.facts(outcome.contract, outcome.outputs, outcome.measures)
    write_json(outcome.folder / "autopsy.json", diagnosis.report(found))


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
        columns = {
            name: column.again(contract, cases[row["id"]], saved, row["raw"], scored)
            for name, saved in row.get("columns", {}).items()
        }
        outputs.append(Output(cases[row["id"]], row["raw"], row["stop"], row["tokens"], scored, failure, columns))
    return Outcome(
        folder, folder / "checkpoint", contract, outputs, stored("baselines"), stored("splits"), stored("parity"), stored("hashes"),
        stored("measures"),
    )  # fmt: skip
