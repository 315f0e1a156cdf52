"""Builds of the engine beside the one that is installed: from a copy of the sources, with planted mistakes or other compiler flags."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PRODUCTS = shutil.ignore_patterns("*.so", "*.o", "_engine.c", "generated", "__pycache__")
Change = tuple[str, str, str]  # file of c/ops/, the text there, what stands there instead


def built(place: Path, flags: str, *changes: Change) -> Path:
    """A folder that holds the package `cengine`, built with `flags` behind the usual ones and with the changes made."""
    shutil.copytree(ROOT / "cengine", place / "cengine", ignore=PRODUCTS)
    for file, old, new in changes:
        path = place / "cengine" / "c" / "ops" / file
        text = path.read_text()
        assert text.count(old) == 1, f"{file}: the text to change, {old!r}, is gone or there twice; update the test"
        path.write_text(text.replace(old, new))
    made = python(place, "-m", "cengine.build", "--force", CKTRACK_CFLAGS=flags)
    assert made.returncode == 0, made.stderr[-3000:]
    return place


def python(place: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python with the package `cengine` of `place`."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(place), **environment},
        capture_output=True,
        text=True,
    )
