"""The layout checker finds what is planted: overflow, overlap, crossing links, loose ends, small or faint text."""

from __future__ import annotations

import pytest

from experiments import case, compiler
from experiments.compiler.check import check
from experiments.compiler.metric import width
from experiments.compiler.tree import Box, Font, Link, Ornament, Text, Tree, walk
from experiments.style import Style

FONT = Font("sans", 16.0, 1.25)


def words(
    path: str,
    x: float,
    y: float,
    text: str = "words",
    colour: str = "#ffffff",
    font: Font = FONT,
    room: float | None = None,
) -> Text:
    wide = width(text, font.face, font.size) if room is None else room
    return Text(path, x, y, wide, font.size * font.lead, (text,), font, colour)


def tree(*nodes: Box | Text | Ornament | Link) -> Tree:
    """Two cards, left and right, with an arrow between them, on a 400 x 200 canvas, and what is added."""
    left, right = (
        Box("left", 20, 60, 100, 80, "#101010", radius=10),
        Box("right", 280, 60, 100, 80, "#101010", radius=10),
    )
    left.add(words("left.title", 30, 70))
    right.add(words("right.title", 290, 70))
    root = Box("canvas", 0, 0, 400, 200)
    root.add(left, right, Link("left->right", [(120, 100), (280, 100)], "left", "right", "#888888"), *nodes)
    return Tree(400, 200, ("#000000", "#000000"), ("#000000",), [], root, "title", "summary")


def found(*nodes: Box | Text | Ornament | Link) -> str:
    return "\n".join(map(str, check(tree(*nodes))))


def test_a_sound_tree_passes() -> None:
    assert found() == ""
    assert found(words("note", 20, 10), Box("label", 160, 150, 60, 30, "#202020")) == ""


PLANTED = {
    "box outside the canvas": ([Box("far", 360, 10, 60, 30)], "far: got x 360.0..420.0"),
    "text wider than its room": ([words("note", 20, 10, "a long line of words", room=60)], "note: got a line"),
    "text leaves the canvas": ([words("note", 340, 10, "a long line of words")], "note: got x 340.0"),
    "boxes overlap": ([Box("over", 100, 50, 60, 30)], "clear of `over`"),
    "text on a box": ([words("note", 90, 65)], "clear of"),
    "ornament on text": ([words("note", 20, 10), Ornament("rect", 40, 12, 10, 10)], "rect at (40, 12)"),
    "link through a box": ([Box("between", 180, 80, 40, 40)], "a line across `between`"),
    "link through text": ([words("note", 180, 92)], "a line across `note`"),
    "link too near a box": ([Box("between", 180, 101.5, 40, 40)], "a line across `between`"),
    "link with a loose end": (
        [Link("loose", [(140, 40), (290, 60)], "left", "right", "#888888")],
        "loose: got an end at (140.0, 40.0)",
    ),
    "link into a round corner": (
        [Link("corner", [(122, 30), (122, 60)], "left", "left", "#888888")],
        "corner: got an end",
    ),
    "link to nobody": ([Link("lost", [(120, 90), (280, 90)], "left", "nobody", "#888888")], "an end at `nobody`"),
    "link through its own card": (
        [Link("inside", [(20, 110), (280, 110)], "left", "right", "#888888")],
        "a line across `left`",
    ),
    "two links on one line": (
        [Link("twin", [(120, 101), (280, 101)], "left", "right", "#888888")],
        "on top of `left->right`",
    ),
    "faint text": ([words("note", 20, 10, colour="#333333")], "contrast"),
    "small text": ([words("note", 20, 10, font=Font("sans", 9.0, 1.25))], "type of 9 px"),
    "not a number": ([Box("odd", float("nan"), 10, 60, 30)], "odd: got x nan"),
    "negative size": ([Box("odd", 200, 150, -20, 30)], "non-negative"),
    "wrong height": ([Text("note", 20, 10, 80, 50, ("words",), FONT, "#ffffff")], "1 lines in 50.0 px"),
}


@pytest.mark.parametrize("defect", PLANTED)
def test_planted_defect_is_found(defect: str) -> None:
    nodes, needle = PLANTED[defect]
    assert needle in found(*nodes), found(*nodes)


def test_faint_text_inside_a_card_is_judged_on_the_card() -> None:
    card = Box("card", 20, 150, 100, 40, "#fafafa")
    card.add(words("card.title", 30, 160, colour="#ffffff"))
    assert "card.title: got #ffffff on #fafafa" in found(card)


def test_nested_defects_are_found() -> None:
    card = Box("card", 20, 150, 100, 40, "#101010")
    inner = Box("inner", 30, 155, 60, 30, "#202020")
    inner.add(words("inner.title", 80, 160))
    card.add(inner)
    assert "inner.title: got x 80.0" in found(card)


def test_links_must_also_avoid_what_lies_in_other_containers() -> None:
    frame = Box("frame", 130, 20, 140, 100)
    frame.add(Box("deep", 180, 80, 40, 39))
    assert "a line across `frame`" in found(frame)


def test_moving_any_card_of_a_real_picture_is_noticed() -> None:
    """A mutation test of the checker on a whole tree: shifting one box by half its width breaks something."""
    one = case.load("decision_tree", "failure_triage")
    sound = compiler.lay_out(one.scene(Style()), one.content)
    assert not check(sound)
    for path in [node.path for node in walk(sound.root) if isinstance(node, Box)]:
        moved = compiler.lay_out(one.scene(Style()), one.content)
        box = next(node for node in walk(moved.root) if isinstance(node, Box) and node.path == path)
        box.x += box.w / 2
        assert check(moved), path
