"""Prompt surfaces: the ways of asking for a scene, as templates in `prompts.yaml`. A prompt always ends with [OUT].

A template closes with the tags that it asks by; clauses say each fact of a brief in a sentence of its own, in a drawn order. Which
wording a row gets depends on its number and its brief alone. What a brief may state is `brief.py`'s.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from string import Formatter

from cengine import random
from experiments import arrange, document, look, surfaces
from experiments.brief import NUMBERS, Facts, Table, Thing
from experiments.scene import Scene
from experiments.split import tags
from experiments.tag import OUT, TASK
from experiments.violation import Violation, nearest

FILE = Path(__file__).parent / "prompts.yaml"
ORDERS = (
    "tags",
    "permuted",
    "words",
    "words_permuted",
    "listed",
    "anchor",
    "anchor_permuted",
    "edited",
)  # of which a template ends with one
PART, PARTS = "part", 5  # templates that ask for one part of a text, cut into so many
STATED = (
    "theme",
    "tone",
    "density",
    "accent",
    "color",
    "shape",
    "bg",
    "frame",
)  # in words, where a scene's tags state it
ASIDES = {"aside": 1, "asides": 2}  # sentences that say nothing, drawn from a surface in sentences
BABBLE = "babble"  # words in no order, from the same surface
FIELDS = (*ORDERS, PART, "family", "form", "hint", *STATED, *ASIDES, BABBLE)  # what a template may hold in braces
NOT = "not_"  # {not_goal}: another goal, which would have led to another family or form
LISTED = "parts"  # the fact whose parts may be named one by one instead of counted
ANY = "any"  # clauses that any fact may be said in
PLAIN = ("open", "aside", "close")  # sentences that say no fact
FILLER = "filler"  # single words of which sentences in no order are made
BREAKS, ENDS = (
    ("", "", "", ",", ":", "?"),
    (".", ".", ".", "?", "!"),
)  # what stands inside and at the end of such a sentence
DRAWS = 512  # more than a prompt ever draws


class PromptError(ValueError):
    """A prompt surface that is not there, or templates that could not be written."""


@dataclass(frozen=True)
class Clauses:
    """A surface in sentences: one to open with, one for each fact that the brief states, up to two asides that say nothing, one to
    close with (opening and closing may be empty). Where there is `filler`, some clauses and asides are its words in no order.
    """

    open: tuple[str, ...]
    say: Mapping[str, tuple[str, ...]]
    aside: tuple[str, ...]
    close: tuple[str, ...]
    filler: tuple[str, ...] = ()


@dataclass(frozen=True)
class Asked:
    """A brief as a prompt needs it. Half of a pair also has the values that it rules out, and the brief of the half whose wording it shares."""

    table: Table
    facts: Facts
    ruled_out: Facts = ()
    like: Facts = ()


@cache
def templates() -> dict[str, tuple[str, ...] | Clauses]:
    """Surface name -> its templates or clauses, from `prompts.yaml`. Raises PromptError with every fault."""
    return read(FILE.read_text(encoding="utf-8"))


def read(text: str) -> dict[str, tuple[str, ...] | Clauses]:
    """Surface name -> its templates or clauses, from YAML text. Raises PromptError with every fault and its path."""
    try:
        data = document.read(text)
    except document.DocumentError as error:
        raise PromptError(f"{FILE.name}: {error}") from error
    found = [fault for name, rows in data.items() for fault in _faults(str(name), rows)]
    if found:
        raise PromptError(f"{FILE.name}: " + "; ".join(map(str, found)))
    return {name: _clauses(rows) if isinstance(rows, dict) else tuple(rows) for name, rows in data.items()}


def _clauses(rows: dict) -> Clauses:
    said = {fact: tuple(texts) for fact, texts in rows["say"].items()}
    return Clauses(tuple(rows["open"]), said, *(tuple(rows.get(part, ())) for part in ("aside", "close", FILLER)))


def _faults(name: str, rows: object) -> Iterator[Violation]:
    if isinstance(rows, dict):
        yield from _clause_faults(name, rows)
    elif not isinstance(rows, list) or not rows:
        yield Violation(name, repr(rows), "a list of templates, at least one")
    else:
        for number, row in enumerate(rows):
            yield from _template_faults(f"{name}.{number}", row)


def _template_faults(place: str, row: object) -> Iterator[Violation]:
    fields = yield from _fields(place, row)
    strange = [f for f in fields if f not in FIELDS and not f.startswith(NOT)]
    for field in strange:
        yield Violation(place, f"`{{{field}}}`", f"one of {', '.join(FIELDS)}{nearest(field, FIELDS)}")
    if isinstance(row, str) and not strange and not row.endswith(tuple(f"{{{o}}}" for o in ORDERS)):
        yield Violation(place, repr(row), f"a template that ends with {{tags}} (or another of {', '.join(ORDERS)})")


def _fields(place: str, row: object) -> Generator[Violation, None, list[str]]:
    """Yields what is wrong with a text as a template; returns its fields."""
    if not isinstance(row, str):
        yield Violation(place, repr(row), "a text in quotes")
        return []
    try:
        return [field for _, field, _, _ in Formatter().parse(row) if field is not None]
    except ValueError as error:
        yield Violation(place, repr(row), f"braces in pairs around a name ({error})")
        return []


def _clause_faults(name: str, rows: dict) -> Iterator[Violation]:
    if set(rows) - {FILLER} != {"say", *PLAIN} or not isinstance(rows["say"], dict):
        yield Violation(name, ", ".join(map(str, rows)), "open, say (clauses by fact), aside, close, and filler or not")
        return
    plain = {part: rows[part] for part in (*PLAIN, FILLER) if part in rows}
    parts = {**rows["say"], **plain}
    for part, texts in parts.items():
        place = f"{name}.{part}"
        if not isinstance(texts, list) or not texts:
            yield Violation(place, repr(texts), "a list of sentences, at least one")
            continue
        for number, text in enumerate(texts):
            fields = yield from _fields(f"{place}.{number}", text)
            wanted = [] if part in plain else ["value"]
            if isinstance(text, str) and fields != wanted:
                yield Violation(
                    f"{place}.{number}",
                    repr(text),
                    "a sentence with {value} once" if wanted else "a sentence without braces",
                )


def known(surface: str) -> tuple[str, ...] | Clauses:
    """The templates or clauses of a prompt surface."""
    if surface not in templates():
        names = f"{', '.join(templates())}{nearest(surface, templates())}"
        raise PromptError(f"prompt surface: got {surface!r}, expected one of {names}")
    return templates()[surface]


def template(surface: str, number: int) -> str:
    """Template `number` of a prompt surface that has templates, counted round its list."""
    rows = known(surface)
    if isinstance(rows, Clauses):
        raise PromptError(f"prompt surface: {surface!r} has clauses, expected one with templates")
    return rows[number % len(rows)]


def asks_part(surface: str) -> bool:
    """Whether a surface asks for one part of an answer instead of the whole."""
    rows = known(surface)
    return not isinstance(rows, Clauses) and any(f"{{{PART}}}" in row for row in rows)


def rules_out(surface: str) -> str | None:
    """The fact of which templates of a surface name another value, so that its rows come in pairs."""
    rows = known(surface)
    named = [] if isinstance(rows, Clauses) else sorted(f for row in rows for f in _names(row) if f.startswith(NOT))
    return named[0].removeprefix(NOT) if named else None


def part(text: str, number: int) -> str:
    """The part of an answer that wording `number` of such a surface asks for: a run of its tags."""
    tags, place = text.split(), number % PARTS
    return " ".join(tags[len(tags) * place // PARTS : len(tags) * (place + 1) // PARTS])


def lacking(surface: str, table: Table | None) -> list[str]:
    """Why a surface cannot ask for the scenes of a spec with these briefs (None: with none): facts that it cannot state."""
    rows = known(surface)
    if isinstance(rows, Clauses):
        needed = [*(table.facts if table else ("a brief",)), *(table.counts.values() if table else ())]
        return [f"no clause for {fact}" for fact in dict.fromkeys(needed) if fact not in rows.say]
    fields = {field for row in rows for _, field, _, _ in Formatter().parse(row) if field}
    wanted = [f.removeprefix(NOT) for f in sorted(fields) if f.startswith(NOT)]
    missing = [f"no fact {name}" for name in wanted if table is None or name not in table.facts]
    hinted = "hint" in fields and not (table and table.hints)
    return (
        missing
        + (["no brief to list"] if table is None and "listed" in fields else [])
        + (["no hints"] if hinted else [])
    )


def write(surface: str, number: int, scene: Scene, dsl: str, asked: Asked | None = None) -> str:
    """The prompt for a scene, asked for by its own tags or by a brief: wording `number` of a prompt surface, with [OUT] at the end."""
    rows = known(surface)
    facts = asked.facts if asked else ()
    draw = Draw(f"{surface}/{number}/{(asked and asked.like) or facts}")
    if isinstance(rows, Clauses):
        if asked is None:
            raise PromptError(f"prompt surface: {surface!r} tells a brief, and this scene has none")
        return f"{TASK} {_told(rows, asked, draw)} {OUT}"
    own = order_of(dsl, scene)
    stated = tags(own).keys()
    able = [row for row in rows if _states(row) <= stated]
    if not able:
        wanted = sorted(set.union(*map(_states, rows)))
        raise PromptError(f"prompt surface: {surface!r} speaks of {', '.join(wanted)}, which {own!r} does not state")
    row = able[number % len(able)]
    said = {name: _field(name, scene, own, asked, draw) for name in sorted(_names(row) - {PART})}
    return row.format(**said, part=NUMBERS[number % PARTS + 1]) + f" {OUT}"


@lru_cache(4096)
def order_of(dsl: str, scene: Scene) -> str:
    """The tag prompt of a scene on its surface; a few are remembered, because rows ask for a scene in many ways."""
    return surfaces.load(dsl).prompt(scene)


@cache
def _names(row: str) -> set[str]:
    """The fields of a template."""
    return {name for _, name, _, _ in Formatter().parse(row) if name}


@cache
def _states(row: str) -> set[str]:
    """Those fields of a template that are said in the words of a scene's tags."""
    return _names(row) & set(STATED)


def _words(name: str) -> Iterator[int]:
    """Random words; a row that chooses nothing draws none."""
    yield from random.bits(0, random.stream_of(f"prompt/{name}"), DRAWS).tolist()


class Draw:
    """Choices that depend on a name alone."""

    def __init__(self, name: str) -> None:
        self.words = _words(name)

    def one(self, items: Sequence[Thing]) -> Thing:
        return items[next(self.words) % len(items)]

    def order(self, items: Sequence[str]) -> list[str]:
        """The items in a drawn order."""
        keys = [next(self.words) for _ in items]
        return [item for _, item in sorted(zip(keys, items, strict=True))]

    def other(self, items: Sequence[str]) -> list[str]:
        """The items in a drawn order that is not the one they have: a permuted prompt is no plain one again."""
        drawn = self.order(items)
        return drawn if drawn != list(items) else [*drawn[1:], *drawn[:1]]


def _field(name: str, scene: Scene, order: str, asked: Asked | None, draw: Draw) -> str:
    """A field of a template in words; `order` is the scene's tag prompt."""
    if name == "edited":
        own = _own(order, asked)
        changed, other = draw.one(list(look.edits(tags(order))))
        before = [f"[{changed}:{other}]" if tag.startswith(f"[{changed}:") else tag for tag in own]
        return " ".join([*before, f"[edit:{changed}={tags(order)[changed]}]"])
    if name.startswith("anchor") or (asked is None and name in ORDERS):
        own = _own(order, asked)
        return " ".join([own[0], *draw.other(own[1:])] if name.endswith("permuted") else own)
    if name in ORDERS and asked:
        stated = _stated(asked, name, draw)
        return " ".join([TASK, *(draw.other(stated) if name.endswith("permuted") else stated)])
    if name.startswith(NOT) and asked:
        fact = name.removeprefix(NOT)
        return (dict(asked.ruled_out).get(fact) or _contrast(fact, asked, draw)).replace("_", " ")
    if name in (BABBLE, *ASIDES):
        said = next(rows for rows in templates().values() if isinstance(rows, Clauses))
        return " ".join(draw.order(said.aside)[: ASIDES[name]]) if name in ASIDES else _babble(said.filler, draw)
    if name == "hint" and asked:
        others = [hint for form, hint in asked.table.hints.items() if form != scene.form]
        return f"[hint:{asked.table.hints[scene.form]}_over_{draw.one(others)}]"
    told = scene.form if name == "form" else tags(order)["layout" if name == "family" else name]
    return told.replace("_", " ").replace("-", " ")


def _own(order: str, asked: Asked | None) -> list[str]:
    """The tags that give every value of a scene: those of its tag prompt, and how its parts are arranged."""
    return [*order.removesuffix(f" {OUT}").split(), *(_arrangement(asked) if asked else ())]


def _arrangement(asked: Asked) -> list[str]:
    """How the parts of a case are arranged, as tags, where facts say it in other terms: a scene's own tags do not state it."""
    made = asked.table.outputs(dict(asked.facts))
    said = {name: made[name] for name in arrange.CHOICES if name in made}
    said |= {name: value for name, value in asked.facts if asked.table.parts and value.isdigit()}
    return [f"[{name}:{_value(value)}]" for name, value in said.items()]


def _stated(asked: Asked, way: str, draw: Draw) -> list[str]:
    """Each fact as a tag, as two words, or with its parts listed one by one."""
    if way.startswith("words"):
        return [f"{name} {_value(value)}" for name, value in asked.facts]
    tags = []
    for name, value in asked.facts:
        if way == "listed" and name == LISTED:
            tags += [f"[part:{part}]" for part in _listed(asked.table, int(value), draw)]
        else:
            tags.append(f"[{name}:{_value(value)}]")
    return tags


def _value(value: str) -> str:
    return NUMBERS[int(value)] if value.isdigit() else value


def _listed(table: Table, count: int, draw: Draw) -> list[str]:
    return draw.order(list(table.names))[:count]


def _told(rows: Clauses, asked: Asked, draw: Draw) -> str:
    """An opening, every fact in a clause of its own and up to two asides, in a drawn order, and a closing."""
    said = [_aside(rows, draw) for _ in range(draw.one((0, 1, 2)))]
    for name, value in asked.facts:
        phrase = _phrase(asked.table, name, value, draw)
        if rows.filler and draw.one(range(3)) == 0:
            said.append(_babble(rows.filler, draw, phrase))
        else:
            said.append(draw.one((*rows.say[name], *rows.say.get(ANY, ()))).format(value=phrase))
    return " ".join(filter(None, [draw.one(rows.open), *draw.order(said), draw.one(rows.close)]))


def _aside(rows: Clauses, draw: Draw) -> str:
    """A sentence that says nothing, as often babble as not: what is asked has to be found among any words."""
    return _babble(rows.filler, draw) if rows.filler and draw.one(range(2)) == 0 else draw.one(rows.aside)


def _babble(filler: Sequence[str], draw: Draw, value: str = "") -> str:
    """Words in no order as a sentence, with a value among them where one is given."""
    before = " ".join(draw.one(filler) for _ in range(draw.one(range(1, 8))))
    after = " ".join(draw.one(filler) for _ in range(draw.one(range(4))))
    said = before
    for more in filter(None, (value, after)):
        said += draw.one(BREAKS) + " " + more
    return said[0].upper() + said[1:] + draw.one(ENDS)


def _phrase(table: Table, name: str, value: str, draw: Draw) -> str:
    """A fact in words that say it by themselves: `the operators`, `five parts`, `one remark`, `the parts loader, mixer and guard`."""
    if not value.isdigit():
        return draw.one(table.phrases(name, value))
    if name == LISTED and table.names and draw.one((False, True)):
        *first, last = _listed(table, int(value), draw)
        return f"the {name} {', '.join(first)} and {last}"
    return f"{NUMBERS[int(value)]} {name.removesuffix('s') if value == '1' else name}"


def _contrast(fact: str, asked: Asked, draw: Draw) -> str:
    """Another value of a fact, one that would have led to another family or form."""
    return draw.one(contrasts(fact, asked) or list(asked.table.facts[fact].values))


def contrasts(fact: str, asked: Asked) -> list[str]:
    """The values of a fact that would have led to another family or form."""
    facts = dict(asked.facts)

    def leads(value: str) -> tuple:
        made = asked.table.outputs(facts | {fact: value})
        return made.get("family"), made.get("form")

    own = leads(meant(fact, asked))
    return [v for v in asked.table.facts[fact].values if leads(v) != own]


def meant(fact: str, asked: Asked) -> str:
    """The value of a fact that a brief states, or means by leaving it out."""
    return dict(asked.facts).get(fact) or asked.table.facts[fact].absent or ""


def tagged(asked: Asked) -> str:
    """A brief's facts as tags, whatever words its prompt uses: what baselines are told besides."""
    return " ".join(f"[{name}:{_value(value)}]" for name, value in asked.facts)
