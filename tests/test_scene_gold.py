"""The origin project's gold scenes of these families parse, bind and draw. They are input only and lie beside the
repository (or where CKTRACK_GOLD says), if at all.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from experiments import compiler
from experiments.style import DENSITIES, THEMES
from experiments.surfaces import asset, atomic, compact, dotted, gold, keyed

GOLD = Path(os.environ.get("CKTRACK_GOLD") or Path(__file__).parents[2] / "shared" / "gold")
FAMILIES = ("architecture_map", "concept_editorial", "decision_tree", "memory_training_map", "spectrum_map")
FAMILIES += ("table_matrix", "technical_diagram", "utility_micrographic")
FOLDERS = ("spec12", "spec13b", "spec14a", "spec14b", "spec15a", "spec15b", *(f"gen1/{name}" for name in FAMILIES))
SCENES = sorted(path for folder in FOLDERS for path in (GOLD / folder).glob("*.scene.compact.dsl"))
here = pytest.mark.skipif(not SCENES, reason="no gold scenes beside the repository")


def content_of(path: Path) -> Any:
    """The content that a scene was written for: a compact scene's own one, where it has one."""
    stem, _, ending = path.name.partition(".scene.")
    own = path.with_name(f"{stem}.content.{ending.replace('dsl', 'json')}")
    return json.loads((own if own.exists() else path.with_name(f"{stem}.content.json")).read_text())


@here
@pytest.mark.parametrize("path", SCENES, ids=lambda p: f"{p.parent.name}/{p.name.split('.')[0]}")
def test_compact_scene_draws(path: Path) -> None:
    scene = compact.parse(path.read_text())
    assert compact.parse(compact.format(scene)) == scene == gold.parse(gold.format(scene))
    assert atomic.parse(atomic.format(scene)) == scene
    for theme in THEMES:
        for density in DENSITIES:
            style = {"theme": theme, "density": density, "tone": "mixed"}
            tags = [t for t in compact.format(scene).split() if not t.startswith(tuple(f"[{name}:" for name in style))]
            text = " ".join([tags[0], *(f"[{name}:{value}]" for name, value in style.items()), *tags[1:]])
            assert compiler.compile_text("compact", text, content_of(path)).svg


BOUND = (
    "broader_1",
    *(f"gen1/{name}" for name in ("comparison_span_chart", "poster_stack", "dashboard_cards", "timeline_flow")),
)
ASSETS = sorted(path for folder in BOUND for path in (GOLD / folder).glob("*.scene.compact.dsl"))


@here
@pytest.mark.parametrize("path", ASSETS, ids=lambda p: f"{p.parent.name}/{p.name.split('.')[0]}")
def test_asset_scene_draws_every_field(path: Path) -> None:
    """Scenes with dotted references and a content, and scenes with their words inline and none."""
    document = path.with_name(path.name.replace(".scene.compact.dsl", ".content.json"))
    surface, content = (dotted, json.loads(document.read_text())) if document.exists() else (asset, {})
    scene = surface.parse(path.read_text())
    assert surface.format(scene) == " ".join(path.read_text().split())
    assert surface.parse(surface.format(scene)) == scene and (scene.words or keyed.parse(keyed.format(scene)) == scene)
    for theme in THEMES:
        for density in DENSITIES:
            styled = replace(scene, style=replace(scene.style, theme=theme, density=density, tone="mixed"))
            tree = compiler.compile(styled, content).tree
            drawn = {getattr(node, "path", "") for node in compiler.tree.walk(tree.root)}
            fields = {place for part in scene.components for name, place in part.fields if name != "accent"}
            assert fields <= drawn


FULL = sorted(path for folder in FOLDERS for path in (GOLD / folder).glob("*.scene.dsl"))


@here
@pytest.mark.parametrize("path", FULL, ids=lambda p: f"{p.parent.name}/{p.name.split('.')[0]}")
def test_full_scene_says_the_same_and_draws(path: Path) -> None:
    """Blocks with one reference, and blocks that refer field by field; the full scenes only state more style attributes."""
    brief = path.with_name(path.name.replace(".scene.dsl", ".scene.compact.dsl"))
    scene, short = gold.parse(path.read_text(), ordered=False), compact.parse(brief.read_text())
    bare = replace(scene, components=tuple(replace(part, states=()) for part in scene.components))
    assert (scene.family, scene.topic, bare.components) == (short.family, short.topic, short.components)
    assert (scene.style.theme, scene.style.tone) == (short.style.theme, short.style.tone)
    assert gold.parse(gold.format(bare)) == bare == compact.parse(compact.format(bare))
    drawn = compiler.compile(scene, content_of(path)).svg
    assert drawn == compiler.compile(scene, content_of(brief)).svg


@here
@pytest.mark.parametrize("path", FULL, ids=lambda p: f"{p.parent.name}/{p.name.split('.')[0]}")
def test_each_state_of_a_row_is_drawn(path: Path) -> None:
    text, content = path.read_text(), content_of(path)
    drawn = compiler.compile(gold.parse(text, ordered=False), content).svg
    for said in re.finditer(r"\[row_state:(\w+)\]", text):
        other = "normal" if said[1] == "danger" else "danger"
        changed = f"{text[: said.start(1)]}{other}{text[said.end(1) :]}"
        assert compiler.compile(gold.parse(changed, ordered=False), content).svg != drawn
