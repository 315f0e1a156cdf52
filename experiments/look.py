"""Looks: what prompts ask of how a picture looks, and the scenes of a case or an order in every look, as a surface writes them.

A look is held out whole, so it names what styles differ in: theme, tone, density and background; of an infographic accent, background,
frame and density; of a drawing by order its colour and background, and where it is framed frame and density. A surface that places
shapes writes what the scene is lowered to. Which looks are taught is `corpus.py`'s, how one is drawn the compiler's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from experiments import case as library
from experiments import families as folder
from experiments import infographic, order, surfaces, vary
from experiments.case import Case
from experiments.infographic import Asked, Infographic
from experiments.order import Order
from experiments.scene import Scene
from experiments.split import tags
from experiments.style import DENSITIES, STYLE, Style
from experiments.surfaces import atoms, raw_svg, semantic

LINES = ("frame", "connector")
ORDER = ("color", "bg", "frame", "density")
NAMES = (*STYLE, *LINES, "accent", "bg", "color", "color2")  # tags of prompts that ask for a look

Look = tuple[tuple[str, str], ...]  # name, value


def of(style: Style) -> Look:
    """What a style says of the page, and of frames and lines where it says it."""
    return tuple((axis, value) for axis in (*STYLE, *LINES) if (value := getattr(style, axis)) is not None)


def families(surface: str) -> tuple[str, ...]:
    """Families whose scenes a surface writes as they are, or lowered to shapes."""
    lowered = semantic.families() if surface == "atoms" else ()
    return (*surfaces.load(surface).families(), *lowered)


def cases(family: str, surface: str) -> tuple[Case, ...]:
    """The cases of a family that a spec of this surface can ask for."""
    if isinstance(folder.load(family), Infographic):
        return library.every(family) if family in families(surface) else ()
    return library.every(family, surface)


def scenes(case: Case, surface: str, styles: Sequence[Style]) -> Iterator[tuple[Look, Scene]]:
    """A case of `cases()` in every look that its prompts ask for: in each of the styles, or as an infographic in each of its own looks,
    with all of its items and with fewer.
    """
    family = folder.load(case.family)
    if not isinstance(family, Infographic):
        yield from ((of(style), case.scene(style)) for style in styles)
        return
    from experiments.compiler.board import lower  # the compiler knows surfaces' families, not the other way round

    counts = [{"items": count} for count in vary.choices(case).get("items", ())] or [{}]
    shown = [vary.follow(case, surface, Style(), facts) for facts in counts]
    for asked in infographic.every(DENSITIES):
        look = tuple(asdict(asked).items())
        for scene in shown:
            dressed = infographic.dress(family, scene, asked, "wide" if surface == "rich" else semantic.CANVAS)
            yield look, lower(dressed) if surface == "atoms" else dressed


def orders(framed: bool) -> Iterator[tuple[Look, Order]]:
    """Every order for a drawing, with its look."""
    for asked in order.every(framed):
        yield tuple((name, value) for name in ORDER if (value := getattr(asked, name)) is not None), asked


def drawing(surface: str, asked: Order) -> Scene:
    """What an order asks for, as a surface writes it."""
    scene = order.lower(asked)
    return raw_svg.spell(scene) if surface == "raw_svg" else scene


def ordered(surface: str, family: str) -> bool:
    """Whether orders give drawings of this family on this surface."""
    return surface in ("atoms", "raw_svg") and family == atoms.FAMILY


def edits(asked: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """(name, another value) for every single value of a prompt's tags that an `[edit:..]` may change; none of other prompts."""
    if "accent" in asked:
        before = Asked(asked["accent"], asked["bg"], asked["frame"], asked["density"])
        changed: Iterator[tuple[str, Any]] = infographic.edited(before, DENSITIES)
    elif "color" in asked:
        first = _order_of(asked)
        changed = ((tag, after) for tag, after in order.edited(first) if after.layout == first.layout)
    else:
        return
    for tag, after in changed:
        name = tag.removeprefix("[edit:").partition("=")[0]
        yield name, getattr(after, name)


def answer(surface: str, family: str, case: str, prompt: str) -> Scene | None:
    """What a prompt whose look `edits` can change asks for: the drawing of an order, or this case in the look; None of another prompt."""
    asked = tags(prompt)
    if "accent" in asked:
        return _worn(surface, family, case).get(prompt)
    return drawing(surface, _order_of(asked)) if "color" in asked else None


def _order_of(asked: Mapping[str, str]) -> Order:
    return Order(**{name: asked[name] for name in order.TAGS if name in asked})


@lru_cache(64)
def _worn(surface: str, family: str, case: str) -> Mapping[str, Scene]:
    """A case of an infographic in every look, by its tag prompt."""
    module, named = surfaces.load(surface), (one for one in cases(family, surface) if one.id == case)
    return {module.prompt(scene): scene for one in named for _, scene in scenes(one, surface, ())}
