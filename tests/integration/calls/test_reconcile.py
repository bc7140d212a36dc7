"""Calls that outlive the service, and calls that Asterisk does not have any more."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

import pytest

from ivr.calls.asterisk_events import enter
from ivr.calls.log import CallLog
from ivr.calls.reconcile import UNSEEN, end_unseen, resume
from ivr.calls.store import read
from ivr.errors import Unavailable
from ivr.events import EventBus
from ivr.store.engine import Store
from tests.beginning import begin_call
from tests.fakes.ami import FakeAmi

BEGAN = datetime(2026, 11, 25, 15, tzinfo=UTC)
NOW = BEGAN + timedelta(minutes=3)


@pytest.fixture
def ami() -> FakeAmi:
    return FakeAmi("support")


def begin(calls: CallLog, call_id: str, *, queue: str | None = None, language: str | None = "en") -> None:
    begin_call(calls, call_id, at=BEGAN)
    if language is not None:
        calls.route(call_id, department="support", language=language)
    if queue is not None:
        calls.queued(call_id, BEGAN, queue=queue)


def channel(call_id: str, **facts: str) -> dict[str, str]:
    facts = {"application": "Queue", "applicationdata": "support,nxc", "language": "fr", "bridgeid": ""} | facts
    return {"uniqueid": f"170.{call_id}", "linkedid": "170.a", "channel": f"PJSIP/trunk-{call_id}", **facts}


async def after(store: Store, ami: FakeAmi) -> CallLog:
    """The record of a service that was started anew."""
    calls = CallLog(store, EventBus())
    await resume(calls, store, ami, lambda: NOW)
    return calls


async def test_a_call_goes_on_and_has_its_true_end(store: Store, ami: FakeAmi) -> None:
    calls = CallLog(store, EventBus())
    begin(calls, "a", queue="support")
    begin(calls, "b", queue="support")
    await calls.flush()
    ami.queues.channels = [channel("a")]
    calls = await after(store, ami)
    assert [call.id for call in calls.live()] == ["a"]
    answered = {"event": "AgentConnect", "linkedid": "170.a", "queue": "support", "destchannel": "PJSIP/7001-1"}
    enter(calls, answered | {"destuniqueid": "170.9"}, NOW)
    enter(calls, {"event": "Hangup", "linkedid": "170.a", "uniqueid": "170.a", "cause": "16"}, NOW)
    await calls.flush()
    async with store.reading() as unit:
        a, b = await read(unit, "a"), await read(unit, "b")
    assert a is not None
    assert b is not None
    assert (a.result, a.answered_by, a.queued_at, a.language) == ("answered", "7001", BEGAN, "en")
    assert [(one.seq, one.kind) for one in a.events] == [
        (0, "started"),
        (1, "queued"),
        (2, "resumed"),
        (3, "answered"),
        (4, "ended"),
    ]
    assert a.legs["170.a"].ended_at == NOW
    # This one ended while the service was away; Asterisk's own record says how.
    assert (b.result, b.reason) == ("failed", "service-restarted")


async def test_what_happened_meanwhile_is_seen_from_where_the_channel_is(store: Store, ami: FakeAmi) -> None:
    calls = CallLog(store, EventBus())
    begin(calls, "a", language=None)
    begin(calls, "b")
    begin(calls, "c")
    await calls.flush()
    technician = {"uniqueid": "170.9", "channel": "PJSIP/7001-00000009", "application": "AppQueue", "bridgeid": "x"}
    # The name of the folder with what the caller is told, as the dialplan has set it.
    waits = channel("a", language="fr_ov_6b519d51ca23")
    ami.queues.channels = [waits, channel("b", bridgeid="x"), technician, channel("c", application="Dial")]
    calls = await after(store, ami)
    waiting, talking, elsewhere = calls.live()
    assert (waiting.state, waiting.queue, waiting.queued_at, waiting.language) == ("queue", "support", NOW, "fr")
    assert (talking.state, talking.answered_by, talking.language) == ("talking", "7001", "en")
    assert talking.legs["170.9"].answered_at == NOW
    assert (elsewhere.state, elsewhere.queue) == ("ringing", None)
    await calls.close()


async def test_with_asterisk_or_the_database_away_no_call_is_ended(
    store: Store, ami: FakeAmi, database_away: Callable[[], AbstractContextManager[None]]
) -> None:
    calls = CallLog(store, EventBus())
    begin(calls, "a")
    await calls.flush()
    with ami.away(), pytest.raises(Unavailable):
        await resume(CallLog(store, EventBus()), store, ami, lambda: NOW)
    with database_away(), pytest.raises(Unavailable):
        await resume(CallLog(store, EventBus()), store, ami, lambda: NOW)
    ami.queues.channels = [channel("a")]
    assert [call.id for call in (await after(store, ami)).live()] == ["a"]


async def test_asterisk_was_restarted_under_the_service(store: Store, ami: FakeAmi) -> None:
    calls = CallLog(store, EventBus())
    begin(calls, "a", queue="support")
    begin(calls, "b", queue="support")
    begin(calls, "c", queue="support")
    calls.answered("b", BEGAN, endpoint="7001")
    ami.queues.channels = [channel("c")]
    with ami.away(), pytest.raises(Unavailable):
        await end_unseen(calls, ami, lambda: NOW)
    await end_unseen(calls, ami, lambda: NOW)
    assert [call.id for call in calls.live()] == ["c"]
    await calls.flush()
    async with store.reading() as unit:
        a, b = await read(unit, "a"), await read(unit, "b")
    assert a is not None
    assert b is not None
    assert (a.result, a.reason, a.ended_at) == ("abandoned", UNSEEN, NOW)
    assert (b.result, b.reason) == ("answered", UNSEEN)
    assert a.legs["170.a"].ended_at == NOW
    await calls.close()
