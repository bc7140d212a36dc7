"""Callers who stand in a queue though nobody has begun their call."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from ivr.calls.adoption import Newcomers
from ivr.calls.asterisk_events import enter
from ivr.calls.log import CallLog
from ivr.calls.store import read
from ivr.desk.load import load_desks
from ivr.directory.model import NOBODY, Customer, Identity
from ivr.errors import Unavailable
from ivr.events import EventBus
from ivr.store.engine import Store
from tests.beginning import begin_call
from tests.fakes.ami import FakeAmi

NOW = datetime(2026, 11, 25, 15, tzinfo=UTC)
KNOWN = Identity(by="number", customer=Customer(id=1, account="C-1001", name="Clinique du Cap"))


@dataclass(kw_only=True)
class Door:
    """Newcomers, and what they bring about."""

    calls: CallLog
    tickets: list[tuple[str, ...]] = field(default_factory=list)
    #: Channels that were given what is told to their call.
    adopted: list[tuple[str, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.newcomers = Newcomers(
            calls=self.calls,
            desks=load_desks(),
            identify=lambda number, endpoint, _: (number or None, KNOWN if number or endpoint else NOBODY),
            open_ticket=lambda call, desk, department, language: self.tickets.append(
                (call, desk.id, department, language)
            ),
            adopt=lambda *channel_call_language: self.adopted.append(channel_call_language),
            clock=lambda: NOW,
        )


@pytest.fixture
def door(store: Store) -> Door:
    return Door(calls=CallLog(store, EventBus()))


def channel(uniqueid: str = "170.a", **facts: str) -> dict[str, str]:
    """A row of CoreShowChannels."""
    return {
        "channel": "PJSIP/trunk-0000000a",
        "uniqueid": uniqueid,
        "linkedid": uniqueid,
        "calleridnum": "14185550101",
        "context": "fallback",
        "language": "en",
        "application": "Queue",
        "applicationdata": "support,i,,,3600",
        "duration": "00:01:30",
    } | facts


def joined(**facts: str) -> dict[str, str]:
    """The same caller's joining, as it is told."""
    row = channel(**facts)
    told = {name: row[name] for name in ("channel", "uniqueid", "linkedid", "calleridnum", "context", "language")}
    return {"event": "QueueCallerJoin", "queue": "support", "position": "1", **told}


async def test_who_stands_there_already(door: Door, store: Store) -> None:
    ami = FakeAmi("support")
    ami.queues.channels = [channel(), channel("170.b", application="Playback")]
    await door.newcomers.look(ami)
    await door.newcomers.look(ami)
    [call] = door.calls.live()
    assert (call.linkedid, call.ani, call.customer_id, call.desk) == ("170.a", "14185550101", 1, "omnivigil")
    assert (call.department, call.language, call.queue, call.state) == ("support", "en", "support", "queue")
    assert (call.started_at, call.queued_at) == (NOW - timedelta(seconds=90), NOW)
    assert door.tickets == [(call.id, "omnivigil", "support", "en")]
    enter(door.calls, {"event": "Hangup", "linkedid": "170.a", "uniqueid": "170.a", "cause": "16"}, NOW)
    await door.calls.flush()
    async with store.reading() as unit:
        kept = await read(unit, call.id)
    assert kept is not None
    assert kept.result == "abandoned"
    assert [one.kind for one in kept.events] == ["started", "met-in-queue", "queued", "ended"]
    assert [(leg.role, leg.ended_at, leg.cause) for leg in kept.legs.values()] == [("caller", NOW, 16)]


async def test_who_joins_after_the_service_came_back(door: Door) -> None:
    event = joined(language="fr_ov_0123456789ab")
    for _ in range(2):
        door.newcomers.joined(event)
        enter(door.calls, event, NOW)
    [call] = door.calls.live()
    assert (call.queue, call.language, call.started_at) == ("support", "fr", NOW)
    await door.calls.close()


async def test_who_is_met_is_told_what_everybody_is_told(door: Door) -> None:
    """Also one whose call was begun before the service that began it was gone, and who has no language in it."""
    door.newcomers.joined(joined())
    [call] = door.calls.live()
    assert door.adopted == [("PJSIP/trunk-0000000a", call.id, "en")]
    # As it is from then on.
    door.newcomers.joined(joined(language=f"en_ov_{call.id[:12]}"))
    assert len(door.adopted) == 1
    begin_call(door.calls, "c2", linkedid="170.b", at=NOW)
    door.newcomers.joined(joined(uniqueid="170.b", language="fr"))
    assert door.adopted[1:] == [("PJSIP/trunk-0000000a", "c2", "fr")]
    assert (second := door.calls.current("c2")) is not None
    assert (second.language, second.department) == ("fr", "support")
    await door.calls.close()


async def test_a_phone_s_call_is_its_owner_s(door: Door) -> None:
    door.newcomers.joined(joined(channel="PJSIP/6001-0000000b", calleridnum=""))
    [call] = door.calls.live()
    assert (call.endpoint, call.ani, call.customer_id) == ("6001", None, 1)
    await door.calls.close()


@pytest.mark.parametrize(
    "facts",
    [
        {"linkedid": "170.z"},
        {"context": "callback"},
        {"channel": "Local/held@callback-0000000a;2"},
        {"queue": "elsewhere"},
        {"event": "QueueCallerLeave"},
    ],
    ids=["a leg of another call", "called back", "a held place", "no desk's queue", "another event"],
)
async def test_who_is_no_newcomer(door: Door, facts: dict[str, str]) -> None:
    door.newcomers.joined(joined() | facts)
    assert door.calls.live() == []
    assert door.tickets == []


async def test_hostile_fields(door: Door) -> None:
    hostile = {"channel": "PJSIP/", "calleridnum": "\x00" * 500, "language": "../../x"}
    door.newcomers.joined(joined() | hostile)
    [call] = door.calls.live()
    assert (call.language, call.endpoint) == ("fr", None)
    await door.calls.close()


async def test_with_asterisk_away_nobody_is_met(door: Door) -> None:
    ami = FakeAmi("support")
    ami.queues.channels = [channel()]
    with ami.away(), pytest.raises(Unavailable):
        await door.newcomers.look(ami)
    assert door.calls.live() == []
