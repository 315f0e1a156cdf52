"""Which sources the engine is made from, and their hash: the identity of an engine in checkpoints, parity reports and caches."""

from __future__ import annotations

import hashlib
from pathlib import Path

HERE = Path(__file__).resolve().parent


def files() -> list[Path]:
    """Everything that decides what the compiled engine computes."""
    kernels = [*sorted((HERE / "c").glob("*.[ch]")), *sorted((HERE / "c" / "ops").glob("*.c"))]
    return [*kernels, HERE / "op.py", HERE / "ops.py", HERE / "build.py"]


def fingerprint() -> str:
    """sha256 over everything the compiled engine is made from (C sources, op table, this file)."""
    digest = hashlib.sha256()
    for path in files():
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
