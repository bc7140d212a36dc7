"""The FastAGI server against a scripted Asterisk on a real socket, well-behaved and hostile."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
import structlog.testing
import uvloop

from ivr.asterisk.agi_protocol import AgiGarbage, Reply
from ivr.asterisk.fastagi import AgiFailed, AgiSession, AgiValueError, CallHungUp, FastAgiServer, Limits

OPENING = b"agi_network: yes\nagi_network_script: line?x=1\nagi_arg_1: one\nagi_arg_2: two words\n\n"


class Peer:
    """Plays Asterisk's part of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def says(self, text: bytes) -> None:
        self._writer.write(text)
        await self._writer.drain()

    async def hears(self) -> bytes:
        """The next command without its line end; b"" when the service has closed the connection."""
        async with asyncio.timeout(30):
            return (await self._reader.readline()).rstrip(b"\n")

    async def is_closed(self) -> bool:
        async with asyncio.timeout(30):
            try:
                return await self._reader.read() == b""
            except ConnectionResetError:
                return True

    def reset(self) -> None:
        self._writer.transport.abort()


class Line:
    """A server whose conversations are run by the test; each leaves its outcome in `outcomes`."""

    def __init__(self) -> None:
        self.outcomes: asyncio.Queue[object] = asyncio.Queue()
        self.server: FastAgiServer

    @asynccontextmanager
    async def calls(self, count: int = 1, opening: bytes = OPENING) -> AsyncIterator[list[Peer]]:
        pairs = [await asyncio.open_connection("127.0.0.1", self.server.port) for _ in range(count)]
        try:
            for _, writer in pairs:
                writer.write(opening)
            yield [Peer(*pair) for pair in pairs]
        finally:
            for _, writer in pairs:
                writer.close()

    async def outcome(self) -> object:
        async with asyncio.timeout(30):
            return await self.outcomes.get()


@asynccontextmanager
async def line(
    conversation: Callable[[AgiSession], Awaitable[object]], limits: Limits | None = None, secret: str | None = None
) -> AsyncIterator[Line]:
    result = Line()

    async def handler(session: AgiSession) -> None:
        try:
            result.outcomes.put_nowait(await conversation(session))
        except BaseException as error:
            result.outcomes.put_nowait(error)
            raise

    result.server = FastAgiServer("127.0.0.1", 0, handler, limits=limits, secret=secret)
    await result.server.start()
    try:
        yield result
    finally:
        await result.server.stop(0)


async def two_keys(session: AgiSession) -> object:
    return await session.stream_file("a", "12"), await session.get_option("b", "12", 5000)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - nothing tells when a connection has been seen to end
            await asyncio.sleep(0.005)


class TestConversation:
    async def test_tells_what_asterisk_told(self) -> None:
        async def conversation(session: AgiSession) -> object:
            return session.path, session.args, session.env["network"]

        async with line(conversation) as a_line, a_line.calls():
            assert await a_line.outcome() == ("line", ("one", "two words"), "yes")

    async def test_each_command_and_its_answer(self) -> None:
        async def conversation(session: AgiSession) -> object:
            return [
                await session.stream_file("welcome", "0123456789*#"),
                await session.stream_file("welcome", ""),
                await session.get_option("menu", "12", 0),
                await session.wait_for_digit(100),
                await session.get_data("menu", 500, 3),
                await session.get_data("menu", 500, 3),
                await session.get_variable("A"),
                await session.get_variable("B"),
                await session.execute("Record", "/x.wav", "5"),
            ]

        script = [
            (b'STREAM FILE "welcome" "0123456789*#"', b"200 result=53 endpos=1"),
            (b'STREAM FILE "welcome" ""', b"200 result=0 endpos=1"),
            (b'GET OPTION "menu" "12" "1"', b"200 result=42 endpos=1"),
            (b'WAIT FOR DIGIT "100"', b"200 result=0"),
            (b'GET DATA "menu" "500" "3"', b"200 result=12 (timeout)"),
            (b'GET DATA "menu" "500" "3"', b"200 result=123"),
            (b'GET VARIABLE "A"', b"200 result=1 (x)"),
            (b'GET VARIABLE "B"', b"200 result=0"),
            (b'EXEC "Record" "/x.wav,5"', b"200 result=0"),
        ]
        async with line(conversation) as a_line, a_line.calls() as [peer]:
            for command, answer in script:
                assert await peer.hears() == command
                await peer.says(answer + b"\n")
            answers = ["5", None, "*", None, ("12", True), ("123", False), "x", None, "0"]
            assert await a_line.outcome() == answers
            assert await peer.is_closed()

    async def test_answers_cut_and_joined_by_packets(self) -> None:
        async with line(two_keys) as a_line, a_line.calls(opening=b"") as [peer]:
            for byte in OPENING:
                await peer.says(bytes([byte]))
                await asyncio.sleep(0)
            await peer.hears()
            for part in (b"20", b"0 result=", b"49 endpos=0\n"):
                await peer.says(part)
                await asyncio.sleep(0.01)
            await peer.hears()
            await peer.says(b"200 result=50 endpos=0\n")
            assert await a_line.outcome() == ("1", "2")

    async def test_many_at_once_are_not_mixed_up(self) -> None:
        async def conversation(session: AgiSession) -> object:
            await session.set_variable("A", "b")
            return await session.get_variable("NUMBER")

        async with line(conversation) as a_line, a_line.calls(50) as peers:
            for number, peer in reversed(list(enumerate(peers))):
                await peer.hears()
                await peer.says(b"200 result=1\n")
                await peer.hears()
                await peer.says(b"200 result=1 (%d)\n" % number)
                assert await a_line.outcome() == str(number)

    @pytest.mark.parametrize("value", ["a\nb", "a\r", "${X}", "x" * 9000])
    async def test_a_value_that_cannot_be_sent_is_not_sent(self, value: str) -> None:
        async def conversation(session: AgiSession) -> object:
            with pytest.raises(AgiValueError):
                await session.set_variable("A", value)
            return await session.get_variable("B")

        async with line(conversation) as a_line, a_line.calls() as [peer]:
            assert await peer.hears() == b'GET VARIABLE "B"'
            await peer.says(b"200 result=1 (ok)\n")
            assert await a_line.outcome() == "ok"

    async def test_one_that_fails_is_logged_and_disturbs_no_other(self) -> None:
        async def conversation(session: AgiSession) -> object:
            if session.args == ("fail",):
                raise ZeroDivisionError
            return await session.get_variable("A")

        async with line(conversation) as a_line, a_line.calls() as [peer]:
            await peer.hears()
            with structlog.testing.capture_logs() as logs:
                async with a_line.calls(opening=b"agi_network: yes\nagi_arg_1: fail\n\n") as [failing]:
                    assert await failing.is_closed()
            assert [entry["event"] for entry in logs] == ["FastAGI conversation failed; the dialplan takes over"]
            assert isinstance(await a_line.outcome(), ZeroDivisionError)
            await peer.says(b"200 result=1 (ok)\n")
            assert await a_line.outcome() == "ok"


class TestHangUp:
    """A caller may go at any point; the conversation ends with CallHungUp and nothing else."""

    @pytest.mark.parametrize(
        "goes",
        [
            pytest.param([b"HANGUP\n200 result=-1 endpos=5\n"], id="told before the answer"),
            pytest.param([b"200 result=-1 endpos=5\nHANGUP\n", b"200 result=0\n"], id="told after the answer"),
            pytest.param([b"200 result=0 endpos=5\nHANGUP\n", b"200 result=0\n"], id="answered like silence"),
            pytest.param([b"HANGUP\n511 Command Not Permitted on a dead channel\n"], id="on a dead channel"),
            pytest.param([b"511 Command Not Permitted on a dead channel\n"], id="only on a dead channel"),
            pytest.param([b"200 result=-1\n", b"HANGUP\n200 result=0\n"], id="told late"),
        ],
    )
    async def test_inside_a_command(self, goes: list[bytes]) -> None:
        async def conversation(session: AgiSession) -> object:
            try:
                return await session.get_option("menu", "12", 5000)
            except CallHungUp:
                assert session.hung_up
                with pytest.raises(CallHungUp):
                    await session.set_variable("A", "b")
                raise

        async with line(conversation) as a_line, a_line.calls() as [peer]:
            for answer in goes:
                # NOOP brings out a HANGUP that is still on its way; b"" when it has come already.
                assert await peer.hears() in (b'GET OPTION "menu" "12" "5000"', b"NOOP", b"")
                await peer.says(answer)
            assert isinstance(await a_line.outcome(), CallHungUp)
            assert await peer.is_closed()

    async def test_nobody_is_asked_when_it_is_told_right_after_the_answer(self) -> None:
        async def conversation(session: AgiSession) -> object:
            return await session.get_option("menu", "12", 5000)

        async with line(conversation) as a_line, a_line.calls() as [peer]:
            assert await peer.hears() == b'GET OPTION "menu" "12" "5000"'
            await peer.says(b"200 result=-1 endpos=5\n")
            await asyncio.sleep(0.05)
            await peer.says(b"HANGUP\n")
            assert isinstance(await a_line.outcome(), CallHungUp)
            assert await peer.hears() == b""

    async def test_a_reply_to_nothing_is_no_hang_up(self) -> None:
        async def conversation(session: AgiSession) -> object:
            return await session.stream_file("menu", "")

        async with line(conversation) as a_line, a_line.calls() as [peer]:
            await peer.hears()
            await peer.says(b"200 result=-1 endpos=5\n")
            await asyncio.sleep(0.05)
            await peer.says(b"200 result=0\n")
            assert isinstance(await a_line.outcome(), AgiFailed)

    async def test_nothing_is_waited_for_once_it_is_told(self) -> None:
        """Whether they are still there is known with HANGUP; the late answer to the question is no garbage."""

        async def conversation(session: AgiSession) -> object:
            with pytest.raises(CallHungUp):
                await session.get_option("menu", "12", 5000)
            gone.set()
            await answered.wait()
            return "ok"

        gone, answered = asyncio.Event(), asyncio.Event()
        async with line(conversation) as a_line, a_line.calls() as [peer]:
            await peer.hears()
            await peer.says(b"200 result=-1 endpos=5\n")
            assert await peer.hears() == b"NOOP"
            await peer.says(b"HANGUP\n")
            async with asyncio.timeout(30):
                await gone.wait()
            await peer.says(b"200 result=0\n")
            await asyncio.sleep(0.05)
            answered.set()
            assert await a_line.outcome() == "ok"
            assert a_line.server.garbage_count == 0

    async def test_inside_a_command_that_is_still_answered(self) -> None:
        """The answer after HANGUP belongs to the command in progress; its result counts."""

        async def conversation(session: AgiSession) -> object:
            value = await session.get_variable("A")
            with pytest.raises(CallHungUp):
                await session.get_variable("B")
            return value

        async with line(conversation) as a_line, a_line.calls() as [peer]:
            await peer.hears()
            await peer.says(b"HANGUP\n200 result=1 (a)\n")
            assert await a_line.outcome() == "a"

    @pytest.mark.parametrize("answers", [0, 1])
    async def test_between_commands(self, answers: int) -> None:
        async def conversation(session: AgiSession) -> object:
            if answers:
                await session.get_variable("A")
            await until(lambda: session.hung_up)
            return await session.get_variable("B")

        async with line(conversation) as a_line, a_line.calls() as [peer]:
            if answers:
                await peer.hears()
            await peer.says(b"200 result=0\n" * answers + b"HANGUP\n")
            assert isinstance(await a_line.outcome(), CallHungUp)

    @pytest.mark.parametrize("reset", [False, True])
    @pytest.mark.parametrize("said", [b"", b"200 result", b"HANGUP", b"520-Usage:\n", b"200 result=1 (a\n"])
    async def test_the_connection_ends(self, said: bytes, reset: bool) -> None:
        async with line(two_keys) as a_line:
            async with a_line.calls() as [peer]:
                await peer.hears()
                await peer.says(said)
                if reset:
                    peer.reset()
            assert isinstance(await a_line.outcome(), CallHungUp)

    async def test_the_connection_ends_between_commands(self) -> None:
        async def conversation(session: AgiSession) -> object:
            await until(lambda: session.hung_up)
            return await session.get_variable("A")

        async with line(conversation) as a_line:
            async with a_line.calls():
                await until(lambda: a_line.server.sessions == 1)
            assert isinstance(await a_line.outcome(), CallHungUp)

    async def test_is_not_logged(self) -> None:
        async with line(two_keys) as a_line:
            with structlog.testing.capture_logs() as logs:
                async with a_line.calls() as [peer]:
                    await peer.hears()
                await a_line.outcome()
                await until(lambda: a_line.server.sessions == 0)
        assert logs == []


class TestFailure:
    """Asterisk fails, the caller is still there: AgiFailed, and replies stay with their commands."""

    async def test_a_missing_sound_is_no_hangup(self) -> None:
        async def conversation(session: AgiSession) -> object:
            with pytest.raises(AgiFailed, match="missing"):
                await session.stream_file("missing", "")
            return await session.get_variable("A")

        async with line(conversation) as a_line, a_line.calls() as [peer]:
            for answer in (b"200 result=-1 endpos=0\n", b"200 result=0\n", b"200 result=1 (still here)\n"):
                await peer.hears()
                await peer.says(answer)
            assert await a_line.outcome() == "still here"

    @pytest.mark.parametrize(
        "answer",
        [
            b"510 Invalid or unknown command\n",
            b"520-Invalid command syntax.  Proper usage follows:\nUsage\nmore\n520 End of proper usage.\n",
        ],
    )
    async def test_a_refused_command(self, answer: bytes) -> None:
        async def conversation(session: AgiSession) -> object:
            with pytest.raises(AgiFailed, match="refused"):
                await session.get_variable("A")
            return await session.get_variable("B")

        async with line(conversation) as a_line, a_line.calls() as [peer]:
            await peer.hears()
            await peer.says(answer)
            await peer.hears()
            await peer.says(b"200 result=1 (b)\n")
            assert await a_line.outcome() == "b"

    async def test_no_such_application(self) -> None:
        async with line(lambda session: session.execute("Nope")) as a_line, a_line.calls() as [peer]:
            await peer.hears()
            await peer.says(b"200 result=-2\n")
            outcome = await a_line.outcome()
            assert isinstance(outcome, AgiFailed)
            assert outcome.facts["application"] == "Nope"

    async def test_a_cancelled_command_does_not_leave_its_answer_to_the_next(self) -> None:
        async def conversation(session: AgiSession) -> object:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await session.get_variable("A")
            with pytest.raises(AgiFailed, match="cancelled"):
                await session.get_variable("B")
            return "ended"

        async with line(conversation) as a_line, a_line.calls() as [peer]:
            await peer.hears()
            assert await a_line.outcome() == "ended"
            assert await peer.hears() == b""

    async def test_two_commands_at_once_are_a_mistake(self) -> None:
        async def conversation(session: AgiSession) -> object:
            first = asyncio.ensure_future(session.get_variable("A"))
            await asyncio.sleep(0)
            with pytest.raises(AgiFailed, match="already in progress"):
                await session.get_variable("B")
            return await first

        async with line(conversation) as a_line, a_line.calls() as [peer]:
            await peer.hears()
            await peer.says(b"200 result=1 (a)\n")
            assert await a_line.outcome() == "a"

    @pytest.mark.parametrize("nonsense", [b"what?\n", b"x" * 70_000, b"200 result=1\n200 result=1\n"])
    async def test_nonsense_instead_of_an_answer(self, nonsense: bytes) -> None:
        async def conversation(session: AgiSession) -> object:
            await session.set_variable("A", "b")
            return await session.get_variable("B")

        async with line(conversation) as a_line, a_line.calls() as [peer]:
            await peer.hears()
            await peer.says(nonsense)
            outcome = await a_line.outcome()
            assert isinstance(outcome, AgiFailed)
            assert a_line.server.garbage_count == 1

    async def test_no_answer_in_time(self) -> None:
        session = AgiSession({}, lambda line: None)
        command = asyncio.ensure_future(session.get_option("a", "1", 5000))
        await asyncio.sleep(0)
        now = asyncio.get_running_loop().time()
        session.expire(now + 300)
        assert not command.done()
        session.expire(now + 400)
        with pytest.raises(AgiFailed, match="no answer"):
            await command
        with pytest.raises(AgiFailed, match="no answer"):
            await session.get_variable("A")
        with pytest.raises(AgiGarbage):
            session.on_reply(Reply(code=200, result="1"))


class TestHostilePeers:
    """Whatever comes to the port, the calls that are in progress go on."""

    async def call_works(self, a_line: Line) -> None:
        async with a_line.calls() as [peer]:
            for _ in range(2):
                await peer.hears()
                await peer.says(b"200 result=49 endpos=0\n")
            assert await a_line.outcome() == ("1", "1")

    @pytest.mark.parametrize(
        "sent",
        [
            pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", id="HTTP"),
            pytest.param(b"\x16\x03\x01\x02\x00" * 100, id="TLS"),
            pytest.param(b"agi_network: " + b"x" * 1_000_000 + b"\n\n", id="1 MB header"),
            pytest.param(b"agi_x: y\n" * 120_000 + b"\n", id="1 MB of headers"),
            pytest.param(b"\n\n", id="blank"),
            pytest.param(b"agi_\n\n", id="no fields"),
            pytest.param(b"agi_arg_1: x\n" * 101 + b"\n", id="too many lines"),
        ],
    )
    async def test_garbage(self, sent: bytes) -> None:
        async with line(two_keys) as a_line:
            async with a_line.calls(opening=b"") as [peer]:
                # The service may have closed before all is sent.
                with suppress(ConnectionError):
                    await peer.says(sent)
                assert await peer.is_closed()
            assert a_line.server.garbage_count == 1
            assert a_line.outcomes.empty()
            await self.call_works(a_line)

    @pytest.mark.parametrize("sent", [b"", b"agi", b"agi_network: yes\nagi_ar", OPENING[:-1]])
    async def test_silence_and_half_lines(self, sent: bytes) -> None:
        async with line(two_keys, Limits(opening_s=0.05)) as a_line, a_line.calls(opening=sent) as [peer]:
            await self.call_works(a_line)
            assert await peer.is_closed()

    @pytest.mark.parametrize("sent", [b"", b"agi_network: y", OPENING])
    async def test_connect_and_close(self, sent: bytes) -> None:
        async with line(two_keys) as a_line:
            for number in range(20):
                with socket.create_connection(("127.0.0.1", a_line.server.port)) as connection:
                    connection.sendall(sent)
                    if number % 2:
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            await until(lambda: a_line.server.sessions == 0)
            while not a_line.outcomes.empty():
                assert isinstance(await a_line.outcome(), CallHungUp)
            # Connections whose opening is read later are conversations too, and end as quickly.
            async with a_line.calls() as [peer]:
                assert await peer.hears() == b'STREAM FILE "a" "12"'

    async def test_answers_before_any_question(self) -> None:
        async with line(two_keys) as a_line:
            async with a_line.calls(opening=OPENING + b"200 result=49\n200 result=49\n") as [peer]:
                assert await peer.is_closed()
            assert isinstance(await a_line.outcome(), AgiFailed)

    async def test_more_than_fit_are_turned_away(self) -> None:
        with structlog.testing.capture_logs() as logs:
            async with line(two_keys, Limits(sessions=2)) as a_line:
                async with a_line.calls(2) as peers:
                    for peer in peers:
                        await peer.hears()
                    async with a_line.calls(5, opening=b"") as refused:
                        for peer in refused:
                            assert await peer.is_closed()
                for _ in peers:
                    await a_line.outcome()
                await until(lambda: a_line.server.sessions == 0)
                await self.call_works(a_line)
        assert [entry["refused_so_far"] for entry in logs] == [1, 2, 4]

    async def test_a_flood_is_not_a_flood_of_log_lines(self) -> None:
        with structlog.testing.capture_logs() as logs:
            async with line(two_keys) as a_line:
                for _ in range(20):
                    async with a_line.calls(opening=b"x") as [peer]:
                        assert await peer.is_closed()
        assert [entry["so_far"] for entry in logs] == [1, 2, 4, 8, 16]


class TestServer:
    def test_stays_on_this_machine(self) -> None:
        async def handler(_: AgiSession) -> None: ...

        for host in ("0.0.0.0", "192.0.2.1", "::"):
            with pytest.raises(ValueError, match="loopback"):
                FastAgiServer(host, 4573, handler)

    def test_serves_on_the_loop_of_production(self) -> None:
        """uvloop's transports and protocols are not quite asyncio's."""

        async def call() -> None:
            async with line(two_keys) as a_line, a_line.calls() as [peer]:
                for key in (b"49", b"50"):
                    await peer.hears()
                    await peer.says(b"200 result=" + key + b" endpos=0\n")
                assert await a_line.outcome() == ("1", "2")

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(call())

    async def test_says_when_the_port_is_taken(self) -> None:
        async with line(two_keys) as a_line:
            second = FastAgiServer("127.0.0.1", a_line.server.port, two_keys)  # type: ignore[arg-type]
            with pytest.raises(OSError, match="in use"):
                await second.start()

    async def test_stop_lets_conversations_end(self) -> None:
        async with line(two_keys) as a_line, a_line.calls() as [peer]:
            await peer.hears()
            stopping = asyncio.ensure_future(a_line.server.stop(5))
            await peer.says(b"200 result=49\n")
            await peer.hears()
            await peer.says(b"200 result=50\n")
            assert await a_line.outcome() == ("1", "2")
            await stopping
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", a_line.server.port)

    async def test_stop_ends_what_lasts_too_long(self) -> None:
        async with line(two_keys) as a_line, a_line.calls() as [peer]:
            await peer.hears()
            began = time.monotonic()
            await a_line.server.stop(0.05)
            assert time.monotonic() - began < 2
            assert isinstance(await a_line.outcome(), asyncio.CancelledError)
            assert await peer.is_closed()
            assert a_line.server.sessions == 0

    async def test_stop_before_start_is_fine(self) -> None:
        async def handler(_: AgiSession) -> None: ...

        await FastAgiServer("127.0.0.1", 4573, handler).stop(0)


class TestASecret:
    """Every local user, and every container on the host's network, reaches the port."""

    @pytest.mark.parametrize(
        "script", [b"line", b"", b"secre/line", b"secretx/line", b"/line", b"/secret/line", "sécret/line".encode()]
    )
    async def test_who_does_not_know_it_holds_no_conversation(self, script: bytes) -> None:
        async with line(path_of, secret="secret") as a_line:
            opening = b"agi_network: yes\nagi_network_script: " + script + b"\nagi_channel: PJSIP/x\n\n"
            with structlog.testing.capture_logs() as logs:
                async with a_line.calls(opening=opening) as [peer]:
                    assert await peer.is_closed()
            assert a_line.outcomes.empty()
            assert "it does not know the secret of this line" in logs[0]["why"]

    async def test_who_knows_it_does_and_it_is_no_part_of_the_path(self) -> None:
        opening = b"agi_network: yes\nagi_network_script: secret/line\nagi_request: agi://h:1/secret/line\n\n"
        async with line(path_of, secret="secret") as a_line, a_line.calls(opening=opening):
            assert await a_line.outcome() == ("line", "")


async def path_of(session: AgiSession) -> object:
    return session.path, session.env.get("request")
