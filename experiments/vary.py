"""Variation: what a case says, said with other parts, in other orders and under other ids, so that its targets number in thousands.

Every variation has a name and a value that a prompt can state (`keep`, `order`, `ids`, `lanes`, `detail`, and how many there are of
each kind that may be fewer), and a scene follows from the case, the style and these facts alone. What would break the family's rules is
never drawn. Only what a case holds is used: nothing here writes words, and counts of forms on the bundle surface are `corpus.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product

from cengine import random
from experiments import arrange, asset, families, infographic, order
from experiments import case as library
from experiments.case import Case
from experiments.family import Family
from experiments.infographic import Infographic
from experiments.scene import Component, Scene
from experiments.style import PAIRS, Style, grid
from experiments.surfaces import raw_svg

Facts = tuple[tuple[str, str], ...]
Choices = Mapping[str, tuple[str, ...]]
KEEPS = ("first", "last")  # of parts that are to be fewer, those that stay
DETAILS = ("full", "short")  # all fields, or those that a component must have
WORDS = 32  # random words of a draw
TRIES = 400  # draws in a row that give nothing new, before a family is called exhausted


class VariationError(ValueError):
    """Facts that a case cannot follow, or more draws than a family has scenes."""


@dataclass(frozen=True)
class Varied:
    """A scene with the case that it says and the facts that it follows from."""

    case: str
    facts: Facts
    scene: Scene


# ------------------------------------------------------------------------------------------------- what may be chosen


@cache
def choices(own: Case) -> Choices:
    """Fact -> its values for a case: counts first, then how parts are kept, ordered, named and told."""
    family, parts = families.load(own.family), whole(own)
    found = {name: tuple(map(str, range(low, high + 1))) for name, (low, high) in _counts(family, parts).items()}
    if found:
        found["keep"] = KEEPS
    if isinstance(family, Infographic):
        return {**found, "order": tuple(arrange.ORDERS)}
    if any(len(series) > 1 for series in _series(family, parts)):
        found["order"] = tuple(arrange.ORDERS)
    if any(part.get("lane") for part in parts):
        found["lanes"] = tuple(arrange.LANES)
    if any(part.id for part in parts):
        found["ids"] = tuple(arrange.IDS)
    if any(len(_short(family, part).fields) < len(part.fields) for part in parts):
        found["detail"] = DETAILS
    return found


def counted(kind_name: str, asked: str) -> str:
    """The fact that says how many components there are of a kind."""
    return asked or f"{kind_name}s"


@cache
def whole(own: Case) -> tuple[Component, ...]:
    """Every component that a case has content for (of a form, those of the largest counts that it carries). The ends of edges are the positions
    of components, as `#3`, so that they survive every change of ids.
    """
    family = families.load(own.family)
    scene = (replace(own, surface="keyed") if family.spelling == "fields" else own).scene(Style())
    if own.form:
        able = [counts for counts in family.forms[own.form].legal() if own.carries(counts)]
        scene = own.scene(Style(), max(able, key=lambda counts: (sum(n for _, n in counts), counts)))
    parts = tuple(p for p in scene.components if p.kind not in family.tied)
    names = family.ends(replace(scene, components=parts))
    return tuple(
        replace(p, source=f"#{names[p.source]}", target=f"#{names[p.target or '']}") if p.source else p for p in parts
    )


def _counts(family: Family, parts: Sequence[Component]) -> dict[str, tuple[int, int]]:
    """Fact -> fewest and most, of each kind that may be fewer than it is."""
    found = {}
    for kind in family.kinds.values():
        mine = [i for i, part in enumerate(parts) if part.kind == kind.name]
        free = [i for i in mine if _is_free(parts, i)]
        fewest = max(kind.at_least, len(mine) - len(free))
        if not kind.end_tags and fewest < len(mine):
            found[counted(kind.name, kind.asked)] = (fewest, len(mine))
    if isinstance(family, Infographic):
        main = next(part for part in parts if part.kind == family.main)
        kind, first = family.kinds[family.main], _heads(family)
        most = len(_units(family, main.refs))
        fewest = max(1 + first, -(-kind.refs[0] // family.group))
        if fewest < most:
            found["items"] = (fewest - first, most - first)
    return found


def _is_free(parts: Sequence[Component], index: int) -> bool:
    """Whether a component may be left out: no edge ends at it, or edges lead on from it to where those before it lead."""
    leaves = any(part.source == f"#{index}" for part in parts)
    return leaves == any(part.target == f"#{index}" for part in parts)


def _series(family: Family, parts: Sequence[Component]) -> Iterator[list[Component]]:
    """Components of one kind that may change places, in scene order; edges stay where they are."""
    for kind in family.kinds.values():
        if not kind.end_tags:
            yield [part for part in parts if part.kind == kind.name]


# ------------------------------------------------------------------------------------------------- following facts


def follow(own: Case, surface: str, style: Style, asked: Mapping[str, str]) -> Scene:
    """The scene of a case in a style, varied as asked; what is not asked for stays as it is. VariationError for what the case has not."""
    legal = choices(own)
    for name, value in asked.items():
        if value not in legal.get(name, ()):
            raise VariationError(f"{own.id}: got {name} {value!r}, expected {_told(legal, name)}")
    family = families.load(own.family)
    parts = _vary(own, tuple(sorted(asked.items())))
    scene = Scene(own.family, style, topic=own.topic or own.id, components=parts)
    if isinstance(family, Infographic):
        return scene
    scene = replace(scene, style=family.dress(style)) if isinstance(family, asset.AssetFamily) else scene
    return asset.inline(scene, own.content, family.kinds) if surface == "asset" else scene


def _told(legal: Choices, name: str) -> str:
    return f"one of {', '.join(legal[name])}" if name in legal else f"one of the facts {', '.join(legal)}"


@cache
def _vary(own: Case, facts: Facts) -> tuple[Component, ...]:
    family, asked = families.load(own.family), dict(facts)
    way = arrange.ORDERS[asked.get("order", "forward")]
    parts = _kept(family, whole(own), asked)
    if isinstance(family, Infographic):
        return tuple(_regrouped(family, part, asked, way) for part in parts)
    if asked.get("detail") == "short":
        parts = tuple(_short(family, part) for part in parts)
    parts = _renamed(family, parts, way, arrange.IDS[asked.get("ids", "own")])
    return _laned(parts, arrange.LANES[asked["lanes"]]) if "lanes" in asked else parts


def _kept(family: Family, parts: tuple[Component, ...], asked: Mapping[str, str]) -> tuple[Component, ...]:
    """Without what is too many; where an edge led to a part that is gone, it now leads to where that part led."""
    gone: set[int] = set()
    for kind in family.kinds.values():
        wanted = asked.get(counted(kind.name, kind.asked))
        if wanted is None or kind.end_tags:
            continue
        mine = [i for i, part in enumerate(parts) if part.kind == kind.name]
        free = [i for i in mine if _is_free(parts, i)]
        over = len(mine) - int(wanted)
        gone |= set(free[:over] if asked.get("keep") == "last" else free[len(free) - over :])
    edges = [(i, p.source, p.target) for i, p in enumerate(parts) if p.source and p.target]
    for lost in sorted(gone):
        edges = _bridged(edges, f"#{lost}")
    ends = {i: (a, b) for i, a, b in edges}
    left = [i for i, p in enumerate(parts) if i not in gone and (p.source is None or i in ends)]
    moved = {f"#{i}": f"#{place}" for place, i in enumerate(left)}
    return tuple(
        replace(parts[i], source=moved[ends[i][0]], target=moved[ends[i][1]]) if i in ends else parts[i] for i in left
    )


def _bridged(edges: list[tuple[int, str, str]], lost: str) -> list[tuple[int, str, str]]:
    """Edges without a part: each way in leads on to where the part first led, under its own label."""
    onward = [b for _, a, b in edges if a == lost and b != lost]
    found: list[tuple[int, str, str]] = []
    pairs = {(a, b) for _, a, b in edges if lost not in (a, b)}
    for number, a, b in edges:
        if lost not in (a, b):
            found.append((number, a, b))
        elif b == lost and a != lost:
            target = next((t for t in onward if t != a and (a, t) not in pairs), None)
            if target is not None:
                found.append((number, a, target))
                pairs.add((a, target))
    return found


def _short(family: Family, part: Component) -> Component:
    """A component with the fields that it must have, where that leaves something to say."""
    needed = {slot.name for slot in family.kinds[part.kind].slots if slot.required}
    kept = tuple(pair for pair in part.fields if pair[0] in needed)
    return replace(part, fields=kept) if kept else part


def _renamed(
    family: Family, parts: tuple[Component, ...], way: Callable, naming: Callable[[str, int], str]
) -> tuple[Component, ...]:
    """Series in another order and components under other ids. In a family that is `chained` edges lead from place to place, in any other from
    part to part.
    """
    at: dict[int, int] = {}  # place -> which component stands there
    for kind in family.kinds.values():
        mine = [i for i, part in enumerate(parts) if part.kind == kind.name]
        swapped = mine if kind.end_tags else way(mine)
        at |= dict(zip(mine, swapped, strict=True))
    ids: dict[int, str] = {}
    for place in range(len(parts)):
        if (own := parts[at[place]].id) is not None:
            ids[place] = naming(own, len(ids))
    where = {component: place for place, component in at.items()}

    def end(text: str) -> str:
        place = int(text[1:]) if family.chained else where[int(text[1:])]
        return ids.get(place) or str(1 + sum(parts[at[i]].kind == parts[at[place]].kind for i in range(place)))

    found = []
    for place in range(len(parts)):
        part = replace(parts[at[place]], id=ids.get(place))
        if family.chained and family.kinds[part.kind].attributes:  # a lane belongs to the place
            part = replace(part, attributes=parts[place].attributes)
        found.append(replace(part, source=end(part.source), target=end(part.target or "")) if part.source else part)
    return tuple(found)


def _laned(parts: tuple[Component, ...], lane: Callable[[int], str]) -> tuple[Component, ...]:
    """Components that lie on a lane, each on the one of its place."""
    places = {i: n for n, i in enumerate(i for i, part in enumerate(parts) if part.get("lane"))}
    return tuple(
        replace(part, attributes=(("lane", lane(places[i])),)) if i in places else part for i, part in enumerate(parts)
    )


# ------------------------------------------------------------------------------------------------- infographics


def _heads(family: Infographic) -> int:
    """How many units at the front of the main component stay there: the titles of two sides."""
    return 1 if family.name == "compare_panels" else 0


def _units(family: Infographic, refs: Sequence[str]) -> list[tuple[str, ...]]:
    """References that belong together: a bullet, a value with its label, one line of both sides."""
    if _heads(family):
        left, right = infographic.sides(refs)
        return [(refs[a], refs[b]) for a, b in zip(left, right, strict=False)]
    places = infographic.pairs(refs) if family.group == 2 else [(i,) for i in range(len(refs))]
    return [tuple(refs[i] for i in unit) for unit in places]


def _regrouped(family: Infographic, part: Component, asked: Mapping[str, str], way: Callable) -> Component:
    if part.kind != family.main:
        return part
    units, first = _units(family, part.refs), _heads(family)
    head, rest = units[:first], units[first:]
    number = int(asked.get("items", len(rest)))
    rest = rest[len(rest) - number :] if asked.get("keep") == "last" else rest[:number]
    units = [*head, *way(rest)]
    refs = (
        [ref for side in zip(*units, strict=True) for ref in side] if first else [ref for unit in units for ref in unit]
    )
    return replace(part, ref=refs[0], more=tuple(refs[1:]))


# ------------------------------------------------------------------------------------------------- drawing


def structures(family: str, most: int = 2000) -> int:
    """How many different structures the cases of a family have, styles aside; counted no further than `most`."""
    if family == "atoms":
        return min(most, len(_orders()))
    seen: set[tuple] = set()
    for own in library.every(family):
        legal = choices(own)
        for values in product(*legal.values()):
            seen.add((own.id, _vary(own, tuple(sorted(zip(legal, values, strict=True))))))
            if len(seen) == most:
                return most
    return len(seen)


def draw(family: str, surface: str, seed: int, count: int) -> Iterator[Varied]:
    """`count` different scenes of a family, each fact and style drawn evenly. The same seed gives the same scenes."""
    seen: set[Scene] = set()
    turn = fruitless = 0
    while len(seen) < count:
        made = _one(family, surface, seed, turn)
        turn += 1
        if made is None or made.scene in seen:
            fruitless += 1
            if fruitless > TRIES:
                raise VariationError(
                    f"{family} on {surface}: got {len(seen)} different scenes, expected {count}; ask for fewer"
                )
            continue
        fruitless = 0
        seen.add(made.scene)
        yield made


def _one(family: str, surface: str, seed: int, turn: int) -> Varied | None:
    """Draw number `turn`; None where its facts do not go together."""
    words = random.bits(seed, random.stream_of(f"vary/{family}"), WORDS, first=WORDS * turn).tolist()
    if family == "atoms":
        asked = _orders()[words[0] % len(_orders())]
        scene = raw_svg.spell(order.lower(asked)) if surface == "raw_svg" else order.lower(asked)
        return Varied("", tuple((n, v) for n in order.TAGS if (v := getattr(asked, n))), scene)
    cases, record = library.every(family), families.load(family)
    own = cases[words[0] % len(cases)]
    facts = _facts(own, words[2:])
    if not _is_sound(own, tuple(sorted(facts.items()))):
        return None
    if isinstance(record, Infographic):
        looks = _looks()[words[1] % len(_looks())]
        scene = infographic.dress(
            record, follow(own, surface, Style(), facts), looks, "small" if surface == "semantic" else "wide"
        )
    else:
        scene = follow(own, surface, _styles()[words[1] % len(_styles())], facts)
    return Varied(own.id, tuple(facts.items()), scene)


@cache
def _is_sound(own: Case, facts: Facts) -> bool:
    """Whether the family accepts the structure."""
    return not any(families.load(own.family).inspect(Scene(own.family, topic=own.id, components=_vary(own, facts))))


def _facts(own: Case, words: Sequence[int]) -> dict[str, str]:
    """One value of each fact, by as many words."""
    return {name: values[word % len(values)] for (name, values), word in zip(choices(own).items(), words, strict=False)}


def pick(own: Case, surface: str, style: Style, words: Sequence[int]) -> Varied:
    """One variation of a case by chance: the first of those that the words stand for which the family accepts."""
    for start in range(len(words)):
        facts = _facts(own, [*words[start:], *words[:start]])
        if _is_sound(own, tuple(sorted(facts.items()))):
            return Varied(own.id, tuple(facts.items()), follow(own, surface, style, facts))
    raise VariationError(f"{own.id}: got no variation that {own.family} accepts in {len(words)} draws, expected one")


@cache
def _orders() -> tuple[order.Order, ...]:
    return tuple(order.every(framed=True))


@cache
def _looks() -> tuple[infographic.Asked, ...]:
    return tuple(infographic.every())


@cache
def _styles() -> tuple[Style, ...]:
    return tuple(grid(PAIRS))
