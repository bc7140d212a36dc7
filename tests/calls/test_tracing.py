"""*57 by real calls (OV-21 to OV-23): what the user hears, and what support has by then."""

from __future__ import annotations

import io
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from scapy.contrib.rtcp import RTCP
from scapy.layers.inet import IP, UDP
from scapy.utils import rdpcap
from sipsim.impaired import PhoneCall
from sipsim.phones import Phone, PhoneFarm
from sipsim.raw import CallFailed
from sipsim.recognise import Recogniser
from sipsim.records import Answering

from tests.calls.conftest import registered
from tests.calls.line import OPEN, Line, prompts, running_line, wait_for


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """A line of its own: other tests' calls are no longer a phone's last one."""
    with running_line(tmp_path_factory.mktemp("tracing") / "line", now=OPEN) as running:
        yield running


@pytest.fixture(scope="module")
def known(line: Line) -> Recogniser:
    return Recogniser.load(Path(line.state) / "sounds")


@pytest.fixture
def bad(line: Line, tmp_path: Path, known: Recogniser) -> Iterator[PhoneFarm]:
    """Phones behind an uplink that loses one packet in ten."""
    with PhoneFarm(tmp_path / "bad", server=line.address, tx_drop_pct=10) as phones:
        yield phones


@pytest.fixture
def good(line: Line, tmp_path: Path) -> Iterator[PhoneFarm]:
    with PhoneFarm(tmp_path / "good", server=line.address) as phones:
        yield phones


def talk(caller: Phone, number: str, seconds: float) -> None:
    call = caller.dial(number)
    call.wait_answered()
    time.sleep(seconds)
    call.hang_up()


def dial(phone: Phone, known: Recogniser, number: str = "*57", press: str = "") -> list[str]:
    """What is heard until the line hangs up."""
    call = phone.dial(number)
    call.wait_answered()
    if press:
        time.sleep(2)
        call.press(press)
    call.wait_ended(60)
    return prompts(known.recognise(call.recording))


def digits(heard: list[str]) -> str:
    return "".join(one.removeprefix("digit-") for one in heard if one.startswith("digit-"))


def said(heard: list[str], number: str) -> bool:
    """Whether the number was spoken; of digits that follow one another quickly one may be missed by our ear."""
    left = iter(number)
    spoken = digits(heard)
    return len(spoken) >= len(number) - 1 and all(digit in left for digit in spoken)


def traces(line: Line, phone: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = line.api("GET", "/v1/call-traces", params={"device": phone})["items"]
    return found


@pytest.mark.smoke
def test_a_bad_call_is_reported_in_the_second_after_it_ended(
    line: Line, bad: PhoneFarm, good: PhoneFarm, known: Recogniser
) -> None:
    """The ticket is there before its number is spoken; both ends may report, each their own side of it."""
    called = registered(good, "6002", Answering(how="answer", after_s=0.1))
    caller = registered(bad, "6001")
    call = caller.dial("6002")
    call.wait_answered()
    time.sleep(11)
    call.hang_up()
    call = caller.dial("*57")
    call.wait_answered()
    found = wait_for(lambda: traces(line, "6001"), "the trace", 3)
    ended = call.wait_ended(60)
    heard = [one for one in known.recognise(call.recording) if one.prompt_id != "trace-thanks"]
    assert ended.talked_s > 5
    assert heard[0].prompt_id == "trace-received"
    assert prompts(heard)[1] == "ticket-number"
    assert prompts(heard)[-1] == "trace-follow-up"
    assert said(prompts(heard), found[0]["ticket"])
    assert (found[0]["cause"], found[0]["route"], found[0]["account_number"]) == ("uplink", "partner", "C-1001")
    assert found[0]["mos"] < 4
    recipients = [row[0] for row in line.rows("select recipient from outbox order by id")]
    assert {"support@omnivigil.com", "soutien@boreal.example"} <= set(recipients)
    # Again: the same number, and it is noted.
    again = dial(caller, known)
    assert "trace-again" in again
    assert said(again, found[0]["ticket"])
    assert traces(line, "6001")[0]["reports"] == 2
    # The other end has its own report of the same call.
    assert "trace-received" in dial(called, known)
    assert traces(line, "6002")[0]["cause"] == "other-party"


def test_the_evidence_can_be_looked_at(line: Line, good: PhoneFarm, known: Recogniser) -> None:
    """Report and capture of a real call: both legs, curves, the SIP ladder, RTCP in its own form."""
    registered(good, "6002", Answering(how="answer", after_s=0.1))
    caller = registered(good, "6003")
    talk(caller, "6002", 12)
    dial(caller, known)
    trace = traces(line, "6003")[0]
    # Either leg's BYE is answered, and seen, a moment after the caller has hung up; on a busy machine later.
    wait_for(lambda: line.raw_api("GET", trace["capture"]).content.count(b"SIP/2.0 200") >= 4, "all messages")
    time.sleep(4)
    page = line.raw_api("GET", trace["report"], params={"lang": "en"}).text
    for sign in ("<polyline", "INVITE", "200 OK", "BYE", "PCMU" if "PCMU" in page else "ulaw"):
        assert sign in page
    capture = line.raw_api("GET", trace["capture"]).content
    assert b'response="' not in capture.replace(b'response="xxxx', b"")
    _flow_of_both_legs(capture)
    detail = line.api("GET", f"/v1/call-traces/{trace['id']}")
    assert detail["legs"]["near"]["down"]["points"]
    assert detail["legs"]["far"]["down"]["points"]


def _flow_of_both_legs(capture: bytes) -> None:
    """What another reader of such files finds: whole packets, each leg from INVITE to BYE, and reports of both ends."""
    frames = list(rdpcap(io.BytesIO(capture)))
    moments = [frame.time for frame in frames]
    assert moments == sorted(moments)
    legs: dict[str, list[str]] = {}
    reports: dict[tuple[str, int], list[RTCP]] = {}
    for frame in frames:
        ip, udp = frame[IP], frame[UDP]
        payload = bytes(udp.payload)
        assert (ip.len, udp.len) == (len(bytes(ip)), 8 + len(payload))
        again = IP(bytes(ip))
        del again.chksum, again[UDP].chksum
        again = IP(bytes(again))
        assert (again.chksum, again[UDP].chksum) == (ip.chksum, udp.chksum)
        if payload[0] >> 6 == 2:
            report = RTCP(payload)
            assert 4 * (report.length + 1) <= len(payload)
            assert report.packet_type in (200, 201)
            reports.setdefault((ip.src, udp.sport), []).append(report)
        else:
            head = payload.split(b"\r\n\r\n")[0].decode()
            call_id = re.search(r"(?m)^(?:Call-ID|i): *(\S+)", head)
            assert call_id is not None, head
            sequence = re.search(r"(?m)^CSeq: *\d+ (\w+)", head)
            assert sequence is not None, head
            legs.setdefault(call_id[1], []).append(f"{head.splitlines()[0]} | {sequence[1]}")
    assert len(legs) == 2
    for lines in legs.values():
        # On a busy machine a message may be repeated, or seen a moment after the answer to it.
        assert any(one.startswith("INVITE sip:") for one in lines[:2])
        assert {"SIP/2.0 200 OK | INVITE", "SIP/2.0 200 OK | BYE"} <= set(lines)
        for method in ("ACK", "BYE"):
            assert any(one.startswith(f"{method} sip:") for one in lines)
        assert lines[-1].endswith("| BYE")
    # Both phones', and ours to each of them.
    assert len(reports) == 4
    assert all(any(one.report_blocks for one in found) for found in reports.values())


def test_no_call_to_report_leads_to_611(line: Line, good: PhoneFarm, known: Recogniser) -> None:
    """A phone that made no call is told why, and 1 brings support."""
    phone = registered(good, "7106")
    assert dial(phone, known) == ["trace-none"]
    call = phone.dial("*57")
    call.wait_answered()
    time.sleep(3)
    call.press("1")
    time.sleep(5)
    call.hang_up()
    heard = prompts(known.recognise(call.recording))
    assert heard[0] == "trace-none"
    assert len(heard) > 1
    assert traces(line, "7106") == []


def test_during_a_call(line: Line, good: PhoneFarm, known: Recogniser) -> None:
    registered(good, "6002", Answering(how="answer", after_s=0.1))
    phone = registered(good, "7105")
    first = phone.dial("6002")
    first.wait_answered()
    assert dial(phone, known) == ["trace-in-call"]
    first.hang_up()
    assert traces(line, "7105") == []


def test_a_missed_call_is_not_the_one_that_is_meant(line: Line, good: PhoneFarm, known: Recogniser) -> None:
    """The last *answered* call, in either direction."""
    called = registered(good, "7104", Answering(how="answer", after_s=0.1))
    other = registered(good, "7103", Answering(how="ring"))
    talk(other, "7104", 3)
    called.answering(Answering(how="decline"))
    other.dial("7104").wait_ended()
    assert "trace-received" in dial(called, known)
    assert traces(line, "7104")[0]["direction"] == "in"


def test_devices_that_share_a_line_report_their_own(
    line: Line, good: PhoneFarm, bad: PhoneFarm, known: Recogniser
) -> None:
    """The call of the one is not the other's, neither of the service's knowledge nor of Asterisk's own."""
    registered(good, "6002", Answering(how="answer", after_s=0.1))
    desk_phone, softphone = registered(good, "7002"), registered(bad, "7002")
    talk(desk_phone, "6002", 3)
    assert dial(softphone, known) == ["trace-none"]
    talk(softphone, "6002", 8)
    pid = line.service_pid()
    os.kill(pid, signal.SIGKILL)
    _service_back(line, pid)
    assert "trace-received" in dial(desk_phone, known)
    first = traces(line, "7002")
    assert "trace-received" in dial(softphone, known)
    second = traces(line, "7002")
    (mine,) = [one for one in second if one["id"] != first[0]["id"]]
    lost = [line.api("GET", f"/v1/call-traces/{one['id']}")["legs"]["near"]["up"]["lost"] for one in (first[0], mine)]
    assert lost[0] == 0 < lost[1], lost
    # What the one is doing now is no call of the other's either.
    talking = desk_phone.dial("6002")
    talking.wait_answered()
    assert "trace-again" in dial(softphone, known)
    talking.hang_up()


def _service_back(line: Line, pid: int) -> None:
    wait_for(lambda: line.service_pid() != pid and line.healthy(), "the service's return", 60)


def test_after_a_restart_of_the_service_the_call_is_still_known(line: Line, good: PhoneFarm, known: Recogniser) -> None:
    """Its ring is empty; Asterisk itself remembers each phone's last call."""
    registered(good, "6002", Answering(how="answer", after_s=0.1))
    phone = registered(good, "7201")
    talk(phone, "6002", 6)
    pid = line.service_pid()
    os.kill(pid, signal.SIGKILL)
    _service_back(line, pid)
    assert "trace-received" in dial(phone, known)
    trace = traces(line, "7201")[0]
    assert trace["cause"] == "inconclusive"
    detail = line.api("GET", f"/v1/call-traces/{trace['id']}")
    assert detail["legs"]["near"]["up"]["packets"] > 200


def test_without_the_service_the_report_is_taken_and_enters_once(
    line: Line, good: PhoneFarm, known: Recogniser
) -> None:
    """The caller hears that it was received, under a reference that is the ticket's afterwards."""
    registered(good, "6002", Answering(how="answer", after_s=0.1))
    phone = registered(good, "7202")
    talk(phone, "6002", 6)
    pid = line.service_pid()
    os.kill(pid, signal.SIGSTOP)
    # Frozen, found, killed: the caller is taken out of it.
    call = phone.dial("*57")
    call.wait_answered()
    call.wait_ended(60)
    heard = known.recognise(call.recording)
    assert prompts(heard)[-1] == "trace-follow-up"
    # It is on the disk for good before that is said.
    when = {one.prompt_id: one.start_s for one in heard}
    assert when["trace-received"] - when["trace-thanks"] > 0.8
    _service_back(line, pid)
    trace = wait_for(lambda: traces(line, "7202"), "the trace", 30)[0]
    ticket = line.api("GET", f"/v1/tickets/{trace['ticket']}")
    assert (ticket["kind"], trace["source"], trace["reports"]) == ("call-trace", "away", 1)
    assert list((Path(line.state) / "spool" / "reported").iterdir()) == []


def test_without_the_service_and_without_a_disk(line: Line, good: PhoneFarm, bad: PhoneFarm, known: Recogniser) -> None:
    """Who still talks is told so, whichever end it is; who shares the line is asked for its own last call, and as
    nothing takes the report nothing is confirmed: a person answers.
    """
    technician = registered(good, "7001", Answering(how="answer", after_s=0.1))
    assert dial(technician, known, "*22") != []
    called = registered(good, "6002", Answering(how="answer", after_s=0.1))
    desk_phone, softphone = registered(good, "7002"), registered(bad, "7002")
    talk(softphone, "6002", 2)
    first = desk_phone.dial("6002")
    first.wait_answered()
    reported = Path(line.state) / "spool" / "reported"
    pid = line.service_pid()
    os.kill(pid, signal.SIGKILL)
    aside = reported.rename(reported.with_name("aside"))
    # Not even a folder can be made here.
    reported.touch()
    try:
        calls = [phone.dial("*57") for phone in (desk_phone, called, softphone)]
        for call in calls:
            call.wait_answered()
        assert not line.healthy()
        # A queue that found the phone busy with the calls above rings it again after it has told the caller's place.
        technician.wait_ringing(40).wait_answered()
        time.sleep(1)
        calls[2].hang_up()
    finally:
        reported.unlink()
        aside.rename(reported)
    for call in calls:
        call.wait_ended(60)
    first.hang_up()
    heard = [prompts(known.recognise(call.recording)) for call in calls]
    assert heard[:2] == [["trace-in-call"], ["trace-in-call"]]
    assert heard[2][0] == "fallback-queue"
    assert "trace-received" not in heard[2]
    _service_back(line, pid)
    dial(technician, known, "*22")


async def test_no_stranger_reports_a_call(line: Line) -> None:
    """A feature code of phones that prove who they are."""
    before = line.api("GET", "/v1/call-traces")["items"]
    for name, password in (("9999", "demo-9999"), ("6001", "wrong"), ("trunk", "demo-trunk")):
        with pytest.raises(CallFailed):
            async with PhoneCall(line.server, name, password, "*57"):
                pass
    assert line.api("GET", "/v1/call-traces")["items"] == before


def test_the_technicians_button_rings_both(line: Line, good: PhoneFarm, known: Recogniser) -> None:
    """OV-22: the technician's phone first, then the user's."""
    technician = registered(good, "7001", Answering(how="answer", after_s=0.1))
    user = registered(good, "6003", Answering(how="answer", after_s=0.1))
    registered(good, "6002", Answering(how="answer", after_s=0.1))
    talk(user, "6002", 2)
    dial(user, known)
    trace = traces(line, "6003")[0]
    line.api("POST", f"/v1/call-traces/{trace['id']}/call-back", json={"technician": "7001"})
    technician.wait_ringing().wait_answered()
    user.wait_ringing().wait_answered()
