"""Page calls on a real database: dialled once, whatever dies, and their end is on the ticket (OV-7)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from ivr.asterisk.ami import NO_FIELDS, RECONNECTED, AmiRefused, Fields, State
from ivr.directory.model import Endpoint
from ivr.directory.snapshot import Book
from ivr.errors import Unavailable
from ivr.oncall import page_calls
from ivr.oncall import store as statements
from ivr.oncall.page_calls import PageCalls, call_of, way_to
from ivr.oncall.store import PageCall
from ivr.tickets import store as tickets
from tests.fakes.ami import FakeAmi
from tests.integration.tickets.conftest import Desk, local
from tests.integration.tickets.test_paging import ANNIE, LUC, MANAGER, Night


class Dialler(FakeAmi):
    """Notes whom it was told to dial."""

    def __init__(self) -> None:
        super().__init__()
        self.dialled: list[Fields] = []
        self.hung_up: list[str] = []
        self.live: list[str] = []
        self.refuses = False

    async def action(self, name: str, fields: Fields = NO_FIELDS, *, timeout_s: float = 5.0) -> Fields:
        if self.state is not State.CONNECTED:
            raise Unavailable(action=name)
        if name == "Originate":
            if self.refuses:
                raise AmiRefused(action=name, said="Originate failed")
            self.dialled.append(fields)
            self.live.append(fields["ChannelId"])
        elif name == "Hangup":
            self.hung_up.append(fields["Channel"])
        else:
            return await super().action(name, fields, timeout_s=timeout_s)
        return {"response": "Success"}

    async def collect(self, name: str, fields: Fields = NO_FIELDS, *, timeout_s: float = 5.0) -> list[Fields]:
        return [{"event": "CoreShowChannel", "uniqueid": one} for one in self.live]


@dataclass
class Calls:
    """Page calls of a night."""

    night: Night
    ami: Dialler = field(default_factory=Dialler)
    now: str = "2026-11-25T22:00:03"
    trunk: bool = True

    def service(self) -> PageCalls:
        desk = self.night.desk
        return PageCalls(
            store=desk.store,
            ami=self.ami,
            desks=desk.desks,
            book=lambda: Book(),
            trunk=self.trunk,
            clock=lambda: local(self.now),
        )

    async def rows(self) -> list[PageCall]:
        async with self.night.desk.store.reading() as unit:
            return [one for e in await self.night.all() for one in await statements.page_calls(unit, e.id)]

    async def told(self, number: int) -> list[Any]:
        async with self.night.desk.store.reading() as unit:
            found = await tickets.events(unit, number)
        return [one["changes"]["outcome"] for one in found if one["kind"] == "page-call"]


@pytest.fixture
def calls(desk: Desk) -> Calls:
    return Calls(Night(desk))


async def test_ov7_each_page_is_dialled_once_and_its_end_told(calls: Calls) -> None:
    number = await calls.night.message("2026-11-25T22:00")
    await calls.night.look("2026-11-25T22:00:02")
    one, other = calls.service(), calls.service()
    await one.once()
    await other.once()
    await one.once()
    [dialled] = calls.ami.dialled
    assert dialled["Channel"] == f"PJSIP/{ANNIE}@outbound"
    assert dialled["CallerID"] == "<18446664844>"
    [row] = await calls.rows()
    assert (row.state, row.channel, call_of(dialled["ChannelId"])) == ("dialling", dialled["ChannelId"], row.id)
    one.enter({"event": "Hangup", "uniqueid": dialled["ChannelId"], "cause": "17"})
    await one.once()
    [row] = await calls.rows()
    assert (row.state, row.outcome) == ("ended", "busy")
    assert await calls.told(number) == ["busy"]
    # The next in line, when their time has come.
    await calls.night.look("2026-11-25T22:05:01")
    await one.once()
    assert [one["Channel"] for one in calls.ami.dialled[1:]] == [f"PJSIP/{LUC}@outbound"]


async def test_whoever_cannot_passes_it_on_at_once(calls: Calls) -> None:
    await calls.night.message("2026-11-25T22:00")
    await calls.night.look("2026-11-25T22:00:02")
    [emergency] = await calls.night.all()
    await calls.night.paging("2026-11-25T22:01").pass_on(emergency.id, "annie")
    assert await calls.night.sent() == [ANNIE, LUC]
    # The rhythm stays: the third page comes at its own time.
    assert await calls.night.look("2026-11-25T22:05") == 0
    assert await calls.night.look("2026-11-25T22:10") == 1
    assert [row.person for row in await calls.rows()] == ["annie", "luc", "annie"]


async def test_ov7_nobody_is_rung_again_who_has_just_passed_it_on(calls: Calls) -> None:
    """Once all in the turns have, it is the manager's; then the others have their own time again."""
    await calls.night.message("2026-11-25T22:00")
    await calls.night.look("2026-11-25T22:00:02")
    [emergency] = await calls.night.all()
    for minute, person in enumerate(("annie", "luc", "responsable"), start=1):
        calls.now = f"2026-11-25T22:0{minute}"
        await calls.night.paging(calls.now).pass_on(emergency.id, person)
        row = next(row for row in await calls.rows() if row.person == person and row.state != "ended")
        await calls.service().ended(row.id, "passed")
    assert await calls.night.sent() == [ANNIE, LUC, MANAGER]
    looks = [await calls.night.look(f"2026-11-25T22:{minute:02}") for minute in (5, 10, 15, 20, 25)]
    # Luc's second page and the manager's first have left before their time.
    assert looks == [0, 1, 1, 0, 1]
    assert (await calls.night.sent())[3:] == [ANNIE, LUC, ANNIE]


async def test_while_somebody_else_is_rung_passing_on_rings_nobody(calls: Calls) -> None:
    await calls.night.message("2026-11-25T22:00")
    await calls.night.look("2026-11-25T22:00:02")
    await calls.night.look("2026-11-25T22:05:02")
    [emergency] = await calls.night.all()
    await calls.night.paging("2026-11-25T22:05:10").pass_on(emergency.id, "annie")
    assert await calls.night.sent() == [ANNIE, LUC]


async def test_two_emergencies_ring_one_phone_one_after_the_other(calls: Calls) -> None:
    await calls.night.message("2026-11-25T22:00")
    await calls.night.message("2026-11-25T22:00", key="m2", number="14185550199")
    await calls.night.look("2026-11-25T22:00:02")
    service = calls.service()
    await service.once()
    await service.once()
    [first] = calls.ami.dialled
    service.enter({"event": "Hangup", "uniqueid": first["ChannelId"], "cause": "19"})
    await service.once()
    assert [one["Channel"] for one in calls.ami.dialled] == [f"PJSIP/{ANNIE}@outbound"] * 2
    assert [row.outcome for row in await calls.rows()] == ["no-answer", None]


async def test_a_customer_is_rung_for_before_strangers_who_were_there_first(calls: Calls) -> None:
    for n in range(8):
        await calls.night.message("2026-11-25T22:00", key=f"s{n}", number=None)
    await calls.night.message("2026-11-25T22:00", key="real", number=None, endpoint="6001")
    await calls.night.look("2026-11-25T22:00:02")
    real = (await calls.night.all())[-1]
    await calls.service().once()
    [row] = [one for one in await calls.rows() if one.state == "dialling"]
    assert row.emergency_id == real.id


async def test_a_phone_that_is_not_there_does_not_hold_up_the_next_page(
    calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asterisk accepts to dial it, makes no channel, and tells of no end."""
    monkeypatch.setattr(page_calls, "_MADE_S", 0.0)
    number = await calls.night.message("2026-11-25T22:00")
    await calls.night.look("2026-11-25T22:00:02")
    service = calls.service()
    await service.once()
    calls.ami.live = []
    await service.once()
    assert await calls.told(number) == ["failed"]


async def test_who_hangs_up_has_pressed_no_key(calls: Calls) -> None:
    number = await calls.night.message("2026-11-25T22:00")
    await calls.night.look("2026-11-25T22:00:02")
    service = calls.service()
    await service.once()
    [row] = await calls.rows()
    await service.answered(row.id)
    service.enter({"event": "Hangup", "uniqueid": row.channel or "", "cause": "16"})
    await service.once()
    assert await calls.told(number) == ["no-key"]


async def test_nobody_is_rung_for_what_is_taken(calls: Calls) -> None:
    number = await calls.night.message("2026-11-25T22:00")
    await calls.night.look("2026-11-25T22:00:02")
    await calls.service().once()
    [emergency] = await calls.night.all()
    await calls.night.paging("2026-11-25T22:01").pass_on(emergency.id, "annie")
    await calls.night.take(emergency.id, "2026-11-25T22:02")
    await calls.service().once()
    assert len(calls.ami.dialled) == 1
    # And the phone that still rings is let go.
    assert calls.ami.hung_up == [calls.ami.dialled[0]["ChannelId"]]
    assert await calls.told(number) == ["not-needed"]


async def test_what_rings_when_the_service_dies_is_not_dialled_twice_and_what_was_cut_off_is_dialled_again(
    calls: Calls,
) -> None:
    """Nobody waits for the next page because of a crash of ours; but not for ever, nor where somebody answered."""
    number = await calls.night.message("2026-11-25T22:00")
    await calls.night.look("2026-11-25T22:00:02")
    await calls.service().once()
    after = calls.service()
    await after.once()
    assert await calls.told(number) == []
    # It hangs up while no events come.
    calls.ami.live = []
    await after.once()
    assert await calls.told(number) == []
    # Asterisk was killed as well: its new one knows nothing of it.
    after.enter(RECONNECTED)
    await after.once()
    await after.once()
    assert len(calls.ami.dialled) == 2
    assert await calls.told(number) == []
    calls.ami.live = []
    calls.now = "2026-11-25T22:02:00"
    after.enter(RECONNECTED)
    await after.once()
    assert await calls.told(number) == ["lost"]
    assert len(calls.ami.dialled) == 2


async def test_without_a_way_out_it_is_told_and_the_next_page_comes(calls: Calls) -> None:
    number = await calls.night.message("2026-11-25T22:00")
    await calls.night.look("2026-11-25T22:00:02")
    await replace(calls, trunk=False).service().once()
    assert await calls.told(number) == ["no-way-out"]
    await calls.night.look("2026-11-25T22:05:01")
    calls.ami.refuses = True
    await calls.service().once()
    assert await calls.told(number) == ["no-way-out", "failed"]


async def test_what_could_not_be_dialled_for_long_is_left_to_the_next_page(calls: Calls) -> None:
    number = await calls.night.message("2026-11-25T22:00")
    await calls.night.look("2026-11-25T22:00:02")
    service = calls.service()
    with calls.ami.away(), pytest.raises(Unavailable):
        await service.once()
    calls.now = "2026-11-25T22:16"
    await service.once()
    assert calls.ami.dialled == []
    assert await calls.told(number) == ["too-late"]


def test_a_number_of_our_own_rings_its_phone() -> None:
    phone = Endpoint(name="7001", kind="technician", language="fr", ha1="", caller_id=ANNIE, display="Annie")
    book = Book(endpoints={"7001": phone})
    assert way_to(ANNIE, book, trunk=False) == ("phone", "7001")
    assert way_to(LUC, book, trunk=True) == ("outside", LUC)
    assert way_to(LUC, book, trunk=False) is None


@pytest.mark.parametrize("uniqueid", ["", "pg-", "pg-1", "pg-1-xyz", "pg-1-abcdef-1", "cb-1-abcdef", "1795.1"])
def test_other_channels_are_nobodys(uniqueid: str) -> None:
    assert call_of(uniqueid) is None
