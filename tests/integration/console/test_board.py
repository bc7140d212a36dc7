"""The board: what it shows, and that what callers fill is shown as text."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta

import pytest

from api.console import pages
from api.console.board_stream import Boards, Listener
from ivr.directory.model import Customer, Identity
from tests.beginning import begin_call
from tests.integration.api.conftest import Line
from tests.integration.console.conftest import Browsers

_MARKUP = "<script>alert(1)</script>"


def _call(line: Line, name: str) -> None:
    customer = Customer(id=1, account="C-1", name=name)
    identity = Identity(by="number", customer=customer)
    begin_call(line.services.calls, "call-1", linkedid="1.1", identity=identity, at=line.now)
    line.services.calls.route("call-1", department="support", language="fr")
    line.services.calls.queued("call-1", line.now, queue="support")
    line.watch.enter(
        {"event": "QueueCallerJoin", "queue": "support", "uniqueid": "1.1", "channel": "PJSIP/trunk-1", "position": "1"}
    )


async def test_who_waits_is_on_the_board_as_text(browser: Browsers, line: Line) -> None:
    _call(line, _MARKUP)
    ops = await browser("ops")
    page = await ops.get("/console/board")
    assert page.status_code == 200
    assert _MARKUP not in page.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
    assert "418 555-0101" in page.text


async def test_an_open_board_gets_everything_first_and_then_what_changes(browser: Browsers, line: Line) -> None:
    async def still() -> bool:
        return True

    boards, listener = Boards(line.services), Listener(still)
    told: dict[str, str] = {}

    async def until(part: str, text: str) -> None:
        async with asyncio.timeout(30):
            async for parts in listener:
                told.update({name: event.decode() for name, event in parts.items()})
                if text in told.get(part, ""):
                    return

    with boards.listening(listener, "en"):
        await until("places", "Nobody is waiting.")
        assert set(told) >= {"figures", "incident", "places", "technicians", "tickets", "oncall"}
        _call(line, "Clinique du Cap")
        await until("places", "Clinique du Cap")
    await asyncio.sleep(0)


async def test_fifty_boards_are_drawn_as_one(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []

    def render(template: str, *where: object, **values: object) -> str:
        drawn.append(template)
        return real(template, *where, **values)  # type: ignore[arg-type]

    real = pages.render
    monkeypatch.setattr(pages, "render", render)

    async def still() -> bool:
        return True

    async def first(listener: Listener) -> bytes:
        async for parts in listener:
            if "places" in parts:
                return parts["places"]
        return b""

    boards, listeners = Boards(line.services), [Listener(still) for _ in range(50)]
    with contextlib.ExitStack() as stack:
        for listener in listeners:
            stack.enter_context(boards.listening(listener, "fr"))
        async with asyncio.timeout(30):
            told = await asyncio.gather(*map(first, listeners))
    assert len(set(map(id, told))) == 1, "nor is it put into lines for each"
    assert drawn.count("board_places.html.j2") == 1
    await asyncio.sleep(0)


async def test_todays_totals_are_counted_from_midnight(browser: Browsers, line: Line) -> None:
    _call(line, "Clinique du Cap")
    calls = line.services.calls
    calls.answered("call-1", line.now + timedelta(seconds=40), endpoint="7001")
    for name, mos in (("caller", 4.4), ("member", 3.1)):
        calls.leg("call-1", name, channel=f"PJSIP/{name}-1", role=name, at=line.now)
        calls.leg_scored("1.1", name, mos)
    calls.end("call-1", line.now + timedelta(seconds=90), result="answered", reason="hung up")
    await calls.flush()
    page = (await (await browser("gestion")).get("/console/board")).text
    assert "<dd>1</dd>" in page
    assert "40\u00a0s" in page
    numbers = (await (await browser("ops")).get("/console/board/charts.json")).json()
    assert sum(numbers["calls"]) == 1
    assert 40.0 in numbers["wait_s"]
    assert (numbers["mos"], len(numbers["mos_at"])) == ([3.1], 1), "of the worse leg"


async def test_partners_see_no_board(browser: Browsers) -> None:
    partner = await browser("boreal")
    assert (await partner.get("/console/board")).status_code == 404
    assert (await partner.get("/console/board/stream")).status_code == 404
