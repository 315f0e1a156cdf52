"""The profile of a rung's rows: how many, how long, how varied, how mixed. Counts of what is there; no judgement (that is preflight's).

Lengths are characters and tokens of whole rows with the end token. Variety is the share of different n-grams of words among all of them; where there
are more than `MOST` different texts, it is counted over so many, evenly spread, and `of` says how many. A mixture is told three times: as
declared, as rows on disk, and as the windows that the budget will take.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cengine.train import Stream
from experiments.corpus import Row
from experiments.pack import trained
from experiments.prepared import Prepared
from experiments.split import tags
from experiments.style import STYLE
from experiments.training import steps_of

MOST = 4000


def profile(prepared: Prepared) -> dict[str, Any]:
    """Everything that is counted about a rung's rows and cases, as plain data."""
    drawn, selected = prepared.material, prepared.selected
    tokens = {text: len(ids) + 1 for text, ids in zip(prepared.texts, prepared.ids, strict=True)}
    stages = {stage: _table(rows, tokens) for stage, rows in {**drawn.stages, "dev": drawn.dev}.items()}
    training = [row for rows in drawn.stages.values() for row in rows]
    return {
        "rung": selected.label,
        "surface": selected.spec.surface,
        "corpus_sha256": drawn.corpus_sha256,
        "targets": {
            "trained": len(drawn.targets.trained), "unseen": len(drawn.targets.unseen), "recombined": len(drawn.targets.recombined),
            "dev": len(drawn.targets.dev),
        },
        "stages": stages,
        "splits": {name: _cases(drawn.contract["cases"], name) for name in selected.spec.splits},
        "surfaces": {name: _table(rows, tokens) for name, rows in _by(training, "surface").items()},
        "families": _families(training),
        "styles": _styles(training),
        "variety": {"prompts": variety(r.prompt for r in training), "outputs": variety(r.output for r in training)},
        "mixture": {stage: mixture(prepared, stage) for stage in drawn.stages},
    }  # fmt: skip


def spread(numbers: Iterable[int]) -> dict[str, float]:
    """Least, mean, middle, 95th of a hundred, and most."""
    found = sorted(numbers)
    if not found:
        return {}
    at = {"p50": found[len(found) // 2], "p95": found[min(len(found) - 1, len(found) * 95 // 100)]}
    return {"min": found[0], "mean": round(sum(found) / len(found), 1), **at, "max": found[-1]}


def _table(rows: Sequence[Row], tokens: Mapping[str, int]) -> dict[str, Any]:
    """Rows, how many are different, and their lengths."""
    return {
        "rows": len(rows),
        "different": len({r.text for r in rows}),
        "prompts": len({r.prompt for r in rows}),
        "outputs": len({r.output for r in rows}),
        "characters": spread(len(r.text) for r in rows),
        "tokens": spread(tokens[r.text] for r in rows),
    }


def _cases(cases: Sequence[Mapping[str, str]], split: str) -> dict[str, Any]:
    mine = [case for case in cases if case["split"] == split]
    return {
        "cases": len(mine),
        "prompts": len({c["prompt"] for c in mine}),
        "outputs": len({c["expected"] for c in mine}),
        "surfaces": dict(sorted(Counter(c["surface"] for c in mine).items())),
        "families": dict(sorted(Counter(c["family"] for c in mine).items())),
    }


def _by(rows: Iterable[Row], name: str) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[getattr(row, name)].append(row)
    return dict(sorted(found.items()))


def _families(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Rows, different outputs, contents and styles of each family and form."""
    found: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        found[row.family, row.form].append(row)
    return [
        {
            "family": family, "form": form, "rows": len(mine), "outputs": len({r.output for r in mine}),
            "cases": len({r.case for r in mine}), "styles": len({_style(o) for o in {r.output for r in mine}}),
        }
        for (family, form), mine in sorted(found.items())
    ]  # fmt: skip


def _style(output: str) -> tuple[str, ...]:
    said = tags(output)
    return tuple(said.get(axis, "") for axis in STYLE)


def _styles(rows: Sequence[Row]) -> dict[str, dict[str, int]]:
    """Different outputs by each value of each style attribute that outputs state."""
    found: dict[str, Counter[str]] = {axis: Counter() for axis in STYLE}
    for output in {row.output for row in rows}:
        for axis, value in zip(STYLE, _style(output), strict=True):
            if value:
                found[axis][value] += 1
    return {axis: dict(sorted(counts.items())) for axis, counts in found.items() if counts}


def variety(texts: Iterable[str]) -> dict[str, Any]:
    """Shares of different words, pairs and triples of words among all."""
    different = list(dict.fromkeys(texts))
    chosen = [different[i * len(different) // MOST] for i in range(MOST)] if len(different) > MOST else different
    found: dict[str, Any] = {"texts": len(different), "of": len(chosen)}
    words = [text.split() for text in chosen]
    for n in (1, 2, 3):
        grams = Counter(tuple(text[i : i + n]) for text in words for i in range(len(text) - n + 1))
        found[f"different_{n}"] = len(grams)
        found[f"share_{n}"] = round(len(grams) / max(1, grams.total()), 4)
    return found


def mixture(prepared: Prepared, stage: str) -> dict[str, dict[str, float | None]]:
    """Prompt surface -> share by its weight (null where a replay decides), of the rows on disk, and of the rows that the budget takes."""
    rung, rows = prepared.selected.rung, prepared.material.stages[stage]
    packed = prepared.packed[stage]
    taken = steps_of(rung.budget[stage], rung, prepared.selected.model.ctx, 1.0) * rung.rows * rung.accumulate
    stream = Stream(packed.windows, rung.seed, stage, *divmod(taken, len(packed.windows.ids)))
    declared, disk, real = rung.declared(stage), Counter(r.surface for r in rows), Counter[str]()
    for row, count in zip(rows, trained(packed, stream).tolist(), strict=True):
        real[row.surface] += count
    return {
        name: {
            "declared": declared.get(name),
            "rows": round(disk[name] / disk.total(), 6),
            "budget": round(real[name] / max(1, real.total()), 6),
        }
        for name in dict.fromkeys([*rung.mixture[stage], *sorted(disk)])
    }
