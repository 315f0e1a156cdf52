"""Prompt surfaces: the ways of asking for a scene, as templates in `prompts.yaml`. A prompt always ends with the tags
and [OUT].
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml

from experiments import surfaces
from experiments.scene import Scene
from experiments.tag import OUT

FILE = Path(__file__).parent / "prompts.yaml"


@cache
def templates() -> dict[str, tuple[str, ...]]:
    """Surface name -> its templates."""
    return {name: tuple(rows) for name, rows in yaml.safe_load(FILE.read_text()).items()}


def write(surface: str, number: int, scene: Scene, dsl: str) -> str:
    """The prompt for a scene: template `number` (counted round the list) of a prompt surface, with [OUT] at the end."""
    if surface not in templates():
        raise KeyError(f"prompt surface: got {surface!r}; expected one of {', '.join(templates())}")
    rows = templates()[surface]
    tags = surfaces.load(dsl).prompt(scene).removesuffix(f" {OUT}")
    words = {axis: getattr(scene.style, axis).replace("_", " ") for axis in ("theme", "tone", "density")}
    return rows[number % len(rows)].format(tags=tags, family=scene.family.replace("_", " "), **words) + f" {OUT}"
