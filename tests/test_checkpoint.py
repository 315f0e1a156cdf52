"""Checkpoints load in transformers as they are, survive being killed, and refuse to load when damaged."""

from __future__ import annotations

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
    assert total > 5
