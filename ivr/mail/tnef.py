"""Reads winmail.dat, in which Outlook wraps an e-mail: MS-OXTNEF. Pure, and bounded.

The libraries that read this are no longer kept; RTF, which is most of the work, is read by libraries that are.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from compressed_rtf import decompress
from striprtf.striprtf import rtf_to_text

from ivr.mail.charsets import text_of
from ivr.mail.html import from_html

_SIGNATURE: Final = 0x223E9F78
_BODY, _TITLE, _DATA, _RENDERING, _MESSAGE_PROPS, _ATTACHMENT_PROPS, _CODEPAGE, _CLASS = (
    *(0x800C, 0x8010, 0x800F, 0x9002, 0x9003, 0x9005, 0x9007, 0x8008),
)
#: MAPI properties ([MS-OXPROPS]).
_PR_BODY, _PR_HTML, _PR_RTF, _PR_LONG_NAME, _PR_NAME, _PR_MIME, _PR_DATA = (
    *(0x1000, 0x1013, 0x1009, 0x3707, 0x3001, 0x370E, 0x3701),
)
_ATTRIBUTES: Final = 2_000
_PROPERTIES: Final = 2_000
#: Bytes of compressed RTF, and of RTF, that are read.
_RTF: Final = 300_000
_FIXED: Final = {0x02: 4, 0x03: 4, 0x04: 4, 0x05: 8, 0x06: 8, 0x07: 8, 0x0A: 4, 0x0B: 4, 0x14: 8, 0x40: 8, 0x48: 16}
_VARIABLE: Final = frozenset({0x0D, 0x1E, 0x1F, 0x102})


class NoTnef(ValueError):
    """These bytes are not TNEF."""


@dataclass(kw_only=True)
class Wrapped:
    """A file within."""

    name: str = ""
    type: str = "application/octet-stream"
    data: bytes = b""


@dataclass(kw_only=True)
class Winmail:
    """What was wrapped."""

    text: str
    files: list[Wrapped]
    #: The class of the message, as IPM.Note or REPORT.IPM.Note.IPNRN; empty when it has none.
    kind: str


def read(raw: bytes) -> Winmail:
    """Return what is in it, as far as it can be read. Raises NoTnef."""
    if len(raw) < 6 or struct.unpack_from("<I", raw)[0] != _SIGNATURE:
        raise NoTnef
    charset = "cp1252"
    plain, kind = "", ""
    properties: dict[int, bytes] = {}
    files: list[Wrapped] = []
    for attribute, data in _attributes(raw):
        if attribute == _CODEPAGE and len(data) >= 4:
            charset = f"cp{struct.unpack_from('<I', data)[0]}"
        elif attribute == _BODY:
            plain = text_of(data.rstrip(b"\x00"), charset)
        elif attribute == _CLASS:
            kind = text_of(data.rstrip(b"\x00")[:200], charset)
        elif attribute == _MESSAGE_PROPS:
            properties = dict(_properties(data))
        elif attribute == _RENDERING:
            files.append(Wrapped())
        elif files and attribute == _TITLE:
            files[-1].name = files[-1].name or text_of(data.rstrip(b"\x00")[:500], charset)
        elif files and attribute == _DATA:
            files[-1].data = data
        elif files and attribute == _ATTACHMENT_PROPS:
            _describe(files[-1], dict(_properties(data)), charset)
    text = plain.strip() or _body(properties, charset)
    return Winmail(text=text, files=files, kind=kind)


def _attributes(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """Each attribute's name and value; what is cut off ends it."""
    at = 6
    for _ in range(_ATTRIBUTES):
        if at + 9 > len(raw):
            return
        _, name, _, length = struct.unpack_from("<BHHI", raw, at)
        data = raw[at + 9 : at + 9 + length]
        if len(data) < length:
            return
        yield name, data
        at += 9 + length + 2


def _properties(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Each property's id and its first value."""
    try:
        (count,) = struct.unpack_from("<I", data)
        at = 4
        for _ in range(min(count, _PROPERTIES)):
            kind, name = struct.unpack_from("<HH", data, at)
            at += 4
            if name >= 0x8000:
                at = _after_name(data, at)
            several, kind = bool(kind & 0x1000), kind & 0x0FFF
            values = 1
            if several or kind in _VARIABLE:
                (values,) = struct.unpack_from("<I", data, at)
                at += 4
            for nth in range(min(values, _PROPERTIES)):
                size = _FIXED.get(kind)
                if kind in _VARIABLE:
                    (size,) = struct.unpack_from("<I", data, at)
                    at += 4
                if size is None or at + size > len(data):
                    return
                if nth == 0:
                    yield name, data[at : at + size]
                at += size + (-size % 4)
    except struct.error:
        return


def _after_name(data: bytes, at: int) -> int:
    """Return where a named property's value begins."""
    (by,) = struct.unpack_from("<I", data, at + 16)
    (number,) = struct.unpack_from("<I", data, at + 20)
    return at + 24 + (number + (-number % 4) if by else 0)


def _describe(file: Wrapped, properties: dict[int, bytes], charset: str) -> None:
    for name in (_PR_NAME, _PR_LONG_NAME):
        if name in properties:
            file.name = _string(properties[name][:1_000], charset)
    if _PR_MIME in properties:
        file.type = _string(properties[_PR_MIME][:200], "ascii")
    if _PR_DATA in properties and not file.data:
        file.data = properties[_PR_DATA]


def _string(raw: bytes, charset: str) -> str:
    """A property's text, which is UTF-16 or of the codepage: its type is not kept, and its second byte tells."""
    wide = len(raw) >= 2 and len(raw) % 2 == 0 and raw.count(b"\x00") * 3 > len(raw)
    return (raw.decode("utf-16-le", "replace") if wide else text_of(raw, charset)).rstrip("\x00")


def _body(properties: dict[int, bytes], charset: str) -> str:
    if _PR_BODY in properties:
        return _string(properties[_PR_BODY], charset).strip()
    if _PR_HTML in properties:
        return from_html(text_of(properties[_PR_HTML][:_RTF], charset)).strip()
    if _PR_RTF in properties and len(properties[_PR_RTF]) <= _RTF:
        try:
            rtf = decompress(properties[_PR_RTF])[:_RTF]
            words = rtf_to_text(rtf.decode("latin-1"), errors="replace")  # type: ignore[no-untyped-call]
            return str(words).strip()
        except Exception:
            return ""
    return ""
