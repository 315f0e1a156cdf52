"""An MLflow plugin: `mlflow run . -P rung=SPEC/RUNG` puts its run into the experiment of the spec, as `cktrack rung run` does.

MLflow loads it while mlflow itself is being imported, so it imports nothing heavy until it is asked.
"""

from __future__ import annotations

import sys
from pathlib import Path

from mlflow.tracking.default_experiment.abstract_context import DefaultExperimentProvider


def rung_of(arguments: list[str]) -> str | None:
    """SPEC/RUNG of a `mlflow run` of this project's main entry point, else None."""
    if "run" not in arguments[1:2] or not Path("MLproject").is_file() or "cktrack" not in Path("MLproject").read_text():
        return None
    if "-e" in arguments or "--entry-point" in arguments:
        return None
    given = [a.partition("=")[2] for a in arguments if a.startswith("rung=")] + [
        a.partition("rung=")[2] for a in arguments if a.startswith("-Prung=")
    ]
    return (given or ["spec12/r17"])[-1]


class RungExperimentProvider(DefaultExperimentProvider):
    """Names the experiment of the spec whose rung is asked for."""

    def in_context(self) -> bool:
        return rung_of(sys.argv) is not None

    def get_experiment_id(self) -> str:
        from cktrack.store import open_store

        return open_store().experiment(str(rung_of(sys.argv)).partition("/")[0])
