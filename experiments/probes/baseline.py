"""Baselines that learn nothing, scored beside the model so that a solved task cannot pose as a learned one.

Each is a function (training pairs, prompt) -> output, found by its decorator. All see exactly the rows that the model trained on.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

import numpy as np

from experiments.split import ATOM, TAG, fold, tags

Pairs = Sequence[tuple[str, str]]
Answer = Callable[[str], str]
BASELINES: dict[str, Callable[[Pairs], Answer]] = {}


def baseline(make: Callable[[Pairs], Answer]) -> Callable[[Pairs], Answer]:
    BASELINES[make.__name__] = make
    return make


@baseline
def copy(pairs: Pairs) -> Answer:
    """The prompt's tags, in their order and under the names that training outputs give them, between the markers that every output
    opens and closes with. Where outputs hold no tags, the prompt's words.
    """
    names = tags(pairs[0][1])
    if not names:
        return lambda prompt: prompt.removesuffix("[OUT]")
    opening, closing = pairs[0][1].split()[0], pairs[0][1].split()[-1]
    renamed = {source_of(name): name for name in names if source_of(name) not in names}

    def answer(prompt: str) -> str:
        kept = [t for t in re.findall(r"\[[^\]\s]+\]", prompt) if t not in ("[task:svg]", "[OUT]")]
        return " ".join(
            [opening, *(TAG.sub(lambda m: f"[{renamed.get(m[1], m[1])}:{m[2]}]", t) for t in kept), closing]
        )

    return answer


def source_of(name: str) -> str:
    """What a prompt calls the tag that an output calls `name`: the family of a bundle is the layout of its prompt."""
    return "layout" if name == "family" else name


def subject(prompt: str) -> tuple[str | None, ...]:
    """What a prompt is about: its topic, or its layout and form where prompts have no topic."""
    t = tags(prompt)
    return (t["topic"],) if "topic" in t else (t.get("layout"), t.get("form"))


@baseline
def topic_lookup(pairs: Pairs) -> Answer:
    """The most frequent training output of the prompt's topic (or of its layout and form, where prompts have no topic)."""
    table: dict[tuple, Counter[str]] = defaultdict(Counter)
    for prompt, output in pairs:
        table[subject(prompt)][output] += 1
    return lambda prompt: table[subject(prompt)].most_common(1)[0][0] if table.get(subject(prompt)) else ""


@baseline
def nearest_neighbour(pairs: Pairs) -> Answer:
    """The output of the training prompt that shares most words and tags (Jaccard index; the first of equals)."""
    find = _nearest(pairs)
    return lambda prompt: find(prompt)[1]


@baseline
def slot_copy(pairs: Pairs) -> Answer:
    """The nearest training output of the prompt's topic (or layout and form), with every tag that the prompt gives written over the
    first tag of that name: solves any task that is copying into a template.
    """
    groups: dict[tuple, list[tuple[str, str]]] = defaultdict(list)
    for prompt, output in pairs:
        groups[subject(prompt)].append((prompt, output))
    finders: dict[tuple, Callable[[str], tuple[str, str]]] = {}

    def answer(prompt: str) -> str:
        about = subject(prompt)
        key = about if about in groups else ()
        if key not in finders:
            finders[key] = _nearest(groups[key] if key else pairs)
        asked, written = tags(prompt), set[str]()

        def fill(match: re.Match) -> str:
            name = match[1]
            if name in written or source_of(name) not in asked:
                return match[0]
            written.add(name)
            value = asked[source_of(name)]
            return f"[{name}:{value}]" if ":" in match[0] else f"[{name}] {value} [/{name}]"

        return ATOM.sub(fill, TAG.sub(fill, finders[key](prompt)[1]))

    return answer


def _nearest(pairs: Pairs) -> Callable[[str], tuple[str, str]]:
    unique = list(dict.fromkeys(pairs))
    members: dict[str, list[int]] = defaultdict(list)  # word -> the prompts that hold it
    sizes = np.zeros(len(unique))
    for row, (prompt, _) in enumerate(unique):
        bag = set(prompt.split())
        sizes[row] = len(bag)
        for word in bag:
            members[word].append(row)
    rows = {word: np.asarray(found) for word, found in members.items()}

    def find(prompt: str) -> tuple[str, str]:
        own = set(prompt.split())
        shared = np.zeros(len(unique))
        for word in own & rows.keys():
            shared[rows[word]] += 1.0
        return unique[int(np.argmax(shared / (sizes + len(own) - shared)))]

    return find


def told(prompt: str, brief: str) -> str:
    """A prompt with the facts of its brief before it."""
    return f"{brief} {prompt}" if brief else prompt


def evaluate(pairs: Pairs, cases: Sequence[dict]) -> dict[str, dict[str, dict[str, int]]]:
    """Exact matches of every baseline: name -> split -> {k, n}. A case that answers a brief is asked with the brief's facts as tags
    besides, whatever words its prompt uses; `told` gives training pairs the same.
    """
    table: dict[str, dict[str, dict[str, int]]] = {}
    for name, make in BASELINES.items():
        answer = make(pairs)
        splits: dict[str, dict[str, int]] = {}
        for case in cases:
            cell = splits.setdefault(case["split"], {"k": 0, "n": 0})
            cell["n"] += 1
            cell["k"] += fold(answer(told(case["prompt"], case.get("brief", "")))) == fold(case["expected"])
        table[name] = splits
    return table
