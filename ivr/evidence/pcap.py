"""A capture file of SIP and RTCP that Wireshark opens as a call flow (libpcap format, raw IP)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from ipaddress import ip_address

from ivr.asterisk.hep import RTCP_JSON, Packet
from ivr.evidence import rtcp, sip

_RAW_IP = 101
_UDP = 17
_HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, _RAW_IP)


def write(packets: Sequence[Packet]) -> bytes:
    """The file. Messages that came by TCP are in UDP datagrams too; answers to password challenges are blanked."""
    parts = [_HEADER]
    for packet in sorted(packets, key=lambda one: one.at):
        if packet.kind == RTCP_JSON:
            report = rtcp.read(packet.payload, packet.at)
            if report is None:
                continue
            payload = rtcp.rebuild(report)
        else:
            payload = sip.without_secrets(packet.payload)
        frame = _datagram(packet, payload)
        seconds = int(packet.at)
        parts.append(struct.pack("<IIII", seconds, int((packet.at - seconds) * 1e6), len(frame), len(frame)) + frame)
    return b"".join(parts)


def _datagram(packet: Packet, payload: bytes) -> bytes:
    src, dst = ip_address(packet.src[0]), ip_address(packet.dst[0])
    length = 8 + len(payload)
    udp = struct.pack("!HHHH", packet.src[1], packet.dst[1], length, 0)
    pseudo = src.packed + dst.packed + struct.pack("!I3xB", length, _UDP)
    checksum = _checksum(pseudo + udp + payload) or 0xFFFF
    udp = udp[:6] + checksum.to_bytes(2, "big")
    if src.version == 6:
        return struct.pack("!IHBB", 6 << 28, length, _UDP, 64) + src.packed + dst.packed + udp + payload
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0, 64, _UDP, 0) + src.packed + dst.packed
    head = head[:10] + _checksum(head).to_bytes(2, "big") + head[12:]
    return head + udp + payload


def _checksum(data: bytes) -> int:
    """The Internet's (RFC 1071)."""
    if len(data) % 2:
        data += b"\x00"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
