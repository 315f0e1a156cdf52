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


# ---- drawings that place their own shapes


def words_at(x: int = 20, y: int = 50, fill: str = "black") -> str:
    """Five letters of 12 px, about 47 px wide, on the line y."""
    return f"[text] [tx:{x}] [ty:{y}] [font:12] [anchor:start] [fill:{fill}] WORDS [/text]"


def box(x: int, y: int, w: int, h: int, paint: str, round_: int = 0) -> str:
    return f"[rect] [x:{x}] [y:{y}] [width:{w}] [height:{h}] [rx:{round_}] {paint}"


def faults_of(body: str) -> str:
    try:
        picture = compiler.compile_text("atoms", f"[svg] [w:200] [h:100] [bg:paper] {body} [/svg]", {})
    except compiler.CompileError as error:
        return "\n".join(map(str, error.violations))
    assert not check(picture.tree)
    return ""


SLATE, WHITE = "[fill:slate]", words_at(fill="white")
LEGIBLE = {
    "words on the page": words_at(),
    "light words on a dark box": f"{box(10, 30, 70, 30, SLATE)} {WHITE}",
    "in a box with round corners": f"{box(14, 36, 60, 22, SLATE, 11)} {WHITE}",
    "in a circle": f"[circle] [cx:44] [cy:47] [r:26] {SLATE} {WHITE}",
    "in a triangle": f"[polygon] [points:42,2|120,60|0,60] {SLATE} {WHITE}",
    "in an open polyline that is filled": f"[polyline] [points:10,30|90,30|90,60|10,60] {SLATE} {WHITE}",
    "between the two legs of an angle": f"[polygon] [points:2,10|2,70|90,70|90,66|8,66|8,10] [fill:black] {words_at()}",
    "in a frame": f"{box(16, 36, 56, 22, '[stroke:black] [sw:2]')} {words_at()}",
    "on a card that hides a dark one": f"{box(10, 30, 70, 30, SLATE)} {box(15, 35, 60, 24, '[fill:white]')} {words_at()}",
    "on a shape that is not painted": f"{box(30, 30, 20, 30, '[fill:none]')} {words_at()}",
    "on a box without width": f"{box(40, 30, 0, 30, '[fill:black] [stroke:black] [sw:4]')} {words_at()}",
    "in a ring": f"[circle] [cx:44] [cy:47] [r:25.7] [stroke:black] [sw:2] {words_at()}",
    "in an open box": f"[polyline] [points:10,47|10,62|90,62|90,47] [stroke:black] [sw:2] {words_at()}",
    "above a line": f"{words_at()} [line] [x1:80] [y1:54] [x2:10] [y2:54] [stroke:black] [sw:2]",
    "beside a later box": f"{words_at()} {box(68, 40, 20, 20, SLATE)}",
    "two lines": f"{words_at()} {words_at(y=62)}",
}
ILLEGIBLE = {
    "words in the colour of the page": (words_at(fill="paper"), "scene.words.0: got #f8fafc on #f8fafc: contrast 1.00"),
    "faint words": (words_at(fill="gray"), "contrast 2.4"),
    "words without a colour": (words_at(fill="none"), "scene.words.0: got words that are not painted: 'WORDS'"),
    "words in the colour of their box": (f"{box(10, 30, 70, 30, SLATE)} {words_at(fill='slate')}", "contrast 1.00"),
    "out of their box": (f"{box(10, 30, 40, 30, SLATE)} {WHITE}", "on #f8fafc, #1f2937"),
    "over a round corner": (f"{box(16, 38, 54, 18, SLATE, 40)} {WHITE}", "on #f8fafc, #1f2937"),
    "out of their circle": (f"[circle] [cx:44] [cy:47] [r:24] {SLATE} {WHITE}", "on #f8fafc, #1f2937"),
    "out of their triangle": (f"[polygon] [points:42,30|120,60|0,60] {SLATE} {WHITE}", "on #f8fafc, #1f2937"),
    "half on a dark box": (f"{box(60, 30, 40, 30, SLATE)} {words_at()}", "on #f8fafc, #1f2937"),
    "over a small mark": (f"[polygon] [points:40,44|44,50|36,50] [fill:black] {words_at()}", "on #f8fafc, #111827"),
    "on an outline": (f"{box(10, 46, 90, 40, '[stroke:black] [sw:2]')} {words_at()}", "contrast 1.00"),
    "on a ring": ("[circle] [cx:50] [cy:50] [r:20] [stroke:black] [sw:2] " + words_at(), "contrast 1.00"),
    "on the last side of a triangle": (f"[polygon] [points:10,47|50,90|90,47] [stroke:black] [sw:1] {words_at()}", "contrast 1.00"),
    "on a line that runs up": (f"[line] [x1:60] [y1:80] [x2:30] [y2:20] [stroke:black] [sw:1] {words_at()}", "contrast 1.00"),
    "on the edge of a thick line": (f"[line] [x1:10] [y1:58] [x2:90] [y2:58] [stroke:black] [sw:14] {words_at()}", "contrast 1.00"),
    "on the open end of a polyline": (f"[polyline] [points:90,20|90,47|60,47] [stroke:black] [sw:1] {words_at()}", "contrast 1.00"),
    "under a box": (f"{words_at()} {box(60, 40, 30, 30, '[fill:white]')}", "scene.words.0: got a rect at x 60.0..90.0, y 40.0..70.0 over the words"),
    "under a line": (f"{words_at()} [line] [x1:90] [y1:48] [x2:10] [y2:48] [stroke:red] [sw:1]", "a line at x 10.0..90.0, y 48.0..48.0 over"),
    "under an outline": (f"{words_at()} [circle] [cx:60] [cy:50] [r:20] [stroke:red] [sw:1]", "a circle at x 40.0..80.0"),
    "words on words": (f"{words_at()} {words_at(x=60, y=56)}", "expected clear of the words of `words.0` x 20."),
}  # fmt: skip


@pytest.mark.parametrize("drawing", LEGIBLE)
def test_words_of_a_drawing_that_can_be_read_pass(drawing: str) -> None:
    assert faults_of(LEGIBLE[drawing]) == ""


@pytest.mark.parametrize("drawing", ILLEGIBLE)
def test_words_of_a_drawing_that_cannot_be_read_are_refused(drawing: str) -> None:
    body, needle = ILLEGIBLE[drawing]
    assert needle in faults_of(body), faults_of(body)


def test_a_drawing_is_held_to_fewer_rules() -> None:
    """Its shapes may lie over each other, its words may be small and reach out of the shape that they stand in."""
    small, cards = (
        words_at(y=80).replace("font:12", "font:4"),
        [box(10, 30, 40, 30, "[fill:white]"), box(30, 40, 40, 30, "[fill:mint]")],
    )
    assert faults_of(" ".join([*cards, words_at(), small])) == ""


def test_words_of_a_slot_are_named_by_their_content() -> None:
    """A text that is longer than the scene had in mind runs out of its box: the content is to be shortened."""
    text = (
        f"[svg] [w:200] [h:100] [bg:paper] {box(10, 30, 70, 30, SLATE)} {WHITE.replace('WORDS', '[slot:name]')} [/svg]"
    )
    assert compiler.compile_text("atoms", text, {"slots": {"name": "WORDS"}})
    with pytest.raises(compiler.CompileError, match=r"content\.name: got #f8fafc on #f8fafc, #1f2937"):
        compiler.compile_text("atoms", text, {"slots": {"name": "WORDS THAT RUN ON"}})
