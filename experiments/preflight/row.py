"""Checks on the rows as they will lie on disk: complete, well formed, without doubles and contradictions, held apart."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from experiments import coverage, curriculum, prompt, surfaces
from experiments.corpus import Row
from experiments.pack import cut
from experiments.preflight import Finding, Place, check, judge
from experiments.prepared import Prepared
from experiments.spec import STAGES, Selected
from experiments.split import fold, order
from experiments.tag import SurfaceError
from experiments.tokenizer import SPECIAL
from experiments.violation import shorten

SHOWN = 3


def _told(found: Sequence[str]) -> str:
    """The first findings in a sentence."""
    return ", ".join(found[:SHOWN]) + (f" and {len(found) - SHOWN} more" if len(found) > SHOWN else "")


def _absent(place: str, declared: Iterable[str], there: Collection[str]) -> list[str]:
    return [f"{place}: no {name}" for name in declared if name not in there]


@check()
def covered(prepared: Prepared, place: Place) -> Finding:
    """Every declared prompt surface, family, form and topic is in the training rows of its stage; every split has cases of its surfaces and (but
    for pairs held apart) of every family, and every form and topic is asked for somewhere."""
    drawn, spec, rung = prepared.material, prepared.selected.spec, prepared.selected.rung
    declared, missing = coverage.declared(spec), []
    for stage, rows in drawn.stages.items():
        missing += _absent(f"{stage}, surface", rung.mixture[stage], {r.surface for r in rows})
        there = coverage.present(rows)
        missing += [f for axis, names in declared.items() for f in _absent(f"{stage}, {axis}", names, there[axis])]
    cases: Sequence[Mapping[str, str]] = drawn.contract["cases"]
    for name, split in spec.splits.items():
        mine = [c for c in cases if c["split"] == name]
        missing += _absent(f"split {name}, surface", split.surfaces, {c["surface"] for c in mine})
        if split.is_of_all:
            missing += _absent(f"split {name}, family", declared["family"], {c["family"] for c in mine})
    there = coverage.present(cases)
    missing += [f for axis in ("form", "topic") for f in _absent(f"probes, {axis}", declared[axis], there[axis])]
    told = f"{len(drawn.training)} rows, {len(cases)} cases"
    return judge(not missing, _told(missing) or told, "rows of all that is declared", missing=missing)


@check()
def curriculum_taught(prepared: Prepared, place: Place) -> Finding:
    """The best rung of a spec teaches and asks all that the spec and its curriculum declare: competencies in their stages, frontiers where
    they are measured, every value and every profile of its briefs. Other rungs do so too, unless they or a baseline of theirs changed rows; what
    those leave out is told."""
    selected = prepared.selected
    lacking = curriculum.audit(selected, prepared.material)
    declared = selected.spec.name in curriculum.load().specs
    told = _told(lacking) or f"all that is declared{'' if declared else '; no curriculum'}"
    return judge(
        not lacking or (not selected.rung.headline and _changed_rows(selected)),
        told,
        "rows and cases for the whole curriculum",
        lacking=lacking,
    )


def _changed_rows(selected: Selected) -> bool:
    """Whether a rung or one that it comes from is about its rows: a mixture, a replay, or a whole stage."""
    rung = selected.rung
    while rung.baseline:
        if rung.axis and rung.axis.split(".")[0] in ("mixture", "replay", *STAGES):
            return True
        rung = selected.spec.rungs[rung.baseline]
    return False


@check()
def well_formed(prepared: Prepared, place: Place) -> Finding:
    """A row is one line of printable ASCII, `PROMPT [OUT] OUTPUT`, without texts that the tokenizer keeps for itself, and its output is the canonical
    text of a scene, or a part of one where the prompt asks for a part."""
    spec, drawn = prepared.selected.spec, prepared.material
    surface = surfaces.load(spec.surface)
    faults: list[str] = []
    outputs: dict[str, None] = {}
    parts = {row.text for rows in drawn.stages.values() for row in rows if prompt.asks_part(row.surface)}
    for text in prepared.texts:
        try:
            output = cut(text)[1].strip()
            outputs |= {} if text in parts else {output: None}
        except ValueError as error:
            faults.append(str(error))
        if not (text.isascii() and text.isprintable()) or text != text.strip():
            faults.append(f"{shorten(text)} is not one line of printable ASCII")
        faults += [
            f"{shorten(text)} holds {special}, which is the tokenizer's own" for special in SPECIAL if special in text
        ]
    for output in outputs:
        try:
            again = surface.format(surface.parse(output))
        except SurfaceError as error:
            faults.append(str(error))
        else:
            faults += [] if again == output else [f"{shorten(output)} is not how {spec.surface} writes its scene"]
    told = f"{len(drawn.training)} rows, {len(outputs)} different outputs"
    return judge(not faults, _told(faults) or told, "rows that are read back as they were written", faults=len(faults))


@check()
def no_doubles(prepared: Prepared, place: Place) -> Finding:
    """No target is drawn twice, and inside a stage a row comes from one prompt surface, as often as its weight says at most (once if it is
    replayed)."""
    rung, drawn = prepared.selected.rung, prepared.material
    faults = [
        f"target {shorten(t)} {n} times" for t, n in Counter(t.text for t in drawn.targets.trained).items() if n > 1
    ]
    for stage, rows in drawn.stages.items():
        sources: dict[str, Counter[str]] = defaultdict(Counter)
        for row in rows:
            sources[row.text][row.surface] += 1
        for text, counts in sources.items():
            over = [s for s, n in counts.items() if n > max(stage in rung.replay, rung.mixture[stage].get(s, 0))]
            if len(counts) > 1 or over:
                faults.append(f"{stage}: {shorten(text)} from {dict(counts)}")
    return judge(
        not faults, _told(faults) or f"{len(drawn.targets.trained)} different targets", "no double", doubles=len(faults)
    )


@check()
def no_contradictions(prepared: Prepared, place: Place) -> Finding:
    """No prompt has two outputs, neither in the training rows nor beside the held-out rows and probes, and none in another order of tags,
    case or punctuation."""
    drawn = prepared.material
    outputs: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for text in prepared.texts:
        prompt, output = cut(text)
        outputs[order(prompt)].add(fold(output))
    faults = [shorten(" ".join(prompt)) for prompt, said in outputs.items() if len(said) > 1]
    told = f"{len(outputs)} different prompts of {len(drawn.training)} rows and {len(drawn.contract['cases'])} cases"
    return judge(not faults, _told(faults) or told, "one output for each prompt", contradictions=len(faults))


@check()
def held_apart(prepared: Prepared, place: Place) -> Finding:
    """No split's prompt, target or combination that it holds out is in the training rows; what it calls seen is."""
    proof = prepared.material.prove().as_dict()
    compared = sum(c["compared"] for c in proof["claims"])
    return judge(True, f"{compared} comparisons, no overlap", "no leak", **proof)


def taught(rows: Sequence[Row], axis: str, names: Iterable[str], times: Sequence[int]) -> dict[str, int]:
    """How many different rows of each name of an axis are taken at least once; the axis is `surface`, or one of what a spec declares."""
    reached: dict[str, set[str]] = {name: set() for name in names}
    for row in (row for row, count in zip(rows, times, strict=True) if count):
        name = row.surface if axis == "surface" else coverage.held(row)[axis]
        if name in reached:
            reached[name].add(row.text)
    return {name: len(texts) for name, texts in reached.items()}
