"""Checkpoints load in transformers as they are, survive being killed, and refuse to load when damaged."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from cengine import checkpoint
from cengine.checkpoint import CheckpointError
from cengine.decode import Decoder
from cengine.model import Config
from cengine.parity import sample_weights

CONFIG = Config(vocab=97, layers=2, d_model=48, d_ff=80, heads=4, kv_heads=2, head_dim=16, ctx=128, rope_theta=5e5)


def saved(folder, config=CONFIG, **extra):
    return checkpoint.save(folder / "c", config, sample_weights(config, 3), bos=1, eos=2, pad=0, **extra)


def test_what_is_saved_is_loaded(tmp_path):
    weights = sample_weights(CONFIG, 3)
    moments = {f"{k}_{n}": w * 0.5 for n, w in weights.items() for k in "mv"}
    place = checkpoint.save(tmp_path / "c", CONFIG, weights, moments, {"step": 7}, {"tokenizer.json": b"{}"}, 1, 2, 0)
    back = checkpoint.load(place)
    assert back.config == CONFIG and back.state["step"] == 7 and back.files["tokenizer.json"] == b"{}"
    assert all((back.weights[n] == w).all() for n, w in weights.items())
    assert all((back.moments[n] == m).all() for n, m in moments.items())


@pytest.mark.parametrize("tied", [True, False])
def test_transformers_loads_it_with_an_empty_report_and_equal_logits(tmp_path, tied):
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    config = Config(**{**CONFIG.as_dict(), "tied": tied})
    place = saved(tmp_path, config)
    model, report = transformers.AutoModelForCausalLM.from_pretrained(place, output_loading_info=True)
    assert type(model).__name__ == "Qwen3ForCausalLM"
    assert not any(report[k] for k in ("missing_keys", "unexpected_keys", "mismatched_keys")), report
    ids = np.random.default_rng(0).integers(0, 97, 100)
    decoder = Decoder(config, checkpoint.load(place).weights, slots=1)
    mine = decoder.forward(ids, [0] * 100, range(100))
    with torch.no_grad():
        theirs = model(torch.tensor(ids)[None]).logits[0].numpy()
    assert np.abs(mine - theirs).max() <= 1e-5
    assert model.generation_config.eos_token_id == 2 and model.config.rope_parameters["rope_theta"] == 5e5


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove", "manifest"])
@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "state.json"])
def test_damage_is_found_and_named(tmp_path, name, damage):
    place = saved(tmp_path)
    path = place / ("manifest.json" if damage == "manifest" else name)
    data = bytearray(path.read_bytes())
    if damage == "flip":
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    elif damage == "truncate":
        path.write_bytes(data[:-1])
    else:
        path.unlink()
    with pytest.raises(CheckpointError, match=path.name):
        checkpoint.load(place)


def rewritten(place, name, data: bytes | None):
    """The checkpoint with one file changed (or taken out) and a manifest that agrees with it."""
    contents = checkpoint.read(place)
    contents.pop(name) if data is None else contents.update({name: data})
    (place / name).unlink()
    for n, d in contents.items():
        (place / n).write_bytes(d)
    manifest = {n: {"sha256": hashlib.sha256(d).hexdigest(), "bytes": len(d)} for n, d in contents.items()}
    (place / "manifest.json").write_text(json.dumps(manifest))
    return place


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no JSON"),
        ("\xff", "is no JSON"),
        ("[]", "holds a list, expected a JSON object"),
        ("7", "holds a int, expected a JSON object"),
        ("{}", "does not list config.json, model.safetensors, state.json"),
        ('{"config.json": 1}', "config.json: got 1, expected sha256 and bytes"),
        ('{"config.json": {"bytes": 3}}', "expected sha256 and bytes"),
        ('{"../x": {"bytes": 3, "sha256": ""}}', "plain file names"),
    ],
)
def test_a_manifest_that_is_none_is_refused(tmp_path, text, message):
    place = saved(tmp_path)
    (place / "manifest.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(CheckpointError, match=message) as caught:
        checkpoint.load(place)
    assert "manifest.json" in str(caught.value) and "restore" in str(caught.value)


@pytest.mark.parametrize("data", [None, b"{", b"[]", b"{}", b"\xff"])
@pytest.mark.parametrize("name", ["config.json", "state.json", "model.safetensors"])
def test_a_wrong_file_is_named_also_where_the_manifest_agrees(tmp_path, name, data):
    place = rewritten(saved(tmp_path), name, data)
    with pytest.raises(CheckpointError, match=name):
        checkpoint.load(place)


def test_moments_of_another_model_are_refused(tmp_path):
    weights = sample_weights(CONFIG, 3)
    moments = {f"{k}_{n}": w for n, w in weights.items() for k in "mv"}
    moments.pop("v_model.norm.weight")
    place = checkpoint.save(tmp_path / "c", CONFIG, weights, moments)
    with pytest.raises(CheckpointError, match=r"optimizer\.safetensors.*v_model\.norm\.weight"):
        checkpoint.load(place)


def test_weights_of_another_precision_are_refused(tmp_path):
    weights = {n: w.astype(np.float16) for n, w in sample_weights(CONFIG, 3).items()}
    place = checkpoint.save(tmp_path / "c", CONFIG, weights)
    with pytest.raises(CheckpointError, match="wrong or missing"):
        checkpoint.load(place)


HF = checkpoint.hf_config(CONFIG, None, 2, 0)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"rope_parameters": None},
        {"rope_theta": None},
        {"rope_scaling": {"rope_type": "default", "rope_theta": 5e5}},
        {"sliding_window": 4096, "layer_types": None},  # switched off by use_sliding_window
    ],
)
def test_what_the_engine_computes_is_read_however_it_is_written(change):
    data = {k: v for k, v in {**HF, **change}.items() if v is not None}
    assert checkpoint.config_from_hf(data) == CONFIG


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "llama"}, "model_type: got 'llama', expected 'qwen3'"),
        ({"hidden_act": "gelu"}, "hidden_act: got 'gelu', expected 'silu'"),
        ({"attention_bias": True}, "attention_bias: got True"),
        ({"mlp_bias": True}, "mlp_bias: got True"),
        ({"use_sliding_window": True, "sliding_window": 64}, "use_sliding_window: got True"),
        ({"layer_types": ["full_attention", "sliding_attention"]}, "layer_types: got .*sliding_attention"),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}, r"rope_scaling\.rope_type: got 'yarn'"),
        ({"rope_scaling": {"type": "linear", "factor": 2.0}}, r"rope_scaling\.type: got 'linear'"),
        ({"rope_scaling": "yarn"}, "rope_scaling: got 'yarn'"),
        ({"rope_parameters": {"rope_type": "llama3", "rope_theta": 5e5}}, r"rope_parameters\.rope_type: got 'llama3'"),
        ({"rope_parameters": {"full_attention": {"rope_type": "default"}}}, r"rope_parameters\.full_attention: got"),
        ({"rope_parameters": {"rope_type": "default", "rope_theta": 1e4}}, "rope_theta: got 10000.0 and 500000.0"),
        ({"rope_parameters": None, "rope_theta": None}, "rope_theta: got nothing"),
        ({"partial_rotary_factor": 0.5}, "partial_rotary_factor: got 0.5"),
        ({"head_dim": None}, "head_dim: got nothing"),
        ({"vocab_size": "97"}, "vocab_size: got '97', expected a whole number"),
        ({"num_hidden_layers": 2.0}, "num_hidden_layers: got 2.0, expected a whole number"),
        ({"rms_norm_eps": "small"}, "rms_norm_eps: got 'small', expected a number"),
        ({"tie_word_embeddings": None}, "tie_word_embeddings: got nothing"),
        ({"num_attention_heads": 3}, "heads=3 is not a multiple"),
    ],
)
def test_what_the_engine_does_not_compute_is_refused(change, message):
    with pytest.raises(CheckpointError, match=message) as caught:
        checkpoint.config_from_hf({k: v for k, v in {**HF, **change}.items() if v is not None})
    assert str(caught.value).startswith("config.json: ")


def test_another_models_weights_are_refused(tmp_path):
    weights = sample_weights(CONFIG, 3)
    weights.pop("model.norm.weight")
    place = checkpoint.save(tmp_path / "c", CONFIG, weights)
    with pytest.raises(CheckpointError, match=r"model\.norm\.weight"):
        checkpoint.load(place)


def test_a_checkpoint_is_never_overwritten(tmp_path):
    place = saved(tmp_path)
    before = (place / "manifest.json").read_bytes()
    with pytest.raises(CheckpointError, match="never overwritten"):
        saved(tmp_path)
    assert (place / "manifest.json").read_bytes() == before


class Between(dict):
    """Contents during whose writing something else happens, after the first file."""

    def __init__(self, contents, act):
        super().__init__(contents)
        self.act = act

    def items(self):
        for number, item in enumerate(super().items()):
            if number == 1:
                self.act()
            yield item


def parts(folder):
    return [p.name for p in folder.iterdir() if ".part-" in p.name]


def test_two_writers_of_one_name_do_not_disturb_each_other(tmp_path):
    place = tmp_path / "c[1]"
    contents = {"a": b"1", "b": b"2"}

    def other():
        assert len(parts(tmp_path)) == 1
        checkpoint.write_directory(place, {"a": b"other"})
        assert len(parts(tmp_path)) == 1, "the live writer's files are still there"

    with pytest.raises(CheckpointError, match="never overwritten"):
        checkpoint.write_directory(place, Between(contents, other))
    assert [p.read_bytes() for p in place.iterdir()] == [b"other"] and not parts(tmp_path)


def test_left_overs_of_a_dead_writer_are_removed_and_of_other_names_are_not(tmp_path):
    for name in (".c.part-77", ".c.part-1-0badcafe", ".d.part-77"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").write_bytes(b"cut off")
    checkpoint.write_directory(tmp_path / "c", {"a": b"1"})
    assert parts(tmp_path) == [".d.part-77"] and (tmp_path / "c" / "a").read_bytes() == b"1"


def test_a_failed_write_leaves_nothing(tmp_path):
    def fail():
        raise OSError("disk full (planted)")

    with pytest.raises(OSError, match="disk full"):
        checkpoint.write_directory(tmp_path / "c", Between({"a": b"1", "b": b"2"}, fail))
    assert not list(tmp_path.iterdir())


def test_extra_files_cannot_leave_the_folder(tmp_path):
    with pytest.raises(CheckpointError, match="plain file name"):
        saved(tmp_path, files={"../evil": b""})


def test_another_envelope_is_refused_unless_told(tmp_path):
    state = json.loads((saved(tmp_path) / "state.json").read_text())
    checkpoint.check_envelope(state)
    state["envelope"]["instruction_set"] = "other"
    with pytest.raises(CheckpointError, match="would not be the same bits"):
        checkpoint.check_envelope(state)
    checkpoint.check_envelope(state, allow_other=True)


SAVER = """
import itertools, sys
from cengine import checkpoint
from cengine.model import Config
from cengine.parity import sample_weights
config = Config(vocab=97, layers=2, d_model=48, d_ff=80, heads=4, kv_heads=2, head_dim=16, ctx=128)
weights = sample_weights(config, 3)
print("ready", flush=True)
for i in itertools.count():
    moments = {f"{k}_{n}": w for n, w in weights.items() for k in "mv"}
    checkpoint.save(f"{sys.argv[1]}/step-{i:06d}", config, weights, moments, {"step": i})
"""


def test_a_kill_leaves_whole_checkpoints_only(tmp_path):
    """kill -9 at uneven moments while a process saves without pause: every directory that exists loads."""
    total = 0
    for round_ in range(5):
        folder = tmp_path / str(round_)
        folder.mkdir()
        process = subprocess.Popen([sys.executable, "-c", SAVER, str(folder)], stdout=subprocess.PIPE)
        process.stdout.readline()
        time.sleep(0.15 + 0.0137 * round_)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        for place in sorted(folder.glob("step-*")):
            assert checkpoint.load(place).state["step"] == int(place.name[5:])
            total += 1
        left = [name.removeprefix(".").partition(".part-")[0] for name in parts(folder)]
        for name in left:
            checkpoint.write_directory(folder / name, {"a": b"1"})
        assert not parts(folder), "the next writer of a name clears what a kill left of it"
    assert total > 5
