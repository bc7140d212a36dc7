"""A real Asterisk and the scripted caller of the conversations' tests: what one says of a call, the other says too."""

from __future__ import annotations

import asyncio
import time
import urllib.parse
import wave
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Protocol

import pytest

from ivr.asterisk.fastagi import AgiFailed, AgiSession, CallHungUp, FastAgiServer, Limits
from tests.fakes.caller import Caller
from tests.integration.asterisk.real import RealAsterisk, silences

ALL_KEYS = "0123456789*#"
#: Asterisk's Answer lets half a second pass when no audio comes, while the caller's side runs already.
HEAD_START_S = 0.5


Conversation = Callable[[AgiSession], Awaitable[object]]


class FarEnd(Protocol):
    """Asterisk, or what plays it."""

    @property
    def folder(self) -> Path: ...

    def sound(self, name: str) -> str:
        """`short` (0.5 s), `long` (5 s), or none at all."""

    def now(self) -> float:
        """Seconds, by the clock of whoever is on the line."""

    async def converse(
        self, conversation: Conversation, caller: str = "0000@stays", variables: Mapping[str, str] | None = None
    ) -> object:
        """What a conversation returned or raised, held with a caller who does what `caller` says.

        As in `08005@presses`: after 800 ms, 5. `variables` are the call's.
        """


class Real:
    """A real Asterisk."""

    def __init__(self, asterisk: RealAsterisk) -> None:
        self._asterisk = asterisk
        self.folder = asterisk.folder

    def sound(self, name: str) -> str:
        return self._asterisk.sound(name)

    def now(self) -> float:
        return time.monotonic()

    async def converse(
        self, conversation: Conversation, caller: str = "0000@stays", variables: Mapping[str, str] | None = None
    ) -> object:
        outcome: asyncio.Future[object] = asyncio.get_running_loop().create_future()

        async def handler(session: AgiSession) -> None:
            outcome.set_result(await _outcome(conversation, session))

        server = FastAgiServer("127.0.0.1", 0, handler)
        await server.start()
        try:
            self._asterisk.call(f"{server.port}@agi", caller, variables)
            async with asyncio.timeout(15):
                result = await outcome
            # Nothing that Asterisk says in any of these conversations is beyond the parser.
            assert server.garbage_count == 0
            return result
        finally:
            await server.stop(1)
            self._asterisk.cli("channel request hangup all")


class Scripted:
    """The caller of `tests/fakes`, in virtual time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        silences(folder)
        self._caller = Caller()

    def sound(self, name: str) -> str:
        return str(self.folder / name)

    def now(self) -> float:
        return self._caller.clock.now.timestamp()

    async def converse(
        self, conversation: Conversation, caller: str = "0000@stays", variables: Mapping[str, str] | None = None
    ) -> object:
        what, _, does = caller.partition("@")
        at_s, keys = int(what[:4]) / 1000 - HEAD_START_S, what[4:]
        name = urllib.parse.unquote_to_bytes((variables or {}).get("CALLER", "unknown"))
        channel = {"SEVERAL": "first\nsecond", "SECRET": "expanded"}
        self._caller = Caller(args=("one", "two words"), name=name, variables=channel)
        if does == "presses":
            self._caller.does_at(at_s, keys)
        elif does == "leaves":
            self._caller.leaves_at(at_s)
        return await self._caller.holds(lambda session: _outcome(conversation, session))


async def _outcome(conversation: Conversation, session: AgiSession) -> object:
    try:
        return await conversation(session)
    except Exception as error:
        return error


@pytest.fixture(params=["real", "scripted"])
def far(request: pytest.FixtureRequest, tmp_path: Path) -> FarEnd:
    return Real(request.getfixturevalue("asterisk")) if request.param == "real" else Scripted(tmp_path)


class TestKeys:
    async def test_get_option_is_cut_short_by_a_key(self, far: FarEnd) -> None:
        outcome = await far.converse(lambda s: s.get_option(far.sound("long"), ALL_KEYS, 1000), "08005@presses")
        assert outcome == "5"

    async def test_get_option_waits_after_the_prompt(self, far: FarEnd) -> None:
        outcome = await far.converse(lambda s: s.get_option(far.sound("short"), ALL_KEYS, 3000), "1500*@presses")
        assert outcome == "*"

    async def test_get_option_ends_with_silence(self, far: FarEnd) -> None:
        async def conversation(session: AgiSession) -> object:
            began = far.now()
            key = await session.get_option(far.sound("short"), ALL_KEYS, 300)
            return key, far.now() - began

        outcome = await far.converse(conversation)
        assert isinstance(outcome, tuple)
        assert outcome[0] is None
        assert outcome[1] == pytest.approx(0.8, abs=0.3)

    async def test_a_key_that_was_not_asked_for_cuts_nothing_short_and_ends_the_wait(self, far: FarEnd) -> None:
        async def conversation(session: AgiSession) -> object:
            began = far.now()
            key = await session.get_option(far.sound("short"), "1", 5000)
            return key, far.now() - began

        # The first comes in the prompt, and the second one 0.33 s after its end.
        outcome = await far.converse(conversation, "070077777@presses")
        assert isinstance(outcome, tuple)
        assert outcome[0] is None
        assert outcome[1] == pytest.approx(0.6, abs=0.3)

    async def test_stream_file(self, far: FarEnd) -> None:
        async def conversation(session: AgiSession) -> object:
            return [
                await session.stream_file(far.sound("short"), ""),
                await session.stream_file(far.sound("long"), "12"),
            ]

        assert await far.converse(conversation, "150032@presses") == [None, "2"]

    async def test_wait_for_digit(self, far: FarEnd) -> None:
        async def conversation(session: AgiSession) -> object:
            return [await session.wait_for_digit(2000), await session.wait_for_digit(100)]

        assert await far.converse(conversation, "0700#@presses") == ["#", None]

    @pytest.mark.parametrize(
        ("pressed", "digits", "timed_out"), [("12", "12", False), ("1", "1", True), ("1#", "1", False), ("", "", True)]
    )
    async def test_get_data(self, far: FarEnd, pressed: str, digits: str, timed_out: bool) -> None:
        outcome = await far.converse(lambda s: s.get_data(far.sound("short"), 700, 2), f"0700{pressed}@presses")
        assert outcome == (digits, timed_out)


class TestValues:
    @pytest.mark.parametrize("value", ["plain", "", 'say "a\\b", c', "é ù — 中", "a" * 1023, "25 $ (x) [y]", "  two  "])
    async def test_arrive_as_they_are(self, far: FarEnd, value: str) -> None:
        async def conversation(session: AgiSession) -> object:
            await session.set_variable("A", value)
            return await session.get_variable("A"), await session.get_variable("SECRET")

        assert await far.converse(conversation) == (value, "expanded")

    async def test_a_long_value_is_read_in_part_and_shifts_no_answer(self, far: FarEnd) -> None:
        async def conversation(session: AgiSession) -> object:
            await session.set_variable("A", "a" * 7900)
            return await session.get_variable("A"), await session.get_variable("SECRET")

        assert await far.converse(conversation) == ("a" * 1023, "expanded")

    async def test_unset_is_none(self, far: FarEnd) -> None:
        assert await far.converse(lambda s: s.get_variable("NONE")) is None

    async def test_functions(self, far: FarEnd) -> None:
        async def conversation(session: AgiSession) -> object:
            await session.set_variable("CHANNEL(language)", "fr")
            return await session.get_variable("CHANNEL(language)")

        assert await far.converse(conversation) == "fr"

    async def test_line_breaks_in_a_value_do_not_shift_the_answers(self, far: FarEnd) -> None:
        async def conversation(session: AgiSession) -> object:
            return [await session.get_variable(name) for name in ("SEVERAL", "SECRET")]

        assert await far.converse(conversation) == ["firstsecond", "expanded"]

    async def test_arguments_and_path(self, far: FarEnd) -> None:
        async def conversation(session: AgiSession) -> object:
            return session.path, session.args

        assert await far.converse(conversation) == ("line", ("one", "two words"))

    @pytest.mark.parametrize(
        ("encoded", "name"),
        [
            pytest.param('a"b', 'a"b', id="quote"),
            pytest.param("x%0D%0Ay", "x", id="line break"),
            pytest.param("x%0A%0Aagi_arg_1: forged%0Aagi_arg_3: forged", "x", id="forged arguments"),
            pytest.param("Jos%C3%A9", "José", id="UTF-8"),
            pytest.param("Jos%E9", "José", id="Latin-1"),
            pytest.param("%24{SECRET}", "${SECRET}", id="variable"),
            pytest.param("4" * 40, "4" * 40, id="long"),
        ],
    )
    async def test_a_callers_name_may_hold_anything(self, far: FarEnd, encoded: str, name: str) -> None:
        async def conversation(session: AgiSession) -> object:
            return session.env["calleridname"], session.args, await session.get_variable("SECRET")

        outcome = await far.converse(conversation, variables={"CALLER": encoded})
        assert outcome == (name, ("one", "two words"), "expanded")


class TestExec:
    async def test_runs_an_application(self, far: FarEnd) -> None:
        async def conversation(session: AgiSession) -> object:
            result = await session.execute("Set", 'A=x, "y"')
            return result, await session.get_variable("A")

        assert await far.converse(conversation) == ("0", 'x, "y"')

    async def test_unknown_application(self, far: FarEnd) -> None:
        outcome = await far.converse(lambda s: s.execute("NoSuchThing"))
        assert isinstance(outcome, AgiFailed)
        assert outcome.facts["problem"] == "no such application"

    async def test_a_recording_is_kept_when_the_caller_hangs_up(self, far: FarEnd) -> None:
        file = far.folder / "message.wav"
        outcome = await far.converse(lambda s: s.execute("Record", str(file), "0", "20", "kq"), "1500@leaves")
        assert isinstance(outcome, CallHungUp)
        with wave.open(str(file)) as recording:
            assert recording.getframerate() == 8000

    async def test_without_k_a_recording_goes_with_the_caller(self, far: FarEnd) -> None:
        file = far.folder / "announcement.wav"
        outcome = await far.converse(lambda s: s.execute("Record", str(file), "0", "20", "q"), "1500@leaves")
        assert isinstance(outcome, CallHungUp)
        assert not file.exists()


class TestRefusals:
    async def test_nonsense_is_refused_and_shifts_no_answer(self, far: FarEnd) -> None:
        async def conversation(session: AgiSession) -> object:
            lines = (b"NO SUCH THING\n", b"STREAM FILE\n", b'GET VARIABLE "SECRET"\n')
            return [(await session._exchange("anything", line)).code for line in lines]

        assert await far.converse(conversation) == [510, 520, 200]

    async def test_a_channel_that_is_gone_says_nothing(self, far: FarEnd) -> None:
        outcome = await far.converse(lambda s: s.ask_of("PJSIP/6001-000000ff", "CHANNEL(state)"))
        assert outcome is None


class TestHangUp:
    """The caller goes half a second into the command."""

    @pytest.mark.parametrize(
        "command",
        [
            pytest.param(lambda s, a: s.stream_file(a.sound("long"), ""), id="STREAM FILE"),
            pytest.param(lambda s, a: s.get_option(a.sound("long"), "1", 1), id="GET OPTION in the prompt"),
            pytest.param(lambda s, a: s.get_option(a.sound("short"), "1", 5000), id="GET OPTION after the prompt"),
            pytest.param(lambda s, a: s.get_data(a.sound("long"), 100, 2), id="GET DATA in the prompt"),
            pytest.param(lambda s, a: s.get_data(a.sound("short"), 5000, 2), id="GET DATA after the prompt"),
            pytest.param(lambda s, a: s.wait_for_digit(5000), id="WAIT FOR DIGIT"),
            pytest.param(lambda s, a: s.execute("Wait", "5"), id="EXEC"),
        ],
    )
    async def test_inside_a_command(
        self, far: FarEnd, command: Callable[[AgiSession, FarEnd], Awaitable[object]]
    ) -> None:
        async def conversation(session: AgiSession) -> object:
            began = far.now()
            with pytest.raises(CallHungUp):
                await command(session, far)
            with pytest.raises(CallHungUp):
                await session.get_variable("SECRET")
            return far.now() - began

        elapsed = await far.converse(conversation, "1300@leaves")
        assert elapsed == pytest.approx(1.3 - HEAD_START_S, abs=0.4)

    async def test_between_commands(self, asterisk: RealAsterisk) -> None:
        async def conversation(session: AgiSession) -> object:
            while not session.hung_up:  # noqa: ASYNC110 - the session tells its commands, and none is sent here
                await asyncio.sleep(0.02)
            return await session.get_variable("SECRET")

        assert isinstance(await Real(asterisk).converse(conversation, "0800@leaves"), CallHungUp)

    async def test_a_missing_sound_is_none(self, far: FarEnd) -> None:
        """The caller is still there, and so are the answers."""

        async def conversation(session: AgiSession) -> object:
            for attempt in (
                session.stream_file(far.sound("none"), ""),
                session.get_option(far.sound("none"), "1", 100),
                session.get_data(far.sound("none"), 100, 1),
            ):
                with pytest.raises(AgiFailed, match="failed"):
                    await attempt
            return await session.get_variable("SECRET")

        assert await far.converse(conversation) == "expanded"


class TestWhenTheConversationEnds:
    """The dialplan goes on, and what was decided tells whether the service did its part."""

    async def after(
        self, asterisk: RealAsterisk, handler: Callable[[AgiSession], Awaitable[None]], limits: Limits | None = None
    ) -> str:
        """AGISTATUS and the decision, as the dialplan's next step saw them."""
        asterisk.cli("dialplan set global after -")
        server = FastAgiServer("127.0.0.1", 0, handler, limits=limits)
        await server.start()
        try:
            asterisk.call(f"{server.port}@agi", "0000@stays")
            async with asyncio.timeout(30):
                while (value := asterisk.global_variable("after")) in (None, "-"):  # noqa: ASYNC110 - only asking tells
                    await asyncio.sleep(0.05)
            return value or ""
        finally:
            await server.stop(1)
            asterisk.cli("channel request hangup all")

    async def test_with_a_decision(self, asterisk: RealAsterisk) -> None:
        async def handler(session: AgiSession) -> None:
            await session.set_variable("DECIDED", "queue")

        assert await self.after(asterisk, handler) == "SUCCESS/queue"

    async def test_without_one_when_the_service_fails(self, asterisk: RealAsterisk) -> None:
        async def handler(_: AgiSession) -> None:
            raise ZeroDivisionError

        assert await self.after(asterisk, handler) == "SUCCESS/"

    async def test_without_one_when_there_is_no_room(self, asterisk: RealAsterisk) -> None:
        async def handler(_: AgiSession) -> None: ...

        assert (await self.after(asterisk, handler, Limits(sessions=0))).endswith("/")
