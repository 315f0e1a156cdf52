"""What only several rungs together can tell: the classes of the failure matrix that one run leaves open, from the records of `standing.py`.

Nothing is measured here. A class that the rungs of an invocation cannot tell is null, and says which rung is missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.probes.diagnosis import FEW

Record = Mapping[str, Any]


def classes(found: Record, records: Sequence[Record]) -> dict[str, dict[str, Any]]:
    """Class -> {found, why} of one rung among the others."""
    others = {r["rung"]: r for r in records}
    told = {look.__name__: look(found, others) for look in (over_repair_fragmentation, capacity_misdiagnosis)}
    return {name: {"found": yes, "why": why} for name, (yes, why) in told.items()}


def over_repair_fragmentation(found: Record, others: Mapping[str, Record]) -> tuple[bool | None, str]:
    """Fewer renderable outputs of unseen cases than the baseline rung has."""
    if found["of"] is None:
        return None, "the rung has no baseline"
    base = others.get(found["of"])
    if base is None or base["renderable"] is None or found["renderable"] is None:
        return None, f"{found['of']} and {found['rung']} are not both measured here; select both"
    lost = base["renderable"]["value"] - found["renderable"]["value"]
    said = f"renderable {found['renderable']['value']:.3f}, {base['renderable']['value']:.3f} in {found['of']}"
    return lost >= FEW, said


def capacity_misdiagnosis(found: Record, others: Mapping[str, Record]) -> tuple[bool | None, str]:
    """A larger model, where a rung of the spec with a smaller one is as exact on unseen cases."""
    spec = found["rung"].partition("/")[0]
    smaller = [r for r in others.values() if r["rung"].startswith(f"{spec}/") and r["size"] < found["size"]]
    measured = [r for r in smaller if r["unseen"] is not None]
    if found["unseen"] is None or not measured:
        return None, "no rung of the spec with a smaller model is measured here"
    best = max(measured, key=lambda r: r["unseen"]["value"])
    said = (
        f"exact {found['unseen']['value']:.3f}, {best['unseen']['value']:.3f} in {best['rung']}, whose model is smaller"
    )
    return best["unseen"]["value"] >= found["unseen"]["value"], said
