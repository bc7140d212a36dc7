"""HEP version 3, as Asterisk's res_hep sends it (https://github.com/sipcapture/HEP): one datagram, one packet.

Strict: whatever is not whole and plausible is refused, for anybody on this machine may send to the port.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from ivr.errors import OmnivigilError

SIP = 1
RTCP_JSON = 5
_UDP, _TCP = 17, 6
#: Chunk types of the generic vendor.
_FAMILY, _PROTOCOL, _SRC4, _DST4, _SRC6, _DST6, _SPORT, _DPORT, _SECONDS, _MICROS, _KIND = range(1, 12)
_PAYLOAD, _CORRELATION = 15, 17
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


class HepGarbage(OmnivigilError):
    """A datagram is not HEP version 3."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One captured packet. `at` is seconds since 1970; `src` and `dst` are address and port."""

    at: float
    kind: int
    src: tuple[str, int]
    dst: tuple[str, int]
    tcp: bool
    correlation: str
    payload: bytes


def parse(datagram: bytes) -> Packet:
    """Read a datagram. Raises HepGarbage."""
    if len(datagram) < 6 or datagram[:4] != b"HEP3" or int.from_bytes(datagram[4:6], "big") != len(datagram):
        raise HepGarbage(problem="not HEP3, or of another length than it says")
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
    return _packet(chunks)


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
    """The datagram of a packet over IPv4, as Asterisk would send it."""
    chunks = {
        _FAMILY: b"\x02",
        _PROTOCOL: bytes([_TCP if packet.tcp else _UDP]),
        _KIND: bytes([packet.kind]),
        _SPORT: packet.src[1].to_bytes(2, "big"),
        _DPORT: packet.dst[1].to_bytes(2, "big"),
        _SECONDS: int(packet.at).to_bytes(4, "big"),
        _MICROS: int(packet.at % 1 * 1e6).to_bytes(4, "big"),
        _SRC4: IPv4Address(packet.src[0]).packed,
        _DST4: IPv4Address(packet.dst[0]).packed,
        _CORRELATION: packet.correlation.encode(),
        _PAYLOAD: packet.payload,
    }
    body = b"".join(_HEAD.pack(0, kind, 6 + len(value)) + value for kind, value in chunks.items())
    return b"HEP3" + (6 + len(body)).to_bytes(2, "big") + body
