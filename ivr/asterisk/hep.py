"""HEP version 3, as Asterisk's res_hep sends it (https://github.com/sipcapture/HEP): one datagram, one packet.

Strict: whatever is not whole and plausible is refused, for anybody on this machine may send to the port.
"""

from __future__ import annotations

import hmac
import socket
import struct
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from ivr.errors import OmnivigilError

SIP = 1
RTCP_JSON = 5
_UDP, _TCP = 17, 6
#: Chunk types of the generic vendor.
_FAMILY, _PROTOCOL, _SRC4, _DST4, _SRC6, _DST6, _SPORT, _DPORT, _SECONDS, _MICROS, _KIND = range(1, 12)
_KEY, _PAYLOAD, _CORRELATION = 14, 15, 17
_LENGTHS = {
    _FAMILY: 1,
    _PROTOCOL: 1,
    _SRC4: 4,
    _DST4: 4,
    _SRC6: 16,
    _DST6: 16,
    _SPORT: 2,
    _DPORT: 2,
    _SECONDS: 4,
    _MICROS: 4,
    _KIND: 1,
}
_HEAD = struct.Struct("!HHH")
#: The beginning of every datagram of res_hep's over IPv4: heads (6 bytes) and values in turn.
_USUAL = struct.Struct("!6x6sB6sB6sH6sH6sI6sI6sB6sI6s4s6s4s")
_USUAL_HEADS = tuple(
    _HEAD.pack(0, kind, length)
    for kind, length in (
        (_FAMILY, 7),
        (_PROTOCOL, 7),
        (_SPORT, 8),
        (_DPORT, 8),
        (_SECONDS, 10),
        (_MICROS, 10),
        (_KIND, 7),
        (12, 10),
        (_SRC4, 10),
        (_DST4, 10),
    )
)


class HepGarbage(OmnivigilError):
    """A datagram is not HEP version 3."""


class Packet(NamedTuple):
    """One captured packet. `at` is seconds since 1970; `src` and `dst` are address and port."""

    at: float
    kind: int
    src: tuple[str, int]
    dst: tuple[str, int]
    tcp: bool
    correlation: str
    payload: bytes


def secret_chunk(secret: str) -> bytes:
    """Return what shows that a datagram comes from our Asterisk: `capture_password` of hep.conf."""
    key = secret.encode()
    return _HEAD.pack(0, _KEY, 6 + len(key)) + key


def parse(datagram: bytes, secret: bytes = b"") -> Packet:
    """Read a datagram. `secret` is the `secret_chunk` that it must have, if any. Raises HepGarbage."""
    if len(datagram) < 6 or datagram[:4] != b"HEP3" or int.from_bytes(datagram[4:6], "big") != len(datagram):
        raise HepGarbage(problem="not HEP3, or of another length than it says")
    usual = _usual(datagram, secret)
    if usual is not None:
        return usual
    chunks = _chunks(datagram)
    if secret and not hmac.compare_digest(chunks.get(_KEY, b""), secret[6:]):
        raise HepGarbage(problem="it does not know the secret of this line")
    return _packet(chunks)


def without_secret(datagram: bytes, secret: bytes) -> bytes:
    """The same for others, who need not know it. `datagram` is one that `parse` takes."""
    before, found, after = datagram.partition(secret) if secret else (datagram, b"", b"")
    if not found:
        return datagram
    return before[:4] + (len(datagram) - len(secret)).to_bytes(2, "big") + before[6:] + after


def _usual(datagram: bytes, secret: bytes) -> Packet | None:
    """A datagram over IPv4 laid out as res_hep always does, in one go; None for any other."""
    if len(datagram) < _USUAL.size + len(secret) + 12:
        return None
    found = _USUAL.unpack_from(datagram)
    begin = _USUAL.size + len(secret)
    length = int.from_bytes(datagram[begin + 4 : begin + 6], "big")
    place = begin + length
    if (
        found[0::2] != _USUAL_HEADS
        or found[1] != 2
        or found[11] >= 1_000_000
        or length < 6
        or not hmac.compare_digest(datagram[_USUAL.size : begin], secret)
        or datagram[begin : begin + 4] != b"\x00\x00\x00\x11"
        or datagram[place : place + 4] != b"\x00\x00\x00\x0f"
        or place + int.from_bytes(datagram[place + 4 : place + 6], "big") != len(datagram)
    ):
        return None
    return Packet(
        at=found[9] + found[11] / 1e6,
        kind=found[13],
        src=(socket.inet_ntoa(found[17]), found[5]),
        dst=(socket.inet_ntoa(found[19]), found[7]),
        tcp=found[3] == _TCP,
        correlation=datagram[begin + 6 : place].decode("utf-8", "replace"),
        payload=datagram[place + 6 :],
    )


def _chunks(datagram: bytes) -> dict[int, bytes]:
    chunks: dict[int, bytes] = {}
    place = 6
    while place < len(datagram):
        if place + 6 > len(datagram):
            raise HepGarbage(problem="a chunk's head is cut", place=place)
        vendor, kind, length = _HEAD.unpack_from(datagram, place)
        if length < 6 or place + length > len(datagram):
            raise HepGarbage(problem="a chunk's length cannot be", place=place)
        if vendor == 0:
            body = datagram[place + 6 : place + length]
            if kind in chunks or _LENGTHS.get(kind, len(body)) != len(body):
                raise HepGarbage(problem="a chunk comes twice or has a wrong size", chunk=kind)
            chunks[kind] = body
        place += length
    return chunks


def _packet(chunks: dict[int, bytes]) -> Packet:
    try:
        family = chunks[_FAMILY][0]
        if family == 2:
            src, dst = str(IPv4Address(chunks[_SRC4])), str(IPv4Address(chunks[_DST4]))
        elif family == 10:
            src, dst = str(IPv6Address(chunks[_SRC6])), str(IPv6Address(chunks[_DST6]))
        else:
            raise HepGarbage(problem="neither IPv4 nor IPv6", family=family)
        number = {name: int.from_bytes(chunks[name], "big") for name in (_SPORT, _DPORT, _SECONDS, _MICROS, _KIND)}
        if number[_MICROS] >= 1_000_000:
            raise HepGarbage(problem="more than a second of microseconds")
        return Packet(
            at=number[_SECONDS] + number[_MICROS] / 1e6,
            kind=number[_KIND],
            src=(src, number[_SPORT]),
            dst=(dst, number[_DPORT]),
            tcp=chunks[_PROTOCOL][0] == _TCP,
            correlation=chunks.get(_CORRELATION, b"").decode("utf-8", "replace"),
            payload=chunks[_PAYLOAD],
        )
    except KeyError as error:
        raise HepGarbage(problem="a chunk is missing", chunk=error.args[0]) from None


def build(packet: Packet) -> bytes:
    """The datagram of a packet, as Asterisk would send it."""
    src, dst = ip_address(packet.src[0]), ip_address(packet.dst[0])
    six = src.version == 6
    chunks = {
        _FAMILY: b"\x0a" if six else b"\x02",
        _PROTOCOL: bytes([_TCP if packet.tcp else _UDP]),
        _KIND: bytes([packet.kind]),
        _SPORT: packet.src[1].to_bytes(2, "big"),
        _DPORT: packet.dst[1].to_bytes(2, "big"),
        _SECONDS: int(packet.at).to_bytes(4, "big"),
        _MICROS: int(packet.at % 1 * 1e6).to_bytes(4, "big"),
        _SRC6 if six else _SRC4: src.packed,
        _DST6 if six else _DST4: dst.packed,
        _CORRELATION: packet.correlation.encode(),
        _PAYLOAD: packet.payload,
    }
    body = b"".join(_HEAD.pack(0, kind, 6 + len(value)) + value for kind, value in chunks.items())
    return b"HEP3" + (6 + len(body)).to_bytes(2, "big") + body
