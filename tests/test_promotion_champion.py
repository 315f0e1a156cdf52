"""Decisions, the journal and its tampering, rollback, and what the report prints."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from attacks.world import contract, digest, evidence, read_marks
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from promotion import Event, PromotionError, Request, State, Status, apply, decide, fold, judged, load, roll_back
from promotion import contest as contest_of
from promotion.champion import BrokenChain, StaleDecision
from promotion.event import Kind
from promotion.report import HEADINGS, markdown, rows
from promotion.stage import shipped

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
POLICY = load("stage_b")
STARVED = {"miss": [{"scores": ["exact", "renderable", "adherent"], "every": 2}]}
BUNDLES = {}


def bundle(version: str, spec: dict | None = None):
    """A version's evidence, made once."""
    key = (version, json.dumps(spec))
    if key not in BUNDLES:
        BUNDLES[key] = evidence(spec, version, contract())
    return BUNDLES[key]


def judge(state: State, version: str, spec: dict | None = None, policy=POLICY, **request) -> Event:
    """Decide on a version against whoever is champion in this state."""
    theirs = bundle(state.version, {}) if state.champion else None
    fight = contest_of(bundle(version, spec or {}), theirs, contract(), read_marks)
    asked = Request(**{"actor": "ann", "judged_against": state.version, "reason": "weekly", **request})
    return decide(asked, fight, state, policy, NOW)


@pytest.fixture(scope="module")
def journal() -> tuple[Event, ...]:
    """v1 crowned, v2 starved and refused, v3 crowned, back to v1."""
    state = State()
    for version, spec in (("1", None), ("2", STARVED), ("3", None)):
        state = apply(state, judge(state, version, spec))
    return apply(state, roll_back(state, "bob", "v3 is slow", NOW)).history


def test_the_first_champion_is_crowned_and_a_starved_model_is_refused(journal):
    assert [event.kind for event in journal] == ["promoted", "refused", "promoted", "rolled_back"]
    state = fold(journal)
    assert (state.champion.version, state.previous_champion.version) == ("1", "3")
    assert fold(journal[:3]).champion.version == "3" and fold(()).champion is None


def test_a_refusal_never_changes_the_champion(journal):
    before, after = fold(journal[:1]), fold(journal[:2])
    assert (after.champion, after.previous_champion) == (before.champion, before.previous_champion)
    assert after.head != before.head


def test_a_refused_first_model_leaves_the_throne_empty():
    event = judge(State(), "1", STARVED)
    assert event.kind == "refused" and apply(State(), event).champion is None


def test_a_change_of_contract_must_be_asked_for(journal):
    """Probed under another one, or a champion crowned under another one; asked for, it is recorded."""
    state, other = fold(journal[:1]), digest("another contract")
    elsewhere = State(state.champion.model_copy(update={"contract": other}), None, state.history)
    for before, request in ((state, {"probed_under": other}), (elsewhere, {})):
        refused = judge(before, "3", **request)
        verdict = next(v for v in refused.verdicts if v.gate == "contract_kept")
        assert refused.kind == "refused" and verdict.status == "ERROR" and other[:12] in verdict.why
        asked = judge(before, "3", new_contract=True, **request)
        verdict = next(v for v in asked.verdicts if v.gate == "contract_kept")
        assert asked.kind == "promoted" and "asked for as a new contract" in verdict.why and other[:12] in verdict.why


def test_a_comparison_across_envelopes_must_be_asked_for(journal):
    state = fold(journal[:1])
    for champion, across, status in (
        ("avx512 fp32", False, "PASS"),
        ("avx2 fp32", False, "ERROR"),
        ("avx2 fp32", True, "PASS"),
    ):
        event = judge(state, "3", trained_in=("avx512 fp32", champion), across=across)
        verdict = next(v for v in event.verdicts if v.gate == "envelope_kept")
        assert verdict.status == status and (event.kind == "promoted") == (status == "PASS")
        assert champion in verdict.why and ("--across" in verdict.why) == (status == "ERROR")
    alone = judge(State(), "1", trained_in=("avx512 fp32",))
    assert next(v for v in alone.verdicts if v.gate == "envelope_kept").applies is False and alone.kind == "promoted"


def test_the_last_event_about_a_version_is_found(journal):
    state = fold(journal)
    assert [judged(state, v) for v in ("1", "2", "3", "9")] == [journal[3], journal[1], journal[2], None]


def test_a_rollback_restores_and_is_one_more_event(journal):
    assert fold(journal).champion == fold(journal[:1]).champion and len(fold(journal).history) == 4


def test_a_rollback_names_only_former_champions(journal):
    state = fold(journal)
    assert apply(state, roll_back(state, "bob", "", NOW, "3")).champion.version == "3"
    for version in ("1", "2", "9"):
        with pytest.raises(PromotionError, match="expected a former champion"):
            roll_back(state, "bob", "", NOW, version)
    with pytest.raises(PromotionError, match="there is none"):
        roll_back(State(), "bob", "", NOW)


def test_a_rollback_to_someone_who_never_was_champion_breaks_the_journal(journal):
    forged = journal[3].model_copy(update={"subject": journal[1].subject})
    with pytest.raises(BrokenChain, match="was never champion"):
        fold((*journal[:3], forged))


def test_a_decision_applies_to_the_champion_it_was_judged_against_and_to_no_other(journal):
    empty = State()
    one, two = judge(empty, "1"), judge(empty, "2")
    crowned = apply(empty, one)
    with pytest.raises(StaleDecision, match="got a decision against version None; expected version 1"):
        apply(crowned, two)
    with pytest.raises(StaleDecision):
        apply(fold(journal[:3]), one)


def test_a_request_against_a_former_champion_is_stale(journal):
    with pytest.raises(StaleDecision):
        judge(fold(journal[:3]), "2", judged_against="1")


def test_a_decision_is_stale_once_anything_was_recorded_even_if_the_champion_came_back(journal):
    late = judge(fold(journal[:1]), "2")
    with pytest.raises(StaleDecision):  # v1 is champion again, but it is not the state that was judged
        apply(fold(journal), late)


def test_one_of_many_racing_decisions_wins():
    state, decisions = State(), [judge(State(), v) for v in ("1", "2", "3")]
    for event in decisions:
        try:
            state = apply(state, event)
        except StaleDecision:
            continue
    assert state.version == "1" and len(state.history) == 1


def test_a_champion_left_out_of_the_contest_is_an_error(journal):
    state = fold(journal[:1])
    fight = contest_of(bundle("2"), None, contract(), read_marks)
    event = decide(Request("ann", "1"), fight, state, POLICY, NOW)
    assert event.kind == "refused" and event.verdicts[0].status == "ERROR"


def test_another_champion_in_the_contest_is_an_error(journal):
    fight = contest_of(bundle("2"), bundle("3"), contract(), read_marks)
    event = decide(Request("ann", "1"), fight, fold(journal[:1]), POLICY, NOW)
    assert event.kind == "refused" and "spec version 3" in event.verdicts[0].why
    event = decide(Request("ann", None), fight, State(), POLICY, NOW)
    assert event.kind == "refused" and event.verdicts[0].status == "ERROR"


def test_the_champion_cannot_be_promoted_again(journal):
    event = judge(fold(journal[:1]), "1")
    assert event.kind == "refused" and "new_weights" in event.sentence


def test_a_time_without_zone_is_refused_and_another_zone_becomes_utc():
    fight = contest_of(bundle("1"), None, contract(), read_marks)
    with pytest.raises(PromotionError, match="without a time zone"):
        decide(Request("ann", None), fight, State(), POLICY, datetime(2026, 1, 1))
    east = NOW.astimezone(timezone(timedelta(hours=9)))
    assert decide(Request("ann", None), fight, State(), POLICY, east).at == "2026-11-20T12:00:00+00:00"


def test_the_same_decision_has_the_same_bytes():
    assert judge(State(), "1").sealed() == judge(State(), "1").sealed()


def test_events_survive_their_text(journal):
    again = tuple(Event.unsealed(event.sealed()) for event in journal)
    assert again == journal and fold(again) == fold(journal)


def edits():
    """Every top-level field of an event, and what an attacker would write there."""
    return st.sampled_from(
        [{"actor": "eve"}, {"reason": "approved"}, {"at": "2020-01-01T00:00:00+00:00"}, {"sequence": 9}, {"attempt": 9},
         {"stage": "sft"}, {"alpha": 0.4}, {"previous": None}, {"judged_against": "7"}, {"evidence": None}]
    )  # fmt: skip


@given(index=st.integers(0, 3), edit=edits())
@settings(max_examples=60, deadline=None)
def test_an_edited_event_breaks_the_chain_or_its_head(journal, index, edit):
    changed = journal[index].model_copy(update=edit)
    if changed == journal[index]:
        return
    with pytest.raises(BrokenChain):
        fold((*journal[:index], changed, *journal[index + 1 :]), head=journal[-1].digest)


@given(order=st.permutations(range(4)))
@settings(max_examples=24, deadline=None)
def test_a_reordered_or_cut_journal_is_refused(journal, order):
    if list(order) != [0, 1, 2, 3]:
        with pytest.raises(BrokenChain):
            fold([journal[i] for i in order])
    with pytest.raises(BrokenChain):
        fold(journal[: order[0]], head=journal[-1].digest)
    if order[0] > 0:
        with pytest.raises(BrokenChain):
            fold([*journal[: order[0] - 1], *journal[order[0] :], journal[-1]])


def test_an_edited_text_is_refused(journal):
    for old, new in (("ann", "eve"), ('"promoted"', '"refused"'), ("weekly", "weakly")):
        with pytest.raises(PromotionError):
            Event.unsealed(journal[0].sealed().replace(old, new, 1))


def test_a_refusal_cannot_be_rewritten_into_a_promotion(journal):
    refusal = journal[1]
    with pytest.raises(ValidationError, match="expected every gate to pass"):
        Event.model_validate_json(refusal.model_copy(update={"kind": Kind.PROMOTED}).model_dump_json())
    with pytest.raises(ValidationError, match="expected a blocking verdict"):
        Event.model_validate_json(journal[0].model_copy(update={"kind": Kind.REFUSED}).model_dump_json())
    greened = [v.model_copy(update={"status": Status.PASS}) for v in refusal.verdicts]
    with pytest.raises(ValidationError):  # the statuses say PASS, the numbers below them do not
        Event.model_validate_json(
            refusal.model_copy(update={"kind": Kind.PROMOTED, "verdicts": tuple(greened)}).model_dump_json()
        )
    with pytest.raises(BrokenChain):
        fold((journal[0], refusal.model_copy(update={"kind": Kind.PROMOTED})))


def test_a_journal_is_of_one_model(journal):
    other = evidence({"identity": {"model": "other spec"}}, "2", contract())
    state = fold(journal[:1])
    event = decide(Request("ann", "1"), contest_of(other, bundle("1"), contract(), read_marks), state, POLICY, NOW)
    assert event.kind == "refused"
    with pytest.raises(PromotionError, match="each registered model has its own journal"):
        apply(state, event)


def test_attempts_are_counted_by_weights(journal):
    assert [event.attempt for event in journal] == [1, 2, 3, None]
    assert judge(fold(journal[:2]), "2", STARVED).attempt == 2  # the same weights again are the same try


def test_spent_alpha_raises_the_bar_for_the_next_try():
    policy = load("stage_b", shipped().replace("spend_alpha: false", "spend_alpha: true"))
    first = judge(State(), "1", STARVED, policy)
    second = judge(apply(State(), first), "2", STARVED, policy)
    assert second.alpha == pytest.approx(first.alpha / 4) and first.alpha == pytest.approx(0.0304, abs=1e-4)


def test_an_event_tells_its_sentence(journal):
    told = [event.sentence for event in journal]
    assert told[0] == (
        "2026-11-20T12:00:00+00:00 ann: spec version 1 became champion over no champion before it: "
        "8 gates of stage_b passed, 6 did not apply (weekly)"
    )
    assert "was refused against version 1: blocked by thresholds FAIL" in told[1]
    assert told[3].endswith("spec version 1 became champion again, rolled back from version 3 (v3 is slow)")


def test_the_table_shows_every_gate_with_its_numbers(journal):
    table = rows(journal[1].verdicts)
    assert all(tuple(line) == HEADINGS for line in table)
    line = next(line for line in table if line["gate"] == "thresholds: adherence on held_out")
    assert (line["n"], line["threshold"], line["verdict"]) == (420, 0.9, "FAIL")
    assert {line["verdict"] for line in rows(journal[0].verdicts)} == {"PASS", "not applicable"}


def test_the_page_is_markdown_that_no_content_can_break(journal):
    page = markdown(journal[1].model_copy(update={"reason": "a | b"}))
    lines = [line for line in page.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + len(rows(journal[1].verdicts))
    assert {line.replace("\\|", "").count("|") for line in lines} == {len(HEADINGS) + 1}
    assert "- `thresholds` FAIL: The exact lower bound of every metric" in page


def test_json_of_an_event_is_strict_json(journal):
    for event in journal:
        json.loads(event.sealed(), parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
