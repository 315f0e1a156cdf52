"""The bundle surface: a picture as family, form, style and counts; the components follow by lowering.

    [bundle] [family:F] [form:F] [theme:T] [tone:T] [density:D] [background:B] COUNTS [/bundle]

One of each, in this order; COUNTS are the fields of the form in its family's order. Counts that the form cannot draw
are violations, so a scene that comes out of `parse` can be drawn as it says. A bundle has no topic and no references:
content is bound by position (`stages.stage_1`, ...).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

from experiments import families as folder
from experiments.family import Family, Form
from experiments.pen import Pen
from experiments.scene import Scene
from experiments.style import AXES, STYLE, Style
from experiments.tag import OUT, TASK, Reader, SurfaceError, Tag, Vocabulary, check_value, frame, read, stated
from experiments.violation import Violation, shorten

MARKER = "bundle"
HEAD = ("family", "form", *STYLE)
_COUNT = re.compile(r"0|[1-9][0-9]{0,3}")


def families() -> tuple[str, ...]:
    """Families with forms."""
    return tuple(name for name in folder.names() if folder.load(name).forms)


def _tail(scene: Scene) -> list[str]:
    return [
        *(f"[{axis}:{getattr(scene.style, axis)}]" for axis in STYLE),
        *(f"[{name}:{count}]" for name, count in scene.counts),
    ]


def prompt(scene: Scene) -> str:
    return " ".join([TASK, f"[layout:{scene.family}]", f"[form:{scene.form}]", *_tail(scene), OUT])


def once(text: str) -> Iterator[re.Match[str]]:
    """All that a bundle says: its head and the counts of every form."""
    return stated(text, (*HEAD, *_fields()))


@cache
def _fields() -> tuple[str, ...]:
    """The counts of every family's forms."""
    return tuple(dict.fromkeys(name for family in families() for name in _count_fields(folder.load(family))))


def format(scene: Scene) -> str:
    _refuse_foreign(scene)
    return " ".join([f"[{MARKER}]", f"[family:{scene.family}]", f"[form:{scene.form}]", *_tail(scene), f"[/{MARKER}]"])


def _refuse_foreign(scene: Scene) -> None:
    """A scene that is not exactly what a bundle stands for would not come back from its text."""
    found: list[Violation] = []
    form = folder.load(scene.family).forms.get(scene.form) if scene.family in families() else None
    if form is None:
        found.append(
            Violation("scene", f"{scene.family}/{scene.form}", "a family with that form: " + ", ".join(families()))
        )
    elif scene.counts not in form.legal() or scene != folder.load(scene.family).lower(
        scene.form, scene.counts, scene.style
    ):
        found.append(
            Violation("scene.counts", shorten(dict(scene.counts)), "a scene made by lower() with legal counts")
        )
    found += [
        Violation(f"scene.style.{axis}", shorten(getattr(scene.style, axis)), "one of " + ", ".join(AXES[axis]))
        for axis in STYLE
        if getattr(scene.style, axis) not in AXES[axis]
    ]
    if scene.style != Style(*(getattr(scene.style, axis) for axis in STYLE)):
        found.append(Violation("scene.style", shorten(scene.style), "no attribute besides " + ", ".join(STYLE)))
    if found:
        raise SurfaceError(found)


def parse(text: str) -> Scene:
    reader = read(text)
    tags = frame(reader, MARKER)
    first: dict[str, Tag] = {}
    for tag in tags:
        first.setdefault(tag.name, tag)
    family = _read_family(reader, first.get("family"))
    form = _read_form(reader, first.get("form"), family)
    fields = tuple(form.ranges) if form else _fields()
    _check_sequence(reader, tags, (*HEAD, *fields), fields if form else ())
    style = {axis: check_value(reader, first[axis], AXES[axis]) for axis in STYLE if axis in first}
    counts = {name: _read_count(reader, first[name]) for name in fields if name in first}
    _check_counts(reader, form, counts, first)
    reader.fail_if_any()
    assert family and form
    ordered = tuple((name, counts[name] or 0) for name in fields)
    return family.lower(form.name, ordered, Style(**{axis: value for axis, value in style.items() if value}))


def _count_fields(family: Family) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for form in family.forms.values() for name in form.ranges))


def _read_family(reader: Reader, tag: Tag | None) -> Family | None:
    value = check_value(reader, tag, families()) if tag else None
    return folder.load(value) if value else None


def _read_form(reader: Reader, tag: Tag | None, family: Family | None) -> Form | None:
    if tag is None or family is None:
        return None
    form = family.forms.get(tag.value or "")
    if form:
        return form
    reader.report(tag, shorten(tag.text), f"a form of {family.name}: {', '.join(family.forms)}")
    return None


def _check_sequence(reader: Reader, tags: Sequence[Tag], order: Sequence[str], counts: Sequence[str]) -> None:
    """Each expected tag once and in order, nothing else."""
    seen: set[str] = set()
    reached = -1
    for tag in tags:
        if tag.name not in order or tag.closing:
            reader.report(tag, shorten(tag.text), "only " + " ".join(f"[{name}:]" for name in order))
        elif tag.name in seen:
            reader.report(tag, f"a second [{tag.name}:]", "one of each")
        else:
            seen.add(tag.name)
            if order.index(tag.name) < reached:
                reader.report(tag, f"{tag.text} after [{order[reached]}:]", "the order " + " ".join(order))
            reached = max(reached, order.index(tag.name))
    for name in (*HEAD, *counts):
        if name not in seen:
            reader.report(None, f"no [{name}:]", f"[{name}:] in the bundle")


def _read_count(reader: Reader, tag: Tag) -> int | None:
    if tag.value and _COUNT.fullmatch(tag.value):
        return int(tag.value)
    reader.report(tag, shorten(tag.text), f"[{tag.name}:N] with a whole number N >= 0 and no leading zero")
    return None


def _check_counts(reader: Reader, form: Form | None, counts: dict[str, int | None], first: dict[str, Tag]) -> None:
    known = {name: count for name, count in counts.items() if count is not None}
    for name, got, expected in form.faults(known) if form else ():
        if name in known:
            reader.report(first[name], f"{name} {got}", expected)


def grammar(pen: Pen) -> None:
    """Exactly the bundles that can be drawn: every count may still be part of legal ones."""
    pen.say(f" [{MARKER}]")
    name = pen.choose([f" [family:{name}]" for name in pen.carried(families())])[9:-1]
    forms = folder.load(name).forms
    form = forms[pen.choose([f" [form:{name}]" for name in forms])[7:-1]]
    for axis in STYLE:
        pen.choose([f" [{axis}:{value}]" for value in AXES[axis]])
    left = form.legal()
    for place, field in enumerate(form.ranges):
        count = pen.choose([f" [{field}:{n}]" for n in sorted({counts[place][1] for counts in left})])
        left = tuple(counts for counts in left if f" [{field}:{counts[place][1]}]" == count)
    pen.say(f" [/{MARKER}]")


def vocabulary(families: Sequence[str] | None = None) -> Vocabulary:
    """Every tag of a bundle and of its prompt belongs to a closed list; nothing is open."""
    names = tuple(families or globals()["families"]())
    tags = [TASK, OUT, f"[{MARKER}]", f"[/{MARKER}]"]
    for family in map(folder.load, names):
        tags += [f"[layout:{family.name}]", f"[family:{family.name}]", *(f"[form:{form}]" for form in family.forms)]
        for form in family.forms.values():
            tags += [f"[{name}:{n}]" for name, (low, high) in form.ranges.items() for n in range(low, high + 1)]
    return Vocabulary.of([*tags, *(f"[{axis}:{value}]" for axis in STYLE for value in AXES[axis])])
