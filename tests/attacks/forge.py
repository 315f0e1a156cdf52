"""Forgeries of a real run's evidence: what somebody with write access to the store might put there."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

from cktrack import judge
from cktrack import promote as promotions
from experiments.probes import contract as contracts

RUNG = "spec12/r17"


@contextmanager
def own_contract(store, place, result, dropped):
    """Inside the block a run brings its own, easier contract: some cases dropped, the checkpoint asked again, everything sealed anew."""
    folder = place / "mlartifacts" / "spec12" / result.run_id / "artifacts" / "evidence"
    kept = {n: (folder / n).read_text() for n in ("contract.json", "evidence.json")}
    candidate = promotions.fetch(store, "spec12", result.version)
    contract = json.loads(kept["contract.json"])
    contract["cases"] = [c for c in contract["cases"] if not dropped(c)]
    declared, own = judge.contract_of(contract), contracts.sha256(contract)
    sizes = Counter(c["split"] for c in contract["cases"])
    claims = tuple(c.model_copy(update={"compared": sizes[c.split]}) for c in candidate.evidence.leak.claims)
    evidence = candidate.evidence.model_copy(
        update={
            "identity": candidate.evidence.identity.model_copy(update={"contract": own}), "cases": declared.digest,
            "outputs": tuple(o for o in candidate.evidence.outputs if o.case_id in {c.case_id for c in declared.cases}),
            "leak": candidate.evidence.leak.model_copy(update={"contract": own, "claims": claims}),
        }
    )  # fmt: skip
    tag = store.client.get_model_version("spec12", result.version).tags["cktrack.contract"]
    try:
        (folder / "contract.json").write_text(json.dumps(contract))
        (folder / "evidence.json").write_text(evidence.sealed())
        store.client.set_model_version_tag("spec12", result.version, "cktrack.contract", own)
        yield
    finally:
        store.client.set_model_version_tag("spec12", result.version, "cktrack.contract", tag)
        for name, text in kept.items():
            (folder / name).write_text(text)


def copy_of(store, result, folder: Path, edit=None, artifact=None) -> str:
    """A forged version: the first run's evidence under another run, one file of it changed, with the first run's model."""
    client = store.client
    made = client.create_run(store.experiment("spec12"), run_name="forged").info.run_id
    client.log_param(made, "rung.label", RUNG)
    client.set_terminated(made, "FINISHED")
    for name in ("evidence", "contract", "splits", "parity"):
        text = (Path(result.folder) / f"{name}.json").read_text()
        (folder / f"{name}.json").write_text(edit(text) if name == artifact else text)
        client.log_artifact(made, str(folder / f"{name}.json"), "evidence")
    version = client.get_model_version("spec12", result.version)
    model = version.source.removeprefix("models:/")
    return str(
        client.create_model_version("spec12", version.source, made, tags={"cktrack.rung": RUNG}, model_id=model).version
    )
