"""Baselines, scored beside the model so that a solved task cannot pose as a learned one.

Each is a function (training pairs, prompt) -> output, found by its decorator. All see exactly the rows that the model trained on. All but
the decision table learn nothing: that one says how much of a task is left to whoever is told the facts of a prompt.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from experiments.split import ATOM, TAG, fold, tags

Pairs = Sequence[tuple[str, str]]
Answer = Callable[[str], str]
Make = Callable[[Pairs], Answer | None]  # None: not for such rows
BASELINES: dict[str, Make] = {}
LEARNS = ("decision_table",)
ROWS = 20000  # different training pairs that a decision table is made from at most
KEYS = 3  # tags that one entry of it is looked up by
ASKED, SAID = "asked", "said"  # where a tag stands that decides another: in the prompt, or before it in the output
Fact = tuple[str, str]  # where, and the tag's name


def baseline(make: Make) -> Make:
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
    """The output of the nearest training prompt that agrees in all tags which outputs do not carry, of the same topic (or layout and form)
    where there is one, else of any; where none agrees, of the same topic alone. Every tag that the prompt gives is written over the first
    tag of that name: solves any task that is copying into a template.
    """
    with_it, without = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for prompt, output in pairs:
        said = {source_of(name) for name in tags(output)}
        for tag in tags(prompt).items():
            (with_it if tag[0] in said else without)[tag] += 1
    carried = {name for name, _ in with_it}

    def keys(prompt: str) -> list[tuple]:
        fixed = frozenset(t for t in tags(prompt).items() if t[0] not in carried or without[t] > with_it[t])
        return [(fixed, subject(prompt)), (fixed,), subject(prompt)]

    groups: dict[tuple, list[tuple[str, str]]] = defaultdict(list)
    for prompt, output in pairs:
        for key in keys(prompt):
            groups[key].append((prompt, output))
    finders: dict[tuple, Callable[[str], tuple[str, str]]] = {}

    def answer(prompt: str) -> str:
        key = next((key for key in keys(prompt) if key in groups), ())
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


@baseline
def value_copy(pairs: Pairs) -> Answer:
    """The nearest training output, with each value that its prompt's tags name written over by the asked one wherever the output has it
    as a word: solves what is replacing one value by another, under whatever names.
    """
    find = _nearest(pairs)

    def answer(prompt: str) -> str:
        near, output = find(prompt)
        theirs, asked = tags(near), tags(prompt)
        new = {theirs[n]: asked[n] for n in asked if theirs.get(n, asked[n]) != asked[n] and not theirs[n].isdigit()}
        if not new:
            return output
        words = "|".join(map(re.escape, sorted(new, key=len, reverse=True)))
        return re.sub(rf"(?<![\w-])(?:{words})(?![\w-])", lambda match: new[match[0]], output)

    return answer


@baseline
def decision_table(pairs: Pairs) -> Answer | None:
    """Each tag of an output looked up by the one to three tags that decide it best in the training rows, of a prompt or of what the output
    has said before: solves what rules over tags solve. It is not for rows whose outputs say a tag twice, or hold none.
    """
    rows = list(dict.fromkeys((tuple(tags(prompt).items()), output) for prompt, output in pairs))
    rows = rows[:: -(-len(rows) // ROWS)]
    said = [tags(output) for _, output in rows]
    if not said[0] or any(len(TAG.findall(output)) != len(own) for (_, output), own in zip(rows, said, strict=True)):
        return None
    opening, closing = pairs[0][1].split()[0], pairs[0][1].split()[-1]
    known = [{(ASKED, name): value for name, value in facts} for facts, _ in rows]
    tables: dict[str, Rules] = {}
    for name in _in_order(said):
        tables[name] = Rules(known, [own.get(name) for own in said])
        for facts, own in zip(known, said, strict=True):
            facts |= {(SAID, name): own[name]} if name in own else {}

    def answer(prompt: str) -> str:
        facts = {(ASKED, name): value for name, value in tags(prompt).items()}
        for name, rules in tables.items():
            value = rules(facts)
            facts |= {} if value is None else {(SAID, name): value}
        said = [f"[{name}:{value}]" for (where, name), value in facts.items() if where == SAID]
        return " ".join([opening, *said, closing])

    return answer


def _in_order(said: Sequence[dict[str, str]]) -> list[str]:
    """Every name of these tags, each behind what stands before it."""
    order: list[str] = []
    for own in said:
        at = 0
        for name in own:
            if name not in order:
                order.insert(at, name)
            at = order.index(name) + 1
    return order


class Rules:
    """A table for one tag: keys are taken one by one while they explain more rows than they need entries."""

    def __init__(self, facts: Sequence[Mapping[Fact, str]], values: Sequence[str | None]) -> None:
        wanted = _codes(values)
        columns = {
            name: _codes([own.get(name) for own in facts]) for name in dict.fromkeys(n for f in facts for n in f)
        }

        def gain(at: np.ndarray) -> int:
            """How many rows of a key agree, less one entry for each key."""
            _, entries, counts = np.unique(at * len(values) + wanted, return_index=True, return_counts=True)
            most = np.zeros(at.max() + 1, np.int64)
            np.maximum.at(most, at[entries], counts)
            return int((most - (most > 0)).sum())

        at = np.zeros(len(values), np.int64)
        self.keys: tuple[Fact, ...] = ()
        best = gain(at)
        while len(self.keys) < KEYS:
            tried = {name: _codes(at * len(values) + own) for name, own in columns.items() if name not in self.keys}
            gains = {name: gain(codes) for name, codes in tried.items()}
            if not gains or max(gains.values()) <= best:
                break
            name = max(gains, key=gains.__getitem__)
            self.keys, at, best = (*self.keys, name), tried[name], gains[name]
        made: dict[tuple, Counter] = defaultdict(Counter)
        for own, value in zip(facts, values, strict=True):
            made[self.key(own)][value] += 1
        self.usual = Counter(values).most_common(1)[0][0]
        self.made = {key: counts.most_common(1)[0][0] for key, counts in made.items()}

    def key(self, facts: Mapping[Fact, str]) -> tuple[str | None, ...]:
        return tuple(facts.get(name) for name in self.keys)

    def __call__(self, facts: Mapping[Fact, str]) -> str | None:
        return self.made.get(self.key(facts), self.usual)


def _codes(values: Sequence | np.ndarray) -> np.ndarray:
    """Small numbers that are equal where values are."""
    if isinstance(values, np.ndarray):
        return np.unique(values, return_inverse=True)[1]
    seen: dict = {}
    return np.array([seen.setdefault(value, len(seen)) for value in values], np.int64)


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
    """Exact matches of every baseline that is for such rows: name -> split -> {k, n}. A case that answers a brief is asked with the brief's
    facts as tags besides, whatever words its prompt uses; `told` gives training pairs the same.
    """
    table: dict[str, dict[str, dict[str, int]]] = {}
    for name, make in BASELINES.items():
        answer = make(pairs)
        if answer is None:
            continue
        splits: dict[str, dict[str, int]] = {}
        for case in cases:
            cell = splits.setdefault(case["split"], {"k": 0, "n": 0})
            cell["n"] += 1
            cell["k"] += fold(answer(told(case["prompt"], case.get("brief", "")))) == fold(case["expected"])
        table[name] = splits
    return table
