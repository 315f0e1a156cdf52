"""Infographics: five small layouts that share a prompt, a content and a way to be drawn.

    [task:svg] [layout:bullet-panel] [topic:T] [items:3] [accent:blue] [bg:mint] [frame:card] [density:airy] [OUT]

A scene is one of them twice over: on the canvas `small` it is drawn in atoms, 256 x 160 px, and the semantic surface writes it; on
any other it is drawn at 1200 x 780 px and the rich surface writes it. What a prompt asks for, four words, fixes the whole style:
`derive` and `asked` go between the two; `items` is the highest number of a slot. Content is a table of slots. No layout is here;
each family has its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Protocol

from experiments import atom
from experiments.content import Slots
from experiments.family import Family, Fault, Kind, by_name
from experiments.scene import Component, Scene
from experiments.style import TONES, Style
from experiments.tag import OUT, TASK

if TYPE_CHECKING:
    from experiments.compiler.bind import Bound
    from experiments.compiler.sheet import Sheet
    from experiments.compiler.tree import Tree

BACKGROUNDS = {"paper": "grid", "mint": "mesh", "slate": "rings"}  # bg -> the pattern that stands for it
FRAMES = {"plain": "none", "card": "card"}
ROOM = {"compact": "sm", "balanced": "md", "airy": "lg"}
ACCENTS = atom.ACCENTS
NUMBER = re.compile(r"[0-9]+$")
LEGAL_TONES = (*ACCENTS, *(tone for tone in TONES if tone not in ACCENTS))


@dataclass(frozen=True, slots=True)
class Asked:
    """What a prompt says of the looks."""

    accent: str
    bg: str
    frame: str
    density: str


class Layout(Protocol):
    """What the `layout.py` of an infographic offers."""

    def draw_large(self, bound: Bound, sheet: Sheet) -> Tree:
        """The picture at full size."""

    def small(self, scene: Scene, asked: Asked) -> Iterator[Component]:
        """The atoms of the small picture, below its title."""


class Infographic(Family):
    """A family of infographics: a hero, one main component that holds several references, one closing component."""

    spelling = "own"
    content = Slots
    main: str
    closing: str
    layout: Layout
    looks: Mapping[str, str]  # hero, emphasis, rail and connector of its pictures
    group = 1  # how many references belong together: a value and its label

    @classmethod
    def table(cls, main: str, fewest: int, most: int, closing: str) -> Mapping[str, Kind]:
        """The component kinds; counts are references of the main one."""
        return by_name(
            Kind("source", 0, at_most=1, id_tag="asset", ref_tag=None),
            Kind("hero", 1, (str,), at_least=1, at_most=1, refs=(1, 2)),
            Kind(main, 2, (str,), at_least=1, at_most=1, refs=(fewest, most)),
            Kind(closing, 3, (str,), at_most=1),
        )

    def inspect(self, scene: Scene) -> Iterator[Fault]:
        yield from super().inspect(scene)
        for index, part in enumerate(scene.components):
            if part.kind == self.main and len(part.refs) % self.group:
                yield Fault(index, f"{len(part.refs)} references in `{part.kind}`", "two for each: an even number")

    def draw(self, bound: Bound, sheet: Sheet) -> Tree:
        from experiments.compiler.board import (
            draw_large,
            draw_small,
        )  # the compiler knows families, not the other way round

        if bound.scene.style.canvas == "small":
            return draw_small(bound, self.summary(bound))
        return draw_large(self.layout.draw_large, bound, sheet)


# ---- what a prompt asks for, and the style that it fixes


def derive(family: Infographic, asked: Asked, count: int, canvas: str = "wide") -> Style:
    """The whole style of a picture with `count` groups in its main component."""
    cold, quiet = asked.accent in ("blue", "purple"), asked.accent in ("green", "gray")
    theme = {
        "paper": "paper_editorial",
        "mint": "signal_glow" if cold else "paper_editorial",
        "slate": "infra_dark" if quiet else "signal_glow",
    }[asked.bg]
    room = ROOM[asked.density]
    return Style(
        theme=theme,
        tone=asked.accent,
        density=asked.density,
        background=BACKGROUNDS[asked.bg],
        canvas=canvas,
        frame=FRAMES[asked.frame],
        inset=room,
        gap=room,
        columns=str(min(count, 4)) if family.group > 1 else "1",
        **family.looks,
    )


def asked_of(family: Infographic, scene: Scene) -> Asked | None:
    """What was asked for; None where no prompt gives this style. A rail and a focus are nobody's order: they may differ."""
    style = scene.style
    bg = next((name for name, pattern in BACKGROUNDS.items() if pattern == style.background), "")
    frame = next((name for name, value in FRAMES.items() if value == style.frame), "")
    found = Asked(style.tone, bg, frame, style.density)
    if not bg or not frame or found.accent not in ACCENTS or found.density not in ROOM:
        return None
    usual = derive(family, found, count_of(family, scene), style.canvas or "")
    return found if replace(usual, rail=style.rail, emphasis=style.emphasis) == style else None


def count_of(family: Infographic, scene: Scene) -> int:
    """How many things the main component shows."""
    return sum(len(part.refs) for part in scene.of(family.main)) // family.group


def items(refs: Iterable[str]) -> int:
    """The highest number that a slot's name ends with: points, cards, segments, steps, lines of a side; 0 where none has a number."""
    return max((int(found[0]) for ref in refs if (found := NUMBER.search(ref))), default=0)


def order(layout: str, topic: str, refs: Iterable[str], looks: Mapping[str, str]) -> str:
    """The tag prompt for a layout, a topic, so many items, and looks: accent, bg, frame and density."""
    count = items(refs)
    tags = {"layout": layout, "topic": topic, **({"items": str(count)} if count else {}), **looks}
    return " ".join([TASK, *(f"[{name}:{value}]" for name, value in tags.items()), OUT])


def every(densities: Sequence[str] = ("compact", "airy")) -> Iterator[Asked]:
    """Everything that can be asked for, in a fixed order."""
    for accent, bg, frame, density in product(ACCENTS, BACKGROUNDS, FRAMES, densities):
        yield Asked(accent, bg, frame, density)


def edited(before: Asked, densities: Sequence[str] = ("compact", "airy")) -> Iterator[tuple[str, Asked]]:
    """(edit tag, what is then asked for) for every change of one value."""
    lists = {"accent": ACCENTS, "bg": tuple(BACKGROUNDS), "frame": tuple(FRAMES), "density": tuple(densities)}
    for name, values in lists.items():
        for value in values:
            if value != getattr(before, name):
                yield f"[edit:{name}={value}]", replace(before, **{name: value})


def dress(family: Infographic, scene: Scene, asked: Asked, canvas: str = "wide") -> Scene:
    """A scene in the style that is asked for."""
    style = derive(family, asked, count_of(family, scene), canvas)
    return Scene(scene.family, style, scene.topic, components=scene.components)


def pairs(refs: Sequence[str]) -> list[tuple[int, int]]:
    """Positions that belong together, two by two: value1 label1 value2 label2, or value1 value2 label1 label2."""
    half = len(refs) // 2
    apart = half > 1 and refs[0][-1:].isdigit() and refs[0][-1:] == refs[half][-1:] and refs[0][-1:] != refs[1][-1:]
    return [(i, i + half) for i in range(half)] if apart else [(i, i + 1) for i in range(0, len(refs) - 1, 2)]


def sides(refs: Sequence[str]) -> tuple[list[int], list[int]]:
    """Positions of the left and of the right side: by their names where these say so, else the first and the second half."""
    left = [i for i, ref in enumerate(refs) if "left" in ref]
    right = [i for i, ref in enumerate(refs) if "right" in ref]
    if left and right and len(left) + len(right) == len(refs):
        return left, right
    half = (len(refs) + 1) // 2
    return list(range(half)), list(range(half, len(refs)))
