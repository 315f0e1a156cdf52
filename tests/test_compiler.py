"""The compiler over everything that is found: every case, style and legal count gives a sound, valid, repeatable
picture.

A fixed sample of the product runs by default; `cktrack check`, or `CKTRACK_FULL=1 pytest tests/test_compiler.py`, runs all of it.
"""

from __future__ import annotations

import copy
import os
import random
import re
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise, product

import pytest
from defusedxml.ElementTree import fromstring
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments import arrange, case, compiler, families, surfaces, sweep
from experiments.compiler import CompileError, canonical, png, validate
from experiments.compiler.bind import bind
from experiments.family import Fault
from experiments.scene import Component, Counts, Scene
from experiments.style import AXES, DENSITIES, Style
from experiments.surfaces import SurfaceError, bundle, gold
from experiments.violation import Violation

validator = sys.modules[validate.__module__]
FULL = os.environ.get("CKTRACK_FULL") == "1"
STYLES = list(sweep.LOOKS)


@pytest.mark.parametrize("one", case.every(), ids=lambda c: c.id)
def test_every_picture_is_sound(one: case.Case) -> None:
    """compile() itself checks the tree and validates the SVG; `judge` wants a picture, or a refusal where the family's rules forbid it."""
    tally = sweep.Tally()
    for shot in sweep.looks(one, 1 if FULL else 60 if one.form else 9):
        sweep.judge(shot, tally)
    for shot in list(sweep.further(one))[:: 1 if FULL else 3]:
        sweep.judge(shot, tally)
    assert not tally.faults and tally.pictures >= 20


def test_a_sweep_shows_every_case_in_every_look_and_with_every_further_value() -> None:
    """Also a case whose own text states no further value: the layout that draws it meets these in other texts."""
    values = {(name, value) for name in sweep.FURTHER for value in AXES[name]}
    for one in case.every():
        legal, looks, further = sweep.counts_of(one), list(sweep.looks(one)), list(sweep.further(one))
        assert {(shot.style, shot.counts) for shot in looks} >= set(product(STYLES, legal)), one.id
        assert {shot.counts for shot in further} <= set(legal), one.id
        for density in DENSITIES:
            styles = [shot.style for shot in further if shot.style.density == density]
            assert {(name, getattr(style, name)) for style in styles for name in sweep.FURTHER} >= values, one.id


@pytest.mark.parametrize("one", case.every(), ids=lambda c: c.id)
def test_counts_are_drawn(one: case.Case) -> None:
    """Each component of the scene is in the tree, and nothing of the content beyond it."""
    legal: list[Counts | None] = [None]
    if one.surface == "bundle":
        legal = list(families.load(one.family).forms[one.form].legal())
    for counts in legal if FULL else legal[:: max(1, len(legal) // 6)]:
        scene = one.scene(Style(), counts)
        tree = compiler.lay_out(scene, one.content)
        paths = {getattr(node, "path", "") for node in compiler.tree.walk(tree.root)}
        for part in scene.components:
            if part.ref and part.kind != "address_strip":
                assert any(path == part.ref or path.startswith(f"{part.ref}.") for path in paths), part
            closed = {slot.name for slot in families.load(one.family).kinds[part.kind].slots if slot.legal}
            assert {path for name, path in part.fields if name not in closed} <= paths, part
        said = [path for part in scene.components for path in (*part.paths, part.id) if path]
        for node in compiler.tree.walk(tree.root):
            if isinstance(node, compiler.tree.Text) and not tree.free:
                assert any(node.path.startswith(path) for path in said), node.path


def test_a_picture_that_is_not_sound_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sweep names the picture and what is wrong with it: a fault of the layout, a size, a picture that its rules forbid."""
    shot, tally = next(sweep.looks(case.load("timeline", "http_versions"))), sweep.Tally()
    with monkeypatch.context() as planted:
        planted.setattr(compiler, "check", lambda tree: [Violation("canvas", "a crack", "none")])
        sweep.judge(shot, tally)
    with monkeypatch.context() as planted:
        planted.setattr(sweep, "SIDES", (400.0, 500.0, 3000.0))
        sweep.judge(shot, tally)
    with monkeypatch.context() as planted:
        planted.setattr(type(families.load("timeline")), "inspect", lambda self, scene: iter([Fault(None, "a", "b")]))
        sweep.judge(shot, tally)
    assert (tally.pictures, tally.refused) == (1, 1) and len(tally.faults) == 2
    assert all(fault.startswith("timeline/http_versions with theme infra_dark, tone amber") for fault in tally.faults)
    assert "canvas: got a crack" in tally.faults[0] and "expected 400 to 500 px wide" in tally.faults[1]


def test_connectors_and_heroes_look_as_they_are_called() -> None:
    one = case.load("decision_tree", "failure_triage")
    drawn = {name: compiler.compile(one.scene(Style(connector=name)), one.content).svg for name in AXES["connector"]}
    assert drawn["arrow"] == drawn["tree"] == compiler.compile(one.scene(Style()), one.content).svg
    assert len(set(drawn.values())) == len(drawn) - 1
    heads = {name: svg.count("<polygon") for name, svg in drawn.items()}
    assert heads["line"] == heads["bracket"] == heads["curve"] - 7 and "Q" not in re.sub(
        ">[^<]*<", "", drawn["bracket"]
    )
    parts = {}
    for hero in AXES["hero"]:
        tree = compiler.lay_out(one.scene(Style(hero=hero)), one.content)
        parts[hero] = {n.path: n for n in compiler.tree.walk(tree.root) if isinstance(n, compiler.tree.Text)}
    left, split, centre = (parts[hero] for hero in ("left", "split", "center"))
    assert centre["header.headline"].anchor == "middle" and left["header.headline"].anchor == "start"
    assert split["header.subtitle"].x > split["header.headline"].extent()[1]
    assert (
        left["header.subtitle"].y > left["header.headline"].y and left["header.subtitle"].x == left["header.headline"].x
    )


def test_styles_look_different() -> None:
    one = case.load("table_matrix", "isolation_levels")
    pictures = {style: compiler.compile(one.scene(style), one.content) for style in STYLES}
    assert len({p.svg for p in pictures.values()}) == len(STYLES)
    heights = [pictures[Style(density=d)].height for d in DENSITIES]
    assert heights[0] * 1.12 < heights[1] and heights[1] * 1.12 < heights[2]


def without_form(one: case.Case, surface: str, counts: Counts | None = None, **asked: str) -> Scene:
    """A case with a form as a surface says it that has no tag for one."""
    scene = arrange.arrange(one.scene(Style(), counts), one.id, asked)
    module = surfaces.load(surface)
    return module.parse(module.format(scene))


SAID = [(f, s) for f in bundle.families() for s in surfaces.names() if f in surfaces.load(s).families()]


@pytest.mark.parametrize(("family", "surface"), SAID)
def test_forms_look_different(family: str, surface: str) -> None:
    """Whether the text states the form, or only the content does."""
    drawn = set()
    for form in families.load(family).forms:
        one = next(c for c in case.every(family, "bundle") if c.form == form)
        scene = one.scene(Style()) if surface == "bundle" else without_form(one, surface)
        tree = compiler.lay_out(scene, one.content)
        shapes = {type(n).__name__ + getattr(n, "kind", "") for n in compiler.tree.walk(tree.root)}
        drawn.add((len(tree.root.children), *sorted(shapes)))
    assert len(drawn) == len(families.load(family).forms)


@pytest.mark.parametrize("one", [c for c in case.every() if c.form], ids=lambda c: c.id)
def test_a_scene_without_a_form_is_drawn_in_the_form_of_its_content(one: case.Case) -> None:
    """Box by box as the bundle is, in every sample of counts; only addresses are not counted there."""

    def boxes(scene: Scene) -> list[str]:
        nodes = compiler.tree.walk(compiler.compile(scene, one.content).tree.root)
        return [node.path for node in nodes if isinstance(node, compiler.tree.Box | compiler.tree.Link)]

    every = sweep.counts_of(one)
    for counts in every[:: max(1, len(every) // 5)]:
        free = without_form(one, "compact", counts)
        assert not free.form and bind(free, one.content).form == one.form
        assert boxes(free) == boxes(one.scene(Style(), counts))


def test_lanes_and_form_of_a_timeline_are_both_seen() -> None:
    """Lanes put the stages, the form begins them with dates or numbers; content without a form goes by the lanes."""
    one = case.load("timeline", "http_versions")
    drawn = {}
    for form, lanes in product(families.load("timeline").forms, arrange.LANES):
        scene = without_form(one, "compact", lanes=lanes)
        drawn[form, lanes] = compiler.compile(scene, {**one.content, "form": form}).svg
    assert len(set(drawn.values())) == 6
    plain = {name: part for name, part in one.content.items() if name != "form"}
    for lanes in arrange.LANES:
        form = "stage_sequence" if lanes == "middle" else "milestone_chain"
        assert compiler.compile(without_form(one, "compact", lanes=lanes), plain).svg == drawn[form, lanes]


@pytest.mark.parametrize("stated", [True, False])
def test_what_a_selection_picks_is_drawn_without_a_form(stated: bool) -> None:
    """A tick in each stage, and another picture where another detail is picked; content that picks need not state its form."""
    one = case.load("system_diagram", "kernel_dispatch")
    document = copy.deepcopy({k: v for k, v in one.content.items() if stated or k != "form"})
    scene = without_form(one, "compact", order="pairs_swapped")
    tree = compiler.lay_out(scene, document)
    ticks = [n for n in compiler.tree.walk(tree.root) if getattr(n, "kind", "") == "polyline"]
    assert len(ticks) == len(scene.of("system_stage"))
    before = compiler.compile(scene, document).svg
    document["stages"]["stage_2"]["pick"] = 1
    assert compiler.compile(scene, document).svg != before


@pytest.mark.parametrize("family", ["memory_map", "system_diagram", "timeline"])
def test_content_states_any_form_of_its_family_and_no_other(family: str) -> None:
    one = next(c for c in case.every(family) if c.form)
    free = without_form(one, "gold")
    for form in families.load(family).forms:
        assert bind(free, {**one.content, "form": form}).form == form
    found = refused(gold.format(free), {**one.content, "form": "spiral"}, "gold")
    assert len(found) == 1 and found[0].startswith("content.form: got 'spiral'")


# ---- structures that no case has


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Scene, dict[str, object]]:
    """A tree or a flow with any edges, cycles and parts that nothing leads to included."""
    family = draw(st.sampled_from(("decision_tree", "flow_graph")))
    words = st.text("etaoin shrdlu", min_size=1, max_size=30).map(lambda text: " ".join(text.split()) or "word")
    nodes = [f"n{i}" for i in range(draw(st.integers(1, 6)))]
    outcomes = [f"o{i}" for i in range(draw(st.integers(0, 7)) if family == "decision_tree" else 1)]
    pairs = st.tuples(st.sampled_from(nodes), st.sampled_from(nodes + outcomes)).filter(lambda pair: pair[0] != pair[1])
    edges = draw(st.lists(pairs, unique=True, min_size=1, max_size=14)) if len(nodes + outcomes) > 1 else []
    panels = {name: {"title": draw(words), "body": draw(words)} for name in outcomes}
    content = {
        "header": {"headline": draw(words)},
        "nodes": {name: {"title": draw(words), "detail": draw(st.lists(words, max_size=2))} for name in nodes},
        "edges": {f"{a}_{b}": draw(words)[:12] for a, b in edges},
        **({"entry": {"label": draw(words)}, "outcomes": panels} if family == "decision_tree" else panels),
    }
    parts = [Component("header_band", ref="header")]
    parts += [Component("entry_badge", ref="entry")] if "entry" in content else []
    parts += [Component("decision_node", id=name, ref=f"nodes.{name}") for name in nodes]
    within = "outcomes." if family == "decision_tree" else ""
    parts += [Component("outcome_panel", id=name, ref=f"{within}{name}") for name in outcomes]
    parts += [Component("decision_edge", source=a, target=b, ref=f"edges.{a}_{b}") for a, b in edges]
    return Scene(family, draw(st.sampled_from(STYLES)), "any_graph", components=tuple(parts)), content


@given(graphs())
@settings(max_examples=120, deadline=None)
def test_any_graph_can_be_drawn(made: tuple[Scene, dict[str, object]]) -> None:
    scene, content = made
    try:
        compiler.compile(scene, content)
    except (
        CompileError
    ) as error:  # words that have no room are refused by their path; a fault of geometry would be a bug
        assert all(v.place.startswith("content.") for v in error.violations), str(error)


LONG = [
    "a",
    "of",
    "gate",
    "retry",
    "MMMMMMMM",
    "configuration",
    "0xFFFFFFFF",
    "version/v1/reports",
    "generated_train_runtime_summary",
]


def reword(value: object, draw: random.Random) -> None:
    """Replace a third of the words of a document by others of very different lengths."""
    for key, child in list(
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        if not isinstance(child, str):
            reword(child, draw)
        elif key not in ("form", "state", "span", "accent", "variant") and draw.random() < 0.33:
            value[key] = " ".join(draw.choices(LONG, k=draw.choice((1, 1, 2, 3, 5, 9))))[:150].strip()  # type: ignore[index]


@pytest.mark.parametrize("seed", range(8))
def test_words_of_any_length_fit_or_are_refused_by_their_path(seed: int) -> None:
    draw = random.Random(seed)
    for one in case.every():
        document = copy.deepcopy(dict(one.content))
        reword(document, draw)
        counts = draw.choice(families.load(one.family).forms[one.form].legal()) if one.surface == "bundle" else None
        try:
            compiler.compile(one.scene(draw.choice(STYLES), counts), document)
        except CompileError as error:
            assert all(v.place.startswith("content.") for v in error.violations), str(error)


def test_a_system_whose_links_branch() -> None:
    one = case.load("system_diagram", "query_path")
    scene = one.scene(Style())
    skip = Component("system_link", source="stage_1", target="stage_4", ref="links.stage_2_stage_3")
    links = [i for i, part in enumerate(scene.components) if part.kind == "system_link"]
    parts = (*scene.components[: links[-1] + 1], skip, *scene.components[links[-1] + 1 :])
    free = Scene(scene.family, scene.style, "branches", components=parts)
    assert gold.parse(gold.format(free)) == free
    assert compiler.compile(free, one.content).svg != compiler.compile(scene, one.content).svg


# ---- bytes


def test_the_same_bytes_in_another_process() -> None:
    """No clock, no set order, no hash seed in the output."""
    script = (
        "import hashlib; from experiments import case, compiler; from experiments.style import Style\n"
        "h = hashlib.sha256()\n"
        "for c in case.every(): h.update(compiler.compile(c.scene(Style(tone='mixed', background='mesh')), c.content).svg.encode())\n"
        "print(h.hexdigest())"
    )
    sums = {
        subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(sums) == 1


def test_content_may_change_between_compiles() -> None:
    """The cache of read contents goes by value: a document edited in place is read again."""
    one = case.load("timeline", "simd_history")
    document = copy.deepcopy(dict(one.content))
    before = compiler.compile(one.scene(Style()), document).svg
    document["header"]["headline"] = "Another headline"
    after = compiler.compile(one.scene(Style()), document).svg
    assert before != after and "Another headline" in after


def test_words_are_escaped() -> None:
    one = case.load("timeline", "simd_history")
    document = copy.deepcopy(dict(one.content))
    document["stages"]["stage_1"]["title"] = "<script>alert('x')</script> & \"quotes\" ]]> &#0;"
    picture = compiler.compile(one.scene(Style()), document)
    texts = "".join("".join(e.itertext()) for e in fromstring(picture.svg).iter())
    assert "<script" not in picture.svg and "<script>" in texts and "&#0;" in texts
    assert picture.svg.count("&amp;") >= 2


def test_document_frame() -> None:
    one = case.load("decision_tree", "nan_loss")
    picture = compiler.compile(one.scene(Style()), one.content)
    root = fromstring(picture.svg)
    assert (
        root.get("role") == "img"
        and root[0].tag.endswith("title")
        and root[0].text == one.content["header"]["headline"]
    )
    assert "3 decision nodes" in (root[1].text or "") and set(root.get("aria-labelledby", "").split()) == {
        root[0].get("id"),
        root[1].get("id"),
    }
    assert canonical(picture.svg) == canonical(f"\n{picture.svg}\n")


def test_png() -> None:
    one = case.load("memory_map", "database_page")
    picture = compiler.compile(one.scene(Style()), one.content)
    data = picture.png(600)
    assert data[:8] == b"\x89PNG\r\n\x1a\n" and int.from_bytes(data[16:20]) == 600
    with pytest.raises(CompileError, match="script"):
        png(picture.svg.replace("<desc", "<script/><desc", 1), 600)
    with pytest.raises(CompileError, match="16 to"):
        picture.png(100_000)


# ---- what is refused


def refused(text: str, content: object, surface: str = "bundle") -> list[str]:
    with pytest.raises((CompileError, SurfaceError)) as caught:
        compiler.compile_text(surface, text, content)  # type: ignore[arg-type]
    return [str(v) for v in caught.value.violations]


def test_content_with_fewer_items_than_the_counts_is_refused() -> None:
    one = case.load("memory_map", "gguf_file")
    document = copy.deepcopy(dict(one.content))
    del document["segments"]["segment_6"], document["segments"]["segment_7"]
    text = bundle.format(one.scene(Style(), (("segments", 7), ("brackets", 0), ("cards", 2))))
    found = refused(text, document)
    assert len(found) == 2 and all("the content has 5" in line for line in found)
    assert compiler.compile_text("bundle", text.replace("[segments:7]", "[segments:5]"), document)


def test_every_unresolved_reference_is_named() -> None:
    one = case.load("decision_tree", "merge_or_rebase")
    text = (
        gold.format(one.scene(Style()))
        .replace("nodes.shared]", "nodes.shred]")
        .replace("[label_ref:edges.history_squash]", "[label_ref:edges.none.at.all]")
    )
    found = refused(text, one.content, "gold")
    assert len(found) == 2 and "did you mean `shared`" in found[0] and "edges.none" in found[1]


@pytest.mark.parametrize(
    "ref",
    [
        "__class__",
        "header.__class__",
        "header.model_fields",
        "nodes.shared.title.upper",
        "groups.-1",
        "header",
        "nodes",
    ],
)
def test_references_reach_content_only_and_the_right_kind_of_it(ref: str) -> None:
    one = case.load("decision_tree", "merge_or_rebase")
    text = gold.format(one.scene(Style())).replace("[ref:nodes.shared]", f"[ref:{ref}]")
    assert refused(text, one.content, "gold")


def test_wrong_content_and_wrong_structure() -> None:
    one = case.load("system_diagram", "query_path")
    text = bundle.format(one.scene(Style()))
    assert refused(text, case.load("timeline", "simd_history").content)
    assert (
        refused(text, {})
        and refused(text, {"header": object()})
        and refused(text, {"header": {"headline": float("nan")}})
    )
    scene = one.scene(Style())
    fewer = replace(scene, components=scene.components[:-2])
    with pytest.raises(CompileError, match="lower"):
        compiler.compile(fewer, one.content)


def test_words_that_cannot_fit_are_refused_with_their_path() -> None:
    one = case.load("timeline", "http_versions")
    document = copy.deepcopy(dict(one.content))
    document["header"]["headline"] = "WWWWWWWW " * 17
    document["stages"]["stage_2"]["badge"] = "a DATE that is FAR TOO LONG for a badge, " * 3 + "in rows as well"
    found = refused(bundle.format(one.scene(Style(), (("stages", 6), ("arrows", 5), ("footer", 1)))), document)
    assert any(line.startswith("content.header.headline") for line in found)
    assert any(line.startswith("content.stages.stage_2.badge") for line in found)


@pytest.mark.parametrize("lanes", [("top",), ("bottom",), ("center",), ("top", "bottom"), ("top", "top", "bottom")])
def test_stages_with_notes_break_into_rows(lanes: tuple[str, ...]) -> None:
    """An ordinary note fits whatever the number of stages; rows of milestones are joined, and all arrows are there."""
    note = "The gate is checked before every release, and the result is kept beside the run so that nobody has to ask for it again in another week"
    assert 130 < len(note) <= 140
    for number, density in product(range(2, 10), DENSITIES):
        names = [f"stage_{i}" for i in range(number)]
        stage = {
            "badge": "2026-02-08",
            "title": "Unified gate path",
            "lines": ["make the gate the operator"],
            "note": note,
        }
        content = {"header": {"headline": "How the orchard grew"}, "stages": dict.fromkeys(names, stage)}
        parts = [Component("header_band", ref="header")]
        parts += [
            Component("timeline_stage", id=name, ref=f"stages.{name}", attributes=(("lane", lanes[i % len(lanes)]),))
            for i, name in enumerate(names)
        ]
        parts += [Component("timeline_arrow", source=a, target=b) for a, b in pairwise(names)]
        picture = compiler.compile(
            Scene("timeline", Style(density=density), "orchard", components=tuple(parts)), content
        )
        links = [n for n in compiler.tree.walk(picture.tree.root) if isinstance(n, compiler.tree.Link) and n.head]
        assert len(links) == number - 1 and picture.width == 1200


def orchard(number: int, arrows: list[tuple[int, int]], lanes: tuple[str, ...], form: str, style: Style) -> list[str]:
    """The arrows that are drawn of a timeline with these stages and arrows."""
    names = [f"stage_{i}" for i in range(number)]
    stage = {"badge": "2026-02-08", "title": "Unified gate path", "lines": ["make the gate the operator"]}
    content = {"form": form, "header": {"headline": "How it grew"}, "stages": dict.fromkeys(names, stage)}
    parts = [Component("header_band", ref="header")]
    parts += [
        Component("timeline_stage", id=name, ref=f"stages.{name}", attributes=(("lane", lanes[i % len(lanes)]),))
        for i, name in enumerate(names)
    ]
    parts += [Component("timeline_arrow", source=names[a], target=names[b]) for a, b in arrows]
    picture = compiler.compile_text(
        "gold", gold.format(Scene("timeline", style, "t", components=tuple(parts))), content
    )
    links = [n for n in compiler.tree.walk(picture.tree.root) if isinstance(n, compiler.tree.Link) and n.head]
    return sorted(link.path.replace(" badge", "") for link in links)


@pytest.mark.parametrize("form", ["milestone_chain", "stage_sequence"])
@pytest.mark.parametrize("lanes", [("top", "bottom"), ("bottom",), ("center",)])
@pytest.mark.parametrize(
    ("number", "further"),
    [
        (2, [(1, 0)]),
        (6, [(0, 2), (4, 1)]),
        (7, [(0, 3), (0, 4), (6, 0), (4, 3)]),
        (10, []),
        (16, [(0, 2), (4, 1), (1, 8), (11, 3), (15, 0), (0, 15), (5, 4)]),
    ],
)
def test_a_timeline_shows_arrows_that_lead_on_and_back(
    number: int, further: list[tuple[int, int]], lanes: tuple[str, ...], form: str
) -> None:
    """Each is a line of its own, whatever the form and the lanes, or the checker would refuse the picture; of sixteen stages as of two."""
    arrows = [*pairwise(range(number)), *further]
    for style in (Style(), Style(density="airy", canvas="tall", frame="panel"), Style(density="compact")):
        assert orchard(number, arrows, lanes, form, style) == sorted(f"stage_{a}->stage_{b}" for a, b in arrows)


@pytest.mark.parametrize("lane", ["top", "center"])
def test_a_timeline_draws_the_arrows_that_are_stated_and_no_others(lane: str) -> None:
    """There are as many as join all stages; which stages they join is the scene's affair."""
    arrows = [(0, 2), (2, 1), (1, 3)]
    assert orchard(4, arrows, (lane,), "stage_sequence", Style()) == [
        "stage_0->stage_2",
        "stage_1->stage_3",
        "stage_2->stage_1",
    ]
    with pytest.raises(surfaces.SurfaceError, match="2 arrows between 4 stages, expected at least 3"):
        orchard(4, arrows[:2], (lane,), "stage_sequence", Style())
    star = [pair for i in range(1, 16) for pair in ((0, i), (i, 0))]
    with pytest.raises(CompileError, match="arrows at one side of `stage_0`"):
        orchard(16, star, (lane,), "stage_sequence", Style(density="airy", canvas="tall"))


@pytest.mark.parametrize("form", list(families.load("memory_map").forms))
@pytest.mark.parametrize("more", [0, 1, 3])
def test_a_memory_map_shows_every_address_of_every_legal_number_of_segments(form: str, more: int) -> None:
    for number, pattern in product(
        range(1, families.load("memory_map").kinds["memory_segment"].at_most + 1), ("06X", "012X")
    ):
        offsets = [f"0x{i * 4096:{pattern}}" for i in range(number + more)]
        segments = {f"s{i}": {"title": f"Segment {i}", "size": "16 MB", "parts": ["part"]} for i in range(number)}
        content = {"form": form, "header": {"headline": "Where"}, "offsets": offsets, "segments": segments}
        parts = [Component("header_band", ref="header"), Component("address_strip", ref="offsets")]
        parts += [Component("memory_segment", id=name, ref=f"segments.{name}") for name in segments]
        for style in (Style(), Style(density="airy", canvas="square")):
            tree = compiler.compile(Scene("memory_map", style, "t", components=tuple(parts)), content).tree
            texts = [n for n in compiler.tree.walk(tree.root) if isinstance(n, compiler.tree.Text)]
            assert {line for t in texts for line in t.lines} >= set(offsets)


PAIR = {"left": {"title": "Left"}, "right": {"title": "Right"}}
TWINS: dict[str, tuple[str, dict[str, object], str]] = {
    "technical_diagram": (
        "[graph_node:left|nodes.left] [graph_node:right|nodes.right] [decision_edge:left->right|edges.go] [formula_strip:left|formula]"
        " [artifact_panel:left|artifacts.left] [artifact_panel:right|artifacts.right]",
        {
            "nodes": PAIR,
            "edges": {"go": "then"},
            "formula": {"title": "Loss", "equation": "y = a x"},
            "artifacts": PAIR,
        },
        "[artifact_panel:left|artifacts.right]",
    ),
    "comparison_board": (
        "[comparison_column:left|columns.left] [comparison_column:right|columns.right] [comparison_metric:left|metrics.left]"
        " [comparison_metric:right|metrics.right] [comparison_callout:left|callouts.left]",
        {
            "columns": PAIR,
            "metrics": {name: {"label": name, "value": "3 ms"} for name in PAIR},
            "callouts": PAIR,
        },
        "[comparison_callout:left|callouts.right]",
    ),
    "memory_map": (
        "[memory_segment:left|segments.left] [memory_segment:right|segments.right] [info_card:left|cards.left]",
        {"segments": PAIR, "cards": {"left": {"title": "Card", "items": ["one"]}}},
        "[info_card:left|cards.left]",
    ),
    "spectrum_map": (
        "[spectrum_pole:left|poles.left] [spectrum_pole:right|poles.right] [continuum_arc:left|continuum] [marker_band:left|markers.left]",
        {"poles": PAIR, "continuum": {"label": "Between"}, "markers": PAIR},
        "[marker_band:left|markers.right]",
    ),
}


@pytest.mark.parametrize("family", TWINS)
def test_parts_that_nothing_can_confuse_may_share_an_id(family: str) -> None:
    """Ids are the affair of a kind where no edge and no span names it; two of one kind are refused."""
    parts, content, again = TWINS[family]
    text = f"[scene] [layout:{family}] [topic:twins] [header_band:header] {parts} [/scene]"
    picture = compiler.compile_text("compact", text, {"header": {"headline": "Twins"}, **content})
    boxes = [node.path for node in compiler.tree.walk(picture.tree.root) if isinstance(node, compiler.tree.Box)]
    assert len(boxes) == len(set(boxes))
    assert "ids that occur once" in refused(text.replace(" [/scene]", f" {again} [/scene]"), {}, "compact")[0]


def test_an_edge_names_no_part_that_stands_apart() -> None:
    parts, content, _ = TWINS["technical_diagram"]
    parts = parts.replace("artifact_panel:left", "artifact_panel:aside").replace("left->right|", "left->aside|")
    found = refused(
        f"[scene] [layout:technical_diagram] [topic:t] [header_band:header] {parts} [/scene]", content, "compact"
    )
    assert "an edge end `aside`" in found[0]


@pytest.mark.parametrize(
    "family", [n for n in families.names() if "slots" not in families.load(n).content.model_fields]
)
def test_content_may_lie_in_a_table_of_slots(family: str) -> None:
    """The same picture comes of a document whose body lies under `slots`, whole or in part."""
    one = case.every(family)[0]
    scene = one.scene(Style())
    direct = compiler.compile(scene, one.content).svg
    assert compiler.compile(scene, {"slots": one.content}).svg == direct
    name, *others = one.content
    parted = {name: one.content[name], "slots": {other: one.content[other] for other in others}}
    assert compiler.compile(scene, parted).svg == direct or not others


def test_offsets_must_cover_the_blocks() -> None:
    one = case.load("memory_map", "request_arena")
    document = copy.deepcopy(dict(one.content))
    document["offsets"] = document["offsets"][:3]
    assert "content.offsets" in refused(bundle.format(one.scene(Style())), document)[0]


@pytest.mark.parametrize("family", ["memory_map", "memory_training_map"])
@pytest.mark.parametrize("form", ["stack", "typed", "arena"])
def test_addresses_that_are_not_tied_to_the_blocks_are_all_drawn(family: str, form: str) -> None:
    """A scene without counts draws every address of its content, however many blocks there are."""
    for blocks, number in product((2, 3, 4, 5), (1, 2, 6, 7, 9)):
        names = [f"s{i}" for i in range(blocks)]
        content: dict[str, object] = {
            "header": {"headline": "Orchard map"},
            "offsets": [f"0x{i:03X}AA" for i in range(number)],
            "segments": {name: {"title": name, **({"parts": ["q"]} if form == "arena" else {})} for name in names},
            "brackets": {"m": {"title": "between"}},
        }
        parts = [Component("header_band", ref="header"), Component("address_strip", ref="offsets")]
        parts += [Component("memory_segment", id=name, ref=f"segments.{name}") for name in names]
        parts += [Component("region_bracket", id="m", ref="brackets.m")] if form == "stack" else []
        svg = compiler.compile(Scene(family, Style(), "orchard", components=tuple(parts)), content).svg
        assert [words for words in content["offsets"] if words not in svg] == []  # type: ignore[attr-defined]


def test_a_brace_over_segments_that_are_not_drawn_is_refused() -> None:
    one = case.load("memory_map", "packet_headers")
    document = copy.deepcopy(dict(one.content))
    document["brackets"]["bracket_1"]["span"] = ["segment_2", "segment_7"]
    found = refused(bundle.format(one.scene(Style())), document)
    assert "brackets.bracket_1.span" in found[0] and "segment_7" in found[0]


# ---- the validator


SVG = compiler.compile(
    case.load("timeline", "simd_history").scene(Style(background="rings")),
    case.load("timeline", "simd_history").content,
).svg
BODY = SVG.index("</defs>") + 8
BAD = {
    "script": SVG[:BODY] + "<script>1</script>" + SVG[BODY:],
    "event attribute": SVG.replace("<rect ", '<rect onload="x()" ', 1),
    "style attribute": SVG.replace("<rect ", '<rect style="fill:red" ', 1),
    "class": SVG.replace("<rect ", '<rect class="a" ', 1),
    "link": SVG[:BODY]
    + '<a href="http://example.org"><text x="1" y="1" font-size="12" fill="#ffffff">x</text></a>'
    + SVG[BODY:],
    "image": SVG[:BODY] + '<image href="file:///etc/passwd"/>' + SVG[BODY:],
    "use": SVG[:BODY] + '<use href="#a"/>' + SVG[BODY:],
    "foreign object": SVG[:BODY] + "<foreignObject/>" + SVG[BODY:],
    "foreign namespace": SVG[:BODY] + '<rect xmlns="http://www.w3.org/1999/xhtml"/>' + SVG[BODY:],
    "namespaced attribute": SVG.replace("<rect ", '<rect xmlns:x="http://www.w3.org/1999/xlink" x:href="#a" ', 1),
    "style element": SVG[:BODY] + "<style>*{fill:red}</style>" + SVG[BODY:],
    "entity": '<!DOCTYPE svg [<!ENTITY a "b">]>' + SVG,
    "comment": SVG[:BODY] + "<!-- x -->" + SVG[BODY:],
    "processing instruction": SVG[:BODY] + "<?php x ?>" + SVG[BODY:],
    "declaration": '<?xml version="1.0"?>' + SVG,
    "not a number": SVG.replace('x="0"', 'x="NaN"', 1),
    "infinite": SVG.replace('x="0"', 'x="1e999"', 1),
    "outside": SVG.replace('<rect x="0"', '<rect x="2000"', 1),
    "named colour": SVG.replace('fill="#', 'fill="red" stroke="#', 1),
    "remote paint": SVG.replace("url(#g", "url(http://example.org/#g", 1),
    "huge canvas": SVG.replace('width="1200"', 'width="20000"', 1),
    "other view box": SVG.replace('viewBox="0 0', 'viewBox="5 0', 1),
    "no title": SVG.replace("<title", "<desc", 1).replace("</title>", "</desc>", 1),
    "no role": SVG.replace('role="img"', "", 1),
    "doubled ids": SVG.replace('id="d', 'id="t', 1).replace("<title id", "<title id", 1),
    "stray text": SVG[:BODY] + "words" + SVG[BODY:],
    "bidi": SVG.replace("</title>", "&#x202e;</title>", 1),
    "other root": "<html/>",
    "no namespace": SVG.replace(' xmlns="http://www.w3.org/2000/svg"', "", 1),
    "empty": '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10" viewBox="0 0 10 10" role="img"/>',
    "deep": SVG[:BODY] + "<g>" * 5000 + "</g>" * 5000 + SVG[BODY:],
    "nested text": SVG.replace("</text>", "<tspan><tspan><tspan>x</tspan></tspan></tspan></text>", 1),
    "cut off": SVG[:-20],
    "too long": SVG[:BODY] + " " * 600_000 + SVG[BODY:],
    "not XML": "picture",
}


def test_a_compiled_picture_is_valid() -> None:
    assert not validate(SVG)


@pytest.mark.parametrize("fault", BAD)
def test_validator_refuses(fault: str) -> None:
    assert BAD[fault] != SVG
    found = validate(BAD[fault])
    assert found and all(": got " in line and ", expected " in line for line in found)


PICTURES = [SVG] + [
    compiler.compile(one.scene(Style(background="mesh", connector="dashed")), one.content).svg
    for name in ("flow_graph", "table_matrix", "memory_map", "spectrum_map", "concept_editorial")
    for one in case.every(name)[:1]
]
PIECES = [
    *re.findall(r"<[^>]*>|[^<>]+|[a-z-]+=|\"[^\"]*\"", " ".join(PICTURES)),
    *('x="1"', ' y="1" x="1"', ' x="-1"', ' x="٣"', "&#10;", "&lt;", "&", "]]>", "\n", "\t", " ", "\x7f", "\u202e", "é", "<tspan>", "</text>"),
    *(' rx="1" rx="1"', ' stroke-dasharray="2 2"', '<text x="1" y="1" font-size="12" fill="#ffffff"></text>'),
    '<rect x="9999" y="0" width="1" height="1"/>',
]  # fmt: skip


@given(data=st.data())
@settings(max_examples=400, deadline=None)
def test_what_is_known_as_sound_by_its_text_has_no_fault(data: st.DataObject) -> None:
    """Whatever is done to a picture: no walk over its elements finds a fault in a text that was let through without one."""
    svg = data.draw(st.sampled_from(PICTURES))
    for _ in range(data.draw(st.integers(0, 3))):
        at, more = data.draw(st.integers(0, len(svg))), data.draw(st.sampled_from((0, 0, 1, 3, 9, 40)))
        svg = svg[:at] + data.draw(st.sampled_from(["", svg[at : at + 30], *PIECES])) + svg[at + more :]
    if validator._is_plain(svg):
        assert not validator._walk(svg)


@pytest.mark.parametrize("number", range(len(PICTURES)))
def test_one_piece_put_in_the_place_of_another_is_seen(number: int) -> None:
    """The same for every piece of a picture: taken out, doubled, or with each other piece of its kind in its place."""
    svg, let_through = PICTURES[number], 0
    places = [m.span() for m in re.finditer(r' [a-z0-9-]+="[^"]*"|<[^>]*>|(?<=>)[^<>\n]+', svg)]
    for n, (start, end) in enumerate(places[:: max(1, len(places) // 150)]):
        for new in ("", svg[start:end] * 2, PIECES[-1 - n % 24], PIECES[(n * 37) % len(PIECES)]):
            changed = svg[:start] + new + svg[end:]
            if validator._is_plain(changed):
                let_through += 1
                assert not validator._walk(changed), (svg[start:end], new)
    assert validator._is_plain(svg) and let_through


def test_what_families_draw_is_known_by_its_text() -> None:
    """Else every picture would be walked over: slower, and no less sound."""
    drawn = [path.read_text(encoding="utf-8") for path in families.FOLDER.glob("*/picture.svg")]
    assert len(drawn) == len(families.names()) and all(map(validator._is_plain, drawn))


def test_every_fault_is_left_to_the_walk() -> None:
    assert not [fault for fault, svg in BAD.items() if validator._is_plain(svg)]


def test_a_misspelt_key_hides_no_reference_that_leads_nowhere() -> None:
    one = case.load("flow_graph", case.every("flow_graph")[0].id)
    content = copy.deepcopy(dict(one.content))
    content["header"]["kikker"] = "A word"
    parts = tuple(
        replace(p, ref="nowhere.at_all") if p.ref and "nodes" in p.ref else p for p in one.scene(Style()).components
    )
    scene = replace(one.scene(Style()), components=parts)
    with pytest.raises(compiler.CompileError) as caught:
        compiler.compile(scene, content)
    places = [v.place for v in caught.value.violations]
    assert "content.header.kikker" in places and places.count("content.nowhere.at_all") >= 3, places
