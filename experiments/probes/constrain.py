"""The constrained column: what the same model says where the surface's grammar masks what it may say.

Greedy over allowed tokens. A raw output that ended by itself and says a scene as its surface writes it was never off the grammar, so the
mask would have changed nothing in it, and it is kept; only the others are asked again, token by token. Where these are more than MOST, a drawn
sample of them is asked, and each of it counts for as many as were left out (`column.standing`). Nothing here is promoted on: that everything
closes and parses is a property of the mask (`mask.py`), not of the model.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from cengine.decode import Decoder
from experiments import surfaces
from experiments.mask import Guide, MaskError, Tokens
from experiments.pen import Grammar
from experiments.pools import shuffled
from experiments.tag import SurfaceError
from experiments.tokenizer import Coder

MOST = 20  # outputs that are asked again, for asking token by token is dear; where more are off the grammar, so many of them


@dataclass(frozen=True)
class Guided:
    """One constrained output. `turned`: steps at which the likeliest token was not allowed; `why`: no output, and the reason; `left_out`: no
    output, for it is not in the sample."""

    raw: str
    stop: str
    turned: int = 0
    asked: bool = False  # again; else the raw output stands
    why: str = ""
    left_out: bool = False


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


def is_canonical(surface: str, raw: str, stop: str) -> bool:
    """Whether a raw output ended by itself and is the text that its surface writes for its scene."""
    module, text = surfaces.load(surface), raw.strip()
    return is_whole(surface, raw, stop) and module.format(module.parse(text)) == text


def guide(
    surface: str, families: Sequence[str], coder: Coder, decoder: Decoder, prompts: Sequence[str], answers: Sequence[tuple[str, str]],
    limit: int, seed: int = 42,
) -> tuple[list[Guided], float]:  # fmt: skip
    """The constrained outputs beside the raw `answers` (text, why it stopped), and the seconds that they took. One that cannot be had
    leaves none."""
    began = time.perf_counter()
    grammar, tokens = grammar_of(surface, families), Tokens(coder)
    found = [Guided(raw, stop) for raw, stop in answers]
    guides: dict[int, Guide] = {}
    asked = coder.encode_many(list(prompts))
    off = [at for at, (raw, stop) in enumerate(answers) if not is_canonical(surface, raw, stop)]
    why = "" if grammar else f"the surface {surface} has no grammar"
    if len(off) > MOST:
        for at in shuffled(seed, "constrained", off)[MOST:]:
            found[at] = Guided("", "none", left_out=True)
    for at in (at for at in off if not found[at].left_out):
        if why or grammar is None:
            break
        try:
            guides[at] = Guide(grammar, tokens, min(limit - 1, decoder.config.ctx - len(asked[at])))
        except MaskError as error:
            why = str(error)
    if why and off:
        return [Guided("", "none", why=why)] * len(answers), time.perf_counter() - began
    picks = [one.pick for one in guides.values()]
    said = decoder.generate([asked[at] for at in guides], limit, coder.eos, picks=picks) if guides else []
    for (at, one), answer in zip(guides.items(), said, strict=True):
        found[at] = Guided(coder.decode(answer.ids), answer.reason, one.turned, True)
    return found, time.perf_counter() - began
