"""Infographics: whatever a prompt asks for is drawn twice, small in atoms and large, and both scenes give the prompt back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from experiments import case, compiler
from experiments.compiler import CompileError
from experiments.compiler.board import lower
from experiments.infographic import dress, edited, every, pairs, sides
from experiments.style import Style
from experiments.surfaces import SurfaceError, atoms, rich, semantic

CASES = case.every(surface="semantic")
ASKED = list(every(("compact", "balanced", "airy")))


@pytest.mark.parametrize("one", CASES, ids=lambda c: c.id)
def test_every_order_is_drawn_small_and_large(one: case.Case) -> None:
    family = semantic.load(one.family)
    assert len(ASKED) == 90
    for asked in ASKED[CASES.index(one) % 3 :: 3]:
        large, small = (dress(family, one.scene(Style()), asked, canvas) for canvas in ("wide", "small"))
        picture, little = compiler.compile(large, one.content), compiler.compile(small, one.content)
        assert picture.width == 1200 and picture.height >= 780 and (little.width, little.height) == (256, 160)
        drawing = lower(small)
        assert (
            compiler.compile(drawing, one.content).svg.split("</desc>")[1][20:] == little.svg.split("</desc>")[1][20:]
        )
        assert rich.prompt(large) == semantic.prompt(small) == atoms.prompt(atoms.parse(atoms.format(drawing)))


def test_orders_look_different() -> None:
    one = CASES[0]
    family = semantic.load(one.family)
    for canvas in ("wide", "small"):
        drawn = {compiler.compile(dress(family, one.scene(Style()), asked, canvas), one.content).svg for asked in ASKED}
        assert len(drawn) == len(ASKED)


def test_edits_change_one_thing() -> None:
    for asked in ASKED[::7]:
        found = list(edited(asked, ("compact", "balanced", "airy")))
        assert len(found) == 4 + 2 + 1 + 2 and all(after in ASKED and after != asked for _, after in found)
        assert len({tag for tag, _ in found}) == len({after for _, after in found}) == len(found)


def test_what_people_wrote_is_read() -> None:
    head = "[scene] [canvas:wide] [source:memory-reality-infographic] [theme:mint] [layout:bullet-panel] [topic:capacity_math] [accent:blue]"
    slots = "bullet_panel_b1|bullet_panel_b2|bullet_panel_b3"
    tail = f"[bullet_list:{slots}] [callout:bullet_panel_callout] [/scene]"
    text = f"{head} [frame:card] [density:airy] [hero:title|subtitle] [rail:accent] {tail}"
    content = case.load("bullet_panel", "capacity_math").content
    assert (
        semantic.format(semantic.parse(text)) == text and compiler.compile_text("semantic", text, content).width == 256
    )
    art = "[inset:lg] [gap:lg] [hero_align:left] [columns:1] [emphasis:left] [rail:accent] [background:mesh] [connector:line]"
    style = (
        f"[layout:bullet-panel] [theme:signal_glow] [tone:blue] [frame:card] [density:airy] {art} [topic:capacity_math]"
    )
    twin = f"[scene] [canvas:wide] {style} [hero:title|subtitle] {tail}"
    assert rich.format(rich.parse(twin)) == twin and compiler.compile_text("rich", twin, content).width == 1200
    small = semantic.parse(text)
    assert rich.parse(twin) == replace(
        small, style=replace(small.style, canvas="wide"), components=small.components[1:]
    )


def test_references_are_paired_however_they_are_listed() -> None:
    assert pairs(["v1", "l1", "v2", "l2", "v3", "l3"]) == [(0, 1), (2, 3), (4, 5)]
    assert pairs(["v1", "v2", "v3", "l1", "l2", "l3"]) == [(0, 3), (1, 4), (2, 5)]
    assert sides(["left_title", "right_title", "left_line1", "right_line1"]) == ([0, 2], [1, 3])
    assert sides(["a", "b", "c", "d"]) == ([0, 1], [2, 3])


ONE = case.load("bullet_panel", "structured_outputs")
SMALL = semantic.format(dress(semantic.load("bullet_panel"), ONE.scene(Style()), ASKED[0], "small"))
LARGE = rich.format(dress(semantic.load("bullet_panel"), ONE.scene(Style()), ASKED[0]))
FAULTS = {
    "an unknown accent": ("[accent:orange]", "[accent:pink]", 7, "[accent:pink]"),
    "an attribute out of turn": ("[topic:structured_outputs] [accent:orange]", "[accent:orange] [topic:structured_outputs]", 7, "after [accent:]"),
    "an attribute twice": ("[accent:orange]", "[accent:orange] [accent:orange]", 8, "second [accent:]"),
    "no topic": ("[topic:structured_outputs] ", "", None, "no [topic:]"),
    "another layout's component": ("[bullet_list:", "[stats:", 12, "[stats:"),
    "too few points": ("|bullet_panel_b2|bullet_panel_b3", "", 12, "1 references"),
    "a rail out of place": ("[hero:title|subtitle] [rail:accent]", "[rail:accent] [hero:title|subtitle]", 10, "right after [hero:]"),
    "a marker of another kind": ("[callout:", "[marker:here] [callout:", 13, "[marker:here]"),
    "a broken slot": ("bullet_panel_b2", "bullet panel_b2", 12, "tag such as"),
    "a callout before the points": ("[hero:title|subtitle]", "[callout:bullet_panel_callout] [hero:title|subtitle]", 11, "before it"),
}  # fmt: skip
RICH_FAULTS = {
    "an unknown tone": ("[tone:orange]", "[tone:pink]", 5, "[tone:pink]"),
    "an asset": ("[layout:", "[source:x] [layout:", 3, "[source:x]"),
    "the other surface's rail": ("[bullet_list:", "[rail:accent] [bullet_list:", 18, "[rail:accent]"),
    "no theme": ("[theme:paper_editorial] ", "", None, "no [theme:]"),
}


@pytest.mark.parametrize("name", [*FAULTS, *RICH_FAULTS])
def test_a_fault_is_named_at_its_tag(name: str) -> None:
    surface, text, (old, new, place, needle) = (
        (semantic, SMALL, FAULTS[name]) if name in FAULTS else (rich, LARGE, RICH_FAULTS[name])
    )
    assert old in text and surface.parse(text)
    with pytest.raises(SurfaceError) as caught:
        surface.parse(text.replace(old, new, 1))
    assert any(v.token == place and needle in str(v) for v in caught.value.violations), str(caught.value)


def test_words_must_fit_the_small_picture_too() -> None:
    slots = {**ONE.content["slots"], "bullet_panel_b2": "a sentence that has no room at all in a picture of this size"}
    with pytest.raises(CompileError, match=r"content\.bullet_panel_b2.*small picture"):
        compiler.compile_text("semantic", SMALL, {"slots": slots})
    assert compiler.compile_text("rich", LARGE, slots).svg


def test_a_style_that_nobody_asks_for_has_no_small_picture() -> None:
    scene = dress(semantic.load("bullet_panel"), ONE.scene(Style()), ASKED[0], "small")
    odd = replace(scene, style=replace(scene.style, theme="infra_dark"))
    with pytest.raises(CompileError, match="no prompt asks for"):
        compiler.compile(odd, ONE.content)
    with pytest.raises(SurfaceError):
        semantic.format(odd)
