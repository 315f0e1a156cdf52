"""Contract of every family that is found: forms, lowering, content shapes, cases and one golden picture each."""

from __future__ import annotations

import copy
import json
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from experiments import case, compiler, families, surfaces
from experiments.compiler import CompileError
from experiments.compiler.bind import read_content
from experiments.infographic import Infographic
from experiments.preflight import picture
from experiments.style import Style

NAMES = families.names()
CASES = case.every()
STATED = ("gold", "compact", "asset", "keyed", "dotted")  # surfaces that write any style


@pytest.mark.parametrize("name", NAMES)
def test_declaration(name: str) -> None:
    family = families.load(name)
    assert family.name == name and family.title and any(kind.at_least for kind in family.kinds.values())
    for form in family.forms.values():
        legal = form.legal()
        assert tuple(form.usual.items()) in legal and len(legal) == len(set(legal))
        assert list(form.usual) == list(form.ranges), "counts keep one order"
        for counts in legal:
            scene = family.lower(form.name, counts, Style())
            assert not list(family.inspect(scene)), (form.name, counts)
            drawn = Counter(c.kind for c in scene.components)
            for field, number in counts:
                assert any(number == drawn[kind] for kind in drawn) or number == 0, (field, number)
        with pytest.raises(ValueError, match="expected"):
            family.lower(form.name, tuple((field, 99) for field in form.ranges), Style())


@pytest.mark.parametrize("one", CASES, ids=lambda c: c.id)
def test_case(one: case.Case) -> None:
    text = json.dumps(one.content)
    assert text.isascii()
    shape, faults = read_content(families.load(one.family), one.content)
    assert shape is not None and not faults
    if one.surface != "bundle":
        assert one.components and not one.form and one.family in surfaces.load(one.surface).families()
        spelled = [surfaces.load(name).format(there.scene(Style())) for name in STATED if (there := one.on(name))]
        assert all(6 <= len(text.split()) <= 200 for text in spelled)
    else:
        assert all(one.carries(counts) for counts in families.load(one.family).forms[one.form].legal())


def test_there_are_enough_cases_and_they_differ() -> None:
    told = [c for c in CASES if c.topic]
    topics = {c.topic for c in told}
    asked = {
        "failure_triage",
        "model_memory_layout",
        "training_memory_canary",
        "quantization_formats",
        "edge_case_matrix",
    }
    assert asked <= topics and len({(c.family, c.topic) for c in told}) == len(told)
    alone = [c.topic for c in told if not isinstance(families.load(c.family), Infographic)]
    assert len(set(alone)) == len(alone), "infographics alone share topics"
    for family in NAMES:
        assert len(case.every(family)) >= 4
        shapes = [
            tuple((c.kind, c.source, c.target, len(c.paths)) for c in one.components)
            for one in told
            if one.family == family and one.topic in alone
        ]
        assert len(set(shapes)) == len(shapes), f"two cases of {family} have one structure"
        for form in families.load(family).forms:
            assert sum(c.form == form for c in case.every(family, "bundle")) >= 3


def test_topics_of_several_infographics_are_told_alike() -> None:
    """So that a layout and a topic which never met can be put together: a topic has a subtitle or none, and a last line, everywhere."""
    every = [c for c in CASES if isinstance(families.load(c.family), Infographic)]
    shared = {topic for topic, n in Counter(c.topic for c in every).items() if n > 1}
    assert len(shared) >= 6
    for topic in shared:
        mine = [c for c in every if c.topic == topic]
        assert len(mine) == len({c.family for c in every}), f"{topic} is in {len(mine)} layouts"
        assert len({c.components[0].refs for c in mine if c.components[0].kind == "hero"}) == 1, topic
        assert len({c.content["slots"]["title"] for c in mine}) == 1, topic
        for one in mine:
            family = families.load(one.family)
            assert [c.kind for c in one.components].count(family.closing) == 1, (topic, one.family)


@pytest.mark.parametrize("one", [case.every(name)[0] for name in NAMES], ids=lambda c: c.family)
def test_no_edge_leaves_what_is_last(one: case.Case) -> None:
    scene, kinds = one.scene(Style()), families.load(one.family).kinds
    ends = [c for c in scene.components if kinds[c.kind].last]
    for edge in [c for c in scene.components if kinds[c.kind].end_tags and c.target in {end.id for end in ends}]:
        back = replace(edge, source=edge.target, target=edge.source)
        faults = families.load(one.family).inspect(replace(scene, components=(*scene.components, back)))
        assert any("leaves the" in fault.got for fault in faults)
    assert not ends or {end.id for end in ends} & {c.target for c in scene.components}


@pytest.mark.parametrize("name", NAMES)
def test_golden_picture(name: str, bless: bool) -> None:
    """`pytest --bless` rewrites the picture; the diff is the review."""
    path = families.FOLDER / name / "picture.svg"
    first = case.every(name)[0]
    svg = compiler.compile(first.scene(Style()), first.content).svg
    if bless:
        path.write_text(svg)
    assert path.read_text() == svg, f"{path.name} of {name} differs; look at it, then pytest --bless"


@pytest.mark.parametrize("name", NAMES)
def test_every_case_is_drawn_as_its_golden_picture(name: str, bless: bool) -> None:
    """`pytest --bless` rewrites the hashes; `cktrack gallery` before and after shows what changed."""
    path = families.FOLDER / name / picture.GOLDEN
    found = {one.id: picture.drawn(one) for one in case.every(name)}
    if bless:
        path.write_text(json.dumps(found, indent=1) + "\n")
    assert json.loads(path.read_text()) == found, (
        f"{path.name} of {name} differs; look at the cases, then pytest --bless"
    )
    assert picture.astray(name) == []


def test_a_case_without_a_golden_picture_and_one_that_is_drawn_otherwise_are_told(monkeypatch) -> None:
    name = NAMES[0]
    ids = [one.id for one in case.every(name)]
    real = picture.drawn
    monkeypatch.setattr(picture, "drawn", lambda one: "0" * 64 if one.id == ids[-1] else real(one))
    assert picture.astray(name) == [f"{name}: {ids[-1]} is not drawn as its golden picture"]
    monkeypatch.setattr(picture, "GOLDEN", "nothing.json")
    assert picture.astray(name) == [f"{name}: got no nothing.json, expected the sha256 of every case's picture"]


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of all objects of a JSON document."""
    found = [path] if isinstance(value, dict) else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return found + [leaf for key, child in items for leaf in leaves(child, (*path, key))]


@pytest.mark.parametrize("name", NAMES)
def test_content_defects_are_reported_with_their_paths(name: str) -> None:
    """A foreign key, a number in the place of words, and an undrawable character, all at once."""
    one = case.every(name)[0]
    for path in leaves(one.content):
        document = copy.deepcopy(dict(one.content))
        target = document
        for key in path:
            target = target[key]
        if path and not isinstance(next(iter(target.values())), str):
            continue  # a table of objects: any key is an id there
        if isinstance(target, dict) and target:
            target["unheard_of"] = 1
        shape, faults = read_content(families.load(name), document)
        place = ".".join(["content", *map(str, path)])
        assert shape is None and any(f.place.startswith(place) for f in faults), place


@pytest.mark.parametrize("name", NAMES)
def test_content_of_another_family_is_refused(name: str) -> None:
    one = case.every(name)[0]
    for other in NAMES:
        if other != name:
            with pytest.raises(CompileError) as caught:
                compiler.compile(one.scene(Style()), case.every(other)[0].content)
            assert all(v.place.startswith("content") for v in caught.value.violations)


@pytest.mark.parametrize(
    "bad",
    [
        "tab\there", "null\0", "bidi \u202e text", "lone \ud800", "\u2066isolate", "", "   ", "zero\u200bwidth",
        "arabic mark \u061c", "soft\u00adhyphen", "invisible \U000e0041", "private \ue000", "\ufe0f", "\u0301\u0301", "\u00a0\u3000", "filler \u3164",
        "wide \u2e3b", "ligature \ufdfd", "ligature \ufdfa", "cuneiform \U0001242b",
    ],
)  # fmt: skip
def test_undrawable_words_are_refused(bad: str) -> None:
    one = case.load("timeline", "http_versions")
    document = copy.deepcopy(dict(one.content))
    document["stages"]["stage_2"]["title"] = bad
    with pytest.raises(CompileError) as caught:
        compiler.compile(one.scene(Style()), document)
    assert [v.place for v in caught.value.violations] == ["content.stages.stage_2.title"]


@pytest.mark.parametrize(
    "good", ["e\u0301t\u00e9", "\u4e2d\u6587 words", "\U0001f600 ok", "\u0161\u03b1\u0416", "\u05d0\u05d1", "x\ufe0f"]
)
def test_words_of_other_scripts_are_drawn(good: str) -> None:
    one = case.load("timeline", "http_versions")
    document = copy.deepcopy(dict(one.content))
    document["stages"]["stage_2"]["title"] = good
    assert compiler.compile(one.scene(Style()), document).svg


def test_unknown_names_say_what_there_is() -> None:
    with pytest.raises(KeyError, match="timeline"):
        families.load("timelime")
    with pytest.raises(KeyError, match="http_versions"):
        case.load("timeline", "http")
