"""Promotion over MLflow: fetch and re-hash, re-decode and re-score, judge against the champion, then move the alias or refuse.

Nothing that a run says about itself is believed: weights and contract are hashed again, every raw output is decoded again where this
machine can give the same bits, and scored again in any case. The verdict is an event in the journal first; aliases, tags and the
version's description follow from it.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import tempfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import mlflow
from mlflow.exceptions import MlflowException

from cengine import checkpoint
from cengine.decode import Decoder
from cktrack import judge
from cktrack.journal import LOCK, Journal, promoter
from cktrack.store import Store, StoreError
from experiments import ladder
from experiments.probes import contract as contracts
from experiments.run import PROBE_SLOTS, ask, scoring_digest
from experiments.tokenizer import Coder
from promotion import (
    Contest,
    Event,
    Evidence,
    Identity,
    Matrix,
    Output,
    PromotionError,
    Request,
    State,
    apply,
    decide,
    differences,
    load,
    recompute,
    roll_back,
    score,
)
from promotion.report import markdown

CHAMPION, PREVIOUS = "champion", "previous_champion"
DESCRIPTION_LIMIT = 5000


@dataclass(frozen=True)
class Candidate:
    """A registered version with what its bytes say: checkpoint, contract and evidence, all read and hashed here."""

    version: str
    run_id: str
    rung: str
    checkpoint: checkpoint.Checkpoint
    weights_sha256: str
    tokenizer_sha256: str
    contract: dict
    evidence: Evidence


def fetch(store: Store, name: str, version: str) -> Candidate:
    """Download and check a version. Raises StoreError or CheckpointError with what is missing or damaged."""
    try:
        found = store.client.get_model_version(name, version)
    except MlflowException as error:
        known = names(store)
        raise StoreError(
            f"promote: there is no {name} version {version}; registered models: {', '.join(known) or 'none'}"
        ) from error
    run_id = str(found.run_id)
    model_id = _model_id(store, str(found.source))
    status = str(store.client.get_logged_model(model_id).status)
    if status != "READY":
        raise StoreError(f"promote: the model of {name} version {version} is {status}; expected READY")
    place = Path(mlflow.artifacts.download_artifacts(f"models:/{model_id}"))
    folder = next(iter(sorted(place.rglob(checkpoint.MANIFEST))), None)
    if folder is None:
        raise StoreError(f"promote: {name} version {version} holds no checkpoint; was it registered by cktrack?")
    loaded, files = checkpoint.load(folder.parent), checkpoint.read(folder.parent)
    with tempfile.TemporaryDirectory() as scratch:
        texts = {n: _text(store, run_id, f"evidence/{n}.json", scratch) for n in ("evidence", "contract")}
    return Candidate(
        version=str(version),
        run_id=run_id,
        rung=found.tags.get("cktrack.rung", ""),
        checkpoint=loaded,
        weights_sha256=hashlib.sha256(files["model.safetensors"]).hexdigest(),
        tokenizer_sha256=hashlib.sha256(files["tokenizer.json"]).hexdigest(),
        contract=json.loads(texts["contract"]),
        evidence=Evidence.unsealed(texts["evidence"]),
    )


def _text(store: Store, run_id: str, path: str, scratch: str) -> str:
    try:
        return Path(store.client.download_artifacts(run_id, path, scratch)).read_text()
    except MlflowException as error:
        raise StoreError(
            f"promote: run {run_id} has no {path}: it did not finish, so there is nothing to judge; run the rung again"
        ) from error


def _model_id(store: Store, source: str) -> str:
    """The logged model behind a version's source, through copies (`models:/NAME/VERSION`)."""
    for _ in range(20):
        parts = source.removeprefix("models:/").split("/")
        if len(parts) == 1 and parts[0].startswith("m-"):
            return parts[0]
        if len(parts) != 2:
            break
        source = str(store.client.get_model_version(*parts).source)
    raise StoreError(f"promote: source {source!r} does not lead to a logged model")


def matrix_of(name: str, candidate: Candidate, contract: dict | None = None) -> Matrix:
    """Scores recomputed from raw outputs by today's scorer; with another contract, from outputs decoded now. What does not fit is a fault."""
    wanted = contract or candidate.contract
    declared, scorer = judge.contract_of(wanted), judge.scorer_of(wanted)
    if declared.hash != candidate.evidence.identity.contract:
        return recompute(_asked_again(candidate, wanted), declared, scorer)
    evidence, today = candidate.evidence, scoring_digest()
    if evidence.identity.evaluator != today:  # scores of another scorer are not compared with, they are made anew
        identity = evidence.identity.model_copy(update={"evaluator": today})
        evidence = evidence.model_copy(
            update={"identity": identity, "outputs": score(declared, evidence.outputs, scorer)}
        )
    matrix = recompute(evidence, declared, scorer)
    actual = evidence.identity.model_copy(
        update={
            "model": name, "version": candidate.version, "run_id": candidate.run_id, "weights": candidate.weights_sha256,
            "tokenizer": candidate.tokenizer_sha256, "shape": ladder.digest(candidate.checkpoint.config.as_dict()),
        }
    )  # fmt: skip
    unlike = [f"the stored bytes are not those of the evidence: {d}" for d in differences(evidence.identity, actual)]
    return replace(matrix, faults=(*matrix.faults, *unlike, *_other_outputs(candidate)))


_DECODED: dict[tuple[str, str], tuple[Output, ...]] = {}


def _decode(candidate: Candidate, contract: dict) -> tuple[Output, ...]:
    """Ask the checkpoint every prompt of a contract, as a run does; once a process for the same weights and contract."""
    key = candidate.weights_sha256, contracts.sha256(contract)
    if key not in _DECODED:
        coder = Coder.from_json(candidate.checkpoint.files["tokenizer.json"].decode())
        decoder = Decoder(candidate.checkpoint.config, candidate.checkpoint.weights, PROBE_SLOTS)
        scorer, cases = judge.scorer_of(contract), judge.contract_of(contract).cases
        _DECODED[key] = tuple(
            Output(case_id=case.case_id, prompt=case.prompt, raw=raw, stop=stop, scores=dict(scorer(case, raw, stop)))
            for case, (raw, stop, _) in zip(cases, ask(contract, coder, decoder), strict=True)
        )
    return _DECODED[key]


def _asked_again(candidate: Candidate, contract: dict) -> Evidence:
    identity: Identity = candidate.evidence.identity.model_copy(update={"contract": contracts.sha256(contract)})
    return candidate.evidence.model_copy(
        update={
            "identity": identity,
            "cases": judge.contract_of(contract).digest,
            "outputs": _decode(candidate, contract),
        }
    )


def _other_outputs(candidate: Candidate) -> list[str]:
    """Stored outputs that the checkpoint does not give again. Only where this machine promises the same bits."""
    if candidate.checkpoint.state.get("envelope") != checkpoint.envelope():
        return []
    stored = {o.case_id: o for o in candidate.evidence.outputs}
    again = _decode(candidate, candidate.contract)
    return [
        f"case {o.case_id}: the checkpoint does not give the stored output again"
        for o in again
        if o.case_id in stored and (o.raw, o.stop) != (stored[o.case_id].raw, stored[o.case_id].stop)
    ]


def champion_version(store: Store, name: str) -> str | None:
    """The version that the alias points at, as text."""
    try:
        return str(store.client.get_model_version_by_alias(name, CHAMPION).version)
    except MlflowException:
        return None


def names(store: Store) -> list[str]:
    """Registered models, without the locks of promotions that are under way."""
    return [m.name for m in store.client.search_registered_models() if not m.name.endswith(LOCK)]


def history(store: Store, name: str) -> tuple[State, str | None]:
    """The journal's state, and where the alias really points."""
    try:
        return Journal(store, name).state(), champion_version(store, name)
    except MlflowException as error:
        known = names(store)
        raise StoreError(
            f"there is no registered model {name!r}; there are: {', '.join(known) or 'none (run `cktrack rung run` first)'}"
        ) from error


def promote(store: Store, name: str, version: str, reason: str = "", dry_run: bool = False) -> Event:
    """Judge a version and, unless it is a dry run, record the verdict and move the aliases if it won."""
    history(store, name)
    with promoter(store, name):
        journal = Journal(store, name)
        state = journal.state()
        alias = champion_version(store, name)
        if alias != state.version:
            raise StoreError(
                f"the alias {CHAMPION} of {name} points at version {alias}, the journal says {state.version}: it was moved outside of cktrack; "
                f"`cktrack repair {name}` sets it back"
            )
        challenger = fetch(store, name, version)
        holder = fetch(store, name, state.version) if state.version else None
        contest = Contest(matrix_of(name, challenger), matrix_of(name, holder, challenger.contract) if holder else None)
        policy = load(ladder.select(challenger.rung).rung.gates)
        event = decide(Request(getpass.getuser(), state.version, reason), contest, state, policy, datetime.now(UTC))
        if not dry_run:
            after = apply(state, event)
            journal.append(event, after)
            _describe(store, name, event)
            set_aliases(store, name, after)
    return event


def _describe(store: Store, name: str, event: Event) -> None:
    """The verdict on the version's page: tags and a table."""
    blocking = ", ".join(v.gate for v in event.verdicts if v.blocks)
    tags = {
        "gate.status": str(event.kind), "gate.stage": event.stage, "gate.contract": event.subject.contract, "gate.evidence": event.evidence,
        "gate.event": event.sequence, "gate.replaced": event.judged_against or "none", "gate.blocking": blocking or "none",
    }  # fmt: skip
    for key, value in tags.items():
        store.client.set_model_version_tag(name, event.subject.version, key, str(value))
    store.client.update_model_version(name, event.subject.version, description=markdown(event)[:DESCRIPTION_LIMIT])


def set_aliases(store: Store, name: str, state: State) -> None:
    """Write the aliases that the journal implies, and read them back."""
    for alias, identity in ((PREVIOUS, state.previous_champion), (CHAMPION, state.champion)):
        if identity is None:
            store.client.delete_registered_model_alias(name, alias)
        else:
            store.client.set_registered_model_alias(name, alias, identity.version)
    if champion_version(store, name) != state.version:
        raise StoreError(
            f"the alias {CHAMPION} of {name} is not at version {state.version} after it was set; somebody moves it outside of cktrack"
        )


def repair(store: Store, name: str) -> State:
    """Set the aliases to what the journal says."""
    history(store, name)
    with promoter(store, name):
        state = Journal(store, name).state()
        set_aliases(store, name, state)
    return state


def rollback(store: Store, name: str, to: str | None, reason: str) -> Event:
    """Give the alias to a former champion whose files are whole and whose weights are those that were promoted."""
    history(store, name)
    with promoter(store, name):
        journal = Journal(store, name)
        state = journal.state()
        event = roll_back(state, getpass.getuser(), reason, datetime.now(UTC), to)
        target = fetch(store, name, event.subject.version)
        if target.weights_sha256 != event.subject.weights:
            raise PromotionError(
                f"rollback: the weights of {event.subject.label} are not those that were promoted; choose another version"
            )
        after = apply(state, event)
        journal.append(event, after)
        set_aliases(store, name, after)
    return event
