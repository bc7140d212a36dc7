"""More calls than the line takes: carriers hear that they should try elsewhere, and emergencies get through."""

from __future__ import annotations

import asyncio
import re
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from sipsim.impaired import PhoneCall as BarePhone
from sipsim.raw import CallFailed, RawCall

from tests.calls.fraud import Carrier
from tests.calls.line import OPEN, Line, free_ports, running_line, wait_for


def refused(line: Line, reason: str) -> int:
    """How many calls were refused for this reason."""
    pattern = rf'^omnivigil_calls_refused_total{{reason="{reason}"}} (\d+)'
    found = re.search(pattern, line.raw_api("GET", "/metrics").text, re.M)
    return int(found[1]) if found is not None else 0


async def dialled(line: Line, source: str) -> tuple[int, int | None]:
    """The final status of one more call from the trunk, which is not kept, and after how long to try again."""
    try:
        async with RawCall(line.server, "18446664844", "5145550111", source=source):
            return 200, None
    except CallFailed as failed:
        return failed.status, failed.retry_after_s


async def test_a_full_line_says_so_and_keeps_room_for_emergencies(tmp_path: Path) -> None:
    """24 pairs of ports, without a further word: 10 calls from trunks, 7 from one address; 2 of one phone."""
    first = 20000 + free_ports(1)[0] % 200 * 100
    (outside,) = free_ports(1)
    limits = (
        "--rtp",
        f"{first}-{first + 47}",
        "--calls-per-phone",
        "2",
        "--rtp-timeout",
        "10",
        "--outbound",
        f"127.0.0.1:{outside}",
    )
    carrier = Carrier()
    await carrier.open(outside)
    with running_line(tmp_path / "line", now=OPEN, options=limits) as line:
        told = tmp_path / "line" / "up.log"
        # Its call to itself is one from a trunk too.
        await asyncio.to_thread(wait_for, lambda: "Ctrl-C ends it" in told.read_text(), "the line's call to itself", 60)
        async with AsyncExitStack() as kept:
            for _ in range(7):
                await kept.enter_async_context(RawCall(line.server, "18446664844", "5145550111"))
            assert [await dialled(line, "127.0.0.1") for _ in range(3)] == [(503, 10)] * 3
            for _ in range(3):
                await kept.enter_async_context(RawCall(line.server, "18446664844", "5145550112", source="127.0.0.2"))
            assert [await dialled(line, f"127.0.0.{n}") for n in (2, 3, 4)] == [(503, 10)] * 3

            # Phones still reach us, and the two that one may have at once are two.
            for _ in range(2):
                await kept.enter_async_context(BarePhone(line.server, "6001", "demo-6001", "611"))
            with pytest.raises(CallFailed) as third:
                await kept.enter_async_context(BarePhone(line.server, "6001", "demo-6001", "611"))
            # It would wait with an emergency too.
            assert (third.value.status, third.value.retry_after_s) == (503, None)
            await kept.enter_async_context(BarePhone(line.server, "6002", "demo-6002", "*57"))
            # An emergency goes out in any case, also from the phone that has had its share.
            for phone in ("6001", "6002"):
                with pytest.raises(CallFailed) as busy:
                    await kept.enter_async_context(BarePhone(line.server, phone, f"demo-{phone}", "911"))
                assert busy.value.status == 486
            assert [uri.partition("@")[0] for uri in carrier.invited] == ["sip:911"] * 2
        # Room again: the ports of those who left are free a moment later.
        await asyncio.to_thread(wait_for, lambda: asyncio.run(dialled(line, "127.0.0.1"))[0] == 200, "room for a call")
        async with (
            RawCall(line.server, "18446664844", "5145550113") as there,
            RawCall(line.server, "18446664844", "5145550114", muted=True) as gone,
        ):
            # Nothing is heard of it; the other one says nothing either, and is there.
            assert await gone.ended_by_line(60)
            assert not there.ended
        assert (refused(line, "source") >= 3, refused(line, "full") >= 3, refused(line, "phone")) == (True, True, 1)
        refusals = [one for one in line.log().splitlines() if '"refused"' in one]
        assert any('"127.0.0.1"' in one for one in refusals)
        assert not any("514555" in one for one in refusals)
    carrier.close()
