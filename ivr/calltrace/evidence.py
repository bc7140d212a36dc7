"""A call's evidence as it is kept: its packets as HEP datagrams, compressed."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence

from ivr.asterisk import hep
from ivr.asterisk.hep import Packet

#: What a damaged or hostile blob may grow to at most, in bytes.
_MOST = 8_000_000


def pack(packets: Iterable[Packet]) -> bytes:
    """One blob; nothing for nothing."""
    parts = [hep.build(packet) for packet in packets]
    if parts:
        return zlib.compress(b"".join(parts), 6)
    return b""


def unpack(blob: bytes) -> Sequence[Packet]:
    """The packets again. Raises HepGarbage, zlib.error for a damaged blob."""
    if not blob:
        return []
    data = zlib.decompressobj().decompress(blob, _MOST)
    packets, place = [], 0
    while place + 6 <= len(data):
        length = int.from_bytes(data[place + 4 : place + 6], "big")
        packets.append(hep.parse(data[place : place + length]))
        place += max(6, length)
    return packets
