"""Enters Asterisk's events after the menu into the calls' record: queue, phones that ring, answer, end."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime

from ivr import outside_staff
from ivr.asterisk.contract import Told, fields_of
from ivr.calls.log import CallLog
from ivr.calls.model import Call
from ivr.trunks import is_trunk

#: An event's fields, names in lower case.
Fields = Mapping[str, str]


#: A department's telephone outside, by way of the dialplan (`agi_scripts.line.ring_target`): the half that is rung.
_OUTSIDE = re.compile(r"Local/\d+@[a-z0-9-]+-outside-[0-9a-f]+;[12]")


def _by_way_of_the_dialplan(channel: str) -> bool:
    """Whether it leads to a telephone outside, whose answer counts once 1 is pressed: then its first half answers."""
    return _OUTSIDE.fullmatch(channel) is not None or outside_staff.of_channel(channel) is not None


def enter(calls: CallLog, event: Fields, at: datetime) -> None:
    """Enter one event; those of calls that are not ours, and events that say nothing of a call, are passed over."""
    handler = _HANDLERS.get(event.get("event", "").lower())
    linkedid = event.get("linkedid") or event.get("destlinkedid") or event.get("transfereelinkedid")
    call_id = calls.id_of(linkedid or "")
    if handler is not None and call_id is not None:
        handler(calls, call_id, event, at)


def endpoint_of(channel: str) -> str:
    """The account in a channel's name: PJSIP/7001-0000002a is 7001's; of a telephone outside, no number is told."""
    if _OUTSIDE.fullmatch(channel):
        return "outside"
    if (staff := outside_staff.of_channel(channel)) is not None:
        return staff
    return channel.partition("/")[2].rpartition("-")[0]


def caller_endpoint(channel: str) -> str | None:
    """The account of the registered phone that calls by this channel (OV-2); None for a trunk.

    Asterisk makes the channel's name of the authenticated endpoint, never of caller ID.
    """
    name = endpoint_of(channel)
    if channel.startswith("PJSIP/") and name and not is_trunk(name):
        return name
    return None


def queue_of(channel: Fields) -> str | None:
    """The queue that a channel stands in or talks from (a row of CoreShowChannels); None for any other."""
    if channel.get("application") == "Queue":
        return channel.get("applicationdata", "").partition(",")[0]
    return None


def spoken(channel: Fields) -> str | None:
    """The language a channel speaks; while it waits in a queue, Asterisk's is the name of a folder, as in fr_ov_3f."""
    return channel.get("language", "").partition("_")[0] or None


def _joined(calls: CallLog, call_id: str, event: Fields, at: datetime) -> None:
    calls.queued(call_id, at, queue=event.get("queue", ""), position=_number(event.get("position")))


def _left_unserved(calls: CallLog, call_id: str, event: Fields, at: datetime) -> None:
    waited = _number(event.get("holdtime"))
    calls.note(call_id, "left-queue", at, queue=event.get("queue", ""), waited_s=waited)


def _rings(calls: CallLog, call_id: str, event: Fields, at: datetime) -> None:
    channel = event.get("destchannel", "")
    call = calls.current(call_id)
    ours = call is not None and call.dials_its_caller
    if event.get("queue") or _is_transferred(event):
        role = "member"
    elif ours:
        role = "caller"
    else:
        role = "department"
    calls.leg(call_id, event.get("destuniqueid", ""), channel=channel, role=role, at=at, endpoint=endpoint_of(channel))
    calls.note(call_id, "ringing", at, endpoint=endpoint_of(channel))


def _dialling(calls: CallLog, call_id: str, event: Fields, at: datetime) -> None:
    # app_queue dials too, and says so in its own words; a phone that rings outside of a queue is a department's.
    call = calls.current(call_id)
    if call is not None and _is_told_of_dialling(call, event):
        _rings(calls, call_id, event, at)


def _is_told_of_dialling(call: Call, event: Fields) -> bool:
    return (call.queue is None or _is_transferred(event)) and not _by_way_of_the_dialplan(event.get("channel", ""))


def _is_transferred(event: Fields) -> bool:
    """Whether a phone is dialled because a call is transferred: what the dialplan does for it is in these contexts."""
    return event.get("context", "").startswith("transfer-")


def _member_answered(calls: CallLog, call_id: str, event: Fields, at: datetime) -> None:
    uniqueid, channel = event.get("destuniqueid", ""), event.get("destchannel", "")
    # A held place rings technicians before there is a call: theirs begins with the answer.
    calls.leg(call_id, uniqueid, channel=channel, role="member", at=at, endpoint=endpoint_of(channel))
    calls.leg_answered(call_id, uniqueid, at)
    waited = _number(event.get("holdtime"))
    calls.answered(call_id, at, endpoint=endpoint_of(channel), name=event.get("membername", ""), waited_s=waited)


def _dialled(calls: CallLog, call_id: str, event: Fields, at: datetime) -> None:
    call = calls.current(call_id)
    # A held place's own two halves answer each other: no person has answered.
    rung = event.get("destchannel", "")
    if call is None or not _is_told_of_dialling(call, event):
        return
    if not rung.startswith("PJSIP/") and not _OUTSIDE.fullmatch(rung):
        return
    status, endpoint = event.get("dialstatus", ""), endpoint_of(rung)
    if status == "ANSWER":
        calls.leg_answered(call_id, event.get("destuniqueid", ""), at)
        calls.answered(call_id, at, endpoint=endpoint)
    else:
        calls.note(call_id, "not-answered", at, endpoint=endpoint, status=status)


def _no_answer(calls: CallLog, call_id: str, event: Fields, at: datetime) -> None:
    calls.note(call_id, "not-answered", at, endpoint=endpoint_of(event.get("destchannel", "")))


def _talked(calls: CallLog, call_id: str, event: Fields, at: datetime) -> None:
    talked = _number(event.get("talktime"))
    calls.note(call_id, "talked", at, seconds=talked, ended_by=event.get("reason", ""))


def _transferred(calls: CallLog, call_id: str, event: Fields, at: datetime) -> None:
    """The dialplan's word on a blind transfer (`[transferred]`, `[transfer-back]`)."""
    told = fields_of(event, Told.TRANSFER)
    if told is None:
        return
    if told["step"] == "begun":
        calls.note(call_id, "transferred", at, by=told["by"], to=told["to"])
    else:
        calls.note(call_id, "returned", at, to=told["to"])


def _handed_over(calls: CallLog, call_id: str, event: Fields, at: datetime) -> None:
    """An attended transfer: who was asked first talks with the caller from now on."""
    channel, uniqueid = event.get("transfertargetchannel", ""), event.get("transfertargetuniqueid", "")
    if event.get("result") != "Success" or not uniqueid:
        return
    by, to = endpoint_of(event.get("origtransfererchannel", "")), endpoint_of(channel)
    calls.note(call_id, "transferred", at, by=by, to=to)
    calls.leg(call_id, uniqueid, channel=channel, role="member", at=at, endpoint=to)
    calls.leg_answered(call_id, uniqueid, at)
    calls.answered(call_id, at, endpoint=to)


def _hung_up(calls: CallLog, call_id: str, event: Fields, at: datetime) -> None:
    uniqueid, cause = event.get("uniqueid", ""), _number(event.get("cause"))
    calls.leg_ended(call_id, uniqueid, at, cause=cause)
    call = calls.current(call_id)
    if call is not None and uniqueid == call.linkedid:
        calls.hung_up(call_id, at, cause=cause)


def _number(text: str | None) -> int | None:
    if text is not None and text.isdigit():
        return int(text)
    return None


_HANDLERS: Mapping[str, Callable[[CallLog, str, Fields, datetime], None]] = {
    "queuecallerjoin": _joined,
    "queuecallerabandon": _left_unserved,
    "agentcalled": _rings,
    "agentconnect": _member_answered,
    "agentringnoanswer": _no_answer,
    "agentcomplete": _talked,
    "dialbegin": _dialling,
    "dialend": _dialled,
    "userevent": _transferred,
    "attendedtransfer": _handed_over,
    "hangup": _hung_up,
}
