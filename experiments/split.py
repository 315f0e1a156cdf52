"""Proof that the splits hold out what they claim, on the rows as they lie on disk, not on the generator's book-keeping.

A split may claim that its prompts, its targets or its combinations of tags were never trained. Every claim is checked by comparing
texts (white space and case folded, words of a prompt in any order and without punctuation) and by reading tags out of the text. A
claim that fails stops the run.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from experiments.pack import cut

TAG = re.compile(r"\[([a-z_][a-z0-9_]*):([^\]\s]+)\]")
ATOM = re.compile(r"\[([a-z_][a-z0-9_]*)\] ([^\[\]\s]+) \[/\1\]")  # the same, with the value between two tags
MARKS = ".,;:!?()\"'"  # at the ends of words


class LeakError(ValueError):
    """A held-out prompt, target or combination is in the training rows (or a seen one is not)."""


@dataclass(frozen=True)
class Claim:
    """What one split holds out. `combination` names the tags whose values were never trained together; `structure`
    says that the output without its style and topic was never trained in any style, about any topic.
    """

    split: str
    prompt_unseen: bool = False
    target_unseen: bool = False
    combination: tuple[str, ...] = ()
    structure_unseen: bool = False

    def parts(self) -> list[str]:
        """The names of what is claimed unseen."""
        return [
            n
            for n, on in (
                ("prompt", self.prompt_unseen),
                ("target", self.target_unseen),
                ("recombination", bool(self.combination)),
                ("structure", self.structure_unseen),
            )
            if on
        ]


@dataclass
class Proof:
    """Outcome per split and claim: compared cases, how many different prompts (targets, combinations, structures) they are, overlaps (0 in a
    proof that holds), up to three examples."""

    train_rows: int
    train_targets: int
    claims: list[dict] = field(default_factory=list)

    def leaks(self) -> list[str]:
        return [
            f"{c['overlaps']} of {c['compared']} cases of split {c['split']}: {c['holds_out']} is in the training rows, e.g. {c['examples'][0]!r}"
            for c in self.claims
            if c["overlaps"]
        ]

    def as_dict(self) -> dict:
        return {"train_rows": self.train_rows, "train_targets": self.train_targets, "claims": self.claims}


def fold(text: str) -> str:
    """White space folded: how texts are compared."""
    return " ".join(text.split())


def asking(prompt: str) -> tuple[str, ...]:
    """The words of a prompt whatever their case, order and punctuation: one that differs in nothing else asks for the same."""
    return tuple(sorted(filter(None, (word.strip(MARKS) for word in prompt.casefold().split()))))


def order(prompt: str) -> tuple[str, ...]:
    """What a prompt orders, whatever its case and punctuation: its tags in any order, and its other words in theirs."""
    words = [word.strip(MARKS) for word in prompt.casefold().split()]
    return (*sorted(word for word in words if word.startswith("[")), *(w for w in words if w and not w.startswith("[")))


def tags(text: str) -> dict[str, str]:
    """The first value of each `[name:value]` tag of a text, or of each `[name] value [/name]`."""
    return dict(_tags(text))


@lru_cache(8192)
def _tags(text: str) -> tuple[tuple[str, str], ...]:
    """A few texts are remembered, because a target is looked at once for each row that asks for it."""
    found: dict[str, str] = {}
    for name, value in (*TAG.findall(text), *(ATOM.findall(text) if "[/" in text else ())):
        found.setdefault(name, value)
    return tuple(found.items())


def asked(prompt: str) -> dict[str, str]:
    """What a prompt asks for: its tags, the one that an [edit:name=value] changes with its new value."""
    found = tags(prompt)
    name, _, value = found.pop("edit", "").partition("=")
    return found | ({name: value} if value else {})


COUNTS = "counts"


def parts(output: str) -> dict[str, str]:
    """The tags of an output, and its numbers one behind the other under the name `counts`, where it has any."""
    values = tags(output)
    numbers = "-".join(value for value in values.values() if value.isdigit())
    return values | ({COUNTS: numbers} if numbers else {})


def combination(prompt: str, output: str, names: Sequence[str]) -> tuple[str | None, ...]:
    """The values of these tags (or `counts`) in an output; what an output has no tag for, as its prompt asks for it."""
    values = parts(output)
    if not all(name in values for name in names):
        values = asked(prompt) | values
    return tuple(values.get(name) for name in names)


LOOKS = "theme|tone|density|background|frame|inset|gap|connector|topic"  # tags that say nothing of a structure


def structure(text: str) -> str:
    """A scene text without the tags of its style (and what a style brings with it) and its topic."""
    return " ".join(re.sub(rf"\[(?:{LOOKS}):[^\]\s]*\]|\[({LOOKS})\] [^\[\]\s]+ \[/\1\]", "", text).split())


def prove(train: Iterable[str], cases: Sequence[Mapping[str, str]], claims: Sequence[Claim]) -> Proof:
    """Check every claim; raises LeakError with the first offending text. `cases` have split, prompt and expected.

    A split with a claim but without cases is refused: 0 of 0 proves nothing.
    """
    prompts: set[tuple[str, ...]] = set()
    asked_by: dict[str, list[str]] = {}  # the prompts of each output
    rows = 0
    for row in train:
        prompt, output = cut(row)
        prompts.add(asking(prompt))
        asked_by.setdefault(output, []).append(prompt)
        rows += 1
    targets = {fold(output) for output in asked_by}
    proof, folded = Proof(rows, len(targets)), {target.casefold() for target in targets}
    for claim in claims:
        members = [c for c in cases if c["split"] == claim.split]
        if not members or not rows:
            raise LeakError(
                f"split {claim.split}: {len(members)} cases against {rows} training rows; there is nothing to compare"
            )
        for part in claim.parts():
            shown = "expected"
            seen: Collection[Hashable] = prompts
            asked_for: list[Hashable]
            if part == "prompt":
                shown, asked_for = "prompt", [asking(c["prompt"]) for c in members]
            elif part == "target":
                seen, asked_for = folded, [fold(c["expected"]).casefold() for c in members]
            elif part == "structure":
                seen, asked_for = {structure(t) for t in targets}, [structure(c["expected"]) for c in members]
            else:
                seen = {
                    combination(prompt, output, claim.combination)
                    for output, ways in asked_by.items()
                    for prompt in (ways if not set(claim.combination) <= parts(output).keys() else ways[:1])
                }
                values = [combination(c["prompt"], c["expected"], claim.combination) for c in members]
                asked_for = list(values)
                if unsaid := [c for c, what in zip(members, values, strict=True) if None in what]:
                    raise LeakError(
                        f"split {claim.split}: {len(unsaid)} of {len(members)} cases do not say all of "
                        f"{', '.join(claim.combination)} in tags, e.g. {unsaid[0]['prompt']!r}; what is not said cannot be held out"
                    )
            bad = [c[shown] for c, what in zip(members, asked_for, strict=True) if what in seen]
            what = part if part != "recombination" else "recombination of " + " x ".join(claim.combination)
            proof.claims.append(
                {
                    "split": claim.split,
                    "holds_out": what,
                    "compared": len(members),
                    "distinct": len(set(asked_for)),
                    "overlaps": len(bad),
                    "examples": bad[:3],
                }
            )
    if proof.leaks():
        raise LeakError("leak: " + "; ".join(proof.leaks()))
    return proof
