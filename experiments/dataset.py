"""The rows of a run as they lie on disk, as they are hashed, and as they are told to whoever records the run.

rows/STAGE.txt           what is trained: `PROMPT [OUT] OUTPUT`, one row a line, every multiplicity written out
rows/training.parquet    the same rows with their labels; no probe row and no held-out row is among them
rows/validation.parquet  the rows of the held-out loss
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path

from experiments import split
from experiments.corpus import Row
from experiments.recorder import Recorder


def write(
    folder: Path,
    name: str,
    stages: Mapping[str, Sequence[Row]],
    dev: Sequence[Row],
    recorder: Recorder,
    ascii: bool = True,
) -> None:
    """Write the rows under `folder` and tell the recorder: data sets with the sha256 of their files, and the files as artifacts.

    Rows are lines of ASCII, or of UTF-8 if that is asked for.
    """
    (folder / "rows").mkdir()
    for stage, rows in {**stages, "dev": dev}.items():
        lines = [r.text for r in rows]
        if any("\n" in line or "\r" in line or (ascii and not line.isascii()) for line in lines):
            raise ValueError(f"rows of {stage}: a row must be one line{' of ASCII' if ascii else ''}")
        (folder / "rows" / f"{stage}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    training = [row for rows in stages.values() for row in rows]
    for context, what, table in (("training", "rows", training), ("validation", "held-out rows", dev)):
        path = folder / "rows" / f"{context}.parquet"
        _write_table(path, table)
        recorder.dataset(path, f"{name} {what}", context, hashlib.sha256(path.read_bytes()).hexdigest())
        recorder.artifact(path, "rows")


def _write_table(path: Path, rows: Sequence[Row]) -> None:
    from datasets import Dataset, disable_progress_bars

    disable_progress_bars()
    hashes = {output: hashlib.sha256(split.fold(output).encode()).hexdigest() for output in {r.output for r in rows}}
    columns = {one.name: [getattr(r, one.name) for r in rows] for one in fields(Row)}
    Dataset.from_dict({**columns, "target_sha256": [hashes[r.output] for r in rows]}).to_parquet(path)
