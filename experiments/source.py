"""What decides a run's result: every source and data file of the engine and of what is learned, and the libraries that compute.

Found by suffix, not listed, so that a new file counts from the day it is there; so does what other packages add.
Promotion's own files are not among them: they judge
a result and change none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from experiments import plugin

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {"cengine": (".py", ".c", ".h"), "experiments": (".py", ".json", ".yaml")}
BUILT = ("generated", "__pycache__", "_engine.c")  # made from the sources; the loader holds them to these
LIBRARIES = ("numpy", "tokenizers")


def files(root: Path = ROOT) -> Iterator[Path]:
    """Every deciding file under a tree with the two packages, in the order of its names."""
    for package, suffixes in PACKAGES.items():
        for path in sorted((root / package).rglob("*")):
            if path.suffix in suffixes and not set(BUILT) & set(path.relative_to(root).parts) and path.is_file():
                yield path


def digest(root: Path = ROOT) -> str:
    """sha256 over names and bytes of the deciding files, over plugins, and over the versions of the deciding libraries."""
    found = hashlib.sha256()
    for path in files(root):
        found.update(path.relative_to(root).as_posix().encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    for line in plugin.digests():
        found.update(line.encode() + b"\0")
    for name in LIBRARIES:
        found.update(f"{name}=={version(name)}".encode() + b"\0")
    return found.hexdigest()
