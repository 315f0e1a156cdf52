"""What a run tells while it goes: the listener's side is someone else's (a tracking server, a test)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol


class Recorder(Protocol):
    """Who is told what a run does. Must never raise because a listener is away."""

    def params(self, values: Mapping[str, object]) -> None: ...

    def metrics(self, values: Mapping[str, float], step: int) -> None: ...

    def say(self, message: str) -> None: ...

    def progress(self, stage: str, done: int, total: int, values: Mapping[str, float]) -> None: ...

    def artifact(self, path: Path, folder: str) -> None: ...

    def dataset(self, path: Path, name: str, context: str, sha256: str) -> None: ...
