"""The graph of calls: what is computed, and the backward graph that follows from the op table.

A `Graph` is a list of calls over named tensors. `backward` walks it from the end and, for each call, reads the op record's
backward line: gradients of outputs in, gradients of inputs out. The first contribution to an activation's gradient
overwrites, later ones add; parameters always add, because a window of batches is summed. This file places nothing in memory.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from math import prod

from cengine.op import Direction, Op
from cengine.ops import OPS

PERSISTENT = {"param", "grad", "moment", "const", "input", "prepared", "state", "control"}


@dataclass(frozen=True)
class Tensor:
    """A named array. kind: param, grad, moment, const, input, prepared, state, control (kept); act, scratch (placed by lifetime)."""

    name: str
    shape: tuple[int, ...]
    kind: str
    dtype: str = "f"  # f float32, i int32, d float64

    @property
    def items(self) -> int:
        return prod(self.shape)


@dataclass(frozen=True)
class Ref:
    """A tensor seen with a shape; `view` gives the same memory another shape of equal size."""

    name: str
    shape: tuple[int, ...]

    def view(self, *shape: int) -> Ref:
        """At most one size may be -1: it follows from the others."""
        if -1 in shape:
            rest = prod(n for n in shape if n != -1)
            shape = tuple(prod(self.shape) // rest if n == -1 else n for n in shape)
        if prod(shape) != prod(self.shape):
            raise ValueError(
                f"view of {self.name}: got shape {shape}; expected {prod(self.shape)} elements as in {self.shape}"
            )
        return Ref(self.name, shape)


@dataclass(frozen=True)
class Call:
    """One use of one direction of an op. `args` are tensor names in the order of the C parameters."""

    name: str
    op: Op
    kind: str
    args: tuple[str, ...]
    sizes: Mapping[str, int]
    attrs: tuple[float, ...] = ()
    add: int = 0

    @property
    def direction(self) -> Direction:
        return self.op.directions[self.kind]

    def named(self, roles: tuple[str, ...]) -> tuple[str, ...]:
        """Tensor names of the given roles."""
        return tuple(n for n, a in zip(self.args, self.direction.args, strict=True) if a.name in roles)

    def adding(self, fresh: Collection[str]) -> int:
        """`add` without the bits of those that are overwritten now."""
        first = len(self.direction.reads)
        overwritten = sum(1 << i for i in range(len(self.direction.writes)) if self.args[first + i] in fresh)
        return self.add & ~overwritten

    def reads(self) -> tuple[str, ...]:
        return self.args[: len(self.direction.reads)]

    def writes(self) -> tuple[str, ...]:
        """Outputs and scratch, and the inputs that the op changes."""
        changed = tuple(n for n, a in zip(self.args, self.direction.reads, strict=False) if a.changed)
        return self.args[len(self.direction.reads) :] + changed


@dataclass
class Graph:
    """Tensors by name, forward calls in order, and what must be prepared before them when a parameter has changed."""

    precision: str = "fp32"  # of the operands of products: fp32 or bf16
    tensors: dict[str, Tensor] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    prepare: list[Call] = field(default_factory=list)
    bindings: dict[str, dict[str, str]] = field(default_factory=dict)  # call name -> role -> tensor name

    def tensor(self, name: str, shape: tuple[int, ...], kind: str, dtype: str = "f") -> Ref:
        if name in self.tensors:
            raise ValueError(f"graph: tensor {name!r} is declared twice")
        self.tensors[name] = Tensor(name, tuple(shape), kind, dtype)
        return Ref(name, tuple(shape))

    def apply(self, op_name: str, name: str, attrs: Mapping[str, float] | None = None, **inputs: Ref) -> Ref:
        """Append a call; its outputs are new tensors `name` (the first output) and `name.output`. Returns the first output."""
        op = OPS[op_name]
        expected = {a.name for a in op.inputs}
        if set(inputs) != expected:
            raise ValueError(f"op {op_name} ({name}): got inputs {sorted(inputs)}; expected {sorted(expected)}")
        sizes = {**op.bind({role: ref.shape for role, ref in inputs.items()}), "Q": int(self.precision == "bf16")}
        roles = {role: ref.name for role, ref in inputs.items()}
        self._prepare(name, op, "fwd", roles, sizes)
        for i, arg in enumerate(op.outputs):
            roles[arg.name] = self.tensor(
                name if i == 0 else f"{name}.{arg.name}", arg.shape(sizes), "act", arg.dtype
            ).name
        values = tuple(float((attrs or {})[a]) for a in op.attrs)
        self.calls.append(self._call(name, op, "fwd", roles, sizes, values))
        self.bindings[name] = roles
        return Ref(roles[op.outputs[0].name], op.outputs[0].shape(sizes)) if op.outputs else Ref(name, ())

    def _prepare(self, name: str, op: Op, kind: str, roles: dict[str, str], sizes: Mapping[str, int]) -> None:
        """Declare what the direction `kind` needs prepared, and append the call that makes it."""
        for arg in op.prepared(kind):
            roles[arg.name] = self.tensor(f"{name}.{arg.name}", arg.shape(sizes), "prepared", arg.dtype).name
        if op.prepared(kind):
            self.prepare.append(self._call(name, op, f"prepare_{kind}", roles, dict(sizes), ()))

    def keep(self, name: str, shape: tuple[int, ...] | None = None) -> None:
        """Give an activation a place of its own, so that the caller may read it after a run; `shape`: a larger one."""
        old = self.tensors[name]
        self.tensors[name] = replace(old, kind="state", shape=shape or old.shape)

    def _call(
        self,
        name: str,
        op: Op,
        kind: str,
        roles: dict[str, str],
        sizes: Mapping[str, int],
        attrs: tuple[float, ...],
        add: int = 0,
    ) -> Call:
        direction = op.directions[kind]
        scratch = [
            self.tensor(f"{name}.{kind}.{a.name}", a.shape(sizes), "scratch", a.dtype).name for a in direction.scratch
        ]
        args = tuple(roles[a.name] for a in direction.reads + direction.writes) + tuple(scratch)
        return Call(name, op, kind, args, {k: sizes[k] for k in direction.sizes}, attrs, add)

    def use(self, op_name: str, name: str, attrs: Mapping[str, float] | None = None, **roles: str) -> Call:
        """A call over tensors that exist (optimizer, clearing); not appended anywhere and not differentiated."""
        op = OPS[op_name]
        direction = op.directions["fwd"]
        shapes = {}
        for arg in op.inputs:
            tensor = self.tensors[roles[arg.name]]
            shapes[arg.name] = (tensor.items,) if len(arg.dims) == 1 else tensor.shape
        sizes = op.bind(shapes)
        scratch = {
            a.name: self.tensor(f"{name}.{a.name}", a.shape(sizes), "scratch", a.dtype).name for a in direction.scratch
        }
        args = tuple({**roles, **scratch}[a.name] for a in direction.args)
        return Call(
            name,
            op,
            "fwd",
            args,
            {k: sizes[k] for k in direction.sizes},
            tuple(float((attrs or {})[a]) for a in op.attrs),
        )


def gradient_name(name: str) -> str:
    return f"d_{name}"


def backward(graph: Graph) -> tuple[list[Call], dict[str, list[str]]]:
    """Backward calls in order, and for each parameter the gradient tensors whose sum is its gradient.

    A parameter used by several calls (a tied embedding) gets one gradient tensor for each: their sums over batches then
    run in the same order however the batch is split.
    """
    calls: list[Call] = []
    parts: dict[str, list[str]] = {}
    of: dict[str, str] = {}  # activation -> its gradient
    for call in reversed(graph.calls):
        if not call.op.backward:
            continue
        roles = dict(graph.bindings[call.name])
        direction = call.op.directions["bwd"]
        sizes = {**call.sizes, "Q": int(graph.precision == "bf16")}
        graph._prepare(call.name, call.op, "bwd", roles, sizes)
        known = {a.name for a in call.op.inputs + call.op.outputs + call.op.prepared("bwd")}
        for arg in direction.reads:
            if arg.name not in known:
                if roles[arg.name[1:]] not in of:
                    raise ValueError(
                        f"backward: nothing gives a gradient to {roles[arg.name[1:]]!r}, the output of {call.name}"
                    )
                roles[arg.name] = of[roles[arg.name[1:]]]
        add = 0
        for bit, arg in enumerate(direction.writes):
            target = graph.tensors[roles[arg.name[1:]]]
            name = gradient_name(target.name)
            if target.kind == "param":
                pieces = parts.setdefault(target.name, [])
                name = name if not pieces else f"{name}.{call.name}"
                pieces.append(graph.tensor(name, target.shape, "grad").name)
                add |= 1 << bit
            elif target.name in of:
                name = of[target.name]
                add |= 1 << bit
            else:
                of[target.name] = graph.tensor(name, target.shape, "act").name
            roles[arg.name] = name
        for role, source in call.op.same.items():
            target_name = roles[role[1:]]
            if target_name in of:
                raise ValueError(
                    f"backward: {call.name} must be the last that uses {target_name!r}, whose gradient it passes on"
                )
            of[target_name] = roles[source]  # later calls add to it: what reads it before is done by then
        calls.append(graph._call(call.name, call.op, "bwd", roles, sizes, call.attrs, add))
    return calls, parts
