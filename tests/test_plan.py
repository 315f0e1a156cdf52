"""The memory plan: lifetimes are kept, overlaps are found, and a kernel that writes outside its tensors is named."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cengine import loader
from cengine.checkpoint import weights_digest
from cengine.decode import Decoder
from cengine.engine import GuardError, Machine, Program
from cengine.ir import backward
from cengine.model import Config, initial, training_graph
from cengine.parity import sample_batch
from cengine.plan import place, verify
from cengine.train import Trainer, window_of

SMALL = Config(vocab=50, layers=2, d_model=32, d_ff=48, heads=4, kv_heads=2, head_dim=8, ctx=32)


def planned(config: Config = SMALL, rows: int = 2, time: int = 32):
    graph = training_graph(config, rows, time)
    calls, _ = backward(graph)
    calls = [*graph.calls, *calls]
    return graph, calls, place(graph, calls)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 3), st.integers(1, 40), st.integers(1, 4), st.sampled_from([8, 24, 66]), st.booleans())
def test_every_plan_passes_the_independent_check(rows, time, layers, head_dim, tied):
    config = dataclasses.replace(SMALL, layers=layers, head_dim=head_dim, tied=tied, ctx=64)
    _, calls, plan = planned(config, rows, time)
    verify(plan, calls)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 3), st.integers(1, 70), st.integers(1, 4), st.booleans())
def test_calls_may_also_run_one_by_one(rows, time, layers, tied):
    """A guarded run does not wait with what may run apart: lifetimes in its order must not meet in a place either."""
    window = window_of(dataclasses.replace(SMALL, layers=layers, tied=tied, ctx=70), rows, time)
    plan = place(window.graph, window.calls)
    spans = {}
    for at, call in enumerate(window.calls):
        for name in call.args:
            spans[name] = (spans.get(name, (at, at))[0], at)
    shared = [(plan.slots[n], *span) for n, span in spans.items() if plan.slots[n].first is not None]
    for i, (a, first, last) in enumerate(shared):
        for b, begin, end in shared[:i]:
            apart = a.end <= b.begin or b.end <= a.begin or last < begin or end < first
            assert apart, f"{a.tensor.name} and {b.tensor.name} share a place and a moment"


def test_transient_tensors_share_memory():
    summary = planned(dataclasses.replace(SMALL, layers=6))[2].summary()
    assert summary["shared"] < 0.7 * summary["shared_if_apart"]


def test_an_overlap_of_live_tensors_is_found():
    _, calls, plan = planned()
    moved = dict(plan.slots)
    victim, other = moved["layer0.act"], moved["layer0.gate"]
    moved["layer0.gate"] = dataclasses.replace(other, offset=victim.offset + 4)
    with pytest.raises(ValueError, match="overlaps"):
        verify(dataclasses.replace(plan, slots=moved), calls)


def test_a_slot_outside_the_arena_is_found():
    _, calls, plan = planned()
    with pytest.raises(ValueError, match="leaves the arena"):
        verify(dataclasses.replace(plan, words=plan.words // 2), calls)


def overflowing(program: Program, op: str, size: str) -> Program:
    """Planted: a call record claims one size too many, so its kernel runs over the end of its output."""
    at = sum(len(c.direction.phases) for c in program.calls[: [c.op.name for c in program.calls].index(op)])
    call = next(c for c in program.calls if c.op.name == op)
    records = program.plain()
    records[at].size[call.direction.sizes.index(size)] += 1
    program.plain = lambda: records
    return program


@pytest.mark.parametrize(("op", "size"), [("linear", "O"), ("swiglu", "C"), ("rmsnorm", "C"), ("norm_rope", "D")])
def test_a_kernel_that_writes_past_its_tensor_is_named(op, size):
    graph, calls, _ = planned()
    machine = Machine(graph, [*graph.prepare, *calls], threads=1)
    machine.run(machine.program(graph.prepare), guard=True)
    machine.run(machine.program(graph.calls), guard=True)
    program = overflowing(machine.program(graph.calls), op, size)
    with pytest.raises(GuardError, match=rf"{op} fwd .* (wrote|changed)"):
        machine.run(program, guard=True)


@pytest.mark.parametrize("how", ["asked", "environment"])
def test_a_training_that_is_guarded_stops_at_an_overflow(how, monkeypatch):
    """Without the guard the same overflow goes unnoticed: that is what the option is for."""
    monkeypatch.setenv("CKTRACK_GUARD", "1" if how == "environment" else "0")
    trainer = Trainer(SMALL, 2, 32, guard=True if how == "asked" else None)
    trainer.load(initial(SMALL, 1))
    batch, before = sample_batch(SMALL, 2, 32, 1), {n: w.copy() for n, w in trainer.weights().items()}
    trainer._first = overflowing(trainer._first, "swiglu", "C")
    with pytest.raises(GuardError, match=r"swiglu fwd \(layer0.act\) wrote \d+ words"):
        trainer.step([batch], 1e-3)
    assert all((w == before[n]).all() for n, w in trainer.weights().items()), "weights were touched"


def test_a_decoder_that_is_guarded_stops_at_an_overflow():
    """With as many tokens as a call has room for: fewer leave the end of a tensor free."""
    slots, config = 8, dataclasses.replace(SMALL, ctx=33)
    decoder = Decoder(config, initial(config, 1), slots, guard=True)
    tokens = [(1, slot, at) for slot in range(slots) for at in range(config.ctx)]
    assert len(tokens) == decoder.room
    decoder.forward(*zip(*tokens, strict=True))
    overflowing(decoder._program("whole", decoder.room), "swiglu", "C")
    with pytest.raises(GuardError, match="swiglu fwd"):
        decoder.forward(*zip(*tokens, strict=True))


@pytest.mark.parametrize("precision", loader.PRECISIONS)
def test_guards_change_no_bit(precision):
    if loader.why_not(precision):
        pytest.skip(loader.why_not(precision))
    config = dataclasses.replace(SMALL, ctx=70)
    found = []
    for guard in (False, True):
        trainer = Trainer(config, 2, 69, precision=precision, guard=guard)
        trainer.load(initial(config, 1))
        steps = [trainer.step([sample_batch(config, 2, 69, i)], 1e-3) for i in range(3)]
        decoder = Decoder(config, trainer.weights(), 3, guard=guard)
        said = decoder.generate([[1, 2], [3], [4, 5, 6]], 20, None)
        found.append((steps, weights_digest({**trainer.weights(), **trainer.moments()}), said))
    assert found[0] == found[1]


@pytest.mark.parametrize("value", ["yes", "2", "-1"])
def test_a_guard_setting_that_is_neither_yes_nor_no_is_named(value, monkeypatch):
    monkeypatch.setenv("CKTRACK_GUARD", value)
    with pytest.raises(ValueError, match=f"CKTRACK_GUARD: got '{value}'; expected 1 to check every kernel call, or 0"):
        loader.guarded()
    assert loader.guarded(True) and not loader.guarded(False)


def test_a_plan_names_its_regions_in_bytes():
    summary = planned()[2].summary()
    assert summary["param"] >= SMALL.parameter_count() * 4
    assert summary["arena"] >= summary["shared"] + summary["param"] + summary["grad"]
