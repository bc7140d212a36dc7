"""Pages for emergencies, on a real database: who is told, once, until somebody takes it (OV-7)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from ivr.notify.outbox import put_sms
from ivr.notify.tables import outbox
from ivr.oncall import paging
from ivr.oncall import store as statements
from ivr.oncall.paging import Paging
from ivr.oncall.rota import Stint
from ivr.oncall.service import Emergencies
from ivr.oncall.store import Emergency
from ivr.store.engine import StoreUnavailable
from ivr.tickets import store as tickets
from ivr.tickets import tables as t
from ivr.tickets.intake import Intake, Requester, VoiceMessage
from ivr.tickets.intake_commit import enter
from tests.integration.tickets.conftest import Desk, local

#: Of the shipped desk file, in the week of Monday 23 November 2026: Annie, then Luc; the manager after 20 minutes.
ANNIE, LUC, MANAGER = "14185550161", "14185550162", "14185550169"


@dataclass
class Night:
    """A closed desk and its phones."""

    desk: Desk

    async def message(
        self,
        at: str,
        *,
        key: str = "m1",
        number: str | None = "14185550103",
        endpoint: str | None = None,
        urgent: bool = True,
    ) -> int:
        """A caller leaves one; its ticket."""
        intake = Intake(
            key=key,
            at=local(at),
            desk="omnivigil",
            department="support",
            language="fr",
            call_id=None,
            requester=Requester(account_name="Boulangerie Saint-Roch"),
            message=VoiceMessage(file=f"{key}.wav", seconds=9, urgent=urgent, number=number, endpoint=endpoint),
        )
        async with self.desk.store.unit() as unit:
            return (await enter(unit, intake)).number

    def paging(self, at: str) -> Paging:
        return Paging(self.desk.store, self.desk.desks, self.desk.bus, lambda: local(at))

    async def look(self, at: str) -> int:
        return await self.paging(at).once()

    async def sent(self) -> list[str]:
        """The numbers that were sent a text message, in order."""
        async with self.desk.store.reading() as unit:
            query = select(outbox.c.recipient).where(outbox.c.kind == "sms").order_by(outbox.c.id)
            return list((await unit.execute(query)).scalars())

    async def all(self) -> list[Emergency]:
        async with self.desk.store.reading() as unit:
            return await statements.left_between(
                unit, "omnivigil", local("2026-11-01T00:00"), local("2026-12-31T00:00")
            )

    async def take(self, emergency: int, at: str) -> Emergency:
        async with self.desk.store.unit() as unit:
            held = Emergencies(desks=self.desk.desks, bus=self.desk.bus, clock=lambda: local(at))
            return await held.take(unit, emergency, by="luc")


@pytest.fixture
def night(desk: Desk) -> Night:
    return Night(desk)


async def test_ov7_one_after_the_other_until_somebody_takes_it(night: Night) -> None:
    number = await night.message("2026-11-25T22:00")
    assert await night.look("2026-11-25T22:00:02") == 1
    assert await night.look("2026-11-25T22:04:59") == 0
    for at in ("22:05", "22:10", "22:15", "22:20"):
        assert await night.look(f"2026-11-25T{at}") == 1
    assert await night.sent() == [ANNIE, LUC, ANNIE, LUC, MANAGER]
    [emergency] = await night.all()
    taken = await night.take(emergency.id, "2026-11-25T22:24")
    assert taken.notified_at == local("2026-11-25T22:00:02")
    assert taken.taken_at == local("2026-11-25T22:24")
    assert await night.look("2026-11-25T22:30") == 0
    # Its ticket is in progress, and its history tells all of it.
    assert (await night.desk.ticket(number)).status == "in-progress"
    async with night.desk.store.reading() as unit:
        kinds = [one["kind"] for one in await tickets.events(unit, number)]
    assert kinds == ["created", "message", *["paged"] * 5, "emergency-taken", "changed"]


async def test_ov7_operations_are_told_once_when_nobody_has_taken_it_in_time(night: Night) -> None:
    number = await night.message("2026-11-25T22:00")
    with night.desk.bus.listen() as listener:
        for at in ("22:00:02", "22:20", "22:30", "22:30:01", "22:30:03"):
            await asyncio.gather(*(night.look(f"2026-11-25T{at}") for _ in range(3)))
        kinds = [(await anext(listener)).kind for _ in range(listener.behind)]
    assert kinds.count("emergency.late") == 1
    async with night.desk.store.reading() as unit:
        query = select(outbox.c.recipient, outbox.c.subject).where(outbox.c.kind == "email")
        told = [tuple(row) for row in await unit.execute(query)]
    subject = f"URGENT – Billet {number} : personne n’a pris l’urgence en 30 minutes"
    assert told == [("support@omnivigil.com", subject)]
    [emergency] = await night.all()
    assert emergency.late_at == local("2026-11-25T22:30:01")


async def test_nobody_is_told_of_what_was_taken_in_time(night: Night) -> None:
    await night.message("2026-11-25T22:00")
    await night.look("2026-11-25T22:00:02")
    [emergency] = await night.all()
    await night.take(emergency.id, "2026-11-25T22:30")
    await night.look("2026-11-25T22:31")
    assert (await night.all())[0].late_at is None


async def test_what_the_page_says(night: Night) -> None:
    number = await night.message("2026-11-25T22:00")
    await night.look("2026-11-25T22:00:02")
    async with night.desk.store.reading() as unit:
        [body] = (await unit.execute(select(outbox.c.body).where(outbox.c.kind == "sms"))).scalars()
    assert body == (
        # In the alphabet that makes it one part: « – » and « À » would make it two.
        f"URGENCE - billet {number} : message vocal à 22:00 de +14185550103 (Boulangerie Saint-Roch)."
        " A prendre avant 22:30."
    )


async def test_ov7_an_ordinary_message_pages_nobody(night: Night) -> None:
    await night.message("2026-11-25T22:00", urgent=False)
    assert await night.look("2026-11-25T22:30") == 0
    assert await night.all() == []


async def test_two_messages_by_one_caller_are_one_emergency(night: Night) -> None:
    await night.message("2026-11-25T22:00")
    await night.look("2026-11-25T22:00:02")
    await night.message("2026-11-25T22:02", key="m2")
    await night.message("2026-11-25T22:02", key="m3", number="14185550199")
    await night.message("2026-11-25T22:02", key="m4", number=None)
    await night.message("2026-11-25T22:02", key="m5", number=None)
    assert await night.look("2026-11-25T22:02:10") == 3
    first, second, *others = await night.all()
    assert second.merged_into == first.id
    assert [one.merged_into for one in others] == [None] * 3
    # Whoever takes either has taken both.
    await night.take(second.id, "2026-11-25T22:03")
    first, second, *_ = await night.all()
    assert first.taken_at == second.taken_at == local("2026-11-25T22:03")
    # What comes after that is another one.
    await night.message("2026-11-25T23:00", key="m6")
    await night.look("2026-11-25T23:00:02")
    assert (await night.all())[-1].merged_into is None


async def test_two_messages_by_one_phone_whose_number_is_not_known_are_one_emergency(night: Night) -> None:
    first = await night.message("2026-11-25T22:00", number=None, endpoint="poste-204")
    second = await night.message("2026-11-25T22:02", key="m2", number=None, endpoint="poste-204")
    other = await night.message("2026-11-25T22:02", key="m3", number=None, endpoint="poste-205")
    assert (first == second, first == other) == (True, False)
    assert await night.look("2026-11-25T22:02:10") == 2
    one, two, three = await night.all()
    assert (two.merged_into, three.merged_into) == (one.id, None)


async def test_an_emergency_that_nobody_took_does_not_swallow_the_next_night(night: Night) -> None:
    await night.message("2026-11-24T22:00")
    await night.look("2026-11-24T22:00:02")
    await night.message("2026-11-25T22:00", key="m2")
    # Everybody for the first one, whoever is on call for the second.
    assert await night.look("2026-11-25T22:00:02") == 3 + 1
    assert [one.merged_into for one in await night.all()] == [None, None]


async def test_ov7_it_goes_on_until_it_is_taken_over_a_whole_week_end(night: Night) -> None:
    """Friday evening to Monday morning."""
    await night.message("2026-11-27T17:30")
    await night.look("2026-11-27T17:30:02")
    for at in ("2026-11-28T06:00", "2026-11-29T23:00", "2026-11-30T07:59"):
        assert await night.look(at) == 3
        assert await night.look(f"{at}:30") == 0
    [emergency] = await night.all()
    await night.take(emergency.id, "2026-11-30T08:01")
    assert await night.look("2026-11-30T09:00") == 0


async def test_each_page_once_by_however_many_services(night: Night) -> None:
    await night.message("2026-11-25T22:00")
    await asyncio.gather(*(night.look("2026-11-25T22:00:02") for _ in range(5)))
    await asyncio.gather(*(night.look("2026-11-25T22:05:02") for _ in range(5)))
    assert await night.sent() == [ANNIE, LUC]


async def test_a_service_that_was_away_pages_everyone_whose_time_has_come(night: Night) -> None:
    await night.message("2026-11-25T22:00")
    assert await night.look("2026-11-25T22:21") == 3
    assert sorted(await night.sent()) == sorted([ANNIE, LUC, MANAGER])
    assert await night.look("2026-11-25T22:24") == 0
    assert await night.look("2026-11-25T22:25") == 1


async def test_what_is_older_than_a_week_is_no_emergency(night: Night) -> None:
    await night.message("2026-11-17T22:00")
    assert await night.look("2026-11-24T22:00:01") == 0
    await night.message("2026-11-17T22:00:02", key="m2", number="14185550199")
    assert await night.look("2026-11-24T22:00:01") == 3


async def test_work_on_the_ticket_itself_ends_the_pages(night: Night) -> None:
    number = await night.message("2026-11-25T22:00")
    await night.look("2026-11-25T22:00:02")
    await night.desk.change(number, "2026-11-25T22:03", status="in-progress")
    assert await night.look("2026-11-25T22:05") == 0
    [emergency] = await night.all()
    assert (emergency.taken_at, emergency.taken_by) == (local("2026-11-25T22:03"), "ticket")


async def test_ov20_it_is_taken_whatever_its_caller_may_ask_for(night: Night) -> None:
    number = await night.message("2026-11-25T22:00")
    await night.look("2026-11-25T22:00:02")
    await night.desk.change(number, "2026-11-25T22:01", kind="unplanned-intervention")
    [emergency] = await night.all()
    assert (await night.take(emergency.id, "2026-11-25T22:02")).taken_by == "luc"
    assert (await night.desk.ticket(number)).status == "in-progress"


async def test_a_ticket_that_was_worked_on_before_does_not_hide_an_emergency(night: Night) -> None:
    number = await night.desk.open("2026-11-25T15:00", call_id="c" * 32)
    await night.desk.change(number, "2026-11-25T15:10", status="in-progress")
    await night.message("2026-11-25T22:00")
    async with night.desk.store.unit() as unit:
        await unit.execute(update(t.messages).values(ticket_number=number))
    assert await night.look("2026-11-25T22:00:02") == 1


async def test_an_override_is_paged_first_and_one_who_left_is_passed_over(night: Night) -> None:
    async with night.desk.store.unit() as unit:
        for person, hour in (("luc", 20), ("gone", 23)):
            stint = Stint(
                start=local(f"2026-11-25T{hour}:00"), end=local(f"2026-11-25T{hour}:59"), person=person, override=True
            )
            await statements.add_override(unit, "omnivigil", stint, who="x")
    await night.message("2026-11-25T20:30")
    await night.look("2026-11-25T20:30:02")
    await night.message("2026-11-25T23:30", key="m2", number=None)
    sent = await night.sent()
    assert sent == [LUC]
    emergency = (await night.all())[0]
    await night.take(emergency.id, "2026-11-25T20:31")
    await night.look("2026-11-25T23:30:02")
    assert (await night.sent())[-1] == ANNIE


class TestTextMessagesThatWait:
    """Twilio is away: they must not all come at once, nor for what was taken."""

    async def states(self, night: Night) -> list[tuple[str, str]]:
        async with night.desk.store.reading() as unit:
            query = select(outbox.c.recipient, outbox.c.state).where(outbox.c.kind == "sms").order_by(outbox.c.id)
            return [tuple(row) for row in await unit.execute(query)]

    async def set(self, night: Night, nth: int, state: str) -> None:
        async with night.desk.store.unit() as unit:
            ids = select(outbox.c.id).where(outbox.c.kind == "sms").order_by(outbox.c.id).offset(nth).limit(1)
            values = {"state": state, "lease": "another's", "leased_until": local("2026-11-26T00:00")}
            await unit.execute(update(outbox).where(outbox.c.id == ids.scalar_subquery()).values(values))

    async def test_ov7_each_person_has_only_the_latest(self, night: Night) -> None:
        await night.message("2026-11-25T22:00")
        await night.message("2026-11-25T22:00", key="m2", number="14185550199")
        for at in ("22:00:02", "22:05", "22:10"):
            assert await night.look(f"2026-11-25T{at}") == 2
        waiting = [("withdrawn", ANNIE)] * 2 + [("pending", LUC)] * 2 + [("pending", ANNIE)] * 2
        assert [(state, to) for to, state in await self.states(night)] == waiting

    async def test_ov7_nobody_is_woken_for_what_is_taken(self, night: Night) -> None:
        await night.message("2026-11-25T22:00")
        await night.message("2026-11-25T22:00", key="m2", number="14185550199")
        await night.look("2026-11-25T22:00:02")
        await night.look("2026-11-25T22:05")
        await self.set(night, 2, "leased")
        first, second = await night.all()
        await night.take(first.id, "2026-11-25T22:06")
        assert [state for _, state in await self.states(night)] == ["withdrawn", "pending", "withdrawn", "pending"]
        await night.take(second.id, "2026-11-25T22:06")
        assert {state for _, state in await self.states(night)} == {"withdrawn"}

    async def test_what_may_have_left_is_looked_for_and_not_sent_again(self, night: Night) -> None:
        await night.message("2026-11-25T22:00")
        await night.look("2026-11-25T22:00:02")
        await self.set(night, 0, "unknown")
        [emergency] = await night.all()
        await night.take(emergency.id, "2026-11-25T22:21")
        async with night.desk.store.reading() as unit:
            query = select(outbox.c.state, outbox.c.expires_at).where(outbox.c.kind == "sms")
            [row] = (await unit.execute(query)).all()
        assert tuple(row) == ("unknown", local("2026-11-25T22:21"))

    async def test_work_on_the_ticket_withdraws_them_too(self, night: Night) -> None:
        number = await night.message("2026-11-25T22:00")
        await night.look("2026-11-25T22:00:02")
        await night.desk.change(number, "2026-11-25T22:03", status="in-progress")
        await night.look("2026-11-25T22:05")
        assert await self.states(night) == [(ANNIE, "withdrawn")]


class TestFaults:
    async def test_the_database_comes_back_and_the_page_leaves(
        self, night: Night, database_away: Callable[[], AbstractContextManager[None]]
    ) -> None:
        await night.message("2026-11-25T22:00")
        with database_away(), pytest.raises(StoreUnavailable):
            await night.look("2026-11-25T22:00:02")
        assert await night.sent() == []
        assert await night.look("2026-11-25T22:00:20") == 1

    async def test_one_that_fails_does_not_keep_the_others_from_being_paged(
        self, night: Night, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await night.message("2026-11-25T22:00")
        await night.message("2026-11-25T22:00", key="m2", number="14185550199")

        async def fail(unit: Any, sms: Any, **rest: Any) -> None:
            if "0103" in sms.body:
                raise ValueError("no")
            await put_sms(unit, sms, **rest)

        monkeypatch.setattr(paging, "put_sms", fail)
        assert await night.look("2026-11-25T22:00:02") == 1
        monkeypatch.undo()
        assert await night.look("2026-11-25T22:00:04") == 1

    async def test_it_runs_by_itself(self, night: Night) -> None:
        await night.message("2026-11-25T22:00")
        with night.desk.bus.listen() as listener:
            running = asyncio.create_task(night.paging("2026-11-25T22:00:02").run(every_s=0.02))
            event = await asyncio.wait_for(anext(listener), 30)
            running.cancel()
            await asyncio.wait({running})
        assert event.kind == "emergency.paged"
        assert event.at - local("2026-11-25T22:00") == timedelta(seconds=2)


class TestStorm:
    """Strangers leave more emergencies than anybody can be rung for; a customer's is not hidden by them."""

    async def storm(self, night: Night, count: int, at: str = "2026-11-25T22:00") -> list[int]:
        numbers = []
        for n in range(count):
            # Every second one withholds its number.
            number = None if n % 2 else f"1514555{n:04d}"
            numbers.append(await night.message(at, key=f"storm-{at}-{n}", number=number))
        return numbers

    async def everything(self, night: Night, at: str) -> None:
        """Look until what was left is paged for."""
        for _ in range(6):
            await night.look(at)

    async def texts(self, night: Night) -> list[str]:
        async with night.desk.store.reading() as unit:
            query = select(outbox.c.body).where(outbox.c.kind == "sms", outbox.c.state != "withdrawn")
            return list((await unit.execute(query.order_by(outbox.c.id))).scalars())

    async def test_sixty_four_are_five_and_one_bundle_and_all_are_tickets(self, night: Night) -> None:
        numbers = await self.storm(night, 64)
        assert len(set(numbers)) == 64
        await self.everything(night, "2026-11-25T22:00:02")
        every = await night.all()
        assert len(every) == 64
        paged = [one for one in every if one.merged_into is None]
        assert [one.bundle for one in paged] == [*[False] * 5, True]
        assert {one.merged_into for one in every} == {None, paged[-1].id}
        assert await night.sent() == [ANNIE] * 6
        await night.look("2026-11-25T22:05")
        texts = await self.texts(night)
        assert len(texts) == 12
        assert texts[-1] == (
            f"URGENCES - 59 autres, de numéros inconnus, billets {numbers[5]} à {numbers[-1]}, depuis 22:00."
        )
        # Who takes the bundle takes all that it stands for, and no other.
        await night.take(paged[-1].id, "2026-11-25T22:06")
        taken = [one for one in await night.all() if one.taken_at is not None]
        assert len(taken) == 59

    async def test_no_more_texts_than_a_person_can_read_and_the_calls_go_on(self, night: Night) -> None:
        await self.storm(night, 64)
        await self.everything(night, "2026-11-25T22:00:02")
        for minute in range(5, 60, 5):
            async with night.desk.store.unit() as unit:
                # What has left cannot be withdrawn for the next one.
                await unit.execute(update(outbox).where(outbox.c.state == "pending").values(state="sent"))
            await night.look(f"2026-11-25T22:{minute:02d}")
        per_person = {who: (await night.sent()).count(who) for who in (ANNIE, LUC, MANAGER)}
        assert max(per_person.values()) == 20
        async with night.desk.store.reading() as unit:
            calls = [await statements.page_calls(unit, one.id) for one in await night.all() if not one.merged_into]
        # Each page is a call, with a text or without.
        assert [len(each) for each in calls] == [12] * 6

    async def test_operations_are_told_how_many_a_late_page_stands_for(self, night: Night) -> None:
        numbers = await self.storm(night, 9)
        await self.everything(night, "2026-11-25T22:00:02")
        await night.look("2026-11-25T22:30:01")
        async with night.desk.store.reading() as unit:
            query = select(outbox.c.body).where(outbox.c.kind == "email").order_by(outbox.c.id)
            bodies = list((await unit.execute(query)).scalars())
        assert len(bodies) == 6
        assert f"4 billets attendent, de {numbers[5]} à {numbers[-1]}." in bodies[-1]

    async def test_a_customer_in_the_midst_is_paged_for_by_itself_and_has_a_text(self, night: Night) -> None:
        await self.storm(night, 30)
        await self.everything(night, "2026-11-25T22:00:02")
        for minute in range(5, 40, 5):
            await night.look(f"2026-11-25T22:{minute:02d}")
        number = await night.message("2026-11-25T22:41", key="real", number=None, endpoint="6001")
        await night.look("2026-11-25T22:41:02")
        real = (await night.all())[-1]
        assert (real.ticket_number, real.known, real.merged_into, real.bundle) == (number, True, None, False)
        assert f"billet {number}" in (await self.texts(night))[-1]

    async def test_work_on_one_ticket_of_a_bundle_ends_it_for_none_of_the_others(self, night: Night) -> None:
        numbers = await self.storm(night, 8)
        await self.everything(night, "2026-11-25T22:00:02")
        [head] = [one for one in await night.all() if one.bundle]
        async with night.desk.store.unit() as unit:
            await unit.execute(
                update(t.tickets).where(t.tickets.c.number == head.ticket_number).values(status="closed")
            )
        await night.look("2026-11-25T22:05")
        assert "URGENCES - 2 autres" in (await self.texts(night))[-1]
        async with night.desk.store.unit() as unit:
            await unit.execute(update(t.tickets).where(t.tickets.c.number.in_(numbers)).values(status="closed"))
        await night.look("2026-11-25T22:10")
        assert all(one.taken_by == "ticket" for one in await night.all())

    async def test_after_a_bundle_was_taken_the_next_one_waits_a_little(self, night: Night) -> None:
        await self.storm(night, 8)
        await self.everything(night, "2026-11-25T22:00:02")
        for one in await night.all():
            await night.take(one.id, "2026-11-25T22:02")
        before = len(await night.sent())
        await self.storm(night, 6, "2026-11-25T22:03")
        await self.everything(night, "2026-11-25T22:03:02")
        assert len(await night.sent()) == before
        await night.look("2026-11-25T22:11:59")
        assert len(await night.sent()) == before
        await night.look("2026-11-25T22:12:00")
        assert len(await night.sent()) > before
        assert "URGENCES - 6 autres" in (await self.texts(night))[-1]
