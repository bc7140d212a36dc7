"""Who left a message at night that is no emergency is answered the next working day, or staff are told (OV-7)."""

from __future__ import annotations

import asyncio

import pytest

from ivr.tickets.intake import Intake, Requester, VoiceMessage
from ivr.tickets.intake_commit import enter
from ivr.tickets.promise import promised
from ivr.tickets.promise_monitor import Overdue
from tests.integration.tickets.conftest import Desk, local

LEFT = "2026-11-25T22:00"


async def leave(desk: Desk, *, urgent: bool = False) -> int:
    promise = promised(
        desk.desks["omnivigil"].departments["support"],
        desk.calendars["omnivigil"]["support"],
        urgent=urgent,
        at=local(LEFT),
    )
    intake = Intake(
        key="m1",
        at=local(LEFT),
        desk="omnivigil",
        department="support",
        language="fr",
        call_id=None,
        requester=Requester(),
        message=VoiceMessage(file="m1.wav", seconds=9, urgent=urgent, number="14185550103"),
        promise=promise,
    )
    async with desk.store.unit() as unit:
        return (await enter(unit, intake)).number


async def look(desk: Desk, at: str) -> int:
    return await Overdue(desk.store, desk.desks, desk.calendars, desk.bus, lambda: local(at)).once()


async def test_ov7_a_promise_that_ends_with_the_day_is_told_in_the_morning_once(desk: Desk) -> None:
    number = await leave(desk)
    assert (await desk.ticket(number)).promised_at == local("2026-11-26T17:00")
    for at in ("2026-11-26T16:59:59", "2026-11-26T17:00", "2026-11-27T07:59:59"):
        assert await look(desk, at) == 0
    assert sorted(await asyncio.gather(*(look(desk, "2026-11-27T08:00") for _ in range(4)))) == [0, 0, 0, 1]
    assert await look(desk, "2026-11-30T09:00") == 0
    assert await desk.mails() == [("support@omnivigil.com", f"Billet {number} : réponse promise et dépassée")]
    assert [one[:3] for one in await desk.raised(number)] == [("due", 1, "breach")]


async def test_who_was_answered_in_time_is_not_told_of(desk: Desk) -> None:
    number = await leave(desk)
    await desk.change(number, "2026-11-26T09:00", status="in-progress")
    assert await look(desk, "2026-11-27T08:00") == 0


@pytest.mark.parametrize("status", ["closed"])
async def test_nor_what_was_closed(desk: Desk, status: str) -> None:
    number = await leave(desk)
    await desk.change(number, "2026-11-26T09:00", status=status, reason="Réglé par le client.")
    assert await look(desk, "2026-11-27T08:00") == 0


async def test_an_emergency_has_another_promise(desk: Desk) -> None:
    await leave(desk, urgent=True)
    assert await look(desk, "2026-11-27T08:00") == 0
