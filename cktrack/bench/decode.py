"""Greedy decoding: one stream and many prompts at once, and how fast prompts are read.

As is usual, `decode` begins with one token and an empty cache, and `prefill` reads a prompt and says one token.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any

from typer import Option

from cktrack import contest, machine
from cktrack.bench import Shape, at_least_one, counts
from cktrack.contest import Absent, Contestant, Unit

TOGETHER = 64  # texts of ours at a time, as in a probe: more caches than that leave the processor's own


def measure(
    shape: Shape,
    rounds: int,
    threads: int,
    prompts: Annotated[str, Option(help="prompts at once; several with commas")] = "1,16,64,256",
    new: Annotated[int, Option(help="tokens to say for each prompt")] = 64,
    prefill: Annotated[int, Option(help="tokens of a prompt to read")] = 128,
    torch: Annotated[
        bool, Option("--torch/--no-torch", help="torch eager with a key/value cache as an opponent")
    ] = True,
) -> dict[str, Any]:
    """Tokens per second said (decode) and read (prefill), for one prompt and for many at once."""
    batches = counts("prompts", prompts, "prompt")
    at_least_one("new", new, " token")
    at_least_one("prefill", prefill, " token")
    from cengine import loader
    from cktrack import llama

    config, count = shape.config(), loader.thread_count(threads or None)
    if max(new, prefill) >= config.ctx:
        raise ValueError(f"bench: new={new}, prefill={prefill}; expected less than ctx={config.ctx}, or a larger --ctx")
    facts, contests = machine.facts(count, torch), []
    facts["versions"]["llama-cpp-python"] = llama.version()
    for rows in batches:
        for what, length, said, tokens in (("decode", 1, new, new), ("prefill", prefill, 1, prefill)):
            field = contestants(shape, rows, length, said, count, torch)
            case = {"what": what, "prompts": rows}
            contests.append(contest.report(case, "tokens/s", contest.contest(field, rounds), rows * tokens))
    return {
        "benchmark": "decode",
        **facts,
        "shape": config.as_dict(),
        "new": new,
        "prefill": prefill,
        "rounds": rounds,
        "contests": contests,
    }


def contestants(shape: Shape, rows: int, length: int, new: int, threads: int, torch: bool) -> list[Contestant]:
    """Ours first. A unit of work is one call for all prompts."""

    def ours(precision: str) -> Unit:
        from cengine.decode import Decoder

        weights, asked = work(shape, rows, length)
        decoder = Decoder(shape.config(), weights, min(rows, TOGETHER), threads, share=False, precision=precision)
        return lambda: decoder.generate(asked, new, None)

    def torchs() -> Unit:
        from cengine import oracle

        if missing := "torch was not asked for" if not torch else oracle.available():
            raise Absent(missing)
        weights, asked = work(shape, rows, length)
        greedy = oracle.Greedy(shape.config(), weights, rows, threads)
        return lambda: greedy.generate(asked, new)

    def llamas() -> Unit:
        from cktrack import gguf, llama

        if missing := llama.available():
            raise Absent(missing)
        weights, asked = work(shape, rows, length)
        config = shape.config()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.gguf"
            path.write_bytes(gguf.file(config, weights, [*gguf.architecture(config, "bench"), *gguf.no_tokenizer()]))
            greedy = llama.Greedy(path, rows, length + new, threads)
        return lambda: greedy.generate(asked, new)

    return [
        Contestant("cktrack", lambda: ours("fp32")),
        Contestant("cktrack int8", lambda: ours("int8"), "int8"),
        Contestant("torch eager fp32", torchs),
        Contestant("llama.cpp fp32", llamas),
    ]


def work(shape: Shape, rows: int, length: int) -> tuple[Any, list[list[int]]]:
    """Weights, and prompts of random ids."""
    import numpy as np

    from cengine.model import initial

    config = shape.config()
    return initial(config, 0), np.random.default_rng(0).integers(0, config.vocab, (rows, length)).tolist()
