"""Carriers as they are: how they write numbers, whose word on the caller counts, and what they answer to our calls."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from sipsim.raw import CallFailed, RawCall

from ivr.asterisk.ami import Ami, AmiRefused
from tests.calls.fraud import Carrier, header
from tests.calls.line import OPEN, Line, free_ports, running_line, wait_for

NUMBER = "18446664844"
#: A contact of the demo directory.
JULIE = "14185550101"
#: Addresses of carriers, by what the operator says of them; what is said of none is as `from`.
ASSERTS, EITHER, PLAIN = "127.0.0.80", "127.0.0.81", "127.0.0.82"


@pytest.fixture(scope="module")
def out() -> int:
    """The port of the carrier that calls go out to."""
    return free_ports(1)[0]


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory, out: int) -> Iterator[Line]:
    """A line with three kinds of carriers."""
    trunks = ("--trunk", f"{ASSERTS},identity=asserted", "--trunk", f"{EITHER},identity=asserted-or-from")
    options = (*trunks, "--outbound", f"127.0.0.1:{out}")
    with running_line(tmp_path_factory.mktemp("carriers") / "line", now=OPEN, options=options) as running:
        yield running


def contact_of(call: Mapping[str, Any]) -> str | None:
    """Whom the line took the caller for."""
    contact = call["identity"].get("contact")
    return contact["name"] if contact is not None else None


#: RFC 3966, RFC 4694, and what people write.
WRITTEN = (
    "sip:+18446664844;npdi;rn=+15145550000@{}",
    "sip:18446664844;npdi=yes@{}",
    "sip:8446664844;phone-context=+1@{}",
    "sip:+18446664844;npdi;rn=+15145550000;phone-context=+1@{};user=phone",
    "sip:+1-844-666-4844@{};user=phone",
    "sip:1.844.666.4844@{}",
    "sip:(844)666-4844@{}",
    "sip:844.666.4844;ext=611@{}",
    "tel:+1-844-666-4844",
    "tel:+18446664844;npdi;rn=+15145550000",
)


async def test_a_number_is_known_however_it_is_written(line: Line, ani: Callable[[], str]) -> None:
    """What was dialled is told in digits."""

    async def dialled(uri: str) -> str:
        number = ani()
        async with RawCall(line.server, NUMBER, number, uri=uri.format(line.address)) as call:
            await asyncio.to_thread(wait_for, lambda: call.media.frames, "the line's first word")
        found: str = (await asyncio.to_thread(line.call_from, number))["dialled"]
        return found

    assert set(await asyncio.gather(*map(dialled, WRITTEN))) == {"18446664844", "8446664844"}


async def test_separators_open_no_way_out(line: Line, out: int) -> None:
    """Whatever is written between the digits, a number of the outside stays one, and is refused to a trunk."""
    carrier = Carrier()
    await carrier.open(out)
    try:
        for user in ("1.514.555.0000", "(514)5550000", "514.555.0000;npdi;rn=18446664844", "011.44.20.7946.0000"):
            with pytest.raises(CallFailed):
                async with RawCall(line.server, NUMBER, uri=f"sip:{user}@127.0.0.1"):
                    pass
        assert carrier.invited == []
    finally:
        carrier.close()


PILOT = b"<sip:15145559999@carrier.example>"
ANONYMOUS = b'"Anonymous" <sip:anonymous@anonymous.invalid>'
ASSERTED = b"<sip:+14185550101@carrier.example;user=phone>"


#: From where, From, further headers; the number that is told, and whether the caller is known.
CASES: tuple[tuple[str, bytes, Mapping[str, bytes], str | None, bool], ...] = (
    (ASSERTS, PILOT, {"P-Asserted-Identity": ASSERTED}, JULIE, True),
    (ASSERTS, PILOT, {"P-Asserted-Identity": b"tel:+1-418-555-0101"}, JULIE, True),
    (ASSERTS, PILOT, {"P-Asserted-Identity": b"<sip:14185550101;cpc=ordinary@carrier.example>"}, JULIE, True),
    (ASSERTS, PILOT, {"Remote-Party-ID": ASSERTED + b";party=calling;privacy=off;screen=yes"}, JULIE, True),
    (EITHER, PILOT, {"P-Asserted-Identity": ASSERTED}, JULIE, True),
    # Asserted and private: served as themselves, and nobody is shown the number.
    (ASSERTS, ANONYMOUS, {"P-Asserted-Identity": ASSERTED, "Privacy": b"id"}, None, True),
    (ASSERTS, ANONYMOUS, {"P-Asserted-Identity": ASSERTED, "Privacy": b"user; ID ;critical"}, None, True),
    (ASSERTS, ANONYMOUS, {"Remote-Party-ID": ASSERTED + b";party=calling;privacy=full;screen=yes"}, None, True),
    (PLAIN, ASSERTED, {"Privacy": b"header"}, None, True),
    (ASSERTS, PILOT, {"P-Asserted-Identity": ASSERTED, "Privacy": b"none"}, JULIE, True),
    (ASSERTS, PILOT, {"P-Asserted-Identity": ASSERTED, "Privacy": b"history"}, JULIE, True),
    # Whose word does not count.
    (ASSERTS, ASSERTED, {}, None, False),
    (EITHER, ASSERTED, {}, JULIE, True),
    (PLAIN, b"<sip:15145559999@carrier.example>", {"P-Asserted-Identity": ASSERTED}, "15145559999", False),
    (PLAIN, ANONYMOUS, {"P-Asserted-Identity": ASSERTED}, None, False),
    (PLAIN, ANONYMOUS, {"Remote-Party-ID": ASSERTED}, None, False),
    # Nobody.
    (PLAIN, b"<sip:anonymous@anonymous.invalid>", {}, None, False),
    (PLAIN, b'"Private" <sip:Private@carrier.example>', {}, None, False),
    (PLAIN, b'"Restricted" <sip:Restricted@carrier.example>', {}, None, False),
    (PLAIN, b"<sip:carrier.example>", {}, None, False),
    (PLAIN, b"<sip:unavailable@unknown.invalid>", {}, None, False),
    (PLAIN, b'"Anonymous" <sip:14185550101@carrier.example>', {}, None, False),
    (PLAIN, '"Numéro privé" <sip:14185550101@carrier.example>'.encode(), {}, None, False),
    (PLAIN, b"<sip:0000000000@carrier.example>", {}, None, False),
    (ASSERTS, PILOT, {"P-Asserted-Identity": b"<sip:Restricted@carrier.example>"}, None, False),
    (ASSERTS, PILOT, {"P-Asserted-Identity": b"<sip:0000000000@carrier.example>"}, None, False),
    # A name that is only unknown takes nobody's number away.
    (PLAIN, b'"Unavailable" <sip:14185550101@carrier.example>', {}, JULIE, True),
)


async def test_who_calls(line: Line) -> None:
    """OV-3, RFC 3325, RFC 3323: by what the carrier asserts, where the operator says that its word counts."""
    before = {one["id"] for one in line.api("GET", "/v1/calls", params={"limit": 100})["items"]}
    for source, from_header, headers, _, _ in CASES:
        async with RawCall(line.server, NUMBER, source=source, from_header=from_header, extra=headers) as call:
            await asyncio.to_thread(wait_for, lambda: call.media.frames, "the line's first word")

    def look() -> list[dict[str, Any]]:
        items = line.api("GET", "/v1/calls", params={"limit": 100})["items"]
        found = [one for one in items if one["id"] not in before]
        return found if len(found) == len(CASES) else []

    found = await asyncio.to_thread(wait_for, look, "all calls")
    calls = [line.api("GET", f"/v1/calls/{one['id']}") for one in sorted(found, key=lambda one: one["started_at"])]
    for case, call in zip(CASES, calls, strict=True):
        assert (call["ani"], contact_of(call) is not None) == case[3:], (case, call["identity"])
    # Asterisk's own record, from which calls are entered that nobody met, has no number that is private either.
    record = Path(line.state) / "log" / "asterisk" / "cdr-custom" / "calls.csv"
    told = [row for row in record.read_text().splitlines() if "4185550101" in row]
    assert len(told) == sum(number == JULIE for _, _, _, number, _ in CASES), told


@pytest.mark.parametrize("status", ["302 Moved Temporarily", "305 Use Proxy", "300 Multiple Choices"])
async def test_where_a_carrier_sends_a_call_is_not_dialled(line: Line, out: int, status: str) -> None:
    """Neither what it names outside, nor our own line, which would answer a page or a callback in somebody's place."""
    carrier = Carrier(status, f"Contact: <sip:{NUMBER}@127.0.0.1:{line.sip}>, <sip:0114420794600@127.0.0.1:{out}>")
    await carrier.open(out)
    secret = json.loads((Path(line.state) / "secrets.json").read_text())["ami_service"]
    ami = Ami("127.0.0.1", line.ami, "service", secret)
    await ami.connect()
    before = line.api("GET", "/v1/calls", params={"limit": 1})["items"]
    try:
        fields = {"Channel": "PJSIP/15145550000@outbound", "Context": "callback-join", "Exten": "s", "Priority": "1"}
        with pytest.raises(AmiRefused):
            await ami.action("Originate", {**fields, "Timeout": "8000", "Async": "false"}, timeout_s=20)
        assert [one.partition("@")[0] for one in carrier.invited] == ["sip:15145550000"]
        assert line.api("GET", "/v1/calls", params={"limit": 1})["items"] == before
    finally:
        await ami.close()
        carrier.close()


async def test_session_timers_as_carriers_ask_for_them(line: Line, ani: Callable[[], str]) -> None:
    """RFC 4028: too short a time is told how long it must be; either side may refresh."""
    timer = {"Supported": b"timer"}
    with pytest.raises(CallFailed) as refused:
        async with RawCall(line.server, NUMBER, ani(), extra={**timer, "Session-Expires": b"30"}):
            pass
    assert refused.value.status == 422
    for refresher in (b"uas", b"uac"):
        headers = {**timer, "Session-Expires": b"90;refresher=" + refresher}
        async with RawCall(line.server, NUMBER, ani(), extra=headers) as call:
            assert header(call.answer, "session-expires") == f"90;refresher={refresher.decode()}"
