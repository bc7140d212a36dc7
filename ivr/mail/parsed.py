"""Reads an e-mail, of which nothing is to be trusted: not its charsets, not its structure, not its size. Pure."""

from __future__ import annotations

import codecs
import email
import email.policy
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.utils import getaddresses
from html import unescape
from typing import Final

from ivr.errors import OmnivigilError

#: The largest e-mail, in bytes.
LARGEST: Final = 10 * 1024 * 1024
#: What is more complex is no letter of a person: parts, parts within parts, lines, bytes of headers.
_PARTS: Final = 100
_DEPTH: Final = 12
_LINES: Final = 250_000
_HEADERS: Final = 256 * 1024
#: Characters that are kept of a text, and bytes that are read for it.
_TEXT: Final = 100_000
_READ: Final = 500_000
#: Characters of a header that are looked at.
_HEADER: Final = 4_000
_REFERENCES: Final = 16_000

_ADDRESS: Final = re.compile(r"[^@\s<>,;:\"()\[\]\\\x00-\x1f\x7f]{1,64}@[^@\s<>,;:\"()\[\]\\\x00-\x1f\x7f]{1,189}")
_MESSAGE_ID: Final = re.compile(r"<[!-;=?-~]{1,248}>")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u0085\u2028\u2029]")
_KEYED: Final = ("from", "to", "date", "message-id", "subject")


class Unreadable(OmnivigilError):
    """This e-mail cannot be taken."""


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """What came with the text; `size` is in bytes."""

    name: str
    type: str
    size: int


@dataclass(frozen=True, kw_only=True)
class Mail:
    """What is made of an e-mail. Texts hold no control characters but line breaks and tabs."""

    #: Of the same e-mail always the same: SHA-256 of what a second delivery does not change, in hex.
    key: str
    #: In lower case.
    sender: str
    sender_name: str
    subject: str
    #: With its angle brackets, when it is well-formed.
    message_id: str | None
    #: In-Reply-To and References.
    references: str
    body: str
    attachments: tuple[Attachment, ...]
    #: Of the headers that tell of programs, by their names in lower case.
    marks: dict[str, str]
    #: How many servers it came by.
    hops: int


_MARKS: Final = ("auto-submitted", "precedence", "list-id", "x-autoreply", "x-autorespond")


def parse(content: bytes) -> Mail:
    """Raises Unreadable, with a reason that the sender may read."""
    _refuse_bombs(content)
    try:
        message = email.message_from_bytes(content, policy=email.policy.compat32)
        headers = _headers(message)
        texts, attachments = _contents(message)
    except (RecursionError, ValueError, LookupError, AssertionError, TypeError, AttributeError) as error:
        # The standard library's parser is lenient, but not with everything.
        raise Unreadable(problem="its structure is damaged") from error
    sender, name = _sender(headers)
    found = _MESSAGE_ID.search(headers.get("message-id", [""])[0])
    references = " ".join([*headers.get("in-reply-to", []), *headers.get("references", [])])
    return Mail(
        key=_key(content, headers),
        sender=sender,
        sender_name=name,
        subject=_line(_decoded(headers.get("subject", [""])[0])),
        message_id=found[0] if found else None,
        references=references[-_REFERENCES:],
        body=texts,
        attachments=tuple(attachments),
        marks={mark: _line(headers[mark][0]) for mark in _MARKS if mark in headers},
        hops=len(headers.get("received", [])),
    )


def _refuse_bombs(content: bytes) -> None:
    """What would take long to read is refused before it is."""
    if len(content) > LARGEST:
        raise Unreadable(problem=f"it is larger than {LARGEST} bytes")
    head = re.search(rb"\r?\n\r?\n", content)
    if (head.start() if head else len(content)) > _HEADERS:
        raise Unreadable(problem="its headers are too large")
    if content.count(b"\n") > _LINES:
        raise Unreadable(problem="it has too many lines")
    if len(re.findall(rb"boundary\*?0?\*?\s*=", content, re.IGNORECASE)) > 2 * _DEPTH:
        raise Unreadable(problem="it has too many parts within parts")


def _headers(message: Message) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in message.raw_items():
        raw = str(value).encode("utf-8", "surrogateescape")
        text = _text_of(raw[:_REFERENCES], None)
        found.setdefault(str(name).lower(), []).append(re.sub(r"\r?\n[ \t]*", " ", text).strip())
    return found


def _sender(headers: dict[str, list[str]]) -> tuple[str, str]:
    given = headers.get("from", [])
    # Encoded words are read after the address is found, for they may hold what looks like one.
    found = [(name, address) for name, address in getaddresses([one[:_HEADER] for one in given]) if address]
    if len(given) != 1 or len(found) != 1 or not _ADDRESS.fullmatch(found[0][1]):
        raise Unreadable(problem="it has no single From address")
    return found[0][1].lower(), _line(_decoded(found[0][0]))[:200]


def _decoded(text: str) -> str:
    """A header's words (RFC 2047)."""
    try:
        parts = decode_header(text[:_HEADER])
    except (HeaderParseError, ValueError):
        return text[:_HEADER]
    return "".join(
        part if isinstance(part, str) else _text_of(part, charset if charset else None) for part, charset in parts
    )


def _text_of(raw: bytes, charset: str | None) -> str:
    """In the charset it says it has; else in the one it must be in."""
    for name in (charset, "utf-8"):
        try:
            if name is not None and codecs.lookup(name).name in _TEXT_CODECS:
                return raw.decode(name)
        except (LookupError, ValueError):
            continue
    return raw.decode("windows-1252", "replace")


#: Other codecs of Python's are no charsets of e-mails, and some unpack.
_TEXT_CODECS: Final = frozenset(
    codecs.lookup(name).name
    for name in (
        *("ascii", "utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7"),
        *(f"iso-8859-{number}" for number in (*range(1, 12), *range(13, 17))),
        *(f"cp{number}" for number in (437, 850, 852, 858, 863, 866, 874, 932, 949, 950, *range(1250, 1259))),
        *("koi8-r", "koi8-u", "gb2312", "gbk", "gb18030", "big5", "euc-jp", "iso-2022-jp", "shift_jis", "euc-kr"),
        *("mac-roman",),
    )
)


def _contents(message: Message) -> tuple[str, list[Attachment]]:
    plain: list[str] = []
    html: list[str] = []
    attachments: list[Attachment] = []
    left = _READ
    for part in _leaves(message, 0, [_PARTS]):
        kind = part.get_content_type()
        name = _line(_decoded(str(part.get_filename() or "")))[:200]
        payload = part.get_payload(decode=True) if not part.is_multipart() else b""
        raw = payload if isinstance(payload, bytes) else b""
        attached = part.get_content_disposition() == "attachment" or name or not kind.startswith("text/")
        if attached:
            attachments.append(Attachment(name=name or kind, type=kind[:100], size=len(raw)))
        elif kind == "text/html":
            html.append(_from_html(_text_of(raw[:left], _charset(part))))
            left -= min(left, len(raw))
        else:
            plain.append(_text_of(raw[:left], _charset(part)))
            left -= min(left, len(raw))
    texts = [text for text in map(_tidy, plain) if text] or [text for text in map(_tidy, html) if text]
    return "\n\n".join(texts)[:_TEXT], attachments


def _leaves(part: Message, depth: int, left: list[int]) -> Iterator[Message]:
    left[0] -= 1
    if depth > _DEPTH or left[0] < 0:
        raise Unreadable(problem="it has too many parts")
    # An e-mail within the e-mail is an attachment, whatever it says.
    if part.is_multipart() and part.get_content_maintype() == "multipart":
        for inner in part.get_payload():
            if isinstance(inner, Message):
                yield from _leaves(inner, depth + 1, left)
    else:
        yield part


def _charset(part: Message) -> str | None:
    try:
        return part.get_content_charset()
    except (LookupError, ValueError):
        return None


_TAG: Final = re.compile(r"<(?:(/?)([a-zA-Z][a-zA-Z0-9]{0,20})(?=[\s/>])|[!?])")
_SILENT: Final = frozenset({"script", "style", "head", "title", "template"})
_BREAKS: Final = frozenset(
    {"br", "p", "div", "tr", "li", "h1", "h2", "h3", "h4", "table", "ul", "ol", "blockquote", "pre"}
)


def _from_html(text: str) -> str:
    """The words of HTML, in time that grows with its length only: the standard library's parser takes far longer."""
    found: list[str] = []
    at, silent = 0, ""
    while at < len(text):
        tag = _TAG.search(text, at)
        opening = len(text) if tag is None else tag.start()
        if not silent and opening > at:
            found.append(re.sub(r"\s+", " ", text[at:opening]))
        if tag is None:
            break
        end_of_tag = "-->" if text.startswith("!--", opening + 1) else ">"
        end = text.find(end_of_tag, opening + 1)
        if end < 0:
            break
        at = end + len(end_of_tag)
        closes, name = tag[1] == "/", (tag[2] or "").lower()
        if silent:
            # A head that is never closed must not silence everything.
            silent = "" if (closes and name == silent) or name == "body" else silent
        elif name in _SILENT:
            silent = "" if closes else name
        elif name in _BREAKS:
            found.append("\n")
    words = unescape("".join(found)).replace("\xa0", " ")
    return "\n".join(" ".join(line.split()) for line in words.split("\n"))


def _tidy(text: str) -> str:
    text = _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = text.encode("utf-8", "replace").decode("utf-8")
    lines = [line.rstrip() for line in text.split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _line(text: str) -> str:
    text = text.encode("utf-8", "replace").decode("utf-8")
    return " ".join(_CONTROL.sub(" ", text).split())[:500]


def _key(content: bytes, headers: dict[str, list[str]]) -> str:
    """Servers on the way add headers; sender, Message-ID and body stay."""
    digest = hashlib.sha256()
    for name in _KEYED:
        digest.update(f"{name}:{headers.get(name, [])}\n".encode("utf-8", "replace"))
    head = re.search(rb"\r?\n\r?\n", content)
    digest.update(content[head.end() :] if head else b"")
    return digest.hexdigest()
