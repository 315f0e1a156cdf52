"""Headless Chromium as a ruler: where the glyphs of a picture's texts really lie, and whether any leaves its box, the canvas, or its peace.

The compiler measures with its own table of advance widths; this asks an implementation that shares nothing with it. Chromium is found on
the path (or named by CKTRACK_CHROMIUM) and reads one local page; nothing is fetched. Faces that are not installed are replaced by the
browser's own choice, as they would be for a reader.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any, NamedTuple

from experiments.compiler import Picture
from experiments.compiler.tree import Box, Text

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless=new",
    "--disable-gpu",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--no-first-run",
)
SECONDS = 120
EPS = 0.5  # px: rounding of positions in the picture, and hinting
BOX = 1.2  # px: how far `getBBox`, which goes to whole pixels, may lie outside of the advances
RISE, FALL = 0.76, 0.236  # em: how far ascenders and descenders reach from the base line
SCRIPT = """
const said = [...document.querySelectorAll('svg')].map(svg => [...svg.querySelectorAll('text')].map(text => {
  const spans = text.children.length ? [...text.children] : [text], box = text.getBBox();
  return {box: [box.x, box.y, box.width, box.height], lines: spans.map(line => {
    const last = line.getNumberOfChars() - 1, start = line.getStartPositionOfChar(0), end = line.getEndPositionOfChar(last);
    return [start.x, end.x, start.y, parseFloat(getComputedStyle(line).fontSize)];
  })};
}));
document.body.textContent = 'MEASURED' + JSON.stringify(said) + 'END';
"""


class Line(NamedTuple):
    """One line of text as it was laid out: px in the picture's own coordinates."""

    left: float
    right: float
    base: float
    size: float

    @property
    def rect(self) -> tuple[float, float, float, float]:
        """left, top, right, bottom of what ascenders and descenders can reach."""
        return self.left, self.base - RISE * self.size, self.right, self.base + FALL * self.size


class Measured(NamedTuple):
    """One `<text>`: its bounding box (x, y, width, height) and its lines."""

    box: tuple[float, float, float, float]
    lines: list[Line]


def find() -> str | None:
    """Where Chromium is, or None."""
    named = os.environ.get("CKTRACK_CHROMIUM")
    return named or next((path for name in NAMES if (path := shutil.which(name))), None)


def require() -> str:
    """Where Chromium is; an error that says how to get it."""
    path = find()
    if path is None:
        raise RuntimeError(
            f"browser: got none of {', '.join(NAMES)} on the path; install chromium, or name it in CKTRACK_CHROMIUM"
        )
    return path


@cache
def version() -> str:
    """What the browser calls itself."""
    return subprocess.run([require(), "--version"], capture_output=True, text=True, timeout=SECONDS).stdout.strip()


def run(page: str, *options: str) -> str:
    """What Chromium prints for a page (HTML text) with these options."""
    with tempfile.TemporaryDirectory(prefix="cktrack-browser-") as folder:
        file = Path(folder) / "page.html"
        file.write_text(page, encoding="utf-8")
        command = [require(), *FLAGS, f"--user-data-dir={folder}/profile", *options, file.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    if done.returncode:
        raise RuntimeError(f"browser: it left with {done.returncode}; {done.stderr.strip()[-300:]}")
    return done.stdout


def measure(pictures: Sequence[str]) -> list[list[Measured]]:
    """Every `<text>` of every picture (SVG texts), in the order in which it is written."""
    body = "\n".join(pictures)
    page = (
        f'<!DOCTYPE html><html><head><meta charset="utf-8"></head><body>{body}<script>{SCRIPT}</script></body></html>'
    )
    found = re.search(r"MEASURED(.*)END", run(page, "--dump-dom"), re.S)
    if not found:
        raise RuntimeError("browser: it printed no measures; expected the page's own list of texts")
    said: list[Any] = json.loads(found[1])
    return [[Measured(tuple(t["box"]), [Line(*line) for line in t["lines"]]) for t in texts] for texts in said]


def faults(pictures: Sequence[tuple[str, Picture]]) -> list[str]:
    """What is wrong with each picture, as sentences that begin with its name: texts out of their box or the canvas, or over each other."""
    found = []
    for (name, picture), texts in zip(pictures, measure([p.svg for _, p in pictures]), strict=True):
        found += [f"{name}: {fault}" for fault in _inspect(picture, texts)]
    return found


def _inspect(picture: Picture, texts: Sequence[Measured]) -> list[str]:
    nodes = list(_texts(picture.tree.root))
    if len(nodes) != len(texts):
        return [f"{len(texts)} texts in the browser, expected {len(nodes)}"]
    found = []
    canvas = (0.0, 0.0, picture.width, picture.height)
    for (node, box), text in zip(nodes, texts, strict=True):
        if len(text.lines) != len(node.lines):
            found.append(f"`{node.path}`: {len(text.lines)} lines in the browser, expected {len(node.lines)}")
        around = canvas if picture.tree.free else (box.x, box.y, box.right, box.bottom)
        for line in text.lines:
            if not (_within(line.rect, around) and _within(line.rect, canvas)):
                found.append(f"`{node.path}`: ink at {_show(line.rect)}, expected inside {_show(around)}")
        x, _, wide, _ = text.box
        left, right = min(around[0], *(n.left for n in text.lines)), max(around[2], *(n.right for n in text.lines))
        if x < left - BOX or x + wide > right + BOX:
            found.append(
                f"`{node.path}`: getBBox says x {x:.1f}..{x + wide:.1f}, expected within {left:.1f}..{right:.1f}"
            )
        for above, below in pairwise(text.lines):
            if below.base - above.base < (RISE + FALL) * node.font.size - EPS:
                found.append(f"`{node.path}`: lines {below.base - above.base:.1f} px apart at {node.font.size:g} px")
    for (a, first), (b, second) in combinations(zip(nodes, texts, strict=True), 2):
        if any(_overlap(i.rect, j.rect) for i in first.lines for j in second.lines):
            found.append(f"`{b[0].path}`: its ink lies over that of `{a[0].path}`")
    return found


def _texts(box: Box) -> list[tuple[Text, Box]]:
    """Every text with the box that holds it, in the order in which a picture writes them."""
    found: list[tuple[Text, Box]] = []
    for node in box.children:
        if isinstance(node, Text):
            found.append((node, box))
        elif isinstance(node, Box):
            found += _texts(node)
    return found


Rect = tuple[float, float, float, float]


def _within(a: Rect, b: Rect) -> bool:
    return a[0] >= b[0] - EPS and a[1] >= b[1] - EPS and a[2] <= b[2] + EPS and a[3] <= b[3] + EPS


def _overlap(a: Rect, b: Rect) -> bool:
    return a[0] < b[2] - EPS and b[0] < a[2] - EPS and a[1] < b[3] - EPS and b[1] < a[3] - EPS


def _show(rect: Rect) -> str:
    return f"x {rect[0]:.1f}..{rect[2]:.1f}, y {rect[1]:.1f}..{rect[3]:.1f}"
