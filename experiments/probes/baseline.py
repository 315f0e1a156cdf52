"""Baselines, scored beside the model so that a solved task cannot pose as a learned one.

Each is a function (training pairs) -> (prompt -> output), found by its decorator. All see exactly the rows that the model trained on. All
but the decision table learn nothing: that one says how much of a task is left to whoever is told the facts of a prompt.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import cache, cached_property, wraps

import numpy as np

from experiments.split import ATOM, TAG, fold, tags

Pair = tuple[str, str]  # a prompt and its output
Answer = Callable[[str], str]
BASELINES: dict[str, Callable[[Examples | Sequence[Pair]], Answer | None]] = {}
LEARNS = ("decision_table",)
ROWS = 20000  # different training pairs that a decision table is made from at most
KEYS = 3  # tags that one entry of it is looked up by
DENSE = 1 << 20  # entries of a table that is counted without sorting what is in it
OFTEN = 8  # a word that one of so many prompts holds is kept as a vector over all prompts
ASKED, SAID = "asked", "said"  # where a tag stands that decides another: in the prompt, or before it in the output
Fact = tuple[str, str]  # where, and the tag's name


class Examples:
    """Training pairs, each different one with how often it is there, and what several baselines read out of them."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self.counts = Counter(pairs)
        self.pairs = list(self.counts)  # in the order in which they were first met

    @cached_property
    def outputs(self) -> list[str]:
        return [output for _, output in self.pairs]

    @cached_property
    def asked(self) -> list[dict[str, str]]:
        """The tags of every pair's prompt."""
        return [tags(prompt) for prompt, _ in self.pairs]

    @cached_property
    def nearest(self) -> Callable[[str], Pair]:
        """Finds the pair whose prompt shares most words and tags with another; what it was asked before it knows."""
        return cache(_nearest(self.pairs))


Make = Callable[[Examples], Answer | None]  # None: not for such rows


def baseline(make: Make) -> Callable[[Examples | Sequence[Pair]], Answer | None]:
    @wraps(make)
    def made(pairs: Examples | Sequence[Pair]) -> Answer | None:
        return make(pairs if isinstance(pairs, Examples) else Examples(pairs))

    BASELINES[made.__name__] = made
    return made


@baseline
def copy(known: Examples) -> Answer:
    """The prompt's tags, in their order and under the names that training outputs give them, between the markers that every output
    opens and closes with. Where outputs hold no tags, the prompt's words.
    """
    first = known.outputs[0]
    names = tags(first)
    if not names:
        return lambda prompt: prompt.removesuffix("[OUT]")
    opening, closing = first.split()[0], first.split()[-1]
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


def subject(asked: Mapping[str, str]) -> tuple[str | None, ...]:
    """What a prompt with these tags is about: its topic, or its layout and form where prompts have no topic."""
    return (asked["topic"],) if "topic" in asked else (asked.get("layout"), asked.get("form"))


@baseline
def topic_lookup(known: Examples) -> Answer:
    """The most frequent training output of the prompt's topic (or of its layout and form, where prompts have no topic)."""
    table: dict[tuple, Counter[str]] = defaultdict(Counter)
    for asked, ((_, output), count) in zip(known.asked, known.counts.items(), strict=True):
        table[subject(asked)][output] += count
    most = {about: outputs.most_common(1)[0][0] for about, outputs in table.items()}
    return lambda prompt: most.get(subject(tags(prompt)), "")


@baseline
def nearest_neighbour(known: Examples) -> Answer:
    """The output of the training prompt that shares most words and tags (Jaccard index; the first of equals)."""
    return lambda prompt: known.nearest(prompt)[1]


@baseline
def slot_copy(known: Examples) -> Answer:
    """The output of the nearest training prompt that agrees in all tags which outputs do not carry, of the same topic (or layout and form)
    where there is one, else of any; where none agrees, of the same topic alone. Every tag that the prompt gives is written over the first
    tag of that name: solves any task that is copying into a template.
    """
    with_it, without = Counter[Pair](), Counter[Pair]()
    said = {output: {source_of(name) for name in tags(output)} for output in dict.fromkeys(known.outputs)}
    for asked, ((_, output), count) in zip(known.asked, known.counts.items(), strict=True):
        for tag in asked.items():
            (with_it if tag[0] in said[output] else without)[tag] += count
    carried = {name for name, _ in with_it}
    fixed = {tag for tag in (*with_it, *without) if tag[0] not in carried or without[tag] > with_it[tag]}

    def keys(asked: Mapping[str, str]) -> list[tuple]:
        agreed = frozenset(t for t in asked.items() if t in fixed or t[0] not in carried)
        about = subject(asked)
        return [(agreed, about), (agreed,), about]

    groups: dict[tuple, list[Pair]] = defaultdict(list)
    for asked, pair in zip(known.asked, known.pairs, strict=True):
        for key in keys(asked):
            groups[key].append(pair)
    finders: dict[tuple, Callable[[str], Pair]] = {}

    def answer(prompt: str) -> str:
        asked, written = tags(prompt), set[str]()
        key = next((key for key in keys(asked) if key in groups), ())
        if key not in finders:
            finders[key] = _nearest(groups[key]) if key else known.nearest

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
def value_copy(known: Examples) -> Answer:
    """The nearest training output, with each value that its prompt's tags name written over by the asked one wherever the output has it
    as a word: solves what is replacing one value by another, under whatever names.
    """

    def answer(prompt: str) -> str:
        near, output = known.nearest(prompt)
        theirs, asked = tags(near), tags(prompt)
        new = {theirs[n]: asked[n] for n in asked if theirs.get(n, asked[n]) != asked[n] and not theirs[n].isdigit()}
        if not new:
            return output
        words = "|".join(map(re.escape, sorted(new, key=len, reverse=True)))
        return re.sub(rf"(?<![\w-])(?:{words})(?![\w-])", lambda match: new[match[0]], output)

    return answer


@baseline
def decision_table(known: Examples) -> Answer | None:
    """Each tag of an output looked up by the one to three tags that decide it best in the training rows, of a prompt or of what the output
    has said before: solves what rules over tags solve. It is not for rows whose outputs say a tag twice, or hold none.
    """
    read = {output: (tags(output), len(TAG.findall(output))) for output in dict.fromkeys(known.outputs)}
    if not read[known.outputs[0]][0] or any(len(said) != written for said, written in read.values()):
        return None
    rows = list(
        dict.fromkeys((tuple(asked.items()), output) for asked, output in zip(known.asked, known.outputs, strict=True))
    )
    rows = rows[:: -(-len(rows) // ROWS)]
    said = [read[output][0] for _, output in rows]
    opening, closing = known.outputs[0].split()[0], known.outputs[0].split()[-1]
    facts = Facts([dict(asked) for asked, _ in rows])
    tables: dict[str, Rules] = {}
    for name in _in_order(list({id(own): own for own in said}.values())):
        values = [own.get(name) for own in said]
        tables[name] = facts.rules(values)
        facts.add((SAID, name), values)

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


Column = tuple[
    np.ndarray, list[str | None]
]  # a number for each row, int64 [rows], and the value that each number stands for


def _column(values: Sequence[str | None]) -> Column:
    """Small numbers that are equal where values are, in the order in which these are first met."""
    seen: dict[str | None, int] = {}
    return np.array([seen.setdefault(value, len(seen)) for value in values], np.int64), list(seen)


class Rules:
    """A table for one tag: the facts that it is looked up by, its entries, and what is said where it has none."""

    def __init__(self, keys: tuple[Fact, ...], made: dict[tuple, str | None], usual: str | None) -> None:
        self.keys, self.made, self.usual = keys, made, usual

    def __call__(self, facts: Mapping[Fact, str]) -> str | None:
        return self.made.get(tuple(facts.get(name) for name in self.keys), self.usual)


class Facts:
    """What is known of every row before a tag is said, column by column; rules are made from it."""

    def __init__(self, asked: Sequence[Mapping[str, str]]) -> None:
        self.columns: dict[Fact, Column] = {}
        for name in dict.fromkeys(name for own in asked for name in own):
            self.add((ASKED, name), [own.get(name) for own in asked])

    def add(self, fact: Fact, values: Sequence[str | None]) -> None:
        """One more fact, None in rows that do not have it."""
        if any(value is not None for value in values):
            self.columns[fact] = _column(values)

    def rules(self, values: Sequence[str | None]) -> Rules:
        """The table for a tag with these values: keys are taken one by one while they explain more rows than they need entries."""
        wanted, names = _column(values)

        def gain(at: np.ndarray, size: int) -> int:
            """How many rows of a key agree, less one entry for each key."""
            if size * len(names) > DENSE:
                at, size = _numbered(at)
            both = at * len(names) + wanted
            if size * len(names) <= DENSE:
                most = np.bincount(both, minlength=size * len(names)).reshape(size, -1).max(1)
            else:
                entries, counts = np.unique(both, return_counts=True)
                most = np.zeros(size, np.int64)
                np.maximum.at(most, entries // len(names), counts)
            return int((most - (most > 0)).sum())

        at, size = np.zeros(len(values), np.int64), 1
        keys: tuple[Fact, ...] = ()
        best = gain(at, size)
        while len(keys) < KEYS:
            tried = {
                fact: (at * len(own) + codes, size * len(own))
                for fact, (codes, own) in self.columns.items()
                if fact not in keys
            }
            gains = {fact: gain(*key) for fact, key in tried.items()}
            if not gains or max(gains.values()) <= best:
                break
            fact = max(gains, key=gains.__getitem__)
            keys, best = (*keys, fact), gains[fact]
            at, size = _numbered(tried[fact][0])
        looked_up = zip(*(_values(self.columns[fact]) for fact in keys), strict=True) if keys else [()] * len(values)
        made: dict[tuple, Counter] = defaultdict(Counter)
        for key, value in zip(looked_up, values, strict=True):
            made[key][value] += 1
        entries = {key: counts.most_common(1)[0][0] for key, counts in made.items()}
        return Rules(keys, entries, Counter(values).most_common(1)[0][0])


def _numbered(codes: np.ndarray) -> tuple[np.ndarray, int]:
    """The same numbers without gaps, and how many different ones there are."""
    found, numbers = np.unique(codes, return_inverse=True)
    return numbers, len(found)


def _values(column: Column) -> list[str | None]:
    codes, names = column
    return [names[code] for code in codes.tolist()]


def _nearest(pairs: Sequence[Pair]) -> Callable[[str], Pair]:
    """Finds the pair whose prompt has the largest Jaccard index with another prompt, over words; the first of equals."""
    members: dict[str, list[int]] = defaultdict(list)  # word -> the prompts that hold it
    sizes = np.zeros(len(pairs))
    for row, (prompt, _) in enumerate(pairs):
        bag = set(prompt.split())
        sizes[row] = len(bag)
        for word in bag:
            members[word].append(row)
    counts = np.min_scalar_type(int(sizes.max(initial=0)))  # holds how many words two prompts share
    rows: dict[str, np.ndarray] = {}
    often: dict[str, np.ndarray] = {}  # word -> 1 for every prompt that holds it
    for word, found in members.items():
        if len(found) * OFTEN > len(pairs):
            often[word] = np.zeros(len(pairs), counts)
            often[word][found] = 1
        else:
            rows[word] = np.asarray(found)

    def find(prompt: str) -> Pair:
        own = set(prompt.split())
        shared = np.zeros(len(pairs), counts)
        for word in own:
            if word in often:
                shared += often[word]
            elif word in rows:
                shared[rows[word]] += 1
        return pairs[int(np.argmax(shared / (sizes + len(own) - shared)))]

    return find


def told(prompt: str, brief: str) -> str:
    """A prompt with the facts of its brief before it."""
    return f"{brief} {prompt}" if brief else prompt


def evaluate(pairs: Sequence[Pair], cases: Sequence[dict]) -> dict[str, dict[str, dict[str, int]]]:
    """Exact matches of every baseline that is for such rows: name -> split -> {k, n}. A case that answers a brief is asked with the brief's
    facts as tags besides, whatever words its prompt uses; `told` gives training pairs the same.
    """
    table: dict[str, dict[str, dict[str, int]]] = {}
    known = Examples(pairs)
    for name, make in BASELINES.items():
        answer = make(known)
        if answer is None:
            continue
        splits: dict[str, dict[str, int]] = {}
        for case in cases:
            cell = splits.setdefault(case["split"], {"k": 0, "n": 0})
            cell["n"] += 1
            cell["k"] += fold(answer(told(case["prompt"], case.get("brief", "")))) == fold(case["expected"])
        table[name] = splits
    return table
