"""Promotion over MLflow: fetch and re-hash, re-decode and re-score, judge against the champion, then move the alias or refuse.

What a run says about itself is not believed where it can be proven again (`prove.py`): the contract is drawn anew from the ladder,
weights are hashed, every prompt is asked again and scored again. The verdict is an event in the journal first; aliases, tags, the
version's description and the run's note follow from it.
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
from cktrack import board, judge, prove
from cktrack.journal import LOCK, Journal, promoter
from cktrack.store import Store, StoreError, set_tags
from experiments import ladder
from experiments.probes import contract as contracts
from experiments.run import scoring_digest
from experiments.session import PROBE_SLOTS, Session
from experiments.spec import Selected
from experiments.tokenizer import Coder
from promotion import (
    Contest,
    Contract,
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
    judged,
    load,
    recompute,
    roll_back,
    score,
)
from promotion.evidence import Scorer
from promotion.identity import short
from promotion.report import markdown

CHAMPION, PREVIOUS = "champion", "previous_champion"
NOTE = "mlflow.note.content"
DESCRIPTION_LIMIT = 5000


@dataclass(frozen=True)
class Candidate:
    """A registered version with what its bytes say: checkpoint and evidence, read and hashed here. `faults` are its contradictions."""

    version: str
    run_id: str
    rung: str
    checkpoint: checkpoint.Checkpoint
    weights_sha256: str
    tokenizer_sha256: str
    evidence: Evidence
    faults: tuple[str, ...]

    @property
    def precision(self) -> str:
        """Of the matrix products that trained it."""
        return str(self.checkpoint.state.get("envelope", {}).get("precision", "fp32"))


def fetch(store: Store, name: str, version: str, holder: bool = False) -> Candidate:
    """Download and check a version. Raises StoreError or CheckpointError with what is missing or damaged.

    Only who holds the alias already (`holder`) may have a run that was deleted since.
    """
    try:
        found = store.client.get_model_version(name, version)
    except MlflowException as error:
        known = names(store)
        raise StoreError(
            f"promote: there is no {name} version {version}; registered models: {', '.join(known) or 'none'}"
        ) from error
    run_id = str(found.run_id)
    params = _run_params(store, run_id, holder)
    model_id = _model_id(store, str(found.source))
    logged = store.client.get_logged_model(model_id)
    if str(logged.status) != "READY":
        raise StoreError(f"promote: the model of {name} version {version} is {logged.status}; expected READY")
    place = Path(mlflow.artifacts.download_artifacts(f"models:/{model_id}"))
    folder = next(iter(sorted(place.rglob(checkpoint.MANIFEST))), None)
    if folder is None:
        raise StoreError(f"promote: {name} version {version} holds no checkpoint; was it registered by cktrack?")
    loaded, files = checkpoint.load(folder.parent), checkpoint.read(folder.parent)
    with tempfile.TemporaryDirectory() as scratch:
        texts = {n: _text(store, run_id, f"evidence/{n}.json", scratch) for n in ("evidence", "contract")}
    evidence = Evidence.unsealed(texts["evidence"])
    label = params.get("rung.label", "")
    said = {
        "rung": (label, {"the version's tag": found.tags.get("cktrack.rung"), "the model": logged.params.get("rung")}),
        "contract": (evidence.identity.contract, {
            "the version's tag": found.tags.get("cktrack.contract"), "the model": logged.params.get("contract_sha256"),
            "its own file": contracts.sha256(json.loads(texts["contract"])),
        }),
    }  # fmt: skip
    return Candidate(
        version=str(version),
        run_id=run_id,
        rung=label,
        checkpoint=loaded,
        weights_sha256=hashlib.sha256(files["model.safetensors"]).hexdigest(),
        tokenizer_sha256=hashlib.sha256(files["tokenizer.json"]).hexdigest(),
        evidence=evidence,
        faults=tuple(
            f"the run says {what} {short(own)}, {who} says {short(str(other))}"
            for what, (own, others) in said.items()
            for who, other in others.items()
            if other != own
        ),
    )


def _run_params(store: Store, run_id: str, holder: bool) -> dict[str, str]:
    """The parameters of a version's run, which MLflow never lets change; refuses a run that was deleted or did not finish."""
    try:
        run = store.client.get_run(run_id)
    except MlflowException as error:
        raise StoreError(
            f"promote: run {run_id} is gone for good, and its evidence with it; train the rung again"
        ) from error
    state = run.info.status if run.info.lifecycle_stage == "active" else run.info.lifecycle_stage
    if state != "FINISHED" and not holder:
        advice = (
            f"`mlflow runs restore --run-id {run_id}` brings it back" if state == "deleted" else "run the rung again"
        )
        raise StoreError(f"promote: run {run_id} is {state}; expected an active run that is FINISHED; {advice}")
    return dict(run.data.params)


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


def matrix_of(name: str, candidate: Candidate, contract: dict) -> Matrix:
    """Scores of what the checkpoint says today to a contract, made by today's scorer. Where stored outputs must come out again (same
    contract, and this machine promises the same bits) they are the evidence, and one that does not is a fault."""
    declared, scorer, evidence = judge.contract_of(contract), judge.scorer_of(contract), candidate.evidence
    actual = evidence.identity.model_copy(
        update={
            "model": name, "version": candidate.version, "run_id": candidate.run_id, "weights": candidate.weights_sha256,
            "tokenizer": candidate.tokenizer_sha256, "shape": ladder.digest(candidate.checkpoint.config.as_dict()),
        }
    )  # fmt: skip
    faults = [f"the stored bytes are not those of the evidence: {d}" for d in differences(evidence.identity, actual)]
    same_bits = candidate.checkpoint.state.get("envelope") == checkpoint.envelope(candidate.precision)
    if declared.hash == evidence.identity.contract and same_bits:
        faults += _other_outputs(candidate, contract)
        evidence = _scored_today(evidence, declared, scorer)
    else:
        evidence = _asked_again(candidate, contract)
    matrix = recompute(evidence, declared, scorer)
    return replace(matrix, faults=(*matrix.faults, *candidate.faults, *faults))


def _scored_today(evidence: Evidence, declared: Contract, scorer: Scorer) -> Evidence:
    """Scores of another scorer are not compared with: they are made anew."""
    today = scoring_digest()
    if evidence.identity.evaluator == today:
        return evidence
    identity = evidence.identity.model_copy(update={"evaluator": today})
    return evidence.model_copy(update={"identity": identity, "outputs": score(declared, evidence.outputs, scorer)})


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
            for case, (raw, stop, _) in zip(cases, Session(contract, coder, decoder).ask(), strict=True)
        )
    return _DECODED[key]


def _asked_again(candidate: Candidate, contract: dict) -> Evidence:
    """A bundle of what the checkpoint says now."""
    now = {"contract": contracts.sha256(contract), "evaluator": scoring_digest()}
    identity: Identity = candidate.evidence.identity.model_copy(update=now)
    return candidate.evidence.model_copy(
        update={
            "identity": identity,
            "cases": judge.contract_of(contract).digest,
            "outputs": _decode(candidate, contract),
        }
    )


def _other_outputs(candidate: Candidate, contract: dict) -> list[str]:
    """Stored outputs that the checkpoint does not give again."""
    stored = {o.case_id: o for o in candidate.evidence.outputs}
    return [
        f"case {o.case_id}: the checkpoint does not give the stored output again"
        for o in _decode(candidate, contract)
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


def promote(
    store: Store,
    name: str,
    version: str,
    reason: str = "",
    dry_run: bool = False,
    new_contract: bool = False,
    across: bool = False,
) -> Event:
    """Judge a version and, unless it is a dry run, record the verdict and move the aliases if it won.

    The contract is the ladder's. A version that was probed under another one, or a champion that was crowned under another one, needs
    `new_contract`; one that was trained in another envelope than the champion needs `across`. Asking for who is champion already changes
    nothing: the event that crowned it is returned.
    """
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
        if state.version == version:
            return next(e for e in reversed(state.history) if e.kind != "refused")
        challenger = fetch(store, name, version)
        selected = _rung(name, challenger)
        proven = prove.again(selected)
        holder = fetch(store, name, state.version, holder=True) if state.version else None
        ours = replace(
            matrix_of(name, challenger, proven.contract),
            leak=proven.leak,
            parity=prove.parity_of(challenger.checkpoint.config, challenger.precision),
        )
        contest = Contest(ours, matrix_of(name, holder, proven.contract) if holder else None)
        envelopes = tuple(checkpoint.trained_in(c.checkpoint.state) for c in (challenger, holder) if c)
        request = Request(
            getpass.getuser(), state.version, reason, challenger.evidence.identity.contract, new_contract, across
        )
        request = replace(request, trained_in=envelopes)
        event = decide(request, contest, state, load(selected.rung.gates), datetime.now(UTC))
        if not dry_run:
            after = apply(state, event)
            journal.append(event, after)
            _describe(store, name, event)
            set_aliases(store, name, after)
    return event


def _rung(name: str, candidate: Candidate) -> Selected:
    """The rung of the ladder that a version says it is, which must be one of the model's own spec."""
    if candidate.rung.partition("/")[0] != name:
        raise StoreError(
            f"promote: run {candidate.run_id} of {name} version {candidate.version} says rung {candidate.rung!r}; "
            f"expected a rung of {name}; was it registered by cktrack?"
        )
    return ladder.select(candidate.rung)


def last_event(store: Store, name: str, version: str) -> Event | None:
    """The last event of the journal about a version, null if it was never judged."""
    return judged(history(store, name)[0], version)


def _describe(store: Store, name: str, event: Event) -> None:
    """The verdict on the version's page (tags and a table) and at the end of its run's note (a short table)."""
    blocking = ", ".join(v.gate for v in event.verdicts if v.blocks)
    tags = {
        "gate.status": str(event.kind), "gate.stage": event.stage, "gate.contract": event.subject.contract, "gate.evidence": event.evidence,
        "gate.event": event.sequence, "gate.replaced": event.judged_against or "none", "gate.blocking": blocking or "none",
    }  # fmt: skip
    for key, value in tags.items():
        store.client.set_model_version_tag(name, event.subject.version, key, str(value))
    store.client.update_model_version(name, event.subject.version, description=markdown(event)[:DESCRIPTION_LIMIT])
    run = store.client.get_run(event.subject.run_id)
    note = board.with_gates(run.data.tags.get(NOTE, ""), markdown(event, parts=False))
    set_tags(store, event.subject.run_id, {NOTE: note})


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
