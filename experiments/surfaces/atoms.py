"""The atoms surface: a small drawing as shapes and words, each where it belongs.

    [svg] [w:128] [h:128] [bg:paper] [layout:badge] [circle] [cx:30] [cy:57] [r:12] [fill:blue] .. [text] .. [fill:black] AI [/text] [/svg]

Attributes stand in the order of `atom.py`. The words of a text are written out between its attributes and `[/text]`, or they are
a `[slot:name]` of a content document. A shape that leaves the canvas, a value outside of its list and an attribute out of turn are
violations at the tag that says so. It carries one family, `atoms`; what its prompts ask for is `order.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from experiments import atom, infographic
from experiments import families as folder
from experiments import order as orders
from experiments.pen import Pen
from experiments.scene import Component, Scene
from experiments.style import Style
from experiments.tag import (
    ID,
    OUT,
    TASK,
    WORD,
    Reader,
    SurfaceError,
    Tag,
    Vocabulary,
    check_payload,
    frame,
    read,
    split,
    stated,
)
from experiments.violation import Violation, nearest, shorten
from experiments.wording import BRACKETS, Say, Spelling, attributes

MARKER = "svg"
BARE = WORD
FAMILY = "atoms"
HEADER = ("w", "h", "bg", "layout", "topic", "accent", "frame", "density")
# Numbers are payload: their tags are reserved up to the colon.
MEASURES = ("w", "h", *(name for names in atom.ATOMS.values() for name in names if not atom.legal(name)))


def families() -> tuple[str, ...]:
    return (FAMILY,)


def prompt(scene: Scene) -> str:
    """The order that the scene fulfils; a drawing that nobody orders has no prompt."""
    asked = orders.order_of(scene)
    if asked:
        return asked.prompt()
    head = atom.canvas(scene)
    looks = {name: head[name] for name in ("accent", "bg", "frame", "density") if name in head}
    if len(looks) == 4 and scene.topic and head.get("layout") in atom.INFOGRAPHICS:
        refs = [ref for part in scene.components for ref in part.refs]
        return infographic.order(head["layout"], scene.topic, refs, looks)
    raise SurfaceError([Violation("scene", "a drawing that no order asks for", "one that order.lower() makes")])


def once(text: str) -> Iterator[re.Match[str]]:
    return stated(text, HEADER)


# ---- writing


def refuse_foreign(scene: Scene, surface: str) -> None:
    """SurfaceError where a surface of atoms would lose part of the scene, or its own reader would refuse it."""
    found = []
    if scene.family != FAMILY or scene.form or scene.counts or scene.style != Style():
        got = f"a {scene.family} with a style or counts" if scene.family == FAMILY else shorten(scene.family)
        found.append(Violation("scene", got, f"a plain scene of {FAMILY}, which is what {surface} writes"))
    elif scene.topic and not ID.fullmatch(scene.topic):
        found.append(Violation("scene.topic", shorten(scene.topic), "letters, digits and _"))
    else:
        faults = folder.load(FAMILY).inspect(scene)
        found = [Violation(f"scene.components.{fault.component}", fault.got, fault.expected) for fault in faults]
    if found:
        raise SurfaceError(found)


def format(scene: Scene) -> str:
    refuse_foreign(scene, "the atoms surface")
    head = {**atom.canvas(scene), **({"topic": scene.topic} if scene.topic else {})}
    tags = [f"[{MARKER}]", *(f"[{name}:{head[name]}]" for name in HEADER if name in head)]
    for part in scene.components:
        if part.kind != "canvas":
            tags += _write(part, dict(scene.words))
    return " ".join([*tags, f"[/{MARKER}]"])


def _write(part: Component, words: Mapping[str, str]) -> Iterator[str]:
    yield f"[{part.kind}]"
    yield from (f"[{name}:{value}]" for name, value in part.attributes)
    if part.kind == "text":
        yield words.get(part.ref or "") or f"[slot:{part.ref}]"
        yield "[/text]"


# ---- reading


def parse(text: str) -> Scene:
    reader = read(text, BARE)
    head, body = split(reader, frame(reader, MARKER), HEADER, atom.ATOMS)
    parts, topic = [_read_header(reader, head)], ""
    for tag in head:
        topic = check_payload(reader, tag, tag.value, ID, "a topic") or "" if tag.name == "topic" else topic
    places: list[list[Tag]] = [head]
    for part, own in _read_atoms(reader, body):
        parts.append(part)
        places.append(own)
    components, words = atom.carry(parts)
    scene = Scene(FAMILY, Style(), topic, components=components, words=words)
    for fault in folder.load(FAMILY).inspect(scene):
        reader.report(_place(fault.component, fault.got, places), fault.got, fault.expected)
    reader.fail_if_any()
    return scene


def _place(component: int | None, got: str, places: Sequence[Sequence[Tag]]) -> Tag | None:
    """The tag that a fault is about: the attribute that it names, else the atom's own tag."""
    if component is None or not places[component]:
        return None
    return next((tag for tag in places[component] if tag.name and got.startswith(f"{tag.name} ")), places[component][0])


def _read_header(reader: Reader, tags: Sequence[Tag]) -> Component:
    reached, values = -1, {}
    for tag in tags:
        place = HEADER.index(tag.name)
        if tag.name in values or place < reached:
            reader.report(
                tag,
                f"{tag.text} " + ("a second time" if tag.name in values else f"after [{HEADER[reached]}:]"),
                "the order " + " ".join(HEADER),
            )
            continue
        reached, values[tag.name] = place, tag.value or ""
    return Component("canvas", attributes=tuple((name, values[name]) for name in atom.CANVAS if name in values))


def _read_atoms(reader: Reader, tags: Sequence[Tag]) -> Iterator[tuple[Component, list[Tag]]]:
    at = 0
    while at < len(tags):
        opening = tags[at]
        at += 1
        if opening.name not in atom.ATOMS or opening.closing or opening.value is not None:
            known = ", ".join(f"[{name}]" for name in atom.ATOMS)
            reader.report(
                opening, shorten(opening.text), f"the tag of an atom: {known}{nearest(opening.name, atom.ATOMS)}"
            )
            continue
        own = [opening]
        while at < len(tags) and not (tags[at].name in atom.ATOMS and not tags[at].closing and tags[at].value is None):
            own.append(tags[at])
            at += 1
            if own[-1].text == f"[/{opening.name}]":
                break
        yield _read_atom(reader, opening, own[1:]), own


def _read_atom(reader: Reader, opening: Tag, tags: list[Tag]) -> Component:
    """One atom from the tags behind its own; what is wrong with their values is found on the finished scene."""
    kind, order, words, slot = opening.name, atom.ATOMS[opening.name], [], None
    values: dict[str, str] = {}
    if kind == "text":
        if not tags or tags[-1].text != "[/text]":
            reader.report(tags[-1] if tags else opening, "a text that is not closed", "[/text]")
        else:
            tags = tags[:-1]
    for tag in tags:
        if not tag.name and kind == "text" and slot is None:
            words.append(tag.text)
        elif tag.name == "slot" and kind == "text" and slot is None and not words and not tag.closing:
            slot = check_payload(reader, tag, tag.value, ID, "a slot") or "?"
        elif tag.name not in order or tag.value is None or words or slot:
            legal = " ".join(f"[{name}:]" for name in order)
            reader.report(
                tag, shorten(tag.text), f"in a {kind} only {legal}" + (", then words or one [slot:]" * (kind == "text"))
            )
        elif values and order.index(tag.name) <= max(map(order.index, values)):
            problem = "a second time" if tag.name in values else "after a later attribute"
            reader.report(tag, f"{shorten(tag.text)} {problem}", "each once, in the order " + " ".join(order))
            values.setdefault(tag.name, tag.value)
        else:
            values[tag.name] = tag.value
    found = [(name, values[name]) for name in order if name in values]
    return Component(kind, ref=slot, attributes=(*found, *([(atom.WORDS, " ".join(words))] if words else [])))


_NUMBERS = ("0", "00", "1", "5", "6")  # what may be put behind an unfinished number
CORNERS = ("1", "1,1", ",1", "|1,1", "1|1,1", "1,1|1,1", ",1|1,1")
_USUAL = {"w": "16", "h": "16", "font": "4", "points": "1,1|2,2", "tx": "1", "ty": "8", "r": "0", "rx": "0", "sw": "0"}
_DIGITS = re.compile("[0-9a-f]{6}")
SAID = re.compile(rf"{WORD.pattern}(?: {WORD.pattern})* ")


def grammar(pen: Pen) -> None:
    """Numbers are of the right form, and a shape that leaves the canvas is not closed."""
    pen.say(f" [{MARKER}]")
    shapes, end = [f" [{kind}]" for kind in ("circle", *(k for k in atom.ATOMS if k != "circle"))], f" [/{MARKER}]"
    legal = {name: values for name in HEADER if (values := atom.legal(name))}
    attributes(pen, HEADER, legal, atom.NEEDED, lambda _: shapes, values=MEASURED)
    first = True
    while (chosen := pen.choose(shapes if first else (end, *shapes))) != end:
        say_atom(pen, chosen[2:-1], (end, *shapes))
        first = False


def say_number(pen: Pen, name: str, stop: str) -> str:
    pattern = atom.POINTS if name == "points" else atom.SIDE if name in atom.NEEDED else atom.NUMBER
    return pen.word((_USUAL.get(name, "1"),), pattern, stop, mend=CORNERS if name == "points" else _NUMBERS)


def _say_colour(pen: Pen, stop: str) -> str:
    return pen.word(("000000",), _DIGITS, stop, mend=["0" * n for n in range(1, 6)])


def _say_measure(name: str, pen: Pen, stop: str) -> str:
    return say_number(pen, name, stop)


COLOURED = ("fill", "stroke")
MEASURED: dict[str, Say] = {name: partial(_say_measure, name) for name in MEASURES}
MEASURED |= dict.fromkeys(COLOURED, _say_colour)


def say_attributes(pen: Pen, kind: str, follow: Sequence[str], spelling: Spelling = BRACKETS) -> None:
    """The attributes of a shape, in order, up to what may follow them."""
    order = atom.ATOMS[kind]
    needed = [n for n in order if n not in atom.OPTIONAL or (n == "fill" and kind == "text")]
    legal = {name: (*values, *["#"] * (name in COLOURED)) for name in order if (values := atom.legal(name))}
    attributes(pen, order, legal, needed, lambda _: follow, spelling, MEASURED)


def say_atom(pen: Pen, kind: str, follow: Sequence[str]) -> None:
    say_attributes(pen, kind, follow)
    if kind == "text":
        pen.say(" ")
        if pen.word(("a ",), SAID, "[", mend=(" ", "a "), instead=("[slot:",)) == "[slot:":
            pen.word(("a",), ID, "]")
            pen.say("] ")
        pen.say("[/text]")


def vocabulary(families: Sequence[str] | None = None) -> Vocabulary:
    """Atoms, colours and the values of closed lists are whole tags; measures, slots and topics are open."""
    tags = [TASK, OUT, f"[{MARKER}]", f"[/{MARKER}]", *(f"[{name}]" for name in atom.ATOMS), "[/text]"]
    closed = [name for name in (*atom.CANVAS, "fill", "stroke", "anchor") if atom.legal(name)]
    tags += [f"[{name}:{value}]" for name in closed for value in atom.legal(name)]
    tags += [f"[{name}:{value}]" for name in orders.TAGS for value in orders.LISTS[name]]
    return Vocabulary.of(
        tags,
        [
            *(f"[{name}:" for name in dict.fromkeys(MEASURES)),
            "[fill:#",
            "[stroke:#",
            "[slot:",
            "[topic:",
            "[items:",
            "[edit:",
        ],
    )
