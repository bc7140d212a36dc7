"""What the service asks of Asterisk's manager: the same of the fake, the scripted peer and a real Asterisk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from ivr.asterisk.ami import Ami, AmiRefused, AmiValueError, Fields, ManagerInterface, State
from ivr.asterisk.queue_members import AmiQueueMembers
from ivr.errors import Unavailable
from tests.fakes.ami import AmiPeer, FakeAmi
from tests.integration.asterisk.real import RealAsterisk


@pytest.fixture(params=["fake", "peer", "real"])
async def manager(request: pytest.FixtureRequest) -> AsyncIterator[FakeAmi | Ami]:
    if request.param == "fake":
        yield FakeAmi("support", "sales")
        return
    if request.param == "peer":
        peer = AmiPeer("support", "sales")
        await peer.start()
        ami = Ami("127.0.0.1", peer.port, "service", peer.secret)
    else:
        asterisk: RealAsterisk = request.getfixturevalue("asterisk")
        ami = Ami("127.0.0.1", asterisk.ami_port, "service", asterisk.secret)
    await ami.connect()
    yield ami
    if ami.state is State.CONNECTED:
        members = AmiQueueMembers(ami)
        for member in await members.list(None):
            await members.remove(member.queue, member.endpoint)
    await ami.close()
    if request.param == "peer":
        await peer.stop()


async def told(manager: ManagerInterface, count: int) -> list[Fields]:
    """The next events."""
    events: list[Fields] = []
    async with asyncio.timeout(30):
        async for event in manager.events():
            # An Asterisk that has been up for long says so at each login.
            if event["event"] != "FullyBooted":
                events.append(event)
            if len(events) == count:
                break
    return events


class TestMembers:
    async def test_log_in_and_out(self, manager: FakeAmi | Ami) -> None:
        members = AmiQueueMembers(manager)
        assert await members.list(None) == ()
        await members.add("support", "7001", "Zoé Tremblay")
        await members.add("sales", "7001", "Zoé Tremblay")
        await members.add("support", "7002", "Luc")
        both = await members.list(None)
        assert {(m.queue, m.endpoint, m.name) for m in both} == {
            ("support", "7001", "Zoé Tremblay"),
            ("sales", "7001", "Zoé Tremblay"),
            ("support", "7002", "Luc"),
        }
        assert all((m.paused, m.in_call, m.calls_taken, m.last_call) == (False, False, 0, None) for m in both)
        await members.remove("support", "7001")
        assert [m.endpoint for m in await members.list("support")] == ["7002"]

    async def test_twice_is_as_once(self, manager: FakeAmi | Ami) -> None:
        members = AmiQueueMembers(manager)
        for _ in range(2):
            await members.add("support", "7001", "Zoé")
        assert len(await members.list("support")) == 1
        for _ in range(2):
            await members.remove("support", "7001")
        assert await members.list("support") == ()

    async def test_pause_in_one_queue_and_in_all(self, manager: FakeAmi | Ami) -> None:
        members = AmiQueueMembers(manager)
        for queue in ("support", "sales"):
            await members.add(queue, "7001", "Zoé")
        await members.pause("support", "7001", True, "dîner")
        assert {(m.queue, m.paused, m.paused_reason) for m in await members.list(None)} == {
            ("support", True, "dîner"),
            ("sales", False, ""),
        }
        await members.pause(None, "7001", True, "*23")
        assert all(m.paused for m in await members.list(None))
        await members.pause(None, "7001", False, "")
        assert not any(m.paused for m in await members.list(None))

    async def test_unknown_queue_is_refused(self, manager: FakeAmi | Ami) -> None:
        members = AmiQueueMembers(manager)
        with pytest.raises(AmiRefused):
            await members.add("nowhere", "7001", "Zoé")
        with pytest.raises(AmiRefused):
            await members.remove("nowhere", "7001")
        assert await members.list("nowhere") == ()

    async def test_pausing_who_is_not_there_is_refused(self, manager: FakeAmi | Ami) -> None:
        with pytest.raises(AmiRefused):
            await AmiQueueMembers(manager).pause(None, "7001", True, "")


class TestEvents:
    async def test_come_in_order(self, manager: FakeAmi | Ami) -> None:
        members = AmiQueueMembers(manager)
        for number in range(20):
            await members.add("support", str(7000 + number), "é" * number)
        await members.pause("support", "7003", True, "")
        await members.remove("support", "7004")
        events = await told(manager, 22)
        assert [event["interface"] for event in events[:20]] == [f"PJSIP/{7000 + n}" for n in range(20)]
        assert [event["membername"] for event in events[1:20]] == ["é" * n for n in range(1, 20)]
        assert [event["event"] for event in events[20:]] == ["QueueMemberPause", "QueueMemberRemoved"]
        assert events[20]["paused"] == "1"


class TestActions:
    @pytest.mark.parametrize("value", ["a\r\nAction: Originate", "a\nb", "a\rb"])
    async def test_line_breaks_are_not_sent(self, manager: FakeAmi | Ami, value: str) -> None:
        members = AmiQueueMembers(manager)
        with pytest.raises(AmiValueError):
            await members.add("support", "7001", value)
        with pytest.raises(AmiValueError):
            await members.add(value, "7001", "Zoé")
        with pytest.raises(AmiValueError):
            await manager.action(value)
        assert await members.list(None) == ()

    async def test_unknown_ones_are_refused(self, manager: FakeAmi | Ami) -> None:
        with pytest.raises(AmiRefused) as refused:
            await manager.action("NoSuchThing")
        assert refused.value.facts["action"] == "NoSuchThing"

    async def test_many_at_once_get_their_own_answers(self, manager: FakeAmi | Ami) -> None:
        members = AmiQueueMembers(manager)
        async with asyncio.TaskGroup() as group:
            for number in range(30):
                group.create_task(members.add("support" if number % 2 else "sales", str(number), "x"))
        for queue, count in (("support", 15), ("sales", 15), ("nowhere", 0)):
            assert len(await members.list(queue)) == count

    async def test_nothing_after_close(self, manager: FakeAmi | Ami) -> None:
        await manager.close()
        assert manager.state is State.CLOSED
        with pytest.raises(Unavailable):
            await manager.action("Ping")
        with pytest.raises(Unavailable):
            await manager.collect("QueueStatus")
        async with asyncio.timeout(30):
            assert [event async for event in manager.events() if event["event"] != "FullyBooted"] == []
