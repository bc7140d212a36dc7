"""The text of the Asterisk Gateway Interface: parsing what Asterisk sends, writing what it accepts. No I/O.

Source: Asterisk 22, res_agi. A session opens with `agi_name: value` lines and a blank line; then each
command is one line and each reply one line `CODE result=N (data)`, except 520, which spans several, and a
variable's value with line breaks in it. A line `HANGUP` comes once, before any reply to what is sent after it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from ivr.errors import OmnivigilError

#: More than Asterisk ever sends before the blank line.
MAX_ENVIRONMENT_BYTES = 65_536
MAX_ENVIRONMENT_LINES = 100
#: A reply carries at most one variable's value.
MAX_REPLY_BYTES = 65_536
#: Asterisk takes the rest of a longer line for further commands and answers each: every later reply would be
#: taken for another command's.
MAX_COMMAND_BYTES = 8_000

_FUNCTION = re.compile(r"[A-Z]{1,20}\([a-z0-9_,-]{1,60}\)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CONTROL_BUT_LINES = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
_REPLY = re.compile(r"([1-5]\d\d) result=([^ ]*)(?: \((.*)\))?(?: endpos=-?\d+)?$", re.DOTALL)
#: Nearly every reply, and nearly always alone in its packet.
_PLAIN = re.compile(rb"200 result=(-?\d{1,3})(?: endpos=\d+)?\n")
_USAGE = re.compile(r"(5\d\d) (.*)$")

#: Told before anything that a caller has a say in, so that the first of two such lines is Asterisk's own.
#: Of all others the last one is.
_BEFORE_THE_CALLER = frozenset(
    {"network", "network_script", "request", "channel", "language", "type", "uniqueid", "version", "callerid"}
)


class AgiGarbage(OmnivigilError):
    """What came over the connection is not AGI."""


class AgiValueError(OmnivigilError):
    """A value cannot be sent to Asterisk safely."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """One reply. `code` 200 is success, 511 means the channel is dead, 510 and 520 that we sent nonsense."""

    code: int
    result: str
    data: str | None = None


#: Stands among the replies where Asterisk said that the caller has hung up.
HANGUP: Final = Reply(code=0, result="hangup")


def text(raw: bytes) -> str:
    """Return what the bytes say: UTF-8, else Latin-1, without control characters (a caller's name may hold any)."""
    return _CONTROL.sub("", _decoded(raw))


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def environment_end(received: bytes | bytearray) -> int:
    """Return where the opening's blank line begins, or -1 while it has not come.

    Asterisk passes a caller's name on as it is, line breaks and all, so a blank line may be part of one: the
    thread's number comes after every name. Raises AgiGarbage as soon as this cannot become an opening.
    """
    end = received.find(b"\n\n", 0, MAX_ENVIRONMENT_BYTES)
    while end >= 0 and b"\nagi_calleridname:" in received[:end] and b"\nagi_threadid:" not in received[:end]:
        end = received.find(b"\n\n", end + 1, MAX_ENVIRONMENT_BYTES)
    if end < 0 and len(received) > MAX_ENVIRONMENT_BYTES:
        raise AgiGarbage(problem="opening too large", bytes=len(received))
    if not received.startswith(b"agi_"[: len(received)]):
        raise AgiGarbage(problem="not an agi_ line", line=repr(bytes(received[:40])))
    return end


def parse_environment(block: bytes) -> dict[str, str]:
    """`agi_*` lines as a mapping without the prefix. Raises AgiGarbage."""
    try:
        whole = block.decode("utf-8")
    except UnicodeDecodeError:
        # Each line for itself: the names on two lines may come from two telephones.
        whole = "\n".join(map(_decoded, block.split(b"\n")))
    lines = whole.split("\n")
    if not "".join(lines).isprintable():
        lines = _CONTROL_BUT_LINES.sub("", whole).split("\n")
    if len(lines) > MAX_ENVIRONMENT_LINES:
        raise AgiGarbage(problem="too many lines")
    environment: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name.startswith("agi_"):
            # A caller's name with a line break in it goes on here.
            if environment:
                continue
            raise AgiGarbage(problem="not an agi_ line", line=repr(line[:80]))
        name = name[4:]
        if name == "threadid":
            # Arguments come after it; what came before was forged inside a name.
            for forged in [known for known in environment if known.startswith("arg_")]:
                del environment[forged]
        if name not in _BEFORE_THE_CALLER or name not in environment:
            environment[name] = value.strip()
    return environment


class ReplyReader:
    """Turns what comes in, however it is cut into packets, into whole replies."""

    def __init__(self) -> None:
        self._rest = b""
        self._unfinished = b""
        self._usage = False

    def feed(self, data: bytes) -> list[Reply]:
        """The replies that are complete now, HANGUP among them. Raises AgiGarbage."""
        plain = _PLAIN.fullmatch(data)
        if plain is not None and not (self._rest or self._unfinished or self._usage):
            return [_plain_reply(plain[1])]
        *lines, self._rest = (self._rest + data if self._rest else data).split(b"\n")
        replies = [reply for line in lines if (reply := self._line(line)) is not None]
        if len(self._rest) + len(self._unfinished) > MAX_REPLY_BYTES:
            raise AgiGarbage(problem="reply too large")
        return replies

    def _line(self, line: bytes) -> Reply | None:
        if self._unfinished:
            line = self._unfinished + b"\n" + line
            self._unfinished = b""
        elif self._usage or line.startswith(b"520-"):
            self._usage = not line.startswith(b"520 ")
            if self._usage:
                return None
        elif line == b"HANGUP":
            return HANGUP
        if line.startswith(b"200 ") and b" (" in line and not line.endswith(b")") and b") endpos=" not in line:
            # A variable's value with a line break in it: the bracket is closed on a later line.
            self._unfinished = line
            return None
        if line.strip():
            return parse_reply(_decoded(line))
        return None


@lru_cache(maxsize=256)
def _plain_reply(result: bytes) -> Reply:
    return Reply(code=200, result=result.decode())


def parse_reply(line: str) -> Reply:
    """One whole reply; its data is without control characters. Raises AgiGarbage."""
    found = _REPLY.match(line)
    if found is not None:
        data = found[3]
        return Reply(code=int(found[1]), result=found[2], data=data if data is None else _CONTROL.sub("", data))
    usage = _USAGE.match(line)
    if usage is not None:
        return Reply(code=int(usage[1]), result="", data=usage[2])
    raise AgiGarbage(problem="not a reply", line=repr(line[:80]))


def command(name: str, *arguments: str) -> bytes:
    """One command line with every argument quoted.

    Raises AgiValueError for what cannot be sent: a line break ends a command, a line that is too long becomes
    several, and `${...}` or `$[...]` is expanded by dialplan applications that evaluate their arguments again.
    """
    line = " ".join([name, *map(_quoted, arguments)]).encode() + b"\n"
    if len(line) > MAX_COMMAND_BYTES:
        raise AgiValueError(problem="too long", command=name, bytes=len(line), limit=MAX_COMMAND_BYTES)
    return line


def other_channel(function: str, channel: str) -> bytes:
    """The command that asks a function, such as `CHANNEL(state)`, of another channel. Raises AgiValueError.

    GET FULL VARIABLE is there to expand what it is given: nothing but a plain function's name goes in.
    """
    if not _FUNCTION.fullmatch(function):
        raise AgiValueError(problem="no plain function", value=repr(function[:80]))
    return command("GET FULL VARIABLE", "{}", channel).replace(b'"{}"', f'"${{{function}}}"'.encode(), 1)


def _quoted(argument: str) -> str:
    if _CONTROL.search(argument):
        raise AgiValueError(problem="control character", value=repr(argument[:80]))
    if "$" in argument and ("${" in argument or "$[" in argument):
        raise AgiValueError(problem="would be expanded by Asterisk", value=repr(argument[:80]))
    if "\\" in argument or '"' in argument:
        argument = argument.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{argument}"'
