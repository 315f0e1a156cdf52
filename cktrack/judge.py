"""From a run's outcome, or from its stored files, to what promotion judges: contract, evidence, matrix.

The scorer here is the one way by which a raw output gets its scores, in a run and in a promotion alike.
"""

from __future__ import annotations

from collections.abc import Mapping

from experiments.probes import contract as contracts
from experiments.probes.score import score
from experiments.run import Outcome
from promotion import Case, Contract, Evidence, Identity, LeakProof, Output, ParityReport, SplitClaim
from promotion.evidence import Scorer


def contract_of(data: Mapping) -> Contract:
    """The contract file as promotion reads it; its hash is recomputed here, from the data."""
    cases = tuple(
        Case(
            case_id=c["id"],
            prompt=c["prompt"],
            expected=c["expected"],
            split=c["split"],
            family=c["family"],
            surface=c["surface"],
            form=c["form"],
        )
        for c in data["cases"]
    )
    return Contract(
        name=data["contract"],
        hash=contracts.sha256(dict(data)),
        splits={n: s["kind"] for n, s in data["splits"].items()},
        cases=cases,
    )


def scorer_of(data: Mapping) -> Scorer:
    """(declared case, raw output, stop reason) -> scores, for the cases of this contract."""
    cases = {c["id"]: c for c in data["cases"]}
    contract = dict(data)
    return lambda case, raw, stop: score(contract, cases[case.case_id], raw, stop).bools()


def leak_proof(proof: Mapping, hashes: Mapping[str, str]) -> LeakProof:
    claims = tuple(
        SplitClaim(split=c["split"], holds_out=c["holds_out"], compared=c["compared"], overlaps=c["overlaps"])
        for c in proof["claims"]
    )
    return LeakProof(contract=hashes["contract"], corpus=hashes["corpus"], claims=claims)


def parity_report(report: Mapping, hashes: Mapping[str, str], parameters: int) -> ParityReport:
    """The worst error over every comparison with the float64 reference; null if one of them has no value."""
    own = [c for c in report["checks"] if c["against"] == "float64 NumPy"]
    whole = f"gradients at {report['model']['layers']} layers, {report['model']['heads']} heads,"  # a long context is compared in fewer
    gradients = [c for c in own if c["check"].startswith(whole)]
    values = [c["value"] for c in own]
    return ParityReport(
        engine=report["engine"],
        shape=hashes["shape"],
        tensors=min((len(c["tensors"]) - 1 for c in gradients), default=0),  # without the loss
        declared=parameters,
        worst=None if not values or None in values else max(values),
        precision=report["precision"],
        cached=bool(report["cached"]),
    )


def evidence_of(
    outcome: Outcome, model: str, version: str, run_id: str, weights_sha256: str, parameters: int
) -> Evidence:
    """The sealed bundle of a finished run."""
    h = outcome.hashes
    who = Identity(
        model=model, version=version, run_id=run_id, weights=weights_sha256, tokenizer=h["tokenizer"], engine=h["engine"],
        shape=h["shape"], contract=h["contract"], corpus=h["corpus"], evaluator=h["evaluator"],
    )  # fmt: skip
    outputs = tuple(
        Output(case_id=o.case["id"], prompt=o.case["prompt"], raw=o.raw, stop=o.stop, scores=o.score.bools())
        for o in outcome.outputs
    )
    return Evidence(
        identity=who,
        cases=contract_of(outcome.contract).digest,
        outputs=outputs,
        leak=leak_proof(outcome.proof, h),
        parity=parity_report(outcome.parity, h, parameters),
        measures=dict(outcome.measures),
    )
