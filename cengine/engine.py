"""Run call records over an arena: the bridge between a plan and the C executor.

A `Machine` owns one arena and one thread pool, gives NumPy views of tensors by name and runs lists of calls. Guarded, it runs call
by call and checks the guard words of every tensor the call may touch, so that a kernel that writes outside its tensors is named;
results have the same bits. It knows neither models nor optimizers.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from itertools import islice, product
from typing import Any

import numpy as np

from cengine import loader
from cengine.ir import Call, Graph
from cengine.loader import ffi, lib
from cengine.op import evaluate, functions
from cengine.ops import OPS
from cengine.plan import GUARD, Order, Plan, Step, place, schedule, verify

NUMPY = {"f": np.float32, "i": np.int32, "d": np.float64}
GUARD_WORD = np.uint32(0xC0FFEE5A)
FUNCTION_INDEX = {phase.function: i for i, (_, _, phase) in enumerate(functions(OPS))}


class GuardError(RuntimeError):
    """A kernel wrote outside its tensors."""


class Pool:
    """A persistent set of threads. Results never depend on how many there are. It runs one program at a time."""

    def __init__(self, threads: int | None = None) -> None:
        self.threads = self.wanted = loader.thread_count(threads)
        self._lock = threading.Lock()
        self.handle, self._end = self._started(self.threads)

    def _started(self, threads: int) -> tuple[Any, weakref.finalize]:
        """New threads, and what ends them."""
        handle = lib.ck_pool_new(threads)
        if handle == ffi.NULL:
            raise OSError(f"threads: could not start {threads}; try fewer (CKTRACK_THREADS)")
        return handle, weakref.finalize(self, lib.ck_pool_free, handle)

    def resize(self, threads: int) -> None:
        """Have so many threads from the next program on; the one that runs now is not waited for."""
        self.wanted = loader.thread_count(threads)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """One program at a time, on as many threads as are wanted; other Python threads wait for their turn."""
        with self._lock:
            if (wanted := self.wanted) != self.threads:
                end = self._end
                self.handle, self._end = self._started(wanted)
                self.threads = wanted
                end()
            yield

    def run(self, records, count: int, nanoseconds=ffi.NULL, precision: str = "fp32") -> None:
        """Run `count` records."""
        with self._turn():
            lib.ck_run(self.handle, loader.kernels(precision), records, count, nanoseconds)

    def say(self, records, count: int, texts, precision: str = "fp32") -> None:
        """Run `count` records once for each token that `texts` (a ck_texts) ask for."""
        with self._turn():
            lib.ck_say(self.handle, loader.kernels(precision), records, count, texts)


class Program:
    """Calls as C records, bound to one arena: `records` scheduled in groups, `plain()` one phase after the other."""

    def __init__(self, calls: Sequence[Call], records, plain) -> None:
        self.calls, self.records, self.plain = list(calls), records, plain

    def __len__(self) -> int:
        return len(self.records)


class Machine:
    """One arena with the tensors of a graph, and the pool that computes in it.

    `calls` fixes the lifetimes of transient tensors: what is not alive between two of them must not be read by the caller. `order` says
    what runs as one group. `guard` checks every run; None asks CKTRACK_GUARD.
    Whoever feeds tensors, runs and reads results holds `lock` meanwhile: there is one arena.
    """

    def __init__(
        self,
        graph: Graph,
        calls: Sequence[Call],
        threads: int | None = None,
        pool: Pool | None = None,
        order: Order = schedule,
        guard: bool | None = None,
    ) -> None:
        loader.kernels(graph.precision)  # refused before anything is placed
        self.graph, self.order, self.guard = graph, order, loader.guarded(guard)
        self.plan: Plan = place(graph, calls, order)
        verify(self.plan, calls, order)
        self.pool = pool or Pool(threads)
        self.arena = lib.ck_arena_new(self.plan.bytes)
        if self.arena == ffi.NULL:
            raise MemoryError(f"arena: could not get {self.plan.bytes / 1e6:.0f} MB; try a smaller batch or context")
        weakref.finalize(self, lib.ck_arena_free, self.arena, self.plan.bytes)
        self.lock = threading.RLock()
        self.words = np.frombuffer(ffi.buffer(self.arena, self.plan.bytes), np.uint32)

    def view(self, name: str) -> np.ndarray:
        """The tensor's memory as an array: no copy."""
        slot = self.plan.slots[name]
        width = 2 if slot.tensor.dtype == "d" else 1
        flat = self.words[slot.offset : slot.offset + slot.tensor.items * width].view(NUMPY[slot.tensor.dtype])
        return flat.reshape(slot.tensor.shape)

    def program(
        self,
        calls: Sequence[Call],
        part: tuple[int, int] = (1, 1),
        times: int = 1,
        stride: Mapping[str, int] | None = None,
        fresh: Collection[str] = (),
    ) -> Program:
        """C records of the calls. `part` (n, room) runs them over the first n of the `room` tokens that the graph was built for:
        those of the sizes B, T and N that are `room` become n. They run `times` times, each time with the tensors of
        `stride` that many words further on; the first time overwrites the gradients `fresh` instead of adding to them."""
        n, room = part
        used = [replace(c, sizes={k: n if k in "BTN" and v == room else v for k, v in c.sizes.items()}) for c in calls]
        apart = [[Step(call, phase)] for call in used for phase in call.direction.phases]
        shifts = [{name: i * words for name, words in (stride or {}).items()} for i in range(times)]
        return Program(
            used * times,
            self._records(self.order(used), shifts, fresh),
            cache(lambda: self._records(apart, shifts, fresh)),
        )

    def _records(
        self, groups: Sequence[Sequence[Step]], shifts: Sequence[Mapping[str, int]], fresh: Collection[str]
    ) -> Any:
        """One record per phase; the first of a group says how many run as one. All of them once for each of `shifts`: by tensor, words."""
        records = ffi.new("ck_call[]", sum(map(len, groups)) * len(shifts))
        base = int(ffi.cast("intptr_t", self.arena))
        steps = [(len(group) if i == 0 else 1, step) for group in groups for i, step in enumerate(group)]
        for i, (record, (shift, (together, step))) in enumerate(zip(records, product(shifts, steps), strict=True)):
            call, first = step.call, i < len(steps)
            record.function = FUNCTION_INDEX[step.phase.function]
            record.tasks, record.blocks, record.together = evaluate(step.phase.tasks, call.sizes), step.blocks, together
            for at, name in enumerate(call.args):
                record.arg[at] = ffi.cast("void *", base + 4 * (self.plan.slots[name].offset + shift.get(name, 0)))
            for at, letter in enumerate(call.direction.sizes):
                record.size[at] = call.sizes[letter]
            if call.kind == "bwd":
                record.size[len(call.direction.sizes)] = call.adding(fresh if first else ())
            for at, value in enumerate(call.attrs):
                record.attr[at] = value
        return records

    def run(self, program: Program, guard: bool = False) -> None:
        """Run every record in order; `guard` checks this run even if the machine does not check all."""
        if guard or self.guard:
            self._run_guarded(program)
        else:
            self.pool.run(program.records, len(program), precision=self.graph.precision)

    def profile(self, program: Program) -> dict[str, float]:
        """Run once; seconds by C function."""
        names = list(FUNCTION_INDEX)
        total: dict[str, float] = {}
        for record, seconds in self._timed(program):
            name = names[record.function]
            total[name] = total.get(name, 0.0) + seconds
        return total

    def groups(self, program: Program) -> list[tuple[int, float]]:
        """Run once; (items, seconds) of every group in order. Threads share a group's items, and wait for each other behind it."""
        found: list[tuple[int, float]] = []
        timed = iter(self._timed(program))
        for record, seconds in timed:
            group = [(record, seconds), *islice(timed, record.together - 1)]
            rows = record.blocks and record.together > 1
            items = record.blocks if rows else sum(r.tasks for r, _ in group)
            found.append((items, sum(s for _, s in group)))
        return found

    def _timed(self, program: Program) -> list[tuple[Any, float]]:
        spent = ffi.new("int64_t[]", max(1, len(program)))
        self.pool.run(program.records, len(program), spent, self.graph.precision)
        return [(program.records[i], spent[i] * 1e-9) for i in range(len(program))]

    def _guards(self, names: Sequence[str]) -> list[tuple[str, str, np.ndarray]]:
        found = []
        for name in names:
            slot = self.plan.slots[name]
            end = slot.offset + slot.tensor.items * (2 if slot.tensor.dtype == "d" else 1)
            found.append((name, "before", self.words[slot.begin : slot.offset]))
            found.append((name, "behind", self.words[end : slot.end]))
        return found

    @contextmanager
    def _shielded(self, names: Sequence[str]) -> Iterator[None]:
        """Under a sanitizer, nothing but these tensors may be touched. Vector kernels may read a guard behind a tensor."""
        if not lib.ck_sanitized():
            yield
            return
        room, base = 0 if loader.current() == "portable" else 4 * GUARD, ffi.cast("char *", self.arena)
        lib.ck_forbid(self.arena, self.plan.bytes)
        for slot in (self.plan.slots[n] for n in names):
            size = slot.tensor.items * (8 if slot.tensor.dtype == "d" else 4)
            lib.ck_allow(base + 4 * slot.offset, size + room)
        try:
            yield
        finally:
            lib.ck_allow(self.arena, self.plan.bytes)

    def _run_guarded(self, program: Program) -> None:
        """Each call with guard words around every tensor it names; a changed word is an error that names call and tensor."""
        at, records = 0, program.plain()
        for call in program.calls:
            count = len(call.direction.phases)
            guards = self._guards(list(dict.fromkeys(call.args)))
            for _, _, words in guards:
                words[:] = GUARD_WORD
            inputs = [n for n, a in zip(call.args, call.direction.reads, strict=False) if not a.changed]
            before = {n: self.view(n).tobytes() for n in inputs if n not in call.writes()}
            with self._shielded(call.args):
                self.pool.run(records + at, count, precision=self.graph.precision)
            at += count
            for name, side, words in guards:
                if (words != GUARD_WORD).any():
                    word = int(np.argmax(words != GUARD_WORD))
                    raise GuardError(
                        f"{call.op.name} {call.kind} ({call.name}) wrote {word} words {side} tensor {name} {self.graph.tensors[name].shape}"
                    )
            for name, old in before.items():
                if self.view(name).tobytes() != old:
                    raise GuardError(f"{call.op.name} {call.kind} ({call.name}) changed {name}, which it only reads")


assert GUARD >= 16
