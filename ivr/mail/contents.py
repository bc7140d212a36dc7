"""What an e-mail's parts hold: its text as a person reads it, its attachments, and what kind of thing it is. Pure."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import Message
from enum import IntEnum
from functools import partial
from typing import Any, Final

from ivr.errors import OmnivigilError
from ivr.mail import cms, tnef
from ivr.mail.charsets import decoded, one_line, text_of, tidy
from ivr.mail.html import from_enriched, from_html
from ivr.mail.invitations import ANSWERS, Invitation, invitation
from ivr.notify.config import LARGEST_MAIL

#: What is more complex is no letter of a person's: parts, and parts within parts.
_PARTS: Final = 200
_DEPTH: Final = 12
#: Bytes that are read for the text, and characters that are kept of it.
_READ: Final = 500_000
_TEXT: Final = 100_000
#: Bytes of one header that are kept: the standard library reads parameters in quadratic time.
_CONTENT_HEADER: Final = 4_000
_HEADER: Final = 16_000

#: What the ticket says of it, to staff of either language.
ENCRYPTED: Final = "[Message chiffré : nous ne pouvons pas le lire. / Encrypted message: we cannot read it.]"


class Unreadable(OmnivigilError):
    """This e-mail cannot be read."""


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """What came with the text; `size` is in bytes."""

    name: str
    type: str
    size: int


@dataclass(frozen=True, kw_only=True)
class Found:
    """An attachment, and how to read it."""

    name: str
    type: str
    read: Callable[[], bytes]

    def data(self) -> bytes:
        """Its bytes; none when what was sent of it is damaged."""
        try:
            return self.read()
        except DAMAGED:
            return b""


@dataclass(kw_only=True)
class Contents:
    """What the parts hold."""

    text: str = ""
    attachments: list[Found] = field(default_factory=list)
    #: Some of it only its recipient can read.
    encrypted: bool = False
    #: It reports what became of another e-mail: delivered, refused, read (RFC 3462, RFC 8098).
    report: bool = False
    #: The calendars within.
    invitations: list[Invitation] = field(default_factory=list)
    #: A thumb up of a mail program's.
    reaction: bool = False

    @property
    def answers_invitation(self) -> bool:
        """Return whether it is an answer of a calendar's."""
        return bool(self.invitations) and all(one.method in ANSWERS for one in self.invitations)


class _Bounded(email.policy.Compat32):
    """Keeps of each header what is looked at: of References the end, which is what was answered."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        if name.lower() == "references":
            return name, value[-_HEADER:]
        return name, value[: _CONTENT_HEADER if name.lower().startswith("content-") else _HEADER]

    def header_fetch_parse(self, name: str, value: str) -> str:
        """Bytes that are not ASCII, as in raw names of files, are read and not replaced."""
        return text_of(str(value).encode("utf-8", "surrogateescape"), None)


POLICY: Final = _Bounded()


def message_of(content: bytes) -> Message[str, str]:
    """The e-mail's structure. Raises what `DAMAGED` holds."""
    return email.message_from_bytes(content, policy=POLICY)


#: The standard library's parser is lenient, but not with everything.
DAMAGED: Final = (RecursionError, ValueError, LookupError, AssertionError, TypeError, AttributeError)


class _Rank(IntEnum):
    """Which alternative is the most like what a person reads; the highest is shown."""

    NOTHING = 0
    OTHER = 1
    ENRICHED = 2
    HTML = 3
    PLAIN = 4


@dataclass(frozen=True)
class _Text:
    text: str = ""
    rank: _Rank = _Rank.NOTHING


_NOT_SHOWN: Final = _Text()


def contents(message: Message[str, str]) -> Contents:
    """Read the parts. Raises Unreadable when there are too many, and what `DAMAGED` holds."""
    walk = _Walk()
    text = walk.text_of(message, 0).text
    text = text if text.strip() else walk.wrapped
    if walk.found.encrypted or "-----BEGIN PGP MESSAGE-----" in text[:_TEXT]:
        walk.found.encrypted = True
        text = f"{text}\n\n{ENCRYPTED}"
    told = [one.summary for one in walk.found.invitations if one.method not in ANSWERS]
    walk.found.text = tidy("\n\n".join([_without_armour(text), *told]))[:_TEXT]
    return walk.found


_ARMOUR: Final = re.compile(r"^-----BEGIN PGP SIGNED MESSAGE-----\r?\n(?:[A-Za-z]{1,20}: [^\n]{0,200}\n){0,5}", re.M)
_SIGNATURE: Final = re.compile(r"^-----BEGIN PGP SIGNATURE-----(?:(?!-----END)[\s\S]){0,20000}", re.M)


def _without_armour(text: str) -> str:
    """Without what a signature of PGP's puts around the words (RFC 9580 section 7)."""
    if not _ARMOUR.search(text[:_TEXT]):
        return text
    text = _SIGNATURE.sub("", _ARMOUR.sub("", text[:_TEXT], count=1), count=1)
    return text.replace("-----END PGP SIGNATURE-----", "")


class _Walk:
    """Goes through the parts once."""

    def __init__(self) -> None:
        self.found = Contents()
        #: The text in a winmail.dat: mostly what is beside it too.
        self.wrapped = ""
        self._parts = _PARTS
        self._bytes = _READ

    def text_of(self, part: Message[str, str], depth: int) -> _Text:
        """The text of a part and of those within; everything else is put aside."""
        self._parts -= 1
        if depth > _DEPTH or self._parts < 0:
            raise Unreadable(problem="it has too many parts")
        kind = part.get_content_type()
        if part.is_multipart() and part.get_content_maintype() == "multipart":
            return self._of_several(part, kind, depth)
        if kind in ("message/rfc822", "message/global") and part.is_multipart():
            return self._of_forwarded(part, depth)
        if kind in ("message/delivery-status", "message/disposition-notification") and depth == 0:
            self.found.report = True
        return self._of_one(part, kind, depth)

    def _of_several(self, part: Message[str, str], kind: str, depth: int) -> _Text:
        self.found.report |= kind == "multipart/report"
        self.found.encrypted |= kind == "multipart/encrypted"
        inner = [self.text_of(one, depth + 1) for one in _within(part)]
        if kind == "multipart/alternative":
            return max(inner, key=lambda one: (bool(one.text.strip()), one.rank), default=_NOT_SHOWN)
        shown = [one for one in inner if one.text.strip()]
        if not shown:
            return _NOT_SHOWN
        # A part in HTML between two in plain text is HTML among alternatives.
        return _Text("\n\n".join(one.text for one in shown), min(one.rank for one in shown))

    def _of_forwarded(self, part: Message[str, str], depth: int) -> _Text:
        """An e-mail within the e-mail: its text is told, and it is an attachment too, with what came with it."""
        inner = next(_within(part), None)
        if inner is None:
            return _NOT_SHOWN
        subject = one_line(decoded(_header(inner, "subject")))
        self._attach(part, f"{subject[:100] or 'message'}.eml", inner.as_bytes)
        report, answers = self.found.report, list(self.found.invitations)
        told = self.text_of(inner, depth + 1)
        # What a forwarded e-mail is, the one that it came in is not.
        self.found.report, self.found.invitations = report, answers
        lines = [f"De : {one_line(decoded(_header(inner, 'from')))}", f"Date : {one_line(_header(inner, 'date'))}"]
        heading = "\n".join(["---------- Message transféré ----------", *lines, f"Objet : {subject}"])
        return _Text(f"{heading}\n\n{told.text.strip()}", max(told.rank, _Rank.OTHER))

    def _of_one(self, part: Message[str, str], kind: str, depth: int) -> _Text:
        name = _filename(part)
        attached = part.get_content_disposition() == "attachment" or bool(name)
        if kind == "text/calendar" or (name.lower().endswith(".ics") and kind.startswith(("text/", "application/"))):
            return self._of_calendar(part, name, attached)
        if kind in _SMIME or name.lower().endswith(".p7m"):
            return self._of_envelope(part, name, depth)
        if kind in _TNEF or name.lower() == "winmail.dat":
            return self._of_winmail(part, name)
        if kind in ("application/pgp-encrypted", "application/x-microsoft-rpmsg-message"):
            self.found.encrypted = True
        if kind == "text/vnd.google.email-reaction+json":
            self.found.reaction = True
            return _NOT_SHOWN
        rank = _SHOWN.get(kind)
        if attached or rank is None:
            self._attach(part, name or kind, lambda: _payload(part))
            return _NOT_SHOWN
        text = self._read(part)
        if rank is _Rank.PLAIN:
            return _Text(text, rank)
        return _Text(from_enriched(text) if rank is _Rank.ENRICHED else from_html(text), rank)

    def _read(self, part: Message[str, str]) -> str:
        raw = _payload(part)
        text = text_of(raw[: self._bytes], _charset(part))
        self._bytes -= min(self._bytes, len(raw))
        return text

    def _of_calendar(self, part: Message[str, str], name: str, attached: bool) -> _Text:
        method = part.get_param("method")
        found = invitation(self._read(part), method if isinstance(method, str) else None)
        if found is not None:
            self.found.invitations.append(found)
        if attached or found is None:
            self._attach(part, name or "text/calendar", lambda: _payload(part))
        return _NOT_SHOWN

    def _of_envelope(self, part: Message[str, str], name: str, depth: int) -> _Text:
        raw = _payload(part)
        self._attach(part, name or "smime.p7m", lambda: raw)
        try:
            inner = cms.opened(raw)
        except cms.Encrypted:
            self.found.encrypted = True
            return _NOT_SHOWN
        except cms.NoEnvelope:
            return _NOT_SHOWN
        refuse_bombs(inner)
        return self.text_of(message_of(inner), depth + 1)

    def _of_winmail(self, part: Message[str, str], name: str) -> _Text:
        raw = _payload(part)
        try:
            found = tnef.read(raw)
        except tnef.NoTnef:
            self._attach(part, name or "winmail.dat", lambda: raw)
            return _NOT_SHOWN
        self.found.report |= found.kind.upper().startswith("REPORT.")
        for one in found.files[:_PARTS]:
            if re.fullmatch(r"[\w.+-]{1,60}/[\w.+-]{1,60}", one.type):
                kind = one.type
            else:
                kind = "application/octet-stream"
            name = one_line(one.name)[:200] or kind
            self.found.attachments.append(Found(name=name, type=kind, read=partial(bytes, one.data)))
        self.wrapped = self.wrapped or found.text[: self._bytes]
        return _NOT_SHOWN

    def _attach(self, part: Message[str, str], name: str, read: Callable[[], bytes]) -> None:
        self.found.attachments.append(Found(name=name, type=part.get_content_type()[:100], read=read))


_SMIME: Final = ("application/pkcs7-mime", "application/x-pkcs7-mime")
_TNEF: Final = ("application/ms-tnef", "application/vnd.ms-tnef")
_SHOWN: Final = {
    "text/plain": _Rank.PLAIN,
    "text/markdown": _Rank.PLAIN,
    "text/html": _Rank.HTML,
    "application/xhtml+xml": _Rank.HTML,
    "text/enriched": _Rank.ENRICHED,
    "text/richtext": _Rank.ENRICHED,
    "text/x-amp-html": _Rank.OTHER,
}


def _within(part: Message[str, str]) -> Iterator[Message[str, str]]:
    inner: Any = part.get_payload()
    if isinstance(inner, list):
        yield from (one for one in inner if isinstance(one, Message))


def _header(part: Message[str, str], name: str) -> str:
    found = next((value for key, value in part.raw_items() if str(key).lower() == name), "")
    return text_of(str(found).encode("utf-8", "surrogateescape"), None)


def _filename(part: Message[str, str]) -> str:
    try:
        return one_line(decoded(str(part.get_filename() or "")))[:200]
    except (LookupError, ValueError, TypeError):
        return ""


def _payload(part: Message[str, str]) -> bytes:
    if not part.is_multipart():
        payload = part.get_payload(decode=True)
    else:
        payload = part.as_bytes()
    if isinstance(payload, bytes):
        return payload
    return b""


def _charset(part: Message[str, str]) -> str | None:
    try:
        return part.get_content_charset()
    except (LookupError, ValueError):
        return None


#: The largest e-mail, in bytes, unless the line is told otherwise.
LARGEST: Final = LARGEST_MAIL
_LINES: Final = 900_000
_HEADERS: Final = 256 * 1024
#: Lines that may begin a part, boundaries that are named, and those times the lines that are compared with them.
_BEGINNINGS: Final = 20_000
_BOUNDARIES: Final = 400
_COMPARED: Final = 12_000_000
#: Lines of a report, each of which may be a part to the standard library.
_REPORT_LINES: Final = 50_000


def refuse_bombs(content: bytes, largest: int = LARGEST) -> None:
    """What would take long to read is refused before it is. Raises Unreadable."""
    if len(content) > largest:
        raise Unreadable(problem=f"it is larger than {largest} bytes")
    head = re.search(rb"\r?\n\r?\n", content)
    if (head.start() if head else len(content)) > _HEADERS:
        raise Unreadable(problem="its headers are too large")
    lines = content.count(b"\n") + content.count(b"\r")
    if lines > 2 * _LINES:
        raise Unreadable(problem="it has too many lines")
    boundaries = len(re.findall(rb"boundary\*?0?\*?\s*=", content, re.IGNORECASE))
    if boundaries > _BOUNDARIES or boundaries * lines > 2 * _COMPARED or content.count(b"\n--") > _BEGINNINGS:
        raise Unreadable(problem="it has too many parts within parts")
    if lines > 2 * _REPORT_LINES and b"message/delivery-status" in content.lower():
        raise Unreadable(problem="its report is too long")
