"""Who takes part in a call, by what Asterisk tells."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from ivr.calls.asterisk_events import enter
from ivr.calls.log import CallLog
from ivr.calls.model import CALLBACK, Call
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


def transfer(calls: CallLog, step: str, **facts: str) -> None:
    """What the dialplan tells of a blind transfer."""
    enter(calls, {"event": "UserEvent", "userevent": "OvTransfer", "linkedid": "170.1", "step": step, **facts}, NOW)


async def test_a_blind_transfer(calls: CallLog) -> None:
    """Of a call from the queue: it rings at the colleague's, comes back, and stands in the queue again."""
    call = begin(calls, channel="PJSIP/trunk-1", dials=False)
    enter(calls, {"event": "QueueCallerJoin", "linkedid": "170.1", **QUEUE}, NOW)
    tell(calls, "AgentConnect", "PJSIP/7001-2", **QUEUE)
    waited = call.answered_at
    transfer(calls, "begun", by="7001", to="7002")
    assert call.state == "ringing"
    tell(calls, "DialBegin", "PJSIP/7002-3", context="transfer-ring")
    tell(calls, "DialEnd", "PJSIP/7002-3", context="transfer-ring", dialstatus="NOANSWER")
    transfer(calls, "returned", to="7001")
    enter(calls, {"event": "QueueCallerJoin", "linkedid": "170.1", **QUEUE}, NOW)
    assert (call.state, call.answered_by) == ("queue", "7001")
    tell(calls, "DialBegin", "PJSIP/7003-4", context="line")
    tell(calls, "AgentConnect", "PJSIP/7003-4", **QUEUE)
    assert (call.state, call.answered_by, call.answered_at) == ("talking", "7003", waited)
    assert legs(call)[1:] == [("member", "7001", True), ("member", "7002", False), ("member", "7003", True)]


async def test_an_attended_transfer(calls: CallLog) -> None:
    """Who was asked first is a leg that answered; one that did not succeed changes nothing."""
    call = begin(calls, channel="PJSIP/trunk-1", dials=False)
    tell(calls, "DialBegin", "PJSIP/7103-2")
    tell(calls, "DialEnd", "PJSIP/7103-2", dialstatus="ANSWER")
    facts = {
        "event": "AttendedTransfer",
        "transfereelinkedid": "170.1",
        "origtransfererchannel": "PJSIP/7103-2",
        "transfertargetchannel": "PJSIP/7001-3",
        "transfertargetuniqueid": "3",
    }
    enter(calls, {**facts, "result": "Fail"}, NOW)
    assert call.answered_by == "7103"
    enter(calls, {**facts, "result": "Success"}, NOW)
    assert (call.state, call.answered_by) == ("talking", "7001")
    assert legs(call)[2:] == [("member", "7001", True)]


async def test_a_caller_who_leaves_while_transferred(calls: CallLog) -> None:
    call = begin(calls, channel="PJSIP/trunk-1", dials=False)
    tell(calls, "DialBegin", "PJSIP/7103-2")
    tell(calls, "DialEnd", "PJSIP/7103-2", dialstatus="ANSWER")
    transfer(calls, "begun", by="7103", to="7001")
    enter(calls, {"event": "Hangup", "linkedid": "170.1", "uniqueid": "170.1", "cause": "16"}, NOW)
    assert (call.result, call.reason) == ("answered", "hung up while transferred")


async def test_other_words_of_the_dialplan_are_no_transfers(calls: CallLog) -> None:
    call = begin(calls, channel="PJSIP/trunk-1", dials=False)
    enter(calls, {"event": "UserEvent", "userevent": "OvLeg", "linkedid": "170.1"}, NOW)
    assert [one.kind for one in call.events] == ["started"]
