"""From a spec to targets: which scenes exist, and which of them are held out.

Targets are drawn by the project's counter-based generator, so the same seed gives the same bytes. What is held out is decided here, on
targets, before any prompt is written; the proof that it stayed out is `split.py`'s, made on the finished rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, product
from typing import TypeVar

from cengine import random
from experiments import brief, families, look, surfaces
from experiments import case as library
from experiments.brief import STYLE, Drawn, Facts
from experiments.case import Case
from experiments.look import Look
from experiments.order import Order
from experiments.scene import Scene
from experiments.spec import Spec
from experiments.split import COUNTS, parts, structure
from experiments.style import BUNDLE_PAIRS, DENSITIES, PAIRS, THEMES, Style, grid

Names = tuple[str, str]
Values = tuple[str, str]
Thing = TypeVar("Thing", bound=Hashable)  # what is held out: a style, or a structure
AXES = ("theme", "density", "background")  # of a form's style combination; the tone varies inside it


@dataclass(frozen=True)
class Target:
    """One scene to be said: its output text, and the family and case whose content it is drawn with (no case: it brings its words).
    `item` is what looks are held out from, `look` what is asked for (the scene's style may hold more, which its family says by itself).
    `briefs` are the drawn ones that it answers to, where a spec asks by briefs.
    """

    item: str
    family: str
    case: str
    look: Look
    scene: Scene
    text: str
    briefs: tuple[Facts, ...] = ()


@dataclass(frozen=True)
class Pools:
    """Targets by what training may see of them. `unseen`: their whole look was never trained with their form (kind `forms`) or with
    any topic or layout (other kinds). `recombined`: parts that were trained, never together. `apart`: a pair of values that never
    met, in targets that would have been trained else. `dev` gives the held-out loss and is never scored.
    """

    trained: tuple[Target, ...]
    unseen: tuple[Target, ...]
    recombined: tuple[Target, ...]
    dev: tuple[Target, ...]
    apart: tuple[Target, ...] = ()
    held: Mapping[Names, Collection[Values]] = field(default_factory=dict)  # the pairs that never met

    def of(self, name: str, names: Sequence[str] = ()) -> tuple[Target, ...]:
        """A pool; of `apart`, the targets in which a pair of these names meets."""
        pool: tuple[Target, ...] = getattr(self, name)
        pairs = {own: values for own, values in self.held.items() if set(own) == set(names)}
        return tuple(t for t in pool if _meet(t, pairs)) if name == "apart" else pool


def shuffled(seed: int, name: str, items: Sequence) -> list:
    return [items[int(i)] for i in random.permutation(seed, random.stream_of(f"corpus/{name}"), len(items))]


def draw(spec: Spec, seed: int = 42) -> Pools:
    """Every target of a spec, sorted into pools."""
    kinds = {"cases": _item_pools, "orders": _item_pools, "forms": _form_pools, "briefs": _brief_pools}
    return _parted(spec, seed, kinds[spec.targets.kind](spec, seed))


def _target(spec: Spec, item: str, case: str, scene: Scene, style: Style | None = None) -> Target:
    shown = look.of(style or scene.style)
    return Target(item, scene.family, case, shown, scene, surfaces.load(spec.surface).format(scene))


def _styles(spec: Spec) -> list[Style]:
    pairs = {"taught": PAIRS, "bundle": BUNDLE_PAIRS}[spec.targets.pairs]
    return list(grid(pairs, DENSITIES, spec.targets.backgrounds))


# ------------------------------------------------------------------------------------------------- pairs that never meet


def _parted(spec: Spec, seed: int, found: Pools) -> Pools:
    """The pools without the targets in which a pair of `apart` meets; those that were to be trained are a pool of their own."""
    if not spec.targets.apart:
        return found
    held = {names: _never_meet(seed, names, found.trained) for names in spec.targets.apart}
    kept = {
        name: tuple(t for t in getattr(found, name) if not _meet(t, held))
        for name in ("trained", "unseen", "recombined", "dev")
    }
    return Pools(**kept, apart=tuple(t for t in found.trained if _meet(t, held)), held=held)


def _meet(target: Target, held: Mapping[Names, Collection[Values]]) -> bool:
    """Whether a pair that is held apart meets in a target."""
    made = _made_of(target)
    return any((made[a], made[b]) in pairs for (a, b), pairs in held.items())


def _made_of(target: Target) -> dict[str, str]:
    """What a scene is made of, by the names that texts have for it: family, topic, form, its numbers, and what its style is asked for."""
    return {
        **dict(target.look),
        COUNTS: parts(target.text).get(COUNTS, ""),
        "family": target.family,
        "layout": target.family,
        "topic": target.case,
        "form": target.scene.form,
    }


def _never_meet(seed: int, names: tuple[str, str], trained: Sequence[Target]) -> set[tuple[str, str]]:
    """One value of the second for every second value of the first, in turn, where both stay trained with others."""
    made = [_made_of(target) for target in trained]
    known = [name for name, value in made[0].items() if value]
    if strange := [name for name in names if name not in known]:
        raise ValueError(f"targets: apart {list(names)}: got {', '.join(strange)}, expected of {', '.join(known)}")
    first, second = (
        shuffled(seed, f"apart/{'/'.join(names)}/{name}", sorted({m[name] for m in made})) for name in names
    )
    met = {(m[names[0]], m[names[1]]) for m in made}
    held: set[tuple[str, str]] = set()
    for at, value in enumerate(first[::2]):
        turns = [second[(at + turn) % len(second)] for turn in range(len(second))]
        held |= set(islice(((value, o) for o in turns if _may_part((value, o), held, met)), 1))
    if not held:
        raise ValueError(f"targets: apart {list(names)}: no two values meet that others meet too; leave it out")
    return held


def _may_part(pair: tuple[str, str], held: set[tuple[str, str]], met: set[tuple[str, str]]) -> bool:
    """Whether two values that meet are each still trained with two others when they are kept apart too."""
    kept = met - held - {pair}
    return pair in met and all(sum(other[side] == pair[side] for other in kept) > 1 for side in (0, 1))


# ------------------------------------------------------------------------------------------------- every case or order in every look


def _item_pools(spec: Spec, seed: int) -> Pools:
    """Some looks go with no item; of each item, more are held out."""
    rule = spec.targets
    items = dict(_cases(spec) if rule.kind == "cases" else _orders(spec, seed))
    every = list(dict.fromkeys(t.look for targets in items.values() for t in targets))
    never = _spread(shuffled(seed, "never", every), rule.never, dict)
    trained: list[Target] = []
    unseen: list[Target] = []
    recombined: list[Target] = []
    dev: list[Target] = []
    for item, targets in items.items():
        own = {t.look: tuple(t.look) for t in targets if t.look not in never}
        held = _hold_out(seed, item, own, rule.per_item + rule.dev)
        for target in targets:
            place = held.index(target.look) if target.look in held else None
            chosen = trained if place is None else dev if place < rule.dev else recombined
            (unseen if target.look in never else chosen).append(target)
    return Pools(tuple(trained), tuple(unseen), tuple(recombined), tuple(dev))


def _cases(spec: Spec) -> Iterator[tuple[str, list[Target]]]:
    """The targets of every case."""
    write, styles = surfaces.load(spec.surface).format, _styles(spec)
    for family in spec.families:
        for case in look.cases(family, spec.surface):
            scenes = look.scenes(case, spec.surface, styles)
            item = f"{family}/{case.id}"
            yield item, [Target(item, family, case.id, shown, scene, write(scene)) for shown, scene in scenes]


def _orders(spec: Spec, seed: int) -> Iterator[tuple[str, list[Target]]]:
    """The targets of every layout, at most an equal part of `draws` of each; a drawing that two orders ask for belongs to the first."""
    write = surfaces.load(spec.surface).format
    every: dict[str, list[tuple[Look, Order]]] = {}
    for shown, asked in look.orders(spec.targets.framed):
        every.setdefault(asked.layout, []).append((shown, asked))
    for layout, made in every.items():
        found: dict[str, Target] = {}
        for shown, asked in shuffled(seed, f"orders/{layout}", made)[: spec.targets.draws // len(every)]:
            scene = look.drawing(spec.surface, asked)
            text = write(scene)
            found.setdefault(text, Target(layout, scene.family, "", shown, scene, text))
        yield layout, list(found.values())


def _spread(items: Sequence[Thing], count: int, told: Callable[[Thing], Mapping[str, str]]) -> list[Thing]:
    """`count` looks or styles that differ in their first two values, the densities evenly among them. `told` gives their values."""
    taken: list[Thing] = []
    pairs: set[tuple[str, ...]] = set()
    most = -(-count // len({told(item).get("density") for item in items}))
    for item in items:
        values = told(item)
        pair, dense = tuple(values.values())[:2], Counter(told(t).get("density") for t in taken)
        if len(taken) < count and pair not in pairs and dense[values.get("density")] < most:
            taken.append(item)
            pairs.add(pair)
    if len(taken) < count:
        raise ValueError(f"targets: never={count} looks cannot be spread over {len(items)}; ask for fewer")
    return taken


def _hold_out(seed: int, name: str, made: Mapping[Thing, tuple], count: int) -> list[Thing]:
    """`count` things whose removal leaves every value that things are made of seen with this item."""
    for attempt in range(100):
        order = shuffled(seed, f"hold/{name}/{attempt}", list(made))
        held, kept = order[:count], order[count:]
        if {pair for k in kept for pair in enumerate(made[k])} == {pair for k in made for pair in enumerate(made[k])}:
            return held
    raise ValueError(
        f"targets: holding out {count} of {len(made)} styles or structures of {name} leaves some value unseen; hold out fewer"
    )


# ------------------------------------------------------------------------------------------------- every form in styles and counts


def _form_pools(spec: Spec, seed: int) -> Pools:
    trained, unseen, recombined, dev = [], [], [], []
    for family in spec.families:
        for form in families.load(family).forms:
            held = _held_combinations(spec, seed, form)
            whole: dict[Style, list[Target]] = {}
            for target in _drawn(spec, seed, family, form):
                whole.setdefault(target.scene.style, []).append(target)
            recombined += [t for style, rows in whole.items() if combination_of(style) in held for t in rows]
            inside = iter(shuffled(seed, f"inside/{form}", [s for s in whole if combination_of(s) not in held]))
            unseen += _at_least(spec.targets.per_item, inside, whole)
            dev += _at_least(spec.targets.dev, inside, whole)
            trained += [t for style in inside for t in whole[style]]
    return Pools(tuple(trained), tuple(unseen), tuple(recombined), tuple(dev))


def _at_least(count: int, styles: Iterator[Style], whole: dict[Style, list[Target]]) -> list[Target]:
    """At least `count` targets, in whole style combinations: what is held out of a style is every count of it."""
    taken: list[Target] = []
    while len(taken) < count:
        style = next(styles, None)
        if style is None:
            raise ValueError(f"targets: {count} targets cannot be held out of {len(whole)} styles; ask for fewer")
        taken += whole[style]
    return taken


def combination_of(style: Style) -> tuple[str, ...]:
    return tuple(getattr(style, axis) for axis in AXES)


def _held_combinations(spec: Spec, seed: int, form: str) -> set[tuple[str, ...]]:
    """Combinations of theme x density x background never trained with a form; every pair of their values still is, and in two of them, for
    one may go when a pair is kept apart.
    """
    every = list(product(THEMES, DENSITIES, spec.targets.backgrounds))
    wanted = round(spec.targets.combinations * len(every))
    held: set[tuple[str, ...]] = set()
    for combination in shuffled(seed, f"combination/{form}", every):
        kept = [c for c in every if c not in held and c != combination]
        covered = all(
            sum(c[i] == combination[i] and c[j] == combination[j] for c in kept) > 1
            for i, j in ((0, 1), (0, 2), (1, 2))
        )
        if len(held) < wanted and covered:
            held.add(combination)
    if len(held) < wanted:
        raise ValueError(
            f"targets: combinations={spec.targets.combinations} of {form} cannot be held out with every pair still seen; ask for less"
        )
    return held


def _drawn(spec: Spec, seed: int, family: str, form: str) -> Iterator[Target]:
    """Every style, each with `counts` legal counts drawn for it, and a case that has content for them."""
    legal = families.load(family).forms[form].legal()
    for style in _styles(spec):
        name = f"{form}/{style.theme}/{style.tone}/{style.density}/{style.background}"
        for counts in islice(shuffled(seed, f"counts/{name}", legal), spec.targets.counts):
            case = _case_for(seed, f"{name}/{counts}", family, form)
            yield _target(spec, form, case, families.load(family).lower(form, counts, style))


def _case_for(seed: int, name: str, family: str, form: str) -> str:
    able = [c.id for c in library.every(family, "bundle") if c.form == form]
    if not able:
        raise ValueError(f"family {family}: no case of form {form}; add one to families/{family}/cases/")
    return shuffled(seed, f"case/{name}", able)[0]


# ------------------------------------------------------------------------------------------------- every answer of drawn briefs


def _brief_pools(spec: Spec, seed: int) -> Pools:
    """Targets are the different answers of the drawn briefs. A style of `never` goes with no item; of each item, styles or structures
    are held out (`hold`).
    """
    rule = spec.targets
    targets = _answers(spec, seed)
    every = sorted({t.look for t in targets}, key=_sorting)
    never = set(_spread(shuffled(seed, "never", every), rule.never, dict))
    unseen = [t for t in targets if t.look in never]
    recombined: list[Target] = []
    dev: list[Target] = []
    trained: list[Target] = []
    for item in dict.fromkeys(t.item for t in targets):
        rows = [t for t in targets if t.item == item and t.look not in never]
        made = {_held(rule.hold, t): _parts(rule.hold, t) for t in rows}
        order = _hold_out(seed, item, made, rule.dev + (rule.per_item or round(rule.combinations * len(made))))
        first, held = set(order[: rule.dev]), set(order)
        for target in rows:
            kept = _held(rule.hold, target)
            (dev if kept in first else recombined if kept in held else trained).append(target)
        if rule.hold == "structure":
            unseen = [t for t in unseen if t.item != item or _held(rule.hold, t) not in held]
    return Pools(tuple(trained), tuple(unseen), tuple(recombined), tuple(dev))


def _sorting(shown: Look) -> tuple[str, ...]:
    """Looks in the order of their combinations, tones inside them."""
    values = dict(shown)
    return (*(values.pop(axis) for axis in AXES), *values.values())


def _held(hold: str, target: Target) -> Hashable:
    return target.look if hold == "style" else structure(target.text)


def _parts(hold: str, target: Target) -> tuple:
    """The values that a style or a structure is made of; each stays seen with the item."""
    if hold == "style":
        return tuple(target.look)
    return tuple(fact for fact in target.briefs[0] if fact[0] not in ("topic", *STYLE))


def _answers(spec: Spec, seed: int) -> list[Target]:
    """The different answers in the order in which they were first drawn, with the briefs that lead to each."""
    found: dict[str, Target] = {}
    asked: dict[str, dict[Facts, None]] = {}
    written: dict[tuple, str] = {}
    for drawn in brief.draw(source_of(spec), seed, spec.targets.draws):
        scene = drawn.scene
        key = (scene.form, scene.counts, scene.style) if spec.surface == "bundle" else drawn.facts
        if key not in written:
            target = _target(spec, _item(drawn, spec.targets.hold), drawn.case, scene, drawn.style)
            written[key] = target.text
            found.setdefault(target.text, target)
        asked.setdefault(written[key], {})[drawn.facts] = None
    return [replace(target, briefs=tuple(asked[text])) for text, target in found.items()]


def _item(drawn: Drawn, hold: str) -> str:
    """What is held out from: the form, the topic of a case, or the family whose structures are."""
    return drawn.scene.form or (drawn.scene.family if drawn.arranged and hold == "structure" else drawn.case)


def source_of(spec: Spec) -> brief.Source:
    return brief.Source(table=spec.targets.briefs, surface=spec.surface, families=spec.families)


def subjects(spec: Spec) -> tuple[Case, ...]:
    """The cases that a spec's prompts ask for by name; none where they ask for forms or drawings."""
    if spec.targets.kind == "cases":
        return tuple(one for family in spec.families for one in look.cases(family, spec.surface))
    return brief.topics(source_of(spec)) if spec.targets.kind == "briefs" else ()
