"""The repaired column: an output that its surface does not read, put right by listed steps, each a function with one rule.

    cut -> strip -> begin -> space -> loose -> unfinished -> repeat -> close -> fold_space

Every step only leaves something out or writes closing tags: what the model did not say, no step says for it. Nothing is filled in
from the prompt or from a template, so a repair can cost an answer its meaning but can never give it one. Outputs that ended by
themselves and are read as they are stay as they are. Nobody is promoted on repaired outputs.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from experiments import surfaces
from experiments.probes.constrain import is_whole
from experiments.probes.flaw import SPECIAL, once
from experiments.probes.score import markers
from experiments.split import fold

_TAG = re.compile(r"\[(/?)([A-Za-z][A-Za-z0-9_]*)(:[^\[\]\s]*)?\]")
_PIECE = re.compile(r"\[[^\[\]\s]*\]?|[^\[\]\s]+|\]")


@dataclass(frozen=True)
class Repaired:
    """A text, and the names of the steps that changed it, in order."""

    text: str
    steps: tuple[str, ...] = ()


Step = Callable[[str, str], str]  # (surface, text) -> text
STEPS: dict[str, Step] = {}


def step(function: Step) -> Step:
    STEPS[function.__name__] = function
    return function


def repair(surface: str, raw: str, stop: str) -> Repaired:
    """The repaired text of a raw output that ended for the reason `stop`."""
    if is_whole(surface, raw, stop):
        return Repaired(raw)
    text, taken = raw, []
    for name, function in STEPS.items():
        changed = function(surface, text)
        if changed != text:
            taken.append(name)
        text = changed
    return Repaired(text, tuple(taken))


def _bracketed(surface: str) -> bool:
    return markers(surface)[0].startswith("[")


@step
def cut(surface: str, text: str) -> str:
    """Nothing stands behind the first closing marker."""
    closing = markers(surface)[1]
    return text[: text.find(closing) + len(closing)] if closing in text else text


@step
def strip(surface: str, text: str) -> str:
    """Tokens that are no text (`<|endoftext|>` and the like) are left out."""
    return SPECIAL.sub("", text)


@step
def begin(surface: str, text: str) -> str:
    """Nothing stands before the first opening marker."""
    opening = markers(surface)[0]
    return text[text.find(opening) :] if opening in text else text


@step
def space(surface: str, text: str) -> str:
    """`][` is two tags."""
    return text.replace("][", "] [") if _bracketed(surface) else text


@step
def loose(surface: str, text: str) -> str:
    """Words outside of tags are left out where the surface has none there."""
    if not _bracketed(surface) or getattr(surfaces.load(surface), "BARE", None) is not None:
        return text
    return _PIECE.sub(lambda piece: piece[0] if piece[0].startswith("[") else "", text)


@step
def unfinished(surface: str, text: str) -> str:
    """A tag that was never closed is left out."""
    kept = re.sub(r"\[[^\[\]\s]*(?=\s|\[|$)", "", text) if _bracketed(surface) else re.sub(r"<[^<>]*$", "", text)
    return kept


@step
def repeat(surface: str, text: str) -> str:
    """What the surface says once (an attribute of the whole scene) stands once: the first is kept; so does the opening marker."""
    opening = markers(surface)[0]
    seen: set[str] = set()
    kept, at = "", 0
    for found in once(surface, text):
        if found[1] in seen:
            kept, at = kept + text[at : found.start()], found.end()
        seen.add(found[1])
    head, mark, rest = (kept + text[at:]).partition(opening)
    return head + mark + (rest.replace(opening, "") if _bracketed(surface) else rest)


@step
def close(surface: str, text: str) -> str:
    """Blocks that are open are closed, then the text."""
    closing = markers(surface)[1]
    if closing in text or not text.strip():
        return text
    ends = _open_blocks(surface, text)
    return f"{text.rstrip()}{' ' if _bracketed(surface) else ''}{' '.join([*ends, closing])}"


def _open_blocks(surface: str, text: str) -> list[str]:
    """Closing tags for what is open, the innermost first. Raw SVG has only its document and, inside of it, texts."""
    if not _bracketed(surface):
        return ["</text>"] if text.count("<text") > text.count("</text>") else []
    known = {tag for tag in surfaces.load(surface).vocabulary().tags if tag.startswith("[/")} - {markers(surface)[1]}
    found: list[str] = []
    for slash, name, value in _TAG.findall(text):
        if slash and f"[/{name}]" in found:
            del found[len(found) - found[::-1].index(f"[/{name}]") - 1 :]
        elif not slash and not value and f"[/{name}]" in known:
            found.append(f"[/{name}]")
    return found[::-1]


@step
def fold_space(surface: str, text: str) -> str:
    """White space is one space, and none at either end."""
    return fold(text)
