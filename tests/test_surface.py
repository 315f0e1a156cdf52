"""Contract of every surface that is found: exact round trips, strict reading with positions, a vocabulary that covers
what it writes.
"""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments import case, compiler, families, infographic, order, surfaces
from experiments.probes import score
from experiments.scene import Component, Scene
from experiments.style import AXES, Style
from experiments.surfaces import SurfaceError, atomic, bundle, compact, dotted, gold, keyed, raw_svg, semantic

SCENES = [c.scene(Style()) for name in ("gold", "keyed", "asset") for c in case.every(surface=name)]
DRAWINGS = [c.scene(Style()) for c in case.every("atoms")] + [
    order.lower(o) for o in (*islice(order.every(), 7, None, 97), *islice(order.every(True), 5, None, 997))
]
SPELLED = [raw_svg.spell(s) for s in DRAWINGS if len(s.of("text")) == len(s.words)]
ASKED = list(infographic.every(("compact", "balanced", "airy")))
LARGE, SMALL = (
    [
        infographic.dress(semantic.load(c.family), c.scene(Style()), asked, canvas)
        for i, c in enumerate(case.every(surface="semantic"))
        for asked in ASKED[i % 4 :: 11]
    ]
    for canvas in ("wide", semantic.CANVAS)
)
SMALL += [replace(s, components=(Component("source", id="drawn-by-hand"), *s.components)) for s in SMALL[::9]]
BUNDLES = [c.scene(Style()) for c in case.every(surface="bundle")]
FORMS = [(family, form) for family in bundle.families() for form in families.load(family).forms]
ANY_TAG = re.compile(r"\[[^\s\[\]]+\]")
PLAIN = ("theme", "tone", "density", "background")


def carried(name: str, scene: Scene) -> bool:
    """What each surface must be able to write; it refuses everything else."""
    if name == "raw_svg":
        return scene in SPELLED
    if name in ("semantic", "rich") and scene.family in semantic.families():
        return scene in SMALL if name == "semantic" else scene.style.canvas != semantic.CANVAS
    fits = scene.family in surfaces.load(name).families()
    return (
        fits
        and bool(scene.form) == (name == "bundle")
        and (scene.family == "atoms" or bool(scene.words) == (name == "asset"))
    )


PLACED = DRAWINGS + SPELLED + LARGE + SMALL
OWN = {
    name: tuple([scene for scene in pool if carried(name, scene)] for pool in (SCENES, PLACED))
    for name in surfaces.names()
}


@st.composite
def styles(draw: st.DrawFn, every_axis: bool = True) -> Style:
    chosen = {axis: draw(st.sampled_from(AXES[axis])) for axis in PLAIN}
    for axis in [a for a in AXES if a not in PLAIN] if every_axis else []:
        chosen[axis] = draw(st.sampled_from((None, *AXES[axis])))
    return Style(**chosen)


@st.composite
def scenes(draw: st.DrawFn, name: str | None = None) -> Scene:
    """A case's scene in any style, a drawing or an infographic, or a lowered bundle with any legal counts; one that the named surface
    carries, where one is named.
    """
    told, drawn = OWN[name] if name else (SCENES, PLACED)
    what = draw(
        st.sampled_from(
            [kind for kind, pool in enumerate((told, drawn, FORMS if name in (None, "bundle") else ())) if pool]
        )
    )
    if what == 0:
        scene, style = draw(st.sampled_from(told)), draw(styles())
        if list(families.load(scene.family).inspect(replace(scene, style=style))):
            style = replace(style, columns=None)  # a family that draws columns refuses another number of them
        return replace(scene, style=style, topic=draw(st.from_regex(r"\A[a-z][a-z0-9_]{0,20}\Z")))
    if what == 1:
        return draw(st.sampled_from(drawn))
    family, form = draw(st.sampled_from(FORMS))
    counts = draw(st.sampled_from(families.load(family).forms[form].legal()))
    return families.load(family).lower(form, counts, draw(styles(every_axis=False)))


@pytest.mark.parametrize("name", surfaces.names())
@given(scene=scenes())
@settings(max_examples=60, deadline=None)
def test_parse_inverts_format(name: str, scene: Scene) -> None:
    surface = surfaces.load(name)
    if not carried(name, scene):
        with pytest.raises(SurfaceError):
            surface.format(scene)
        return
    text = surface.format(scene)
    assert surface.parse(text) == scene
    assert surface.format(surface.parse(text)) == text
    assert surface.parse("\n".join(text.split())) == scene, "line breaks between tags mean nothing"


def asked(surface: surfaces.Surface, scene: Scene) -> str:
    """The prompt; nothing for a drawing that nobody orders."""
    try:
        return surface.prompt(scene)
    except SurfaceError as error:
        assert "no order asks" in str(error)
        return ""


@pytest.mark.parametrize("name", surfaces.names())
def test_vocabulary_covers_what_is_written(name: str) -> None:
    surface = surfaces.load(name)
    vocabulary = surface.vocabulary()
    assert len(set(vocabulary.tags)) == len(vocabulary.tags)
    assert all(re.fullmatch(r"\[[^\s\[\]]+\]", tag) for tag in vocabulary.tags)
    written = [*OWN[name][0], *OWN[name][1], *(BUNDLES if name == "bundle" else ())]
    assert written
    for scene in written:
        for tag in f"{asked(surface, scene)} {surface.format(scene)}".split():
            if ANY_TAG.fullmatch(tag):
                assert tag in vocabulary.tags or tag.startswith(vocabulary.prefixes), tag
        payload = {p.ref for p in scene.components} | {p.id for p in scene.components if p.kind != "terminal_panel"}
        assert not [t for t in vocabulary.tags for p in payload if p and t in (f"[ref:{p}]", f"[topic:{scene.topic}]")]


@pytest.mark.parametrize("name", surfaces.names())
def test_vocabulary_of_chosen_families_is_smaller(name: str) -> None:
    surface = surfaces.load(name)
    one, every = surface.vocabulary(surface.families()[:1]), surface.vocabulary()
    assert set(one.tags) < set(every.tags) or (len(surface.families()) == 1 and one == every)


@pytest.mark.parametrize("name", surfaces.names())
@given(data=st.data())
@settings(max_examples=120, deadline=None)
def test_damaged_text_is_refused_with_positions_or_means_something(name: str, data: st.DataObject) -> None:
    """Dropping, doubling or swapping a tag never raises anything but SurfaceError, and what still parses is
    canonical.
    """
    surface = surfaces.load(name)
    scene = data.draw(scenes(name))
    tags = surface.format(scene).split()
    at = data.draw(st.integers(0, len(tags) - 1))
    how = data.draw(st.sampled_from(("drop", "double", "swap", "noise")))
    damaged = list(tags)
    if how == "drop":
        del damaged[at]
    elif how == "double":
        damaged.insert(at, tags[at])
    elif how == "swap":
        damaged[at - 1], damaged[at] = damaged[at], damaged[at - 1]
    else:
        damaged[at] = data.draw(
            st.sampled_from(
                ("[frobnicate:1]", "words", "[theme:beige]", "[", "[/scene]", "[/bundle]", "[ref:]", "[a:b:c]")
            )
        )
    text = " ".join(damaged)
    try:
        got = surface.parse(text)
    except SurfaceError as error:
        assert error.violations
        assert all(v.token is None or 1 <= v.token <= len(damaged) + 2 for v in error.violations)
        return
    assert surface.parse(surface.format(got)) == got


@pytest.mark.parametrize("name", surfaces.names())
@given(text=st.text(max_size=200))
@settings(max_examples=80, deadline=None)
def test_garbage_is_refused(name: str, text: str) -> None:
    with pytest.raises(SurfaceError) as caught:
        surfaces.load(name).parse(text)
    assert caught.value.violations


BUNDLE = (
    "[bundle] [family:timeline] [form:milestone_chain] [theme:infra_dark] [tone:blue] [density:airy] [background:grid] "
    "[stages:5] [arrows:4] [footer:1] [/bundle]"
)
FAULTS = {
    "missing close marker": (BUNDLE.replace(" [/bundle]", ""), "close marker"),
    "unknown family": (BUNDLE.replace("timeline", "pie_chart"), "pie_chart"),
    "form of another family": (BUNDLE.replace("milestone_chain", "layer_stack"), "layer_stack"),
    "duplicate theme": (BUNDLE.replace("[tone", "[theme:infra_dark] [tone"), "second [theme:]"),
    "two bundles": (f"{BUNDLE} {BUNDLE}", "[bundle]"),
    "foreign count": (BUNDLE.replace("[/bundle]", "[cards:3] [/bundle]"), "[cards:3]"),
    "negative count": (BUNDLE.replace("[footer:1]", "[footer:-1]"), "[footer:-1]"),
    "count out of range": (BUNDLE.replace("[stages:5] [arrows:4]", "[stages:9] [arrows:8]"), "stages 9"),
    "counts that disagree": (BUNDLE.replace("[arrows:4]", "[arrows:3]"), "arrows 3"),
    "leading zero": (BUNDLE.replace("[footer:1]", "[footer:01]"), "[footer:01]"),
    "wrong order": (
        BUNDLE.replace("[theme:infra_dark] [tone:blue]", "[tone:blue] [theme:infra_dark]"),
        "after [tone:]",
    ),
    "missing tag": (BUNDLE.replace("[tone:blue] ", ""), "no [tone:]"),
    "unknown value": (BUNDLE.replace("[tone:blue]", "[tone:pink]"), "[tone:pink]"),
    "prompt tag inside": (BUNDLE.replace("[theme", "[task:svg] [theme"), "[task:svg]"),
    "words after the end": (f"{BUNDLE} and more", "'and'"),
    "no space": (BUNDLE.replace("] [tone", "][tone"), "white space"),
    "nothing": ("", "nothing"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_bundle_fault_is_named(fault: str) -> None:
    text, needle = FAULTS[fault]
    assert bundle.parse(BUNDLE).counts == (("stages", 5), ("arrows", 4), ("footer", 1))
    with pytest.raises(SurfaceError) as caught:
        bundle.parse(text)
    assert any(needle in str(v) for v in caught.value.violations), str(caught.value)


GOLD = gold.format(case.load("decision_tree", "merge_or_rebase").scene(Style()))
BLOCK_FAULTS = {
    "close marker of a block": (GOLD.replace("[/entry_badge]", ""), "[/entry_badge]"),
    "unknown block": (GOLD.replace("entry_badge", "exit_badge"), "exit_badge"),
    "missing field": (GOLD.replace("[node_id:shared] ", ""), "no [node_id:]"),
    "fields out of order": (
        GOLD.replace("[node_id:shared] [ref:nodes.shared]", "[ref:nodes.shared] [node_id:shared]"),
        "after [ref:]",
    ),
    "doubled field": (GOLD.replace("[ref:nodes.shared]", "[ref:nodes.shared] [ref:nodes.shared]"), "second time"),
    "doubled id": (GOLD.replace("[node_id:history]", "[node_id:shared]"), "second component"),
    "edge to nowhere": (GOLD.replace("[to_ref:squash]", "[to_ref:squish]"), "did you mean `squash`"),
    "edge to itself": (GOLD.replace("[to_ref:merge]", "[to_ref:shared]"), "to itself"),
    "attributes out of order": (
        GOLD.replace("[theme:infra_dark] [tone:blue]", "[tone:blue] [theme:infra_dark]"),
        "after [tone:]",
    ),
    "missing topic": (GOLD.replace("[topic:merge_or_rebase] ", ""), "no [topic:]"),
    "footer first": (
        GOLD.replace(
            "[header_band] [ref:header] [/header_band]",
            "[footer_note] [ref:footer] [/footer_note] [header_band] [ref:header] [/header_band]",
        ),
        "footer_note",
    ),
    "no header": (GOLD.replace("[header_band] [ref:header] [/header_band] ", ""), "exactly 1"),
    "empty reference": (GOLD.replace("[ref:entry]", "[ref:]"), "a reference"),
    "reference with spaces": (GOLD.replace("[ref:entry]", "[ref:the entry]"), "a tag such as"),
    "component of another family": (
        GOLD.replace("[/scene]", "[legend_block] [ref:legend] [/legend_block] [/scene]"),
        "legend_block",
    ),
}


@pytest.mark.parametrize("fault", BLOCK_FAULTS)
def test_scene_fault_is_named(fault: str) -> None:
    text, needle = BLOCK_FAULTS[fault]
    assert text != GOLD
    with pytest.raises(SurfaceError) as caught:
        gold.parse(text)
    assert any(needle in str(v) for v in caught.value.violations), str(caught.value)


def test_every_violation_is_reported_at_its_place() -> None:
    head = "[bundle] [family:timeline] [form:milestone_chain] [theme:beige] [tone:blue] [tone:blue] [density:airy]"
    text = f"{head} [stages:5] [arrows:9] [footer:2] [/bundle] x"
    with pytest.raises(SurfaceError) as caught:
        bundle.parse(text)
    places = [v.token for v in caught.value.violations]
    assert places[:-1] == sorted(p for p in places if p) and len(places) >= 6
    assert {4, 6, 9, 10, 12} <= set(places) and None in places  # beige, second tone, arrows, footer, x; no background
    assert str(caught.value.violations[0]).startswith("tag 4 (character 50)")


def test_prompts_ask_for_what_their_family_counts_and_states() -> None:
    board = case.load("comparison_board", "storage_tiers")
    asked = compact.prompt(board.scene(Style(background="mesh", columns="4")))
    assert asked == (
        "[task:svg] [layout:comparison_board] [topic:storage_tiers] [theme:infra_dark] [tone:blue] [density:balanced]"
        " [background:mesh] [columns:4] [metrics:5] [callouts:1] [OUT]"
    )
    flow = case.load("flow_graph", "cached_read").scene(Style(connector="dotted"))
    assert gold.prompt(flow).endswith("[density:balanced] [connector:dotted] [OUT]")
    tags = gold.vocabulary(["comparison_board", "flow_graph"]).tags
    assert {"[columns:2]", "[metrics:5]", "[callouts:3]", "[background:rings]", "[connector:dotted]"} <= set(tags)
    assert "[connector:dotted]" not in gold.vocabulary(["decision_tree"]).tags


def test_columns_that_are_said_must_be_drawn() -> None:
    text = compact.format(case.load("comparison_board", "storage_tiers").scene(Style(columns="4")))
    assert compact.parse(text).style.columns == "4"
    with pytest.raises(SurfaceError, match=r"\[columns:3\] with 4 columns"):
        compact.parse(text.replace("[columns:4]", "[columns:3]"))


def test_compact_reads_what_people_write() -> None:
    text = """[scene]
        [layout:decision_tree] [topic:demo] [density:airy] [theme:paper_editorial]
        [header_band:header] [decision_node:a|nodes.a] [outcome_panel:b|finish] [decision_edge:a->b|edges.a_b] [/scene]"""
    scene = compact.parse(text)
    assert scene.style == Style(theme="paper_editorial", density="airy")
    assert scene.components[-1] == Component("decision_edge", source="a", target="b", ref="edges.a_b")
    assert gold.parse(gold.format(scene)) == scene


LONG = """[scene] [connector:tree] [layout:decision_tree] [topic:demo]
    [header_band] [kicker_ref:header.kicker] [headline_ref:header.headline] [/header_band]
    [entry_badge] [label_ref:entry.label] [/entry_badge]
    [decision_node] [node_id:a] [title_ref:nodes.a.title] [detail_ref:nodes.a.detail.0] [detail_ref:nodes.a.detail.1] [/decision_node]
    [outcome_panel] [title_ref:outcomes.b.title] [/outcome_panel]
    [decision_edge] [from_ref:a] [to_ref:b] [branch_label_ref:edges.a_b] [/decision_edge] [/scene]"""
TABLE = """[scene] [layout:table_matrix] [topic:demo] [header_band] [headline_ref:header.headline] [/header_band]
    [table_block] [block_title_ref:groups.0.title] [table_header] [cell_ref:groups.0.header.0] [cell_ref:groups.0.header.1] [/table_header]
    [table_row] [cell_ref:groups.0.rows.0.0] [cell_ref:groups.0.rows.0.1] [row_state:success] [/table_row]
    [table_row] [cell_ref:groups.0.rows.1.0] [cell_ref:groups.0.rows.1.1] [/table_row] [/table_block] [/scene]"""
LONG_FAULTS = {
    "another piece": (LONG, "[detail_ref:nodes.a.detail.1]", "[detail_ref:nodes.c.detail.1]", "nodes.a.detail.1"),
    "a list entry left out": (LONG, "[detail_ref:nodes.a.detail.0] ", "", "nodes.a.detail.0"),
    "a field of another name": (LONG, "nodes.a.title]", "nodes.a.body]", "nodes.a"),
    "a field that the content has not": (LONG, "[title_ref:outcomes.b.title]", "[size_ref:outcomes.b.size]", "outcome_panel's content"),
    "an unknown field": (LONG, "[label_ref:entry.label]", "[voice_ref:entry.label]", "entry_badge's content"),
    "both spellings": (LONG, "[node_id:a]", "[node_id:a] [ref:nodes.a]", "second time"),
    "a row out of turn": (TABLE, "groups.0.rows.1.0", "groups.0.rows.2.0", "groups.0.rows.1.0"),
    "a state that is none": (TABLE, "[row_state:success]", "[row_state:great]", "row_state"),
    "two states of a row": (TABLE, "[row_state:success]", "[row_state:success] [row_state:danger]", "one state in a row"),
    "a state outside of a row": (TABLE, "[table_header]", "[row_state:success] [table_header]", "table_block's content"),
}  # fmt: skip


def test_blocks_that_refer_field_by_field_are_read_as_one_reference() -> None:
    assert gold.parse(LONG, ordered=False).components == (
        Component("header_band", ref="header"),
        Component("entry_badge", ref="entry"),
        Component("decision_node", id="a", ref="nodes.a"),
        Component("outcome_panel", id="b", ref="outcomes.b"),
        Component("decision_edge", source="a", target="b", ref="edges.a_b"),
    )
    assert gold.parse(TABLE, ordered=False).components[1:] == (
        Component("table_block", ref="groups.0", states=("success", "")),
    )
    with pytest.raises(SurfaceError, match="headline_ref"):
        gold.parse(LONG)  # a model is held to the one canonical spelling


ROWS = [["on", "off"], {"cells": ["in", "out"], "state": "danger"}]


def table(*rows: object) -> dict[str, object]:
    return {"header": {"headline": "Doors"}, "groups": [{"title": "Hall", "header": ["a", "b"], "rows": rows}]}


def test_the_states_that_a_scene_gives_its_rows_are_drawn() -> None:
    """Rows are lists of cells or say their state; the scene's states count before the content's, and may not be more than the rows."""
    scene = gold.parse(TABLE, ordered=False)
    plain = gold.parse(TABLE.replace("[row_state:success] ", ""), ordered=False)
    said = [{"cells": ["on", "off"], "state": "success"}, ROWS[1]]
    assert compiler.compile(scene, table(*ROWS)).svg == compiler.compile(plain, table(*said)).svg
    assert compiler.compile(plain, table(*ROWS)).svg == compiler.compile(plain, table({"cells": ROWS[0]}, ROWS[1])).svg
    assert compiler.compile(plain, table(*ROWS)).svg != compiler.compile(plain, table(*said)).svg
    with pytest.raises(compiler.CompileError, match=r"content\.groups\.0\.rows: got 1 rows, expected 2 rows"):
        compiler.compile(scene, table(ROWS[0]))
    with pytest.raises(compiler.CompileError, match="at least 2 items"):
        compiler.compile(plain, table(["on"]))
    for surface in (gold, compact, atomic):
        with pytest.raises(SurfaceError):  # no surface writes such a scene without its states
            surface.format(scene)


@pytest.mark.parametrize("fault", LONG_FAULTS)
def test_longhand_fault_is_named(fault: str) -> None:
    text, old, new, needle = LONG_FAULTS[fault]
    assert old in text
    with pytest.raises(SurfaceError) as caught:
        gold.parse(text.replace(old, new, 1), ordered=False)
    assert any(needle in str(v) for v in caught.value.violations), str(caught.value)


def test_surfaces_spell_the_same_scene() -> None:
    for a, b in ((gold, compact), (keyed, dotted)):
        for scene in (one for one in SCENES if one.family in a.families() and not one.words):
            assert a.parse(a.format(scene)) == b.parse(b.format(scene))


def test_prompts() -> None:
    scene = case.load("decision_tree", "merge_or_rebase").scene(Style("infra_dark", "amber", "airy"))
    assert (
        gold.prompt(scene)
        == "[task:svg] [layout:decision_tree] [topic:merge_or_rebase] [theme:infra_dark] [tone:amber] [density:airy] [OUT]"
    )
    lowered = bundle.parse(BUNDLE)
    assert bundle.prompt(lowered) == BUNDLE.replace("[bundle] [family:", "[task:svg] [layout:").replace(
        "[/bundle]", "[OUT]"
    )


@pytest.mark.parametrize("name", surfaces.names())
def test_a_whole_text_has_a_sound_prefix_and_a_strange_tag_breaks_it(name: str) -> None:
    """The markers and the vocabulary that scores go by are those of the texts."""
    opening, closing = score.markers(name)
    scene = next(iter((*OWN[name][0], *OWN[name][1], *BUNDLES)))
    text = surfaces.load(name).format(scene)
    contract = {"surface": name, "prompt_only": ["OUT", "edit", "goal", "task"]}
    assert text.startswith(opening) and text.endswith(closing) and score._prefix_ok(contract, text, opening, closing)
    first, rest = text.split(" ", 1)
    for strange in ("[frobnicate:1]", "[OUT]", "[task:svg]", "[edit:tone=blue]", "[goal:explain]"):
        assert not score._prefix_ok(contract, f"{first} {strange} {rest}", opening, closing), strange
    assert not score._prefix_ok(contract, rest, opening, closing)


@pytest.mark.parametrize("name", surfaces.names())
def test_a_scene_adheres_to_its_own_prompt_alone(name: str) -> None:
    """Whatever a surface calls what a prompt asks for: answered, it is adherence; with one value changed it is none."""
    surface = surfaces.load(name)
    told = [s for s in (*OWN[name][0], *OWN[name][1], *(BUNDLES if name == "bundle" else ())) if asked(surface, s)]
    for scene in told[:: max(1, len(told) // 9)]:
        prompt, text = surface.prompt(scene), surface.format(scene)
        assert score._adherent({"surface": name}, {"prompt": prompt}, text)
        for tag in re.findall(r"\[(?!task|OUT)\w+:\w[^\]]*\]", prompt):
            key = tag[1:].split(":")[0]
            assert not score._adherent({"surface": name}, {"prompt": prompt.replace(tag, f"[{key}:other]")}, text)
            assert score._adherent(
                {"surface": name}, {"prompt": prompt.replace("[OUT]", f"[edit:{tag[1:].replace(':', '=')} [OUT]")}, text
            )
            other = prompt.replace(tag, f"[{key}:other]").replace("[OUT]", f"[edit:{tag[1:].replace(':', '=')} [OUT]")
            assert score._adherent({"surface": name}, {"prompt": other}, text), (
                "an edit overrules the tag that it names"
            )
        assert not score._adherent({"surface": name}, {"prompt": prompt}, text[:-3])
