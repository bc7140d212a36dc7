"""Warnings, breaches and moves to the next level, on a real database: each once, and at night for what is urgent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import date, datetime

import pytest
from sqlalchemy import text, update

from ivr.desk.fields import SpecialDay
from ivr.desk.hours import calendars_of
from ivr.desk.load import Desks
from ivr.notify.outbox import put_email
from ivr.store.engine import StoreUnavailable
from ivr.tickets import sla_monitor as clockwork
from ivr.tickets import store as statements
from ivr.tickets import tables as t
from ivr.tickets.intake import Intake, Requester, VoiceMessage
from ivr.tickets.intake_commit import enter
from tests.integration.tickets.conftest import Desk, local


async def test_ov14_ov15_warning_then_breach_over_lunch(desk: Desk) -> None:
    number = await desk.open("2026-11-25T10:30")
    for at in ("2026-11-25T10:30", "2026-11-25T11:29:59"):
        await desk.watch(at)
        assert await desk.raised(number) == []
    await desk.watch("2026-11-25T11:30")
    assert await desk.raised(number) == [("tmr", 1, "warning", local("2026-11-25T11:30"))]
    await desk.watch("2026-11-25T13:29:59")
    assert len(await desk.raised(number)) == 1
    await desk.watch("2026-11-25T13:30")
    assert (await desk.raised(number))[1:] == [("tmr", 1, "breach", local("2026-11-25T13:30"))]
    assert await desk.mails() == [
        ("support@omnivigil.com", f"Billet {number} : TMR bientôt dépassé (niveau 1)"),
        ("support@omnivigil.com", f"Billet {number} : TMR dépassé (niveau 1)"),
    ]
    # A missed answer moves nobody: only the TR does.
    assert (await desk.ticket(number)).level == 1


async def test_each_once_however_often_and_by_however_many_it_is_looked_at(desk: Desk) -> None:
    numbers = [await desk.open("2026-11-25T09:00") for _ in range(5)]
    services = [desk.clockwork("2026-11-25T10:05") for _ in range(4)]
    for _ in range(3):
        await asyncio.gather(*(one.once() for one in services))
    # And by one that was started again.
    again = desk.clockwork("2026-11-25T10:06")
    await again.recheck()
    await again.once()
    for number in numbers:
        assert [one[:3] for one in await desk.raised(number)] == [("tmr", 1, "warning")]
    assert len(await desk.mails()) == 5


async def test_ov14_an_answer_in_time_raises_nothing(desk: Desk) -> None:
    number = await desk.open("2026-11-25T09:00")
    await desk.change(number, "2026-11-25T09:59:59", status="in-progress")
    await desk.watch("2026-11-25T12:30")
    await desk.watch("2026-11-25T14:00")
    assert await desk.raised(number) == []


async def test_ov7_never_at_night_for_what_is_not_urgent(desk: Desk) -> None:
    number = await desk.open("2026-11-25T15:30")
    await desk.watch("2026-11-25T15:31")
    # The service was away from then until the night.
    await desk.watch("2026-11-25T22:00")
    assert await desk.raised(number) == []
    await desk.watch("2026-11-26T07:59:59")
    assert await desk.raised(number) == []
    await desk.watch("2026-11-26T08:00")
    assert [one[:3] for one in await desk.raised(number)] == [("tmr", 1, "warning")]


async def test_what_was_documented_at_night_begins_in_the_morning(desk: Desk) -> None:
    number = await desk.open("2026-11-27T20:00")
    for at in ("2026-11-27T23:00", "2026-11-28T12:00", "2026-11-30T08:59:59"):
        await desk.watch(at)
    assert await desk.raised(number) == []
    await desk.watch("2026-11-30T09:00")
    assert len(await desk.raised(number)) == 1


async def test_ov7_urgent_clocks_run_at_night(desk: Desk) -> None:
    number = await desk.open("2026-11-27T23:30", priority="urgente")
    await desk.watch("2026-11-28T00:30")
    await desk.watch("2026-11-28T01:30")
    assert [one[2:] for one in await desk.raised(number)] == [
        ("warning", local("2026-11-28T00:30")),
        ("breach", local("2026-11-28T01:30")),
    ]


async def test_what_becomes_urgent_keeps_what_was_counted(desk: Desk) -> None:
    number = await desk.open("2026-11-27T16:30")
    await desk.change(number, "2026-11-27T22:00", priority="urgente")
    await desk.watch("2026-11-27T22:29:59")
    assert await desk.raised(number) == []
    await desk.watch("2026-11-27T22:30")
    assert len(await desk.raised(number)) == 1


async def test_ov7_a_callers_emergency_message_makes_its_documented_ticket_urgent_at_once(desk: Desk) -> None:
    number = await desk.open("2026-11-27T16:30", call_id="c" * 32)
    intake = Intake(
        key="omnivigil_support_1",
        at=local("2026-11-27T18:00"),
        desk="omnivigil",
        department="support",
        language="fr",
        call_id="c" * 32,
        requester=Requester(),
        message=VoiceMessage(file="a.wav", seconds=9, urgent=True),
    )
    async with desk.store.unit() as unit:
        assert (await enter(unit, intake)).number == number
    await desk.watch("2026-11-27T18:30")
    assert [one[:3] for one in await desk.raised(number)] == [("tmr", 1, "warning")]


async def test_after_an_outage_only_the_gravest_is_told(desk: Desk) -> None:
    number = await desk.open("2026-11-25T08:00")
    await desk.watch("2026-11-25T16:00")
    assert [one[:3] for one in await desk.raised(number)] == [("tmr", 1, "breach")]
    assert len(await desk.mails()) == 1


class TestAddresses:
    """Each level's alarms go to its own address in the desk file, else to the ticket's department."""

    @staticmethod
    def with_addresses(desk: Desk, **addresses: str) -> Desk:
        shipped = desk.desks["omnivigil"]
        levels = {
            key: one.model_copy(update={"email": addresses.get(f"level{key}")})
            for key, one in shipped.tickets.levels.items()
        }
        policy = shipped.tickets.model_copy(update={"levels": levels})
        changed = Desks([shipped.model_copy(update={"tickets": policy})])
        return Desk(store=desk.store, desks=changed, calendars=desk.calendars)

    async def test_ov15_a_level_is_told_of_its_clocks_and_the_next_of_what_comes_to_it(self, desk: Desk) -> None:
        desk = self.with_addresses(desk, level1="niveau1@omnivigil.com", level2="niveau2@omnivigil.com")
        number = await desk.open("2026-11-23T08:00")
        await desk.watch("2026-11-23T09:00")
        await desk.change(number, "2026-11-23T09:30", status="in-progress")
        await desk.watch("2026-11-24T09:30")
        assert [to for to, _ in await desk.mails()] == [
            "niveau1@omnivigil.com",
            "niveau1@omnivigil.com",
            "niveau2@omnivigil.com",
        ]
        await desk.watch("2026-11-25T09:30")
        # The third level has no address of its own.
        assert [to for to, _ in await desk.mails()][3:] == ["niveau2@omnivigil.com", "support@omnivigil.com"]


class TestLevels:
    async def test_ov15_past_the_tr_to_the_next_level_up_to_the_last(self, desk: Desk) -> None:
        number = await desk.open("2026-11-23T08:00")
        await desk.change(number, "2026-11-23T08:00", status="in-progress")
        # Eight working hours are a day.
        for day, level in ((24, 2), (25, 3), (26, 4), (27, 4)):
            await desk.watch(f"2026-11-{day}T08:00")
            assert (await desk.ticket(number)).level == level
        found = [one[:3] for one in await desk.raised(number)]
        assert [one for one in found if one[2] == "breach"] == [("tr", level, "breach") for level in (1, 2, 3)]
        assert (await desk.mails())[0][1] == f"Billet {number} : TR dépassé (niveau 1) – passe au niveau 2"

    async def test_ov15_waiting_does_not_count_and_each_level_has_its_own_eight_hours(self, desk: Desk) -> None:
        number = await desk.open("2026-11-23T08:00")
        await desk.change(number, "2026-11-23T08:00", status="in-progress")
        await desk.change(number, "2026-11-23T11:00", status="waiting-requester")  # 3 h
        await desk.watch("2026-11-25T16:00")
        await desk.change(number, "2026-11-25T16:00", status="in-progress")
        await desk.watch("2026-11-26T11:59:59")
        assert [one[2] for one in await desk.raised(number)] == ["warning"]
        await desk.watch("2026-11-26T13:00")
        assert (await desk.ticket(number)).level == 2
        # Of the second level nothing is spent yet.
        await desk.watch("2026-11-27T12:59:59")
        assert (await desk.ticket(number)).level == 2

    async def test_a_level_that_was_raised_by_hand_is_not_raised_again(self, desk: Desk) -> None:
        number = await desk.open("2026-11-23T08:00")
        await desk.change(number, "2026-11-23T08:00", status="in-progress")
        await desk.change(number, "2026-11-23T16:00", level=2)
        await desk.watch("2026-11-24T10:00")
        assert ((await desk.ticket(number)).level, await desk.raised(number)) == (2, [])

    async def test_whoever_saw_the_ticket_before_must_look_again(self, desk: Desk) -> None:
        number = await desk.open("2026-11-23T08:00")
        before = await desk.change(number, "2026-11-23T08:00", status="in-progress")
        await desk.watch("2026-11-24T08:00")
        assert (await desk.ticket(number)).version == before.version + 1


class TestFaults:
    async def test_what_cannot_be_committed_is_raised_later(
        self, desk: Desk, database_away: Callable[[], AbstractContextManager[None]]
    ) -> None:
        number = await desk.open("2026-11-25T09:00")
        with database_away(), pytest.raises(StoreUnavailable):
            await desk.clockwork("2026-11-25T10:00").once()
        assert (await desk.raised(number), await desk.mails()) == ([], [])
        await desk.watch("2026-11-25T10:01")
        assert len(await desk.raised(number)) == len(await desk.mails()) == 1

    async def test_killed_in_the_middle_it_leaves_all_or_nothing(
        self, desk: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        number = await desk.open("2026-11-25T09:00")

        async def die(*_: object, **__: object) -> None:
            raise asyncio.CancelledError

        with monkeypatch.context() as patched:
            patched.setattr(clockwork, "put_email", die)
            with pytest.raises(asyncio.CancelledError):
                await desk.clockwork("2026-11-25T10:00").once()
        assert await desk.raised(number) == []
        await desk.watch("2026-11-25T10:00")
        assert len(await desk.raised(number)) == len(await desk.mails()) == 1

    async def test_one_that_cannot_be_dealt_with_does_not_stop_the_others(
        self, desk: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bad, good = await desk.open("2026-11-25T09:00"), await desk.open("2026-11-25T09:00")
        real = put_email

        async def fail_once(unit: object, email: object, **rest: object) -> None:
            if getattr(email, "ticket_number", None) == bad:
                raise ValueError("no")
            await real(unit, email, **rest)  # type: ignore[arg-type]

        with monkeypatch.context() as patched:
            patched.setattr(clockwork, "put_email", fail_once)
            await desk.watch("2026-11-25T10:00")
        assert (await desk.raised(bad), len(await desk.raised(good))) == ([], 1)
        await desk.watch("2026-11-25T10:11")
        assert len(await desk.raised(bad)) == 1

    async def test_a_department_that_is_no_more_raises_nothing(self, desk: Desk) -> None:
        number = await desk.open("2026-11-25T09:00")
        async with desk.store.unit() as unit:
            await unit.execute(update(t.tickets).values(department="gone"))
        await desk.watch("2026-11-25T12:00")
        assert await desk.raised(number) == []

    async def test_hours_that_changed_while_it_was_away_are_taken_up(self, desk: Desk) -> None:
        number = await desk.open("2026-11-25T09:00")
        await desk.watch("2026-11-25T09:00")
        async with desk.store.unit() as unit:
            # As if it had been worked out from hours that begin later, or from no promise at all.
            await unit.execute(update(t.tickets).values(due_at=None))
        started = desk.clockwork("2026-11-25T10:00")
        await started.recheck()
        await started.once()
        assert len(await desk.raised(number)) == 1

    async def test_hours_and_promises_of_the_desk_that_it_goes_to_are_taken_up(self, desk: Desk) -> None:
        number = await desk.open("2026-11-25T09:00", desk="hotline-2024", department="logiciel")
        await desk.watch("2026-11-25T09:00")
        await desk.change(number, "2026-11-25T09:10", desk="omnivigil", department="support")
        await desk.watch("2026-11-25T10:00")
        assert await desk.raised(number) == [("tmr", 1, "warning", local("2026-11-25T10:00"))]

    async def test_it_runs_by_itself(self, desk: Desk) -> None:
        number = await desk.open("2026-11-25T09:00")
        with desk.bus.listen() as listener:
            running = asyncio.create_task(desk.clockwork("2026-11-25T10:00").run(every_s=0.02))
            event = await asyncio.wait_for(anext(listener), 30)
            running.cancel()
            await asyncio.wait({running})
        assert (event.kind, event.data["number"], event.data["alarm"]["kind"]) == (
            "ticket.alarm",
            str(number),
            "warning",
        )


async def test_the_due_ones_are_found_by_an_index(desk: Desk) -> None:
    async with desk.store.reading() as unit:
        explain = "EXPLAIN QUERY PLAN "
        if unit.dialect == "postgresql":
            # Of no rows any plan is as good as another.
            await unit.execute(text("SET LOCAL enable_seqscan = off"))
            explain = "EXPLAIN "
        query = "SELECT number, due_at FROM tickets WHERE due_at IS NOT NULL AND due_at <= '2026-11-25'"
        plan = await unit.execute(text(f"{explain}{query} ORDER BY due_at LIMIT 50"))
        assert "ix_tickets_due_at" in str(plan.all())


class TestAnotherCalendar:
    """Issue 19, row 30: a day is added to the closures while tickets are open."""

    def _closed(self, desk: Desk, day: str) -> Desk:
        """The desk with a calendar of closures that has this day."""
        shipped = desk.desks["omnivigil"]
        special = SpecialDay(date=date.fromisoformat(day), hours=())
        changed = shipped.model_copy(update={"exceptions": (special,)})
        others = Desks([changed if one is shipped else one for one in desk.desks.values()])
        return replace(desk, desks=others, calendars={one.id: calendars_of(one) for one in others.values()})

    async def test_what_is_due_moves_and_the_history_says_why(self, desk: Desk) -> None:
        number = await desk.open("2026-11-25T16:30")
        await desk.watch("2026-11-25T16:30")
        other = self._closed(desk, "2026-11-26").clockwork("2026-11-25T16:45")
        await other.recheck()
        await other.recheck()
        async with desk.store.reading() as unit:
            [moved] = [one for one in await statements.events(unit, number) if one["kind"] == "hours-changed"]
        assert moved["who"] == "clock"
        due = {name: datetime.fromisoformat(at) for name, at in moved["changes"]["due_at"].items()}
        assert due == {"from": local("2026-11-26T08:30"), "to": local("2026-11-27T08:30")}
        closed = self._closed(desk, "2026-11-26")
        await closed.watch("2026-11-26T09:00")
        assert await desk.raised(number) == []
        await closed.watch("2026-11-27T08:30")
        assert [one[:3] for one in await desk.raised(number)] == [("tmr", 1, "warning")]

    async def test_what_was_warned_of_is_not_warned_of_again(self, desk: Desk) -> None:
        number = await desk.open("2026-11-25T15:30")
        await desk.watch("2026-11-25T16:30")
        assert [one[2] for one in await desk.raised(number)] == ["warning"]
        closed = self._closed(desk, "2026-11-26")
        await closed.clockwork("2026-11-25T16:45").recheck()
        await closed.watch("2026-11-26T09:30")
        await closed.watch("2026-11-27T08:29:59")
        assert [one[2] for one in await desk.raised(number)] == ["warning"]
        await closed.watch("2026-11-27T08:30")
        assert [one[2] for one in await desk.raised(number)] == ["warning", "breach"]

    async def test_it_is_looked_at_when_other_files_are_in_force(self, desk: Desk) -> None:
        number = await desk.open("2026-11-25T16:30")
        await desk.watch("2026-11-25T16:30")
        closed = self._closed(desk, "2026-11-26")
        clockwork = closed.clockwork("2026-11-25T16:45")
        looked = asyncio.Event()
        recheck = clockwork.recheck

        async def look() -> None:
            await recheck()
            looked.set()

        clockwork.recheck = look  # type: ignore[method-assign]
        running = asyncio.create_task(clockwork.run(every_s=0.02))
        for _ in range(2):
            await asyncio.wait_for(looked.wait(), 30)
            looked.clear()
            clockwork.hours_changed()
        running.cancel()
        await asyncio.wait({running})
        async with desk.store.reading() as unit:
            assert await statements.with_clocks(unit, after=0, limit=5) == {number: local("2026-11-27T08:30")}
