"""The raw SVG surface: a small drawing as the SVG document itself, on one line.

    <svg xmlns="http://www.w3.org/2000/svg" width="128" height="128" viewBox="0 0 128 128"><circle cx="64" .. fill="#ef4444"/> .. </svg>

Reading is a small parser of its own: elements must nest and close, shapes stand in the document and in no other shape, attributes must be
quoted and stand once, entities must be known, and only the shapes of `atom.py` may appear; every violation comes with the number of its
tag and its character. No XML library is asked, because one stops at the first defect. Attributes are read in any order, as SVG has it, and
written in that of `atom.py`; exact compares texts, so that another order is renderable and not exact. Colours are `#rrggbb`: `spell()`
writes the names of an atoms scene out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

from experiments import atom, order
from experiments import families as folder
from experiments.pen import Pen
from experiments.scene import Component, Scene
from experiments.surfaces import atoms
from experiments.tag import MAX_TEXT, WORD, Reader, SurfaceError, Tag, Vocabulary, stated
from experiments.violation import Violation, nearest, shorten
from experiments.wording import Spelling, attributes

MARKER = "svg"
MARKERS, BARE = ("<svg", "</svg>"), WORD
NAMESPACE = "http://www.w3.org/2000/svg"
NAMES = {
    "sw": "stroke-width",
    "font": "font-size",
    "anchor": "text-anchor",
    "tx": "x",
    "ty": "y",
}  # atom's name -> SVG's
ENTITIES = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'"}
ROOT = ("xmlns", "width", "height", "viewBox")

_TAG = re.compile(r"""<(/?)([A-Za-z][\w:.-]*)((?:[^<>"']|"[^"]*"|'[^']*')*?)(/?)>""")
_ATTRIBUTE = re.compile(r"""\s+([A-Za-z_][\w:.-]*)\s*=\s*("[^"<]*"|'[^'<]*')""")
_ENTITY = re.compile(r"&[^;&\s]*;?")


def families() -> tuple[str, ...]:
    return atoms.families()


def prompt(scene: Scene) -> str:
    """The tag prompt of the order whose drawing this spells out."""
    names = {number: name for name, number in atom.COLOURS.items() if name in order.COLOURS}
    renamed = [
        replace(part, attributes=tuple((n, names.get(v, v)) for n, v in part.attributes)) for part in scene.components
    ]
    heads = product(atom.LAYOUTS, atom.BACKGROUNDS, [(None, None), *product(order.FRAMES, order.DENSITIES)])
    for layout, bg, (frame, density) in heads:
        for asked in order.readings(replace(scene, components=tuple(renamed)), layout, bg, frame, density):
            if spell(order.lower(asked)) == scene:
                return asked.prompt()
    raise SurfaceError([Violation("scene", "a drawing that no order asks for", "one that spell(order.lower()) makes")])


def once(text: str) -> Iterator[re.Match[str]]:
    """The attributes of the document's own tag."""
    return stated(text[: text.find(">") + 1] or text, ROOT, _ATTRIBUTE)


# ---- writing


def spell(scene: Scene) -> Scene:
    """An atoms scene as raw SVG can say it: colours as numbers, the background as a shape, the header gone."""
    head = atom.canvas(scene)
    parts = [Component("canvas", attributes=(("w", head["w"]), ("h", head["h"])))]
    if head.get("bg", "none") != "none":
        place = (("x", "0"), ("y", "0"), ("width", head["w"]), ("height", head["h"]))
        parts.append(Component("rect", attributes=(*place, ("fill", atom.COLOURS[head["bg"]]))))
    for part in scene.components:
        if part.kind != "canvas":
            values = ((n, atom.COLOURS.get(v, v) if n in ("fill", "stroke") else v) for n, v in part.attributes)
            parts.append(Component(part.kind, ref=part.ref, attributes=tuple(values)))
    return Scene(scene.family, components=tuple(parts), words=scene.words)


def format(scene: Scene) -> str:
    atoms.refuse_foreign(scene, "raw SVG")
    head, words = atom.canvas(scene), dict(scene.words)
    if (
        scene.topic
        or set(head) != {"w", "h"}
        or any(ref not in words for part in scene.components for ref in part.refs)
        or _named(scene)
    ):
        expected = "a scene made by spell(): no header, no slots, colours as #rrggbb"
        raise SurfaceError([Violation("scene", "what raw SVG has no attribute for", expected)])
    root = {"xmlns": NAMESPACE, "width": head["w"], "height": head["h"], "viewBox": f"0 0 {head['w']} {head['h']}"}
    body = [_write(part, words) for part in scene.components if part.kind != "canvas"]
    return f"<svg{_attributes(root)}>{''.join(body)}</svg>"


def _named(scene: Scene) -> bool:
    colours = (v for part in scene.components for n, v in part.attributes if n in ("fill", "stroke"))
    return any(value != "none" and not atom.HEX.fullmatch(value) for value in colours)


def _write(part: Component, words: Mapping[str, str]) -> str:
    values = {NAMES.get(n, n): v.replace("|", " ") if n == "points" else v for n, v in part.attributes}
    said = words.get(part.ref or "")
    return f"<{part.kind}{_attributes(values)}" + ("/>" if said is None else f">{_escape(said)}</{part.kind}>")


def _attributes(values: dict[str, str]) -> str:
    return "".join(f' {name}="{_escape(value)}"' for name, value in values.items())


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


# ---- reading


@dataclass(slots=True)
class Element:
    """One element: its tag, its attributes, the words in it."""

    tag: Tag
    values: dict[str, str] = field(default_factory=dict)
    words: str = ""


def parse(text: str) -> Scene:
    reader = Reader([], length=len(text))
    if len(text) > MAX_TEXT:
        reader.violations.append(Violation("text", f"{len(text)} characters", f"at most {MAX_TEXT}"))
        reader.fail_if_any()
    elements = list(_read_elements(reader, text))
    parts: list[Component] = []
    places: list[Tag] = []
    for element in elements:
        part = _component(reader, element, len(parts))
        if part is not None:
            parts.append(part)
            places.append(element.tag)
    components, words = atom.carry(parts)
    scene = Scene(atoms.FAMILY, components=components, words=words)
    if len(parts) == len(elements):  # without those that could not be read, the others would be called wrong too
        for fault in folder.load(atoms.FAMILY).inspect(scene):
            reader.report(None if fault.component is None else places[fault.component], fault.got, fault.expected)
    reader.fail_if_any()
    return scene


def _read_elements(reader: Reader, text: str) -> Iterator[Element]:
    """Elements in document order. What is open, what closes and what stands between them is checked on the way."""
    at, number, closed = 0, 0, False
    open_: list[Element] = []
    while at < len(text):
        found = _TAG.match(text, at)
        if found is None:
            end = text.find("<", at + 1)
            end = len(text) if end < 0 else end
            _read_words(reader, Tag(max(number, 1), at, text[at:end], ""), open_)
            at = end
            continue
        number += 1
        slash, name, inner, empty = found.groups()
        tag = Tag(number, at, found[0], name, closing=bool(slash))
        at = found.end()
        if slash:
            _close(reader, tag, inner + empty, open_)
            continue
        if not open_ and (closed or name != MARKER):
            reader.report(tag, shorten(tag.text), "nothing after </svg>" if closed else "<svg> first")
        elif len(open_) > 1:
            around = open_[-1].tag.name
            got = f"{shorten(tag.text)} inside <{around}>"
            reader.report(tag, got, f"</{around}> before it: every shape stands directly in <{MARKER}>")
        element = Element(tag, _read_attributes(reader, tag, inner))
        if not empty:
            open_.append(element)
        closed = True
        if empty or name != "text":
            yield element
        else:
            yield from _read_text(reader, text, element)
    for element in open_:
        reader.report(None, f"<{element.tag.name}> of {element.tag.place} still open", f"</{element.tag.name}>")
    if not closed:
        reader.report(None, "no element", f"<{MARKER}> first")


def _read_text(reader: Reader, text: str, element: Element) -> Iterator[Element]:
    """A `<text>` with the words up to the next tag."""
    start = element.tag.offset + len(element.tag.text)
    element.words = " ".join(_unescape(reader, element.tag, text[start : text.find("<", start)]).split())
    yield element


def _read_words(reader: Reader, tag: Tag, open_: Sequence[Element]) -> None:
    if tag.text.startswith("<"):
        reader.report(tag, shorten(tag.text), 'a tag such as <rect x="4"/>, its attributes quoted')
    elif tag.text.strip() and (not open_ or open_[-1].tag.name != "text"):
        reader.report(tag, shorten(tag.text.strip()), "words only inside <text>")


def _close(reader: Reader, tag: Tag, rest: str, open_: list[Element]) -> None:
    if rest.strip():
        reader.report(tag, shorten(tag.text), f"</{tag.name}>")
    names = [element.tag.name for element in open_]
    if tag.name not in names:
        reader.report(tag, shorten(tag.text), f"</{names[-1]}>" if names else "nothing to close")
        return
    while open_[-1].tag.name != tag.name:
        reader.report(tag, shorten(tag.text), f"</{open_.pop().tag.name}> before it")
    open_.pop()


def _read_attributes(reader: Reader, tag: Tag, inner: str) -> dict[str, str]:
    values: dict[str, str] = {}
    end = 0
    while end < len(inner.rstrip()):
        found = _ATTRIBUTE.match(inner, end)
        if found is None:
            reader.report(tag, shorten(inner[end:].strip()), 'attributes such as x="4", a space before each')
            break
        end = found.end()
        if found[1] in values:
            reader.report(tag, f"a second {found[1]}", "each attribute once")
        values.setdefault(found[1], " ".join(_unescape(reader, tag, found[2][1:-1]).split()))
    return values


def _unescape(reader: Reader, tag: Tag, text: str) -> str:
    def put(found: re.Match[str]) -> str:
        if found[0] not in ENTITIES:
            reader.report(tag, shorten(found[0]), "one of " + " ".join(ENTITIES))
        return ENTITIES.get(found[0], "")

    return _ENTITY.sub(put, text)


def _component(reader: Reader, element: Element, index: int) -> Component | None:
    """The canvas of the root, the atom of a shape; None and a violation for anything else."""
    tag, values = element.tag, element.values
    if tag.name == MARKER and index == 0:
        expected = {"xmlns": NAMESPACE, "viewBox": f"0 0 {values.get('width')} {values.get('height')}"}
        for name, value in expected.items():
            if values.get(name) != value:
                reader.report(tag, f"{name} {shorten(values.get(name))}", f'{name}="{value}"')
        _refuse_names(reader, tag, values, ROOT)
        return Component("canvas", attributes=(("w", values.get("width", "")), ("h", values.get("height", ""))))
    if tag.name not in atom.ATOMS:
        known = ", ".join(f"<{name}>" for name in atom.ATOMS)
        reader.report(tag, shorten(tag.text), f"one of {known}{nearest(tag.name, atom.ATOMS)}")
        return None
    names = {NAMES.get(name, name): name for name in atom.ATOMS[tag.name]}
    _refuse_names(reader, tag, values, tuple(names))
    own = {names[n]: "|".join(v.split()) if n == "points" else v for n, v in values.items() if n in names}
    for name in ("fill", "stroke"):
        if own.get(name, "none") != "none" and not atom.HEX.fullmatch(own[name]):
            reader.report(tag, f"{name} {shorten(own[name])}", "a colour such as #3b82f6, or none")
    words = ((atom.WORDS, element.words),) if tag.name == "text" else ()
    return Component(tag.name, attributes=(*((n, own[n]) for n in atom.ATOMS[tag.name] if n in own), *words))


def _refuse_names(reader: Reader, tag: Tag, values: dict[str, str], legal: Sequence[str]) -> None:
    for name in values:
        if name not in legal:
            reader.report(tag, f"{name} on <{tag.name}>", f"only {', '.join(legal)}{nearest(name, legal)}")


_MARKUP = Spelling(lambda name: f' {NAMES.get(name, name)}="', lambda name: '"')
_SAID = re.compile(r"(?:[^<>&\"]|&(?:amp|lt|gt|quot|apos);)+")
_ENTITY_ENDS = ("a", ";", "t;", "p;", "mp;", "amp;", "ot;", "uot;", "os;")


def grammar(pen: Pen) -> None:
    """The canonical spelling of a document; a shape that leaves the canvas is not closed."""
    pen.say(f' <svg xmlns="{NAMESPACE}" width="')
    width = atoms.say_number(pen, "w", '"')
    pen.say('" height="')
    height = atoms.say_number(pen, "h", '"')
    pen.say(f'" viewBox="0 0 {width} {height}">')
    shapes, end = [f"<{kind} " for kind in ("circle", *(k for k in atom.ATOMS if k != "circle"))], "</svg>"
    first = True
    while (chosen := pen.choose(shapes if first else (end, *shapes))) != end:
        _say_shape(pen, chosen[1:-1])
        first = False


def _say_shape(pen: Pen, kind: str) -> None:
    order, end = atom.ATOMS[kind], ">" if kind == "text" else "/>"
    needed = [n for n in order if n not in atom.OPTIONAL or (n == "fill" and kind == "text")]
    legal = {name: values for name in order if (values := atom.legal(name))} | {"fill": ("",), "stroke": ("",)}
    # the first attribute's space was said with the name
    opened = Spelling(lambda name: _MARKUP.opening(name)[name == order[0] :], _MARKUP.closing)
    attributes(
        pen, order, legal, needed, lambda _: (end,), opened, {**_MEASURED, "fill": _say_colour, "stroke": _say_colour}
    )
    pen.say(end)
    if kind == "text":
        pen.word(("a",), _SAID, "<", mend=_ENTITY_ENDS)
        pen.say("</text>")


def _say_colour(pen: Pen, stop: str) -> str:
    return pen.word(("none", "#000000"), _COLOUR, stop, mend=["0" * n for n in range(1, 7)])


def _say_points(pen: Pen, stop: str) -> str:
    return pen.word(("1,1 2,2",), _POINTS, stop, mend=[m.replace("|", " ") for m in atoms.CORNERS])


_COLOUR = re.compile(rf"none|{atom.HEX.pattern}")
_POINTS = re.compile(atom.POINTS.pattern.replace(r"\|", " "))
_MEASURED = {**atoms.MEASURED, "points": _say_points}


def vocabulary(families: Sequence[str] | None = None) -> Vocabulary:
    """Only the prompt has tags to reserve: the document is payload, for a tokenizer to learn."""
    base = atoms.vocabulary(families)
    asked = {f"[{name}:" for name in (*order.TAGS, "task")}
    return Vocabulary.of([t for t in base.tags if t == "[OUT]" or t.split(":")[0] + ":" in asked], ["[edit:"])
