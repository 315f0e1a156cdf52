"""Peak memory of one contestant of a benchmark, measured in a process of its own: `ask` starts this file and reads its answer.

echo '{"bench": "train", "name": "cktrack", ...}' | python -m cktrack.footprint
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from importlib import import_module
from typing import Any

UNITS, PATIENCE = 3, 300  # units of work that are done; seconds after which no answer is expected


def ask(bench: str, name: str, shape: Any, case: dict[str, Any]) -> tuple[int | None, str | None]:
    """Bytes that a process held at most while it built the contestant and did a few units, the interpreter included; or None and why."""
    question = {"bench": bench, "name": name, "shape": asdict(shape), "case": case}
    try:
        answer = subprocess.run(
            [sys.executable, "-m", __name__],
            input=json.dumps(question),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None, f"its process gave no answer in {PATIENCE} seconds"
    if answer.returncode:
        last = (answer.stderr.strip().splitlines() or ["no words"])[-1]
        return None, f"its process ended with {answer.returncode}: {last[:160]}"
    return int(answer.stdout.split()[-1]), None


def main() -> None:
    from cktrack.bench import Shape
    from cktrack.machine import peak_memory

    question = json.load(sys.stdin)
    module = import_module(f"{__package__}.bench.{question['bench']}")
    field = module.contestants(Shape(**question["shape"]), **question["case"])
    unit = next(c for c in field if c.name == question["name"]).make()
    for _ in range(UNITS):
        unit()
    print(peak_memory())


if __name__ == "__main__":
    main()
