"""Flaws of a raw output that can be seen without knowing what was expected: the lower half of the minimum scoreboard.

Each is one function (surface, raw, why it stopped, names of tags that only prompts have) -> bool, found by its decorator; its docstring
is the definition that is printed. A run's rate of a flaw is the share of contract cases that have it, in the metric `NAME_rate`. Nothing
is repaired here (`repair.py`) and nothing is compared with an expected text (`autopsy.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator

import numpy as np

from experiments import atom, block, look, order, surfaces
from experiments.probes.score import answered, markers, spills
from experiments.split import fold, tags

Names = Container[str]
Flaw = Callable[[str, str, str, Names], bool]
FLAWS: dict[str, Flaw] = {}
SPECIAL = re.compile(r"<\|[a-z_]+\|>")
RUN, TIMES = 32, 8  # the longest run of characters that is looked for, and how often it has to come in a row
_TAG = re.compile(r"\[(/?)([A-Za-z][A-Za-z0-9_]*)(:[^\[\]\s]*)?\]")


def flaw(function: Flaw) -> Flaw:
    FLAWS[function.__name__] = function
    return function


def flaws(surface: str, raw: str, stop: str, prompts: Names) -> list[str]:
    """The flaws of one output, in the order of this file; `prompts` are the names of tags that only prompts have."""
    return [name for name, function in FLAWS.items() if function(surface, fold(raw), stop, prompts)]


@flaw
def missing_scene_start(surface: str, text: str, stop: str, prompts: Names) -> bool:
    """The text does not begin with the surface's opening marker."""
    return not text.startswith(markers(surface)[0])


@flaw
def missing_scene_end(surface: str, text: str, stop: str, prompts: Names) -> bool:
    """The surface's closing marker is nowhere in the text."""
    return markers(surface)[1] not in text


@flaw
def tail_after_end(surface: str, text: str, stop: str, prompts: Names) -> bool:
    """Something follows the first closing marker."""
    return spills(surface, text)


@flaw
def duplicate_attr(surface: str, text: str, stop: str, prompts: Names) -> bool:
    """What the surface says once (layout, theme, tone, counts, ...) stands twice before the first closing marker."""
    names = [found[1] for found in once(surface, text.split(markers(surface)[1])[0])]
    return len(set(names)) < len(names)


@flaw
def block_nesting_error(surface: str, text: str, stop: str, prompts: Names) -> bool:
    """A closing tag that closes nothing or something else than what is open, or a block that is open where the scene ends."""
    closing = markers(surface)[1]
    if not _is_bracketed(surface):
        found = re.findall(r"<(/?)([a-z]+)[^<>]*?(/?)>", text)
        marks = [(slash, name) for slash, name, empty in found if not empty]
    else:
        known = {tag[2:-1] for tag in surfaces.load(surface).vocabulary().tags if tag.startswith("[/")}
        marks = [
            (slash, name)
            for slash, name, value in _TAG.findall("".join(text.partition(closing)[:2]))
            if name in known and not value
        ]
    open_: list[str] = []
    for slash, name in marks:
        if not slash:
            open_.append(name)
        elif not open_ or open_.pop() != name:
            return True
    return bool(open_) and closing in text


@flaw
def special_token_leak(surface: str, text: str, stop: str, prompts: Names) -> bool:
    """A special token (`<|endoftext|>`) or a tag that only prompts have (`[OUT]`, `[task:`, `[goal:`) stands in the output."""
    return bool(SPECIAL.search(text)) or any(name in prompts for _, name, _ in _TAG.findall(text))


@flaw
def empty_response(surface: str, text: str, stop: str, prompts: Names) -> bool:
    """Nothing was said."""
    return not text


@flaw
def repeats(surface: str, text: str, stop: str, prompts: Names) -> bool:
    """Four equal pieces in a row, or eight equal runs of up to 32 characters, or eight characters and more of only two kinds."""
    pieces = text.split()
    in_a_row = any(len(set(pieces[i : i + 4])) == 1 for i in range(len(pieces) - 3))
    return in_a_row or _loops(f"{text} ") or (len(text) >= 8 and len(set(text) - {" "}) <= 2)


def _loops(text: str) -> bool:
    """Whether a run of up to RUN characters comes TIMES times in a row: each character is then the one a run's length before."""
    letters = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    lengths = range(1, min(RUN, len(text) // TIMES) + 1)
    return any(b"\1" * n * (TIMES - 1) in (letters[n:] == letters[:-n]).tobytes() for n in lengths)


def once(surface: str, text: str) -> Iterator[re.Match[str]]:
    """Where a text states what its surface says once; the name is group 1 of each match."""
    found: Iterator[re.Match[str]] = getattr(surfaces.load(surface), "once", block.once)(text)
    return found


def _is_bracketed(surface: str) -> bool:
    return markers(surface)[0].startswith("[")


PLACE = ("layout", "family", "form")
_FILL = re.compile(
    r"\[(?:fill|stroke):([^\[\]\s]+)\]|\[meta\] (?:fill|stroke) (\S+) \[/meta\]| (?:fill|stroke)=\"([^\"]+)\""
)


def drifted(surface: str, raw: str, expected: str, names: Container[str]) -> bool:
    """Whether an output answers a prompt with another value of one of these names than expected. Of an output that answers no prompt, whether
    it says another one in a tag.
    """
    got, want = answered(surface, raw), answered(surface, expected)
    if got is None or want is None:
        got, want = tags(fold(raw)), tags(fold(expected))
    return any(got.get(name) != want.get(name) for name in {*got, *want} if name in names)


def off_look(surface: str, raw: str, expected: str) -> bool:
    """Whether an output answers to another look than expected, or draws in a colour of prompts that is not expected."""
    return drifted(surface, raw, expected, look.NAMES) or bool(_colours(raw) - _colours(expected))


def _colours(text: str) -> set[str]:
    """The colours of shapes, as numbers, of those that prompts can ask for."""
    named = ("".join(found.groups("")) for found in _FILL.finditer(fold(text)))
    return {atom.COLOURS.get(name, name) for name in named} & {atom.COLOURS[name] for name in order.COLOURS}
