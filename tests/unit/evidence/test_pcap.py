"""The capture file, as another reader of such files (scapy) sees it."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from scapy.contrib.rtcp import RTCP
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.packet import Packet as ScapyPacket
from scapy.utils import rdpcap

from ivr.asterisk.hep import RTCP_JSON, SIP, Packet
from ivr.evidence.pcap import write
from ivr.evidence.sip import without_secrets

INVITE = (
    b"INVITE sip:6002@192.0.2.1 SIP/2.0\r\nCSeq: 2 INVITE\r\n"
    b'Authorization: Digest username="6001", nonce="n", response="0123456789abcdef0123456789abcdef", qop=auth\r\n\r\n'
)
BLOCK = {
    "source_ssrc": 7,
    "fraction_lost": 25,
    "packets_lost": 3,
    "highest_seq_no": 9,
    "ia_jitter": 11,
    "lsr": "0",
    "dlsr": 0,
}
REPORT = {"ssrc": 5, "type": 201, "report_count": 1, "sender_information": None, "report_blocks": [BLOCK]}
FOUR, SIX = ("192.0.2.7", "192.0.2.1"), ("2001:db8::7", "2001:db8::1")


def packet(payload: bytes, ends: tuple[str, str], *, kind: int = SIP, at: float = 1.5) -> Packet:
    src, dst = ends
    return Packet(at=at, kind=kind, src=(src, 5060), dst=(dst, 5062), tcp=False, correlation="a", payload=payload)


def frames_of(folder: Path, packets: list[Packet]) -> list[ScapyPacket]:
    file = folder / "call.pcap"
    file.write_bytes(write(packets))
    return list(rdpcap(str(file)))


@pytest.mark.parametrize(("ends", "layer"), [(FOUR, IP), (SIX, IPv6)])
def test_another_reader_finds_what_was_captured(tmp_path: Path, ends: tuple[str, str], layer: type[IP | IPv6]) -> None:
    rtcp = packet(json.dumps(REPORT).encode(), ends, kind=RTCP_JSON, at=0.25)
    frames = frames_of(tmp_path, [packet(INVITE, ends), rtcp])
    assert [float(frame.time) for frame in frames] == [0.25, 1.5]
    assert [(frame[layer].src, frame[layer].dst) for frame in frames] == [ends, ends]
    assert [(frame[UDP].sport, frame[UDP].dport) for frame in frames] == [(5060, 5062)] * 2
    report = RTCP(bytes(frames[0][UDP].payload))
    assert (report.packet_type, report.sourcesync) == (201, 5)
    block = report.report_blocks[0]
    assert (block.sourcesync, block.fraction_lost, block.cumulative_lost, block.interarrival_jitter) == (7, 25, 3, 11)
    assert bytes(frames[1][UDP].payload) == without_secrets(INVITE)


@pytest.mark.parametrize(("ends", "layer"), [(FOUR, IP), (SIX, IPv6)])
def test_checksums_are_right(tmp_path: Path, ends: tuple[str, str], layer: type[IP | IPv6]) -> None:
    frame = frames_of(tmp_path, [packet(INVITE + b"x", ends)])[0]
    ours = bytes(frame)
    del frame[UDP].chksum
    if layer is IP:
        del frame[IP].chksum
    assert bytes(frame) == ours


def test_it_is_a_file_of_raw_ip_packets() -> None:
    assert struct.unpack("<IHHiIII", write([])) == (0xA1B2C3D4, 2, 4, 0, 0, 262144, 101)


def test_the_proof_of_a_password_is_blanked() -> None:
    found = without_secrets(INVITE)
    assert b"0123456789abcdef" not in found
    assert b'response="' + b"x" * 32 in found
