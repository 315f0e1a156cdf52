"""One corpus, from files to scored outputs: the same verbs as a rung's, without anything that knows scenes.

    read -> reserve -> tokenize -> pack -> check parity -> train -> save -> probe -> compare with baselines

Sizes that the manifest leaves open follow from the rows: the context is what the longest row or answer needs, and a step takes as many
windows as hold about `batch` rows.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cengine import checkpoint, loader, parity
from cengine.decode import Decoder
from cengine.engine import Pool
from cengine.model import initial
from cengine.train import Optimizer, Trainer
from experiments import coders, dataset, source, split, token_audit, tokenizer
from experiments.corpus import Row
from experiments.ladder import digest
from experiments.pack import Packed, pack
from experiments.pools import shuffled
from experiments.preflight import machine
from experiments.probes import baseline
from experiments.probes import contract as contracts
from experiments.recorder import Recorder
from experiments.run import Options, save, write_json
from experiments.session import PROBE_SLOTS, Session
from experiments.spec import Budget, Rung
from experiments.spec import Shape as FullShape
from experiments.tokenizer import Coder
from experiments.training import Unfinished, train_stages
from experiments.userdata import reader
from experiments.userdata.manifest import NONE, TAGS, Manifest, ManifestError, read
from experiments.userdata.reader import Data
from experiments.userdata.reserve import policy, tag_forms
from experiments.userdata.score import METRICS, leaked, score
from experiments.violation import Violation, shorten

KIND = "byte_bpe"  # any text of a user comes back
LONGEST = 4096  # tokens of a context
WINDOW = 256  # tokens of a training window, unless a row is longer
BATCH, STEPS = 16, 300  # rows of an optimizer step, as long as the budget pays for so many steps
GRAIN = 64  # contexts and windows are multiples of it
DEV = 64  # cases of the held-out loss


@dataclass(frozen=True)
class Plan:
    """Sizes of a run: the model's shape, tokens of a window, and the schedule as a rung whose mixture is its own rows. `notes` say
    where they are not what the manifest asks for.
    """

    shape: FullShape
    window: int
    rung: Rung
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Prepared:
    """A corpus that was found fit to train: its manifest, data, tokenizer and sizes."""

    manifest: Manifest
    data: Data
    coder: Coder
    plan: Plan

    @property
    def notes(self) -> list[str]:
        return [*self.data.notes, *self.plan.notes]


def prepare(file: Path, threads: int | None = None) -> Prepared:
    """Read a manifest and all that it names. Raises ManifestError with every fault, also for a model that free memory does not hold;
    writes nothing.
    """
    manifest = read(file)
    data = reader.read(manifest, file.parent)
    coder = coders.train(KIND, data.training, policy(manifest, file.parent, data))
    plan = planned(manifest, data, coder)
    found = machine.room(plan.shape.config(coder.size), plan.rung.rows, plan.window, plan.rung.precision, threads, 1)
    if found.status == "FAIL":
        expected = f"{found.expected}; make the model smaller, or a step (train.batch)"
        raise ManifestError([Violation("model", f"a need of {found.got}", expected)])
    return Prepared(manifest, data, coder, plan)


def run(prepared: Prepared, folder: Path, recorder: Recorder, options: Options) -> dict:
    """Train and probe in a new `folder`. Returns the report, which is also `report.json` there."""
    started = time.monotonic()
    manifest, data, coder = prepared.manifest, prepared.data, prepared.coder
    folder.mkdir(parents=True, exist_ok=False)
    write_json(folder / "config.json", manifest.model_dump(mode="json"))
    facts = _write_data(folder, prepared, recorder)
    trainer, measures = _train(folder, prepared, recorder, options)
    decoder = Decoder(trainer.config, trainer.weights(), PROBE_SLOTS, pool=trainer.machine.pool)
    scored = probe(data.cases, coder, decoder, recorder)
    (folder / "outputs.jsonl").write_text("".join(json.dumps(o) + "\n" for o in scored))
    compared = baseline.evaluate([split.cut(t) for t in data.training], data.cases)
    report = {
        "name": manifest.name,
        "splits": summary(scored, leaked(data.stages, data.cases), compared),
        "processed_tokens": int(measures["processed_tokens"]),
        "seconds": round(time.monotonic() - started, 2),
        "training_seconds": round(measures["training_seconds"], 2),
        "optimizer_steps": int(measures["optimizer_steps"]),
        "held_out_bits_per_byte": measures["held_out_bits_per_byte"],
        "rows": {**data.as_dict(), "trained": len(data.training), "different": len(set(data.training))},
        "model": {**trainer.config.as_dict(), "parameters": trainer.config.parameter_count()},
        "train": {**manifest.train.model_dump(), "windows": prepared.plan.rung.rows, "window": prepared.plan.window},
        "tokenizer": facts,
        "notes": prepared.notes,
        "folder": str(folder),
    }
    write_json(folder / "report.json", report)
    return report


# ------------------------------------------------------------------------------------------------- sizes


def planned(manifest: Manifest, data: Data, coder: Coder) -> Plan:
    """Context, window and schedule for these rows; raises ManifestError for rows and prompts that are longer than the context."""
    rows = [len(p) + len(o) for p, o in _lengths(coder, [split.cut(t) for t in data.training])]
    asked = _lengths(coder, [(c["prompt"], f" {c['expected']}") for c in data.cases])
    most = contracts.budget(contract(data.cases), [len(o) + 1 for _, o in asked])
    need = max([*rows, *(len(p) + most for p, _ in asked)])
    ctx = manifest.model.ctx or min(LONGEST, _up(need))
    _refuse_long(data, rows, [len(p) + len(o) for p, o in asked], ctx, manifest.model.ctx is None)
    longest = max([*rows, *(len(p) + len(o) for p, o in asked)])
    window = min(ctx, max(WINDOW, _up(longest)))
    train, mean = manifest.train, sum(rows) / len(rows)
    step = train.batch * mean if train.batch else min(BATCH * mean, train.tokens / STEPS)
    count, share = max(1, round(step / window)), train.tokens // len(data.stages)
    pays = share // window
    if not pays:
        least = f"at least {len(data.stages) * window}, a window of {window} tokens a stage"
        expected = f"{least}; raise it, or shorten the longest row or probe"
        raise ManifestError([Violation("train.tokens", f"{train.tokens}, {share} a stage", expected)])
    note = f"train.batch asks for {count} windows of {window} tokens a step; train.tokens pays for {pays} a stage, and these are its one step"
    rung = schedule(manifest, data, min(count, pays))
    return Plan(manifest.model.at(ctx), window, rung, (note,) if count > pays else ())


def _up(tokens: int) -> int:
    return -(-tokens // GRAIN) * GRAIN


def _lengths(coder: Coder, parts: Sequence[tuple[str, str]]) -> list[tuple[list[int], list[int]]]:
    """Ids of both parts, in order."""
    ids = iter(coder.encode_many([t for pair in parts for t in pair]))
    return list(zip(ids, ids, strict=True))


def _refuse_long(data: Data, rows: Sequence[int], asked: Sequence[int], ctx: int, taken: bool) -> None:
    expected = f"at most ctx={ctx}" + (", the longest there is; shorten it" if taken else "; raise model.ctx")
    texts = [*zip(rows, data.training, strict=True), *zip(asked, (c["prompt"] for c in data.cases), strict=True)]
    long = [(n, text) for n, text in texts if n > ctx]
    faults = [Violation(shorten(text, 80), f"{n} tokens with its output", expected) for n, text in long[: reader.SHOWN]]
    if len(long) > reader.SHOWN:
        faults.append(Violation("rows and prompts", f"{len(long)} that are too long", expected))
    if faults:
        raise ManifestError(faults)


def schedule(manifest: Manifest, data: Data, count: int) -> Rung:
    """The stages' budgets, each by its share of the tokens, in steps of `count` windows."""
    share = manifest.train.tokens // len(data.stages)
    return Rung(
        baseline=None,
        axis=None,
        change="own rows",
        hypothesis="",
        held_constant=(),
        mixture={stage: {"rows": 1} for stage in data.stages},
        budget={
            stage: Budget(tokens=share, lr=manifest.train.lr / 2**number) for number, stage in enumerate(data.stages)
        },
        rows=count,
        precision="fp32",
        seed=manifest.train.seed,
    )


# ------------------------------------------------------------------------------------------------- training


def audit(prepared: Prepared) -> dict:
    """What is wrong or odd about the tokenizer of a corpus, on its rows and its probes. The texts of a file of reserved ones may be any."""
    rows = [*prepared.data.training, *(f"{c['prompt']} {c['expected']}" for c in prepared.data.cases)]
    tags = [form[1:] for form in tag_forms(prepared.data.training) if form.startswith(" ")]
    listed = prepared.manifest.reserved not in (TAGS, NONE)
    kept = [t.content.strip() for t in prepared.coder.inner.get_added_tokens_decoder().values()] if listed else []
    return token_audit.audit(prepared.coder, rows, tags, prepared.plan.shape.ctx, kept)


def _write_data(folder: Path, prepared: Prepared, recorder: Recorder) -> dict:
    """Rows, probes and tokenizer as files, told to the recorder; every text of the run must come back from its ids."""
    name, data, coder, ctx = prepared.manifest.name, prepared.data, prepared.coder, prepared.plan.shape.ctx
    dev = [Row(c["prompt"], c["expected"], "dev", *["rows"] * 4) for c in watched(prepared)]
    dataset.write(folder, name, data.stages, dev, recorder, ascii=False)
    write_json(folder / "probes.json", {"cases": data.cases})
    sha = hashlib.sha256((folder / "probes.json").read_bytes()).hexdigest()
    recorder.dataset(folder / "probes.json", f"{name} probes", "eval", sha)
    every = [*data.training, *(f"{c['prompt']} {c['expected']}" for c in data.cases)]
    facts = tokenizer.roundtrip(coder, list(dict.fromkeys(every)))
    (folder / "tokenizer").mkdir()
    for file, content in coder.files(ctx).items():
        (folder / "tokenizer" / file).write_bytes(content)
    write_json(folder / "tokenizer" / "audit.json", audit(prepared))
    recorder.say(
        f"{len(data.training)} rows, {len(data.cases)} cases; {coder.size} tokens, longest row {facts['longest_row']}, ctx {ctx}"
    )
    for note in [*_counted(data), *prepared.notes]:
        recorder.say(note)
    return facts


def _counted(data: Data) -> list[str]:
    """A sentence for everything that was counted in the rows and that a reader should know."""
    c = data.counts
    told = {
        f"{c.joined} rows were written over several lines and are joined": c.joined,
        f"{c.fragments} rows are only the beginning of another row and are left out": c.fragments,
        f"{c.contradictions} prompts are trained with two or more outputs": c.contradictions,
    }
    return [sentence for sentence, count in told.items() if count]


def watched(prepared: Prepared) -> list[dict[str, str]]:
    """The cases whose loss is watched while training goes: it decides nothing."""
    return shuffled(prepared.manifest.train.seed, "dev", prepared.data.cases)[:DEV]


def _train(folder: Path, prepared: Prepared, recorder: Recorder, options: Options) -> tuple[Trainer, dict[str, float]]:
    """Parity, then every stage, then the checkpoint."""
    coder, plan, seed = prepared.coder, prepared.plan, prepared.manifest.train.seed
    config, rung = plan.shape.config(coder.size), plan.rung
    recorder.say("parity: engine against float64 references at this model's shape")
    report = parity.cached(config, options.parity_cache, options.torch)
    write_json(folder / "parity.json", report)
    parity.require(report)

    def windows(texts: Sequence[str]) -> Packed:
        return pack(texts, coder, plan.window, seed, rung.loss_on_prompt)

    packed = {stage: windows([r.text for r in rows]) for stage, rows in prepared.data.stages.items()}
    dev = windows([f"{c['prompt']} {c['expected']}" for c in watched(prepared)])
    optimizer = Optimizer(**rung.optimizer.model_dump())
    trainer = Trainer(config, rung.rows, plan.window, optimizer, pool=Pool(options.threads))
    trainer.load(initial(config, seed))
    recorder.params(_flat(prepared, trainer))
    hashes = _hashes(prepared)
    with Unfinished(options.unfinished, hashes["identity"], trainer, recorder) as unfinished:
        measures, cursors = train_stages(rung, trainer, packed, dev, 1.0, seed, recorder, unfinished)
        save(folder, trainer, coder, seed, hashes, measures, cursors)
        unfinished.done()
    write_json(folder / "hashes.json", {**hashes, "weights": checkpoint.weights_digest(trainer.weights())})
    return trainer, measures


def _hashes(prepared: Prepared) -> dict[str, str]:
    """What the run is made of; `identity` covers all that decides its result."""
    manifest, data = prepared.manifest, prepared.data
    decided = [manifest.model_dump(mode="json"), data.training, data.cases, source.digest(), loader.current()]
    return {
        "corpus": digest(data.training),
        "probes": digest(data.cases),
        "tokenizer": prepared.coder.sha256(),
        "engine": loader.fingerprint(),
        "identity": digest([*decided, loader.fingerprint()]),
    }


def _flat(prepared: Prepared, trainer: Trainer) -> dict[str, object]:
    """Every setting under one flat name."""
    plan, manifest, config = prepared.plan, prepared.manifest, trainer.config
    values: dict[str, object] = {"corpus.name": manifest.name, "corpus.reserved": manifest.reserved}
    values |= {f"train.{k}": v for k, v in manifest.train.model_dump().items()}
    values |= {f"model.{k}": v for k, v in config.as_dict().items()} | {"model.parameters": config.parameter_count()}
    values |= {"batch.rows": plan.rung.rows, "batch.window": plan.window, "tokenizer.size": prepared.coder.size}
    values |= {"engine.threads": trainer.machine.pool.threads, "engine.instruction_set": loader.current()}
    for stage, budget in plan.rung.budget.items():
        values |= {f"{stage}.{k}": v for k, v in budget.model_dump().items()}
        values[f"{stage}.rows"] = len(prepared.data.stages[stage])
    return values


# ------------------------------------------------------------------------------------------------- probing


def contract(cases: Sequence[Mapping[str, str]]) -> dict:
    """The cases as decoding reads them: greedy, with the budget that a rung's contract has."""
    return {"cases": list(cases), "decode": {"budget_ratio": contracts.BUDGET, "budget_margin": contracts.MARGIN}}


def probe(cases: Sequence[dict[str, str]], coder: Coder, decoder: Decoder, recorder: Recorder) -> list[dict]:
    """Every case with what the model said, why it stopped, and its scores; equal prompts are asked once."""
    first = {c["prompt"]: c for c in reversed(cases)}
    asked = list(first.values())
    answers = Session(contract(asked), coder, decoder).ask(
        lambda done: recorder.progress("probe", done, len(asked), {})
    )
    said = dict(zip(first, answers, strict=True))
    rows = []
    for case in cases:
        raw, stop, tokens = said[case["prompt"]]
        rows.append({**case, "raw": raw, "stop": stop, "tokens": tokens, **score(case["expected"], raw, stop)})
    return rows


def summary(scored: Sequence[dict], leaks: Mapping[str, dict[str, int]], compared: Mapping[str, Mapping]) -> dict:
    """Split -> n, every metric as a rate, its count, leaked cases, and the baselines' exact rates."""
    table = {}
    for name, n in Counter(o["split"] for o in scored).items():
        counts = {m: sum(o[m] for o in scored if o["split"] == name) for m in METRICS}
        table[name] = {
            "n": n,
            **{metric: k / n for metric, k in counts.items()},
            "counts": counts,
            "leaked": leaks[name],
            "baselines": {b: cells[name]["k"] / cells[name]["n"] for b, cells in compared.items()},
        }
    return table
