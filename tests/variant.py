"""Builds of the engine beside the one that is installed: from a copy of the sources, with planted mistakes or other compiler flags."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PRODUCTS = shutil.ignore_patterns("*.so", "*.o", "_engine.c", "generated", "__pycache__")
Change = tuple[str, str, str]  # file, the text there, what stands there instead
NARROW: tuple[Change, ...] = (  # no kernels for AVX-512 and AMX, which take most of a build's time
    ("c/ck.h", "#define CK_HAS_AMX (", "#define CK_HAS_AMX (0 && "),
    ("c/pool.c", 'if (!strcmp(name, "avx512")', 'if (0 && !strcmp(name, "avx512")'),
    ("build.py", '"avx512": ("defined(__x86_64__)"', '"avx512": ("0"'),
)


def planted(place: Path, flags: str, *changes: Change) -> Path:
    """A build with changes to kernels (files of c/ops/), on the portable and the AVX2 ones alone."""
    return built(place, flags, *NARROW, *((f"c/ops/{file}", old, new) for file, old, new in changes))


def built(place: Path, flags: str, *changes: Change) -> Path:
    """A folder that holds the package `cengine`, built with `flags` behind the usual ones and with the changes made."""
    shutil.copytree(ROOT / "cengine", place / "cengine", ignore=PRODUCTS)
    for file, old, new in changes:
        path = place / "cengine" / file
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
