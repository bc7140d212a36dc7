"""HEP version 3: what Asterisk sends is read, everything else refused."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.asterisk.hep import RTCP_JSON, SIP, HepGarbage, Packet, build, parse, secret_chunk, without_secret

#: As res_hep_pjsip of Asterisk 22.10.1 sent it; only the message is shorter.
REAL = bytes.fromhex(
    "484550330073000000010007020000000200071100000007000883a7000000080008187400000009000a6b03604c"
    "0000000a000a000144380000000b00070100000003000a7f00000100000004000a7f000001"
    "0000001100096131620000000f0017" + b"BYE sip:x SIP/2.0".hex()
)
PACKET = Packet(
    at=1795383372.25,
    kind=RTCP_JSON,
    src=("192.0.2.1", 4000),
    dst=("198.51.100.2", 5000),
    tcp=False,
    correlation="abc@phone",
    payload=b"{}",
)


def test_a_real_datagram() -> None:
    found = parse(REAL)
    assert (found.kind, found.correlation, found.payload) == (SIP, "a1b", b"BYE sip:x SIP/2.0")
    assert (found.src, found.dst, found.tcp) == (("127.0.0.1", 33703), ("127.0.0.1", 6260), False)


def _with_secret(datagram: bytes, chunk: bytes, *, at: int) -> bytes:
    return b"HEP3" + (len(datagram) + len(chunk)).to_bytes(2, "big") + datagram[6:at] + chunk + datagram[at:]


def test_only_who_shows_the_secret_is_taken() -> None:
    """Anybody on this machine may send to the port: with the secret of its Asterisk, wherever it is put."""
    chunk, other = secret_chunk("of this line"), secret_chunk("of that line")
    for at in (6, REAL.index(b"\x00\x00\x00\x11"), len(REAL)):
        told = _with_secret(REAL, chunk, at=at)
        assert parse(told, chunk) == parse(REAL)
        assert without_secret(told, chunk) == REAL
        for wrong in (REAL, _with_secret(REAL, other, at=at), _with_secret(told, chunk, at=at)):
            with pytest.raises(HepGarbage):
                parse(wrong, chunk)


def test_read_in_one_go_or_piece_by_piece_it_is_the_same() -> None:
    """As res_hep lays it out, and with its chunks the other way round."""
    heads = REAL[6:]
    chunks, place = [], 0
    while place < len(heads):
        length = int.from_bytes(heads[place + 4 : place + 6], "big")
        chunks.append(heads[place : place + length])
        place += length
    other = REAL[:6] + b"".join(reversed(chunks))
    # The capture id is the chunk that only the usual layout has.
    usual = [*chunks[:7], b"\x00\x00\x00\x0c\x00\x0a\x00\x00\x00\x01", *chunks[7:]]
    body = b"".join(usual)
    assert parse(other) == parse(REAL) == parse(b"HEP3" + (6 + len(body)).to_bytes(2, "big") + body)


@pytest.mark.parametrize("ends", [("192.0.2.1", "198.51.100.2"), ("2001:db8::1", "::1")])
def test_there_and_back(ends: tuple[str, str]) -> None:
    packet = PACKET._replace(src=(ends[0], 4000), dst=(ends[1], 5000))
    assert parse(build(packet)) == packet


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"HEP3",
        b"HEP2\x00\x06",
        b"HEP3\x00\x06",
        b"GET / HTTP/1.1\r\n\r\n",
        REAL[:-1],
        REAL + b"x",
        b"HEP3\x00\x0c" + b"\x00\x00\x00\x01\x00\x00",
        b"HEP3\x00\x0c" + b"\x00\x00\x00\x0f\xff\xff",
        b"HEP3\x00\x1a" + b"\x00\x00\x00\x0f\x00\x06" * 2 + b"\x00" * 8,
    ],
)
def test_garbage_is_refused(datagram: bytes) -> None:
    with pytest.raises(HepGarbage):
        parse(datagram)


@given(st.binary(max_size=300))
def test_nothing_else_comes_out_of_anything(noise: bytes) -> None:
    for datagram in (noise, b"HEP3" + (len(noise) + 6).to_bytes(2, "big") + noise):
        with pytest.raises(HepGarbage):
            parse(datagram)


@given(st.integers(0, 200), st.integers(0, 255))
def test_one_wrong_byte_never_breaks_the_reader(place: int, value: int) -> None:
    datagram = bytearray(build(PACKET))
    datagram[place % len(datagram)] = value
    with contextlib.suppress(HepGarbage):
        parse(bytes(datagram))
