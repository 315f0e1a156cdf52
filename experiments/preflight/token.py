"""Checks on rows in tokens: what fits the context, what the tokenizer knows, and how far the budget reaches."""

from __future__ import annotations

from typing import Any

from cengine.train import Stream
from experiments import axis, coverage
from experiments.pack import cut, trained
from experiments.preflight import Finding, Place, check, judge
from experiments.preflight.row import taught
from experiments.prepared import Prepared
from experiments.spec import Rung, Selected
from experiments.token_audit import FITS
from experiments.tokenizer import UNKNOWN
from experiments.training import steps_of

LEAST = 0.05  # share of a stage's different rows that a budget has to reach, unless it is what the rung changes
TYPICAL = 400 / 512  # the share of the context that 95 of 100 rows may take: 400 tokens of 512, 600 of 768


@check()
def token_budget(prepared: Prepared, place: Place) -> Finding:
    """The longest output, its end token included, takes at most 80 % of the context, and 95 of 100 rows take at most 78 % with their prompts."""
    ctx = prepared.selected.model.ctx
    longest = max(map(len, prepared.encode([cut(text)[1] for text in prepared.texts]))) + 1
    rows = sorted(len(ids) + 1 for ids in prepared.ids)
    p95 = rows[min(len(rows) - 1, len(rows) * 95 // 100)]
    got = f"longest output {longest} ({longest / ctx:.0%}), p95 of rows {p95} ({p95 / ctx:.0%}) of ctx {ctx}"
    expected = f"at most {FITS:.0%} and {TYPICAL:.0%}; raise ctx or shorten the surface"
    return judge(
        longest <= FITS * ctx and p95 <= TYPICAL * ctx and rows[-1] <= ctx + 1,
        got,
        expected,
        longest_output=longest,
        p95=p95,
        longest_row=rows[-1],
        ctx=ctx,
    )


@check()
def nothing_unknown(prepared: Prepared, place: Place) -> Finding:
    """No line holds a token that the tokenizer does not know, and every line comes back from its ids."""
    coder = prepared.coder
    unknown = coder.inner.token_to_id(UNKNOWN)
    pairs = zip(prepared.texts, prepared.ids, strict=True)
    strange = [t for t, ids in pairs if unknown is not None and unknown in ids]
    trip = prepared.audit["roundtrip"]
    lost, first = trip["rows"] - trip["exact"], trip["first_wrong"]
    faults = [*strange, *([prepared.texts[first["row"] - 1]] if first else ())]
    got = f"{len(strange)} lines with unknown tokens, {lost} that do not come back" + (
        f", e.g. {faults[0][:80]!r}" if faults else ""
    )
    return judge(not faults, got, f"0 of {len(prepared.texts)}", unknown=len(strange), lost=lost)


@check()
def tokenizer_sound(prepared: Prepared, place: Place) -> Finding:
    """The audit of the tokenizer has no failure; warnings are told."""
    found = prepared.audit
    told = "; ".join(f"{f['severity']} {f['code']}: {f['message']}" for f in found["findings"])
    return judge(
        found["verdict"] != "fail",
        told or f"{found['size']} tokens, nothing odd",
        "no failure (`cktrack tokenizer audit` tells all)",
        verdict=found["verdict"],
        findings=found["findings"],
    )


@check()
def budget_reaches(prepared: Prepared, place: Place) -> Finding:
    """The rung's own budget trains rows of every prompt surface, family, form and topic of each stage, and 5 % of its different rows. Where the
    budget is the rung's axis, or that of the rung whose budget it has, what it never reaches is told and not refused. Which rows are
    reached, the order of the windows says."""
    rung, ctx = prepared.selected.rung, prepared.selected.model.ctx
    declared = coverage.declared(prepared.selected.spec)
    facts: dict[str, Any] = {}
    for stage, packed in prepared.packed.items():
        rows = prepared.material.stages[stage]
        windows = len(packed.windows.ids)
        taken = steps_of(rung.budget[stage], rung, ctx, 1.0) * rung.rows * rung.accumulate
        times = trained(packed, Stream(packed.windows, rung.seed, stage, *divmod(taken, windows))).tolist()
        different = len({r.text for r in rows})
        reached = len({r.text for r, n in zip(rows, times, strict=True) if n})
        names = {"surface": tuple(rung.mixture[stage]), **declared}
        facts[stage] = {
            "different": different,
            "reached": reached,
            "share": round(reached / different, 4),
            "epochs": round(taken / windows, 3),
            **{axis: taught(rows, axis, known, times) for axis, known in names.items()},
        }
    never = {
        stage: [f"{stage}, {axis} {name}" for axis in ("surface", *declared) for name, n in fact[axis].items() if not n]
        for stage, fact in facts.items()
    }
    told = [name for names in never.values() for name in names]
    shares = ", ".join(
        f"{stage} {fact['reached']} of {fact['different']} different rows ({fact['share']:.0%}, {fact['epochs']:.2g} epochs)"
        for stage, fact in facts.items()
    )
    short = [
        stage
        for stage, fact in facts.items()
        if (never[stage] or fact["share"] < LEAST) and not _asks_for_budget(prepared.selected, stage)
    ]
    got = f"never: {', '.join(told[:5])}; {shares}" if told else shares
    expected = f"rows of every surface, family, form and topic in the budget, and {LEAST:.0%} of all; raise its tokens"
    return judge(not short, got, expected, **facts)


def _asks_for_budget(selected: Selected, stage: str) -> bool:
    """Whether a stage's budget is what a rung changes on purpose: its axis, or the axis of the baseline that it has the same budget from."""
    rung: Rung | None = selected.rung
    while rung and rung.budget.get(stage) == selected.rung.budget[stage]:
        if rung.axis and axis.covers(rung.axis, f"budget.{stage}.tokens", ()):
            return True
        rung = selected.spec.rungs[rung.baseline] if rung.baseline else None
    return False
