"""Ask a checkpoint the contract of a rung, with its weights in one precision and in another, and measure what the second one changes: scores,
answers, logits and speed. Nothing is logged and nothing is judged: promotion asks in fp32 alone.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cengine.checkpoint import Checkpoint
from cengine.decode import Decoder
from cengine.model import DECODING
from experiments.probes.contract import sha256
from experiments.probes.score import score
from experiments.session import PROBE_SLOTS, Session
from experiments.tokenizer import Coder

COUNTED = ("exact", "renderable", "materialized", "truncated")


def precisions(text: str) -> list[str]:
    """The precisions of an option that takes several, each once."""
    names = text.split(",")
    if not set(names) <= set(DECODING) or len(set(names)) < len(names):
        raise ValueError(f"--precision: got {text!r}; expected some of {','.join(DECODING)}, each once")
    return names


def compare(loaded: Checkpoint, contract: Mapping[str, Any], names: Sequence[str], threads: int | None = None) -> dict:
    """Counts of every precision over all cases; and against the first of them: answers that differ, and the largest difference of a
    logit where both read a prompt and its expected output (null for the first itself)."""
    whole = dict(contract)
    coder = Coder.from_json(loaded.files["tokenizer.json"].decode())
    first: tuple[Decoder, list[str]] | None = None
    lines: list[dict[str, Any]] = []
    for name in names:
        decoder = Decoder(loaded.config, loaded.weights, PROBE_SLOTS, threads, precision=name)
        began = time.perf_counter()
        answers = Session(whole, coder, decoder).ask()
        seconds = time.perf_counter() - began
        scores = [score(whole, c, raw, stop).bools() for c, (raw, stop, _) in zip(whole["cases"], answers, strict=True)]
        raws = [raw for raw, _, _ in answers]
        first = first or (decoder, raws)
        lines.append(
            {
                "precision": name,
                **{key: sum(s[key] for s in scores) for key in COUNTED},
                "answers_changed": sum(a != b for a, b in zip(raws, first[1], strict=True)) if lines else None,
                "logit_difference": logit_difference(first[0], decoder, coder, whole["cases"]) if lines else None,
                "tokens": sum(count for _, _, count in answers),
                "seconds": seconds,
            }
        )
    return {"contract_sha256": sha256(whole), "cases": len(whole["cases"]), "precisions": lines}


def logit_difference(a: Decoder, b: Decoder, coder: Coder, cases: Sequence[Mapping[str, str]]) -> float:
    """max |a - b| over the logits behind every token of every case's prompt and expected output."""
    worst = 0.0
    for ids in coder.encode_many([f"{c['prompt']} {c['expected']}" for c in cases]):
        for at in range(0, min(len(ids), a.config.ctx), min(a.room, b.room)):
            part = ids[at : at + min(a.room, b.room)][: a.config.ctx - at]
            fed = part, [0] * len(part), range(at, at + len(part))
            worst = max(worst, float(np.abs(a.forward(*fed) - b.forward(*fed)).max()))
    return worst
