"""The AMI adapter against a scripted peer on a real socket: what goes wrong with connections."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import structlog.testing

from ivr.asterisk import ami as ami_module
from ivr.asterisk.ami import RECONNECTED, Ami, AmiRefused, Fields, State
from ivr.errors import Unavailable
from tests.fakes.ami import AmiPeer


@pytest.fixture
async def peer() -> AsyncIterator[AmiPeer]:
    result = AmiPeer("support")
    await result.start()
    yield result
    await result.stop()


@asynccontextmanager
async def connected(peer: AmiPeer, ping_s: float = 5.0) -> AsyncIterator[Ami]:
    ami = Ami("127.0.0.1", peer.port, "service", peer.secret, ping_s=ping_s)
    await ami.connect()
    try:
        yield ami
    finally:
        await ami.close()


@asynccontextmanager
async def listener(*greetings: bytes | None) -> AsyncIterator[int]:
    """A port where each connection in turn gets its greeting and is closed; None says and does nothing."""
    ended: asyncio.Queue[None] = asyncio.Queue()
    left = list(greetings)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        greeting = left.pop(0)
        if greeting is None:
            await reader.read()
        else:
            writer.write(greeting)
        writer.close()
        await writer.wait_closed()
        ended.put_nowait(None)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    async with asyncio.timeout(30):
        for _ in greetings:
            await ended.get()


async def next_event(ami: Ami) -> Fields:
    async with asyncio.timeout(30):
        async for event in ami.events():
            return event
    raise AssertionError("the events have ended")


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.005)


def sent(peer: AmiPeer, name: str) -> int:
    """How often an action has reached the peer."""
    return sum(1 for block in peer.received if block.get("action", "").lower() == name)


class TestConnect:
    async def test_wrong_secret(self, peer: AmiPeer) -> None:
        ami = Ami("127.0.0.1", peer.port, "service", "wrong")
        with pytest.raises(AmiRefused, match="Authentication failed") as refused:
            await ami.connect()
        assert "wrong" not in str(refused.value)
        assert ami.state is not State.CONNECTED
        await ami.close()

    async def test_nobody_listens(self, peer: AmiPeer) -> None:
        await peer.stop()
        with pytest.raises(Unavailable) as unavailable:
            await Ami("127.0.0.1", peer.port, "service", "x").connect()
        assert unavailable.value.facts["port"] == peer.port

    async def test_somebody_else_listens(self) -> None:
        """A server that closes at once, and one that talks something else and closes."""

        async with listener(b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"Asterisk Call Man") as port:
            for _ in range(3):
                ami = Ami("127.0.0.1", port, "service", "x")
                with pytest.raises(Unavailable, match="connection lost"):
                    await ami.connect()
                await ami.close()

    async def test_somebody_listens_and_says_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ami_module, "_LOGIN_S", 0.05)
        async with listener(None) as port:
            with pytest.raises(Unavailable, match="no answer"):
                await Ami("127.0.0.1", port, "service", "x").connect()

    async def test_it_is_waited_for_while_it_starts(self, peer: AmiPeer) -> None:
        """Its manager is there first, and knows of no queue."""
        peer.booted = False
        ami = Ami("127.0.0.1", peer.port, "service", peer.secret)
        connecting = asyncio.ensure_future(ami.connect())
        await until(lambda: peer.logins == 1)
        peer.tell({"event": "Early"})
        with pytest.raises(Unavailable):
            await ami.action("QueueStatus")
        peer.tell({"event": "FullyBooted"})
        await connecting
        assert await ami.action("Ping")
        assert (await next_event(ami))["event"] == "Early"
        await ami.close()

    async def test_it_never_gets_ready(self, peer: AmiPeer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ami_module, "_BOOT_S", 0.05)
        peer.booted = False
        with pytest.raises(Unavailable, match="no answer"):
            await Ami("127.0.0.1", peer.port, "service", peer.secret).connect()

    async def test_actions_before_are_unavailable(self, peer: AmiPeer) -> None:
        with pytest.raises(Unavailable):
            await Ami("127.0.0.1", peer.port, "service", peer.secret).action("Ping")


class TestReading:
    async def test_characters_and_messages_across_packets(self, peer: AmiPeer) -> None:
        async with connected(peer) as ami:
            raw = "Event: QueueCallerJoin\r\nCallerIDName: Zoé — 中文 😀\r\n\r\n".encode()
            for byte in raw:
                peer.tell_raw(bytes([byte]))
                await asyncio.sleep(0)
            assert await next_event(ami) == {"event": "QueueCallerJoin", "calleridname": "Zoé — 中文 😀"}

    async def test_latin1_does_not_end_the_connection(self, peer: AmiPeer) -> None:
        async with connected(peer) as ami:
            peer.tell_raw(b"Event: A\r\nCallerIDName: Jos\xe9\r\n\r\nEvent: B\r\n\r\n")
            assert (await next_event(ami))["event"] == "A"
            assert (await next_event(ami))["event"] == "B"

    async def test_what_is_no_message_is_passed_over(self, peer: AmiPeer) -> None:
        async with connected(peer) as ami:
            peer.tell_raw(b"junk\r\n\r\n\r\n\r\n: \r\n\r\nX: y\r\n\r\nEvent: A\r\nEmpty: \r\nNoColon\r\n\r\n")
            assert (await next_event(ami))["event"] == "A"
            assert await ami.action("Ping")

    async def test_a_field_that_comes_several_times(self, peer: AmiPeer) -> None:
        async with connected(peer) as ami:
            peer.tell_raw(b"Event: A\r\nChanVariable: a=1\r\nChanVariable: b=2\r\n\r\n")
            assert (await next_event(ami))["chanvariable"] == "a=1\nb=2"

    async def test_events_between_a_list_s_rows(self, peer: AmiPeer) -> None:
        peer.unanswered.add("queuestatus")
        async with connected(peer) as ami:
            listing = asyncio.ensure_future(ami.collect("QueueStatus"))
            await until(lambda: sent(peer, "queuestatus") == 1)
            ident = peer.received[-1]["actionid"].encode()
            peer.tell_raw(b"Response: Success\r\nActionID: %b\r\nEventList: start\r\n\r\n" % ident)
            peer.tell_raw(b"Event: QueueMember\r\nActionID: %b\r\nName: a\r\n\r\n" % ident)
            peer.tell_raw(b"Event: AgentComplete\r\nName: b\r\n\r\n")
            peer.tell_raw(b"Event: QueueMember\r\nActionID: %b\r\nName: c\r\n\r\n" % ident)
            peer.tell_raw(b"Event: QueueStatusComplete\r\nActionID: %b\r\nEventList: Complete\r\n\r\n" % ident)
            assert [row["name"] for row in await listing] == ["a", "c"]
            assert (await next_event(ami))["name"] == "b"


class TestLoss:
    async def test_no_action_is_sent_twice(self, peer: AmiPeer) -> None:
        """An Originate sent again would ring the customer twice."""
        peer.unanswered |= {"originate", "queueadd"}
        async with connected(peer) as ami:
            actions = [
                asyncio.ensure_future(ami.action("Originate", {"Channel": "PJSIP/7001"})),
                asyncio.ensure_future(ami.action("QueueAdd", {"Queue": "support", "Interface": "PJSIP/7001"})),
            ]
            await until(lambda: sent(peer, "queueadd") == 1)
            peer.drop()
            for outcome in await asyncio.gather(*actions, return_exceptions=True):
                assert isinstance(outcome, Unavailable)
                assert outcome.facts["error"] == "connection lost"
            assert await next_event(ami) == RECONNECTED
            # Panoramisk sends what is unanswered again when Asterisk says that it has started.
            peer.tell({"event": "FullyBooted"})
            assert (await next_event(ami))["event"] == "FullyBooted"
            await ami.action("Ping")
            assert (peer.logins, sent(peer, "originate"), sent(peer, "queueadd")) == (2, 1, 1)

    async def test_an_action_that_is_not_answered(self, peer: AmiPeer) -> None:
        peer.unanswered.add("queuestatus")
        async with connected(peer) as ami:
            with pytest.raises(Unavailable, match=r"no answer in 0\.05 s"):
                await ami.collect("QueueStatus", timeout_s=0.05)
            # The late answer disturbs nothing.
            ident = peer.received[-1]["actionid"]
            peer.tell({"response": "Success", "actionid": ident})
            peer.tell({"event": "QueueStatusComplete", "actionid": ident, "eventlist": "Complete"})
            peer.tell({"event": "After"})
            assert (await next_event(ami))["event"] == "After"
            assert ami.state is State.CONNECTED

    async def test_reconnects_after_a_restart(self, peer: AmiPeer) -> None:
        async with connected(peer) as ami:
            await peer.stop()
            await until(lambda: ami.state is State.CONNECTING)
            with pytest.raises(Unavailable):
                await ami.action("Ping")
            await peer.start()
            assert await next_event(ami) == RECONNECTED
            assert ami.state is State.CONNECTED
            peer.tell({"event": "After"})
            assert (await next_event(ami))["event"] == "After"

    async def test_a_restart_is_over_when_everything_is_loaded(self, peer: AmiPeer) -> None:
        async with connected(peer) as ami:
            await peer.stop()
            peer.booted = False
            await peer.start()
            await until(lambda: peer.logins == 2)
            await asyncio.sleep(0.05)
            with pytest.raises(Unavailable):
                await ami.collect("QueueStatus")
            peer.tell({"event": "FullyBooted"})
            assert await next_event(ami) == RECONNECTED
            assert ami.state is State.CONNECTED

    async def test_a_peer_that_does_not_answer_pings_is_left(self, peer: AmiPeer) -> None:
        peer.unanswered.add("ping")
        async with connected(peer, ping_s=0.05) as ami:
            assert await next_event(ami) == RECONNECTED
            assert peer.logins == 2

    async def test_pings_keep_a_quiet_connection(self, peer: AmiPeer) -> None:
        async with connected(peer, ping_s=0.02) as ami:
            await until(lambda: sent(peer, "ping") >= 5)
            assert ami.state is State.CONNECTED
            assert peer.logins == 1

    async def test_a_login_that_is_refused_later_is_told_once_and_tried_on(self, peer: AmiPeer) -> None:
        secret = peer.secret
        async with connected(peer) as ami:
            with structlog.testing.capture_logs() as logs:
                peer.secret = "changed"
                peer.drop()
                await asyncio.sleep(0.5)
                assert ami.state is State.CONNECTING
                peer.secret = secret
                assert await next_event(ami) == RECONNECTED
        refusals = [entry for entry in logs if "login refused" in entry["event"]]
        assert len(refusals) == 1
        assert secret not in str(logs)

    async def test_a_service_that_falls_behind_is_told_of_the_gap(
        self, peer: AmiPeer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(ami_module, "_BACKLOG", 3)
        async with connected(peer) as ami:
            with structlog.testing.capture_logs() as logs:
                for number in range(8):
                    peer.tell({"event": str(number)})
                await ami.action("Ping")
                assert [(await next_event(ami))["event"] for _ in range(3)] == ["0", "1", "2"]
                peer.tell({"event": "after"})
                assert await next_event(ami) == RECONNECTED
                assert (await next_event(ami))["event"] == "after"
        assert [entry["so_far"] for entry in logs] == [1, 2, 4]


def tasks_of(ami: Ami) -> list[asyncio.Task[object]]:
    """Return what could still connect, now or later: tasks that run the adapter's own code."""
    file = inspect.getfile(type(ami))
    running = ((task, task.get_coro()) for task in asyncio.all_tasks())
    return [task for task, made in running if inspect.iscoroutine(made) and made.cr_code.co_filename == file]


class TestClose:
    async def test_stops_for_good(self, peer: AmiPeer) -> None:
        async with connected(peer) as ami:
            assert tasks_of(ami)
        assert [event async for event in ami.events()] == []
        assert (tasks_of(ami), peer.logins) == ([], 1)
        # Nor has it connected by the time that somebody else has.
        async with connected(peer):
            assert peer.logins == 2

    async def test_while_reconnecting(self, peer: AmiPeer) -> None:
        async with connected(peer) as ami:
            await peer.stop()
            await until(lambda: ami.state is State.CONNECTING)
        await peer.start()
        assert (tasks_of(ami), ami.state, peer.logins) == ([], State.CLOSED, 1)

    async def test_with_an_action_under_way(self, peer: AmiPeer) -> None:
        peer.unanswered.add("originate")
        async with connected(peer) as ami:
            action = asyncio.ensure_future(ami.action("Originate"))
            await until(lambda: sent(peer, "originate") == 1)
        began = time.monotonic()
        with pytest.raises(Unavailable):
            await action
        assert time.monotonic() - began < 1

    async def test_events_that_came_before_are_still_read(self, peer: AmiPeer) -> None:
        async with connected(peer) as ami:
            peer.tell({"event": "A"})
            await ami.action("Ping")
        assert [event["event"] async for event in ami.events()] == ["A"]
