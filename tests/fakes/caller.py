"""A caller without a telephone: the far end of one AGI conversation, played from a script in virtual time.

It answers as Asterisk 22's res_agi does, `tests/integration/asterisk/test_scripted_caller.py` holds both to the same
conversations. Keys are pressed, and calls hung up, at the prompts that the script names, or at moments.
"""

from __future__ import annotations

import asyncio
import re
import wave
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from ivr.asterisk import agi_protocol
from ivr.asterisk.agi_protocol import HANGUP, ReplyReader
from ivr.asterisk.fastagi import AgiSession, CallHungUp
from ivr.prompts.audio import FORMATS

#: As in .../ov/fr/menu-0a1b2c3d4e: a prompt's language and id.
_SOUND = re.compile(r".*/ov/(?P<language>\w+)/(?P<prompt>.+)-[0-9a-f]{10,16}")
_ARGUMENT = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')
#: Seconds between two keys of a row.
_BETWEEN_KEYS_S = 0.13
#: Asterisk tells no more of a variable's value, in bytes.
_LONGEST_VALUE = 1023
_HANG_UP = "hang up"
_RATE = 8000
_DEAD = "511 Command Not Permitted on a dead channel or intercept routine"
#: Commands and how many arguments they have at least and at most.
_COMMANDS = {
    "STREAM FILE": (2, 3),
    "GET OPTION": (2, 3),
    "GET DATA": (1, 3),
    "WAIT FOR DIGIT": (1, 1),
    "EXEC": (1, 2),
    "SET VARIABLE": (2, 2),
    "GET VARIABLE": (1, 1),
    "GET FULL VARIABLE": (1, 2),
    "NOOP": (0, 9),
}
#: They need somebody on the line.
_FOR_THE_LIVING = ("STREAM FILE", "GET OPTION", "GET DATA", "WAIT FOR DIGIT")


@dataclass
class VirtualClock:
    """Stands still but while somebody listens, waits or speaks."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass(frozen=True, kw_only=True)
class Heard:
    """One sound that was played; `key` is the one that cut it short."""

    prompt: str
    language: str | None
    key: str | None = None


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What a caller does at the beep: speaks for so many seconds, and presses #, waits in silence, or hangs up."""

    speech_s: float = 0.0
    hangs_up: bool = False
    #: The disk takes nothing.
    disk_full: bool = False


@dataclass(kw_only=True)
class _AtPrompt:
    keys: str
    late: bool


def _now() -> VirtualClock:
    return VirtualClock(datetime(2026, 11, 18, 15, 0, tzinfo=UTC))


@dataclass(kw_only=True)
class Caller:
    """Whoever is on the line. The script is written with `presses`, `leaves` and `says`, before `holds` plays it."""

    path: str = "line"
    args: Sequence[str] = ()
    channel: str = "PJSIP/trunk-00000001"
    number: str | None = None
    #: What the network says that the caller is called: anything.
    name: bytes = b"unknown"
    uniqueid: str = "1795384710.1"
    clock: VirtualClock = field(default_factory=_now)
    #: Of the channel; what the conversation sets is here as well.
    variables: dict[str, str] = field(default_factory=dict)
    #: What other channels answer, by name and function.
    others: dict[str, dict[str, str]] = field(default_factory=dict)
    #: Called as each sound begins, with its prompt: the world goes on while somebody listens.
    meanwhile: Callable[[str], None] = lambda prompt: None
    #: Hang up in, or right after, the command of this number, counted from 0; after -1 they are gone at the beginning.
    leaves_in: int | None = None
    leaves_after: int | None = None

    def __post_init__(self) -> None:
        self.heard: list[Heard] = []
        self.commands: list[str] = []
        #: What was set, in order.
        self.given: list[tuple[str, str]] = []
        self.gone = False
        self.began = self.clock.now
        self._script: dict[str, list[_AtPrompt | None]] = {}
        self._recordings: list[Recorded] = []
        #: Keys, and the end of the call, that are on their way.
        self._coming: list[tuple[datetime, str]] = []
        self._session: AgiSession
        self._replies = ReplyReader()

    # The script ----------------------------------------------------------------------------------

    def presses(self, prompt: str, *keys: str | None, late: bool = False) -> Caller:
        """At each hearing of a prompt the next of `keys`, in its middle or, if `late`, in the silence after it.

        None is to listen; several keys are pressed one after the other.
        """
        said = [_AtPrompt(keys=each, late=late) if each is not None else None for each in keys]
        self._script.setdefault(prompt, []).extend(said)
        return self

    def leaves(self, prompt: str, *, late: bool = False, hearing: int = 1) -> Caller:
        """Hang up at the n-th hearing of a prompt."""
        return self.presses(prompt, *[None] * (hearing - 1)).presses(prompt, _HANG_UP, late=late)

    def does_at(self, seconds: float, keys: str) -> Caller:
        """Press keys so many seconds after the beginning."""
        self._press(self.began + timedelta(seconds=seconds), keys)
        return self

    def leaves_at(self, seconds: float) -> Caller:
        """Hang up so many seconds after the beginning."""
        return self.does_at(seconds, _HANG_UP)

    def says(self, *recorded: Recorded | float) -> Caller:
        """What is said at each beep; a number is so many seconds of speech. After the last there is silence."""
        self._recordings += [one if isinstance(one, Recorded) else Recorded(speech_s=one) for one in recorded]
        return self

    # What came of it -----------------------------------------------------------------------------

    @property
    def prompts(self) -> list[str]:
        """The ids of what was played, in order."""
        return [one.prompt for one in self.heard]

    @property
    def languages(self) -> set[str]:
        """In which languages prompts were played."""
        return {one.language for one in self.heard if one.language is not None}

    @property
    def next(self) -> str | None:
        """What the dialplan is to do; None when nothing was decided."""
        return self.variables.get("OV_NEXT")

    # The conversation ----------------------------------------------------------------------------

    async def holds(self, conversation: Callable[[AgiSession], Awaitable[object]]) -> object:
        """Hold a conversation to its end; what it returns. A hang-up ends it as it does on the server."""
        environment = agi_protocol.parse_environment(self._opening())
        self._session = AgiSession(environment, self._received)
        if self.leaves_after == -1:
            self.gone = True
            self._session.on_reply(HANGUP)

        async def hold() -> object:
            try:
                return await conversation(self._session)
            except CallHungUp:
                return None

        # In a task of its own, as on the server: what it binds to its log lines is nobody else's.
        return await asyncio.create_task(hold())

    def _opening(self) -> bytes:
        lines = [
            "network: yes",
            f"network_script: {self.path}",
            f"request: agi://127.0.0.1/{self.path}",
            f"channel: {self.channel}",
            "language: fr",
            "type: PJSIP",
            f"uniqueid: {self.uniqueid}",
            f"callerid: {self.number or 'unknown'}",
        ]
        after = ["threadid: 1", *(f"arg_{n}: {argument}" for n, argument in enumerate(self.args, 1))]
        named = b"agi_calleridname: " + self.name
        return b"\n".join([_environment(lines), named, _environment(after)])

    def _received(self, line: bytes) -> None:
        asyncio.get_running_loop().call_soon(self._answer, line.decode().rstrip("\n"))

    def _answer(self, line: str) -> None:
        number = len(self.commands)
        self.commands.append(line)
        if number == self.leaves_in:
            self._press(self.clock.now, _HANG_UP)
        name = next((one for one in _COMMANDS if line == one or line.startswith(f"{one} ")), None)
        was_gone = self.gone
        reply = self._carry_out(name, line) if name is not None else "510 Invalid or unknown command"
        if number in (self.leaves_in, self.leaves_after):
            self.gone = True
        told = f"{reply}\n"
        if self.gone and not was_gone:
            # A command that ends with the call is answered first; one that does nothing is told of it before.
            told = f"HANGUP\n{told}" if name == "NOOP" else f"{told}HANGUP\n"
        for each in self._replies.feed(told.encode()):
            self._session.on_reply(each)

    def _carry_out(self, name: str, line: str) -> str:
        arguments = [_unquoted(found) for found in _ARGUMENT.finditer(line.removeprefix(name))]
        least, most = _COMMANDS[name]
        if not least <= len(arguments) <= most:
            return f"520-Invalid command syntax.  Proper usage follows:\n Usage: {name}\n520 End of proper usage."
        if self.gone and name in _FOR_THE_LIVING:
            return _DEAD
        act = getattr(self, f"_{name.lower().replace(' ', '_')}")
        return f"200 result={act(*arguments)}"

    # Commands ------------------------------------------------------------------------------------

    def _noop(self, *_: str) -> str:
        if any(at <= self.clock.now and what == _HANG_UP for at, what in self._coming):
            self.gone = True
        return "0"

    def _stream_file(self, file: str, escape: str, offset: str = "0") -> str:
        end = self._play(file, escape)
        return f"{end if isinstance(end, int) else ord(end)} endpos=0"

    def _get_option(self, file: str, escape: str, timeout: str = "5000") -> str:
        end = self._play(file, escape)
        if end == 0:
            # Any key ends the wait; one that was not asked for counts for none, and so does a hang-up.
            key = self._wait(int(timeout) / 1000, "")
            end = key if key is not None and key in escape else 0
        return f"{end if isinstance(end, int) else ord(end)} endpos=0"

    def _get_data(self, file: str, timeout: str = "0", most: str = "1024") -> str:
        key = self._play(file, "0123456789*#")
        if key == -1:
            return "-1"
        digits = ""
        pressed = key if isinstance(key, str) else self._wait(int(timeout) / 1000, "")
        while pressed is not None:
            if pressed == "#":
                return digits
            digits += pressed
            if len(digits) == int(most):
                return digits
            pressed = self._wait(int(timeout) / 1000, "")
        return "-1" if self.gone else f"{digits} (timeout)"

    def _wait_for_digit(self, timeout: str) -> str:
        key = self._wait(int(timeout) / 1000, "")
        return "-1" if self.gone else str(ord(key)) if key is not None else "0"

    def _set_variable(self, name: str, value: str) -> str:
        self.variables[name] = value
        self.given.append((name, value))
        return "1"

    def _get_variable(self, name: str) -> str:
        value = self.variables.get(name)
        return f"1 ({value.encode()[:_LONGEST_VALUE].decode(errors='ignore')})" if value is not None else "0"

    def _get_full_variable(self, expression: str, channel: str = "") -> str:
        answers = self.others.get(channel)
        function = expression.removeprefix("${").removesuffix("}")
        return f"1 ({answers.get(function, '')})" if answers is not None else "0"

    def _exec(self, application: str, options: str = "") -> str:
        if application == "Set":
            name, _, self.variables[name] = options.partition("=")
            return "0"
        if application == "Wait":
            self._wait(float(options), " ")
            return "-1" if self.gone else "0"
        return self._record(options) if application == "Record" else "-2"

    def _record(self, options: str) -> str:
        file, _, rest = options.partition(",")
        silence_s, _, rest = rest.partition(",")
        longest_s, _, flags = rest.partition(",")
        what = self._recordings.pop(0) if self._recordings else Recorded()
        spoken_s = min(what.speech_s, float(longest_s))
        quiet_s = 0.0 if what.speech_s or what.hangs_up else float(silence_s) or float(longest_s)
        self._wait(spoken_s + quiet_s, " ")
        self.gone = self.gone or what.hangs_up
        if not what.disk_full:
            _write(Path(file), spoken_s, quiet_s)
        if self.gone and "k" not in flags:
            Path(file).unlink(missing_ok=True)
        return "-1" if self.gone else "0"

    # Time ----------------------------------------------------------------------------------------

    def _press(self, at: datetime, keys: str) -> None:
        each = [keys] if keys == _HANG_UP else list(keys)
        self._coming += [(at + timedelta(seconds=n * _BETWEEN_KEYS_S), key) for n, key in enumerate(each)]
        self._coming.sort(key=lambda one: one[0])

    def _play(self, file: str, escape: str) -> str | int:
        """Play a sound; the key that cut it short, 0 when none did, -1 without a file or a caller."""
        length_s = _length_s(file)
        if length_s is None:
            return -1
        said = _SOUND.fullmatch(file)
        prompt = said["prompt"] if said is not None else Path(file).name
        language = said["language"] if said is not None else None
        self.meanwhile(prompt)
        plan = self._script.get(prompt)
        if plan and (wish := plan.pop(0)) is not None:
            self._press(self.clock.now + timedelta(seconds=length_s * (1.01 if wish.late else 0.5)), wish.keys)
        key = self._wait(length_s, escape or " ")
        self.heard.append(Heard(prompt=prompt, language=language, key=key))
        return key if key is not None else -1 if self.gone else 0

    def _wait(self, seconds: float, escape: str) -> str | None:
        """Let time pass until a key among `escape` (empty: any), or the call's end; the key, if there was one."""
        end = self.clock.now + timedelta(seconds=seconds)
        while self._coming and self._coming[0][0] <= end:
            at, what = self._coming.pop(0)
            self.clock.now = max(self.clock.now, at)
            if what == _HANG_UP:
                self.gone = True
                return None
            if not escape or what in escape:
                return what
        self.clock.now = end
        return None


def _environment(lines: Iterable[str]) -> bytes:
    return "\n".join(f"agi_{line}" for line in lines).encode()


def _unquoted(found: re.Match[str]) -> str:
    return re.sub(r"\\(.)", r"\1", found[1]) if found[1] is not None else found[2]


def _length_s(file: str) -> float | None:
    """How long a sound lasts; None when there is none."""
    for extension, rate in FORMATS.items():
        if (sound := Path(f"{file}.{extension}")).is_file():
            return sound.stat().st_size / rate
    recording = Path(f"{file}.wav")
    if not recording.is_file():
        return None
    with wave.open(str(recording)) as opened:
        return float(opened.getnframes() / opened.getframerate())


def _write(path: Path, speech_s: float, quiet_s: float) -> None:
    """A recording as Asterisk makes them: 8 kHz, 16 bits, one channel."""
    loud = np.sin(np.arange(round(speech_s * _RATE)) * 0.5) * 8000
    samples = np.concatenate([loud, np.zeros(round(quiet_s * _RATE))]).astype("<i2")
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(_RATE)
        out.writeframes(samples.tobytes())


def digits(prompts: Iterable[str]) -> str:
    """The digits among what was played."""
    return "".join(prompt.removeprefix("digit-") for prompt in prompts if prompt.startswith("digit-"))
