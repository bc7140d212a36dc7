"""The contract between dialplan and service: names of variables, codecs of what they hold, formats of files. Pure.

`dialplan/*.j2` is the other side. `tests/unit/asterisk/test_contract.py` renders it and compares the two, and both with
the tables of docs/architecture.md. A change here is a change of all three; calls that go on while the line is upgraded
still have the old dialplan's values.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass
from enum import StrEnum
from typing import Final, Literal, Self

# ---- Variables -------------------------------------------------------------------------------------


class Variable(StrEnum):
    """Channel variables that cross the border, in either direction. Globals and endpoint variables are among them."""

    NEXT = "OV_NEXT"
    SETTLED = "OV_SETTLED"
    DESK = "OV_DESK"
    DEPARTMENT = "OV_DEPARTMENT"
    LANGUAGE = "OV_LANGUAGE"
    TARGET = "OV_TARGET"
    SECONDS = "OV_SECONDS"
    CALL = "OV_CALL"
    URGENCY = "OV_URGENCY"
    POSITION = "OV_POSITION"
    KEY = "OV_KEY"
    WHY = "OV_WHY"
    FILE = "OV_FILE"
    FULL = "OV_FULL"
    DIALLED = "OV_DIALLED"
    PRIVATE = "OV_PRIVATE"
    DEVICE = "OV_DEVICE"
    REACHED = "OV_REACHED"
    CALLBACK = "OV_CALLBACK"
    PAGE = "OV_PAGE"
    GREETING = "OV_GREETING"
    NO_ANSWER = "OV_NO_ANSWER"
    RING_S = "OV_RING_S"
    WAY = "OV_WAY"
    WHOM = "OV_WHOM"
    LEG = "OV_LEG"
    DRAINING = "OV_DRAINING"
    IDENTITY = "OV_IDENTITY"
    LIMIT = "OV_LIMIT"


#: The dialplan's own, which the service neither sets nor reads.
DIALPLAN_ONLY: Final = frozenset(
    f"OV_{name}"
    for name in (
        *("KIND", "PARTNER", "PARTNER_SECONDS"),
        *("ACCOUNT", "CONTACT", "KNOWN", "ONE", "STATUS", "RING", "UNKNOWN"),
        *("ADMITTED", "LEGS", "CAUSE", "SOURCE", "WHO"),
        *("IDENTIFIED", "HEADERS", "HIDDEN", "RECORDED", "TOLD"),
        *("PHONE", "SIP", "RTCP", "REMOTE"),
        *("LAST", "OTHER", "TALKING", "CHANNELS", "WHERE", "REFERENCE", "REPORT", "LANG"),
        *("CALLER", "PERSON", "TRIES", "FIRST", "TAKER", "BY", "TO", "STARTED"),
    )
)


def assignment(name: Variable, value: object, *, inherited: bool = False) -> str:
    """One variable of an Originate's `Variable` header; `inherited` hands it on to channels that come of this one.

    Raises ValueError for a value with a comma or a line break: it would become a variable of its own.
    """
    text = str(value)
    if re.search(r"[,\r\n]", text):
        raise ValueError(f"{name} cannot hold {text!r}")
    return f"{'__' if inherited else ''}{name}={text}"


# ---- OV_NEXT ---------------------------------------------------------------------------------------

#: What `[line] next` can carry out.
KINDS: Final = ("queue", "partner", "ring", "message", "done")

#: `OV_NEXT` taken apart by `[line] next`, in the order of `NextStep`'s fields.
STEP_VARIABLES: Final = tuple(
    f"OV_{name}"
    for name in (
        *("KIND", "LANGUAGE", "DEPARTMENT", "TARGET", "SECONDS", "URGENCY", "CALL", "POSITION"),
        *("PARTNER", "PARTNER_SECONDS"),
    )
)

#: Values of `OV_NEXT` that are one word.
DONE: Final = "done"
#: `trace`: the caller wants a person.
SUPPORT: Final = "support"
#: `offered`: the queue rings its next member.
ANOTHER: Final = "another"
#: `place`: the end of the queue.
END: Final = "end"


@dataclass(frozen=True, kw_only=True)
class NextStep:
    """The decision of `line`, `waiting` and `callback` (join). Times are whole seconds."""

    #: One of `KINDS`.
    kind: str
    language: str
    department: str
    #: A queue's name, or what Dial rings; empty for a message.
    target: str
    seconds: int
    urgent: bool = False
    call_id: str
    #: The place in the queue, from 1; None for its end.
    position: int | None = None
    #: What Dial rings first, and for how long; empty and None without a partner.
    partner: str = ""
    partner_s: int | None = None

    def text(self) -> str:
        """Return the value of `OV_NEXT`. Raises ValueError when a part holds a comma: it would shift the rest."""
        parts = [self.kind, self.language, self.department, self.target, str(self.seconds)]
        parts += ["urgent" if self.urgent else "ordinary", self.call_id, _digits(self.position)]
        if self.partner:
            parts += [self.partner, _digits(self.partner_s)]
        if any("," in part for part in parts):
            raise ValueError(f"no part of a step may hold a comma: {parts}")
        return ",".join(parts)

    @classmethod
    def read(cls, text: str) -> Self:
        """Return the step that `text` wrote. Raises ValueError for anything else."""
        parts = text.split(",")
        if len(parts) not in (8, 10) or parts[0] not in KINDS or parts[5] not in ("urgent", "ordinary"):
            raise ValueError(f"not a step: {text!r}")
        return cls(
            kind=parts[0],
            language=parts[1],
            department=parts[2],
            target=parts[3],
            seconds=int(parts[4]),
            urgent=parts[5] == "urgent",
            call_id=parts[6],
            position=_number(parts[7]),
            partner=parts[8] if len(parts) > 8 else "",
            partner_s=_number(parts[9]) if len(parts) > 9 else None,
        )


@dataclass(frozen=True, kw_only=True)
class Whom:
    """The answer to `callback` (dial): one of our phones by its name, or a number outside by its digits."""

    way: Literal["phone", "outside"]
    name: str

    def text(self) -> str:
        """Return the value of `OV_NEXT`. Raises ValueError for a name with a comma."""
        if "," in self.name:
            raise ValueError(f"no name may hold a comma: {self.name!r}")
        return f"{self.way},{self.name}"

    @classmethod
    def read(cls, text: str) -> Self:
        """Return whom `text` wrote. Raises ValueError for anything else."""
        way, _, name = text.partition(",")
        if way not in ("phone", "outside") or not name:
            raise ValueError(f"nobody to dial: {text!r}")
        return cls(way="phone" if way == "phone" else "outside", name=name)


# ---- Events ----------------------------------------------------------------------------------------


class Told(StrEnum):
    """The dialplan's own events (`UserEvent`)."""

    LEG = "OvLeg"
    REFUSED = "OvRefused"
    TRANSFER = "OvTransfer"


#: The fields of each, as the dialplan writes them.
FIELDS: Final[Mapping[Told, tuple[str, ...]]] = {
    Told.LEG: ("Linked", "Phone", "CallID", "Codec", "Rtcp", "Remote", "Device", "Kind"),
    Told.REFUSED: ("Reason", "Account", "Source"),
    Told.TRANSFER: ("Step", "By", "To"),
}


def fields_of(event: Mapping[str, str], told: Told) -> dict[str, str] | None:
    """Return the fields of one of our events by their names in lower case, "" for those left out; None for others."""
    if event.get("userevent") != told:
        return None
    return {name: event.get(name, "") for name in map(str.lower, FIELDS[told])}


# ---- Files -----------------------------------------------------------------------------------------

#: One leg's uniqueid, or a linkedid: what Asterisk or we named it.
_UNIQUEID = r"[\w.-]{1,150}"
_SECONDS = r"\d{9,11}"


@dataclass(frozen=True, kw_only=True)
class MessageFile:
    """A voice message's recording, by its name: `DESK_DEPARTMENT_LANGUAGE_URGENCY__UNIQUEID`, without ending."""

    desk: str
    department: str
    language: str
    #: urgent, ordinary, or unasked when the menu was away.
    urgency: str
    uniqueid: str
    #: Only in names that an earlier version wrote; since then a note beside the recording has it.
    number: str = ""

    _NAME = re.compile(r"([a-z0-9-]+)_([a-z0-9-]+)_([a-z]{2})_(urgent|ordinary|unasked)_(\d*)_([\w.-]+)")

    def stem(self) -> str:
        """Return the file's name without its ending."""
        return "_".join((self.desk, self.department, self.language, self.urgency, self.number, self.uniqueid))

    @classmethod
    def read(cls, stem: str) -> Self | None:
        """Return what a name says; None when the dialplan does not name files so."""
        if (found := cls._NAME.fullmatch(stem)) is None:
            return None
        desk, department, language, urgency, number, uniqueid = found.groups()
        return cls(
            desk=desk,
            department=department,
            language=language,
            urgency=urgency,
            uniqueid=uniqueid,
            number=number,
        )


#: The ending of the note beside a recording, until the message is entered.
NOTE_SUFFIX: Final = ".from"


def caller_note(number: str) -> str:
    """Return the note beside a recording; `number` in digits, "" for an anonymous caller."""
    return f"number:{number}"


def number_in(note: str) -> str:
    """Return the digits of a note beside a recording, twenty at most."""
    return "".join(re.findall(r"[0-9]", note))[:20]


@dataclass(frozen=True, kw_only=True)
class LastCall:
    """A phone's last answered call, in Asterisk's database under `ov/PHONE`, `ov-other/PHONE` for another device."""

    #: Seconds since 1970.
    ended: int
    linkedid: str
    uniqueid: str
    #: Of its SIP dialogue.
    call_id: str
    codec: str
    remote: str
    their_number: str
    #: Address and port of the device.
    device: str
    #: `CHANNEL(rtcp,all,audio)`.
    figures: str

    def text(self) -> str:
        """Return it as the dialplan writes it."""
        return "|".join(str(part) for part in astuple(self))

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Return the call; None for what is not one."""
        parts = text.strip().split("|", 8)
        if len(parts) != 9 or not re.fullmatch(_SECONDS, parts[0]):
            return None
        return cls(
            ended=int(parts[0]),
            linkedid=parts[1],
            uniqueid=parts[2],
            call_id=parts[3],
            codec=parts[4],
            remote=parts[5],
            their_number=parts[6],
            device=parts[7],
            figures=parts[8],
        )


@dataclass(frozen=True, kw_only=True)
class TraceFile:
    """A report by *57 that the dialplan took alone, in `UNIQUEID.trace`."""

    phone: str
    report_id: str
    #: Seconds since 1970.
    at: int
    #: The digits that the caller was told; "" for none.
    reference: str
    #: As `LastCall` writes it.
    last: str

    _TEXT = re.compile(rf"v1\|([A-Za-z0-9_.-]{{1,40}})\|({_UNIQUEID})\|({_SECONDS})\|(\d{{0,8}})\|(.*)", re.S)

    def text(self) -> str:
        """Return it as the dialplan writes it."""
        return "|".join(("v1", self.phone, self.report_id, str(self.at), self.reference, self.last))

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Return the report; None when the dialplan does not write such a file."""
        if (found := cls._TEXT.fullmatch(text.strip())) is None:
            return None
        phone, report_id, at, reference, last = found.groups()
        return cls(phone=phone, report_id=report_id, at=int(at), reference=reference, last=last)


def put_through_at(text: str) -> int | None:
    """Return when a customer was put through, in seconds since 1970; None when the marker's text is no such time."""
    found = re.fullmatch(r"\d{1,12}", text.strip())
    if found is not None:
        return int(found[0])
    return None


@dataclass(frozen=True, kw_only=True)
class BegunCall:
    """One line of `begun.csv`: a call as it begins."""

    uniqueid: str
    channel: str
    #: Seconds since 1970.
    began: int
    desk: str
    #: Digits, perhaps with a plus before them; "" for an anonymous caller.
    number: str

    _TEXT = re.compile(rf"({_UNIQUEID})\|([^|\n]{{1,150}})\|({_SECONDS})\|([a-z0-9-]{{1,40}})\|(\+?\d{{0,20}})")

    def text(self) -> str:
        """Return the line, without its end."""
        return "|".join(str(part) for part in astuple(self))

    @classmethod
    def read(cls, line: str) -> Self | None:
        """Return the call; None when the dialplan does not write such a line."""
        if (found := cls._TEXT.fullmatch(line)) is None:
            return None
        uniqueid, channel, began, desk, number = found.groups()
        return cls(uniqueid=uniqueid, channel=channel, began=int(began), desk=desk, number=number)


#: The columns of `calls.csv`, by Asterisk's names (`CDR(…)`).
CDR_COLUMNS: Final = (
    *("linkedid", "uniqueid", "channel", "src", "userfield"),
    *("start", "end", "disposition", "dstchannel", "lastapp"),
)


def cdr_rows(text: str) -> Iterator[dict[str, str]]:
    """Yield the lines of `calls.csv` by column; those with more or fewer columns are left out."""
    for row in csv.reader(text.splitlines()):
        if len(row) == len(CDR_COLUMNS):
            yield dict(zip(CDR_COLUMNS, row, strict=True))


def cdr_line(values: Mapping[str, str]) -> str:
    """Return one line of `calls.csv`, as `CSV_QUOTE` makes it. Raises KeyError for a column left out."""
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL).writerow([values[name] for name in CDR_COLUMNS])
    return out.getvalue().rstrip("\r\n") + "\n"


@dataclass(frozen=True, kw_only=True)
class UserField:
    """`CDR(userfield)`: desk/department/call id, as far as the call had come."""

    desk: str
    department: str | None = None
    call_id: str | None = None

    def text(self) -> str:
        """Return it as the dialplan writes it."""
        if self.department is None and self.call_id is None:
            return self.desk
        return f"{self.desk}/{self.department or ''}/{self.call_id or ''}"

    @classmethod
    def read(cls, text: str) -> Self:
        """Return the parts that are there."""
        desk, department, call_id = (*text.split("/"), "", "")[:3]
        return cls(desk=desk, department=department or None, call_id=call_id or None)


def _digits(value: int | None) -> str:
    if value is None:
        return ""
    return str(value)


def _number(text: str) -> int | None:
    if text:
        return int(text)
    return None
