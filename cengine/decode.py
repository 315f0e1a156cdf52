"""Decoding: many prompts at once against key/value caches, greedy or sampled, stopping at the end token.

A prompt's ids do not depend on the others in the batch, on their order, on what is shared with them or on the number of threads, and equal
those of a full forward: the kernels give a row the same bits alone and in company. Prompts that begin alike are fed once: the caches of
their common beginning are copied, also from what was asked before. Sampling draws from (seed, prompt, how many equal prompts came
before it in the call, position). A decoder may be called from several threads: calls take turns.
It returns ids; what they spell is the tokenizer's business.
"""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cengine import random
from cengine.engine import Machine, Pool, Program
from cengine.loader import ffi
from cengine.model import Config, check_shapes, copying, decoding_graph, rotary_tables
from cengine.plan import abreast

CHUNK = 256  # tokens of prompts in one call, beside one for each text that is being said
STEPS = 64  # tokens that are said without a look at the outside (Ctrl-C, progress)
WORTH = 8  # tokens for which a prompt waits until another has fed them: a step reads all weights, however few tokens it takes


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


Pick = Callable[[np.ndarray], int]  # logits [vocab] -> the id that is said


@dataclass
class _Row:
    """A text in a slot: the prompt and what was said."""

    number: int
    stream: int  # of the random generator
    text: list[int]
    length: int  # of the prompt
    pick: Pick | None  # chooses what is said, where someone else does
    fed: int = 0  # the cache holds so many of its tokens
    awaits: tuple[int, int] | None = None  # a slot, and how many tokens of it to take over once they are fed

    @property
    def says(self) -> bool:
        """Whether feeding the last token is all that is left before the next is said."""
        return self.fed == len(self.text) - 1


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
    """Weights and `slots` caches of ctx tokens in one arena. `share` says whether common beginnings of texts are fed once.

    precision: fp32, or int8: the weights of products as bytes with a scale for each output, everything else in float32.
    guard checks every kernel call (None asks CKTRACK_GUARD).
    """

    def __init__(
        self,
        config: Config,
        weights: Mapping[str, np.ndarray],
        slots: int = 32,
        threads: int | None = None,
        pool: Pool | None = None,
        share: bool = True,
        precision: str = "fp32",
        guard: bool | None = None,
    ) -> None:
        if slots < 1:
            raise ValueError(f"decoder: slots={slots}; expected at least 1")
        self.config, self.slots, self.room, self.share = config, slots, CHUNK + slots, share
        self.graph = decoding_graph(config, self.room, slots, precision)
        check_shapes(config, weights)
        calls = self.graph.calls
        head = next(at for at, call in enumerate(calls) if call.name == "said.x")
        self._parts = {"body": calls[:head], "head": calls[head:], "whole": calls, "copy": copying(self.graph, config)}
        self.machine = Machine(
            self.graph, [*self.graph.prepare, *self._parts["copy"], *calls], threads, pool, order=abreast, guard=guard
        )
        self._programs: dict[tuple[str, int], Program] = {}
        self._texts = np.full((slots, config.ctx), -1, np.int32)  # the text of each slot; -1 behind what it will hold
        self._fed = np.zeros(slots, np.int64)  # how many tokens of it the cache holds
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
            self._fed[list(slots)] = 0  # nothing is known of a cache that is fed by hand
            self._set(ids, slots, positions, range(n))
            self.machine.run(self._program("whole", n), guard)
        return self._logits(n)

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        max_new: int,
        eos: int | None,
        sampling: Sampling = Sampling(),
        progress: Callable[[int], None] | None = None,
        picks: Sequence[Pick] | None = None,
    ) -> list[Generation]:
        """Continue every prompt. Prompts wait for a free slot; `progress` gets the number finished so far. `picks`: one for each
        prompt, that chooses its ids instead of `sampling`, in order and each once.

        Raises ValueError for an empty prompt, one with ids outside the vocabulary, or one that does not fit the context.
        """
        self._check(prompts, max_new)
        if picks is not None and len(picks) != len(prompts):
            raise ValueError(f"generate: {len(picks)} picks for {len(prompts)} prompts; expected one for each")
        with self.machine.lock:
            return self._generate(prompts, max_new, eos, sampling, progress, picks)

    def _generate(
        self,
        prompts: Sequence[Sequence[int]],
        max_new: int,
        eos: int | None,
        sampling: Sampling,
        progress: Callable[[int], None] | None,
        picks: Sequence[Pick] | None,
    ) -> list[Generation]:
        self._texts[np.arange(self.config.ctx) >= self._fed[:, None]] = -1  # what an interrupted call did not come to
        named = zip(prompts, streams(prompts) if sampling.temperature else [0] * len(prompts), strict=True)
        waiting = deque(
            _Row(number, stream, list(p), len(p), picks[number] if picks else None)
            for number, (p, stream) in enumerate(named)
        )
        rows: dict[int, _Row] = {}
        done: dict[int, Generation] = {}
        while waiting or rows:
            self._take_over(rows)
            self._enter(waiting, rows)
            alone = sampling.temperature == 0.0 and not picks and all(row.says for row in rows.values())
            alone = alone and not self.machine.guard
            for slot, tokens in self._say(rows, max_new, eos) if alone else self._feed(rows, sampling):
                row = rows[slot]
                row.text += tokens[:-1]
                reason = self._end(row, tokens[-1], max_new, eos)
                if reason:
                    done[row.number] = Generation(row.text[row.length :], reason)
                    self._texts[slot, : row.fed] = row.text[: row.fed]
                    del rows[slot]
                    if progress:
                        progress(len(done))
        return [done[number] for number in range(len(prompts))]

    def _end(self, row: _Row, token: int, max_new: int, eos: int | None) -> str | None:
        """Append the token unless it ends the row; the reason if the row is finished."""
        if token == eos:
            return "eos"
        row.text.append(token)
        if len(row.text) - row.length >= max_new:
            return "budget"
        return "context" if row.fed >= self.config.ctx else None

    # ------------------------------------------------------------------------------------------- common beginnings

    def _enter(self, waiting: deque[_Row], rows: dict[int, _Row]) -> None:
        """Give free slots to waiting prompts, each with what is there of its beginning."""
        free = [slot for slot in range(self.slots) if slot not in rows] if waiting else []
        while waiting and free:
            row = waiting.popleft()
            common = self._common(row.text) if self.share else np.zeros(self.slots, np.int64)
            here = np.minimum(common, self._fed)
            slot = free.pop(int(here[free].argmax()))  # the lowest of the best
            row.fed, common[slot] = int(here[slot]), 0
            other = int(common.argmax())
            if common[other] > row.fed + (WORTH if common[other] > self._fed[other] else 0):
                row.awaits = other, int(common[other])
            rows[slot], self._fed[slot] = row, row.fed
            self._texts[slot] = -1
            self._texts[slot, : row.length] = row.text
            self._take_over({slot: row})  # if it is fed: its slot may be the next to be given away

    def _common(self, prompt: Sequence[int]) -> np.ndarray:
        """How long each slot's text and the prompt begin alike, [slots]; the prompt's last token is not counted: it must be fed to go on."""
        length = len(prompt) - 1
        if not length:
            return np.zeros(self.slots, np.int64)
        differs = self._texts[:, :length] != np.asarray(prompt[:-1], np.int32)
        return np.where(differs.any(1), differs.argmax(1), length)

    def _take_over(self, rows: Mapping[int, _Row]) -> None:
        """Copy what rows wait for, where it is fed by now."""
        ready = [
            (s, row, *row.awaits) for s, row in rows.items() if row.awaits and self._fed[row.awaits[0]] >= row.awaits[1]
        ]
        if not ready:
            return
        for at, (slot, _, source, count) in enumerate(ready):
            for name, value in (("source", source), ("target", slot), ("count", count)):
                self.machine.view(f"copy_{name}")[at] = value
        self.machine.run(self._program("copy", len(ready)))
        for slot, row, _, count in ready:
            row.fed, row.awaits = count, None
            self._fed[slot] = count

    # ------------------------------------------------------------------------------------------------------- steps

    def _feed(self, rows: Mapping[int, _Row], sampling: Sampling) -> list[tuple[int, list[int]]]:
        """Feed one token of every text that is being said and up to CHUNK tokens of prompts; what the texts say that are fed to their end."""
        fed: list[tuple[int, int]] = []  # (slot, position)
        left, ready = CHUNK, []
        for slot, row in sorted(rows.items(), key=lambda pair: not pair[1].says):
            end = row.fed if row.awaits else len(row.text) if row.says else min(len(row.text), row.fed + left)
            left -= 0 if row.says else end - row.fed
            fed += [(slot, at) for at in range(row.fed, end)]
            if end == len(row.text):
                ready.append((slot, len(fed) - 1))
        slots, positions = zip(*fed, strict=True)
        self._set([rows[slot].text[at] for slot, at in fed], slots, positions, [at for _, at in ready])
        self.machine.run(self._program("body", len(fed)))
        for slot, at in fed:
            rows[slot].fed = int(at) + 1
        self._fed[list(rows)] = [row.fed for row in rows.values()]
        if not ready:
            return []
        self.machine.run(self._program("head", len(ready)))
        said = self.machine.view("next")[: len(ready), 0].tolist()
        logits = self._logits(len(ready))
        if ready and rows[ready[0][0]].pick:
            said = [choose(logits[i]) for i, (s, _) in enumerate(ready) if (choose := rows[s].pick)]
        elif sampling.temperature:
            said = [pick(logits[i], sampling, rows[s].stream, rows[s].fed) for i, (s, _) in enumerate(ready)]
        return [(slot, [token]) for (slot, _), token in zip(ready, said, strict=True)]

    def _say(self, rows: Mapping[int, _Row], max_new: int, eos: int | None) -> list[tuple[int, list[int]]]:
        """Greedy steps of all texts, until one of them says the end token or reaches an end; what each says."""
        n, texts = len(rows), list(rows.values())
        self._set([row.text[-1] for row in texts], list(rows), [row.fed for row in texts], range(n))
        ends = ((max_new - (len(row.text) - row.length), self.config.ctx - row.fed) for row in texts)
        most = min(STEPS, min(map(min, ends)))
        program, out = self._program("whole", n), np.empty((most, n), np.int32)
        view = {name: ffi.cast("int32_t *", self.machine.view(name).ctypes.data) for name in ("ids", "pos", "next")}
        asked = ffi.new("ck_texts *")
        asked.texts, asked.most, asked.eos = n, most, -1 if eos is None else eos
        asked.ids, asked.pos, asked.said = view["ids"], view["pos"], view["next"]
        asked.out = ffi.from_buffer("int32_t[]", out)
        self.machine.pool.say(program.records, len(program), asked)
        for row in texts:
            row.fed += asked.steps
        self._fed[list(rows)] = [row.fed for row in texts]
        return list(zip(rows, out[: asked.steps].T.tolist(), strict=True))

    def _set(self, ids: Sequence[int], slots: Sequence[int], positions: Sequence[int], said: Sequence[int]) -> None:
        for name, values in (("ids", ids), ("slot", slots), ("pos", positions), ("said", said)):
            self.machine.view(name)[: len(values)] = values

    def _logits(self, n: int) -> np.ndarray:
        return self.machine.view("logits")[0, :n]

    def _program(self, part: str, n: int) -> Program:
        """The calls of a part for n tokens (n slots for the part `copy`)."""
        if (part, n) not in self._programs:
            room = self.slots if part == "copy" else self.room
            self._programs[part, n] = self.machine.program(self._parts[part], (n, room))
        return self._programs[part, n]

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
