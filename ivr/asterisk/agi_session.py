"""One FastAGI conversation: commands that Asterisk carries out on the caller's channel, one at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

from ivr.asterisk import agi_protocol
from ivr.asterisk.agi_protocol import HANGUP, AgiGarbage, Reply
from ivr.errors import OmnivigilError

#: Seconds beyond what a command itself may take until Asterisk is held to be gone.
_GRACE_S = 30.0
#: A prompt is never longer than this, in seconds.
_LONGEST_PROMPT_S = 300.0
#: A hang-up that ended a command is told within this after its answer, in seconds: the network may wait 40 ms for an
#: acknowledgement.
_TOLD_S = 0.2


class CallHungUp(OmnivigilError):
    """The caller hung up."""


class AgiFailed(OmnivigilError):
    """Asterisk refused a command, failed at it or no longer answers."""


class AgiSession:
    """One conversation. Every command raises CallHungUp once the caller is gone, and AgiFailed when Asterisk fails.

    A command that was cancelled ends the conversation: its answer may still come, and must not be taken for
    that of the next one.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        send: Callable[[bytes], None],
        step: Callable[[float], None] | None = None,
    ) -> None:
        #: What Asterisk told at the start, without the `agi_` prefix; control characters are gone.
        self.env = environment
        self.path = environment.get("network_script", "").split("?", 1)[0]
        self.args = _arguments(environment)
        self.hung_up = False
        self._send = send
        #: Told how many seconds passed from Asterisk's last word to our next command.
        self._step = step
        self._heard_at = time.perf_counter()
        self._loop = asyncio.get_running_loop()
        self._waiting: asyncio.Future[Reply | None] | None = None
        #: Whether what is waited for is only whether the caller is still there.
        self._probing = False
        #: When the command in progress is held to be lost, by the loop's clock.
        self._deadline = 0.0
        #: Why no further command can be sent, though the caller may still be there.
        self._broken: str | None = None

    # What the connection tells the session.

    def on_reply(self, reply: Reply) -> None:
        """A reply, or HANGUP. Raises AgiGarbage for a reply to nothing."""
        if reply is HANGUP:
            self.hung_up = True
            # A command in progress is still answered, but that would be another waking, and late: after the network's
            # delayed acknowledgement, 40 ms.
            if self._probing:
                self._go_on()
        elif self._waiting is None or self._waiting.done():
            if not self.hung_up:
                raise AgiGarbage(problem="a reply to nothing", reply=str(reply))
        else:
            self._waiting.set_result(reply)

    def on_lost(self, broken: str | None) -> None:
        """The connection is gone: because of what `broken` says, or as it goes when a call ends."""
        if broken is None:
            self.hung_up = True
        else:
            self._broken = broken
        self._go_on()

    def expire(self, now: float) -> None:
        """Give the command in progress up if it is overdue at `now`, by the loop's clock.

        Called every now and then for all conversations: a timer for each command would cost as much as the command.
        """
        if self._waiting is not None and now > self._deadline and not self._waiting.done():
            self._broken = "no answer"
            self._go_on()

    def _go_on(self) -> None:
        """Wait no longer for a reply, if one is waited for."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    # Commands.

    async def _command(self, name: str, *arguments: str, takes_s: float = 0.0) -> Reply:
        reply = await self._exchange(name, agi_protocol.command(name, *arguments), takes_s)
        if reply.code == 511:
            self.hung_up = True
            raise CallHungUp()
        if reply.code != 200:
            raise AgiFailed(problem="refused", command=name, code=reply.code, said=reply.data)
        if reply.result == "-1":
            # As a rule they have hung up, and to be told costs less than to ask.
            await self._until_told()
            await self._still_there()
            # No hang-up, then; most often a sound file that does not exist.
            raise AgiFailed(problem="failed", command=name, arguments=arguments)
        return reply

    async def _exchange(self, name: str, line: bytes, takes_s: float = 0.0) -> Reply:
        if self.hung_up:
            raise CallHungUp()
        if self._broken is not None:
            raise AgiFailed(problem=self._broken, command=name)
        if self._waiting is not None:
            raise AgiFailed(problem="a command is already in progress", command=name)
        self._waiting = self._loop.create_future()
        self._deadline = self._loop.time() + takes_s + _GRACE_S
        if self._step is not None:
            # Not the loop's clock, which uvloop keeps to the millisecond.
            self._step(time.perf_counter() - self._heard_at)
        self._send(line)
        try:
            reply = await self._waiting
        except asyncio.CancelledError:
            self._broken = "an earlier command was cancelled"
            raise
        finally:
            self._waiting = None
            self._heard_at = time.perf_counter()
        if reply is None:
            if self._broken is not None:
                raise AgiFailed(problem=self._broken, command=name)
            raise CallHungUp()
        return reply

    async def _until_told(self) -> None:
        """Wait a moment for the word that the caller hung up. Raises CallHungUp with it."""
        if not self.hung_up and self._broken is None:
            self._waiting = self._loop.create_future()
            self._probing = True
            moment = self._loop.call_later(_TOLD_S, self._go_on)
            try:
                if await self._waiting is not None:
                    raise AgiFailed(problem="a reply to nothing")
            finally:
                moment.cancel()
                self._waiting, self._probing = None, False
        if self.hung_up:
            raise CallHungUp()

    async def _still_there(self) -> None:
        """Raise CallHungUp if the caller is gone: Asterisk says so before it answers a command that does nothing."""
        self._probing = True
        try:
            await self._exchange("NOOP", b"NOOP\n")
        finally:
            self._probing = False
        if self.hung_up:
            raise CallHungUp()

    async def get_option(self, file: str, escape_digits: str, timeout_ms: int) -> str | None:
        """Play a file and wait up to `timeout_ms` after it; the key pressed meanwhile, or None."""
        takes_s = _LONGEST_PROMPT_S + timeout_ms / 1000
        # GET OPTION reads a time-out of 0 as the dialplan's own of several seconds.
        reply = await self._command("GET OPTION", file, escape_digits, str(max(1, timeout_ms)), takes_s=takes_s)
        key = _key(reply)
        if key is None:
            # A hang-up during the wait is answered like silence.
            await self._still_there()
        return key

    async def stream_file(self, file: str, escape_digits: str) -> str | None:
        """Play a file (name without extension); the key that cut it short, or None."""
        return _key(await self._command("STREAM FILE", file, escape_digits, takes_s=_LONGEST_PROMPT_S))

    async def wait_for_digit(self, timeout_ms: int) -> str | None:
        """The key pressed within `timeout_ms`, or None."""
        return _key(await self._command("WAIT FOR DIGIT", str(max(1, timeout_ms)), takes_s=timeout_ms / 1000))

    async def get_data(self, file: str, timeout_ms: int, max_digits: int) -> tuple[str, bool]:
        """Play a file and collect digits up to `#`; the digits, and whether time ran out."""
        takes_s = _LONGEST_PROMPT_S + max_digits * timeout_ms / 1000
        reply = await self._command("GET DATA", file, str(timeout_ms), str(max_digits), takes_s=takes_s)
        return reply.result, reply.data == "timeout"

    async def set_variable(self, name: str, value: str) -> None:
        """Set a channel variable or a function such as CHANNEL(language)."""
        await self._command("SET VARIABLE", name, value)

    async def get_variable(self, name: str) -> str | None:
        """A channel variable's value without control characters, or None when it is not set.

        Asterisk gives 1023 bytes at most, and does not say when it has cut the rest.
        """
        reply = await self._command("GET VARIABLE", name)
        if reply.result == "1":
            return reply.data
        return None

    async def ask_of(self, channel: str, function: str) -> str | None:
        """Return what a function such as `CHANNEL(state)` says of another channel; None when that is gone."""
        reply = await self._exchange("GET FULL VARIABLE", agi_protocol.other_channel(function, channel))
        if self.hung_up or reply.code == 511:
            raise CallHungUp()
        if reply.result == "1":
            return reply.data
        return None

    async def execute(self, application: str, *arguments: str, takes_s: float = 3600.0) -> str:
        """Run a dialplan application that takes at most `takes_s`; its result."""
        reply = await self._command("EXEC", application, ",".join(arguments), takes_s=takes_s)
        if reply.result == "-2":
            raise AgiFailed(problem="no such application", application=application)
        return reply.result


def _arguments(environment: Mapping[str, str]) -> tuple[str, ...]:
    arguments: list[str] = []
    while (argument := environment.get(f"arg_{len(arguments) + 1}")) is not None:
        arguments.append(argument)
    return tuple(arguments)


def _key(reply: Reply) -> str | None:
    code = int(reply.result) if reply.result.isdigit() else 0
    if code > 0:
        return chr(code)
    return None
