"""The rich surface: an infographic at full size, with its art direction written out.

    [scene] [canvas:wide] [layout:bullet-panel] [theme:signal_glow] [tone:blue] [frame:card] [density:airy] [inset:lg] [gap:lg]
    [hero_align:left] [columns:1] [emphasis:left] [rail:accent] [background:mesh] [connector:line] [topic:T]
    [hero:title|subtitle] [bullet_list:a|b|c] [callout:x] [/scene]

Attributes in this order, each once; those that the density gives may be left out. Any theme goes with any tone here; the prompts,
the same as the semantic surface's, ask for those that `infographic.derive` makes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from experiments import atom
from experiments.infographic import LEGAL_TONES
from experiments.pen import Pen
from experiments.scene import Scene
from experiments.style import AXES, Style
from experiments.surfaces import compact, semantic
from experiments.tag import OUT, TASK, SurfaceError, Vocabulary, frame, read, split, stated
from experiments.violation import Violation, shorten

MARKER = "scene"
ART = ("inset", "gap", "hero_align", "columns", "emphasis", "rail", "background", "connector")
ORDER = ("canvas", "layout", "theme", "tone", "frame", "density", *ART, "topic")
NEEDED = ("layout", "theme", "tone", "density", "topic")
NAMES = {"compare_pair": "compare_block", "steps": "step_flow"}  # kinds that have another name here
AXIS = {"hero_align": "hero"}
LEGAL: dict[str, tuple[str, ...]] = {
    **{name: AXES[AXIS.get(name, name)] for name in ORDER if AXIS.get(name, name) in AXES},
    "layout": atom.INFOGRAPHICS,
    "tone": LEGAL_TONES,
    "frame": ("plain", *(name for name in AXES["frame"] if name != "none")),
}


def families() -> tuple[str, ...]:
    return semantic.families()


def prompt(scene: Scene) -> str:
    return semantic.prompt(scene)


def once(text: str) -> Iterator[re.Match[str]]:
    """Attributes and components: every tag of such a scene."""
    return stated(text, (*ORDER, *semantic.components(NAMES)))


def format(scene: Scene) -> str:
    family = semantic.refuse_foreign(scene, "the rich surface")
    values = {name: getattr(scene.style, AXIS.get(name, name), None) for name in ORDER}
    values |= {"layout": semantic.layout_of(scene.family), "topic": scene.topic}
    values["frame"] = "plain" if scene.style.frame == "none" else scene.style.frame
    strange = [
        name for name, value in values.items() if value is not None and name in LEGAL and value not in LEGAL[name]
    ]
    if strange or scene.of("source"):
        got = f"{strange[0]} {shorten(values[strange[0]])}" if strange else "an asset"
        expected = f"one of {', '.join(LEGAL[strange[0]])}" if strange else "none: this surface has no tag for it"
        raise SurfaceError([Violation("scene", got, expected)])
    tags = [f"[{MARKER}]", *(f"[{name}:{value}]" for name, value in values.items() if value is not None)]
    for part in scene.components:
        written = compact.write_component(family.kinds[part.kind], part)
        tags.append(written.replace(f"[{part.kind}:", f"[{NAMES.get(part.kind, part.kind)}:", 1))
    return " ".join([*tags, f"[/{MARKER}]"])


def parse(text: str) -> Scene:
    reader = read(text)
    head, body = split(reader, frame(reader, MARKER), ORDER, semantic.components(NAMES))
    values = semantic.read_header(reader, head, ORDER, LEGAL, NEEDED)
    name = values.pop("layout", "").replace("-", "_")
    if name not in families():
        reader.fail_if_any()
        raise SurfaceError([Violation("end of text", f"layout {name!r}", ", ".join(LEGAL["layout"]))])
    family = semantic.load(name)
    parts, _ = semantic.read_body(reader, body, family, {}, NAMES)
    topic = values.pop("topic", "")
    if values.get("frame") == "plain":
        values["frame"] = "none"
    style = Style(**{AXIS.get(axis, axis): value for axis, value in values.items()})
    scene = Scene(name, style, topic, components=tuple(part for part, _ in parts))
    semantic.report_faults(reader, family, scene, [tag for _, tag in parts])
    return scene


def grammar(pen: Pen) -> None:
    semantic.say(pen, ORDER, LEGAL, NEEDED, {}, NAMES)


def vocabulary(families: Sequence[str] | None = None) -> Vocabulary:
    """Attributes are closed lists; components and topics are open."""
    names = tuple(families or semantic.families())
    asked = {name: semantic.LEGAL[name] for name in ("accent", "frame", "density")} | {"bg": semantic.LEGAL["theme"]}
    legal = {**LEGAL, "layout": tuple(map(semantic.layout_of, names))}
    tags = [f"[{name}:{value}]" for table in (legal, asked) for name, values in table.items() for value in values]
    kinds = [NAMES.get(kind, kind) for name in names for kind in semantic.load(name).kinds if kind != "source"]
    return Vocabulary.of(
        [TASK, OUT, f"[{MARKER}]", f"[/{MARKER}]", *tags],
        ["[topic:", "[items:", "[edit:", *(f"[{kind}:" for kind in kinds)],
    )
