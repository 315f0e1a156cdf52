"""The score of one raw output: the four headline metrics and the stage metrics, as the contract defines them.

The raw text is scored as it came, up to the end token; nothing is cleaned, repaired or cut. A score needs the contract alone (and the
compiler), so that whoever holds the stored outputs can score them again.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from experiments import compiler, surfaces
from experiments.compiler import CompileError, canonical
from experiments.probes.contract import TAG_NAME, content_of
from experiments.split import asked, fold, tags
from experiments.tag import SurfaceError

ANY_TAG = re.compile(r"\[[^\[\]\s]*\]")
REMEMBERED = 4096  # texts: more than a contract has cases


@dataclass(frozen=True)
class Score:
    """One case. `spilled`: something follows the first closing marker. `svg` is the drawn picture or None; `problem` says why there is
    none.
    """

    exact: bool
    renderable: bool
    materialized: bool
    truncated: bool
    clean_stop: bool
    prefix_ok: bool
    adherent: bool
    first_block_exact: bool
    spilled: bool
    svg: str | None
    problem: str | None

    def bools(self) -> dict[str, bool]:
        names = (
            "exact",
            "renderable",
            "materialized",
            "truncated",
            "clean_stop",
            "prefix_ok",
            "adherent",
            "first_block_exact",
        )
        return {n: bool(getattr(self, n)) for n in names}


def markers(surface: str) -> tuple[str, str]:
    """What a surface's texts open and close with."""
    module = surfaces.load(surface)
    found: tuple[str, str] = getattr(module, "MARKERS", (f"[{module.MARKER}]", f"[/{module.MARKER}]"))
    return found


def spills(surface: str, text: str) -> bool:
    """Whether something follows the first closing marker of a folded text."""
    return text.partition(markers(surface)[1])[2] != ""


def score(contract: dict, case: dict, raw: str, stop: str) -> Score:
    """Score a raw output (decoded up to, without, the end token) that ended for the reason `stop`: eos, budget or context."""
    opening, closing = markers(contract["surface"])
    text, expected = fold(raw), fold(case["expected"])
    svg, problem = _draw(contract, case, raw)
    first_block = text[: text.find(closing) + len(closing)] if closing in text else text
    return Score(
        exact=stop == "eos" and text == expected,
        renderable=svg is not None,
        materialized=svg is not None and hashlib.sha256(canonical(svg).encode()).hexdigest() == case["svg_sha256"],
        truncated=stop in ("budget", "context"),
        clean_stop=stop == "eos" and text.count(closing) == 1 and text.endswith(closing),
        prefix_ok=_prefix_ok(contract, text, opening, closing),
        adherent=_adherent(contract, case, text),
        first_block_exact=first_block == expected,
        spilled=spills(contract["surface"], text),
        svg=svg,
        problem=problem,
    )


def _draw(contract: dict, case: dict, raw: str) -> tuple[str | None, str | None]:
    """The picture of the raw text, or why there is none."""
    return _compiled(contract["surface"], raw.strip(), json.dumps(content_of(contract, case)))


@lru_cache(maxsize=REMEMBERED)
def _compiled(surface: str, text: str, content: str) -> tuple[str | None, str | None]:
    """Compiling is deterministic and most of scoring, and a run scores its outputs four times: as they come, repaired, as they were stored
    and for the judge. Only the errors of parsing and compiling are caught.
    """
    try:
        return compiler.compile_text(surface, text, json.loads(content)).svg, None
    except (SurfaceError, CompileError) as error:
        return None, str(error)


def _prefix_ok(contract: dict, text: str, opening: str, closing: str) -> bool:
    """The text opens with the marker, and up to the first closing marker every tag in it is one that the surface writes; between
    tags stands nothing but what the surface has there (`BARE`).
    """
    block = text.split(closing)[0]
    pieces = block.split()
    if not pieces or pieces[0] != opening:
        return False
    module = surfaces.load(contract["surface"])
    vocabulary = module.vocabulary()
    if any(name in contract["prompt_only"] for name in TAG_NAME.findall(block)):
        return False
    closed, prefixes = set(vocabulary.tags), tuple(vocabulary.prefixes)
    bare = getattr(module, "BARE", None)
    return all(
        (p in closed or p.startswith(prefixes or ("\0",)))
        if ANY_TAG.fullmatch(p)
        else bare is not None and bare.fullmatch(p)
        for p in pieces
    )


def _adherent(contract: dict, case: dict, text: str) -> bool:
    """The scene that the output says answers to every control tag: of the prompt, where an edit changes what its tag names, or
    where the prompt is a brief, of the expected scene.
    """
    module = surfaces.load(contract["surface"])
    wanted = asked(module.prompt(module.parse(case["expected"])) if case.get("brief") else case["prompt"])
    wanted.pop("task", None)
    said = answered(contract["surface"], text)
    return said is not None and bool(wanted) and all(said.get(name) == value for name, value in wanted.items())


def answered(surface: str, text: str) -> Mapping[str, str] | None:
    """The tags of the prompt that a text answers, which are those of the scene that it says; None where it says none."""
    module = surfaces.load(surface)
    return _said(module.prompt, module.parse, text.strip())


@lru_cache(maxsize=REMEMBERED)
def _said(prompt: Callable[[Any], str], parse: Callable[[str], Any], text: str) -> Mapping[str, str] | None:
    try:
        return tags(prompt(parse(text)))
    except SurfaceError:
        return None


def normalised(raw: str) -> str:
    return fold(raw)
