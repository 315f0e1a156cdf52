"""The memory plan: lifetimes are kept, overlaps are found, and a kernel that writes outside its tensors is named."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cengine.engine import GuardError, Machine
from cengine.ir import backward
from cengine.model import Config, training_graph
from cengine.plan import place, verify

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


@pytest.mark.parametrize(("op", "size"), [("linear", "O"), ("swiglu", "C"), ("rmsnorm", "C"), ("norm_rope", "D")])
def test_a_kernel_that_writes_past_its_tensor_is_named(op, size):
    """Planted: the call record claims one size too many, so the kernel runs over the end of its output."""
    graph, calls, _ = planned()
    machine = Machine(graph, [*graph.prepare, *calls], threads=1)
    machine.run(machine.program(graph.prepare), guard=True)
    machine.run(machine.program(graph.calls), guard=True)
    call = next(c for c in graph.calls if c.op.name == op)
    program = machine.program([call])
    at = call.direction.sizes.index(size)
    records = program.plain()
    records[0].size[at] += 1
    program.plain = lambda: records
    with pytest.raises(GuardError, match=rf"{op} fwd .* (wrote|changed)"):
        machine.run(program, guard=True)


def test_a_plan_names_its_regions_in_bytes():
    summary = planned()[2].summary()
    assert summary["param"] >= SMALL.parameter_count() * 4
    assert summary["arena"] >= summary["shared"] + summary["param"] + summary["grad"]
