"""The compiler: a scene and its content become a picture, or an error that names everything wrong with them.

    parse -> bind -> layout -> check -> draw -> validate

Deterministic: the same scene and content give the same bytes on every machine. Each verb lives in a module of its
own; surfaces parse, families lay out. It never repairs a scene, never shortens a text and never skips a reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from experiments import surfaces
from experiments.compiler.bind import CompileError, bind
from experiments.compiler.check import check
from experiments.compiler.draw import draw
from experiments.compiler.raster import png
from experiments.compiler.sheet import sheet_of
from experiments.compiler.tree import Tree
from experiments.compiler.validate import inspect, validate
from experiments.scene import Scene

__all__ = ["CompileError", "Picture", "canonical", "check", "compile", "compile_text", "lay_out", "png", "validate"]


@dataclass(frozen=True, slots=True)
class Picture:
    """A finished picture: SVG text, the tree it was drawn from, and its size in px."""

    svg: str
    tree: Tree
    width: float
    height: float

    def png(self, width: int | None = None) -> bytes:
        """The picture as PNG, at its natural width by default."""
        return png(self.svg, width or round(self.width))


def compile_text(surface: str, text: str, content: Mapping[str, Any]) -> Picture:
    """Parse a text of a surface and compile it; SurfaceError or CompileError with every violation."""
    return compile(surfaces.load(surface).parse(text), content)


def compile(scene: Scene, content: Mapping[str, Any]) -> Picture:
    """The picture of a scene with its content bound; CompileError with every violation."""
    tree = lay_out(scene, content)
    _demand(check(tree))
    svg = draw(tree)
    _demand(inspect(svg))
    return Picture(svg, tree, tree.width, tree.height)


def lay_out(scene: Scene, content: Mapping[str, Any]) -> Tree:
    """The layout tree, not yet checked."""
    bound = bind(scene, content)
    tree = bound.family.draw(bound, sheet_of(scene.style))
    _demand(bound.issues)
    return tree


def canonical(svg: str) -> str:
    """The form in which two SVG texts are compared: compiled pictures already have it, so it only trims the ends."""
    return svg.strip()


def _demand(found: list[Any]) -> None:
    if found:
        raise CompileError(found)
