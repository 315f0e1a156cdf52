"""Decoding: many prompts at once against key/value caches, greedy or sampled, stopping at the end token.

A prompt's ids do not depend on the others in the batch, on their order or on the number of threads, and equal those of a full
forward: the kernels give a row the same bits alone and in company. Sampling draws from (seed, prompt, how many equal prompts came
before it in the call, position). A decoder may be called from several threads: calls take turns.
It returns ids; what they spell is the tokenizer's business.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from cengine import random
from cengine.engine import Machine, Pool, Program
from cengine.model import Config, check_shapes, decoding_graph, rotary_tables

CHUNK = 256  # most tokens of one call


@dataclass(frozen=True)
class Sampling:
    """temperature 0 is greedy (the lowest id wins a tie). top_p keeps the smallest set of tokens whose mass reaches it."""

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not (self.temperature >= 0.0 and 0.0 < self.top_p <= 1.0):
            raise ValueError(
                f"sampling: temperature={self.temperature}, top_p={self.top_p}; expected temperature >= 0 and 0 < top_p <= 1"
            )
        if not 0 <= self.seed < 2**64:
            raise ValueError(f"sampling: got seed {self.seed}; expected 0 to 2^64 - 1")


@dataclass(frozen=True)
class Generation:
    """New ids without the end token, and why they ended: eos, budget (max_new) or context (the model's ctx is full)."""

    ids: list[int]
    reason: str


@dataclass
class _Row:
    """A prompt in a slot: what is still to be fed, and what came out."""

    number: int
    stream: int  # of the random generator
    pending: list[int]
    fed: int = 0
    out: list[int] = field(default_factory=list)


def streams(prompts: Sequence[Sequence[int]]) -> list[int]:
    """A random stream for each prompt: named by its ids, and counted where prompts are equal."""
    seen: Counter[str] = Counter()
    names = [hashlib.sha256(np.asarray(p, np.int64).tobytes()).hexdigest() for p in prompts]
    found = []
    for name in names:
        found.append(random.stream_of(f"sample/{name}/{seen[name]}"))
        seen[name] += 1
    return found


def pick(logits: np.ndarray, sampling: Sampling, stream: int, position: int) -> int:
    """The next id from one row of logits [vocab]."""
    if sampling.temperature == 0.0:
        return int(np.argmax(logits))
    scaled = logits.astype(np.float64) / sampling.temperature
    p = np.exp(scaled - scaled.max())
    p /= p.sum()
    order = np.argsort(-p, kind="stable")
    mass = np.cumsum(p[order])
    keep = int(np.searchsorted(mass, sampling.top_p * (1.0 - 1e-12))) + 1
    kept = mass[:keep]
    u = random.uniform(sampling.seed, stream, 1, position)[0] * kept[-1]
    return int(order[min(int(np.searchsorted(kept, u, side="right")), keep - 1)])


class Decoder:
    """Weights and `slots` caches of ctx tokens in one arena."""

    def __init__(
        self,
        config: Config,
        weights: Mapping[str, np.ndarray],
        slots: int = 32,
        threads: int | None = None,
        pool: Pool | None = None,
    ) -> None:
        if slots < 1:
            raise ValueError(f"decoder: slots={slots}; expected at least 1")
        self.config, self.slots, self.room = config, slots, max(CHUNK, slots)
        self.graph = decoding_graph(config, self.room, slots)
        check_shapes(config, weights)
        self.machine = Machine(self.graph, [*self.graph.prepare, *self.graph.calls], threads, pool)
        self._programs: dict[int, Program] = {}
        for name in config.parameters():
            self.machine.view(name)[:] = weights[name]
        for name, table in zip(("rope.cos", "rope.sin"), rotary_tables(config), strict=True):
            self.machine.view(name)[:] = table
        self.machine.run(self.machine.program(self.graph.prepare))

    def forward(
        self, ids: Sequence[int], slots: Sequence[int], positions: Sequence[int], guard: bool = False
    ) -> np.ndarray:
        """Feed tokens (each to its slot and position, in order within a slot); returns logits [tokens, vocab], a view until the next call."""
        n = len(ids)
        if not (1 <= n <= self.room and len(slots) == len(positions) == n):
            raise ValueError(
                f"decoder: {n} ids, {len(slots)} slots, {len(positions)} positions in one call; expected 1 to {self.room} of each"
            )
        for what, values, end in (
            ("id", ids, self.config.vocab),
            ("slot", slots, self.slots),
            ("position", positions, self.config.ctx),
        ):
            if min(values) < 0 or max(values) >= end:
                raise ValueError(f"decoder: got {what}s {min(values)}..{max(values)}; expected 0..{end - 1}")
        with self.machine.lock:
            if n not in self._programs:
                self._programs[n] = self.machine.program(self.graph.calls, (n, self.room))
            self.machine.view("ids")[0, :n] = ids
            self.machine.view("slot")[:n] = slots
            self.machine.view("pos")[:n] = positions
            self.machine.run(self._programs[n], guard)
        return self.machine.view("logits").reshape(-1)[: n * self.config.vocab].reshape(n, self.config.vocab)

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        max_new: int,
        eos: int | None,
        sampling: Sampling = Sampling(),
        progress: Callable[[int], None] | None = None,
    ) -> list[Generation]:
        """Continue every prompt. Prompts wait for a free slot; `progress` gets the number finished so far.

        Raises ValueError for an empty prompt, one with ids outside the vocabulary, or one that does not fit the context.
        """
        self._check(prompts, max_new)
        with self.machine.lock:
            return self._generate(prompts, max_new, eos, sampling, progress)

    def _generate(
        self,
        prompts: Sequence[Sequence[int]],
        max_new: int,
        eos: int | None,
        sampling: Sampling,
        progress: Callable[[int], None] | None,
    ) -> list[Generation]:
        waiting = [
            _Row(i, stream, list(p)) for i, (p, stream) in enumerate(zip(prompts, streams(prompts), strict=True))
        ][::-1]
        rows: dict[int, _Row] = {}
        done: dict[int, Generation] = {}
        while waiting or rows:
            for slot in range(self.slots):
                if slot not in rows and waiting:
                    rows[slot] = waiting.pop()
            for slot, logits in self._advance(rows):
                row = rows[slot]
                token = pick(logits, sampling, row.stream, row.fed)
                reason = self._end(row, token, max_new, eos)
                if reason:
                    done[row.number] = Generation(row.out, reason)
                    del rows[slot]
                    if progress:
                        progress(len(done))
                else:
                    row.pending = [token]
        return [done[number] for number in range(len(prompts))]

    def _end(self, row: _Row, token: int, max_new: int, eos: int | None) -> str | None:
        """Append the token unless it ends the row; the reason if the row is finished."""
        if token == eos:
            return "eos"
        row.out.append(token)
        if len(row.out) >= max_new:
            return "budget"
        return "context" if row.fed >= self.config.ctx else None

    def _advance(self, rows: dict[int, _Row]) -> list[tuple[int, np.ndarray]]:
        """Feed as many pending tokens as one call takes; logits of the slots whose last pending token was fed."""
        ids: list[int] = []
        slots: list[int] = []
        positions: list[int] = []
        ready: list[tuple[int, int]] = []
        for slot, row in rows.items():
            part = row.pending[: self.room - len(ids)]
            if not part:
                continue
            ids += part
            slots += [slot] * len(part)
            positions += range(row.fed, row.fed + len(part))
            row.fed += len(part)
            row.pending = row.pending[len(part) :]
            if not row.pending:
                ready.append((slot, len(ids) - 1))
        logits = self.forward(ids, slots, positions)
        return [(slot, logits[at]) for slot, at in ready]

    def _check(self, prompts: Sequence[Sequence[int]], max_new: int) -> None:
        if max_new < 1:
            raise ValueError(f"generate: max_new={max_new}; expected at least 1")
        for number, prompt in enumerate(prompts):
            if not 1 <= len(prompt) <= self.config.ctx:
                raise ValueError(
                    f"generate: prompt {number} has {len(prompt)} tokens; expected 1 to ctx={self.config.ctx}"
                )
            if min(prompt) < 0 or max(prompt) >= self.config.vocab:
                raise ValueError(f"generate: prompt {number} has ids outside 0..{self.config.vocab - 1}")
