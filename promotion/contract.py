"""The probe contract as promotion sees it: which cases were declared, and what each split holds out.

Deliberately not the file format of `experiments` (which hands over plain data, and its own hash of the frozen file),
and not a scorer. A scored row takes its split, family and target from here and never from the run, so that no run can
move a miss to where it does not count.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Literal

from promotion.record import Digest, Record, Word, sha256

Kind = Literal["seen", "held_out", "ood"]


class Case(Record):
    """One declared prompt with its expected output. `cluster` groups cases of one target; empty: the output itself."""

    case_id: Word
    prompt: Word
    expected: Word
    split: Word
    family: Word
    surface: str = ""
    form: str = ""
    cluster: str = ""

    @property
    def target(self) -> str:
        """The group of cases that ask for the same output and are therefore no independent evidence."""
        return self.cluster or sha256(self.expected)


class Contract(Record):
    """The declared cases of one spec. `hash` is the hash of the frozen file; `digest` covers what is read here.

    `splits` says what each split is worth: `seen` (trained on), `held_out`, or `ood` (held out and out of distribution:
    unseen targets and unseen recombinations).
    """

    name: Word
    hash: Digest
    splits: dict[str, Kind]
    cases: tuple[Case, ...]

    def kind(self, split: str) -> str:
        """What a split is worth; an undeclared split is worth as little as a seen one."""
        return self.splits.get(split, "seen")

    def held_out(self) -> list[str]:
        """The splits that claim to hold something out, in their order."""
        return [name for name, kind in self.splits.items() if kind != "seen"]

    def violations(self) -> list[str]:
        """Every reason why this contract cannot be evidence."""
        return [*self._duplicates(), *self._unknown_splits(), *self._empty_splits(), *self._contradictions()]

    def _duplicates(self) -> list[str]:
        counts = Counter(case.case_id for case in self.cases)
        return [f"case {name} is declared {count} times" for name, count in counts.items() if count > 1]

    def _unknown_splits(self) -> list[str]:
        names = {case.split for case in self.cases} - set(self.splits)
        return [f"split {name} has cases but no declared kind" for name in sorted(names)]

    def _empty_splits(self) -> list[str]:
        names = set(self.splits) - {case.split for case in self.cases}
        return [f"split {name} is declared but has no case" for name in sorted(names)]

    def _contradictions(self) -> list[str]:
        """A prompt with two expected outputs can be answered by nobody."""
        answers: dict[str, set[str]] = defaultdict(set)
        for case in self.cases:
            answers[case.prompt].add(case.expected)
        return [f"prompt {prompt!r} expects {len(a)} different outputs" for prompt, a in answers.items() if len(a) > 1]
