"""The ladder as data: one YAML per spec, with all its rungs. This file reads and checks it; what a spec and a rung are, `spec.py` says.

Reading refuses unknown and doubled keys, names of nothing, numbers that are not finite, shapes that the engine does not compute, and rungs
that change more than their axis. What a rung does not say is taken from its baseline. What a rung's gates are called is promotion's knowledge,
so `cktrack/ladder.py` checks it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from cengine.parity import holds_bf16
from experiments import axis, brief, coders, document, families, look, prompt, surfaces
from experiments.spec import PROSE, STAGES, Record, Selected, Spec
from experiments.split import COUNTS
from experiments.style import AXES, BACKGROUNDS, Style
from experiments.tag import SurfaceError, Vocabulary
from experiments.violation import Violation, nearest, shorten

FOLDER = Path(__file__).parent / "ladder"
CHOSEN = (
    "model",
    "tokenizer",
    "targets",
    "splits",
    "mixture",
    "budget",
)  # what a rung is made of, in the words of `held_constant`
WORDS = {  # kinds of pydantic's findings, in the house's words
    **dict.fromkeys(("model_type", "model_attributes_type", "dict_type"), "a mapping of keys to values"),
    **dict.fromkeys(("tuple_type", "list_type"), "a list"),
    **dict.fromkeys(("string_type", "string_unicode"), "a text"),
    "invalid_key": "a text as a key",
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    **dict.fromkeys(("int_type", "int_parsing", "int_parsing_size", "int_from_float"), "a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "a number"),
    "too_short": "at least {min_length} in it",
    "finite_number": "a finite number",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
}


class LadderError(ValueError):
    """A spec or rung that cannot be read; the message lists every fault with its path."""


# ------------------------------------------------------------------------------------------------- reading


def names() -> list[str]:
    """Specs of the ladder in its order: the numbered ones, which build on one another, then the rest."""
    return sorted((p.stem for p in FOLDER.glob("*.yaml")), key=lambda name: (not name.startswith("spec"), name))


def every() -> tuple[list[Selected], list[LadderError]]:
    """Every rung of the specs that can be read, and one error for each spec that cannot."""
    found: list[Selected] = []
    errors: list[LadderError] = []
    for name in names():
        try:
            spec = load(name)
        except LadderError as error:
            errors.append(error)
        else:
            found += [Selected(spec=spec, name=rung) for rung in spec.rungs]
    return found, errors


def rungs() -> list[str]:
    """Every rung that can be read, as SPEC/RUNG."""
    return [selected.label for selected in every()[0]]


@cache
def load(name: str) -> Spec:
    """A spec by name. Raises LadderError with every fault and its path."""
    path = FOLDER / f"{name}.yaml"
    if not path.is_file():
        raise LadderError(f"spec: got {name!r}, expected {_one_of(name, names())}")
    try:
        return read(path.read_text(encoding="utf-8"), name)
    except UnicodeDecodeError as error:
        raise LadderError(f"ladder/{name}.yaml: got byte {error.start} of no text, expected UTF-8") from error


def read(text: str, name: str) -> Spec:
    """A spec from YAML text; raises LadderError with the file, and every fault with its path."""
    file = f"ladder/{name}.yaml"
    try:
        data = document.read(text)
    except document.DocumentError as error:
        raise LadderError(f"{file}: {error}") from error
    if "name" in data:
        raise refusal(file, [Violation("name", repr(data["name"]), "no such key: the file's name is the spec's")])
    try:
        spec = Spec.model_validate({"name": name, **data, "rungs": _inherited(data.get("rungs"))})
    except ValidationError as error:
        raise refusal(file, [fault(e) for e in error.errors()]) from error
    if found := [*_strangers(spec), *_shape(spec)] or [*_changes(spec)]:
        raise refusal(file, found)
    return spec


def select(label: str) -> Selected:
    """The rung called SPEC/RUNG. Raises LadderError if its spec cannot be read or there is no such rung."""
    spec_name, _, rung = label.partition("/")
    if spec_name not in names() or not rung:
        raise LadderError(f"rung: got {label!r}, expected {_one_of(label, rungs())}")
    spec = load(spec_name)
    if rung not in spec.rungs:
        raise LadderError(f"rung: {spec_name} has no {rung!r}, expected {_one_of(rung, spec.rungs)}")
    return Selected(spec=spec, name=rung)


# ------------------------------------------------------------------------------------------------- refusing


def refusal(file: str, faults: Iterable[object]) -> LadderError:
    """The error of a file with these faults: one in its line, several below each other."""
    told = [str(fault) for fault in faults]
    return LadderError(f"{file}: {told[0]}" if len(told) == 1 else "\n  ".join([f"{file}: {len(told)} faults", *told]))


def _one_of(name: str, known: Iterable[str]) -> str:
    known = list(known)
    return f"one of {', '.join(known) or '(none)'}{nearest(name, known)}"


def fault(error: Any, record: type[Record] | None = None) -> object:
    """One finding of pydantic in the house's words, about a spec or another `record`; a sentence of our own validators stays as it is."""
    loc, kind, message = error["loc"], error["type"], error["msg"]
    path = ".".join(map(str, loc)) or (record or Spec).__name__.lower()
    if kind == "value_error":
        return f"{path}: {message.removeprefix('Value error, ')}"
    if kind == "extra_forbidden":
        return Violation(path, "an unknown key", _one_of(str(loc[-1]), _keys(loc[:-1], record or Spec)))
    if kind == "missing":
        return Violation(path, "nothing", "a value: the key has no default")
    plain = message.removeprefix("Input should be ").removeprefix("Input should ")
    expected = WORDS[kind].format(**error.get("ctx", {})) if kind in WORDS else plain
    return Violation(path, shorten(error["input"]), expected)


def _keys(loc: tuple[int | str, ...], record: Any) -> list[str]:
    """Keys of the record at a place of a `record`."""
    for step in loc:
        fields = getattr(record, "model_fields", None)
        record = fields[step].annotation if fields else get_args(record)[-1]  # a table's values are records
    return [key for key in record.model_fields if record is not Spec or key != "name"]


def _strangers(spec: Spec) -> Iterator[Violation]:
    """Names that nothing goes by: surface, families, backgrounds, tags of a combination, prompt surfaces."""

    def unknown(place: str, chosen: Iterable[str], known: Iterable[str]) -> Iterator[Violation]:
        known = list(known)
        for key, name in enumerate(chosen):
            if name not in known:
                yield Violation(f"{place}.{key}", repr(name), _one_of(name, known))

    ways = prompt.templates()
    if spec.surface not in surfaces.names():
        yield Violation("surface", repr(spec.surface), _one_of(spec.surface, surfaces.names()))
        yield from unknown("families", spec.families, families.names())
    else:
        strange = list(unknown("families", spec.families, look.families(spec.surface)))
        yield from strange or _pools(spec)
    for name, rung in spec.rungs.items():
        yield from unknown(f"rungs.{name}.families", rung.families or (), spec.families)
        yield from _surface(f"rungs.{name}.surface", Selected(spec=spec, name=name).spec) if rung.surface else ()
    if twice := {f for f in spec.families if spec.families.count(f) > 1}:
        yield Violation("families", f"{', '.join(sorted(twice))} twice", "each family once")
    for place, made in [
        ("tokenizer", spec.tokenizer),
        *((f"rungs.{n}.tokenizer", r.tokenizer) for n, r in spec.rungs.items()),
    ]:
        if made and made.kind not in coders.names():
            yield Violation(f"{place}.kind", repr(made.kind), _one_of(made.kind, coders.names()))
    yield from unknown("targets.backgrounds", spec.targets.backgrounds, BACKGROUNDS)
    yield from _briefs(spec)
    yield from _unseen(spec)
    for name, split in spec.splits.items():
        yield from unknown(f"splits.{name}.surfaces", split.surfaces, ways)
        yield from unknown(f"splits.{name}.combination", split.combination, _tags(spec))
    for name, rung in spec.rungs.items():
        for stage, mixture in rung.mixture.items():
            for way in (w for w in mixture if w not in ways):
                yield Violation(f"rungs.{name}.mixture.{stage}", repr(way), _one_of(way, ways))


def _surface(place: str, spec: Spec) -> Iterator[Violation]:
    """A rung's own surface that is none, or gives its spec no scenes."""
    if spec.surface not in surfaces.names():
        yield Violation(place, repr(spec.surface), _one_of(spec.surface, surfaces.names()))
        return
    lacking = [name for name in spec.families if name not in look.families(spec.surface)]
    if lacking or any(_pools(spec)):
        expected = f"one that gives targets of kind {spec.targets.kind} in {', '.join(lacking or spec.families)}"
        yield Violation(place, repr(spec.surface), expected)


def _tags(spec: Spec) -> list[str]:
    """Names of tags that a combination may name: what prompts and texts of the spec hold, and all numbers of a text as one."""
    found = surfaces.load(spec.surface).vocabulary() if spec.surface in surfaces.names() else Vocabulary.of([])
    named = {tag.strip("[/]").partition(":")[0] for tag in (*found.tags, *found.prefixes) if ":" in tag}
    return list(dict.fromkeys(["topic", "family", "form", COUNTS, *AXES, *sorted(named)]))


def _briefs(spec: Spec) -> Iterator[Violation]:
    """A table that is not there or cannot be read, and prompt surfaces that cannot state what the spec asks by."""
    table = None
    if spec.targets.kind == "briefs":
        try:
            table = brief.load(spec.targets.briefs)
        except brief.BriefError as error:
            yield Violation("targets.briefs", repr(spec.targets.briefs), str(error))
            return
    asked = {f"splits.{n}.surfaces": s.surfaces for n, s in spec.splits.items()}
    asked |= {f"rungs.{n}.mixture.{stage}": tuple(m) for n, r in spec.rungs.items() for stage, m in r.mixture.items()}
    for place, ways in asked.items():
        for way in (w for w in ways if w in prompt.templates()):
            for reason in prompt.lacking(way, table):
                yield Violation(place, f"{way!r}, which has {reason}", "a surface that can ask for this spec's scenes")


def _unseen(spec: Spec) -> Iterator[Violation]:
    """Rungs that never train a way of asking in which a split asks for what it calls seen."""
    for name in spec.rungs:
        trained = _ways(spec, name)
        for split in (s for s in spec.splits.values() if s.kind == "seen"):
            if missing := [way for way in split.surfaces if way not in trained]:
                got = f"no {', '.join(missing)} in any stage"
                yield Violation(
                    f"rungs.{name}.mixture", got, "some: seen cases are asked so, and must have been trained"
                )


def _ways(spec: Spec, name: str) -> set[str]:
    """The prompt surfaces that a rung trains, in its mixtures or in those of the rungs that it replays."""
    rung = spec.rungs[name]
    own = {way for mixture in rung.mixture.values() for way in mixture}
    return own.union(*(_ways(spec, source) for replay in rung.replay.values() for source in replay.sources))


def _pools(spec: Spec) -> Iterator[Violation]:
    """Families that give the spec no target: without a case of its surface, without forms, or with forms it cannot write."""
    for key, name in enumerate(spec.families):
        place, family = f"families.{key}", families.load(name)
        if spec.targets.kind == "orders" and not look.ordered(spec.surface, name):
            yield Violation(
                place,
                repr(name),
                f"atoms, on the surface atoms or raw_svg; orders give nothing of it on {spec.surface}",
            )
        if spec.targets.kind == "cases" and not look.cases(name, spec.surface):
            yield Violation(place, repr(name), f"a family with cases of {spec.surface}; there is no case of it")
        if spec.targets.kind == "forms" and not family.forms:
            yield Violation(place, repr(name), f"a family with forms: {', '.join(surfaces.load('bundle').families())}")
        for form in family.forms if spec.targets.kind == "forms" else ():
            try:
                surfaces.load(spec.surface).format(family.lower(form, family.forms[form].legal()[0], Style()))
            except SurfaceError:
                yield Violation("surface", repr(spec.surface), f"a surface that writes forms, such as {form} of {name}")
                return


def _shape(spec: Spec) -> Iterator[str]:
    """What the engine says against the model's shape."""
    for name in spec.rungs:
        selected = Selected(spec=spec, name=name)
        try:
            selected.model.config(selected.tokenizer.vocab)
        except ValueError as error:
            yield str(error)
            return


def _inherited(rungs: Any) -> Any:
    """Rungs with everything that trains, taken from their baselines where they do not say it themselves. Of tables by stage, a rung says
    the stages that differ, and null for one that it has not. Faults are left to validation.
    """
    if not isinstance(rungs, dict):
        return rungs
    whole: dict[str, Any] = {}

    def fill(name: Any, below: tuple[Any, ...]) -> Any:
        rung = rungs.get(name)
        if name in whole or not isinstance(rung, dict) or name in below:
            return whole.get(name, rung)
        base = fill(rung.get("baseline"), (*below, name))
        if isinstance(base, dict):
            taken = {key: value for key, value in base.items() if key not in PROSE - {"gates"}}
            rung = {**taken, "held_constant": axis.untouched(rung.get("axis"), CHOSEN, STAGES), **rung}
            for table in axis.BY_STAGE:
                if isinstance(base.get(table), dict) and isinstance(rung[table], dict):
                    rung[table] = {k: v for k, v in {**base[table], **rung[table]}.items() if v is not None}
        whole[name] = rung
        return rung

    return {name: fill(name, ()) for name in rungs}


def _changes(spec: Spec) -> Iterator[Violation]:
    """Rungs that change more than their axis, or not even that."""
    for name, rung in spec.rungs.items():
        before = spec.rungs[rung.baseline] if rung.baseline else rung
        theirs = _compared(spec, rung.baseline) if rung.baseline else None
        stages = {*rung.stages(), *before.stages()}
        for found in axis.faults(rung.axis, rung.held_constant, _compared(spec, name), theirs, stages):
            yield replace(found, place=f"rungs.{name}.{found.place}")


def _compared(spec: Spec, name: str) -> dict[str, Any]:
    """What an axis is a place of: all that trains, and by which gates the outcome is judged. `auto` is the precision of a CPU that has both, so
    that a model which needs another one than its baseline has changes two things."""
    selected = Selected(spec=spec, name=name)
    settings = {**selected.settings(), "gates": spec.rungs[name].gates}
    if settings["precision"] == "auto":
        settings["precision"] = "bf16" if holds_bf16(selected.model.layers, selected.model.head_dim) else "fp32"
    return settings


def digest(value: object) -> str:
    """sha256 of plain data in canonical JSON."""
    return hashlib.sha256(
        json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
    ).hexdigest()
