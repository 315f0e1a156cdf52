"""Emit: a graph and its memory plan as one standalone file of C11, for embedding where there is neither Python nor this engine.

The file holds the portable kernels that the calls use (`extract.py`), one static arena with every tensor at its planned place, the calls
in the order of the schedule, and a small interface from `c/emit/`. It computes the bits of the engine's portable instruction set. What a
kernel does not do in portable C (packing weights) is left out with the memory that it would fill.
This file writes text. It runs, compiles and stores nothing.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from string import Template

import numpy as np

from cengine.extract import SOURCES, Item, portable
from cengine.ir import Call, Graph, Tensor
from cengine.model import Config, decoding_graph, rotary_tables
from cengine.op import evaluate
from cengine.plan import Plan, Step, place, schedule, verify
from cengine.source import fingerprint
from cengine.train import Optimizer, window_of

WIDTH = 140
CTYPE = {"f": "float", "i": "int32_t", "d": "double"}
NOTHING = "nothing"  # stands for tensors that no portable kernel makes; NULL in C
RESERVED = {"auto", "break", "case", "char", "const", "default", "do", "double", "else", "enum", "float", "for", "if", "int", "long",
            "return", "short", "signed", "static", "struct", "switch", "union", "unsigned", "void", "while"}  # fmt: skip
HEADERS = [
    "#include <math.h>",
    "#include <stdint.h>",
    "#include <stdio.h>",
    "#include <stdlib.h>",
    "#include <string.h>",
]


def literal(value: float) -> str:
    """A float32 as C writes it, in the fewest digits that give its bits back."""
    return f"{np.float32(value)!s}f"


@dataclass(frozen=True)
class Unit:
    """Programs (calls by the name of their C function) over one plan, without what the portable kernels do not do."""

    programs: Mapping[str, Sequence[Call]]
    plan: Plan

    @property
    def names(self) -> dict[str, str]:
        """The C name of every tensor: its own, with _ for what C does not allow."""
        taken = set(RESERVED) | {n.removeprefix("FN_") for i in self.kernels() for n in i.names} | set(self.programs)
        found = {}
        for name in self.plan.slots:
            text = "".join(c if c.isalnum() else "_" for c in name)
            while text in taken:
                text += "_"
            taken.add(text)
            found[name] = text
        return {**found, NOTHING: "NULL"}

    def steps(self, program: str) -> list[Step]:
        """The phases of a program that do something, in the order of its schedule: what shares a place is never alive together."""
        library = portable()
        groups = schedule(self.programs[program])
        return [s for group in groups for s in group if not library.function(s.phase.function).idle]

    def kernels(self) -> list[Item]:
        return portable().needed({s.phase.function: None for p in self.programs for s in self.steps(p)})


def _idle(call: Call) -> bool:
    return all(portable().function(phase.function).idle for phase in call.direction.phases)


def unit(graph: Graph, programs: Mapping[str, Sequence[Call]]) -> Unit:
    """Drop calls that do nothing, and what only they would write; plan the rest. The order of `programs` is the one that is planned."""
    every = [call for calls in programs.values() for call in calls]
    doing = [call for call in every if not _idle(call)]
    absent = {n for call in every if _idle(call) for n in call.writes()} - {n for call in doing for n in call.writes()}
    used = {n for call in doing for n in call.args} - absent
    tensors = {n: t for n, t in graph.tensors.items() if n in used}
    less = Graph(tensors={**tensors, NOTHING: Tensor(NOTHING, (1,), "state")})
    remaining = {
        name: [
            replace(call, args=tuple(NOTHING if n in absent else n for n in call.args))
            for call in calls
            if not _idle(call)
        ]
        for name, calls in programs.items()
    }
    calls = [call for part in remaining.values() for call in part]
    plan = place(less, calls)
    verify(plan, calls)
    return Unit(remaining, plan)


# ------------------------------------------------------------------------------------------------- the parts of a file


def _title(text: str) -> str:
    return f"/* {'-' * (WIDTH - 16 - len(text))} {text} */"


def kernels(unit: Unit) -> str:
    """Block sizes and kernels, file by file, under the comment that each file opens with."""
    lines, file = [_title("kernels")], ""
    for item in unit.kernels():
        if item.file != file:
            file = item.file
            lines += ["", *([heading] if (heading := portable().heading(file)) else [])]
        short = "\n" not in item.text
        lines += [item.text] if short else ["", item.text]
    return "\n".join(lines).replace("\n\n\n", "\n\n")


def memory(unit: Unit) -> str:
    """The arena, and a name for every tensor in it."""
    names, lines = unit.names, [_title("memory")]
    lines += [
        "",
        "/* One arena for everything. Tensors that are never alive together share a place; the shape stands behind each. */",
        f"enum {{ ARENA = {unit.plan.words} }}; /* words of 4 bytes */",
        "static _Alignas(64) union {",
        "    float f[ARENA];",
        "    int32_t i[ARENA];",
        "    double d[ARENA / 2];",
        "} arena;",
        "",
    ]
    for name, slot in sorted(unit.plan.slots.items(), key=lambda pair: (pair[1].offset, pair[0])):
        if name != NOTHING:
            tensor = slot.tensor
            offset = slot.offset // 2 if tensor.dtype == "d" else slot.offset
            start = f"static {CTYPE[tensor.dtype]} *const {names[name]} = arena.{tensor.dtype} + {offset};"
            lines.append(f"{start} /* {tensor.kind} {_shape(tensor.shape)} */")
    return "\n".join(lines)


def _shape(shape: Sequence[int]) -> str:
    return f"[{','.join(map(str, shape))}]"


def _statement(step: Step, names: Mapping[str, str]) -> str:
    """One phase of a call: its arguments in the order of the op table, tensors, sizes, what is added to, attributes."""
    call, count = step.call, evaluate(step.phase.tasks, step.call.sizes)
    values = [names[n] for n in call.args] + [str(call.sizes[letter]) for letter in call.direction.sizes]
    values += [str(call.add)] * (call.kind == "bwd") + [literal(a) for a in call.attrs]
    text = f"{step.phase.function}({'task' if count > 1 else '0'}, {count}, {', '.join(values)});"
    indent = " " * (8 if count > 1 else 4)
    lines = textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent + "    ", break_on_hyphens=False)
    return "\n".join([f"    for (int64_t task = 0; task < {count}; task++)"] * (count > 1) + lines)


def programs(unit: Unit) -> str:
    """One C function for each program: its calls, under the part of the model that they belong to."""
    names, blocks = unit.names, [_title("calls")]
    for program in unit.programs:
        lines, part, named = [f"static void {program}(void) {{"], "", ""
        for step in unit.steps(program):
            if step.call.name.split(".")[0] != part:
                part = step.call.name.split(".")[0]
                lines += ["", f"    /* ---- {part} ---- */"]
            sizes = " ".join(f"{letter}={size}" for letter, size in step.call.sizes.items())
            comment = f"    /* {step.call.name}: {step.call.op.name}, {sizes} */"
            lines += [comment] * (comment != named) + [_statement(step, names)]
            named = comment
        if len(lines) == 1:
            lines.append("    /* nothing: portable kernels read the weights as they are */")
        blocks += ["", "\n".join([*lines, "}"])]
    return "\n".join(blocks)


def tables(unit: Unit, config: Config) -> str:
    """The rotary tables, computed by libm from the engine's own frequencies; entries that would round differently are written out."""
    constant = {n for n, slot in unit.plan.slots.items() if slot.tensor.kind == "const"}
    if constant != {"rope.cos", "rope.sin"}:
        raise ValueError(
            f"emit: got constant tensors {sorted(constant)}; expected rope.cos and rope.sin, which it fills"
        )
    half = config.head_dim // 2
    frequency = config.rope_theta ** (-np.arange(half) / half)
    written = textwrap.fill(", ".join(float(f).hex() for f in frequency), WIDTH - 8, initial_indent=" " * 8,
                            subsequent_indent=" " * 8, break_on_hyphens=False)  # fmt: skip
    lines = [
        _title("tables"),
        "",
        f"/* cos and sin of pos * theta^(-2i/D), float32 [{config.ctx},{half}]; theta = {config.rope_theta:g}. */",
        "static void fill_tables(void) {",
        f"    static const double frequency[{half}] = {{",
        written,
        "    };",
        f"    for (int i = 0; i < {config.ctx * half}; i++) {{",
        f"        const double angle = (double)(i / {half}) * frequency[i % {half}];",
        "        rope_cos[i] = (float)cos(angle), rope_sin[i] = (float)sin(angle);",
        "    }",
        *_corrections(config, frequency),
        "}",
    ]
    return "\n".join(lines)


def _corrections(config: Config, frequency: np.ndarray) -> list[str]:
    """Entries of the engine's tables that libm rounds the other way (NumPy may have a cosine of its own)."""
    lines = []
    angles = np.outer(np.arange(config.ctx), frequency).reshape(-1)
    for name, libm, table in zip(("rope_cos", "rope_sin"), (math.cos, math.sin), rotary_tables(config), strict=True):
        ours = np.array([libm(a) for a in angles], np.float64).astype(np.float32)
        for i in np.flatnonzero(ours != table.reshape(-1)):
            lines.append(f"    {name}[{i}] = {literal(table.reshape(-1)[i])}; /* as the engine rounds it */")
    return lines


def _list(name: str, unit: Unit, wanted: Sequence[str]) -> list[str]:
    """A table of tensors in the order of a checkpoint: name, shape, place, number of elements."""
    lines = [f"enum {{ {name.upper()} = {len(wanted)} }};", f"static const tensor {name}[{name.upper()}] = {{"]
    for tensor in wanted:
        slot = unit.plan.slots[tensor]
        shape = _shape(slot.tensor.shape)
        lines.append(f'    {{"{tensor}", "{shape}", arena.f + {slot.offset}, {slot.tensor.items}}},')
    return [*lines, "};"]


def weights(unit: Unit, lists: Mapping[str, Sequence[str]]) -> str:
    """Reading safetensors into the lists of tensors."""
    text = [line for name, wanted in lists.items() for line in ["", *_list(name, unit, wanted)]][1:]
    longest = max(sum(len(n) + 160 for n in wanted) for wanted in lists.values())
    return _title("weights") + "\n\n" + _fill("weights.c", lists="\n".join(text), header_room=str(longest + 4096))


def _fill(file: str, **values: str) -> str:
    return Template((SOURCES / "emit" / file).read_text()).substitute(values).rstrip() + "\n"


def _file(template: str, unit: Unit, config: Config, lists: Mapping[str, Sequence[str]], **values: str) -> str:
    """A whole file; one blank line at most between two lines."""
    title = (
        f"{config.layers} layers, width {config.d_model}, feed-forward {config.d_ff}, {config.heads} heads of {config.head_dim} "
        f"over {config.kv_heads}, context {config.ctx}, vocabulary {config.vocab}, {'tied' if config.tied else 'untied'} head."
    )
    text = _fill(
        template,
        title=title,
        engine=fingerprint(),
        bytes=f"{unit.plan.bytes}",
        includes="\n".join(sorted({*HEADERS, *portable().includes})),
        kernels=kernels(unit),
        memory=memory(unit),
        programs=programs(unit),
        tables=tables(unit, config),
        weights=weights(unit, lists).rstrip(),
        interface=_title("the interface"),
        vocab=str(config.vocab),
        **values,
    )
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return text


# ------------------------------------------------------------------------------------------------------- whole files


def decoder(config: Config, eos: int | None = None) -> str:
    """C text of a greedy decoder: one text at a time, a token a call, weights from a model.safetensors."""
    if eos is not None and not 0 <= eos < config.vocab:
        raise ValueError(f"emit: got end token {eos}; expected 0..{config.vocab - 1}, or None for a model without one")
    graph = decoding_graph(config, 1, 1)
    return _file(
        "decode.c",
        unit(graph, {"prepare": graph.prepare, "forward": graph.calls}),
        config,
        {"parameters": list(config.parameters())},
        ctx=str(config.ctx),
        eos=str(-1 if eos is None else eos),
    )


def training_step(config: Config, rows: int, time: int, optimizer: Optimizer | None = None) -> str:
    """C text of an optimizer step over windows of batches [rows, time]."""
    if rows < 1 or not 1 <= time <= config.ctx:
        raise ValueError(
            f"emit: got {rows} rows of {time} tokens; expected at least 1 row of 1 to ctx={config.ctx} tokens"
        )
    window, chosen = window_of(config, rows, time), optimizer or Optimizer()
    order = {"prepare": window.prepare, "forward_and_backward": window.main, "clear": window.clear}
    names = list(config.parameters())
    return _file(
        "step.c",
        unit(window.graph, {**order, "norm": window.norm, "update": window.update}),
        config,
        {"parameters": names, "moments": [f"{k}_{n}" for n in names for k in "mv"]},
        rows=str(rows),
        time=str(time),
        **{n: repr(float(getattr(chosen, n))) for n in ("beta1", "beta2", "eps", "weight_decay", "max_norm")},
    )
