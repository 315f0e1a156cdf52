"""Orders for atoms: what a prompt in tags asks for, and the drawing that fulfils it.

    [task:svg] [layout:badge] [shape:circle] [color:blue] [bg:paper] [label:ai] [OUT]

`every()` gives each order once, `lower(order)` its scene, `order_of(scene)` the order back, `edited(order)` what one `[edit:..]` tag
before [OUT] makes of it. A framed order also has `frame` and `density`, more colours and more labels. No words, no chance: which
orders are taught is a corpus's business.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from itertools import product

from experiments import atom
from experiments.scene import Component, Scene
from experiments.tag import OUT, TASK

SHAPES = ("circle", "rect", "triangle")
COLOURS = ("red", "blue", "green", "orange", "purple", "teal", "gold", "gray")
LABELS = ("ok", "go", "data", "note", "flow", "ai", "ops", "sync", "map", "plan")
SIZES = ("small", "big")
FRAMES, DENSITIES = ("plain", "card"), ("compact", "airy")
PLAIN_COLOURS, PLAIN_LABELS = 5, 6  # how many of them an order without a frame may name
SIDE = 128  # px


@dataclass(frozen=True, slots=True)
class Order:
    """One request. Which fields are set follows from the layout: a pair has a second shape, a single has a size, cards and
    badges have a label; `frame` and `density` are set together or not at all.
    """

    layout: str
    shape: str
    color: str
    bg: str
    shape2: str | None = None
    color2: str | None = None
    size: str | None = None
    label: str | None = None
    frame: str | None = None
    density: str | None = None

    def prompt(self, edit: str = "") -> str:
        """The tag prompt, with an `[edit:..]` tag before [OUT] where one is given."""
        tags = [f"[{name}:{getattr(self, name)}]" for name in TAGS if getattr(self, name) is not None]
        return " ".join([TASK, *tags, *([edit] if edit else []), OUT])


TAGS = ("layout", "shape", "shape2", "color", "color2", "size", "bg", "label", "frame", "density")
assert set(TAGS) == {field.name for field in fields(Order)}
LISTS = {
    "layout": atom.LAYOUTS,
    "shape": SHAPES,
    "shape2": SHAPES,
    "color": COLOURS,
    "color2": COLOURS,
    "size": SIZES,
    "bg": atom.BACKGROUNDS,
    "label": LABELS,
    "frame": FRAMES,
    "density": DENSITIES,
}


def own(layout: str) -> tuple[str, ...]:
    """The fields that orders of a layout set beside shape, colour and background."""
    return {"single": ("size",), "label-card": ("label",), "badge": ("label",)}.get(layout, ("shape2", "color2"))


def every(framed: bool = False) -> Iterator[Order]:
    """Every order, in a fixed sequence; framed ones have the longer lists, a frame and a density."""
    cut = {"color": PLAIN_COLOURS, "color2": PLAIN_COLOURS, "label": PLAIN_LABELS} if not framed else {}
    for layout in atom.LAYOUTS:
        names = ("shape", "color", "bg", *own(layout), *(("frame", "density") if framed else ()))
        for values in product(*(LISTS[name][: cut.get(name)] for name in names)):
            yield Order(layout, **dict(zip(names, values, strict=True)))


def edited(before: Order) -> Iterator[tuple[str, Order]]:
    """(edit tag, the order as it then is) for every single edit: a value changed, a label added, a shape added or taken away."""
    framed = before.frame is not None
    names = [
        "bg",
        "color",
        *(n for n in ("color2", "size", "label", "frame", "density") if getattr(before, n) is not None),
    ]
    for name in names:
        count = (
            len(LISTS[name])
            if framed
            else {"color": PLAIN_COLOURS, "color2": PLAIN_COLOURS, "label": PLAIN_LABELS}.get(name)
        )
        for value in LISTS[name][:count]:
            if value != getattr(before, name):
                yield f"[edit:{name}={value}]", replace(before, **{name: value})
    if before.layout == "single":
        for layout in ("pair-h", "pair-v"):
            twin = replace(before, layout=layout, size=None, shape2=before.shape, color2=before.color)
            yield f"[edit:compose={layout}]", twin
    elif before.layout.startswith("pair"):
        for size in SIZES:
            yield f"[edit:simplify={size}]", replace(before, layout="single", size=size, shape2=None, color2=None)


# ---- from an order to its scene


def lower(asked: Order) -> Scene:
    """The drawing that an order asks for."""
    header = [("w", str(SIDE)), ("h", str(SIDE)), ("bg", asked.bg), ("layout", asked.layout)]
    header += [(name, value) for name in ("frame", "density") if (value := getattr(asked, name)) is not None]
    parts = [Component("canvas", attributes=tuple(header))]
    if asked.frame == "card":
        parts.append(_rect(8, 8, 112, 112, 18, "paper"))
    body = {"single": _single, "pair-h": _pair, "pair-v": _pair, "label-card": _label_card, "badge": _badge}
    components, words = atom.carry((*parts, *body[asked.layout](asked)))
    return Scene("atoms", components=components, words=words)


def order_of(scene: Scene) -> Order | None:
    """The order that a scene answers; None where no order asks for exactly this scene."""
    head = dict(atom.canvas(scene))
    found = readings(scene, head.get("layout", ""), head.get("bg", ""), head.get("frame"), head.get("density"))
    return next((asked for asked in found if lower(asked) == scene), None)


def readings(scene: Scene, layout: str, bg: str, frame: str | None, density: str | None) -> Iterator[Order]:
    """The orders with this header that the shapes and words of a scene may answer."""
    marks = [part for part in scene.components if part.get("fill") in COLOURS and part.kind != "text"]
    kinds = ["triangle" if part.kind == "polygon" else part.kind for part in marks]
    if layout not in atom.LAYOUTS or bg not in atom.BACKGROUNDS or not marks or not set(kinds) <= set(SHAPES):
        return
    asked = Order(layout, kinds[0], marks[0].get("fill") or "", bg, frame=frame, density=density)
    names = own(layout)
    if "shape2" in names and len(marks) > 1:
        asked = replace(asked, shape2=kinds[1], color2=marks[1].get("fill"))
    if "label" in names:
        asked = replace(asked, label=next((words.lower() for _, words in scene.words), ""))
    tries = [replace(asked, size=size) for size in SIZES] if "size" in names else [asked]
    yield from (found for found in tries if _is_legal(found))


def _is_legal(asked: Order) -> bool:
    return all(getattr(asked, name) in LISTS[name] for name in ("shape", "color", *own(asked.layout)))


def _ink(asked: Order) -> str:
    """Lines on the open canvas; a card is light, whatever lies behind it."""
    return "white" if asked.bg == "slate" and asked.frame != "card" else "black"


def _rect(x: int, y: int, w: int, h: int, rx: int, fill: str, stroke: str = "black") -> Component:
    at = {"x": x, "y": y, "width": w, "height": h, "rx": rx, "fill": fill, "stroke": stroke, "sw": 2}
    return Component("rect", attributes=tuple((name, str(value)) for name, value in at.items()))


def _mark(shape: str, colour: str, x: int, y: int, r: int, ink: str) -> Component:
    """A circle, a square or a triangle about (x, y)."""
    if shape == "rect":
        return _rect(x - r, y - r, 2 * r, 2 * r, 4, colour, ink)
    at = (
        {"points": f"{x},{y - r}|{x + r},{y + r}|{x - r},{y + r}"}
        if shape == "triangle"
        else {"cx": x, "cy": y, "r": r}
    )
    named = (*at.items(), ("fill", colour), ("stroke", ink), ("sw", 2))
    kind = "polygon" if shape == "triangle" else "circle"
    return Component(kind, attributes=tuple((name, str(value)) for name, value in named))


def _word(words: str, x: int, y: int, size: int, anchor: str, ink: str) -> Component:
    at = {"tx": x, "ty": y, "font": size, "anchor": anchor, "fill": ink, atom.WORDS: words.upper()}
    return Component("text", attributes=tuple((name, str(value)) for name, value in at.items()))


def _reach(asked: Order, compact: int, airy: int) -> int:
    """A radius by density; between the two where the order has none."""
    return {"compact": compact, "airy": airy}.get(asked.density or "", (compact + airy) // 2)


def _single(asked: Order) -> list[Component]:
    r = _reach(asked, 34, 26) if asked.size == "big" else _reach(asked, 20, 14)
    return [_mark(asked.shape, asked.color, 64, 64, r, _ink(asked))]


def _pair(asked: Order) -> list[Component]:
    r, step = _reach(asked, 21, 15), _reach(asked, 24, 26)
    ends = ((64 - step, 64), (64 + step, 64)) if asked.layout == "pair-h" else ((64, 64 - step), (64, 64 + step))
    marks = zip((asked.shape, asked.shape2 or ""), (asked.color, asked.color2 or ""), ends, strict=True)
    return [_mark(shape, colour, x, y, r, _ink(asked)) for shape, colour, (x, y) in marks]


def _label_card(asked: Order) -> list[Component]:
    size = 14 if len(asked.label or "") > 3 else 18
    mark = _mark(asked.shape, asked.color, 64, 50, _reach(asked, 20, 15), "black")
    return [_rect(18, 22, 92, 84, 12, "white"), mark, _word(asked.label or "", 64, 96, size, "middle", "black")]


def _badge(asked: Order) -> list[Component]:
    high = _reach(asked, 30, 40)
    mark = _mark(asked.shape, asked.color, 34, 64, high // 3, "black")
    return [
        _rect(14, 64 - high // 2, 100, high, 8, "white"),
        mark,
        _word(asked.label or "", 56, 69, 14, "start", "black"),
    ]
