"""The stages of a rung: an interrupted run goes on with the same bits, over the border of two stages; nothing half-written is used."""

from __future__ import annotations

import pytest

from cengine import checkpoint, loader
from cengine.model import Config, initial
from cengine.parity import sample_batch
from cengine.train import Trainer
from experiments import ladder
from experiments.pack import Packed
from experiments.probes import curve
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


def run_stages(folder, listener, every=0.0, identity="identity", **options):
    """Both stages of a real rung at a small shape; returns (weights' hash, totals, cursors)."""
    selected = ladder.select("spec12/r17")
    trainer = Trainer(CONFIG, selected.rung.rows, 512, threads=2)
    trainer.load(initial(CONFIG, 1))
    stages = {s: packed(i) for i, s in enumerate(selected.rung.stages())}
    with Unfinished(folder, identity, trainer, listener, every, **options) as unfinished:
        totals, cursors = train_stages(selected.rung, trainer, stages, packed(9), 0.05, 3, listener, unfinished)
        unfinished.done()
        listener.crossed = unfinished.crossed
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


def test_what_the_curve_says_is_measured_over_all_stages(monkeypatch):
    for name, size in (("WINDOW", 2), ("LEAST", 4), ("PIECES", 2)):
        monkeypatch.setattr(curve, name, size)
    listener = Listener()
    _, totals, cursors = run_stages(None, listener)
    assert set(curve.MEASURES) < set(totals) and totals["lowest_fill"] == 1.0
    norms = [values["grad_norm"] for _, values in listener.told if "grad_norm" in values]
    assert len(norms) == sum(at["step"] for at in cursors.values())
    assert totals["gradient_left"] == sum(norms[-2:]) / sum(norms[:2])


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


@pytest.fixture
def elsewhere(tmp_path):
    """What was interrupted on the best instruction set, found by one who computes with another."""
    if len(loader.available()) < 2:
        pytest.skip("this CPU has one instruction set")
    with pytest.raises(KeyboardInterrupt):
        run_stages(tmp_path, Listener(("midtrain", 2)), identity="there", settings="same")
    yield loader.choose(loader.available()[-2])
    loader.choose()


def test_what_another_instruction_set_kept_is_told_and_left_alone(tmp_path, elsewhere, whole):
    listener = Listener()
    weights, _, _ = run_stages(tmp_path, listener, identity="here", settings="same")
    (told,) = [line for line in listener.said if "an interrupted run with these settings" in line]
    assert "instruction_set: checkpoint" in told and f"here {elsewhere!r}" in told and "--across" in told
    assert not any("going on at" in line for line in listener.said) and listener.crossed == []
    assert weights == run_stages(None, Listener())[0] != whole[0]
    assert list((tmp_path / "there").glob("step-*")), "what is kept there is still there"


def test_with_across_it_is_gone_on_from_and_the_checkpoint_says_so(tmp_path, elsewhere, whole):
    listener = Listener(("midtrain", 4))
    with pytest.raises(KeyboardInterrupt):
        run_stages(tmp_path, listener, identity="here", settings="same", across=True)
    assert any("going on at" in line for line in listener.said)
    (kept,) = (tmp_path / "here").glob("step-*")
    state, best = checkpoint.load(kept).state, loader.available()[-1]
    (crossed,) = state["crossed"]
    assert crossed["from"]["instruction_set"] == best and state["envelope"]["instruction_set"] == elsewhere
    assert checkpoint.trained_in(state) == f"{best} fp32, then {elsewhere} fp32"
    listener = Listener()
    weights, totals, _ = run_stages(tmp_path, listener, identity="here", settings="same")
    assert listener.crossed == [crossed] and totals["optimizer_steps"] == whole[1]["optimizer_steps"]
    assert weights != whole[0]


def test_other_settings_are_never_gone_on_from(tmp_path, elsewhere):
    listener = Listener()
    run_stages(tmp_path, listener, identity="here", settings="others", across=True)
    assert not any("interrupted" in line for line in listener.said) and listener.crossed == []
