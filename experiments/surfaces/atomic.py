"""The atomic surface: every attribute and every value an atom of its own, content bound by words instead of dotted paths.

    [scene] [layout] timeline [/layout] [theme] infra_dark [/theme] .. [component] [name] timeline_stage [/name] [id] stage_1 [/id]
    [bind] stages stage_1 [/bind] [meta] lane top [/meta] [/component] .. [/scene]

A component has its name, then id, ends (`[from]`, `[to]`), binds, fields (`[field] label bars 0 label [/field]`: a field and its path),
the words of a drawn text and metas, as far as its kind has them, in this order. It writes every family whose scenes have components and
no counts, drawings in atoms included.

The first attempt at this contract elsewhere cost about 976 tokens a line where the same scenes took 70 inline, and 2 % of its bytes came
back. Three causes, and what is done here: its tags and values were spelled character by character where they were not reserved, one
token for every space besides (here a tag, and a word of a closed list with its closing tag, is one token that carries its own
space); text outside of its fixed vocabulary became an unknown token, so that one lost space shifted everything behind it (here every
byte has a token); and at a context of 2048 two lines filled a window. `tests/test_atomic.py` measures the cost against the
one-line surface, scene by scene, and decodes every row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from experiments import atom, block, payload
from experiments import families as folder
from experiments.block import ORDER
from experiments.family import Family, Kind
from experiments.infographic import LEGAL_TONES, Infographic
from experiments.pen import Pen
from experiments.scene import Component, Scene
from experiments.style import AXES, Style
from experiments.surfaces import atoms, semantic
from experiments.tag import ID, OUT, REF, TASK, WORD, Reader, SurfaceError, Tag, Vocabulary, frame, read, stated
from experiments.violation import Violation, nearest, shorten
from experiments.wording import Parts, Spelling, attributes

MARKER = "scene"
BARE = WORD
PARTS = ("name", "id", "from", "to", "bind", "field", "words", "meta")  # of a component, in order; some may repeat
_ATTRIBUTE = re.compile(r"\[([a-z]+)\]\s+[^\[\]\s]+\s+\[/\1\]")  # an attribute
ENDS = {"from": "source", "to": "target"}
ALWAYS = ("layout", "theme", "tone", "density")


def families() -> tuple[str, ...]:
    """Families whose scenes have components without counts: all of them."""
    return folder.names()


def prompt(scene: Scene) -> str:
    """The same prompt as on the family's own surface."""
    if scene.family == atoms.FAMILY:
        return atoms.prompt(scene)
    if scene.family in payload.families():
        return payload.prompt(scene)
    return semantic.prompt(scene) if scene.family in semantic.families() else block.write_prompt(scene)


def once(text: str) -> Iterator[re.Match[str]]:
    return stated(text, ORDER, _ATTRIBUTE)


def values_of(family: Family | None, axis: str) -> tuple[str, ...]:
    """The legal words of an attribute; empty for a topic, which is open."""
    if axis == "layout":
        return families()
    if axis == "topic":
        return ()
    wider = {"tone": LEGAL_TONES, "canvas": (*AXES["canvas"], semantic.CANVAS)}
    return wider.get(axis, AXES[axis]) if family is None or isinstance(family, Infographic) else AXES[axis]


# ---- writing


def format(scene: Scene) -> str:
    own = "form or counts" if scene.form or scene.counts else ""
    own = own or ("words of its own" if scene.words and scene.family != atoms.FAMILY else "")
    if scene.family not in families() or own:
        got = f"{scene.family!r} with {own}" if own else shorten(scene.family)
        raise SurfaceError([Violation("scene", got, f"references, no counts, and one of {', '.join(families())}")])
    family = folder.load(scene.family)
    words = {axis: getattr(scene.style, axis, None) for axis in ORDER} | {"layout": scene.family, "topic": scene.topic}
    tags = [f"[{MARKER}]"]
    for axis, word in words.items():
        if word not in (None, "") and (axis, word) != ("background", "none"):
            tags.append(f"[{axis}] {word} [/{axis}]")
    for part in scene.components:
        tags += _write(part, dict(scene.words))
    text = " ".join([*tags, f"[/{MARKER}]"])
    _demand(family, scene, text)
    return text


def _write(part: Component, words: Mapping[str, str]) -> Iterator[str]:
    yield f"[component] [name] {part.kind} [/name]"
    for name, slot in (("id", "id"), *ENDS.items()):
        word = getattr(part, slot)
        if word is not None:
            yield f"[{name}] {word} [/{name}]"
    for ref in part.refs:
        yield f"[words] {words[ref]} [/words]" if ref in words else f"[bind] {' '.join(ref.split('.'))} [/bind]"
    yield from (f"[field] {name} {' '.join(path.split('.'))} [/field]" for name, path in part.fields)
    yield from (f"[meta] {name} {value} [/meta]" for name, value in part.attributes)
    yield "[/component]"


def _demand(family: Family, scene: Scene, text: str) -> None:
    """A scene that its own reader would refuse, or read as another, is refused with the reader's reasons."""
    if parse(text) != scene:
        expected = f"ids and references of letters, digits and _ in a sound {family.name}"
        raise SurfaceError([Violation("scene", "a scene that would not come back from its text", expected)])


# ---- reading


@dataclass(slots=True)
class Atom:
    """`[name] words [/name]`: the opening tag and the words."""

    tag: Tag
    words: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return " ".join(self.words)


def parse(text: str) -> Scene:
    reader = read(text, BARE)
    tags = frame(reader, MARKER)
    cut = next((i for i, tag in enumerate(tags) if tag.text in ("[component]", "[/component]")), len(tags))
    header = list(_read_atoms(reader, tags[:cut], ORDER))
    layout = next((one.text for one in header if one.tag.name == "layout"), "")
    family = folder.load(layout) if layout in families() else None
    values = _read_header(reader, header, family)
    parts = list(_read_components(reader, tags[cut:], family))
    style = Style(**{axis: word for axis, word in values.items() if axis not in ("layout", "topic")})
    components, said = atom.carry(part for part, _ in parts)
    scene = Scene(layout, style, values.get("topic", ""), components=components, words=said)
    for fault in family.inspect(scene) if family else ():
        reader.report(None if fault.component is None else parts[fault.component][1], fault.got, fault.expected)
    reader.fail_if_any()
    return scene


def _read_atoms(reader: Reader, tags: Sequence[Tag], names: Sequence[str]) -> Iterator[Atom]:
    """Every `[name] words [/name]`; what stands outside of one, or is not closed, is reported."""
    opened: Atom | None = None
    for tag in tags:
        if not tag.name and opened:
            opened.words.append(tag.text)
        elif tag.closing and opened and tag.name == opened.tag.name:
            if not opened.words:
                reader.report(opened.tag, "no word", f"a word between [{tag.name}] and [/{tag.name}]")
            yield opened
            opened = None
        elif opened:
            reader.report(tag, shorten(tag.text), f"[/{opened.tag.name}]")
            opened = Atom(tag) if tag.name in names and not tag.closing and tag.value is None else None
        elif tag.name in names and not tag.closing and tag.value is None:
            opened = Atom(tag)
        else:
            known = ", ".join(f"[{name}]" for name in names)
            reader.report(tag, shorten(tag.text), f"one of {known}{nearest(tag.name, names)}")
    if opened:
        reader.report(opened.tag, f"{opened.tag.text} without its end", f"[/{opened.tag.name}]")


def _read_header(reader: Reader, header: Sequence[Atom], family: Family | None) -> dict[str, str]:
    values: dict[str, str] = {}
    reached = -1
    for one in header:
        axis, place = one.tag.name, ORDER.index(one.tag.name)
        if axis in values or place < reached:
            problem = f"a second [{axis}]" if axis in values else f"[{axis}] after [{ORDER[reached]}]"
            reader.report(one.tag, problem, "each attribute once, in the order " + " ".join(ORDER))
        reached = max(reached, place)
        legal = values_of(family, axis)
        if (legal and one.text not in legal) or (not legal and not ID.fullmatch(one.text)):
            expected = f"one of {', '.join(legal)}{nearest(one.text, legal)}" if legal else "letters, digits and _"
            reader.report(one.tag, f"{axis} {shorten(one.text)}", expected)
        values.setdefault(axis, one.text)
    for axis in ALWAYS:
        if axis not in values:
            reader.report(None, f"no [{axis}]", f"[{axis}] among the attributes")
    return values


def _read_components(reader: Reader, tags: Sequence[Tag], family: Family | None) -> Iterator[tuple[Component, Tag]]:
    at = 0
    while at < len(tags):
        opening = tags[at]
        end = next((i for i in range(at + 1, len(tags)) if tags[i].name == "component"), len(tags))
        if opening.text != "[component]":
            reader.report(opening, shorten(opening.text), "[component]")
            at += 1
            continue
        closed = end < len(tags) and tags[end].closing
        if not closed:
            reader.report(tags[end] if end < len(tags) else None, "a component without its end", "[/component]")
        inner = list(_read_atoms(reader, tags[at + 1 : end], PARTS))
        yield _read_component(reader, opening, inner, family), opening
        at = end + closed


def _read_component(reader: Reader, opening: Tag, inner: Sequence[Atom], family: Family | None) -> Component:
    """One component from its atoms; which of them its kind must have is checked here, the rest on the scene."""
    name = next((one.text for one in inner if one.tag.name == "name"), "")
    kind = family.kinds.get(name) if family else None
    if not name:
        reader.report(opening, "a component without [name]", "[name] first")
    elif kind is None and family:
        reader.report(
            opening, f"a component {shorten(name)}", "one of " + ", ".join(family.kinds) + nearest(name, family.kinds)
        )
    slots: dict[str, str] = {}
    refs: list[str] = []
    fields: list[tuple[str, str]] = []
    metas: list[tuple[str, str]] = []
    said: list[tuple[str, str]] = []
    reached = 0
    for one in inner:
        place = PARTS.index(one.tag.name)
        if place < reached or (one.tag.name in slots and place < PARTS.index("bind")):
            reader.report(
                one.tag, f"{one.tag.text} after [{PARTS[reached]}]", "each part once, in the order " + " ".join(PARTS)
            )
        reached = max(reached, place)
        if one.tag.name == "bind":
            refs.append(_check_word(reader, one, ".".join(one.words), REF, "a path such as `nodes start`"))
        elif one.tag.name == "field":
            path = _check_word(
                reader, one, ".".join(one.words[1:]), REF, "a field and a path such as `label bars 0 label`"
            )
            fields.append(("".join(one.words[:1]), path))
        elif one.tag.name == "words":
            said.append((atom.WORDS, one.text))
        elif one.tag.name == "meta":
            metas.append((one.words[0] if one.words else "", " ".join(one.words[1:])))
            _check_meta(reader, one, kind, metas)
        else:
            slots[one.tag.name] = _check_word(reader, one, one.text, ID, "one word")
    if kind:
        _check_parts(reader, opening, kind, slots, metas)
    if said and (name != "text" or len(said) > 1 or refs):
        reader.report(opening, f"[words] in a {name or 'component'}", "once in a text, instead of [bind]")
    return Component(
        name,
        slots.get("id"),
        refs[0] if refs else None,
        slots.get("from"),
        slots.get("to"),
        (*metas, *said),
        tuple(refs[1:]),
        tuple(fields),
    )


def _check_word(reader: Reader, one: Atom, text: str, pattern: re.Pattern[str], expected: str) -> str:
    if not pattern.fullmatch(text) or (pattern is REF and any("." in word for word in one.words)):
        reader.report(one.tag, f"{one.tag.name} {shorten(one.text)}", expected)
    return text


def _is_open(kind: Kind) -> bool:
    """Whether the family checks the attributes on the scene: those of atoms, and fields with a closed list."""
    return bool(kind.slots) or kind.name in (*atom.ATOMS, "canvas")


def _check_meta(reader: Reader, one: Atom, kind: Kind | None, metas: Sequence[tuple[str, str]]) -> None:
    """A value of its list, where that is the kind's."""
    name, value = metas[-1]
    if not value:
        reader.report(one.tag, f"meta {shorten(one.text)}", "a name and a value")
    elif kind and not _is_open(kind) and value not in kind.attributes.get(name, ()):
        legal = kind.attributes.get(name) or tuple(kind.attributes)
        reader.report(one.tag, f"meta {shorten(one.text)}", f"one of {', '.join(legal) or 'no meta'} in a {kind.name}")


def _check_parts(
    reader: Reader, opening: Tag, kind: Kind, slots: dict[str, str], metas: Sequence[tuple[str, str]]
) -> None:
    """The parts that the kind must have, and none that it has not. References are counted by the family."""
    wanted = {"id": kind.id_tag, "from": kind.end_tags, "to": kind.end_tags}
    for name, has in wanted.items():
        if name in slots and not has:
            reader.report(opening, f"[{name}] in a {kind.name}", f"no [{name}]")
        if has and name not in slots and not (name == "id" and not kind.id_required):
            reader.report(opening, f"a {kind.name} without [{name}]", f"[{name}]")
    given = [name for name, _ in metas]
    if not _is_open(kind) and given != list(kind.attributes):
        reader.report(opening, f"metas {given} in a {kind.name}", f"{list(kind.attributes)}, each once")


_ATOM = Spelling(lambda name: f" [{name}] ", lambda name: f" [/{name}]")
_META = Spelling(lambda name: f" [meta] {name} ", lambda name: " [/meta]")
_STEP = r"[A-Za-z0-9_]+(?:-[A-Za-z0-9_]+)*"
_PATH = re.compile(rf"{_STEP}(?: {_STEP})* ")


def grammar(pen: Pen) -> None:
    pen.say(f" [{MARKER}]")
    wide = {axis: tuple(dict.fromkeys((*AXES.get(axis, ()), *values_of(None, axis)))) for axis in ORDER}
    legal = {axis: values for axis, values in wide.items() if values}
    legal["layout"] = tuple(
        sorted(pen.carried(families()), key=lambda name: name not in semantic.families())
    )  # any canvas goes with these

    def opening(kind: Kind) -> str:
        return f" [component] [name] {kind.name} [/name]"

    def parts_of(values: dict[str, str]) -> Parts:
        return Parts.of(pen, folder.load(values["layout"]), values)

    def coming(values: dict[str, str]) -> tuple[str, ...]:
        return tuple(parts_of(values).coming(pen, opening, f" [/{MARKER}]"))

    parts = parts_of(attributes(pen, ORDER, legal, ALWAYS, coming, _ATOM))
    while kind := parts.next(pen, opening, f" [/{MARKER}]"):
        _say_parts(pen, kind, parts)
        pen.say(" [/component]")


def _say_parts(pen: Pen, kind: Kind, parts: Parts) -> None:
    """What stands between a component's name and its end."""
    end = " [/component]"
    if kind.name in (*atom.ATOMS, "canvas"):
        _say_drawn(pen, kind, end)
        return
    bind, metas = (
        " [bind] ",
        [[f" [meta] {name} {value} [/meta]" for value in legal] for name, legal in kind.attributes.items()],
    )
    if kind.id_tag and (kind.id_required or pen.sees((bind, " [id] ")) == " [id] "):
        pen.say(" [id] ")
        parts.id(pen, kind, " ")
        pen.say(" [/id]")
    if kind.end_tags:
        pen.say(" [from] ")
        source = parts.source(pen, " ")
        pen.say(" [/from] [to] ")
        parts.target(pen, source, " ")
        pen.say(" [/to]")
    least, most = kind.refs if kind.ref_tag else (0, 0)
    group = getattr(parts.family, "group", 1) if kind.name == getattr(parts.family, "main", "") else 1
    count, follow = 0, metas[0] if metas else [end]
    while count < least or (count < most and (count % group or pen.sees((*follow, bind)) == bind)):
        pen.choose((*follow, bind) if count >= least and not count % group else (bind,))
        pen.word(("a ",), _PATH, "[", mend=(" ", "a "))
        pen.say("[/bind]")
        count += 1
    for options in metas:
        pen.choose(options)
    if kind.slots:
        _say_fields(pen, kind, end)


def _say_drawn(pen: Pen, kind: Kind, end: str) -> None:
    """A shape or the canvas: its words, then its attributes as metas."""
    if kind.name == "text" and pen.choose((" [words] ", " [bind] ")) == " [words] ":
        pen.word(("a ",), atoms.SAID, "[", mend=(" ", "a "))
        pen.say("[/words]")
    elif kind.name == "text":
        pen.word(("a ",), _PATH, "[", mend=(" ", "a "))
        pen.say("[/bind]")
    if kind.name == "canvas":
        legal = {name: values for name in atom.CANVAS if (values := atom.legal(name))}
        attributes(pen, atom.CANVAS, legal, atom.NEEDED, lambda _: (end,), _META, atoms.MEASURED)
    else:
        atoms.say_attributes(pen, kind.name, (end,), _META)


def _say_fields(pen: Pen, kind: Kind, end: str) -> None:
    """Fields with their paths in order, then those with a value of a closed list; required ones of either kind once."""
    names = [slot.name for slot in kind.slots]
    needed = [slot.name for slot in kind.slots if slot.required]
    said: list[str] = []
    closed = False
    while True:
        last = max(map(names.index, said), default=-1) if not closed else -1
        missing = [name for name in needed if name not in said]
        fields = (
            [] if closed else [f" [field] {name} " for name in names if name not in said and names.index(name) > last]
        )
        metas = [f" [meta] {slot.name} {v} [/meta]" for slot in kind.slots for v in slot.legal if slot.name not in said]
        first = [text for text in (*fields, *metas) if missing and text.split()[1] == missing[0]]
        ended = [] if missing or not said else [end]
        options = dict.fromkeys([*first, *ended, *fields, *metas])
        if pen.sees(tuple(options)) == end:
            return
        chosen = pen.choose(tuple(options))
        said.append(chosen.split()[1])
        closed = closed or chosen.startswith(" [meta]")
        if chosen.startswith(" [field]"):
            pen.word(("a ",), _PATH, "[", mend=(" ", "a "))
            pen.say("[/field]")


def vocabulary(families: Sequence[str] | None = None) -> Vocabulary:
    """Tags are closed, and so are the words of attributes and the names of components, which a token holds with the closing tag."""
    names = tuple(families or folder.names())
    chosen = [folder.load(name) for name in names]
    closed = {axis: names if axis == "layout" else values_of(None, axis) for axis in ORDER}
    closed["name"] = tuple(kind for family in chosen for kind in family.kinds)
    tags = [TASK, OUT, f"[{MARKER}]", f"[/{MARKER}]", "[component]", "[/component]"]
    tags += [f"[{slash}{name}]" for name in (*ORDER, *PARTS) for slash in ("", "/")]
    asked = _prompt_vocabulary(names)
    metas = dict.fromkeys(name for family in chosen for kind in family.kinds.values() for name in kind.attributes)
    if atoms.FAMILY in names:
        metas |= dict.fromkeys((*atom.CANVAS, *(name for own in atom.ATOMS.values() for name in own)))
    slots = [slot for family in chosen for kind in family.kinds.values() for slot in kind.slots]
    metas |= dict.fromkeys(slot.name for slot in slots if slot.legal)
    words = ["[component] [name]", *(f"[meta] {name}" for name in metas)]
    words += [f"[field] {name}" for name in dict.fromkeys(slot.name for slot in slots)]
    closed["meta"] = tuple(dict.fromkeys(value for slot in slots for value in slot.legal))
    words += [f"{word} [/{name}]" for name, values in closed.items() for word in values]
    return Vocabulary(tuple(dict.fromkeys((*tags, *asked.tags))), asked.prefixes, tuple(dict.fromkeys(words)))


def _prompt_vocabulary(names: Sequence[str]) -> Vocabulary:
    """What prompts are made of: those of block families, of infographics, of drawings."""
    blocks = [name for name in names if name in block.carried()]
    styles = [axis for axis in ORDER if axis in AXES]
    found = [block.style_vocabulary(blocks, styles, MARKER)] if blocks else []
    fielded = [name for name in names if name in payload.families()]
    found += [payload.vocabulary(tuple(fielded), styles)] if fielded else []
    others = [name for name in names if name in semantic.families()]
    found += [semantic.vocabulary(others)] if others else []
    found += [atoms.vocabulary()] if atoms.FAMILY in names else []
    own = ("[topic:", "[items:", "[edit:")
    tags = (tag for one in found for tag in one.tags if ":" in tag)
    return Vocabulary.of(tags, (prefix for one in found for prefix in one.prefixes if prefix in own))
