"""What a finished run leaves in MLflow: final metrics, tables, pictures, the note, the logged model and its registered version."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tempfile
import threading
import time
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import mlflow
from mlflow.entities import LoggedModelOutput, Metric

from cengine import checkpoint
from cktrack import arena, board, dataset, judge, sheet
from cktrack.serving import MAX_NEW
from cktrack.store import COMPLETE, Store, set_tags
from experiments import compiler, ladder
from experiments.probes.contract import content_of
from experiments.run import Outcome
from experiments.session import Output
from experiments.spec import Selected
from promotion import recompute

ROOT = Path(__file__).resolve().parent.parent
SHOWN = 24  # cases whose pictures every run logs, and as many misses besides
PICTURE_WIDTH = 720  # pixels
PUBLISHED = "published.json"
ONE_MODEL = threading.Lock()  # to log a model MLflow runs its file, and keeps what that says in a global
ARTIFACTS = {
    "evidence": ("evidence.json", "contract.json", "splits.json", "parity.json"),
    "probes": ("scoreboard.json", "outputs.jsonl", "baselines.json", "hashes.json", "odd.json", "autopsy.json"),
    "engine": ("plan.json", "plan.svg"),
    "rows": ("profile.json", "profile.html"),
}


def publish(store: Store, run_id: str, label: str, outcome: Outcome) -> dict:
    """Log everything and register the checkpoint under its contract's name. Returns {model, version}, also kept in published.json.

    May be called again after a failure: what is there already is not logged twice.
    """
    selected = ladder.select(label)
    name = selected.spec.name
    model_id = log_model(store, run_id, selected, outcome)
    version = register_model(name, model_id, selected, outcome)
    weights = hashlib.sha256(checkpoint.read(outcome.checkpoint)["model.safetensors"]).hexdigest()
    parameters = len(checkpoint.load(outcome.checkpoint).config.parameters())
    evidence = judge.evidence_of(outcome, name, version, run_id, weights, parameters)
    rates = board.rates(recompute(evidence, judge.contract_of(outcome.contract), judge.scorer_of(outcome.contract)))

    (outcome.folder / "evidence.json").write_text(evidence.sealed())
    (outcome.folder / "scoreboard.json").write_text(json.dumps(board.rows(rates), indent=1) + "\n")
    plan = json.loads((outcome.folder / "plan.json").read_text())
    counted = json.loads((outcome.folder / "profile.json").read_text())
    (outcome.folder / "profile.html").write_text(dataset.page(counted), encoding="utf-8")
    (outcome.folder / "plan.svg").write_text(arena.svg(plan, f"Memory of a training step: {label}"))
    for folder, files in ARTIFACTS.items():
        for file in files:
            store.client.log_artifact(run_id, str(outcome.folder / file), folder)
    store.client.log_artifacts(run_id, str(outcome.folder / "tokenizer"), "tokenizer")
    log_metrics(store, run_id, model_id, outcome, rates)
    log_tables(store, run_id, outcome)
    log_pictures(store, run_id, outcome)
    set_tags(
        store,
        run_id,
        {"mlflow.note.content": board.note(outcome, rates, label, selected.rung.hypothesis)[: board.NOTE_LIMIT]},
    )
    tag_version(store, name, version, outcome, evidence.digest)
    complete = len(store.client.get_metric_history(run_id, "loss")) == int(outcome.measures["optimizer_steps"])
    set_tags(
        store,
        run_id,
        {COMPLETE: str(complete).lower(), "cktrack.version": version, "cktrack.folder": str(outcome.folder)},
    )
    published = {"model": name, "version": version}
    (outcome.folder / PUBLISHED).write_text(json.dumps(published) + "\n")
    return published


def log_model(store: Store, run_id: str, selected: Selected, outcome: Outcome) -> str:
    """The checkpoint as a logged model that can be served; returns its id."""
    step = int(outcome.measures["optimizer_steps"])
    experiment = store.client.get_run(run_id).info.experiment_id
    params = {
        "rung": selected.label,
        "weights_sha256": outcome.hashes["weights"],
        "contract_sha256": outcome.hashes["contract"],
    }
    logged = store.client.create_logged_model(
        experiment, f"{selected.spec.name}-{selected.name}", run_id, {"cktrack.rung": selected.label}, params, "scene"
    )
    with ONE_MODEL, tempfile.TemporaryDirectory() as folder:
        mlflow.pyfunc.log_model(
            name=f"{selected.spec.name}-{selected.name}",
            model_id=logged.model_id,
            python_model=str(ROOT / "cktrack" / "serving.py"),
            artifacts={"checkpoint": str(outcome.checkpoint)},
            code_paths=_code(Path(folder)),
            pip_requirements=[
                f"mlflow=={mlflow.__version__}",
                "numpy",
                "cffi",
                "tokenizers",
                "safetensors",
                "pydantic",
                "pyyaml",
                "defusedxml",
                "cairosvg",
            ],
            input_example=([outcome.contract["cases"][0]["prompt"]], {"max_new": MAX_NEW}),
            step=step,
        )
    store.client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step)])
    status = str(store.client.get_logged_model(logged.model_id).status)
    if status != "READY":
        raise RuntimeError(f"model {logged.model_id} is {status}, not READY; the artifact store did not take it")
    return str(logged.model_id)


def _code(folder: Path) -> list[str]:
    """The packages that serving needs, with the compiled engine and without its sources' build products."""
    leave = shutil.ignore_patterns("__pycache__", "generated", "*.o", "_engine.c", "cases", "*.pyc")
    for package in ("cengine", "experiments"):
        shutil.copytree(ROOT / package, folder / package, ignore=leave)
    return [str(folder / p) for p in ("cengine", "experiments")]


def register_model(name: str, model_id: str, selected: Selected, outcome: Outcome) -> str:
    """A new version of the contract's registered model, as text."""
    tags = {"cktrack.rung": selected.label, "cktrack.contract": outcome.hashes["contract"], "gate.status": "not judged"}
    return str(mlflow.register_model(f"models:/{model_id}", name, tags=tags).version)


def tag_version(store: Store, name: str, version: str, outcome: Outcome, evidence: str) -> None:
    tags = {"weights_sha256": outcome.hashes["weights"], "evidence": evidence, "identity": outcome.hashes["identity"]}
    for key, value in tags.items():
        store.client.set_model_version_tag(name, version, f"cktrack.{key}", value)


def log_metrics(store: Store, run_id: str, model_id: str, outcome: Outcome, rates: Mapping) -> None:
    """Final numbers at the last step, linked to the model and to the contract they were measured on."""
    step, now = int(outcome.measures["optimizer_steps"]), int(time.time() * 1000)
    values = {**board.metrics(rates), **outcome.measures}
    for name, splits in outcome.baselines.items():
        values |= {f"baseline.{name}.{s}": cell["k"] / cell["n"] for s, cell in splits.items()}
    contract = {
        "dataset_name": f"{outcome.contract['contract']} contract",
        "dataset_digest": outcome.hashes["contract"][:36],
    }
    points = [Metric(k, float(v), now, step, model_id=model_id, run_id=run_id, **contract) for k, v in values.items()]
    for at in range(0, len(points), 500):
        store.client.log_batch(run_id, metrics=points[at : at + 500])


def log_tables(store: Store, run_id: str, outcome: Outcome) -> None:
    """Pictures and raw outputs as tables for Training runs > Artifact evaluation: the case first, what to compare second."""
    shown = chosen(outcome.outputs)
    pictures = {
        "case": [o.case["id"] for o in shown],
        "got": [_image(o.score.svg) for o in shown],
        "expected": [_image(expected_svg(outcome.contract, o.case)) for o in shown],
        "failure": [o.failure for o in shown],
        "prompt": [o.case["prompt"] for o in shown],
    }
    _table(store, run_id, pictures, "probes/cases.json")
    rows = outcome.outputs
    texts = {
        "case": [o.case["id"] for o in rows],
        "raw": [o.raw for o in rows],
        "expected": [o.case["expected"] for o in rows],
        "failure": [o.failure for o in rows],
        "constrained": [_beside(o, "constrained") for o in rows],
        "repaired": [_beside(o, "repaired") for o in rows],
        "steps": [" ".join(o.columns["repaired"].steps) if "repaired" in o.columns else "" for o in rows],
        "stop": [o.stop for o in rows],
        "prompt": [o.case["prompt"] for o in rows],
        "split": [o.case["split"] for o in rows],
        "family": [o.case["family"] for o in rows],
        **{n: [getattr(o.score, n) for o in rows] for n in ("exact", "renderable", "materialized", "truncated")},
    }
    _table(store, run_id, texts, "probes/outputs.json")


def _beside(output: Output, name: str) -> str:
    """The text of a column, where it differs from the raw one."""
    found = output.columns.get(name)
    return "not measured" if found is None else "= raw" if found.text is None else found.text


def _table(store: Store, run_id: str, columns: dict, path: str) -> None:
    """Log a table unless it is there: MLflow would append the rows a second time."""
    if path not in {a.path for a in store.client.list_artifacts(run_id, path.partition("/")[0])}:
        store.client.log_table(run_id, columns, path)


def chosen(rows: list[Output]) -> list[Output]:
    """The same SHOWN cases, evenly over the contract, in every run (so that runs can be compared), then up to SHOWN other misses."""
    always = rows[:: -(-len(rows) // SHOWN)]
    kept = {o.case["id"] for o in always}
    return always + [o for o in rows if not o.score.exact and o.case["id"] not in kept][:SHOWN]


def expected_svg(contract: dict, case: dict) -> str:
    return compiler.compile_text(contract["surface"], case["expected"], content_of(contract, case)).svg


@lru_cache(maxsize=256)
def _png(svg: str) -> bytes:
    """The picture as PNG; drawn once, however many tables and files show it."""
    return compiler.png(svg, PICTURE_WIDTH)


def _image(svg: str | None) -> mlflow.Image:
    """The picture, or an empty one where nothing could be drawn."""
    from PIL import Image

    if svg is None:
        return mlflow.Image(Image.new("RGB", (PICTURE_WIDTH, 80), "#777777"))
    return mlflow.Image(Image.open(io.BytesIO(_png(svg))).convert("RGB"))


def log_pictures(store: Store, run_id: str, outcome: Outcome) -> None:
    """SVG and PNG files: a choice of hits and misses with what was expected beside a miss; and all of them on one HTML page."""
    folder = outcome.folder / "pictures"
    folder.mkdir(exist_ok=True)
    cases = []
    for output in chosen(outcome.outputs):
        name = output.case["id"]
        pictures = {"got": output.score.svg}
        if not output.score.exact:
            pictures["expected"] = expected_svg(outcome.contract, output.case)
        for kind, svg in pictures.items():
            if svg is not None:
                (folder / f"{name}.{kind}.svg").write_text(svg)
                (folder / f"{name}.{kind}.png").write_bytes(_png(svg))
            else:
                (folder / f"{name}.{kind}.txt").write_text(f"{output.score.problem}\n\n{output.raw}\n")
        labels = f"{output.case['split']}, {output.case['family']}: {output.failure}"
        problem = f"{output.score.problem}\n\n{output.raw}"
        cases.append(
            sheet.Shown(
                name,
                labels,
                output.case["prompt"],
                output.score.exact,
                output.score.svg,
                problem,
                pictures.get("expected"),
            )
        )
    (folder / "index.html").write_text(sheet.page(f"Pictures of run {run_id}", cases))
    store.client.log_artifacts(run_id, str(folder), "pictures")
