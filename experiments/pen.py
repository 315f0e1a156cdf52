"""Pens: a grammar is a function that says a text with a pen, choice by choice; this is what follows a text and closes it.

    def grammar(pen: Pen) -> None: ...      # in the module of a surface; found, not registered

Such a function calls `choose` (one of these texts) and `word` (an open payload) in the order of the text. While the pen still has text
to follow, the text decides; where it ends, perhaps in the middle of a tag, the grammar goes on by itself with what it named first, which
closes the text. So one function recognises every beginning of a text and knows a way to its end. `complete` trusts none of it: what
it returns was read by the surface's own `parse`. Tokens, budgets and models are `mask.py`'s; nothing here repairs a text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

from experiments.scene import Scene
from experiments.tag import SurfaceError

PLANS = 4  # ways in which a grammar may close a text, from the least on: see `Pen.plan`
BRANCHES = 16  # readings of a word that the text leaves unfinished
MOST = 96  # characters of an open payload


class Refused(Exception):
    """The text departs from the grammar."""


class Pen:
    """A text to follow. `families`: those that may be said, all where empty; `plan`: how much the grammar adds beyond what is surely
    needed (0 nothing; a grammar says what the others are); `branch`: which reading of an unfinished word.
    """

    def __init__(self, text: str, families: Sequence[str] = (), plan: int = 0, branch: int = 0) -> None:
        self.text, self.families, self.plan, self.branch = text, families, plan, branch
        self.at = 0
        self.more: list[str] = []  # what is said beyond the text
        self.branches = 1
        self.frontier: tuple[str, ...] | None = None  # how the text may go on at its end
        self.open: Callable[[str], bool] | None = None  # which texts may go on with the open payload that stands there
        self._ahead: str | None = None

    @property
    def closing(self) -> bool:
        """Whether the text is followed to its end."""
        return self.at >= len(self.text)

    def carried(self, names: Sequence[str]) -> tuple[str, ...]:
        """Those of the names that may be said."""
        return tuple(name for name in names if not self.families or name in self.families)

    def sees(self, options: Sequence[str]) -> str:
        """Which of the texts comes next, without saying it; the same rules as `choose`."""
        if self._ahead is None or self._ahead not in options:
            self._ahead = self._find(options)
        return self._ahead

    def choose(self, options: Sequence[str]) -> str:
        """Say one of these texts, of which none begins another. The first is what closes soonest."""
        choice = self.sees(options)
        self._ahead = None
        self._say(choice)
        return choice

    def say(self, text: str) -> None:
        """Say this and nothing else."""
        self.choose((text,))

    def word(
        self, usual: Iterable[str], pattern: re.Pattern[str], stops: str, mend: Sequence[str] = ("0",), instead: Sequence[str] = ()
    ) -> str:  # fmt: skip
        """Say an open payload that ends before one of the characters of `stops`. `usual`: what it may well be, best first; `mend`: what
        may be put behind an unfinished one; `instead`: texts that may stand in its place, each beginning with such a character.
        """
        if instead and self.text[self.at : self.at + 1] == instead[0][0]:
            return self.choose(instead)
        end = _end(self.text, self.at, stops)
        word = self.text[self.at : end]
        if end < len(self.text):
            if len(word) > MOST or not pattern.fullmatch(word):
                raise Refused(word)
        else:
            likely = tuple(usual)

            def fits(begun: str) -> list[str]:
                found = [u for u in likely if u.startswith(begun)]
                found += [begun + m for m in ("", *mend) if begun and pattern.fullmatch(begun + m)]
                return [w for w in dict.fromkeys(found) if len(w) <= MOST]

            def goes_on(text: str) -> bool:
                end = _end(text, 0, stops)
                whole = word + text[:end]
                return bool(fits(whole)) if end == len(text) else len(whole) <= MOST and bool(pattern.fullmatch(whole))

            self._meet(() if word else instead, goes_on)
            word = self._pick(fits(word))
        self._say(word)
        return word

    # ---- following

    def _find(self, options: Sequence[str]) -> str:
        if not options:
            raise Refused("nothing may follow")
        if self.closing:
            self._meet(options, None)
            return options[0]
        for option in options:
            if self.text.startswith(option, self.at):
                return option
        tail = self.text[self.at :]
        fits = [option for option in options if option.startswith(tail)]
        self._meet([option[len(tail) :] for option in fits], None)
        return self._pick(fits)

    def _pick(self, fits: Sequence[str]) -> str:
        if not fits:
            raise Refused(self.text[self.at :])
        if self.more:
            return fits[0]
        self.branches = max(self.branches, len(fits))
        return fits[min(self.branch, len(fits) - 1)]

    def _meet(self, options: Sequence[str], goes_on: Callable[[str], bool] | None) -> None:
        """Keep what may come where the text ends. An open payload may also end here, which its grammar says next."""
        if self.frontier is None:
            self.frontier, self.open = tuple(options), goes_on

    def _say(self, text: str) -> None:
        here = self.text[self.at : self.at + len(text)]
        self.at += len(here)
        if len(here) < len(text):
            self.more.append(text[len(here) :])


def _end(text: str, at: int, stops: str) -> int:
    """Where the first of these characters stands from `at` on; the end of the text if there is none."""
    return next((i for i in range(at, len(text)) if text[i] in stops), len(text))


Walk = Callable[[Pen], None]
Parse = Callable[[str], Scene]


@dataclass(frozen=True)
class Grammar:
    """A surface's grammar with its reader, for some families (all where empty). Texts begin with a space, as rows have them."""

    walk: Walk
    parse: Parse
    families: tuple[str, ...] = ()

    def complete(self, text: str) -> str | None:
        """A closing: text + closing parses. "" for a whole text; None where the text begins nothing that this grammar can close."""
        return _complete(self, text)

    def frontier(self, text: str) -> tuple[tuple[str, ...], Callable[[str], bool] | None]:
        """How a text that can be closed may go on: texts of which one comes next, and a test of what may go on with an open payload.
        A quick superset of what `complete` allows."""
        pen = Pen(text, self.families)
        with suppress(Refused):
            self.walk(pen)
        return pen.frontier or (), pen.open


@lru_cache(maxsize=20_000)
def _complete(grammar: Grammar, text: str) -> str | None:
    tried: set[str] = set()
    for plan in range(PLANS):
        branch, branches = 0, 1
        while branch < min(branches, BRANCHES):
            pen = Pen(text, grammar.families, plan, branch)
            branch += 1
            try:
                grammar.walk(pen)
                branches = max(branches, pen.branches)
                if pen.closing:
                    closing = "".join(pen.more)
                    if closing in tried:
                        continue
                    tried.add(closing)
                    grammar.parse((text + closing).strip())
                    return closing
            except Refused:
                branches = max(branches, pen.branches)
                if not pen.more and branches == 1:
                    return None  # it is the text itself, whatever would come behind it
            except SurfaceError:
                continue
    return None
