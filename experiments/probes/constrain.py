"""The constrained column: what the same model says where the surface's grammar masks what it may say.

Greedy over allowed tokens. A raw output that ended by itself and that the surface reads was never off the grammar, so the mask would
have changed nothing in it, and it is kept; only the others are asked again, token by token. Nothing here is promoted on:
that everything closes and parses is a property of the mask (`mask.py`), not of the model.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from cengine.decode import Decoder
from experiments import surfaces
from experiments.mask import Guide, MaskError, Tokens
from experiments.pen import Grammar
from experiments.tag import SurfaceError
from experiments.tokenizer import Coder

MOST = (
    200  # outputs that are asked again: a model that misses more has other troubles, and asking token by token is dear
)


@dataclass(frozen=True)
class Guided:
    """One constrained output. `turned`: steps at which the likeliest token was not allowed; `why`: no output, and the reason."""

    raw: str
    stop: str
    turned: int = 0
    asked: bool = False  # again; else the raw output stands
    why: str = ""


def grammar_of(surface: str, families: Sequence[str] = ()) -> Grammar | None:
    """The grammar of a surface for some families (all where none are named); None where it has none."""
    module = surfaces.load(surface)
    walk = getattr(module, "grammar", None)
    return Grammar(walk, module.parse, tuple(families)) if walk else None


def is_whole(surface: str, raw: str, stop: str) -> bool:
    """Whether a raw output ended by itself and its surface reads it."""
    try:
        surfaces.load(surface).parse(raw.strip())
    except SurfaceError:
        return False
    return stop == "eos"


def guide(
    surface: str, families: Sequence[str], coder: Coder, decoder: Decoder, prompts: Sequence[str], answers: Sequence[tuple[str, str]],
    limit: int,
) -> tuple[list[Guided], float]:  # fmt: skip
    """The constrained outputs beside the raw `answers` (text, why it stopped), and the seconds that they took."""
    began = time.perf_counter()
    grammar, tokens = grammar_of(surface, families), Tokens(coder)
    found = [Guided(raw, stop) for raw, stop in answers]
    guides: dict[int, Guide] = {}
    asked = coder.encode_many(list(prompts))
    off = [at for at, (raw, stop) in enumerate(answers) if not is_whole(surface, raw, stop)]
    why = "" if grammar else f"the surface {surface} has no grammar"
    if len(off) > MOST:
        why = why or f"{len(off)} of {len(answers)} outputs are off the grammar; at most {MOST} are asked again"
    for at in off:
        if why or grammar is None:
            found[at] = Guided("", "none", why=why)
        else:
            try:
                guides[at] = Guide(grammar, tokens, min(limit - 1, decoder.config.ctx - len(asked[at])))
            except MaskError as error:
                found[at] = Guided("", "none", why=str(error))
    picks = [one.pick for one in guides.values()]
    said = decoder.generate([asked[at] for at in guides], limit, coder.eos, picks=picks) if guides else []
    for (at, one), answer in zip(guides.items(), said, strict=True):
        found[at] = Guided(coder.decode(answer.ids), answer.reason, one.turned, True)
    return found, time.perf_counter() - began
