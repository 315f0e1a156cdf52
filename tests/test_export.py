"""`cktrack export` writes a whole folder or none, from wherever a checkpoint is kept, and refuses what it cannot export with a sentence."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from cengine import checkpoint, loader
from cengine.decode import Decoder
from cengine.model import Config, initial
from cktrack import cli
from cktrack.store import open_store

CONFIG = Config(vocab=40, layers=1, d_model=24, d_ff=32, heads=2, kv_heads=1, head_dim=12, ctx=32)
PROMPT, EOS = [3, 1, 4], 7


@pytest.fixture
def call(home, monkeypatch, capsys):
    """Runs `cktrack ARGUMENTS` in an empty folder; returns (exit code, standard output, what it said)."""
    place = home / "here"
    place.mkdir()
    monkeypatch.chdir(place)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cktrack", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", "400")
        with pytest.raises(SystemExit) as left:
            cli.main()
        told = capsys.readouterr()
        return left.value.code or 0, told.out, " ".join(told.err.split())

    return run


@pytest.fixture
def saved(tmp_path):
    """A run folder with its checkpoint."""
    weights = initial(CONFIG, 1, "normal", 0.3)
    moments = {f"{k}_{n}": 0.0 * w for n, w in weights.items() for k in "mv"}
    files = {"tokenizer.json": b"{}"}
    return checkpoint.save(tmp_path / "run-9" / "checkpoint", CONFIG, weights, moments, None, files, eos=EOS)


@pytest.fixture
def registered(home, empty_database, saved):
    """The checkpoint as version 1 of the model `spec`, which is champion; returns the run's id."""
    shutil.copy(empty_database, home / "mlflow.db")
    client = (store := open_store()).client
    experiment = store.experiment("spec")
    run_id = client.create_run(experiment).info.run_id
    model_id = client.create_logged_model(experiment, "spec", run_id).model_id
    client.log_model_artifacts(model_id, str(saved.parent))
    client.finalize_logged_model(model_id, "READY")
    client.create_registered_model("spec")
    client.create_model_version("spec", f"models:/{model_id}", run_id, model_id=model_id)
    client.set_registered_model_alias("spec", "champion", "1")
    return run_id


def test_an_exported_folder_is_all_that_a_c_compiler_needs(call, saved, tmp_path):
    code, out, _ = call("export", saved, "--format", "c", "--json")
    place = tmp_path / "here" / "run-9-decode"
    assert code == 0 and json.loads(out)["folder"] == str(place)
    assert sorted(f.name for f in place.iterdir()) == ["decode.c", "model.safetensors", "tokenizer.json"]
    command = next(line for line in (place / "decode.c").read_text().splitlines() if line.strip().startswith("cc "))
    assert subprocess.run(command.split(), cwd=place).returncode == 0
    told = subprocess.run(
        ["./decode", "model.safetensors", "20"], cwd=place, input="3 1 4\n", capture_output=True, text=True
    )
    loader.choose("portable")
    try:
        answer = Decoder(CONFIG, checkpoint.load(saved).weights, slots=1).generate([PROMPT], 20, EOS)[0]
    finally:
        loader.choose()
    assert [int(i) for i in told.stdout.split()] == answer.ids and answer.ids


def test_a_step_is_exported_with_the_moments(call, saved, tmp_path):
    assert call("export", saved.parent, "--what", "step", "--rows", "3", "--out", "trainer")[0] == 0
    place = tmp_path / "here" / "trainer"
    names = {"step.c", "model.safetensors", "optimizer.safetensors", "tokenizer.json"}
    assert {f.name for f in place.iterdir()} == names and "STEP_ROWS = 3," in (place / "step.c").read_text()


def test_the_hugging_face_format_is_the_checkpoint_itself(call, saved, tmp_path):
    assert call("export", saved, "--format", "hf", "--out", "copy")[0] == 0
    copy = tmp_path / "here" / "copy"
    assert {f.name: f.read_bytes() for f in copy.iterdir()} == {f.name: f.read_bytes() for f in saved.iterdir()}


@pytest.mark.parametrize("what", ["spec/1", "spec@champion", "models:/spec@champion", "run id"])
def test_what_the_store_keeps_is_found(call, registered, tmp_path, what):
    code, _, told = call("export", registered if what == "run id" else what)
    assert code == 0, told
    assert (tmp_path / "here" / "spec-1-decode" / "decode.c").is_file()


def test_what_the_store_does_not_keep_is_named(call, registered):
    for what, said in {
        "spec/2": "there is no spec version 2; registered models: spec",
        "spec@best": "there is no alias 'best' of spec; registered models: spec",
        "0" * 32: f"run {'0' * 32} has registered no model",
    }.items():
        code, _, told = call("export", what)
        assert code == 2 and said in told and "Traceback" not in told


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("absent", "got 'absent', which is no folder here; expected a checkpoint folder, a run folder, a run id"),
        (".", "holds no manifest.json, so it is no checkpoint"),
        ("spec/1 --format onnx", "--format: got 'onnx'; expected c or hf or gguf"),
        ("spec/1 --what train", "--what: got 'train'; expected decode or step"),
        ("spec/1 --format hf --what step", "--what: got 'step' with --format hf"),
        ("spec/1 --rows 2", "--rows: got 2; expected it with --what step alone"),
        ("spec/1 --what step --rows -1", "--rows: got -1; expected 0 for one row"),
        ("spec/1 --out .", "export: . exists; an export is never overwritten"),
    ],
)
def test_wrong_input_is_refused_before_a_store_is_opened(call, tmp_path, arguments, said):
    code, _, told = call("export", *arguments.split())
    assert code == 2 and said in told and "Traceback" not in told, told
    assert not list((tmp_path / "here").iterdir()) and not (tmp_path / "mlflow.db").exists()


def test_a_damaged_checkpoint_leaves_nothing(call, saved, tmp_path):
    weights = bytearray((saved / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (saved / "model.safetensors").write_bytes(weights)
    for format_ in ("c", "hf"):
        code, _, told = call("export", saved, "--format", format_)
        assert code == 2 and "model.safetensors is damaged" in told
    assert not list((tmp_path / "here").iterdir())


def test_a_second_export_does_not_overwrite_the_first(call, saved):
    assert call("export", saved)[0] == 0
    code, _, told = call("export", saved)
    assert code == 2 and "run-9-decode exists; an export is never overwritten, choose another --out" in told
