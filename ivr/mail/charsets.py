"""Text out of bytes, in the charset that they are in: what they say of it is often wrong. Pure."""

from __future__ import annotations

import codecs
import re
from email.errors import HeaderParseError
from email.header import decode_header
from typing import Final

#: Characters of a header that are decoded.
_HEADER: Final = 4_000

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u0085\u2028\u2029]")

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
#: What mail programs write under a name that lacks some of it, as browsers read it (WHATWG Encoding, section 4.2).
_MEANT: Final = {
    **dict.fromkeys(("ascii", "iso8859-1"), "cp1252"),
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
}
#: Names that Python does not know.
_NAMES: Final = {
    "x-mac-roman": "mac-roman",
    "unicode-1-1-utf-7": "utf-7",
    "unicode-1-1-utf-8": "utf-8",
    "x-sjis": "cp932",
    "x-gbk": "gb18030",
    "ks_c_5601-1987": "cp949",
    "iso-8859-8-i": "iso-8859-8",
    "utf8mb4": "utf-8",
    "x-user-defined": "cp1252",
}


def text_of(raw: bytes, charset: str | None) -> str:
    """The text, whatever its charset is said to be; what cannot be read in it is U+FFFD.

    UTF-8 that calls itself something of one byte a character is read as UTF-8: nothing else looks like it by chance.
    """
    said = _codec(charset)
    if said is None or said.startswith(("iso8859", "cp125", "utf-8", "ascii", "mac")):
        found = _utf8(raw, sure=said in (None, "utf-8"))
        if found is not None:
            return found
        said = said if said != "utf-8" else None
    meant = _MEANT.get(said or "ascii", said or "cp1252")
    try:
        return raw.decode(meant, "replace").removeprefix("\ufeff")
    except ValueError:
        return raw.decode("windows-1252", "replace")


def _codec(charset: str | None) -> str | None:
    """Python's name of a charset of e-mails; None for any other."""
    name = (charset or "").strip(" \t'\"").lower()
    try:
        if name.isascii() and "\x00" not in name:
            found = codecs.lookup(_NAMES.get(name, name)).name
        else:
            found = ""
    except (LookupError, ValueError):
        return None
    if found in _TEXT_CODECS:
        return found
    return None


def _utf8(raw: bytes, *, sure: bool) -> str | None:
    """The text when it is UTF-8, cut off or with a damaged byte here and there as it may be; `sure` when it says so."""
    text = raw.decode("utf-8", "replace").removeprefix("\ufeff")
    damaged = text.count("\ufffd")
    if not damaged:
        return text
    whole = sum(map(len, re.findall(r"[^\x00-\x7f\ufffd]+", text)))
    if whole > damaged and (sure or whole > 8 * damaged):
        return text
    return None


def decoded(text: str) -> str:
    """A header's words (RFC 2047)."""
    try:
        parts = decode_header(text[:_HEADER])
    except (HeaderParseError, ValueError):
        return text[:_HEADER]
    return "".join(part if isinstance(part, str) else text_of(part, charset or None) for part, charset in parts)


def tidy(text: str) -> str:
    """Without control characters but line breaks and tabs, without long runs of empty lines."""
    text = _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = text.encode("utf-8", "replace").decode("utf-8")
    lines = [line.rstrip() for line in text.split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def one_line(text: str) -> str:
    """At most 500 characters on one line, without control characters."""
    text = text[:_HEADER].encode("utf-8", "replace").decode("utf-8")
    return " ".join(_CONTROL.sub(" ", text).split())[:500]
