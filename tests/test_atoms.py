"""Drawings in atoms and in raw SVG: every order has its drawing and comes back from it, and a defect is named where it stands."""

from __future__ import annotations

from itertools import islice

import pytest

from experiments import case, compiler, order
from experiments.compiler import CompileError, check
from experiments.compiler.check import EPS
from experiments.style import Style
from experiments.surfaces import SurfaceError, atoms, raw_svg

BADGE = (
    "[svg] [w:128] [h:128] [bg:paper] [layout:badge] [rect] [x:14] [y:40] [width:100] [height:34] [rx:8] [fill:white] [stroke:black] [sw:2] "
    "[circle] [cx:30] [cy:57] [r:12] [fill:blue] [stroke:black] [sw:2] [text] [tx:52] [ty:61] [font:12] [anchor:start] [fill:black] AI [/text] [/svg]"
)


@pytest.mark.parametrize("framed", [False, True])
def test_every_order_has_a_drawing_of_its_own_that_names_it(framed: bool) -> None:
    orders = list(order.every(framed))
    scenes = [order.lower(one) for one in orders]
    assert len(set(orders)) == len(set(scenes)) == len(orders) and {one.layout for one in orders} == set(
        order.LISTS["layout"]
    )
    for one, scene in islice(zip(orders, scenes, strict=True), 3, None, 31):
        assert order.order_of(scene) == one and atoms.prompt(scene) == one.prompt()
        text = atoms.format(scene)
        assert atoms.parse(text) == scene and compiler.compile_text("atoms", text, {}).svg
    for one, scene in islice(zip(orders, scenes, strict=True), 5, None, 331):
        assert raw_svg.prompt(raw_svg.spell(scene)) == one.prompt()


def test_edits_change_one_thing_and_lead_to_orders() -> None:
    kinds = set()
    for one in (*islice(order.every(), 2, None, 41), *islice(order.every(True), 2, None, 411)):
        found = list(order.edited(one))
        assert len({tag for tag, _ in found}) == len(found) and one not in [after for _, after in found]
        for tag, after in found:
            assert one.prompt(tag).endswith(f" {tag} [OUT]") and order.order_of(order.lower(after)) == after
            kinds.add(tag.split("=")[0].removeprefix("[edit:"))
    assert kinds == {"bg", "color", "color2", "size", "label", "frame", "density", "compose", "simplify"}


def test_what_people_wrote_is_read() -> None:
    assert atoms.format(atoms.parse(BADGE)) == BADGE
    svg = compiler.compile_text("atoms", BADGE, {}).svg
    assert '<circle cx="30" cy="57" r="12" fill="#3b82f6"' in svg and '<text x="52" y="61" font-size="12"' in svg


FAULTS = {
    "a circle off the canvas": ("[cx:30]", "[cx:5]", 15, "x -8..18"),
    "its stroke off the canvas": ("[cx:30]", "[cx:12]", 15, "x -1..25"),
    "no number": ("[r:12]", "[r:twelve]", 18, "r `twelve`"),
    "a negative radius": ("[r:12]", "[r:-2]", 18, "r `-2`"),
    "an unknown colour": ("[fill:blue]", "[fill:beige]", 19, "fill `beige`"),
    "an unknown atom": ("[circle]", "[cirlce]", 15, "'[cirlce]'"),
    "an attribute of another atom": ("[cx:30]", "[x:30]", 16, "'[x:30]'"),
    "attributes out of turn": ("[cx:30] [cy:57]", "[cy:57] [cx:30]", 17, "after a later"),
    "an attribute twice": ("[cx:30]", "[cx:30] [cx:30]", 17, "second time"),
    "an attribute missing": ("[cy:57] ", "", 15, "without cy"),
    "words outside of a text": ("[circle]", "AI [circle]", 15, "'AI'"),
    "a text without words": (" AI ", " ", 22, "without words"),
    "words and a slot": (" AI ", " [slot:a] AI ", 29, "'AI'"),
    "an open text": (" [/text]", "", 28, "not closed"),
    "a header out of turn": ("[w:128] [h:128]", "[h:128] [w:128]", 3, "after [h:]"),
    "no size": ("[w:128] ", "", 2, "without w"),
    "an unknown layout": ("[layout:badge]", "[layout:bagde]", 5, "layout `bagde`"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_at_its_tag(fault: str) -> None:
    old, new, place, needle = FAULTS[fault]
    assert old in BADGE
    with pytest.raises(SurfaceError) as caught:
        atoms.parse(BADGE.replace(old, new, 1))
    assert any(v.token == place and needle in str(v) for v in caught.value.violations), str(caught.value)


SVG = raw_svg.format(raw_svg.spell(atoms.parse(BADGE)))
CIRCLE = SVG[SVG.index("<circle") : SVG.index("<text")]
WORDS = SVG[SVG.index("<text") : SVG.index("</svg>")]
RAW_FAULTS = {
    "an element left open": ("</svg>", "", None, "still open"),
    "an element closed by another": ("</text>", "</tex>", 6, "'</tex>'"),
    "an attribute without quotes": ('rx="8"', "rx=8", 3, "'rx=8"),
    "an attribute twice": ('rx="8"', 'rx="8" rx="8"', 3, "second rx"),
    "no space between attributes": ('rx="8" ', 'rx="8"', 3, "a space before each"),
    "an unknown element": ("<rect", "<rekt", 2, "did you mean `rect`"),
    "a script": ("<circle", "<script/><circle", 4, "<script"),
    "an attribute that does something": ('rx="8"', 'onload="x()"', 3, "onload"),
    "an unknown entity": ("AI", "A&B;I", 5, "&B;"),
    "a bare ampersand": ("AI", "A & I", 5, "'&'"),
    "a colour by name": ("#3b82f6", "blue", 4, "fill 'blue'"),
    "words between elements": ("<circle", "AI <circle", 3, "'AI'"),
    "another view box": ("0 0 128 128", "0 0 64 64", 1, "viewBox"),
    "no namespace": (' xmlns="http://www.w3.org/2000/svg"', "", 1, "xmlns"),
    "a second document": ("</svg>", "</svg><svg/>", 8, "nothing after"),
    "a broken tag": ("<circle", "<<circle", 3, "'<'"),
    "off the canvas": ('cx="30"', 'cx="300"', 4, "x 287..313"),
    "a shape inside a shape": (f"/>{CIRCLE}", f">{CIRCLE}</rect>", 4, "inside <rect>"),
    "a shape inside words": ("AI</text>", f"AI{CIRCLE}tail</text>", 6, "inside <text>"),
    "words inside words": ("AI</text>", f"AI{WORDS}</text>", 6, "inside <text>"),
    "elements that cross": ("</text></svg>", "</svg></text>", 6, "</text> before it"),
}  # fmt: skip


@pytest.mark.parametrize("fault", RAW_FAULTS)
def test_a_fault_in_raw_svg_is_named_at_its_tag(fault: str) -> None:
    old, new, place, needle = RAW_FAULTS[fault]
    assert old in SVG and raw_svg.parse(SVG)
    with pytest.raises(SurfaceError) as caught:
        raw_svg.parse(SVG.replace(old, new, 1))
    assert any(v.token in (place, place and place - 1) and needle in str(v) for v in caught.value.violations), str(
        caught.value
    )


def test_words_must_stay_on_the_canvas() -> None:
    one = case.load("atoms", "answers_of_the_page_cache")
    slots = {**one.content["slots"], "line_2": "words that are much too long for so small a picture"}
    with pytest.raises(CompileError, match=r"content\.line_2"):
        compiler.compile(one.scene(Style()), {"slots": slots})
    with pytest.raises(CompileError, match=r"content\.line_3.*line_9"):
        compiler.compile(one.scene(Style()), {"slots": dict.fromkeys([*list(slots)[:-1], "line_9"], "x")})


def test_a_free_drawing_is_still_held_to_its_canvas() -> None:
    tree = compiler.lay_out(order.lower(next(order.every())), {})
    assert tree.free and not check(tree)
    mark = tree.root.children[0]
    mark.x = tree.width - mark.w + 2 * EPS  # type: ignore[union-attr]
    assert "inside 128 x 128" in str(check(tree)[0])


def test_faults_of_form_hide_no_faults_of_geometry() -> None:
    text = SVG.replace('cx="30"', 'cx="300"', 1) + " tail"
    with pytest.raises(SurfaceError) as caught:
        raw_svg.parse(text)
    told = [str(v) for v in caught.value.violations]
    assert any("x 287..313" in line for line in told) and any("tail" in line for line in told), told
