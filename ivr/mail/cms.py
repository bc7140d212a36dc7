"""What an S/MIME envelope holds in clear: signed and compressed data (RFC 8551, RFC 5652, RFC 3274). Pure.

Nothing is verified. Only the way to the content is read, in BER as mail programs write it (lengths that are not told
beforehand, strings in pieces), in time that grows with its length only: the libraries that are kept read DER alone.
"""

from __future__ import annotations

import zlib
from typing import Final, NamedTuple

_SIGNED: Final = bytes.fromhex("2a864886f70d010702")
_ENCRYPTED: Final = frozenset(
    map(bytes.fromhex, ("2a864886f70d010703", "2a864886f70d010706", "2a864886f70d0109100117"))
)
_COMPRESSED: Final = bytes.fromhex("2a864886f70d0109100109")
_SEQUENCE, _OID, _OCTETS, _OCTETS_IN_PIECES, _TAGGED = 0x30, 0x06, 0x04, 0x24, 0xA0
#: Bytes that compressed data may become.
_UNPACKED: Final = 40 * 1024 * 1024
#: Elements that are looked at on the way to an element's end.
_PIECES: Final = 200_000


class Encrypted(Exception):
    """Only its recipient can read it, and that is not us."""


class NoEnvelope(ValueError):
    """These bytes are no envelope, or one that holds nothing."""


class _Element(NamedTuple):
    tag: int
    #: Where its content begins and ends, and where the next element begins.
    start: int
    end: int
    after: int


def opened(raw: bytes) -> bytes:
    """The e-mail within, header lines first. Raises Encrypted, NoEnvelope."""
    try:
        return _opened(raw)
    except (IndexError, zlib.error) as error:
        raise NoEnvelope("cut off or damaged") from error


def _opened(raw: bytes) -> bytes:
    kind, content = _typed(raw, _element(raw, 0))
    if kind in _ENCRYPTED:
        raise Encrypted
    if kind not in (_SIGNED, _COMPRESSED) or content is None:
        raise NoEnvelope("another kind of envelope")
    # Version and algorithms come first, then what is signed or compressed.
    at = _expect(raw, content.start, _SEQUENCE).start
    for _ in range(2):
        at = _element(raw, at).after
    _, inner = _typed(raw, _element(raw, at))
    if inner is None:
        raise NoEnvelope("a signature without what it signs")
    found = _octets(raw, _element(raw, inner.start))
    if kind == _COMPRESSED:
        found = zlib.decompressobj().decompress(found, _UNPACKED)
    if not found.strip():
        raise NoEnvelope("it holds nothing")
    return found


def _typed(raw: bytes, outer: _Element) -> tuple[bytes, _Element | None]:
    """The type that an element names, and the content that follows it, if any."""
    if outer.tag != _SEQUENCE:
        raise NoEnvelope("no envelope")
    name = _expect(raw, outer.start, _OID)
    kind = raw[name.start : name.end]
    if name.after >= outer.end:
        return kind, None
    return kind, _expect(raw, name.after, _TAGGED)


def _expect(raw: bytes, at: int, tag: int) -> _Element:
    found = _element(raw, at)
    if found.tag != tag:
        raise NoEnvelope("no envelope")
    return found


def _head(raw: bytes, at: int) -> tuple[int, int, int | None]:
    """An element's tag, where its content begins, and how long that is; None when its end is marked instead."""
    tag, length = raw[at], raw[at + 1]
    if tag & 0x1F == 0x1F:
        raise NoEnvelope("a tag that no envelope has")
    if length == 0x80:
        return tag, at + 2, None
    if length < 0x80:
        return tag, at + 2, length
    size = length & 0x7F
    return tag, at + 2 + size, int.from_bytes(raw[at + 2 : at + 2 + size])


def _element(raw: bytes, at: int) -> _Element:
    tag, start, length = _head(raw, at)
    if length is not None:
        end = start + length
        if end > len(raw):
            raise NoEnvelope("cut off")
        return _Element(tag, start, end, end)
    # Elements whose ends are marked may be within one another.
    depth, at, left = 1, start, _PIECES
    while depth:
        left -= 1
        if left < 0:
            raise NoEnvelope("too many pieces")
        inner, begins, length = _head(raw, at)
        if inner == 0 and length == 0:
            depth -= 1
            at = begins
        elif length is None:
            depth += 1
            at = begins
        else:
            at = begins + length
    return _Element(tag, start, at - 2, at)


def _octets(raw: bytes, element: _Element) -> bytes:
    """The content of a string, which may be in pieces, and those in pieces too."""
    if element.tag == _OCTETS:
        return raw[element.start : element.end]
    if element.tag != _OCTETS_IN_PIECES:
        raise NoEnvelope("its content is no string")
    pieces: list[bytes] = []
    at = element.start
    while at < element.end:
        if len(pieces) > _PIECES:
            raise NoEnvelope("too many pieces")
        tag, start, length = _head(raw, at)
        if tag == _OCTETS and length is not None:
            pieces.append(raw[start : start + length])
            at = start + length
        elif tag == _OCTETS_IN_PIECES or (tag == 0 and length == 0):
            at = start
        else:
            raise NoEnvelope("its content is no string")
    return b"".join(pieces)
