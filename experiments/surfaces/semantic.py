"""The semantic surface: a small infographic by what it says, not where; the compiler lowers it to atoms.

    [scene] [canvas:wide] [source:ASSET] [theme:mint] [layout:bullet-panel] [topic:T] [accent:blue] [frame:card] [density:airy]
    [hero:title|subtitle] [rail:accent] [bullet_list:a|b|c] [callout:x] [/scene]

The theme is the background that was asked for. Every attribute stands once and in this order; components follow in the order of
their ranks, each with the slots of its words. `[rail:]` and `[marker:focus]` are looks that this surface writes among the
components. A scene names an asset only where it is not the layout's own. The large twin of these pictures is `rich.py`'s.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace

from experiments import atom
from experiments import families as folder
from experiments.family import Kind
from experiments.infographic import (
    ACCENTS,
    BACKGROUNDS,
    FRAMES,
    ROOM,
    Asked,
    Infographic,
    asked_of,
    count_of,
    derive,
    order,
)
from experiments.pen import Pen
from experiments.scene import Component, Scene
from experiments.style import Style
from experiments.surfaces import compact
from experiments.tag import (
    ID,
    OUT,
    TASK,
    Reader,
    SurfaceError,
    Tag,
    Vocabulary,
    check_payload,
    check_value,
    frame,
    read,
    split,
    stated,
)
from experiments.violation import Violation, shorten
from experiments.wording import Parts, attributes

MARKER = "scene"
CANVAS = "small"  # what these pictures are in the scene model; their texts say `wide`
ORDER = ("canvas", "source", "theme", "layout", "topic", "accent", "frame", "density")
LOOKS = {"rail": ("accent", "muted"), "marker": ("focus",)}  # written among the components
LEGAL: dict[str, tuple[str, ...]] = {
    "canvas": ("wide",),
    "theme": tuple(BACKGROUNDS),
    "layout": atom.INFOGRAPHICS,
    "accent": ACCENTS,
    "frame": tuple(FRAMES),
    "density": tuple(ROOM),
}


def families() -> tuple[str, ...]:
    return tuple(name for name in folder.names() if isinstance(folder.load(name), Infographic))


def load(name: str) -> Infographic:
    """The infographic family of that name."""
    family = folder.load(name)
    assert isinstance(family, Infographic)
    return family


def components(names: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """The tags of all components, by this surface's own names of kinds."""
    kinds = (kind for family in families() for kind in load(family).kinds if kind != "source")
    return tuple((names or {}).get(kind, kind) for kind in kinds)


def layout_of(family: str) -> str:
    return family.replace("_", "-")


def asset_of(family: str) -> str:
    """The asset that a layout is drawn after unless a scene names another."""
    return f"{layout_of(family)}-infographic"


def prompt(scene: Scene) -> str:
    """What was asked for; a style that no prompt gives has none."""
    asked = asked_of(load(scene.family), scene)
    if asked is None:
        raise SurfaceError([Violation("scene.style", "a style that no order asks for", "one of infographic.derive()")])
    refs = [ref for part in scene.of(load(scene.family).main) for ref in part.refs]
    return order(layout_of(scene.family), scene.topic, refs, asdict(asked))


def once(text: str) -> Iterator[re.Match[str]]:
    """Attributes, looks and components: every tag of such a scene."""
    return stated(text, (*ORDER, *LOOKS, *components()))


# ---- writing


def refuse_foreign(scene: Scene, surface: str) -> Infographic:
    """The scene's family, or SurfaceError where this surface cannot write the scene whole."""
    if scene.family not in families() or scene.form or scene.counts:
        expected = f"an infographic without counts: {', '.join(families())}"
        raise SurfaceError(
            [Violation("scene", f"a {scene.family or 'scene'}", f"{expected}, which is what {surface} writes")]
        )
    if not ID.fullmatch(scene.topic):
        raise SurfaceError([Violation("scene.topic", shorten(scene.topic), "letters, digits and _")])
    return load(scene.family)


def format(scene: Scene) -> str:
    family = refuse_foreign(scene, "the semantic surface")
    asked = asked_of(family, scene)
    rail, focus = scene.style.rail, scene.style.emphasis == "center"
    if asked is None or scene.style.canvas != CANVAS or _style(family, asked, scene, rail, focus) != scene.style:
        expected = f"infographic.derive() on the canvas `{CANVAS}`"
        raise SurfaceError([Violation("scene.style", "what its four attributes cannot say", expected)])
    source = next((part.id for part in scene.of("source")), None) or asset_of(scene.family)
    values = {
        "canvas": "wide",
        "source": source,
        "theme": asked.bg,
        "layout": layout_of(scene.family),
        "topic": scene.topic,
    }
    values |= {"accent": asked.accent, "frame": asked.frame, "density": asked.density}
    tags = [f"[{MARKER}]", *(f"[{name}:{value}]" for name, value in values.items())]
    for part in scene.components:
        if part.kind != "source":
            tags.append(compact.write_component(family.kinds[part.kind], part))
            tags += [f"[rail:{rail}]"] if part.kind == "hero" and rail != "none" else []
            tags += ["[marker:focus]"] if part.kind == family.main and focus else []
    return " ".join([*tags, f"[/{MARKER}]"])


def _style(family: Infographic, asked: Asked, scene: Scene, rail: str | None, focus: bool) -> Style:
    usual = derive(family, asked, count_of(family, scene), CANVAS)
    plain = usual.emphasis if usual.emphasis != "center" else "top"
    return replace(usual, rail=rail or "none", emphasis="center" if focus else plain)


# ---- reading


def parse(text: str) -> Scene:
    reader = read(text)
    head, body = split(reader, frame(reader, MARKER), ORDER, (*LOOKS, *components()))
    values = read_header(reader, head, ORDER, LEGAL, [name for name in ORDER if name != "source"])
    name = values.get("layout", "").replace("-", "_")
    if name not in families():
        reader.fail_if_any()
        raise SurfaceError([Violation("end of text", f"layout {values.get('layout')!r}", ", ".join(LEGAL["layout"]))])
    family = load(name)
    parts, looks = read_body(reader, body, family, LOOKS)
    if values.get("source", asset_of(name)) != asset_of(name):
        parts.insert(0, (Component("source", id=values["source"]), head[0]))
    scene = Scene(name, Style(), values.get("topic", ""), components=tuple(part for part, _ in parts))
    report_faults(reader, family, scene, [tag for _, tag in parts])
    asked = Asked(values["accent"], values["theme"], values["frame"], values["density"])
    return replace(scene, style=_style(family, asked, scene, looks.get("rail"), "marker" in looks))


def read_header(
    reader: Reader, tags: Sequence[Tag], order: Sequence[str], legal: Mapping[str, Sequence[str]], needed: Sequence[str]
) -> dict[str, str]:
    """Attributes by name: each once, in order, of its list (or an id where it has none), none of the needed ones left out."""
    values: dict[str, str] = {}
    seen: set[str] = set()
    reached = -1
    for tag in tags:
        place = order.index(tag.name)
        if tag.name in seen or place < reached:
            problem = f"a second [{tag.name}:]" if tag.name in seen else f"{tag.text} after [{order[reached]}:]"
            reader.report(tag, problem, "each attribute once, in the order " + " ".join(order))
        seen.add(tag.name)
        reached = max(reached, place)
        known = legal.get(tag.name)
        value = check_value(reader, tag, known) if known else check_payload(reader, tag, tag.value, ID, f"a {tag.name}")
        if value is not None:
            values.setdefault(tag.name, value)
    for name in needed:
        if name not in seen:
            reader.report(None, f"no [{name}:]", f"[{name}:] among the attributes")
    return values


def read_body(
    reader: Reader,
    tags: Sequence[Tag],
    family: Infographic,
    looks: Mapping[str, Sequence[str]],
    names: Mapping[str, str] | None = None,
) -> tuple[list[tuple[Component, Tag]], dict[str, str]]:
    """Components with their tags, and the looks among them. `names` are this surface's own names of kinds."""
    kinds = {(names or {}).get(name, name): kind for name, kind in family.kinds.items() if name != "source"}
    after = {"rail": "hero", "marker": family.main}
    parts: list[tuple[Component, Tag]] = []
    found: dict[str, str] = {}
    for tag in tags:
        kind: Kind | None = kinds.get(tag.name)
        if tag.name in looks and not tag.closing:
            last = parts[-1][0].kind if parts else ""
            if tag.name in found or last != after[tag.name]:
                reader.report(
                    tag,
                    f"{tag.text} " + ("a second time" if tag.name in found else f"after {last or 'no component'}"),
                    f"once, right after [{after[tag.name]}:]",
                )
            found[tag.name] = check_value(reader, tag, looks[tag.name]) or ""
        elif kind is None or tag.closing or tag.value is None:
            reader.report(
                tag, shorten(tag.text), "a component: " + ", ".join(f"[{name}:...]" for name in (*kinds, *looks))
            )
        else:
            part = compact.read_component(reader, kind, tag)
            parts += [(part, tag)] if part else []
    return parts, found


def report_faults(reader: Reader, family: Infographic, scene: Scene, tags: Sequence[Tag]) -> None:
    """Every structural defect at its tag, then the end where there is any."""
    for fault in family.inspect(scene):
        reader.report(None if fault.component is None else tags[fault.component], fault.got, fault.expected)
    reader.fail_if_any()


def grammar(pen: Pen) -> None:
    say(pen, ORDER, LEGAL, [name for name in ORDER if name != "source"], LOOKS, {})


def say(
    pen: Pen, order: Sequence[str], legal: Mapping[str, Sequence[str]], needed: Sequence[str], looks: Mapping[str, Sequence[str]],
    names: Mapping[str, str],
) -> None:  # fmt: skip
    """The grammar of an infographic: attributes, then components with the looks behind them. `names`: a surface's own names of kinds."""
    pen.say(f" [{MARKER}]")
    legal = {**legal, "layout": tuple(map(layout_of, pen.carried(families())))}
    values = attributes(pen, order, legal, needed, lambda _: ())
    family = load(values["layout"].replace("-", "_"))
    parts = Parts.of(pen, family, values, omit=("source",))
    opening, end = (lambda kind: f" [{names.get(kind.name, kind.name)}:"), f" [/{MARKER}]"
    last, after = "", {"hero": "rail", family.main: "marker"}
    while True:
        look = after.get(last, "")
        tags = tuple(f" [{look}:{value}]" for value in looks.get(look, ()))
        may = (*parts.coming(pen, opening, end), *tags)
        last = ""
        if pen.sees(may) in tags:
            pen.choose(may)
        kind = parts.next(pen, opening, end)
        if kind is None:
            return
        last = kind.name
        compact.say_component(pen, kind, parts, family.group if kind.name == family.main else 1)


def vocabulary(families: Sequence[str] | None = None) -> Vocabulary:
    """Attributes and looks are closed lists; components, topics and assets are open."""
    names = tuple(families or globals()["families"]())
    legal = {**LEGAL, **LOOKS, "layout": tuple(map(layout_of, names)), "bg": tuple(BACKGROUNDS)}
    tags = [
        TASK,
        OUT,
        f"[{MARKER}]",
        f"[/{MARKER}]",
        *(f"[{name}:{value}]" for name, values in legal.items() for value in values),
    ]
    kinds = [kind for name in names for kind in load(name).kinds]
    return Vocabulary.of(tags, ["[topic:", "[items:", "[edit:", *(f"[{kind}:" for kind in kinds)])
