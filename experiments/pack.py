"""Packing: rows become windows of `ctx` tokens for training. Rows are never split, never attend to each other, and only their
outputs carry loss (unless a rung says otherwise).

A row is `PROMPT [OUT] OUTPUT`; its prompt ends with `[OUT]`. The end token follows every row. Padding carries no loss.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cengine import random
from cengine.ops import IGNORED
from cengine.train import Batch, Stream
from experiments.tokenizer import Coder

OUT = " [OUT] "


@dataclass(frozen=True)
class Packed:
    """Windows [n, ctx] and what they hold. `members` are the numbers of each window's rows, `text_bytes` the bytes that the targets
    spell, one for each end token.
    """

    windows: Batch
    members: tuple[tuple[int, ...], ...]
    rows: int
    tokens: int
    targets: int
    text_bytes: int

    @property
    def fill(self) -> float:
        """Share of the windows' positions that hold a row."""
        return self.tokens / self.windows.ids.size


def cut(row: str) -> tuple[str, str]:
    """(prompt with its [OUT], output with the space before it) of a row; the two joined are the row."""
    at = row.find(OUT)
    if at < 0 or row.find(OUT, at + 1) >= 0:
        raise ValueError(f"row: expected `PROMPT [OUT] OUTPUT` with one [OUT]; got {row[:80]!r}")
    split = at + len(OUT) - 1
    return row[:split], row[split:]


def pack(
    rows: Sequence[str],
    coder: Coder,
    ctx: int,
    seed: int,
    loss_on_prompt: bool = False,
    encode: Callable[[Sequence[str]], list[list[int]]] | None = None,
) -> Packed:
    """Encode the rows (by `encode`, where somebody remembers what the coder said), shuffle them, and fill windows first-fit. Raises ValueError
    for rows that are longer than the context."""
    encode = encode or coder.encode_many
    parts = [cut(row) for row in rows]
    prompts, outputs = encode([p for p, _ in parts]), encode([o for _, o in parts])
    long = [i for i, (p, o) in enumerate(zip(prompts, outputs, strict=True)) if len(p) + len(o) > ctx]
    if long:
        i = long[0]
        raise ValueError(
            f"pack: {len(long)} of {len(rows)} rows are longer than ctx={ctx} tokens, the first has {len(prompts[i]) + len(outputs[i])}: "
            f"{rows[i][:80]!r}; raise ctx or shorten the surface"
        )
    order = random.permutation(seed, random.stream_of("pack"), len(rows))
    windows: list[list[int]] = []
    room: list[int] = []
    open_from = 0
    for i in (int(n) for n in order):
        size = len(prompts[i]) + len(outputs[i])
        place = next((w for w in range(open_from, len(windows)) if room[w] >= size), None)
        if place is None:
            place = len(windows)
            windows.append([])
            room.append(ctx)
        windows[place].append(i)
        room[place] -= size
        open_from = max(open_from, len(windows) - 64)  # only recent windows stay open: packing stays linear
    batch = _fill(windows, prompts, outputs, coder, ctx, loss_on_prompt)
    tokens = sum(len(p) + len(o) for p, o in zip(prompts, outputs, strict=True))
    spelled = sum(len((p + o if loss_on_prompt else o).encode()) for p, o in parts)
    return Packed(batch, tuple(map(tuple, windows)), len(rows), tokens, batch.valid(), spelled + len(rows))


def trained(packed: Packed, stream: Stream) -> np.ndarray:
    """How often each packed row was taken from the stream so far, int64 [rows]: read from the stream's cursor."""
    taken = np.full(len(packed.members), stream.epoch, np.int64)
    taken[stream.order(stream.epoch)[: stream.index]] += 1
    times = np.zeros(packed.rows, np.int64)
    for window, members in enumerate(packed.members):
        times[list(members)] = taken[window]
    return times


def _fill(
    windows: list[list[int]],
    prompts: list[list[int]],
    outputs: list[list[int]],
    coder: Coder,
    ctx: int,
    loss_on_prompt: bool,
) -> Batch:
    """ids and the tokens that follow them; the last target of a row is the end token, which itself is never fed."""
    shape = (len(windows), ctx)
    ids, targets, pos = (
        np.full(shape, coder.pad, np.int32),
        np.full(shape, IGNORED, np.int32),
        np.zeros(shape, np.int32),
    )
    for w, members in enumerate(windows):
        at = 0
        for i in members:
            row = prompts[i] + outputs[i]
            end, first = at + len(row), 0 if loss_on_prompt else len(prompts[i]) - 1
            ids[w, at:end] = row
            targets[w, at + first : end] = [*row[first + 1 :], coder.eos]
            pos[w, at:end] = np.arange(len(row))
            at = end
        pos[w, at:] = np.arange(ctx - at)
    return Batch(ids, targets, pos)
