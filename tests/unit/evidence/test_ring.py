"""What is kept, for how long, and which call a phone means."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from ivr.asterisk.hep import RTCP_JSON, SIP, Packet
from ivr.evidence.legs import Device, EndedLeg, registered_at
from ivr.evidence.packet_buffer import Ring

INVITE = b"INVITE sip:6002@127.0.0.1 SIP/2.0\r\nCSeq: 1 INVITE\r\n\r\n"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def packet(call: str = "a", payload: bytes = INVITE, kind: int = SIP, at: float = 0) -> Packet:
    return Packet(at=at, kind=kind, src=("a", 1), dst=("b", 2), tcp=False, correlation=call, payload=payload)


def leg(name: str = "6001", *, linkedid: str = "1.1", uniqueid: str = "1.1", answered: bool = True) -> EndedLeg:
    return EndedLeg(
        linkedid=linkedid,
        uniqueid=uniqueid,
        name=name,
        call_id=f"sip-{uniqueid}",
        channel=f"PJSIP/{name}-1",
        started=1.0,
        answered=answered,
        codec="ulaw",
        remote=None,
        their_number=None,
        rx=None,
        lost=None,
        tx=None,
        their_lost=None,
        rtt_ms=None,
        their_ssrc=None,
    )


def of(ring: Ring, call_id: str) -> list[Packet]:
    return ring.packets(replace(leg(), call_id=call_id))


def test_a_leg_is_known_by_its_call_id_and_by_its_channel() -> None:
    """The first INVITE comes before there is a channel."""
    ring = Ring()
    ring.add(packet(call="sip-1.1", at=1))
    ring.add(packet(call="PJSIP/6001-1", at=2))
    found = ring.packets(leg())
    assert [(one.at, one.correlation) for one in found] == [(1, "sip-1.1"), (2, "sip-1.1")]


def test_only_what_belongs_to_calls_is_kept() -> None:
    ring = Ring()
    for payload in (
        b"REGISTER sip:x SIP/2.0\r\nCSeq: 1 REGISTER\r\n\r\n",
        b"SIP/2.0 200 OK\r\nCSeq: 9 OPTIONS\r\n\r\n",
    ):
        ring.add(packet(payload=payload))
    ring.add(packet(payload=b"\x00\xff garbage"))
    ring.add(packet(kind=34))
    ring.add(packet(call=""))
    assert ring.size == 0
    ring.add(packet())
    ring.add(packet(payload=b"SIP/2.0 200 OK\r\ncseq:1 INVITE\r\n\r\n"))
    ring.add(packet(payload=b"{}", kind=RTCP_JSON))
    assert len(of(ring, "a")) == 3


def test_evidence_is_erased_after_half_an_hour() -> None:
    clock = Clock()
    ring = Ring(clock=clock)
    ring.add(packet())
    # It had a channel, by which it is kept.
    ring.ended(replace(leg(), call_id="a"))
    clock.now += 1800
    ring.erase_old()
    assert of(ring, "a")
    clock.now += 1
    ring.erase_old()
    assert (of(ring, "a"), ring.size, ring.last_call(Device(phone="6001"), 10**6)) == ([], 0, None)


def test_memory_is_bounded_and_the_oldest_goes_first() -> None:
    ring = Ring(most_bytes=100_000)
    for number in range(1000):
        ring.add(packet(call=f"PJSIP/6001-{number}"))
    assert ring.size <= 100_000
    assert ring.evicted > 0
    assert of(ring, "PJSIP/6001-999")
    assert not of(ring, "PJSIP/6001-0")


def with_call_id(call_id: str, first: bytes = b"INVITE sip:6002@127.0.0.1 SIP/2.0") -> bytes:
    return first + f"\r\nCall-ID: {call_id}\r\nCSeq: 1 INVITE\r\n\r\n".encode()


def call_of(ring: Ring, number: int) -> None:
    """As Asterisk copies it: what comes first by its Call-ID, and by its channel from then on."""
    ring.add(packet(call=f"sip-{number}.1", payload=with_call_id(f"sip-{number}.1"), at=1))
    answer = with_call_id(f"sip-{number}.1", b"SIP/2.0 200 OK")
    ring.add(packet(call=f"PJSIP/6001-{number}", payload=answer, at=2))


def test_strangers_erase_no_evidence() -> None:
    """As many as two times all the memory while a call lasts, and as many between it and its *57."""
    clock = Clock()
    ring = Ring(clock=clock, most_bytes=8_000_000)
    call_of(ring, 1)
    for number in range(30_000):
        ring.add(packet(call=f"stranger-{number}", payload=with_call_id(f"stranger-{number}") + b" " * 600))
        if number == 15_000:
            ring.ended(leg())
        clock.now += 0.0005
    found = ring.packets(leg())
    assert found[0].payload.startswith(b"INVITE")
    assert ring.packets(replace(leg(), call_id="sip-1.1", channel="PJSIP/6001-1"))[-1].at == 2
    assert ring.size <= 2_100_000
    assert ring.evicted == 0
    clock.now += 61
    ring.erase_old()
    assert ring.size < 3000


def test_what_has_no_channel_yet_waits_a_minute_for_it() -> None:
    clock = Clock()
    ring = Ring(clock=clock)
    ring.add(packet(call="sip-1.1", payload=with_call_id("sip-1.1")))
    clock.now += 60
    ring.erase_old()
    call_of(ring, 1)
    clock.now += 1700
    ring.erase_old()
    assert len(ring.packets(replace(leg(), channel="PJSIP/6001-1"))) == 3


def test_nobody_names_his_call_as_a_channel() -> None:
    """Evidence that somebody makes up would be in somebody else's report."""
    ring = Ring()
    call_of(ring, 1)
    ring.add(packet(call="PJSIP/6001-1", payload=with_call_id("PJSIP/6001-1", b"BYE sip:x SIP/2.0")))
    assert len(ring.packets(replace(leg(), channel="PJSIP/6001-1"))) == 2


def test_one_call_cannot_take_the_memory_of_all() -> None:
    """And of a very long one the beginning stays: who, where, which codec."""
    ring = Ring()
    ring.add(packet())
    for number in range(5000):
        ring.add(packet(payload=b"{}" + b" " * 300, kind=RTCP_JSON, at=number + 1))
    assert ring.size <= 400_000
    kept = of(ring, "a")
    assert kept[0].payload == INVITE
    assert kept[-1].at == 5000


def test_a_call_of_hours_stays_whole_and_gets_coarser() -> None:
    """From its first report to its last, of each end alike, without long gaps."""
    ring = Ring()
    ring.add(packet())
    for number in range(3 * 3600 // 5):
        for end in ("us", "phone"):
            told = packet(payload=b"{}" + b" " * 650, kind=RTCP_JSON, at=5 * number)
            ring.add(told._replace(src=(end, 1)))
    assert ring.size <= 400_000
    for end in ("us", "phone"):
        moments = [one.at for one in of(ring, "a") if one.kind == RTCP_JSON and one.src[0] == end]
        assert moments[0] == 0
        assert moments[-1] > 3 * 3600 - 400
        assert max(b - a for a, b in pairwise(moments)) <= 400


def test_packets_are_in_the_order_in_which_they_came_though_the_clock_is_set_back() -> None:
    ring = Ring()
    for at in (100, 200, 50):
        ring.add(packet(at=at))
    assert [one.at for one in of(ring, "a")] == [100, 200, 50]


class TestWhichCall:
    def test_the_last_that_ended_on_this_phone_in_either_direction(self) -> None:
        ring = Ring()
        ring.ended(leg())
        ring.ended(leg("6002", uniqueid="1.2"))
        ring.ended(leg("6003", linkedid="2.1", uniqueid="2.1"))
        ring.ended(leg("6002", linkedid="2.1", uniqueid="2.2"))
        last = {name: ring.last_call(Device(phone=name), 60) for name in ("6001", "6002", "6003")}
        assert {name: call.linkedid for name, call in last.items() if call} == {
            "6001": "1.1",
            "6002": "2.1",
            "6003": "2.1",
        }

    def test_not_one_that_was_never_answered_nor_a_feature_code(self) -> None:
        ring = Ring()
        ring.ended(leg(linkedid="1.1"))
        ring.ended(leg(linkedid="2.1", uniqueid="2.1", answered=False))
        ring.ended(replace(leg(linkedid="3.1", uniqueid="3.1"), feature=True))
        last = ring.last_call(Device(phone="6001"), 60)
        assert last is not None
        assert last.linkedid == "1.1"

    def test_not_one_of_too_long_ago_whatever_the_wall_clock_does(self) -> None:
        clock = Clock()
        ring = Ring(clock=clock)
        ring.ended(leg())
        clock.now += 61
        assert ring.last_call(Device(phone="6001"), 60) is None
        assert ring.last_call(Device(phone="6001"), 62) is not None

    def test_none_on_another_phone_or_on_the_trunk(self) -> None:
        ring = Ring()
        ring.ended(leg("trunk"))
        assert ring.last_call(Device(phone="trunk"), 60) is None
        assert ring.last_call(Device(phone="6001"), 60) is None

    def test_a_device_with_two_identities_reports_each_ones_own(self) -> None:
        """One address, two accounts: the account that dials *57 says which."""
        here = "192.0.2.7:5060"
        ring = Ring()
        ring.ended(replace(leg("6001", linkedid="1.1", uniqueid="1.1"), device=here))
        ring.ended(replace(leg("6003", linkedid="2.1", uniqueid="2.1"), device=here))
        found = [
            ring.last_call(Device(phone=name, address=here, registered=frozenset({here})), 60)
            for name in ("6001", "6003", "6002")
        ]
        assert [call.linkedid if call else None for call in found] == ["1.1", "2.1", None]

    def test_on_a_shared_line_each_device_has_its_own(self) -> None:
        desk, soft = "192.0.2.7:5060", "198.51.100.9:41000"
        both = registered_at(f"PJSIP/6001/sip:6001@{desk};ob&PJSIP/6001/sip:6001@{soft}")
        assert both == {desk, soft}
        ring = Ring()
        ring.ended(replace(leg(linkedid="1.1", uniqueid="1.1"), device=desk))
        ring.ended(replace(leg(linkedid="2.1", uniqueid="2.1"), device=soft))
        # Both were rung, one was answered.
        ring.ended(replace(leg("6002", linkedid="3.1", uniqueid="3.1")))
        ring.ended(replace(leg(linkedid="3.1", uniqueid="3.2", answered=False), device=soft))
        ring.ended(replace(leg(linkedid="3.1", uniqueid="3.3"), device=desk))

        def last(address: str | None, registered: frozenset[str] = both) -> str | None:
            call = ring.last_call(Device(phone="6001", address=address, registered=registered), 60)
            return call.linkedid if call else None

        assert (last(desk), last(soft), last(None)) == ("3.1", "2.1", "3.1")
        # A third one had none; but who moved to another address since is no other device.
        third = "203.0.113.5:5060"
        assert last(third, both | {third}) is None
        assert last(third, frozenset({soft, third})) == "3.1"
