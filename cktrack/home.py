"""Where cktrack keeps things: beside the project (the current folder), or in CKTRACK_HOME. Paths only; nothing is created here."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    return Path(os.environ.get("CKTRACK_HOME") or Path.cwd()).resolve()


def database() -> Path:
    return home() / "mlflow.db"


def artifacts() -> Path:
    return home() / "mlartifacts"


def runs() -> Path:
    """One folder for each run's rows, tokenizer, checkpoint and outputs."""
    return home() / "runs"


def cache() -> Path:
    return home() / ".cache"
