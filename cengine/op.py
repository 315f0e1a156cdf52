"""What an op record says, and what is read from it: prototypes, shapes, scratch sizes, task counts.

A record's text is its signature, for example

    Op("rmsnorm", "x:B,T,C w:C -> y:B,T,C rstd:B,T", "dy x w rstd -> dx dw", ...)

`name:shape` declares a tensor; a shape is a comma list of products of size letters, where `/` is a ceiling division
(`T/48*48` is T rounded up to 48). `/i` behind the shape says int32, `/d` float64, nothing float32; `!` behind the name says
the call changes that input. The backward line lists names only: what it reads (`dy` is the gradient of `y`) and what it adds to.

A phase is one C function (its name behind the op's; `=name` is a function of another op) and its number of tasks. There are three kinds:
  rows   ("fwd", "ROWS*...")          task n belongs to block of token rows n / (tasks / ROWS), and reads and writes only those
                                      rows of anything that another rows phase writes: such phases run block by block, with the
                                      data still in the cache
  apart  ("bwd_dw", "...", "dw")      writes the named tensors and nothing else: may run later, beside others of its kind
  alone  ("bwd", "...")               anything else: begins when all before it is done

Size letters, in the one order in which every kernel receives them:
B batch rows, T positions, N tokens, S cache slots, L table length, H query heads, G key/value heads, D head size,
C inputs, O outputs, V vocabulary, K constants, P parameters, Q 1 if operands are bf16 and 0 if not.

The table itself, with the float64 references, is in `ops.py`. This file runs no kernel.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from types import CodeType

SIZE_ORDER = "BTNSLHGDCOVKPQ"

# Block sizes that fix the shape of every parallel split and reduction tree. They go into the generated header, so C and
# Python read the same numbers. Results do not depend on the thread count because only shapes and these decide the order.
CONSTANTS = {
    "PANEL": 48,  # columns of a packed weight panel and keys of a packed key panel (a multiple of both vector widths' panels)
    "ROWBLOCK": 64,  # tokens of one block of rows; blocks never cross batch rows
    "COLBLOCK": 192,  # columns of one linear tile (a multiple of PANEL)
    "GRADBLOCK": 128,  # rows of one tile of a weight gradient
    "CHUNK": 64,  # tokens summed in registers before a weight gradient is touched
    "DEPTH": 1024,  # products summed in registers before an output is touched
    "QBLOCK": 48,  # queries of one attention tile (a multiple of PANEL)
    "KBLOCK": 96,  # keys of one attention tile (a multiple of PANEL)
    "GRAIN": 16384,  # elements of one elementwise task
    "LANES": 64,  # columns of one column-wise reduction task
    "HEADMAX": 256,  # largest head size
}

ROWS = "(B*(T/ROWBLOCK))"  # the number of blocks of token rows


class Size(int):
    """An int whose `/` is a ceiling division, so that `T/48*48` reads as it is written."""

    def __truediv__(self, other: int) -> Size:
        return Size(-(-int(self) // int(other)))

    def __mul__(self, other: int) -> Size:
        return Size(int(self) * int(other))

    def __add__(self, other: int) -> Size:
        return Size(int(self) + int(other))


def evaluate(expression: str, sizes: Mapping[str, int]) -> int:
    """Value of a product/ceiling-division/sum expression over size letters and CONSTANTS."""
    return int(eval(_compiled(expression), {"__builtins__": {}}, {"S": Size, "n": {**CONSTANTS, **sizes}}))


@cache
def _compiled(expression: str) -> CodeType:
    expression = expression.replace("ROWS", ROWS)
    pieces = re.findall(r"[A-Z]+|\d+|[*/+()]", expression)
    if "".join(pieces) != expression.replace(" ", ""):
        raise ValueError(f"size expression: got {expression!r}; expected letters, numbers and * / + ( )")
    code = "".join(p if p in "*/+()" else f"S({p})" if p.isdigit() else f"S(n[{p!r}])" for p in pieces)
    return compile(code, expression, "eval")


@dataclass(frozen=True)
class Arg:
    """One tensor of a signature."""

    name: str
    dims: tuple[str, ...]
    dtype: str = "f"  # f float32, i int32, d float64
    changed: bool = False

    @classmethod
    def parse(cls, text: str) -> Arg:
        match = re.fullmatch(r"([a-z_0-9]+)(!?):([^:]+?)(?:/([id]))?", text)
        if not match:
            raise ValueError(f"signature: got {text!r}; expected name:shape, name!:shape or name:shape/i")
        name, bang, shape, dtype = match.groups()
        return cls(name, tuple(shape.split(",")), dtype or "f", bool(bang))

    def letters(self) -> set[str]:
        return {w for d in self.dims for w in re.findall(r"[A-Z]+", d) if w not in CONSTANTS}

    def shape(self, sizes: Mapping[str, int]) -> tuple[int, ...]:
        return tuple(evaluate(d, sizes) for d in self.dims)


@dataclass(frozen=True)
class Phase:
    """One C function and the number of independent tasks it is split into; `apart` names what an apart phase writes."""

    function: str
    tasks: str
    apart: tuple[str, ...] = ()

    @property
    def by_rows(self) -> bool:
        return self.tasks.startswith("ROWS")


@dataclass(frozen=True)
class Direction:
    """Forward or backward of an op, or what prepares one of them: the C functions, run in order, share one argument list."""

    kind: str  # "prepare_fwd" | "prepare_bwd" | "fwd" | "bwd"
    reads: tuple[Arg, ...]
    writes: tuple[Arg, ...]
    scratch: tuple[Arg, ...]
    phases: tuple[Phase, ...]
    attrs: tuple[str, ...]

    @property
    def args(self) -> tuple[Arg, ...]:
        return self.reads + self.writes + self.scratch

    @property
    def sizes(self) -> tuple[str, ...]:
        used = set().union(*(a.letters() for a in self.args))
        return tuple(letter for letter in SIZE_ORDER if letter in used)


def _args(text: str) -> tuple[Arg, ...]:
    return tuple(Arg.parse(t) for t in text.split())


@dataclass(frozen=True)
class Op:
    """One record of the op table; see the module docstring for the grammar of its strings."""

    name: str
    forward: str
    backward: str = ""
    phases: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    attrs: tuple[str, ...] = ()
    prepare: Mapping[str, str] = field(
        default_factory=dict
    )  # "fwd", "bwd": what is made from parameters when they change
    same: Mapping[str, str] = field(default_factory=dict)  # a gradient that is another one, unchanged: {"dr": "dy"}
    scratch: Mapping[str, str] = field(default_factory=dict)
    reference: Callable[..., tuple] | None = None
    gradient: Callable[..., tuple] | None = None

    @cached_property
    def inputs(self) -> tuple[Arg, ...]:
        return _args(self.forward.split("->")[0])

    @cached_property
    def outputs(self) -> tuple[Arg, ...]:
        return _args(self.forward.split("->")[1]) if "->" in self.forward else ()

    def prepared(self, kind: str) -> tuple[Arg, ...]:
        """What the prepare line of `kind` (fwd, bwd) makes."""
        return _args(self.prepare[kind].split("->")[1]) if kind in self.prepare else ()

    @cached_property
    def directions(self) -> dict[str, Direction]:
        found = {}
        for kind in ("prepare_fwd", "prepare_bwd", "fwd", "bwd"):
            if kind in self.phases:
                found[kind] = self._direction(kind)
        return found

    def argument(self, name: str) -> Arg:
        for arg in self.inputs + self.outputs + self.prepared("fwd") + self.prepared("bwd"):
            if arg.name == name:
                return arg
        raise KeyError(
            f"op {self.name}: no tensor named {name!r}; it has {[a.name for a in self.inputs + self.outputs]}"
        )

    def _named(self, name: str) -> Arg:
        """The Arg of `name`, or of the gradient `d<name>`: same shape, float32."""
        try:
            return self.argument(name)
        except KeyError:
            if not name.startswith("d"):
                raise
            base = self.argument(name[1:])
            return Arg(name, base.dims)

    def _direction(self, kind: str) -> Direction:
        scratch = _args(self.scratch.get(kind, ""))
        phases = tuple(
            Phase(
                suffix[1:] if suffix.startswith("=") else f"{self.name}_{suffix}", tasks, tuple(" ".join(apart).split())
            )
            for suffix, tasks, *apart in self.phases[kind]
        )
        if kind.startswith("prepare"):
            of = kind.removeprefix("prepare_")
            reads = tuple(self.argument(n) for n in self.prepare[of].split("->")[0].split())
            return Direction(kind, reads, self.prepared(of), scratch, phases, ())
        if kind == "fwd":
            return Direction(kind, self.inputs + self.prepared("fwd"), self.outputs, scratch, phases, self.attrs)
        reads, writes = (tuple(self._named(n) for n in side.split()) for side in self.backward.split("->"))
        return Direction(kind, reads, writes, scratch, phases, self.attrs)

    def bind(self, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
        """Size letters from the shapes of the inputs; every shape of the signature must agree.

        Raises ValueError naming op, tensor, got and expected shape.
        """
        sizes: dict[str, int] = {}
        for arg in self.inputs:
            shape = shapes[arg.name]
            if len(shape) != len(arg.dims):
                raise ValueError(
                    f"op {self.name}: {arg.name} has shape {shape}; expected {len(arg.dims)} sizes {arg.dims}"
                )
            for dim, size in zip(arg.dims, shape, strict=True):
                if dim in SIZE_ORDER and dim not in sizes:
                    sizes[dim] = size
        for arg in self.inputs:
            expected = arg.shape(sizes)
            if tuple(shapes[arg.name]) != expected:
                raise ValueError(
                    f"op {self.name}: {arg.name}:{','.join(arg.dims)} has shape {tuple(shapes[arg.name])}; "
                    f"expected {expected} from the sizes {sizes}"
                )
        return sizes


def functions(ops: Mapping[str, Op]) -> Iterator[tuple[Op, Direction, Phase]]:
    """Every C function of a table once, in the fixed order that numbers it."""
    seen: set[str] = set()
    for name in sorted(ops):
        for direction in ops[name].directions.values():
            for phase in direction.phases:
                if phase.function not in seen:
                    seen.add(phase.function)
                    yield ops[name], direction, phase
