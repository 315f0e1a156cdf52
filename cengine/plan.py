"""The memory plan: every tensor gets an offset in one arena, by lifetime, with guard words around it.

Kept tensors (parameters, gradients, moments, inputs, prepared weights) have a place of their own; activations and scratch share
places when their lifetimes do not meet. `schedule` says what runs together, and lifetimes count its groups. `verify` re-checks a
finished plan by another route than the one that made it.
Units: offsets and sizes in 4-byte words. This file runs nothing.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod

from cengine.ir import PERSISTENT, Call, Graph, Tensor
from cengine.op import Phase, evaluate

ALIGN = 16  # words: 64 bytes
CACHE = (
    640 * 1024
)  # bytes of packed weights that the rows phases of a group may read: a part of a core's second-level cache
GUARD = 16  # words of guard before and behind every slot; also the room that vector loads may read past a tensor


@dataclass(frozen=True)
class Step:
    """One phase of a call."""

    call: Call
    phase: Phase
    pooled: bool = False  # whether its tasks belong to its group as a whole, and to no block of rows

    @property
    def blocks(self) -> int:
        """Blocks of token rows; 0 if this is no rows phase."""
        return evaluate("ROWS", self.call.sizes) if self.phase.by_rows and not self.pooled else 0

    @property
    def weight_bytes(self) -> int:
        prepared = {a.name for a in self.call.op.prepared(self.call.kind)}
        args = [a for a in self.call.direction.reads if a.name in prepared] if self.phase.by_rows else []
        return 4 * sum(prod(a.shape(self.call.sizes)) for a in args)

    @property
    def writes(self) -> tuple[str, ...]:
        return self.call.named(self.phase.apart) if self.phase.apart else self.call.writes()


def schedule(calls: Sequence[Call]) -> list[list[Step]]:
    """The phases of the calls in the groups that run as one, in order.

    A group is either rows phases of equal block counts (each block goes through all of them, as many as can keep their weights in the
    cache), or apart phases (one pool of
    tasks), or one phase alone. Apart phases wait until the rows phases before and behind them are together, unless what
    they write is used or what they read is changed there.
    """
    groups: list[list[Step]] = []
    rows: list[Step] = []
    apart: list[Step] = []

    def flush() -> None:
        groups.extend(g for g in (rows.copy(), apart.copy()) if g)
        rows.clear()
        apart.clear()

    for step in (Step(call, phase) for call in calls for phase in call.direction.phases):
        call, writes = step.call, step.writes
        waiting_writes = {n for s in apart for n in s.writes}
        waiting_reads = {n for s in apart for n in s.call.reads()}
        conflict = waiting_writes & set(call.args) or waiting_reads & set(writes)
        full = rows and sum(s.weight_bytes for s in rows) + step.weight_bytes > CACHE
        if step.phase.apart:
            if conflict:
                flush()
            apart.append(step)
        elif step.phase.by_rows:
            if conflict or full or (apart and not rows) or (rows and rows[0].blocks != step.blocks):
                flush()
            rows.append(step)
        else:
            flush()
            groups.append([step])
    flush()
    return groups


def abreast(calls: Sequence[Call]) -> list[list[Step]]:
    """The phases of the calls in groups of neighbours that need nothing of one another, in order; all tasks of a group are one pool.

    For few token rows: one block of them has work for all threads.
    """
    groups: list[list[Step]] = []
    reads: set[str] = set()
    writes: set[str] = set()
    for step in (Step(call, phase, pooled=True) for call in calls for phase in call.direction.phases):
        call = step.call
        if not groups or writes & set(call.args) or reads & set(call.writes()):
            groups.append([])
            reads, writes = set(), set()
        groups[-1].append(step)
        reads |= set(call.reads())
        writes |= set(call.writes())
    return groups


Order = Callable[[Sequence[Call]], list[list[Step]]]


@dataclass(frozen=True)
class Slot:
    """Where a tensor lies: words [offset, offset+words), alive in groups first..last (None: always)."""

    tensor: Tensor
    offset: int
    words: int
    first: int | None
    last: int | None

    @property
    def begin(self) -> int:
        return self.offset - GUARD

    @property
    def end(self) -> int:
        return self.offset + self.words + GUARD


@dataclass(frozen=True)
class Plan:
    """Slots by tensor name and the arena's size in words."""

    slots: dict[str, Slot]
    words: int

    @property
    def bytes(self) -> int:
        return self.words * 4

    def summary(self) -> dict[str, int]:
        """Bytes by kind; transient tensors are counted once as `shared` (the place they share) and as the sum they would need apart."""
        kinds: dict[str, int] = {}
        for slot in self.slots.values():
            kinds[slot.tensor.kind] = kinds.get(slot.tensor.kind, 0) + slot.words * 4
        apart = kinds.pop("act", 0) + kinds.pop("scratch", 0)
        shared = [s for s in self.slots.values() if s.first is not None]
        low = min((s.begin for s in shared), default=0)
        return {
            **kinds,
            "shared": 4 * (max((s.end for s in shared), default=0) - low),
            "shared_if_apart": apart,
            "arena": self.bytes,
        }


def words_of(tensor: Tensor) -> int:
    raw = tensor.items * (2 if tensor.dtype == "d" else 1)
    return -(-raw // ALIGN) * ALIGN


def lifetimes(calls: Sequence[Call], order: Order = schedule) -> dict[str, tuple[int, int]]:
    """First and last group that touches each tensor."""
    spans: dict[str, tuple[int, int]] = {}
    for index, group in enumerate(order(calls)):
        for name in (n for step in group for n in step.call.args):
            spans[name] = (spans.get(name, (index, index))[0], index)
    return spans


def place(graph: Graph, calls: Sequence[Call], order: Order = schedule) -> Plan:
    """Kept tensors one after the other, then transient ones, largest first, each at the lowest offset that is free for its life."""
    spans = lifetimes(calls, order)
    slots: dict[str, Slot] = {}
    at = GUARD
    for tensor in graph.tensors.values():
        if tensor.kind in PERSISTENT:
            slots[tensor.name] = Slot(tensor, at, words_of(tensor), None, None)
            at = slots[tensor.name].end + GUARD
    floor = at - GUARD
    transient = sorted(
        (t for t in graph.tensors.values() if t.name in spans and t.kind not in PERSISTENT),
        key=lambda t: (-words_of(t), t.name),
    )
    placed: list[Slot] = []
    for tensor in transient:
        first, last = spans[tensor.name]
        size = words_of(tensor) + 2 * GUARD
        start = floor
        for other in placed:  # in the order of their offsets
            if other.first <= last and first <= other.last:  # type: ignore[operator]
                if other.begin - start >= size:
                    break
                start = max(start, other.end)
        slot = Slot(tensor, start + GUARD, words_of(tensor), first, last)
        bisect.insort(placed, slot, key=lambda s: s.offset)
        slots[tensor.name] = slot
    end = max([floor, *(s.end for s in slots.values())])
    return Plan(slots, -(-(end + ALIGN) // 1024) * 1024)


def verify(plan: Plan, calls: Sequence[Call], order: Order = schedule) -> None:
    """Raise ValueError if two slots that are alive at the same time overlap, guards included, or leave the arena.

    Walks the groups and sorts what is alive at each: shares no code with `place`.
    """
    spans = lifetimes(calls, order)
    kept = [s for s in plan.slots.values() if s.first is None]
    for index, group in enumerate(order(calls)):
        where = f"group {index} ({group[0].call.name})"
        missing = [name for step in group for name in step.call.args if name not in plan.slots]
        if missing:
            raise ValueError(f"plan: {where} uses {missing}, which have no slot")
        alive = kept + [
            plan.slots[n]
            for n, (first, last) in spans.items()
            if first <= index <= last and plan.slots[n].first is not None
        ]
        ordered = sorted(alive, key=lambda s: s.begin)
        for a, b in pairwise(ordered):
            if a.end > b.begin:
                raise ValueError(
                    f"plan: {a.tensor.name} [{a.begin},{a.end}) overlaps {b.tensor.name} [{b.begin},{b.end}) in {where}"
                )
        if ordered and (ordered[0].begin < 0 or max(s.end for s in ordered) > plan.words):
            raise ValueError(f"plan: a slot leaves the arena of {plan.words} words in {where}")
