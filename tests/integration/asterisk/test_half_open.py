"""A manager's connection that is open on our side alone: whose words are swallowed, or whose peer is gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from ivr.asterisk.ami import RECONNECTED, Ami, State
from ivr.asterisk.queue_members import AmiQueueMembers
from ivr.calls.log import CallLog
from ivr.calls.reconcile import UNSEEN, end_unseen
from ivr.calls.store import read
from ivr.errors import Unavailable
from ivr.events import EventBus
from ivr.store.engine import Store
from tests.beginning import begin_call
from tests.fakes.ami import AmiPeer
from tests.integration.asterisk.real import RealAsterisk
from tests.relay import Relay

NOW = datetime(2026, 11, 25, 15, tzinfo=UTC)


@pytest.fixture(params=["peer", "real"])
async def relay(request: pytest.FixtureRequest) -> AsyncIterator[Relay]:
    """What is between us and a manager."""
    if request.param == "real":
        asterisk: RealAsterisk = request.getfixturevalue("asterisk")
        async with Relay(asterisk.ami_port) as one:
            yield one
        return
    peer = AmiPeer("support", "sales")
    await peer.start()
    async with Relay(peer.port) as one:
        yield one
    await peer.stop()


async def logged_in(relay: Relay, ping_s: float = 0.3) -> Ami:
    ami = Ami("127.0.0.1", relay.port, "service", RealAsterisk.secret, ping_s=ping_s)
    await ami.connect()
    return ami


async def until_lost(ami: Ami) -> None:
    """It is noticed."""
    async with asyncio.timeout(30):
        while ami.state is State.CONNECTED:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)


async def until_back(ami: Ami) -> None:
    async with asyncio.timeout(60):
        async for event in ami.events():
            if event is RECONNECTED:
                return


async def test_what_is_swallowed_is_noticed_and_made_again(relay: Relay) -> None:
    ami = await logged_in(relay)
    members = AmiQueueMembers(ami)
    relay.swallows = True
    await until_lost(ami)
    with pytest.raises(Unavailable):
        await members.list(None)
    relay.swallows = False
    await until_back(ami)
    assert relay.taken >= 2
    assert await members.list("support") == ()
    await ami.close()


async def test_who_waits_for_an_answer_is_told_that_none_comes(relay: Relay) -> None:
    ami = await logged_in(relay)
    relay.swallows = True
    with pytest.raises(Unavailable):
        await ami.action("QueueStatus", timeout_s=60)
    await ami.close()


async def test_as_it_is_set_it_takes_less_than_ten_seconds() -> None:
    """It is asked after so long, and has as long to answer."""
    assert Ami("127.0.0.1", 1, "service", "x")._ping_s * 2 < 10


async def test_a_peer_that_is_gone_without_a_word_is_left_for_the_next(relay: Relay) -> None:
    """As when the machine is cut off, and another has its address."""
    peer = AmiPeer("support", "sales")
    await peer.start()
    ami = await logged_in(relay)
    # New connections lead to the other one from now on: whoever notices tries again at once.
    relay.target, relay.swallows = peer.port, True
    await until_lost(ami)
    relay.swallows = False
    await until_back(ami)
    assert peer.logins == 1
    await ami.close()
    await peer.stop()


async def test_a_call_whose_end_was_swallowed_ends_in_the_records(asterisk: RealAsterisk, store: Store) -> None:
    async with Relay(asterisk.ami_port) as relay:
        ami = await logged_in(relay)
        asterisk.call("9sales@waits", "0000@stays")
        async with asyncio.timeout(30):
            async for event in ami.events():
                if event["event"] == "QueueCallerJoin":
                    break
        calls = CallLog(store, EventBus())
        begin_call(calls, "a", at=NOW, linkedid=event["linkedid"], channel=event["channel"])
        calls.queued("a", NOW, queue="sales")
        await end_unseen(calls, ami, lambda: NOW)
        assert [call.id for call in calls.live()] == ["a"], "it goes on"
        relay.swallows = True
        await asyncio.to_thread(asterisk.cli, "channel request hangup all")
        await until_lost(ami)
        relay.swallows = False
        await until_back(ami)
        await end_unseen(calls, ami, lambda: NOW)
        assert calls.live() == []
        await calls.flush()
        async with store.reading() as unit:
            over = await read(unit, "a")
        assert over is not None
        assert (over.ended_at, over.reason) == (NOW, UNSEEN)
        await calls.close()
        await ami.close()
