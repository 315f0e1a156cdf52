"""SVG to PNG by cairosvg. Only what `validate` passes is rasterised: nested references, scripts and giant canvases
never reach the renderer.
"""

from __future__ import annotations

import re

from experiments.compiler.bind import CompileError
from experiments.compiler.validate import inspect
from experiments.violation import Violation

MAX_PIXELS = 4096


def png(svg: str, width: int) -> bytes:
    """A PNG `width` px wide; CompileError where the SVG is not valid."""
    if not 16 <= width <= MAX_PIXELS:
        raise CompileError([Violation("width", str(width), f"16 to {MAX_PIXELS} px")])
    found = inspect(svg)
    if found:
        raise CompileError(found)
    import cairosvg  # loads the system's libcairo, which compiling does not need

    ground = re.search(r'stop-color="(#[0-9a-f]{6})"/></linearGradient>', svg)  # behind a last row of half pixels
    data: bytes = cairosvg.svg2png(svg.encode(), output_width=width, background_color=ground[1] if ground else None)
    return data
