"""Who takes part in a call, by what Asterisk tells."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from ivr.calls.asterisk_events import enter
from ivr.calls.call import CALLBACK, Call
from ivr.calls.log import CallLog
from ivr.events import EventBus
from ivr.store.engine import Store
from tests.beginning import begin_call

NOW = datetime(2026, 11, 25, 15, tzinfo=UTC)
QUEUE = {"queue": "support"}


@pytest.fixture
async def calls(store: Store) -> AsyncIterator[CallLog]:
    calls = CallLog(store, EventBus())
    yield calls
    await calls.close()


def begin(calls: CallLog, *, channel: str, dials: bool) -> Call:
    dialled = CALLBACK if dials else "611"
    begin_call(calls, "1", channel=channel, endpoint="6001", dials=dials, dialled=dialled, at=NOW)
    return calls.live()[0]


def tell(calls: CallLog, event: str, channel: str, /, **facts: str) -> None:
    number = channel.rpartition("-")[2]
    enter(calls, {"event": event, "linkedid": "170.1", "destchannel": channel, "destuniqueid": number, **facts}, NOW)


def legs(call: Call) -> list[tuple[str, str | None, bool]]:
    """Role, endpoint, and whether they answered."""
    return [(leg.role, leg.endpoint, leg.answered_at is not None) for leg in call.legs.values()]


async def test_a_caller_a_technician_who_let_it_ring_and_the_one_who_answered(calls: CallLog) -> None:
    call = begin(calls, channel="PJSIP/6001-1", dials=False)
    enter(calls, {"event": "QueueCallerJoin", "linkedid": "170.1", **QUEUE}, NOW)
    for channel in ("PJSIP/7001-2", "PJSIP/7002-3"):
        tell(calls, "AgentCalled", channel, **QUEUE)
        tell(calls, "DialBegin", channel)
    tell(calls, "AgentConnect", "PJSIP/7002-3", **QUEUE)
    assert legs(call) == [("caller", "6001", True), ("member", "7001", False), ("member", "7002", True)]


async def test_a_department(calls: CallLog) -> None:
    call = begin(calls, channel="PJSIP/6001-1", dials=False)
    tell(calls, "DialBegin", "PJSIP/7103-2")
    tell(calls, "DialEnd", "PJSIP/7103-2", dialstatus="ANSWER")
    assert legs(call) == [("caller", "6001", True), ("department", "7103", True)]
    assert call.answered_by == "7103"


async def test_a_department_outside_has_answered_once_it_takes_the_call(calls: CallLog) -> None:
    """Not when its voicemail does; and its number is nobody's to read in a call's legs."""
    call = begin(calls, channel="PJSIP/6001-1", dials=False)
    first, second = (f"Local/15145559103@omnivigil-outside-0000001a;{half}" for half in "12")
    tell(calls, "DialBegin", first)
    tell(calls, "DialBegin", "PJSIP/outbound-3", channel=second)
    tell(calls, "DialEnd", "PJSIP/outbound-3", channel=second, dialstatus="ANSWER")
    assert call.answered_by is None
    tell(calls, "DialEnd", first, dialstatus="ANSWER")
    assert [one[:2] for one in legs(call)] == [("caller", "6001"), ("department", "outside")]
    assert call.answered_by == "outside"


async def test_a_callback_has_its_caller_once_they_are_dialled(calls: CallLog) -> None:
    """The technician was rung before there was a call; what holds the place is nobody."""
    call = begin(calls, channel="Local/1f@callback-queue-1;2", dials=True)
    tell(calls, "AgentConnect", "PJSIP/7001-4", **QUEUE)
    tell(calls, "DialEnd", "Local/1f@callback-queue-1;1", dialstatus="ANSWER")
    tell(calls, "DialBegin", "PJSIP/6001-5")
    assert legs(call) == [("member", "7001", True), ("caller", "6001", False)]
    tell(calls, "DialEnd", "PJSIP/6001-5", dialstatus="ANSWER")
    assert legs(call)[1] == ("caller", "6001", True)
    assert call.answered_by == "7001"
    assert [one.facts["endpoint"] for one in call.events if one.kind == "answered"] == ["7001", "6001"]


async def test_a_callback_that_the_technician_left_while_the_phone_only_rang(calls: CallLog) -> None:
    """Nobody talked: it is not told as answered, nor counted so."""
    call = begin(calls, channel="Local/1f@callback-queue-1;2", dials=True)
    tell(calls, "AgentConnect", "PJSIP/7001-4", **QUEUE)
    tell(calls, "DialBegin", "PJSIP/6001-5")
    # The technician's card is there from the first moment on.
    assert call.state == "talking"
    tell(calls, "DialEnd", "PJSIP/6001-5", dialstatus="CANCEL")
    enter(calls, {"event": "Hangup", "linkedid": "170.1", "uniqueid": "170.1", "cause": "16"}, NOW)
    assert (call.result, call.reason) == ("abandoned", "the customer did not answer")
    assert call.answered_at is None
    assert call.answered_by is None


async def test_the_end_of_the_caller_s_leg_ends_the_call(calls: CallLog) -> None:
    call = begin(calls, channel="PJSIP/6001-1", dials=False)
    enter(calls, {"event": "Hangup", "linkedid": "170.1", "uniqueid": "170.1", "cause": "16"}, NOW)
    assert (call.state, call.legs["170.1"].ended_at, call.legs["170.1"].cause) == ("ended", NOW, 16)
