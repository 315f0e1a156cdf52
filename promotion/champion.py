"""Who holds the alias: decisions as events, and the registry state as a fold over them.

`decide` judges a contest and returns an event, `apply` adds it to a state, `fold` replays a whole journal and finds
every tampering that its chain can show. Compare-and-set: an event names the champion that it was judged against and the
event before it, and applies nowhere else. Deliberately no MLflow: the store sets its alias from the resulting state.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from promotion.event import Event, Kind, stamp
from promotion.gate import judge, wins
from promotion.identity import Identity, short
from promotion.matrix import Contest
from promotion.record import PromotionError, listed
from promotion.stage import Policy
from promotion.verdict import Verdict, broken, not_applicable, passed


class StaleDecision(PromotionError):
    """The registry moved between the judgement and its application."""


class BrokenChain(PromotionError):
    """The journal is not the one that was written."""


@dataclass(frozen=True)
class State:
    """What the events add up to. `head` is the digest of the last one: the anchor to keep elsewhere."""

    champion: Identity | None = None
    previous_champion: Identity | None = None
    history: tuple[Event, ...] = ()

    @property
    def head(self) -> str | None:
        """Digest of the last event, null for an empty journal."""
        return self.history[-1].digest if self.history else None

    @property
    def version(self) -> str | None:
        """The champion's version, null while there is none."""
        return self.champion.version if self.champion else None


@dataclass(frozen=True)
class Request:
    """Somebody asks to promote. `judged_against` is the champion's version that they read before they evaluated.

    `probed_under` is the contract that the challenger's own run was probed under (null: the one it is judged by), `new_contract`
    that a change of contract is meant. `trained_in` says in which envelope (instruction set, precision) the challenger was trained, and
    behind it the champion, if there is one; `across` that a comparison of different ones is meant.
    """

    actor: str
    judged_against: str | None
    reason: str = ""
    probed_under: str | None = None
    new_contract: bool = False
    across: bool = False
    trained_in: tuple[str, ...] = ()


def decide(request: Request, evidence: Contest, champion_state: State, policy: Policy, now: datetime) -> Event:
    """Judge a contest and say what happened: a `promoted` event if every gate passes, else a `refused` one.

    Nothing changes until the event is applied. Raises StaleDecision if the request was made against another champion.
    """
    check_current(request.judged_against, champion_state)
    subject = evidence.challenger.identity
    attempt = attempt_number(subject, champion_state)
    policy_used = policy.for_attempt(attempt)
    first = champion_judged(evidence, champion_state), contract_kept(request, evidence, champion_state)
    verdicts = (*first, envelope_kept(request), *judge(evidence, policy_used))
    return Event(
        **next_link(champion_state),
        kind=Kind.PROMOTED if wins(verdicts) else Kind.REFUSED, at=stamp(now), actor=request.actor,
        reason=request.reason, subject=subject, judged_against=champion_state.version, stage=policy.stage,
        policy=policy.digest, alpha=policy_used.alpha, attempt=attempt, evidence=evidence.challenger.evidence,
        champion_evidence=evidence.champion.evidence if evidence.champion else None, verdicts=verdicts,
    )  # fmt: skip


def roll_back(state: State, actor: str, reason: str, now: datetime, to_version: str | None = None) -> Event:
    """Give the alias back to a former champion (the previous one unless a version is named), as one more event."""
    former = {e.subject.version: e.subject for e in state.history if e.kind is not Kind.REFUSED}
    wanted = to_version or (state.previous_champion.version if state.previous_champion else None)
    if wanted is None or wanted not in former or wanted == state.version:
        others = [version for version in former if version != state.version]
        raise PromotionError(
            f"rollback: got version {wanted}; expected a former champion ({', '.join(others) or 'there is none'})"
        )
    return Event(
        **next_link(state), kind=Kind.ROLLED_BACK, at=stamp(now), actor=actor, reason=reason,
        subject=former[wanted], judged_against=state.version,
    )  # fmt: skip


def apply(state: State, event: Event) -> State:
    """Add one event to a state. An event judged against another champion or an older journal is stale."""
    check_current(event.judged_against, state)
    if {"sequence": event.sequence, "previous": event.previous} != next_link(state):
        raise StaleDecision(
            f"event {event.sequence}: got a link to {short(str(event.previous))}; expected {short(str(state.head))}; "
            f"another event was recorded meanwhile, so decide again on the new state"
        )
    if state.history and event.subject.model != state.history[0].subject.model:
        raise PromotionError(
            f"event: got {event.subject.label}; expected a version of {state.history[0].subject.model}; "
            f"each registered model has its own journal"
        )
    champion, previous = state.champion, state.previous_champion
    if event.kind is not Kind.REFUSED:
        champion, previous = event.subject, state.champion
    return State(champion, previous, (*state.history, event))


def fold(events: Iterable[Event], head: str | None = None) -> State:
    """Replay a journal from its beginning and refuse one that was edited, reordered or cut.

    With `head`, the digest kept elsewhere, a cut or rewritten end is found too; the chain alone cannot show that.
    """
    state = State()
    for event in events:
        state = replay(state, event)
    if head is not None and state.head != head:
        raise BrokenChain(
            f"journal: got a last event {short(str(state.head))}; expected {short(head)}; "
            f"events are missing at the end or were rewritten, so restore the journal"
        )
    return state


def replay(state: State, event: Event) -> State:
    """Apply one recorded event; what would be stale while deciding is tampering in a journal."""
    try:
        Event.model_validate_json(event.model_dump_json())  # an object changed in memory skipped its own checks
        if event.kind is Kind.ROLLED_BACK and event.subject not in champions(state):
            raise ValueError(f"{event.subject.label} was never champion")
        return apply(state, event)
    except ValueError as problem:
        raise BrokenChain(
            f"journal: got an event {event.sequence} that does not follow from the {len(state.history)} before it "
            f"({problem}); expected an unbroken chain; restore the journal from its last good copy"
        ) from None


def champions(state: State) -> list[Identity]:
    """Everyone who ever held the alias, first to last, as often as they did."""
    return [event.subject for event in state.history if event.kind is not Kind.REFUSED]


def judged(state: State, version: str) -> Event | None:
    """The last event about a version, null if there is none."""
    return next((event for event in reversed(state.history) if event.subject.version == version), None)


def attempt_number(subject: Identity, state: State) -> int:
    """Which try on this contract this is: earlier decided weights count, the same weights again are the same try."""
    tried = {e.subject.weights for e in state.history if e.subject.contract == subject.contract and e.verdicts}
    return len(tried - {subject.weights}) + 1


def next_link(state: State) -> dict:
    """Sequence number and previous digest of the event that would come next."""
    return {"sequence": len(state.history) + 1, "previous": state.head}


def check_current(judged_against: str | None, state: State) -> None:
    """The set of compare-and-set happens only if the compare holds."""
    if judged_against != state.version:
        raise StaleDecision(
            f"champion: got a decision against version {judged_against}; expected version {state.version}, "
            f"which is champion now; judge again against it"
        )


def champion_judged(contest: Contest, state: State) -> Verdict:
    """Whether the contest is against the registry's champion: a champion left out must not make a first one."""
    rule = "The model that holds the alias, and no other, is the one compared with."
    given, holds = contest.champion.identity if contest.champion else None, state.champion
    if given is None and holds is None:
        verdict = not_applicable("there is no champion yet")
    elif given is None or holds is None:
        verdict = broken(f"{named(holds)} is champion, but {named(given)} was compared with; probe the champion again")
    elif (given.model, given.version, given.weights) != (holds.model, holds.version, holds.weights):
        verdict = broken(f"{named(holds)} is champion, but {named(given)} was compared with; compare with that one")
    else:
        verdict = passed(f"compared with {holds.label}, which holds the alias")
    return verdict.model_copy(update={"gate": "champion_judged", "rule": rule})


def contract_kept(request: Request, contest: Contest, state: State) -> Verdict:
    """Whether everybody was held to one contract: an easier one must not come in unseen."""
    rule = "Challenger and champion were held to the contract that judges now; a change of contract must be asked for."
    judged = contest.challenger.contract.hash
    before = {
        "the challenger was probed under": request.probed_under,
        "the champion was crowned under": state.champion.contract if state.champion else None,
    }
    other = [f"{who} contract {short(hash_)}" for who, hash_ in before.items() if hash_ not in (None, judged)]
    if not other:
        verdict = passed(f"contract {short(judged)} for all")
    elif request.new_contract:
        verdict = passed(f"judged by contract {short(judged)}, although {listed(other)}; asked for as a new contract")
    else:
        why = f"judged by contract {short(judged)}, but {listed(other)}"
        verdict = broken(f"{why}; if it was changed on purpose, ask with --new-contract")
    return verdict.model_copy(update={"gate": "contract_kept", "rule": rule})


def envelope_kept(request: Request) -> Verdict:
    """Whether both were trained where the same bits come out: a gain of another arithmetic must not pass as one of the rung."""
    rule = "Challenger and champion were trained on one instruction set, in one precision; a comparison across must be asked for."
    ours, *others = request.trained_in or ("",)
    if not others:
        verdict = not_applicable("there is no champion yet" if ours else "nobody said where they were trained")
    elif ours == others[0]:
        verdict = passed(f"both were trained in {ours}")
    elif request.across:
        verdict = passed(f"trained in {ours}, the champion in {others[0]}; asked for across")
    else:
        verdict = broken(
            f"trained in {ours}, the champion in {others[0]}; if they are to be compared, ask with --across"
        )
    return verdict.model_copy(update={"gate": "envelope_kept", "rule": rule})


def named(identity: Identity | None) -> str:
    """A model with the start of its weights' hash, or nobody."""
    return f"{identity.label} ({short(identity.weights)})" if identity else "nobody"
