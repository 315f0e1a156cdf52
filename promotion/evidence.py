"""The hashed bundle of raw outputs that a promotion rests on, and the way back from it to a matrix.

`recompute` scores every stored raw output again with the scorer that is passed in, and reports each difference from the
stored score: a missing row, an extra row, another score, another prompt. Scores alone are never evidence.
Deliberately no file is read or written: `sealed()` and `unsealed(text)` turn a bundle into text and back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from pydantic import Field

from promotion.contract import Case, Contract
from promotion.identity import Identity
from promotion.matrix import SCORES, CaseScore, Contest, Matrix, scored
from promotion.proof import LeakProof, ParityReport
from promotion.record import Digest, Measured, Record, Word

Scorer = Callable[[Case, str, str], Mapping[str, bool]]
"""(declared case, raw output, reason why decoding stopped) -> one bool per name in `matrix.SCORES`. It is not shown the
stored score. It may raise: the case then counts as a miss with that error."""


class Output(Record):
    """What the model said to one prompt, exactly as decoded. `error` says why there is no output at all."""

    case_id: Word
    prompt: Word
    raw: str
    stop: Word  # eos, budget, context, error
    scores: dict[str, bool] = Field(default_factory=dict)
    error: str | None = None


class Evidence(Record):
    """One model's outputs on one contract. `sealed()` is the bundle as text with its digest; `unsealed` refuses edits.

    `cases` is the digest of the declared cases at the time of probing: the expected outputs cannot move afterwards.
    """

    identity: Identity
    cases: Digest
    outputs: tuple[Output, ...]
    leak: LeakProof | None = None
    parity: ParityReport | None = None
    measures: dict[str, Measured] = Field(default_factory=dict)


def score(contract: Contract, outputs: tuple[Output, ...], scorer: Scorer) -> tuple[Output, ...]:
    """Score raw outputs for the first time, as a probe does before it bundles them."""
    cases = {case.case_id: case for case in contract.cases}
    answers = [(output, *ask(scorer, cases[output.case_id], output)) for output in outputs]
    return tuple(output.model_copy(update={"scores": scores, "error": error}) for output, scores, error in answers)


def recompute(evidence: Evidence, contract: Contract, scorer: Scorer) -> Matrix:
    """Score every raw output again and build the matrix; whatever does not fit becomes a fault that the gates refuse.

    A declared case without output is a row with an error, so it counts as a miss as well.
    """
    outputs = {output.case_id: output for output in evidence.outputs}
    answers = {case.case_id: answer(scorer, case, outputs.get(case.case_id)) for case in contract.cases}
    rows = tuple(scored(case, contract, *answers[case.case_id]) for case in contract.cases)
    faults = [*bundle_faults(evidence, contract)]
    faults += [fault for row in rows if row.case_id in outputs for fault in score_faults(outputs[row.case_id], row)]
    return Matrix(
        identity=evidence.identity, contract=contract, rows=rows, leak=evidence.leak, parity=evidence.parity,
        measures=evidence.measures, evidence=evidence.digest, faults=tuple(faults),
    )  # fmt: skip


def contest(challenger: Evidence, champion: Evidence | None, contract: Contract, scorer: Scorer) -> Contest:
    """Score challenger and champion again, with one scorer on one contract: the champion's score is never cached."""
    ours = recompute(challenger, contract, scorer)
    return Contest(ours, None if champion is None else recompute(champion, contract, scorer))


def answer(scorer: Scorer, case: Case, output: Output | None) -> tuple[Mapping[str, bool], str | None]:
    """The scores of one case, or why it has none."""
    if output is None:
        return {}, "no output in the evidence"
    return ask(scorer, case, output)


def ask(scorer: Scorer, case: Case, output: Output) -> tuple[Mapping[str, bool], str | None]:
    """Run the scorer on one output; an output that failed, or a scorer that raises, gives an error and no score."""
    if output.stop == "error":
        return {}, output.error or "decoding failed and says no reason"
    try:
        return dict(scorer(case, output.raw, output.stop)), None
    except Exception as problem:  # noqa: BLE001 - a crash of the scorer on one case is a miss, and never a lost row
        return {}, f"scorer: {type(problem).__name__}: {problem}"


def bundle_faults(evidence: Evidence, contract: Contract) -> list[str]:
    """What is wrong with the bundle as a whole: other cases, rows missing, rows extra, rows twice, other prompts."""
    prompts = {case.case_id: case.prompt for case in contract.cases}
    counts = Counter(output.case_id for output in evidence.outputs)
    faults = [] if evidence.cases == contract.digest else ["the declared cases changed after probing"]
    faults += [f"case {name} has no output" for name in prompts if name not in counts]
    faults += [f"case {name} is not declared" for name in counts if name not in prompts]
    faults += [f"case {name} has {count} outputs" for name, count in counts.items() if count > 1]
    asked = [o.case_id for o in evidence.outputs if o.case_id in prompts and o.prompt != prompts[o.case_id]]
    return faults + [f"case {name} was asked another prompt" for name in asked]


def score_faults(output: Output, row: CaseScore) -> list[str]:
    """Each stored score that recomputing does not give again."""
    if output.error != row.error:
        return [f"case {output.case_id}: error stored as {output.error!r}, recomputed as {row.error!r}"]
    if row.error is not None:
        return []
    pairs = {name: (output.scores.get(name), getattr(row, name)) for name in SCORES}
    odd = {name: pair for name, pair in pairs.items() if pair[0] is not pair[1]}
    return [f"case {output.case_id}: {name} stored as {a}, recomputed as {b}" for name, (a, b) in odd.items()]
