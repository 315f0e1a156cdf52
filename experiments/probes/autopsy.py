"""What went wrong in a miss: one class for each, the first that applies, and the tags that differ.

Order: spill (right up to the first closing tag, then more), truncation (ended by the budget or the context), syntax (does not parse),
family, form, topic, style, counts, structure (other components), refs (a reference or id differs), undrawable (parses and equals the
expected tags, but does not compile), unknown.
"""

from __future__ import annotations

from experiments import surfaces
from experiments.probes import flaw
from experiments.probes.score import Score
from experiments.split import fold, tags
from experiments.tag import SurfaceError

CLASSES = (
    "exact",
    "spill",
    "truncation",
    "syntax",
    "family",
    "form",
    "topic",
    "style",
    "counts",
    "structure",
    "refs",
    "undrawable",
    "unknown",
)


def classify(contract: dict, case: dict, raw: str, score: Score) -> str:
    """The class of one scored output."""
    if score.exact:
        return "exact"
    if score.first_block_exact and score.spilled:
        return "spill"
    if score.truncated:
        return "truncation"
    surface = surfaces.load(contract["surface"])
    try:
        got = surface.parse(raw.strip())
    except SurfaceError:
        return "syntax"
    expected = surface.parse(case["expected"])
    if got.family != expected.family:
        return "family"
    if got.form != expected.form or flaw.drifted(contract["surface"], raw, case["expected"], flaw.PLACE):
        return "form"
    if got.topic != expected.topic:
        return "topic"
    if got.style != expected.style or flaw.off_look(contract["surface"], raw, case["expected"]):
        return "style"
    if got.counts != expected.counts:
        return "counts"
    if [c.kind for c in got.components] != [c.kind for c in expected.components]:
        return "structure"
    if got.components != expected.components:
        return "refs"
    return "undrawable" if not score.renderable else "unknown"


def differing(case: dict, raw: str) -> list[str]:
    """Names of the tags whose first values differ between output and expected output."""
    got, expected = tags(fold(raw)), tags(case["expected"])
    return sorted(n for n in set(got) | set(expected) if got.get(n) != expected.get(n))
