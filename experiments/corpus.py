"""From targets to rows: how every scene is asked for, and how often.

Wordings are taken in turn, so the same seed gives the same bytes. Which scenes there are, and which are held out, `pools.py` says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

from experiments import brief, prompt
from experiments.pools import Pools, Target, shuffled
from experiments.spec import Selected, Spec
from experiments.split import structure


@dataclass(frozen=True)
class Row:
    """One training or probing example as it lies on disk, with its labels. `brief` are the facts that the prompt states, as tags."""

    prompt: str
    output: str
    split: str
    surface: str
    family: str
    form: str
    case: str
    brief: str = ""

    @cached_property
    def text(self) -> str:
        """The line, made once: it is compared and counted in many places."""
        return f"{self.prompt} {self.output}"


def _row(spec: Spec, target: Target, split: str, surface: str, number: int, asked: prompt.Asked | None = None) -> Row:
    asked = asked or _asked(spec, target, number)
    text = prompt.write(surface, number, target.scene, spec.surface, asked)
    scene, told = target.scene, prompt.tagged(asked) if asked else ""
    output = prompt.part(target.text, number) if prompt.asks_part(surface) else target.text
    return Row(text, output, split, surface, target.family, scene.form, target.case, told)


def _asked(spec: Spec, target: Target, number: int) -> prompt.Asked | None:
    """The brief that a target is asked for by, of those that lead to it in turn."""
    if not target.briefs:
        return None
    return prompt.Asked(brief.load(spec.targets.briefs), target.briefs[number % len(target.briefs)])


def stage_rows(selected: Selected, stage: str, targets: Pools) -> list[Row]:
    """Training rows of a stage: for each trained target, `weight` rows of each surface of the mixture, templates in turn."""
    mixture = selected.rung.mixture[stage]
    pairs = {s: _pairs(selected.spec, s, weight, targets.trained) for s, weight in mixture.items()}
    return [
        _row(selected.spec, target, stage, surface, *pairs[surface].get((number, turn), (number + turn, None)))
        for number, target in enumerate(targets.trained)
        for surface, weight in mixture.items()
        for turn in range(weight)
    ]


# ------------------------------------------------------------------------------------------------- minimal pairs


Half = tuple[int, prompt.Asked | None]  # the number of a wording, and the brief that it asks by


def _pairs(spec: Spec, surface: str, weight: int, trained: Sequence[Target]) -> dict[tuple[int, int], Half]:
    """Rows of a surface that rules a value of a fact out, by target and turn, where they have a partner: the row of another trained
    target whose brief differs in that fact alone. Each rules out what the other asks for, in the same words. Of the targets that could
    be a partner, those of another family come first, and then those with most rows to spare.
    """
    fact = prompt.rules_out(surface)
    if fact is None:
        return {}
    table = brief.load(spec.targets.briefs)
    where = {_decided(table, facts): number for number, target in enumerate(trained) for facts in target.briefs}
    free = [list(range(weight)) for _ in trained]
    found: dict[tuple[int, int], Half] = {}
    for turn, number in product(range(weight), range(len(trained))):
        asked = _asked(spec, trained[number], number + turn)
        if turn not in free[number] or asked is None:
            continue
        others = {}
        for value in _from(number, prompt.contrasts(fact, asked)):
            facts = _with(table, asked.facts, fact, value)
            other = where.get(_decided(table, facts))
            if other is not None and free[other]:
                others[other] = value, facts
        if others:
            own = trained[number].family
            other = max(others, key=lambda n: (trained[n].family != own, len(free[n])))
            value, facts = others[other]
            free[number].remove(turn)
            found[number, turn] = number + turn, replace(asked, ruled_out=((fact, value),))
            ruled_out = ((fact, prompt.meant(fact, asked)),)
            partner = prompt.Asked(table, facts, ruled_out, like=asked.facts)
            found[other, free[other].pop(0)] = number + turn, partner
    return found


def _from(at: int, values: Sequence[str]) -> list[str]:
    """The values in turn, from another one for each number."""
    return [values[(at + turn) % len(values)] for turn in range(len(values))]


def _with(table: brief.Table, facts: brief.Facts, name: str, value: str) -> brief.Facts:
    """A brief with another value of one fact, in the table's order."""
    told = dict(facts) | {name: value}
    return tuple((n, told.pop(n)) for n in table.facts if n in told) + tuple(told.items())


def _decided(table: brief.Table, facts: brief.Facts) -> str:
    """What decides the answer to a brief: what follows from it, and facts that the content gives."""
    given = [(n, v) for n, v in facts if n not in table.facts or table.facts[n].cases]
    return repr((table.outputs(dict(facts)), given))


def dev_rows(spec: Spec, targets: Pools) -> list[Row]:
    """Held-out rows for the loss: unseen targets, asked with plain tags."""
    return [_row(spec, target, "dev", "tags", 0) for target in targets.dev]


def probe_rows(spec: Spec, targets: Pools, seed: int = 42) -> list[Row]:
    """The rows of every split: its pool in a drawn order, items in turn so that none is missing. Surfaces are asked equally often, and
    the frames of each; which target gets which is drawn. A split that holds out structures asks for as many different ones as there are.
    """
    found = []
    for name, split in spec.splits.items():
        pool = shuffled(seed, f"split/{name}", targets.of(split.targets, split.combination))
        chosen = _in_turn(_fresh(pool) if "structure" in split.holds_out else pool)[: split.cases]
        if len(chosen) < split.cases:
            raise ValueError(
                f"split {name}: asks for {split.cases} cases, but only {len(chosen)} targets are in the pool {split.targets!r}"
            )
        where = {t.text: i for i, t in enumerate(targets.trained)} if split.kind == "seen" else {}
        order = shuffled(seed, f"asked/{name}", range(split.cases))  # so that no family is asked by one surface alone
        for number, target in zip(order, chosen, strict=True):
            turn, at = divmod(number, len(split.surfaces))
            found.append(_row(spec, target, name, split.surfaces[at], where.get(target.text, turn)))
    return found


def _fresh(targets: Sequence[Target]) -> list[Target]:
    """Targets in the order given, but every structure's first before any structure's second."""
    seen: Counter[str] = Counter()
    turns = []
    for target in targets:
        body = structure(target.text)
        turns.append(seen[body])
        seen[body] += 1
    return [target for _, target in sorted(zip(turns, targets, strict=True), key=lambda pair: pair[0])]


def _in_turn(targets: Sequence[Target]) -> list[Target]:
    """Round-robin over families, and inside a family over items, so that the first n of them are balanced."""

    def turns(queues: dict[str, list[Target]]) -> list[Target]:
        rounds = max((len(q) for q in queues.values()), default=0)
        return [q[i] for i in range(rounds) for q in queues.values() if i < len(q)]

    def grouped(rows: Sequence[Target], key) -> dict[str, list[Target]]:
        queues: dict[str, list[Target]] = {}
        for row in sorted(rows, key=key):
            queues.setdefault(key(row), []).append(row)
        return queues

    by_family = grouped(targets, lambda t: t.family)
    return turns({family: turns(grouped(rows, lambda t: t.item)) for family, rows in by_family.items()})
