"""The stages of a rung: an interrupted run goes on with the same bits, over the border of two stages; nothing half-written is used."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from cengine import checkpoint, random
from cengine.model import Config, initial
from cengine.parity import sample_batch
from cengine.train import Trainer
from experiments import ladder
from experiments.pack import Packed
from experiments.training import Unfinished, train_stages

CONFIG = Config(vocab=61, layers=1, d_model=32, d_ff=48, heads=4, kv_heads=2, head_dim=8, ctx=512)


class Listener:
    """Remembers metrics, and ends the run at a step of a stage if asked to."""

    def __init__(self, end: tuple[str, int] | None = None):
        self.end, self.told, self.said = end, [], []

    def metrics(self, values, step):
        self.told.append((step, {k: v for k, v in values.items() if k != "tokens_per_second"}))

    def say(self, message):
        self.said.append(message)

    def progress(self, stage, done, total, values):
        if (stage, done) == self.end:
            raise KeyboardInterrupt


def packed(seed: int) -> Packed:
    return Packed(sample_batch(CONFIG, 24, 512, seed), tuple((i,) for i in range(24)), 24, 24 * 512, 24 * 512, 9000)


def run_stages(folder, listener, every=0.0):
    """Both stages of a real rung at a small shape; returns (weights' hash, totals, cursors)."""
    selected = ladder.select("spec12/r17")
    trainer = Trainer(CONFIG, selected.rung.rows, 512, threads=2)
    trainer.load(initial(CONFIG, 1))
    stages = {s: packed(i) for i, s in enumerate(selected.rung.stages())}
    with Unfinished(folder, "identity", trainer, listener, every) as unfinished:
        totals, cursors = train_stages(selected.rung, trainer, stages, packed(9), 0.05, 3, listener, unfinished)
        unfinished.done()
    return checkpoint.weights_digest(trainer.weights()), totals, cursors


@pytest.fixture(scope="module")
def whole():
    listener = Listener()
    return *run_stages(None, listener), listener


@pytest.mark.parametrize("stage", ["pretrain", "midtrain"])
@pytest.mark.parametrize("step", [1, 5])
def test_an_interrupted_run_goes_on_with_the_same_bits_and_the_whole_curve(tmp_path, whole, stage, step):
    with pytest.raises(KeyboardInterrupt):
        run_stages(tmp_path, Listener((stage, step)))
    listener = Listener()
    weights, totals, cursors = run_stages(tmp_path, listener)
    assert weights == whole[0] and cursors == whole[2]
    timed = {"training_seconds", "stage_seconds"}
    assert {k: v for k, v in totals.items() if k not in timed} == {k: v for k, v in whole[1].items() if k not in timed}
    assert sorted(listener.told, key=str) == sorted(whole[3].told, key=str)
    assert any("going on at step" in line for line in listener.said)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_checkpoint_is_said_and_not_used(tmp_path, whole):
    with pytest.raises(KeyboardInterrupt):
        run_stages(tmp_path, Listener(("midtrain", 2)))
    (kept,) = (tmp_path / "identity").glob("step-*")
    data = bytearray((kept / "model.safetensors").read_bytes())
    data[-5] ^= 1
    (kept / "model.safetensors").write_bytes(bytes(data))
    listener = Listener()
    assert run_stages(tmp_path, listener)[0] == whole[0]
    assert any("cannot be used" in line for line in listener.said)


def test_two_processes_with_one_identity_do_not_share_what_is_kept(tmp_path, whole):
    trainer = Trainer(CONFIG, 4, 512, threads=1)
    with Unfinished(tmp_path, "identity", trainer, Listener()):
        listener = Listener()
        assert run_stages(tmp_path, listener)[0] == whole[0]
        assert any("another process" in line for line in listener.said) and not list(tmp_path.rglob("step-*"))


class Slow(Listener):
    def progress(self, stage, done, total, values):
        time.sleep(0.05)


def test_killed_at_random_moments_it_ends_with_the_same_bits(tmp_path, whole):
    """kill -9, again and again, wherever it is: in a step, in a write, between two."""
    killed = 0
    for delay in 0.3 * random.uniform(5, random.stream_of("kill"), 4):
        seen = set(tmp_path.rglob("step-*"))
        process = subprocess.Popen([sys.executable, __file__, str(tmp_path)])
        while process.poll() is None and set(tmp_path.rglob("step-*")) <= seen:
            time.sleep(0.005)
        time.sleep(float(delay))
        if process.poll() is None:
            process.kill()
            killed += 1
        process.wait()
    assert killed and run_stages(tmp_path, Listener())[0] == whole[0]


if __name__ == "__main__":
    run_stages(Path(sys.argv[1]), Slow())
