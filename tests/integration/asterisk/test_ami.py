"""The AMI adapter and a real Asterisk: rights, filters, a call's events, restarts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ivr.asterisk import ami as ami_module
from ivr.asterisk.ami import RECONNECTED, Ami, AmiRefused, Fields, State
from ivr.asterisk.queue_members import AmiQueueMembers
from ivr.errors import Unavailable
from tests.integration.asterisk.real import RealAsterisk, free_port


@asynccontextmanager
async def connected(asterisk: RealAsterisk, user: str = "service", ping_s: float = 5.0) -> AsyncIterator[Ami]:
    ami = Ami("127.0.0.1", asterisk.ami_port, user, asterisk.secret, ping_s=ping_s)
    await ami.connect()
    try:
        yield ami
    finally:
        await ami.close()


async def events_until(ami: Ami, last: str) -> list[Fields]:
    """The events up to and with the first one named `last`."""
    events: list[Fields] = []
    async with asyncio.timeout(15):
        async for event in ami.events():
            # Told at every login to an Asterisk that has started, whatever the filter says.
            if event["event"] != "FullyBooted":
                events.append(event)
            if event["event"] == last:
                break
    return events


class TestAccount:
    async def test_wrong_secret(self, asterisk: RealAsterisk) -> None:
        with pytest.raises(AmiRefused, match="Authentication failed"):
            await Ami("127.0.0.1", asterisk.ami_port, "service", "wrong").connect()

    async def test_refused_port(self) -> None:
        with pytest.raises(Unavailable):
            await Ami("127.0.0.1", free_port(), "service", "x").connect()

    @pytest.mark.parametrize(
        ("action", "fields"),
        [
            ("Command", {"Command": "core show version"}),
            ("GetConfig", {"Filename": "manager.conf"}),
            ("Originate", {"Channel": "Local/1@stays", "Application": "System", "Data": "true"}),
        ],
    )
    async def test_may_not_do_what_it_need_not(
        self, asterisk: RealAsterisk, action: str, fields: dict[str, str]
    ) -> None:
        async with connected(asterisk) as ami:
            with pytest.raises(AmiRefused):
                await ami.action(action, fields)

    async def test_without_rights_nothing_can_be_done(self, asterisk: RealAsterisk) -> None:
        async with connected(asterisk, "looker") as ami:
            with pytest.raises(AmiRefused):
                await ami.action("QueueAdd", {"Queue": "support", "Interface": "PJSIP/7001"})
            # A ping needs no right, so such an account's connection is kept up too.
            assert (await ami.action("Ping"))["response"] == "Success"


class TestCall:
    async def test_a_calls_events_come_in_order_and_no_others(self, asterisk: RealAsterisk) -> None:
        technician = {"Queue": "support", "Interface": "Local/1@technicians/n", "MemberName": "Zoé"}
        async with connected(asterisk) as ami:
            await ami.action("QueueAdd", technician)
            try:
                asterisk.call("9support@waits", "0000@stays", {"TALK": "0.3"})
                events = await events_until(ami, "AgentComplete")
            finally:
                await ami.action("QueueRemove", {"Queue": "support", "Interface": technician["Interface"]})
                asterisk.cli("channel request hangup all")
        order = [
            "QueueMemberAdded",
            "QueueCallerJoin",
            "AgentCalled",
            "QueueCallerLeave",
            "AgentConnect",
            "AgentComplete",
        ]
        assert [event["event"] for event in events] == order
        assert {event["linkedid"] for event in events[1:]} == {events[1]["linkedid"]}
        assert events[-2]["membername"] == "Zoé"

    async def test_a_call_counts_for_the_member(self, asterisk: RealAsterisk) -> None:
        async with connected(asterisk) as ami:
            members = AmiQueueMembers(ami, lambda endpoint: f"Local/{endpoint}@technicians/n")
            await members.add("support", "2", "Luc")
            try:
                asterisk.call("9support@waits", "0000@stays", {"TALK": "0.3"})
                await events_until(ami, "AgentConnect")
                [busy] = await members.list("support")
                await events_until(ami, "AgentComplete")
                [free] = await members.list("support")
            finally:
                await members.remove("support", "2")
                asterisk.cli("channel request hangup all")
        assert (busy.in_call, free.in_call) == (True, False)
        assert (busy.calls_taken, free.calls_taken) == (0, 1)
        assert free.last_call is not None
        assert abs(free.last_call.timestamp() - time.time()) < 5

    @pytest.mark.parametrize(
        ("encoded", "name"),
        [("Zo%C3%A9 %F0%9F%98%80", "Zoé 😀"), ("%24{X}", "${X}"), ('a"b', 'a\\"b'), ("a%0D%0Ab", "a\\r\\nb")],
    )
    async def test_a_callers_name_may_hold_anything(self, asterisk: RealAsterisk, encoded: str, name: str) -> None:
        async with connected(asterisk) as ami:
            asterisk.call("9support@waits", "0000@stays", {"CALLER": encoded})
            try:
                joined = (await events_until(ami, "QueueCallerJoin"))[-1]
            finally:
                asterisk.cli("channel request hangup all")
        # Asterisk escapes names in events as C does.
        assert joined["calleridname"] == name
        assert joined["queue"] == "support"

    async def test_a_callers_name_forges_nothing(self, asterisk: RealAsterisk) -> None:
        forged = "x%0D%0AQueue: other%0D%0APosition: 99%0D%0A%0D%0AEvent: AgentConnect%0D%0AQueue: sales%0D%0A%0D%0A"
        async with connected(asterisk) as ami:
            asterisk.call("9support@waits", "0000@stays", {"CALLER": forged})
            try:
                events = await events_until(ami, "QueueCallerJoin")
                await asyncio.sleep(0.2)
            finally:
                asterisk.cli("channel request hangup all")
            joined = events[-1]
            while events[-1].get("linkedid") != joined["linkedid"] or events[-1]["event"] != "QueueCallerLeave":
                events += await events_until(ami, "QueueCallerLeave")
        # The caller of the test before may leave only now; what was forged would be on no call.
        events = [event for event in events if event.get("linkedid") in (None, joined["linkedid"])]
        assert [event["event"] for event in events] == ["QueueCallerJoin", "QueueCallerLeave"]
        assert {event["queue"] for event in events} == {"support"}


class TestOutage:
    async def test_a_restart(self, own_asterisk: RealAsterisk) -> None:
        async with connected(own_asterisk) as ami:
            members = AmiQueueMembers(ami)
            await members.add("support", "7001", "Zoé")
            own_asterisk.kill()
            while ami.state is State.CONNECTED:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.01)
            with pytest.raises(Unavailable):
                await members.add("support", "7002", "Luc")
            await asyncio.to_thread(own_asterisk.start)
            await events_until(ami, RECONNECTED["event"])
            # At once: whoever is told that Asterisk is back acts.
            await members.add("support", "7003", "Ève")
            # Nothing was repeated on its own; members do not survive here, since queues.conf says so.
            assert [member.endpoint for member in await members.list("support")] == ["7003"]

    async def test_nobody_is_refused_while_it_starts(
        self, own_asterisk: RealAsterisk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its manager answers before there are queues, and then knows no such action."""
        monkeypatch.setattr(ami_module, "_LONGEST_PAUSE_S", 0.002)
        async with connected(own_asterisk) as ami:
            own_asterisk.kill()
            while ami.state is State.CONNECTED:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.01)
            starting = asyncio.create_task(asyncio.to_thread(own_asterisk.start))
            members = None
            while members is None:
                try:
                    members = await AmiQueueMembers(ami).list("support")
                except Unavailable:
                    await asyncio.sleep(0.002)
            await starting
        assert members == ()

    async def test_frozen(self, own_asterisk: RealAsterisk) -> None:
        async with connected(own_asterisk, ping_s=0.3) as ami:
            with own_asterisk.frozen():
                began = time.monotonic()
                while ami.state is State.CONNECTED:  # noqa: ASYNC110 - nothing tells
                    await asyncio.sleep(0.01)
                assert time.monotonic() - began < 2
            await events_until(ami, RECONNECTED["event"])
            assert (await ami.action("Ping"))["response"] == "Success"
