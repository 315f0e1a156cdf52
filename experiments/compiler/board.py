"""What infographics share in drawing: the hero at the top, the closing line, a page that fills its canvas, and the small picture.

A family draws the middle. Words come from slots, so paths of words are names of slots.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from functools import lru_cache

from experiments import families
from experiments.compiler.bind import Bound, CompileError, Item
from experiments.compiler.page import Page
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Box, Font, Ornament, Text, Tree, move, walk
from experiments.infographic import Asked, Infographic, asked_of
from experiments.scene import Component, Scene
from experiments.violation import Violation

HEIGHT = 780.0  # px of the wide canvas
TYPE = {"compact": 1.75, "balanced": 1.62, "airy": 1.5}  # times the usual type sizes: an infographic has few words
GROW = (1.3, 1.15)  # times these again for the words of the middle, where they still have room
GROWN = ("section", "body")


@lru_cache(maxsize=1024)
def poster(sheet: Sheet, grow: float = 1.0) -> Sheet:
    """A sheet with large type and the room that it needs inside cards; `grow` enlarges the words of the middle."""
    large = copy(sheet)
    large.pad = sheet.pad * 1.3
    large.fonts = {
        role: Font(font.face, font.size * TYPE[sheet.style.density] * (grow if role in GROWN else 1.0), font.lead)
        for role, font in sheet.fonts.items()
    }
    return large


def draw_large(draw: Callable[[Bound, Sheet], Tree], bound: Bound, sheet: Sheet) -> Tree:
    """The picture in the largest type in which it fits its canvas, without another line or a text that had to be made smaller."""
    usual = draw(bound, poster(sheet))
    for grow in GROW:
        large = poster(sheet, grow)
        try:
            tree = draw(bound, large)
        except CompileError:
            continue
        if tree.height <= usual.height and all(
            len(a.lines) == len(b.lines) and min(abs(b.font.size / a.font.size - by) for by in (1.0, grow)) < 1e-6
            for a, b in zip(_texts(usual), _texts(tree), strict=True)
        ):
            return tree
    return usual


def _texts(tree: Tree) -> list[Text]:
    return [node for node in walk(tree.root) if isinstance(node, Text)]


class Board:
    """An infographic in the making: between `top` and `bottom` lies the room of its main component."""

    def __init__(self, bound: Bound, sheet: Sheet) -> None:
        self.bound, self.sheet = bound, sheet
        self.page = Page(bound, self.sheet)
        self._hero()
        self.closing = self._closing()
        page = self.page
        foot = self.closing.h + sheet.gap if self.closing else 0.0
        least = HEIGHT if sheet.style.canvas in (None, "wide") else 0.0
        self.high = max(0.0, least - page.y - foot - sheet.margin - page.rim)  # px that the middle should fill

    @property
    def main(self) -> Item:
        family = self.bound.family
        assert isinstance(family, Infographic)
        return self.bound.all(family.main)[0]

    def words(self) -> list[tuple[str, str]]:
        """(slot, words) of the main component."""
        return list(zip(self.main.part.refs, self.main.data, strict=True))

    def _hero(self) -> None:
        """Title and subtitle, at the left behind a rail, or centred."""
        page, sheet = self.page, self.sheet
        item = self.bound.all("hero")[0]
        rail = {"accent": sheet.accent(), "muted": sheet.wire}.get(sheet.style.rail or "accent")
        centred = sheet.style.hero == "center"
        inset = sheet.pad * 0.8 + 6 if rail and not centred else 0.0
        anchor = "middle" if centred else "start"
        flow = page.flow(page.room - inset)
        for ref, words, role in zip(item.part.refs, item.data, ("headline", "subtitle"), strict=False):
            colour = sheet.canvas.muted if role == "subtitle" else None
            flow.text(ref, words, role, colour, gap=sheet.gap * 0.22, most=3, anchor=anchor, even=True)
        if rail and not centred:
            page.add(Ornament("rect", page.x0, page.y + 3, 6, flow.height - 6, fill=rail, radius=3))
        page.add(*flow.place(page.x0 + inset, page.y))
        page.y += flow.height
        if rail and centred:
            page.add(Ornament("rect", page.x0 + page.room / 2 - 44, page.y + 8, 88, 4, fill=rail, radius=2))
            page.y += 12
        page.y += sheet.gap

    def _closing(self) -> Box | None:
        """A callout or footer as a band, a badge as a pill; at the origin, to be placed by `finish`."""
        page, sheet = self.page, self.sheet
        found = self.bound.all("callout", "footer", "badge")
        if not found:
            return None
        item, colour = found[0], sheet.line(sheet.accent())
        if item.part.kind == "badge":
            ground = sheet.ground(colour)
            box = page.labels.box(item.ref, item.ref, item.data, "title", page.room, ground, edge=22, lift=9, radius=20)
            move([box], page.x0 + (page.room - box.w) / 2, 0)
            return box
        loud = item.part.kind == "callout"
        ground = sheet.tinted(sheet.accent()) if loud else sheet.surface_2
        role = "title" if loud else "body"
        flow = page.flow(page.room - 2 * sheet.pad - 14, ground).text(item.ref, item.data, role, most=4)
        high = flow.height + 1.5 * sheet.pad
        box = Box(
            item.ref,
            page.x0,
            0,
            page.room,
            high,
            ground.fill,
            colour if loud else sheet.border,
            1.4,
            min(sheet.radius, high / 3),
        )
        box.add(
            Ornament(
                "rect", box.x + sheet.pad * 0.7, sheet.pad * 0.7, 5, high - sheet.pad * 1.4, fill=colour, radius=2.5
            )
        )
        box.add(*flow.place(box.x + sheet.pad + 14, sheet.pad * 0.75))
        return box

    def finish(self, bottom: float) -> Tree:
        """The tree; the main component ends at `bottom`."""
        self.page.y = bottom
        if self.closing:
            move([self.closing], 0, bottom + self.sheet.gap)
            self.page.add(self.closing)
            self.page.y = self.closing.bottom
        return self.page.finish(self.bound.family.summary(self.bound), self.bound.all("hero")[0].data[0])


# ---- the small picture


def lower(scene: Scene) -> Scene:
    """The atoms of an infographic's small picture, words by slot. A style that no prompt asks for has none: ValueError."""
    family = families.load(scene.family)
    assert isinstance(family, Infographic)
    asked = asked_of(family, scene)
    if asked is None:
        raise ValueError(f"{scene.family}: got a style that no prompt asks for, expected one of infographic.derive()")
    head = {"w": "256", "h": "160", "bg": asked.bg, "layout": scene.family.replace("_", "-")}
    head |= {"accent": asked.accent, "frame": asked.frame, "density": asked.density}
    parts = [Component("canvas", attributes=tuple(head.items()))]
    if asked.frame == "card":
        parts.append(shape("rect", x=8, y=8, width=240, height=144, rx=18, fill="white", stroke="black", sw=2))
    hero = scene.of("hero")[0]
    left = 30 if scene.style.rail == "accent" else 20
    if scene.style.rail == "accent":
        parts.append(
            shape("rect", x=18, y=18, width=5, height=30 if len(hero.refs) > 1 else 18, rx=2, fill=asked.accent)
        )
    place = (128, "middle") if scene.style.hero == "center" and left == 20 else (left, "start")
    for ref, y, size in zip(hero.refs, (31, 45), (15, 9), strict=False):
        parts.append(text(ref, place[0], y, size, ink(asked), place[1]))
    return Scene("atoms", topic=scene.topic, components=(*parts, *family.layout.small(scene, asked)))


def draw_small(bound: Bound, summary: str) -> Tree:
    """The small picture, its words held to the shapes that they stand in."""
    from experiments.families.atoms.layout import lay_out

    try:
        lowered = lower(bound.scene)
    except ValueError as error:
        bound.issues.append(Violation("scene.style", str(error), "a style that a prompt asks for"))
        return Tree(
            256, 160, ("#ffffff", "#ffffff"), ("#ffffff",), [], Box("canvas", 0, 0, 256, 160), "", summary, True
        )
    words: Mapping[str, str] = bound.content.entries()
    items = [Item(part, words[part.ref] if part.ref else None) for part in lowered.components]
    inner = Bound(lowered, families.load("atoms"), items, bound.content, bound.issues)
    return lay_out(inner, summary, strict=True)


def ink(asked: Asked) -> str:
    """The colour of words on the page or its card."""
    return "white" if asked.bg == "slate" and asked.frame == "plain" else "black"


def shape(kind: str, **values: float | str) -> Component:
    """An atom from its attributes, numbers rounded to whole px."""
    written = ((name, value if isinstance(value, str) else f"{value:.0f}") for name, value in values.items())
    return Component(kind, attributes=tuple(written))


def text(ref: str, x: float, y: float, size: float, fill: str, anchor: str = "start") -> Component:
    """A line of words by slot, its baseline at y."""
    at = shape("text", tx=x, ty=y, font=size, anchor=anchor, fill=fill)
    return Component("text", ref=ref, attributes=at.attributes)
