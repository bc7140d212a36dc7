"""The lines of an iCalendar file, whatever its encoding, its line ends and where it folds. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from icalendar.parser import Contentline

from ivr.errors import BadInput

#: Ten years of a busy calendar are 2 MB.
MOST_BYTES = 8 << 20
MOST_EVENTS = 5000
_MOST_ZONES = 50
_MOST_ZONE_LINES = 1000
#: Outlook leaves out the quotation marks that a zone's name with a colon needs, as in tzone://Microsoft/Utc.
_UNQUOTED = re.compile(r';TZID=([^";]*:[^";]*):([0-9]{8}[0-9TZ,/P-]*)\Z')
_MEND = "give an iCalendar file (RFC 5545) with one VCALENDAR"


class CalendarProblem(BadInput):
    """A calendar cannot be used.

    `line` is where, as an editor counts, if it is in one place.
    """

    def __init__(self, problem: str, mend: str = _MEND, *, line: int | None = None) -> None:
        super().__init__(field="ical", problem=problem, mend=mend)
        self.line = line
        if line is not None:
            self.facts["line"] = line


@dataclass
class Block:
    """A component: the line on which it begins, and its own properties, each with its line."""

    line: int
    lines: list[tuple[int, str]] = field(default_factory=list)


@dataclass
class File:
    """What a calendar file holds: its own properties, its events, and its time zones with all that is within them."""

    properties: dict[str, str] = field(default_factory=dict)
    events: list[Block] = field(default_factory=list)
    zones: list[Block] = field(default_factory=list)

    def blocks(self, stack: list[str]) -> list[Block] | None:
        """Return where a component is kept, by the names of those that it stands in; None for one that is not."""
        return {"VCALENDAR VEVENT": self.events, "VCALENDAR VTIMEZONE": self.zones}.get(" ".join(stack))


def unfolded(data: bytes) -> Iterator[tuple[int, str]]:
    """Each content line with the number of its first line. Raises CalendarProblem for what is no text.

    Folds are undone before signs are decoded, for some programs fold within a sign (RFC 5545 section 3.1).
    """
    if len(data) > MOST_BYTES:
        raise CalendarProblem(f"is larger than {MOST_BYTES >> 20} MB", "export fewer events")
    text = _eight_bit(data).removeprefix(b"\xef\xbb\xbf")
    number, whole = 0, b""
    for at, line in enumerate(re.split(rb"\r\n|\n|\r", text), 1):
        if line[:1] in (b" ", b"\t"):
            whole += line[1:]
            continue
        if whole.strip():
            yield number, _decoded(whole)
        number, whole = at, line
    if whole.strip():
        yield number, _decoded(whole)


def _eight_bit(data: bytes) -> bytes:
    """UTF-16, with or without a byte order mark, as UTF-8; anything else as it is."""
    head = data[:400]
    encoding = None
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif len(head) > 3 and head.count(0) * 3 > len(head):
        if head[1::2].count(0) > head[::2].count(0):
            encoding = "utf-16-le"
        else:
            encoding = "utf-16-be"
    if encoding is None:
        return data
    try:
        return data.decode(encoding).encode()
    except UnicodeError:
        raise CalendarProblem("is no text in UTF-16", f"save it in UTF-8; {_MEND}") from None


def _decoded(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("windows-1252", "replace")


def read_file(data: bytes) -> File:
    """The components of a file. Raises CalendarProblem for what is no calendar, and for one that is cut off."""
    found = File()
    calendars = 0
    stack: list[str] = []
    block: Block | None = None
    for number, line in unfolded(data):
        name, _, value = line.partition(":")
        name, value = name.strip().upper(), value.strip()
        if name == "BEGIN":
            stack.append(value.upper())
            calendars += stack == ["VCALENDAR"]
            if (blocks := found.blocks(stack)) is not None:
                block = Block(number)
                blocks.append(block)
        elif name == "END":
            if not stack or stack.pop() != value.upper():
                raise CalendarProblem(f"line {number}: {value[:40]} ends here and was not begun", line=number)
            if len(stack) == 1:
                block = None
            elif block is not None and stack[1] == "VTIMEZONE":
                block.lines.append((number, line))
            continue
        elif stack == ["VCALENDAR"]:
            found.properties[name.partition(";")[0]] = value
        if block is not None and (stack[1:] == ["VEVENT"] or stack[1] == "VTIMEZONE") and block.line != number:
            block.lines.append((number, line))
    if calendars != 1:
        raise CalendarProblem(f"this holds {calendars or 'no'} VCALENDAR" + ("s" if calendars > 1 else ""))
    if stack:
        raise CalendarProblem(f"is cut off: {stack[-1]} is not ended", f"export it again; {_MEND}")
    _refuse_too_much(found)
    return found


def _refuse_too_much(found: File) -> None:
    if len(found.events) > MOST_EVENTS:
        problem = f"this holds {len(found.events)} events"
        raise CalendarProblem(problem, f"give at most {MOST_EVENTS}: export fewer months")
    if len(found.zones) > _MOST_ZONES or any(len(one.lines) > _MOST_ZONE_LINES for one in found.zones):
        raise CalendarProblem("defines more time zones than any calendar needs", "export the calendar again")


def parts(line: str) -> tuple[str, dict[str, str], str] | None:
    """A property's name, its parameters and its value, in capitals but for values; None for what is no property."""
    try:
        name, parameters, value = Contentline(_UNQUOTED.sub(r';TZID="\1":\2', line)).parts()  # type: ignore[no-untyped-call]
    except ValueError:
        return None
    plain = {str(key).upper(): ",".join(one) if isinstance(one, list) else str(one) for key, one in parameters.items()}
    return str(name).upper(), plain, str(value)
