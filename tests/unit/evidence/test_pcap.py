"""The capture file, read back by the rules of libpcap, IP and UDP."""

from __future__ import annotations

import json
import struct

from ivr.asterisk.hep import RTCP_JSON, SIP, Packet
from ivr.evidence.pcap import write
from ivr.evidence.sip import without_secrets

INVITE = (
    b"INVITE sip:6002@192.0.2.1 SIP/2.0\r\nCSeq: 2 INVITE\r\n"
    b'Authorization: Digest username="6001", nonce="n", response="0123456789abcdef0123456789abcdef", qop=auth\r\n\r\n'
)


def packet(payload: bytes, *, kind: int = SIP, at: float = 1.5) -> Packet:
    return Packet(
        at=at, kind=kind, src=("192.0.2.7", 5060), dst=("192.0.2.1", 5060), tcp=False, correlation="a", payload=payload
    )


def checksum(data: bytes) -> int:
    data += b"\x00" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def test_wireshark_would_read_it() -> None:
    block = {
        "source_ssrc": 7,
        "fraction_lost": 0,
        "packets_lost": 0,
        "highest_seq_no": 9,
        "ia_jitter": 1,
        "lsr": "0",
        "dlsr": 0,
    }
    report = {"ssrc": 5, "type": 201, "report_count": 1, "sender_information": None, "report_blocks": [block]}
    rtcp = packet(json.dumps(report).encode(), kind=RTCP_JSON, at=0.25)
    file = write([packet(INVITE), rtcp])
    assert struct.unpack("<IHHiIII", file[:24]) == (0xA1B2C3D4, 2, 4, 0, 0, 262144, 101)
    place, payloads = 24, []
    while place < len(file):
        seconds, micros, length, whole = struct.unpack("<IIII", file[place : place + 16])
        frame = file[place + 16 : place + 16 + length]
        assert length == whole == int.from_bytes(frame[2:4], "big")
        assert checksum(frame[:20]) == 0xFFFF
        assert checksum(frame[12:20] + struct.pack("!HH", 17, length - 20) + frame[20:]) == 0xFFFF
        payloads.append((seconds + micros / 1e6, frame[28:]))
        place += 16 + length
    assert [at for at, _ in payloads] == [0.25, 1.5]
    assert payloads[0][1][:2] == b"\x81\xc9"
    assert len(payloads[1][1]) == len(INVITE)


def test_the_proof_of_a_password_is_blanked() -> None:
    found = without_secrets(INVITE)
    assert b"0123456789abcdef" not in found
    assert b'response="' + b"x" * 32 in found
