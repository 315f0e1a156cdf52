"""Training keeps its promises: the same bits for any threads, batch split and interruption; wrong input is refused."""

from __future__ import annotations

import numpy as np
import pytest

from cengine import checkpoint, loader
from cengine.model import Config, initial
from cengine.parity import sample_batch
from cengine.train import Batch, Optimizer, Schedule, Stream, Trainer, fit, held_out, part_of

SMALL = Config(vocab=97, layers=2, d_model=48, d_ff=80, heads=4, kv_heads=2, head_dim=12, ctx=64)
SCHEDULE = Schedule(2e-3, 20, 4)


PRECISION = ["fp32"]  # of the trainers that these tests make


@pytest.fixture(params=[*loader.INSTRUCTION_SETS, "bf16"])
def isa(request):
    if request.param == "bf16":
        if loader.why_not("bf16"):
            pytest.skip(loader.why_not("bf16"))
        PRECISION[0] = "bf16"
        yield "bf16"
        PRECISION[0] = "fp32"
        return
    if request.param not in loader.available():
        pytest.skip(f"this CPU has no {request.param}")
    yield loader.choose(request.param)
    loader.choose()


def windows(count: int = 12, time: int = 61) -> Batch:
    return sample_batch(SMALL, count, time, seed=3)


def trained(
    threads: int = 2,
    rows: int = 2,
    accumulate: int = 2,
    steps: int = 20,
    trainer: Trainer | None = None,
    stream: Stream | None = None,
    start: int = 0,
):
    trainer = trainer or fresh(threads, rows)
    stream = stream or Stream(windows(), seed=1)
    log = list(fit(trainer, stream, SCHEDULE, accumulate, start, start + steps))
    return trainer, stream, log


def fresh(threads: int = 2, rows: int = 2, guard: bool = False) -> Trainer:
    trainer = Trainer(SMALL, rows, 61, Optimizer(), threads, precision=PRECISION[0], guard=guard)
    trainer.load(initial(SMALL, 5))
    return trainer


def digest(trainer: Trainer) -> str:
    return checkpoint.weights_digest({**trainer.weights(), **trainer.moments()})


def test_weights_do_not_depend_on_the_number_of_threads(isa):
    assert len({digest(trained(threads)[0]) for threads in (1, 2, 4)}) == 1


def test_threads_may_be_given_and_taken_while_training_goes_on(isa):
    expected, trainer = digest(trained(1)[0]), fresh(1)
    pool = trainer.machine.pool

    class Changing(type(pool)):
        """Has another number of threads for every program."""

        def run(self, *arguments, **named):
            self.resize(self.threads % 3 + 1)
            super().run(*arguments, **named)

    pool.__class__ = Changing
    assert digest(trained(trainer=trainer)[0]) == expected and pool.threads == pool.wanted


def test_weights_do_not_depend_on_how_a_window_is_cut_into_batches(isa):
    results = [trained(rows=rows, accumulate=8 // rows, steps=6) for rows in (1, 2, 8)]
    assert len({digest(t) for t, _, _ in results}) == 1
    assert len({tuple((s.loss, s.grad_norm) for s in log) for _, _, log in results}) == 1


@pytest.mark.parametrize("cut", [1, 10, 19])
def test_twenty_steps_equal_a_stop_and_a_resume(cut, tmp_path):
    whole, _, log = trained()
    first, stream, start = trained(steps=cut)
    checkpoint.save(
        tmp_path / "c", SMALL, first.weights(), first.moments(), {"updates": first.updates, "stream": stream.state()}
    )
    back = checkpoint.load(tmp_path / "c")
    checkpoint.check_envelope(back.state)
    second = Trainer(back.config, 2, 61, Optimizer(), 1)
    second.load(back.weights, back.moments, back.state["updates"])
    resumed, _, rest = trained(
        steps=20 - cut, trainer=second, stream=Stream(windows(), 1, **back.state["stream"]), start=cut
    )
    assert digest(resumed) == digest(whole)
    assert [*start, *rest] == log


@pytest.mark.kernel
def test_the_loss_falls_and_guards_hold(isa):
    _, _, log = trained(trainer=fresh(guard=True))
    assert log[-1].loss < log[0].loss - 0.05


def test_a_window_averages_over_all_its_targets():
    """A batch with one target and a batch with many weigh by target, not by batch."""
    trainer, rows = fresh(), windows(4)
    few = Batch(rows.ids[:2], np.where(np.arange(61) == 5, rows.targets[:2], -100).astype(np.int32), rows.pos[:2])
    few.targets[:, 5] = 3
    many = Batch(rows.ids[2:], rows.targets[2:], rows.pos[2:])
    loss, valid = trainer.accumulate([few, many])
    parts = [(trainer.losses(b).astype(np.float64).sum(), b.valid()) for b in (few, many)]
    assert valid == parts[0][1] + parts[1][1]
    assert loss == pytest.approx(sum(p[0] for p in parts) / valid, rel=1e-9)


def test_the_schedule_warms_up_and_decays():
    linear, cosine = Schedule(1.0, 110, 10), Schedule(1.0, 110, 10, "cosine", 0.0)
    assert [linear.at(0), linear.at(9), linear.at(10)] == [0.1, 1.0, 1.0]
    assert linear.at(60) == pytest.approx(0.55) and linear.at(110) == pytest.approx(0.1)
    assert cosine.at(60) == pytest.approx(0.5) and cosine.at(110) == pytest.approx(0.0)
    assert Schedule(1.0, 10, 0, "constant").at(9) == 1.0


def test_a_stream_visits_every_window_once_an_epoch_and_continues_from_its_cursor():
    stream = Stream(windows(12), seed=4)
    epoch = [int(stream.order(0)[i]) for i in range(12)]
    assert sorted(epoch) == list(range(12)) and epoch != list(range(12))
    assert [int(i) for i in stream.order(1)] != epoch
    stream = Stream(windows(12), seed=4)
    stream.take(17)
    again = Stream(windows(12), 4, **stream.state())
    assert (stream.take(5).ids == again.take(5).ids).all()


def test_held_out_loss_counts_every_window_once():
    trainer, rows = fresh(), windows(5)
    result = held_out(trainer, rows, text_bytes=1000)
    single = Trainer(SMALL, 1, 61)
    single.load(initial(SMALL, 5))
    nats = sum(
        float(
            single.losses(Batch(rows.ids[i : i + 1], rows.targets[i : i + 1], rows.pos[i : i + 1]))
            .astype(np.float64)
            .sum()
        )
        for i in range(5)
    )
    assert result["targets"] == rows.valid()
    assert result["bits_per_byte"] == pytest.approx(nats / np.log(2) / 1000)


def test_a_diverging_step_stops_before_the_weights_are_touched():
    trainer = fresh()
    trainer.weights()["model.norm.weight"][:] = np.nan
    before = trainer.weights()["model.embed_tokens.weight"].copy()
    with pytest.raises(FloatingPointError, match="diverged"):
        trainer.step([sample_batch(SMALL, 2, 61, 0)], 1e-3)
    assert (trainer.weights()["model.embed_tokens.weight"] == before).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"heads": 6, "kv_heads": 4}, "heads=6 is not a multiple of kv_heads=4"),
        ({"head_dim": 7}, "head_dim=7; expected an even number from 8 to 256"),
        ({"head_dim": 258}, "from 8 to 256"),
        ({"ctx": 5000}, "at most 4096"),
        ({"layers": 0}, "layers is 0"),
    ],
)
def test_a_shape_the_engine_cannot_train_is_refused_with_a_sentence(change, message):
    with pytest.raises(ValueError, match=message):
        Config(**{**SMALL.as_dict(), **change})


def test_bad_batches_are_refused():
    trainer, good = fresh(), sample_batch(SMALL, 2, 61, 0)
    with pytest.raises(ValueError, match="no batch has a valid target"):
        trainer.accumulate([Batch(good.ids, np.full_like(good.targets, -100), good.pos)])
    with pytest.raises(ValueError, match=r"token ids must lie in 0\.\.96"):
        trainer.accumulate([Batch(good.ids + 97, good.targets, good.pos)])
    with pytest.raises(ValueError, match="pos must restart"):
        trainer.accumulate([Batch(good.ids, good.targets, good.pos + 1)])
    with pytest.raises(ValueError, match=r"token ids must lie in 0\.\.96"):
        trainer.accumulate([Batch(good.ids, np.where(good.targets == 3, 97, good.targets), good.pos)])
    with pytest.raises(ValueError, match=r"ids has shape \(2, 61\) of float64; expected .* of whole numbers"):
        trainer.accumulate([Batch(np.where(good.ids == 3, np.nan, good.ids), good.targets, good.pos)])
    with pytest.raises(ValueError, match=r"token ids must lie in"):
        trainer.accumulate([Batch(good.ids.astype(np.int64) + 2**32, good.targets, good.pos)])
    with pytest.raises(ValueError, match=r"expected \(2, 61\)"):
        trainer.accumulate([Batch(good.ids[:1], good.targets[:1], good.pos[:1])])


@pytest.mark.parametrize("pos", [[0, 1, 2, 3, 2, 3, 4, 5], [0, 1, 1, 1, 1, 0, 0, 0], [1, 2, 3, 4, 5, 6, 7, 8]])
def test_positions_that_do_not_restart_at_zero_are_refused(pos):
    trainer = Trainer(SMALL, 1, 8)
    trainer.load(initial(SMALL, 1))
    ids = np.zeros((1, 8), np.int32)
    with pytest.raises(ValueError, match="pos must restart"):
        trainer.accumulate([Batch(ids, ids, np.array([pos], np.int32))])


@pytest.mark.parametrize("shape", [(0, 8), (1, 0), (1, 10**6)])
def test_a_batch_without_tokens_or_beyond_the_context_is_refused(shape):
    with pytest.raises(ValueError, match=r"trainer: got .* expected"):
        Trainer(SMALL, *shape)


@pytest.mark.parametrize(
    ("rows", "time", "threads", "part"),
    [
        (4, 512, 2, 1),
        (16, 512, 4, 2),
        (7, 512, 4, 1),
        (8, 128, 2, 4),
        (1, 512, 64, 1),
        (5, 100, 3, 5),
        (16, 512, 64, 16),
    ],
)
def test_parts_of_a_batch_keep_the_threads_busy_and_divide_it(rows, time, threads, part):
    assert part_of(rows, time, threads) == part and rows % part == 0
