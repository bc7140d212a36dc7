"""What becomes of a notice after each attempt."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.notify.delivery import (
    BELIEVED_AFTER,
    FINAL,
    LONGEST_WISH_S,
    Absent,
    Accepted,
    Kind,
    Outcome,
    Permanent,
    Refused,
    Standing,
    State,
    Temporary,
    Unclear,
    expired,
    heard,
    lease_lost,
    pause_s,
    settle,
)

NOW = datetime(2026, 11, 18, 3, 0, tzinfo=UTC)
REPEATABLE: tuple[Kind, ...] = ("email", "webhook", "statuspage")
KINDS: tuple[Kind, ...] = (*REPEATABLE, "sms")


def standing(kind: Kind = "sms", state: State = "sending", *, attempts: int = 1, lives_s: float = 3600) -> Standing:
    unknown_since = NOW if state in ("unknown", "reconciling") else None
    return Standing(
        kind=kind,
        state=state,
        attempts=attempts,
        expires_at=NOW + timedelta(seconds=lives_s),
        unknown_since=unknown_since,
    )


kinds = st.sampled_from(KINDS)
jitters = st.floats(min_value=0, max_value=1, exclude_max=True)
attempts = st.integers(min_value=1, max_value=10**6)
seconds = st.floats(min_value=0, max_value=10**7)
sending: st.SearchStrategy[Outcome] = st.one_of(
    st.just(Accepted(provider_id="SM1", provider_status="queued")),
    st.builds(Temporary, reason=st.just("busy"), retry_after_s=st.none() | seconds),
    st.just(Permanent(reason="no such user")),
    st.just(Refused(reason="STOP")),
    st.just(Unclear(reason="lost")),
)
looking: st.SearchStrategy[Outcome] = st.one_of(sending, st.just(Absent()))


@given(kind=kinds, attempt=attempts, jitter=jitters)
def test_pauses_double_up_to_a_limit_and_differ(kind: Kind, attempt: int, jitter: float) -> None:
    longest, pause = pause_s(kind, 10**6, 0), pause_s(kind, attempt, jitter)
    assert pause_s(kind, 1, 0) / 2 <= pause <= longest
    assert pause_s(kind, attempt, 0) <= pause_s(kind, attempt + 1, 0)
    assert pause_s(kind, attempt, 0.999) < pause_s(kind, attempt, 0)


@given(kind=kinds, outcome=sending, attempt=attempts, jitter=jitters, lives=seconds)
def test_an_attempt_ends_final_or_with_a_time_within_its_life(
    kind: Kind, outcome: Outcome, attempt: int, jitter: float, lives: float
) -> None:
    before = standing(kind, attempts=attempt, lives_s=lives)
    step = settle(before, outcome, now=NOW, jitter=jitter)
    assert (step.state in FINAL) == (step.next_at is None)
    if step.state == "pending":
        assert step.next_at is not None
        assert NOW < step.next_at < before.expires_at
        assert step.next_at <= NOW + timedelta(seconds=max(LONGEST_WISH_S, pause_s(kind, 10**6, 0)))
    if step.state in ("dead", "refused", "pending", "unknown"):
        assert step.error


@given(outcome=sending, attempt=attempts, jitter=jitters)
def test_a_text_message_that_may_have_left_is_never_simply_pending_again(
    outcome: Outcome, attempt: int, jitter: float
) -> None:
    step = settle(standing("sms", attempts=attempt), outcome, now=NOW, jitter=jitter)
    assert (step.state == "unknown") == isinstance(outcome, Unclear)
    if isinstance(outcome, Unclear):
        assert step.unknown_since == NOW


@given(kind=st.sampled_from(REPEATABLE), outcome=sending, attempt=attempts, jitter=jitters)
def test_only_text_messages_become_unknown(kind: Kind, outcome: Outcome, attempt: int, jitter: float) -> None:
    assert settle(standing(kind, attempts=attempt), outcome, now=NOW, jitter=jitter).state != "unknown"


@given(outcome=looking, jitter=jitters, later=st.floats(min_value=0, max_value=20_000), lives=seconds)
def test_a_look_makes_it_pending_only_when_it_is_long_not_there(
    outcome: Outcome, jitter: float, later: float, lives: float
) -> None:
    now = NOW + timedelta(seconds=later)
    before = standing("sms", "reconciling", lives_s=lives)
    step = settle(before, outcome, now=now, jitter=jitter)
    if step.state == "pending":
        assert isinstance(outcome, Absent)
        assert now - NOW >= BELIEVED_AFTER
        assert not expired(before, now)
    if step.state == "unknown":
        assert step.unknown_since == NOW
        assert step.next_at is not None
        assert step.next_at > now


class TestTheListIsLookedAt:
    def test_found_is_sent(self) -> None:
        found = Accepted(provider_id="SM1", provider_status="queued")
        assert settle(standing("sms", "reconciling"), found, now=NOW, jitter=0).state == "sent"

    def test_found_and_failed_is_dead_and_says_so(self) -> None:
        found = Accepted(provider_id="SM1", provider_status="undelivered")
        step = settle(standing("sms", "reconciling"), found, now=NOW, jitter=0)
        assert step.state == "dead"
        assert step.error == "the provider says undelivered"

    @pytest.mark.parametrize(
        ("after_s", "state"),
        [(0, "unknown"), (119.999, "unknown"), (120, "pending"), (3599.9, "pending"), (3600, "dead")],
    )
    def test_absence_is_believed_after_two_minutes(self, after_s: float, state: State) -> None:
        now = NOW + timedelta(seconds=after_s)
        assert settle(standing("sms", "reconciling"), Absent(), now=now, jitter=0.5).state == state

    def test_a_provider_that_is_down_all_night_leaves_it_dead_and_seen(self) -> None:
        now = NOW + timedelta(hours=5)
        step = settle(standing("sms", "reconciling"), Unclear(reason="503"), now=now, jitter=0)
        assert step.state == "dead"
        assert step.error == "it could not be found out whether it left: 503"


class TestALostWorker:
    @pytest.mark.parametrize("kind", KINDS)
    def test_before_sending_it_is_pending_at_once(self, kind: Kind) -> None:
        step = lease_lost(standing(kind, "leased"), now=NOW, jitter=0)
        assert (step.state, step.next_at) == ("pending", NOW)

    @pytest.mark.parametrize(("kind", "state"), [("sms", "unknown"), ("email", "pending"), ("webhook", "pending")])
    def test_while_sending(self, kind: Kind, state: State) -> None:
        assert lease_lost(standing(kind, "sending"), now=NOW, jitter=0).state == state

    def test_while_looking_it_stays_unknown(self) -> None:
        step = lease_lost(standing("sms", "reconciling"), now=NOW + timedelta(minutes=1), jitter=0)
        assert (step.state, step.unknown_since) == ("unknown", NOW)


class TestWishes:
    def test_a_receivers_wish_is_followed(self) -> None:
        step = settle(standing(), Temporary(reason="429", retry_after_s=90), now=NOW, jitter=0)
        assert step.next_at == NOW + timedelta(seconds=90)

    def test_up_to_an_hour(self) -> None:
        step = settle(standing(lives_s=10**5), Temporary(reason="429", retry_after_s=10**9), now=NOW, jitter=0)
        assert step.next_at == NOW + timedelta(hours=1)

    def test_what_would_come_too_late_is_dead(self) -> None:
        step = settle(standing(lives_s=90), Temporary(reason="429", retry_after_s=90), now=NOW, jitter=0)
        assert (step.state, step.error) == ("dead", "not sent within its time: 429")


@pytest.mark.parametrize(
    ("state", "status", "after"),
    [
        ("sending", "queued", "sent"),
        ("unknown", "sent", "sent"),
        ("unknown", "failed", "dead"),
        ("pending", "delivered", "delivered"),
        ("sent", "delivered", "delivered"),
        ("sent", "undelivered", "dead"),
        ("sent", "queued", None),
        ("delivered", "sent", None),
        ("delivered", "failed", None),
        ("dead", "sent", None),
        ("dead", "delivered", "delivered"),
        ("refused", "delivered", None),
    ],
)
def test_words_of_the_provider_come_late_twice_and_out_of_order(state: State, status: str, after: State | None) -> None:
    assert heard(state, status) == after


@given(words=st.lists(st.sampled_from(["queued", "sent", "delivered", "failed", "undelivered"]), max_size=6))
def test_what_is_delivered_stays_so_in_whatever_order_words_come(words: list[str]) -> None:
    state: State = "sending"
    for word in words:
        state = heard(state, word) or state
    assert (state == "delivered") == ("delivered" in words)


def test_naive_moments_are_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        settle(standing(), Unclear(reason="x"), now=datetime(2026, 1, 1), jitter=0)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("wish_s", "jitter", "after_s"),
    [(None, 0.0, 30), (None, 0.5, 22.5), (5, 0.0, 30), (120, 0.0, 120), (3600, 0.0, 3600), (86400, 0.0, 3600)],
)
def test_a_text_message_of_unknown_fate_is_looked_for_soon(wish_s: float | None, jitter: float, after_s: float) -> None:
    """It may be a page at night: within half a minute, or when the provider says so, within an hour."""
    before = standing("sms", "reconciling", lives_s=10**6)
    step = settle(before, Temporary(reason="busy", retry_after_s=wish_s), now=NOW, jitter=jitter)
    assert (step.state, step.next_at) == ("unknown", NOW + timedelta(seconds=after_s))
