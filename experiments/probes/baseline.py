"""Baselines that learn nothing, scored beside the model so that a solved task cannot pose as a learned one.

Each is a function (training pairs, prompt) -> output, found by its decorator. All see exactly the rows that the model trained on.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

import numpy as np

from experiments.split import TAG, fold, tags

Pairs = Sequence[tuple[str, str]]
Answer = Callable[[str], str]
BASELINES: dict[str, Callable[[Pairs], Answer]] = {}


def baseline(make: Callable[[Pairs], Answer]) -> Callable[[Pairs], Answer]:
    BASELINES[make.__name__] = make
    return make


@baseline
def copy(pairs: Pairs) -> Answer:
    """The prompt's tags, in their order, between the markers that every training output opens and closes with."""
    opening, closing = pairs[0][1].split()[0], pairs[0][1].split()[-1]

    def answer(prompt: str) -> str:
        kept = [t for t in re.findall(r"\[[^\]\s]+\]", prompt) if t not in ("[task:svg]", "[OUT]")]
        return " ".join([opening, *kept, closing])

    return answer


@baseline
def topic_lookup(pairs: Pairs) -> Answer:
    """The most frequent training output of the prompt's topic (or of its layout and form, where prompts have no topic)."""

    def key(prompt: str) -> tuple[str | None, ...]:
        t = tags(prompt)
        return (t["topic"],) if "topic" in t else (t.get("layout"), t.get("form"))

    table: dict[tuple, Counter[str]] = defaultdict(Counter)
    for prompt, output in pairs:
        table[key(prompt)][output] += 1
    return lambda prompt: table[key(prompt)].most_common(1)[0][0] if table.get(key(prompt)) else ""


@baseline
def nearest_neighbour(pairs: Pairs) -> Answer:
    """The output of the training prompt that shares most words and tags (Jaccard index; the first of equals)."""
    find = _nearest(pairs)
    return lambda prompt: find(prompt)[1]


@baseline
def slot_copy(pairs: Pairs) -> Answer:
    """The nearest neighbour's output with the prompt's tag values written into it: solves any task that is copying into a template."""
    find = _nearest(pairs)

    def answer(prompt: str) -> str:
        near, output = find(prompt)
        mine, theirs = tags(prompt), tags(near)

        def fill(match: re.Match) -> str:
            name, value = match.groups()
            source = "layout" if name == "family" else name
            return f"[{name}:{mine[source]}]" if theirs.get(source) == value and source in mine else match.group(0)

        return TAG.sub(fill, output)

    return answer


def _nearest(pairs: Pairs) -> Callable[[str], tuple[str, str]]:
    unique = list(dict.fromkeys(pairs))
    words = {w: i for i, w in enumerate(dict.fromkeys(w for p, _ in unique for w in p.split()))}
    bags = np.zeros((len(unique), len(words)), np.float32)
    for row, (prompt, _) in enumerate(unique):
        bags[row, [words[w] for w in prompt.split()]] = 1.0
    sizes = bags.sum(1)

    def find(prompt: str) -> tuple[str, str]:
        own = set(prompt.split())
        bag = np.zeros(len(words), np.float32)
        bag[[words[w] for w in own if w in words]] = 1.0
        shared = bags @ bag
        return unique[int(np.argmax(shared / (sizes + len(own) - shared)))]

    return find


def evaluate(pairs: Pairs, cases: Sequence[dict]) -> dict[str, dict[str, dict[str, int]]]:
    """Exact matches of every baseline: name -> split -> {k, n}."""
    table: dict[str, dict[str, dict[str, int]]] = {}
    for name, make in BASELINES.items():
        answer = make(pairs)
        splits: dict[str, dict[str, int]] = {}
        for case in cases:
            cell = splits.setdefault(case["split"], {"k": 0, "n": 0})
            cell["n"] += 1
            cell["k"] += fold(answer(case["prompt"])) == fold(case["expected"])
        table[name] = splits
    return table
