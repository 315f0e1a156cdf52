"""The main job on real input, once: a rung is trained, proven, logged, crowned; a starved one is refused; forgeries are refused.

The slowest test file: it trains spec12/r17 on part of its budget (enough for every gate) and again on 2 %.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from attacks.forge import copy_of, own_contract
from rich.console import Console

from cengine import checkpoint, loader
from cktrack import promote as promotions
from cktrack import prove
from cktrack.rung import Result, run_rung
from cktrack.store import Store, StoreError, open_store
from experiments import ladder, run
from experiments.probes import constrain
from experiments.probes import contract as contracts
from experiments.run import Options
from promotion import BrokenChain, PromotionError

LABEL = "spec12/r17"
ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "parity"


@dataclass
class World:
    home: Path
    store: Store
    first: Result
    starved: Result
    forged: object
    crowned: object
    refused: object


@pytest.fixture(scope="module")
def world(tmp_path_factory, empty_database):
    """Two runs and two promotions in a home of their own."""
    place = tmp_path_factory.mktemp("main")
    before = dict(os.environ)
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID"):
        os.environ.pop(name, None)
    os.environ["CKTRACK_HOME"] = str(place)
    shutil.copy(empty_database, place / "mlflow.db")
    try:
        store, console = open_store(), Console(file=(place / "console.txt").open("w"))
        cache = place / ".cache" / "parity"
        if CACHE.is_dir():
            shutil.copytree(CACHE, cache)
        first = run_rung(store, LABEL, Options(scale=0.6, parity_cache=cache), console)
        with own_contract(store, place, first, lambda case: case["id"].endswith("7")):
            forged = promotions.promote(store, "spec12", first.version, dry_run=True)
        crowned = promotions.promote(store, "spec12", first.version)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(constrain, "MOST", 4)  # a mask for what says nothing yet takes seconds an answer
            starved = run_rung(store, LABEL, Options(scale=0.02, parity_cache=cache), console)
        refused = promotions.promote(store, "spec12", starved.version)
        shutil.copytree(cache, CACHE, dirs_exist_ok=True)
        yield World(place, store, first, starved, forged, crowned, refused)
    finally:
        os.environ.clear()
        os.environ.update(before)


def rates(world, scope="split.unseen_target"):
    metrics = world.store.client.get_run(world.first.run_id).data.metrics
    return {n: metrics[f"{n}.{scope}"] for n in ("exact", "renderable", "materialized", "truncation")}


def test_the_rung_says_unseen_targets_exactly(world):
    assert rates(world)["exact"] >= 0.98 and rates(world)["renderable"] >= 0.99 and rates(world)["truncation"] == 0.0
    outputs = [json.loads(line) for line in (Path(world.first.folder) / "outputs.jsonl").read_text().splitlines()]
    assert all(o["clean_stop"] for o in outputs if o["exact"]) and len(outputs) == 700


def test_the_first_champion_is_crowned_and_the_starved_one_refused_with_reasons(world):
    assert world.crowned.kind == "promoted" and world.refused.kind == "refused"
    blocking = {v.gate: v for v in world.refused.verdicts if v.blocks}
    assert "thresholds" in blocking and "not_inferior" in blocking and "valid_svg_rate" in blocking["thresholds"].why
    assert promotions.champion_version(world.store, "spec12") == world.first.version
    tags = world.store.client.get_model_version("spec12", world.starved.version).tags
    assert tags["gate.status"] == "refused" and "thresholds" in tags["gate.blocking"]
    page = world.store.client.get_model_version("spec12", world.first.version)
    assert page.tags["gate.status"] == "promoted" and "| gate |" in page.description


def test_the_run_page_holds_what_a_reader_needs(world):
    client = world.store.client
    found = client.get_run(world.first.run_id)
    params, tags, metrics = found.data.params, found.data.tags, found.data.metrics
    assert found.info.status == "FINISHED" and tags["logging.complete"] == "true" and tags["cktrack.rung"] == LABEL
    assert client.get_experiment(found.info.experiment_id).name == "spec12"
    for name in (
        "model.layers", "optimizer.beta2", "pretrain.tokens", "midtrain.realised.bridge", "seed.init_and_order",
        "sha256.contract", "sha256.corpus", "tokenizer.size", "git.commit",
    ):  # fmt: skip
        assert name in params, name
    assert "# spec12/r17" in tags["mlflow.note.content"] and "Baselines" in tags["mlflow.note.content"]
    for name in (
        "exact",
        "cases",
        "exact_low",
        "exact.family.decision_tree",
        "baseline.slot_copy.unseen_target",
        "held_out_bits_per_byte",
        "processed_tokens",
    ):
        assert name in metrics, name
    assert len(client.get_metric_history(world.first.run_id, "loss")) == metrics["optimizer_steps"]
    assert len(found.inputs.dataset_inputs) == 3
    paths = {
        a.path
        for folder in ("", "config", "evidence", "probes", "tokenizer", "pictures", "engine")
        for a in client.list_artifacts(world.first.run_id, folder)
    }
    assert {
        "evidence/evidence.json",
        "evidence/parity.json",
        "probes/outputs.json",
        "probes/cases.json",
        "tokenizer/tokenizer.json",
        "config/config.json",
        "pictures/index.html",
        "engine/plan.json",
        "engine/plan.svg",
    } <= paths
    assert any(p.endswith(".svg") for p in paths) and any(p.endswith(".png") for p in paths)


KINDS = {"risk": "FAMILY", "risk_cases": "FAMILY", "odd": "KIND", "frontier": "NAME"}


def test_every_name_that_a_run_logs_is_documented(world):
    text = "".join((ROOT / "docs" / page).read_text() for page in ("run.md", "probe.md"))
    data = world.store.client.get_run(world.first.run_id).data

    def documented(name):
        general = re.sub(r"^(pretrain|midtrain)\.", "STAGE.", name)
        general = re.sub(r"(declared|realised)\..*", r"\1.SURFACE", general)
        general = re.sub(r"^(risk|risk_cases|odd|frontier)\..*", lambda m: f"{m[1]}.{KINDS[m[1]]}", general)
        general = re.sub(
            r"^baseline\..*", "baseline.NAME.SPLIT", re.sub(r"\.(held_out|ood|split\..*|family\..*)$", "", general)
        )
        return f"`{general}`" in text

    assert not [n for n in (*data.params, *data.metrics) if not documented(n)]


def test_the_logged_model_carries_the_scores_and_serves(world):
    import mlflow

    version = world.store.client.get_model_version("spec12", world.first.version)
    model = world.store.client.get_logged_model(version.source.removeprefix("models:/"))
    assert {m.key: m.value for m in model.metrics}["exact"] == rates(world, "held_out")["exact"] == 1.0
    served = mlflow.pyfunc.load_model("models:/spec12@champion")
    case = json.loads((Path(world.first.folder) / "contract.json").read_text())["cases"][-1]
    assert served.predict([case["prompt"]]) == [{"text": case["expected"], "stop": "eos"}]
    (short,) = served.predict([case["prompt"]], params={"max_new": 3})
    assert short["stop"] == "budget" and case["expected"].startswith(short["text"])


def test_the_checkpoint_is_whole_and_knows_its_hashes(world):
    loaded = checkpoint.load(Path(world.first.folder) / "checkpoint")
    assert loaded.moments is not None and loaded.state["hashes"]["contract"] and "tokenizer.json" in loaded.files
    steps = {stage: cursor["step"] for stage, cursor in loaded.state["stages"].items()}
    assert sum(steps.values()) == loaded.state["step"] and set(steps) == {"pretrain", "midtrain"}
    assert loaded.state["random"] == {"generator": "Philox4x32-10", "seed": 42}


def test_an_equal_run_is_reused_and_said_so(world):
    console = Console(record=True, file=io.StringIO())
    again = run_rung(world.store, LABEL, Options(scale=0.6, parity_cache=CACHE), console)
    assert (
        again.reused
        and again.run_id == world.first.run_id
        and "same bits; reused" in console.export_text().replace("\n", " ")
    )


def test_an_edited_evidence_file_is_refused(world, tmp_path):
    forged = copy_of(
        world.store, world.first, tmp_path, lambda text: text.replace('"stop":"eos"', '"stop":"budget"', 1), "evidence"
    )
    with pytest.raises(PromotionError, match="edited after it was sealed"):
        promotions.promote(world.store, "spec12", forged)


def test_evidence_of_another_version_is_refused(world, tmp_path):
    event = promotions.promote(world.store, "spec12", copy_of(world.store, world.first, tmp_path), dry_run=True)
    assert event.kind == "refused"
    why = " ".join(v.why for v in event.verdicts if v.blocks)
    assert "not those of the evidence" in why or "version differs" in why or "run_id differs" in why


def blocking(event) -> dict:
    return {v.gate: v for v in event.verdicts if v.blocks}


def test_an_easier_contract_is_not_the_same_contract(world, tmp_path):
    def drop(text):
        contract = json.loads(text)
        contract["cases"] = contract["cases"][:300]
        return json.dumps(contract)

    event = promotions.promote(
        world.store, "spec12", copy_of(world.store, world.first, tmp_path, drop, "contract"), dry_run=True
    )
    assert event.kind == "refused" and "its own file" in blocking(event)["evidence_replayed"].why


def test_a_contract_that_a_run_brings_itself_judges_nobody(world):
    """Everything is sealed anew and fits together; only the ladder says otherwise."""
    assert world.forged.kind == "refused"
    assert "the challenger was probed under" in blocking(world.forged)["contract_kept"].why
    assert world.forged.subject.contract == world.crowned.subject.contract


def test_a_contract_that_was_changed_on_purpose_must_be_asked_for(world, monkeypatch):
    again = prove.again

    def changed(selected):
        proven = again(selected)
        contract = {**proven.contract, "cases": proven.contract["cases"][::12]}
        own = contracts.sha256(contract)
        return prove.Proven(contract, own, proven.leak.model_copy(update={"contract": own}))

    monkeypatch.setattr(prove, "again", changed)
    event = promotions.promote(world.store, "spec12", world.starved.version, dry_run=True)
    why = blocking(event)["contract_kept"].why
    assert "the champion was crowned under" in why and "the challenger was probed under" in why
    event = promotions.promote(world.store, "spec12", world.starved.version, dry_run=True, new_contract=True)
    kept = next(v for v in event.verdicts if v.gate == "contract_kept")
    assert kept.status == "PASS" and "asked for as a new contract" in kept.why
    assert not {"completeness", "same_cases", "no_leak"} & set(blocking(event))


def test_a_champion_of_another_envelope_is_only_compared_with_if_asked(world, monkeypatch):
    real = checkpoint.trained_in
    holder = Path(world.first.folder) / "checkpoint"
    weights = checkpoint.load(holder).state["weights_sha256"]
    monkeypatch.setattr(checkpoint, "trained_in", lambda s: "avx2 bf16" if s["weights_sha256"] == weights else real(s))
    event = promotions.promote(world.store, "spec12", world.starved.version, dry_run=True)
    assert (
        "the champion in avx2 bf16; if they are to be compared, ask with --across"
        in blocking(event)["envelope_kept"].why
    )
    event = promotions.promote(world.store, "spec12", world.starved.version, dry_run=True, across=True)
    assert "envelope_kept" not in blocking(event)


def test_rows_that_are_not_the_ladders_are_refused(world, monkeypatch):
    again = prove.again

    def others(selected):
        proven = again(selected)
        return replace(proven, leak=proven.leak.model_copy(update={"corpus": ladder.digest("other rows")}))

    monkeypatch.setattr(prove, "again", others)
    event = promotions.promote(world.store, "spec12", world.starved.version, dry_run=True)
    assert "corpus is" in blocking(event)["no_leak"].why


def test_parity_is_this_machines_and_not_what_the_run_said(world, monkeypatch):
    real = prove.parity_of
    monkeypatch.setattr(prove, "parity_of", lambda *model: real(*model).model_copy(update={"worst": 0.5}))
    event = promotions.promote(world.store, "spec12", world.starved.version, dry_run=True)
    assert "worst relative error is 0.5" in blocking(event)["parity"].why


def test_a_tag_does_not_choose_the_gates(world):
    client, version = world.store.client, world.starved.version
    client.set_model_version_tag("spec12", version, "cktrack.rung", "spec12/other")
    try:
        event = promotions.promote(world.store, "spec12", version, dry_run=True)
    finally:
        client.set_model_version_tag("spec12", version, "cktrack.rung", LABEL)
    assert (
        event.stage == "stage_b" and "the version's tag says spec12/other" in blocking(event)["evidence_replayed"].why
    )


def test_a_version_whose_run_was_deleted_is_not_judged(world):
    client = world.store.client
    client.delete_run(world.starved.run_id)
    try:
        with pytest.raises(StoreError, match=r"is deleted; .* `mlflow runs restore"):
            promotions.promote(world.store, "spec12", world.starved.version, dry_run=True)
    finally:
        client.restore_run(world.starved.run_id)


def test_a_champion_whose_run_was_deleted_is_still_compared_with(world):
    client = world.store.client
    client.delete_run(world.first.run_id)
    try:
        event = promotions.promote(world.store, "spec12", world.starved.version, dry_run=True)
    finally:
        client.restore_run(world.first.run_id)
    assert event.judged_against == world.first.version and "not_inferior" in blocking(event)


def test_asking_for_the_champion_changes_nothing(world):
    before = world.store.client.get_model_version("spec12", world.first.version)
    event = promotions.promote(world.store, "spec12", world.first.version)
    after = world.store.client.get_model_version("spec12", world.first.version)
    assert event == world.crowned and (before.tags, before.description) == (after.tags, after.description)
    assert promotions.history(world.store, "spec12")[0].history[-1] == world.refused


def test_the_runs_note_ends_with_the_gates(world):
    notes = [
        world.store.client.get_run(r.run_id).data.tags["mlflow.note.content"] for r in (world.first, world.starved)
    ]
    assert all(n.count("## Gates") == 1 and len(n) <= 7900 and n.startswith("# spec12/r17") for n in notes)
    assert "became champion" in notes[0] and "was refused" in notes[1] and "| thresholds |" in notes[1]


def liar(world, **changes):
    """The starved version with the good version's evidence."""
    contract = prove.again(ladder.select(LABEL)).contract
    candidate = promotions.fetch(world.store, "spec12", world.starved.version)
    good = promotions.fetch(world.store, "spec12", world.first.version)
    return replace(candidate, evidence=good.evidence, **changes), contract


def test_outputs_that_the_checkpoint_does_not_give_are_found(world):
    candidate, contract = liar(world)
    faults = promotions.matrix_of("spec12", candidate, contract).faults
    assert any("does not give the stored output again" in f for f in faults) and any("weights" in f for f in faults)


def test_where_the_same_bits_are_not_promised_todays_outputs_count(world):
    """A checkpoint whose envelope was edited is asked all the same, and what it says is what is judged."""
    candidate = promotions.fetch(world.store, "spec12", world.starved.version)
    edited = replace(candidate.checkpoint, state={**candidate.checkpoint.state, "envelope": {"engine": "another"}})
    candidate, contract = liar(world, checkpoint=edited)
    matrix = promotions.matrix_of("spec12", candidate, contract)
    honest = json.loads((Path(world.starved.folder) / "scoreboard.json").read_text())
    exact = next(r for r in honest if r["scope"] == "all" and r["metric"] == "exact")
    assert sum(row.exact for row in matrix.rows) == exact["k"]


def test_an_alias_moved_by_hand_is_noticed_and_repaired(world):
    client = world.store.client
    client.set_registered_model_alias("spec12", "champion", world.starved.version)
    with pytest.raises(StoreError, match="moved outside of cktrack"):
        promotions.promote(world.store, "spec12", world.first.version)
    assert promotions.repair(world.store, "spec12").version == world.first.version
    assert promotions.champion_version(world.store, "spec12") == world.first.version


def test_a_rewritten_journal_is_noticed(world):
    journal = promotions.Journal(world.store, "spec12")
    events = world.home / "mlartifacts" / "promotion" / journal.run_id / "artifacts" / "events"
    last = sorted(events.glob("*.json"))[-1]
    kept = last.read_text()
    last.unlink()
    try:
        with pytest.raises(BrokenChain, match="missing at the end"):
            promotions.history(world.store, "spec12")
    finally:
        last.write_text(kept)
    assert promotions.history(world.store, "spec12")[0].version == world.first.version


def test_two_promoters_cannot_be_at_work_at_once(world):
    client = world.store.client
    client.create_registered_model(
        "spec12-promotion-lock", tags={"holder": "elsewhere:1", "since": "2999-01-01T00:00:00+00:00"}
    )
    try:
        with pytest.raises(StoreError, match="wait for it to end"):
            promotions.promote(world.store, "spec12", world.first.version)
    finally:
        client.delete_registered_model("spec12-promotion-lock")


def test_a_damaged_checkpoint_is_not_judged(world):
    version = world.store.client.get_model_version("spec12", world.starved.version)
    import mlflow

    place = next(Path(mlflow.artifacts.download_artifacts(version.source)).rglob("model.safetensors"))
    data = bytearray(place.read_bytes())
    data[-1] ^= 1
    kept = place.read_bytes()
    place.write_bytes(data)
    try:
        with pytest.raises(checkpoint.CheckpointError, match=r"model\.safetensors is damaged"):
            promotions.promote(world.store, "spec12", world.starved.version)
    finally:
        place.write_bytes(kept)


def test_a_failed_parity_refuses_to_train_and_the_run_says_failed(world, monkeypatch, tmp_path):
    from cengine import parity

    monkeypatch.setattr(
        parity,
        "cached",
        lambda *a, **k: {
            "passed": False,
            "cached": False,
            "checks": [
                {
                    "check": "gradients",
                    "against": "planted",
                    "value": 0.5,
                    "bound": 1e-5,
                    "status": "fail",
                    "worst": "w",
                }
            ],
        },
    )
    before = {r.info.run_id for r in world.store.client.search_runs([world.store.experiment("spec12")])}
    with pytest.raises(parity.ParityError, match="nothing is trained"):
        run_rung(world.store, LABEL, Options(scale=0.01, seed=5), Console(file=io.StringIO()))
    after = world.store.client.search_runs([world.store.experiment("spec12")])
    new = [r for r in after if r.info.run_id not in before]
    assert [r.info.status for r in new] == ["FAILED"] and "loss" not in new[0].data.metrics


def test_the_command_line_exits_with_what_happened(world):
    def call(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "cktrack", *arguments],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )

    refused = call("promote", "spec12", world.starved.version, "--dry-run", "--json")
    assert refused.returncode == 3 and json.loads(refused.stdout)["kind"] == "refused"
    shown = call("champion", "spec12", "--json")
    assert shown.returncode == 0 and json.loads(shown.stdout)["champion"] == world.first.version
    wrong = call("promote", "spec12", "999")
    assert (
        wrong.returncode == 2 and "there is no spec12 version 999" in wrong.stderr and "Traceback" not in wrong.stderr
    )
    again = call("rung", "run", LABEL, "--budget-scale", "0.6", "--promote")
    assert again.returncode == 0 and "reused" in again.stderr and "holds the champion alias already" in again.stderr
    holds = call("promote", "spec12", world.first.version)
    assert holds.returncode == 0 and "holds the champion alias already" in holds.stderr
    events = len(promotions.history(world.store, "spec12")[0].history)
    judged = call("rung", "run", LABEL, "--budget-scale", "0.02", "--promote")
    assert judged.returncode == 3 and "judged before, and not again" in judged.stderr
    assert len(promotions.history(world.store, "spec12")[0].history) == events


def test_what_is_logged_as_trained_is_what_was_trained(world):
    """The starved run stops in the middle of its rows: shares are those of the windows it took, not of the file."""
    for result in (world.starved, world.first):
        params = world.store.client.get_run(result.run_id).data.params
        for stage in ("pretrain", "midtrain"):
            declared = {k.rpartition(".")[2]: float(v) for k, v in params.items() if k.startswith(f"{stage}.declared.")}
            realised = {k.rpartition(".")[2]: float(v) for k, v in params.items() if k.startswith(f"{stage}.realised.")}
            assert set(declared) == set(realised) and sum(realised.values()) == pytest.approx(1, abs=1e-5)
            assert all(abs(realised[s] - declared[s]) < 0.15 for s in declared)
            taken, trained, different = (int(params[f"{stage}.rows_{k}"]) for k in ("taken", "trained", "different"))
            assert 0 < trained <= min(taken, different) and different <= int(params[f"{stage}.rows"])
    params = world.store.client.get_run(world.starved.run_id).data.params
    assert int(params["midtrain.rows_trained"]) < 0.2 * int(params["midtrain.rows_different"])
    assert params["midtrain.realised.bridge"] != params["midtrain.declared.bridge"]


def test_the_data_sets_are_what_they_say(world):
    """Training holds no probe and no held-out row, the digest is that of the file, and the file is an artifact of the run."""
    import hashlib

    import mlflow
    from datasets import Dataset

    run_, folder = world.store.client.get_run(world.first.run_id), Path(world.first.folder)
    sets = {i.dataset.name: (i.dataset, {t.key: t.value for t in i.tags}) for i in run_.inputs.dataset_inputs}
    contexts = {name: tags["mlflow.data.context"] for name, (_, tags) in sets.items()}
    assert contexts == {"spec12 rows": "training", "spec12 held-out rows": "validation", "spec12 contract": "eval"}
    table = mlflow.artifacts.download_artifacts(run_id=world.first.run_id, artifact_path="rows/training.parquet")
    digest = hashlib.sha256(Path(table).read_bytes()).hexdigest()
    assert sets["spec12 rows"][0].digest == digest[:36] and sets["spec12 rows"][1]["sha256"] == digest
    rows = [
        f"{r['prompt']} {r['output']}" for r in Dataset.from_parquet(table, cache_dir=str(folder / "cache")).to_list()
    ]
    lines = [x for s in ("pretrain", "midtrain") for x in (folder / "rows" / f"{s}.txt").read_text().splitlines()]
    assert rows == lines and json.loads(sets["spec12 rows"][0].profile)["num_rows"] == len(lines)
    cases = json.loads((folder / "contract.json").read_text())["cases"]
    assert not {c["prompt"] for c in cases if c["split"] != "seen"} & {
        r.partition(" [OUT] ")[0] + " [OUT]" for r in rows
    }


@pytest.mark.parametrize(
    "file",
    ["experiments/prompts.yaml", "experiments/families/timeline/layout.py", "cengine/train.py", "cengine/c/pool.c"],
)
def test_a_change_of_any_source_is_another_identity(file, tmp_path):
    from experiments import source

    names = {p.relative_to(ROOT).as_posix() for p in source.files()}
    assert file in names and "cengine/decode.py" in names and not [n for n in names if "generated" in n]
    for path in source.files():
        (tmp_path / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, tmp_path / path.relative_to(ROOT))
    assert source.digest(tmp_path) == source.digest()
    with (tmp_path / file).open("a") as out:
        out.write("\n")
    assert source.digest(tmp_path) != source.digest()


def test_identity_covers_sources_and_the_rows_that_come_out(monkeypatch):
    from experiments import corpus, source

    selected, before = ladder.select(LABEL), run.identity(ladder.select(LABEL), Options())
    assert run.identity(selected, Options(seed=42)) == before
    with monkeypatch.context() as patch:
        patch.setattr(source, "digest", lambda: "other")
        assert run.identity(selected, Options()) != before
    with monkeypatch.context() as patch:
        rows = corpus.stage_rows
        patch.setattr(corpus, "stage_rows", lambda *a: rows(*a)[::-1])
        assert run.identity(selected, Options()) != before


def test_identity_covers_what_decides_the_bits():
    selected = ladder.select(LABEL)
    assert run.identity(selected, Options()) == run.identity(selected, Options(threads=2))
    assert len({run.identity(selected, Options(seed=s, scale=k)) for s in (None, 1) for k in (1.0, 0.5)}) == 4


def test_the_configuration_says_the_seed_and_the_precision_in_force(monkeypatch):
    monkeypatch.setattr(loader, "why_not", lambda precision: None)
    selected, options = ladder.select(LABEL), Options(seed=7, precision="bf16", scale=0.5)
    said = run.configuration(run.in_force(selected, options), options.scale)
    assert (said["rung"]["seed"], said["rung"]["precision"], said["budget_scale"]) == (7, "bf16", 0.5)
    plain = run.configuration(run.in_force(selected, Options(precision="fp32")), 1.0)["rung"]
    assert (plain["seed"], plain["precision"]) == (selected.rung.seed, "fp32")
    assert run.identity(selected, options) != run.identity(selected, Options(seed=7, scale=0.5, precision="fp32"))


@pytest.mark.parametrize(
    ("label", "own", "here", "trained_in"),
    [
        (LABEL, "auto", None, "bf16"),
        (LABEL, "auto", "no AMX", "fp32"),
        (LABEL, "fp32", None, "fp32"),
        ("spec19/canary", "auto", None, "fp32"),  # six layers
        ("spec02/deep", "auto", None, "fp32"),  # heads of 16
    ],
)
def test_a_rung_without_a_precision_takes_the_quickest_that_holds_its_bound(monkeypatch, label, own, here, trained_in):
    monkeypatch.setattr(loader, "why_not", lambda precision: here if precision == "bf16" else None)
    selected = ladder.select(label)
    chosen = selected.rung.model_copy(update={"precision": own})
    spec = selected.spec.model_copy(update={"rungs": {**selected.spec.rungs, selected.name: chosen}})
    selected = selected.model_copy(update={"spec": spec})
    assert run.in_force(selected, Options()).rung.precision == trained_in
    assert run.in_force(selected, Options(precision="fp32")).rung.precision == "fp32"


def test_rollback_needs_a_former_champion(world):
    with pytest.raises(PromotionError, match="expected a former champion"):
        promotions.rollback(world.store, "spec12", None, "")
