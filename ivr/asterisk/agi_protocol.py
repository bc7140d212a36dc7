"""The text of the Asterisk Gateway Interface: parsing what Asterisk sends, writing what it accepts. No I/O.

Source: Asterisk 22, res_agi. A session opens with `agi_name: value` lines and a blank line; then each
command is one line and each reply one line `CODE result=N (data)`, except 520, which spans several. A line
`HANGUP` may come at any moment between them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ivr.errors import OmnivigilError

#: More than Asterisk ever sends before the blank line.
MAX_ENVIRONMENT_BYTES = 65_536
MAX_ENVIRONMENT_LINES = 100
#: A reply carries at most one variable's value.
MAX_LINE_BYTES = 65_536

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_REPLY = re.compile(r"(\d{3}) result=(-?[^ ]*)(?: \((.*)\))?(?: endpos=(\d+))?")


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


def text(raw: bytes) -> str:
    """What the bytes say: UTF-8, else Latin-1, without control characters (a caller's name may hold any)."""
    try:
        decoded = raw.decode("utf-8")
    except UnicodeDecodeError:
        decoded = raw.decode("latin-1")
    return _CONTROL.sub("", decoded)


def parse_environment(block: bytes) -> dict[str, str]:
    """`agi_*` lines as a mapping without the prefix. Raises AgiGarbage."""
    lines = block.split(b"\n")
    if len(lines) > MAX_ENVIRONMENT_LINES:
        raise AgiGarbage(problem="too many lines")
    environment: dict[str, str] = {}
    for line in lines:
        if not line.strip():
            continue
        name, colon, value = line.partition(b":")
        if not colon or not name.startswith(b"agi_"):
            # A caller's name with a line break in it continues on a line of its own: not a field.
            if environment:
                continue
            raise AgiGarbage(problem="not an agi_ line", line=repr(line[:80]))
        # The first value stands: a later line of the same name may come from inside a caller's name.
        environment.setdefault(text(name[4:]), text(value.strip()))
    if not environment:
        raise AgiGarbage(problem="no agi_ lines")
    return environment


def parse_reply(line: str) -> Reply:
    """One reply line. Raises AgiGarbage."""
    found = _REPLY.match(line)
    if found is not None:
        return Reply(code=int(found[1]), result=found[2], data=found[3])
    if re.match(r"5\d\d", line):
        return Reply(code=int(line[:3]), result="", data=line[4:])
    raise AgiGarbage(problem="not a reply", line=repr(line[:80]))


def command(*words: str) -> bytes:
    """One command line with every argument quoted.

    Raises AgiValueError for what cannot be quoted: line breaks end a command, and Asterisk expands
    `${...}` in the arguments of EXEC.
    """
    return (" ".join([words[0], *map(_quoted, words[1:])]) + "\n").encode()


def _quoted(word: str) -> str:
    if _CONTROL.search(word):
        raise AgiValueError(problem="control character", value=repr(word[:80]))
    if "${" in word or "$[" in word:
        raise AgiValueError(problem="would be expanded by Asterisk", value=repr(word[:80]))
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
