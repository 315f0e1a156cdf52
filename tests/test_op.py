"""Every op of the table, on every instruction set of this machine: forward and backward against the float64 reference and
against finite differences, with guard words around every tensor. Written once; a new record is tested by being there."""

from __future__ import annotations

import numpy as np
import pytest

from cengine import loader
from cengine.engine import Machine
from cengine.ir import Call, Graph
from cengine.op import Op
from cengine.ops import OPS

pytestmark = pytest.mark.kernel
DIFFERENTIABLE = [op for op in OPS.values() if op.backward]
ROUNDED = [op for op in DIFFERENTIABLE if any("Q" in d.sizes for d in op.directions.values())]
REFERENCED = [op for op in OPS.values() if op.reference]
SIZES = [
    {"B": 2, "T": 37, "L": 64, "H": 6, "G": 2, "D": 10, "C": 70, "O": 131, "V": 101, "N": 1237, "Q": 0},
    {"B": 1, "T": 130, "L": 130, "H": 4, "G": 4, "D": 24, "C": 192, "O": 96, "V": 300, "N": 40000, "Q": 0},
    {"B": 3, "T": 3, "L": 8, "H": 8, "G": 1, "D": 256, "C": 8, "O": 1, "V": 3, "N": 5, "Q": 0},
]
ATTRS = {"eps": 1e-6, "scale": 0.3}


@pytest.fixture(params=loader.INSTRUCTION_SETS)
def isa(request):
    if request.param not in loader.available():
        pytest.skip(f"this CPU has no {request.param}")
    yield loader.choose(request.param)
    loader.choose()


def inputs_of(op: Op, sizes: dict[str, int]) -> dict[str, np.ndarray]:
    """Random inputs of the op's shapes; integers get the values their name calls for."""
    rng = np.random.default_rng(sum(map(ord, op.name)))
    values = {}
    for arg in op.inputs:
        shape = arg.shape(sizes)
        if arg.name == "ids":
            values[arg.name] = rng.integers(0, sizes["V"], shape).astype(np.int32)
        elif arg.name == "targets":
            values[arg.name] = np.where(rng.random(shape) < 0.3, -100, rng.integers(0, sizes["V"], shape)).astype(
                np.int32
            )
        elif arg.name == "pos":
            starts = rng.random(shape) < 0.1
            starts[:, 0] = True
            at = np.arange(shape[1])
            values[arg.name] = (at - np.maximum.accumulate(np.where(starts, at, 0), 1)).astype(np.int32)
        else:
            values[arg.name] = rng.normal(size=shape).astype(np.float32)
    if "cos" in values:
        angle = rng.normal(size=values["cos"].shape)
        values["cos"], values["sin"] = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)
    return values


def rounded(x: np.ndarray) -> np.ndarray:
    """float32 numbers that bf16 holds: the upper half of their bits, the rest cut off."""
    return (x.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32) if x.dtype == np.float32 else x


def wide(values):
    return {k: v.astype(np.float64) if v.dtype == np.float32 else v for k, v in values.items()}


def forward(op: Op, values) -> tuple[np.ndarray, ...]:
    return op.reference(**wide(values), **{a: ATTRS[a] for a in op.attrs})


def close(got, expected, bound=1e-5):
    error = np.linalg.norm(got - expected) / max(np.linalg.norm(expected), 1e-30)
    assert error <= bound, f"||a-b||/||b|| = {error:.2e}, bound {bound:.0e}"


def run_direction(
    op: Op, kind: str, sizes, given: dict[str, np.ndarray], add: int = 0, before=None
) -> dict[str, np.ndarray]:
    """Run prepare, then one direction, on a machine of its own with guard words; returns what it wrote."""
    graph = Graph("bf16" if sizes.get("Q") else "fp32")
    kinds = [k for k in (f"prepare_{kind}", kind) if k in op.directions]
    for direction in (op.directions[k] for k in kinds):
        for arg in direction.reads + direction.writes:
            if arg.name not in graph.tensors:
                graph.tensor(arg.name, arg.shape(sizes), "input", arg.dtype)
    names = {n: n for n in graph.tensors}
    attrs = tuple(ATTRS[a] for a in op.attrs)
    calls: list[Call] = [
        graph._call("call", op, k, names, sizes, attrs if not k.startswith("prepare") else (), add if k == "bwd" else 0)
        for k in kinds
    ]
    machine = Machine(graph, calls, threads=2)
    for name, value in given.items():
        if name in graph.tensors:
            machine.view(name)[...] = value
    for name, value in (before or {}).items():
        machine.view(name)[...] = value
    machine.run(machine.program(calls), guard=True)
    return {a.name: machine.view(a.name).copy() for a in op.directions[kind].writes}


@pytest.mark.parametrize("sizes", SIZES, ids=lambda s: f"T{s['T']}")
@pytest.mark.parametrize("op", REFERENCED, ids=lambda op: op.name)
def test_forward_equals_its_reference(op, sizes, isa):
    values = inputs_of(op, sizes)
    got = run_direction(op, "fwd", sizes, values)
    for arg, expected in zip(op.outputs, forward(op, values), strict=True):
        close(got[arg.name], expected)


def _gradient_inputs(op, sizes, values=None):
    """What the backward reads: inputs, outputs of the reference, and a random gradient of each output it asks for."""
    values = values or inputs_of(op, sizes)
    outputs = dict(zip((a.name for a in op.outputs), forward(op, values), strict=True))
    rng = np.random.default_rng(1)
    known = {**values, **{k: v.astype(np.float32) for k, v in outputs.items()}}
    made = {a.name for a in op.prepared("bwd")}
    reads = [a for a in op.directions["bwd"].reads if a.name not in made]
    for arg in reads:
        if arg.name not in known:
            known[arg.name] = rng.normal(size=arg.shape(sizes)).astype(np.float32)
    return values, {a.name: known[a.name] for a in reads}


@pytest.mark.parametrize("sizes", SIZES, ids=lambda s: f"T{s['T']}")
@pytest.mark.parametrize("op", DIFFERENTIABLE, ids=lambda op: op.name)
def test_backward_equals_its_reference(op, sizes, isa):
    _, given = _gradient_inputs(op, sizes)
    extra = {"w_shape": (sizes["V"], sizes["C"])} if op.name == "embedding" else {}
    expected = op.gradient(
        **wide(given), **{a: ATTRS[a] for a in op.attrs if a in op.gradient.__code__.co_varnames}, **extra
    )
    writes = op.directions["bwd"].writes
    got = run_direction(op, "bwd", sizes, given)
    for arg, value in zip(writes, expected, strict=True):
        close(got[arg.name], value, 2e-5)
    if op.name == "cross_entropy":
        return  # its logits have one reader: it never adds
    rng = np.random.default_rng(2)
    old = {a.name: rng.normal(size=a.shape(sizes)).astype(np.float32) for a in writes}
    added = run_direction(op, "bwd", sizes, given, add=2 ** len(writes) - 1, before=old)
    for arg, value in zip(writes, expected, strict=True):
        close(added[arg.name], old[arg.name] + value, 2e-5)


@pytest.mark.skipif(loader.why_not("bf16") is not None, reason=str(loader.why_not("bf16")))
@pytest.mark.parametrize("sizes", SIZES, ids=lambda s: f"T{s['T']}")
@pytest.mark.parametrize("op", ROUNDED, ids=lambda op: op.name)
def test_bf16_operands(op, sizes):
    """On inputs that bf16 holds exactly a product is as exact as in fp32; attention also rounds what it computes in between."""
    forward_bound, bound = (4e-3, 1.2e-2) if op.name == "attention" else (1e-5, 2e-5)
    sizes, half = {**sizes, "Q": 1}, {n: rounded(v) for n, v in inputs_of(op, sizes).items()}
    got = run_direction(op, "fwd", sizes, half)
    for arg, expected in zip(op.outputs, forward(op, half), strict=True):
        close(got[arg.name], expected, forward_bound)
    given = {n: rounded(v) if n not in ("o", "lse") else v for n, v in _gradient_inputs(op, sizes, half)[1].items()}
    expected = op.gradient(**wide(given), **{a: ATTRS[a] for a in op.attrs})
    writes = op.directions["bwd"].writes
    rng = np.random.default_rng(2)
    old = {a.name: rng.normal(size=a.shape(sizes)).astype(np.float32) for a in writes}
    for add, before in ((0, None), (2 ** len(writes) - 1, old)):
        got = run_direction(op, "bwd", sizes, given, add, before)
        for arg, value in zip(writes, expected, strict=True):
            close(got[arg.name] - (old[arg.name] if add else 0.0), value, bound)


@pytest.mark.parametrize("op", DIFFERENTIABLE, ids=lambda op: op.name)
def test_backward_equals_finite_differences(op, isa):
    """The C backward along a random direction against (f(x+h) - f(x-h)) / 2h of the float64 forward."""
    sizes = SIZES[0]
    values, given = _gradient_inputs(op, sizes)
    got = run_direction(op, "bwd", sizes, given)
    rng = np.random.default_rng(3)
    ups = {n[1:]: g for n, g in given.items() if n not in {a.name for a in op.inputs + op.outputs}}
    h = 1e-6

    def objective(shifted):
        out = dict(zip((a.name for a in op.outputs), forward_wide(op, shifted), strict=True))
        if not ups:  # the loss itself, weighted by scale
            return float(out["loss"].sum() * shifted["scale"][0])
        return float(sum((out[n] * g).sum() for n, g in ups.items()))

    for arg in op.directions["bwd"].writes:
        name, base = arg.name[1:], wide(values)
        direction = rng.normal(size=base[name].shape)
        plus, minus = ({**base, name: base[name] + s * h * direction} for s in (1, -1))
        slope = (objective(plus) - objective(minus)) / (2 * h)
        mine = float((got[arg.name].astype(np.float64) * direction).sum())
        assert mine == pytest.approx(slope, rel=1e-4, abs=1e-4), f"{op.name}: {arg.name}"


def forward_wide(op, values):
    return op.reference(**values, **{a: ATTRS[a] for a in op.attrs})


def test_optimizer_ops_equal_their_formulas(isa):
    rng = np.random.default_rng(0)
    size = 40001
    p, g, m = (rng.normal(size=size).astype(np.float32) for _ in range(3))
    v = rng.random(size).astype(np.float32)
    hyper = np.array([1e-2, 0.9, 0.95, 1e-8, 0.1, 2.0, 1.5, 1.0], np.float32)
    graph = Graph()
    for name, array in {"p": p, "g": g, "m": m, "v": v, "hyper": hyper, "z": p}.items():
        graph.tensor(name, array.shape, "input")
    graph.tensor("total", (1,), "input", "d")
    calls = [
        graph.use("sum_squares", "norm", g="g", total="total"),
        graph.use("adamw", "update", {"decay": 1.0}, p="p", g="g", m="m", v="v", hyper="hyper", total="total"),
        graph.use("fill_zero", "clear", x="z"),
    ]
    machine = Machine(graph, calls, threads=2)
    for name, array in {"p": p, "g": g, "m": m, "v": v, "hyper": hyper, "z": p}.items():
        machine.view(name)[:] = array
    machine.run(machine.program(calls), guard=True)
    total = (g.astype(np.float64) ** 2).sum()
    assert machine.view("total")[0] == pytest.approx(total, rel=1e-12)
    clipped = g * (1.0 / (np.sqrt(total) + 1e-6))
    m2, v2 = 0.9 * m.astype(np.float64) + 0.1 * clipped, 0.95 * v.astype(np.float64) + 0.05 * clipped**2
    close(machine.view("m"), m2)
    close(machine.view("v"), v2)
    close(machine.view("p"), p * (1 - 1e-2 * 0.1) - 1e-2 * 2.0 * m2 / (np.sqrt(v2 * 1.5) + 1e-8))
    assert not machine.view("z").any()


def test_the_lowest_of_the_highest_wins(isa):
    x = np.random.default_rng(0).integers(0, 4, (1, 60, 101)).astype(np.float32)
    x[0, 7:] -= 1e30
    x[0, 3] = -np.inf
    got = run_direction(OPS["highest"], "fwd", {"B": 1, "T": 60, "V": 101}, {"x": x})
    assert (got["id"] == x.argmax(-1)).all()


def test_every_op_has_a_c_file_and_every_c_file_an_op():
    from cengine.source import HERE

    assert {p.stem for p in (HERE / "c" / "ops").glob("*.c")} == set(OPS)


def test_wrong_shapes_are_refused_with_what_was_expected():
    with pytest.raises(ValueError, match=r"linear: w:O,C has shape \(5, 4\); expected \(5, 7\)"):
        OPS["linear"].bind({"x": (1, 2, 7), "w": (5, 4)})
