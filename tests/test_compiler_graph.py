"""How graphs are arranged: rows by the longest way, waypoints for arrows that skip rows, stacks where a row would be too wide."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from experiments import case, compiler, surfaces
from experiments.compiler import chain, hang, layered
from experiments.compiler.tree import Box, Link, Text, walk
from experiments.scene import Component, Scene
from experiments.style import DENSITIES, Style


def test_rows_follow_the_longest_way_and_a_way_back_takes_no_row() -> None:
    made = layered.arrange(("a", "b", "c", "d"), (("a", "b"), ("b", "c"), ("c", "b"), ("a", "d"), ("c", "d")), ("a",))
    real = [tuple(name for name in row if name not in made.waypoints) for row in made.rows]
    assert real == [("a",), ("b",), ("c",), ("d",)]
    assert made.ways["c", "b"] == (("c", "b"),), "it goes round the outside"
    steps = made.ways["a", "d"]
    assert len(steps) == 3 and {end for _, end in steps[:-1]} == made.waypoints and len(made.waypoints) == 2


def test_what_nothing_leads_to_comes_last() -> None:
    made = layered.arrange(("a", "b", "x", "y"), (("a", "b"), ("x", "y"), ("y", "x")), ("a",))
    assert made.rows == (("a",), ("b",), ("x", "y"))


def test_an_arrow_that_skips_rows_passes_between_the_cards() -> None:
    one = case.load("flow_graph", "decoder_block")
    tree = compiler.lay_out(one.scene(Style()), one.content)
    boxes = {node.path: node for node in walk(tree.root) if isinstance(node, Box)}
    link = next(node for node in walk(tree.root) if isinstance(node, Link) and node.path == "stream->add_a")
    heights = [y for _, y in link.points]
    assert heights == sorted(heights), "never upwards"
    assert min(heights) <= boxes["norm_a"].y and max(heights) >= boxes["attention"].bottom


@pytest.mark.parametrize(
    ("ids", "ends", "found"),
    [
        ("abc", ["ab", "bc"], list("abc")),
        ("cab", ["ab", "bc"], list("abc")),
        ("abc", ["ab"], None),
        ("abc", ["ab", "ac"], None),
        ("abc", ["ab", "bc", "ca"], None),
        ("abcd", ["ab", "cd", "dc"], None),
    ],
)
def test_a_chain_is_one_way_through_all(ids: str, ends: list[str], found: list[str] | None) -> None:
    assert chain.order(list(ids), [(a, b) for a, b in ends]) == found


def test_only_what_ends_a_branch_is_stacked_and_only_where_a_row_is_too_wide() -> None:
    ids = ("r", *(f"q{i}" for i in range(3)), *(f"o{i}" for i in range(7)))
    edges = (
        *(("r", f"q{i}") for i in range(3)),
        *((f"q{i % 3}", f"o{i}") for i in range(6)),
        ("q0", "o6"),
        ("q1", "o6"),
    )
    assert not hang.fold(ids, edges, ("r",), 7).stacks
    folded = hang.fold(ids, edges, ("r",), 4)
    assert set(folded.stacks.values()) == {("o0", "o3"), ("o1", "o4"), ("o2", "o5")}, "o6 has two ways in"
    assert folded.edges[-2:] == (("q0", "o6"), ("q1", "o6")) and len(folded.ids) == len(ids) - 3
    halved = hang.fold(ids, edges, ("r",), 5)
    assert sum(map(len, halved.stacks.values())) == 4, "one more column, so one branch is not stacked"


@pytest.mark.parametrize("density", DENSITIES)
def test_a_wide_tree_stays_on_the_page(density: str) -> None:
    """Three questions with four outcomes each: every card and every arrow is there, and the page is no wider than usual."""
    nodes, outcomes = ["root", "a", "b", "c"], [f"{q}_{i}" for q in "abc" for i in range(4)]
    edges = [("root", q) for q in "abc"] + [(name[0], name) for name in outcomes]
    content = {
        "header": {"headline": "Wide"},
        "nodes": {name: {"title": f"Is it {name}?"} for name in nodes},
        "outcomes": {name: {"title": f"Do {name}", "body": "Then look again."} for name in outcomes},
        "edges": {f"{a}_{b}": "if so" for a, b in edges},
    }
    parts = [Component("header_band", ref="header")]
    parts += [Component("decision_node", id=name, ref=f"nodes.{name}") for name in nodes]
    parts += [Component("outcome_panel", id=name, ref=f"outcomes.{name}") for name in outcomes]
    parts += [Component("decision_edge", source=a, target=b, ref=f"edges.{a}_{b}") for a, b in edges]
    picture = compiler.compile(Scene("decision_tree", Style(density=density), "wide", components=tuple(parts)), content)
    drawn = list(walk(picture.tree.root))
    assert picture.width == 1200
    assert {n.path for n in drawn if isinstance(n, Link)} == {f"{a}->{b}" for a, b in edges}
    assert {*nodes, *outcomes} <= {n.path for n in drawn if isinstance(n, Box)}


def test_outcomes_may_share_a_last_one_and_never_ask_again() -> None:
    text = (
        "[scene] [layout:decision_tree] [topic:t] [header_band:header] [decision_node:q|nodes.q] [outcome_panel:a|outcomes.a]"
        " [outcome_panel:b|outcomes.b] [outcome_panel:finish|finish] [decision_edge:q->a|edges.e] [decision_edge:q->b|edges.e]"
        " [decision_edge:a->finish|edges.e] [decision_edge:b->finish|edges.e] [/scene]"
    )
    panel = {"title": "Words"}
    content = {
        "header": {"headline": "H"},
        "nodes": {"q": panel},
        "outcomes": {"a": panel, "b": panel},
        "finish": panel,
        "edges": {"e": "then"},
    }
    assert compiler.compile_text("compact", text, content).svg
    with pytest.raises(surfaces.SurfaceError, match="leaves the outcome `a` for a question"):
        surfaces.load("compact").parse(text.replace("q->a", "b->a").replace("a->finish", "a->q"))


def drawn(nodes: int, edges: list[tuple[str, str]]) -> compiler.Picture:
    """A decision tree of questions `n0`, `n1`, ... and of whatever else the edges lead to."""
    questions = [f"n{i}" for i in range(nodes)]
    outcomes = list(dict.fromkeys(b for _, b in edges if b not in questions))
    content = {
        "header": {"headline": "Branches"},
        "nodes": {name: {"title": name, "body": "a short question"} for name in questions},
        "outcomes": {name: {"title": name} for name in outcomes},
        "edges": {f"{a}_{b}": f"to {b}" for a, b in edges},
    }
    parts = [Component("header_band", ref="header")]
    parts += [Component("decision_node", id=name, ref=f"nodes.{name}") for name in questions]
    parts += [Component("outcome_panel", id=name, ref=f"outcomes.{name}") for name in outcomes]
    parts += [Component("decision_edge", source=a, target=b, ref=f"edges.{a}_{b}") for a, b in edges]
    return compiler.compile(Scene("decision_tree", Style(), "branches", components=tuple(parts)), content)


def crossed(picture: compiler.Picture) -> list[tuple[str, str]]:
    """The links that cross; each of their stretches is level or upright."""
    links = [node for node in walk(picture.tree.root) if isinstance(node, Link)]
    level = [(ln.path, *sorted((a[0], b[0])), a[1]) for ln in links for a, b in pairwise(ln.points) if a[1] == b[1]]
    upright = [(ln.path, a[0], *sorted((a[1], b[1]))) for ln in links for a, b in pairwise(ln.points) if a[0] == b[0]]
    return [
        (one, other)
        for one, left, right, y in level
        for other, x, top, bottom in upright
        if left < x < right and top < y < bottom
    ]


def test_branches_of_a_tree_do_not_cross() -> None:
    smallest = [("n0", "n1"), ("n0", "n2"), ("n0", "o2"), ("n1", "o1"), ("n1", "o3"), ("n2", "o0")]
    assert crossed(drawn(3, smallest)) == []
    dice = random.Random(4)
    for _ in range(40):
        nodes = dice.randint(3, 7)
        edges = [(f"n{dice.randrange(i)}", f"n{i}") for i in range(1, nodes)]
        edges += [(f"n{dice.randrange(nodes)}", f"o{i}") for i in range(dice.randint(3, 7))]
        assert crossed(drawn(nodes, edges)) == [], edges


def test_the_longest_way_back_runs_outermost() -> None:
    edges = [("n0", "n1"), ("n1", "n2"), ("n2", "n3"), ("n3", "o"), ("n3", "n0"), ("n2", "n1")]
    links = {node.path: node for node in walk(drawn(4, edges).tree.root) if isinstance(node, Link)}
    centre = links["n0->n1"].points[0][0]
    reach = {path: max(abs(x - centre) for x, _ in links[path].points) for path in ("n3->n0", "n2->n1")}
    assert reach["n3->n0"] > reach["n2->n1"]


def test_labels_take_turns_in_two_tiers_before_a_word_is_broken() -> None:
    words = ("quantization", "scheduler map", "normalisation", "lane build")
    ends = [("a", "b"), ("a", "c"), ("a", "d"), ("b", "e"), ("c", "e"), ("d", "e"), ("a", "e")]
    content = {
        "header": {"headline": "Dense"},
        "nodes": {name: {"title": f"Node {name}"} for name in "abcd"},
        "result": {"title": "End"},
        "edges": {a + b: {"label": words[i % 4]} for i, (a, b) in enumerate(ends)},
    }
    parts = [Component("header_band", ref="header")]
    parts += [Component("decision_node", id=name, ref=f"nodes.{name}") for name in "abcd"]
    parts += [Component("outcome_panel", id="e", ref="result")]
    parts += [Component("decision_edge", source=a, target=b, ref=f"edges.{a}{b}") for a, b in ends]
    picture = compiler.compile(Scene("flow_graph", Style(), "dense", components=tuple(parts)), content)
    texts = [node for node in walk(picture.tree.root) if isinstance(node, Text) and node.path.startswith("edges.")]
    labels = [edge["label"] for edge in content["edges"].values()]
    assert len(texts) == len(ends) and all(" ".join(text.lines) in labels for text in texts)
    assert len({text.y for text in texts}) == 3, "one tier above the first row, two above the result"
