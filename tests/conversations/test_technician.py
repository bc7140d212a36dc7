"""*22 and *23, whom a queue rings, and a partner who did not answer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import update

from agi_scripts.member_check import offered
from agi_scripts.partner import place
from agi_scripts.technician import technician
from ivr.asterisk.queue_members import Member
from ivr.directory import tables
from tests.conversations.house import JULIE, House
from tests.fakes.caller import Caller

QUEUES = {"support", "hl-logiciel", "hl-cloud"}


async def dials(house: House, *args: str, phone: str | None = "7001") -> Caller:
    return await house.hold(house.caller(None, phone=phone), technician, *args)


async def mine(house: House, phone: str = "7001") -> list[Member]:
    return [one for one in await house.context.line.members.list(None) if one.endpoint == phone]


class TestInAndOut:
    async def test_in_and_out(self, house: House) -> None:
        assert (await dials(house, "login", "yes")).prompts == ["technician-login"]
        assert {one.queue for one in await mine(house)} == QUEUES
        caller = await dials(house, "login", "yes")
        assert (caller.prompts, caller.next, await mine(house)) == (["technician-logout"], "done", [])

    async def test_a_queue_that_no_desk_has_keeps_nobody_from_the_others(self, house: House) -> None:
        async with house.store.unit() as unit:
            await unit.execute(update(tables.technicians).values(queues=["support", "nobodys"]))
        await house.context.line.directory.reload()
        await dials(house, "login")
        assert {one.queue for one in await mine(house)} == {"support"}

    @pytest.mark.parametrize("reached", ["unregistered", "unreachable"])
    async def test_a_phone_that_cannot_be_rung_is_not_logged_in(self, house: House, reached: str) -> None:
        caller = await dials(house, "login", reached)
        assert (caller.prompts, await mine(house)) == ([f"technician-{reached}"], [])

    async def test_and_who_is_in_gets_out_all_the_same(self, house: House) -> None:
        await dials(house, "login")
        assert (await dials(house, "login", "unreachable")).prompts == ["technician-logout"]

    @pytest.mark.parametrize("reason", ["declined", "no answer", "unreachable", "resting"])
    async def test_22_ends_a_break_that_missed_calls_have_brought_about(self, house: House, reason: str) -> None:
        await dials(house, "login")
        await house.context.line.members.pause(None, "7001", True, reason)
        assert (await dials(house, "login")).prompts == ["technician-back"]
        assert [one.paused for one in await mine(house)] == [False] * 3

    async def test_pause_and_resume(self, house: House) -> None:
        await dials(house, "login")
        assert (await dials(house, "pause")).prompts == ["technician-pause"]
        assert {(one.paused, one.paused_reason) for one in await mine(house)} == {(True, "*23")}
        assert (await dials(house, "pause")).prompts == ["technician-unpause"]
        assert {one.paused for one in await mine(house)} == {False}

    async def test_who_rests_takes_a_break_and_not_calls(self, house: House) -> None:
        await dials(house, "login")
        await house.context.line.members.pause(None, "7001", True, "resting")
        assert (await dials(house, "pause")).prompts == ["technician-pause"]

    async def test_nobody_pauses_who_is_not_in(self, house: House) -> None:
        assert (await dials(house, "pause")).prompts == ["technician-not-logged-in"]

    @pytest.mark.parametrize("phone", ["6001", "7101", None, "9999"])
    @pytest.mark.parametrize("wish", ["login", "pause"])
    async def test_nobody_else_can(self, house: House, phone: str | None, wish: str) -> None:
        caller = await dials(house, wish, phone=phone)
        assert (caller.prompts, caller.next) == (["technician-unknown"], "done")
        assert await house.context.line.members.list(None) == ()

    async def test_they_hear_it_in_their_language_or_the_desks(self, house: House) -> None:
        for spoken, heard in (("en", "en"), ("es", "fr")):
            async with house.store.unit() as unit:
                languages = [{"language": spoken, "penalty": 0}]
                await unit.execute(update(tables.technicians).values(language=spoken, languages=languages))
            await house.context.line.directory.reload()
            assert (await dials(house, "pause")).languages == {heard}

    async def test_without_asterisks_manager_nothing_is_confirmed(self, house: House) -> None:
        with house.ami.away():
            caller = await dials(house, "login")
        assert (caller.prompts, caller.next) == ([], None)

    async def test_who_hangs_up_at_once_is_in(self, house: House) -> None:
        caller = house.caller(None, phone="7001", leaves_in=0)
        await house.hold(caller, technician, "login", "yes")
        assert (caller.next, len(await mine(house))) == (None, 3)


async def speaks(house: House, name: str, **fields: Any) -> None:
    async with house.store.unit() as unit:
        await unit.execute(update(tables.technicians).where(tables.technicians.c.name == name).values(**fields))
    await house.context.line.directory.reload()


async def rings(house: House, caller_id: str, phone: str = "7001", *, channel: str | None = None) -> bool:
    """Whether a queue that is about to ring this phone is to do so."""
    asked = house.caller(None, phone=phone)
    asked.channel = channel or asked.channel
    await house.hold(asked, offered, caller_id)
    assert asked.prompts == []
    return asked.next is None


class TestWhomAQueueRings:
    async def english(self, house: House) -> Caller:
        """An English caller waits; Annie speaks French, and Luc both."""
        both = [{"language": "fr", "penalty": 1}, {"language": "en", "penalty": 0}]
        await speaks(house, "Luc Bouchard", languages=both)
        house.member("7001")
        house.member("7002")
        caller = house.caller().presses("menu", "9")
        await house.waits(caller)
        return caller

    async def test_who_does_not_speak_it_is_passed_over_while_somebody_does(self, house: House) -> None:
        caller = await self.english(house)
        assert not await rings(house, caller.uniqueid, "7001")
        assert await rings(house, caller.uniqueid, "7002")

    async def test_for_so_long_only(self, house: House) -> None:
        caller = await self.english(house)
        house.clock.forward(3600)
        assert await rings(house, caller.uniqueid, "7001")

    async def test_a_skill_that_the_department_needs(self, house: House) -> None:
        support = house.desk.departments["support"].model_copy(update={"skill": "voip"})
        desk = house.desk.model_copy(update={"departments": {**house.desk.departments, "support": support}})
        house.has(desk)
        await speaks(house, "Luc Bouchard", skills=["voip"])
        house.member("7001")
        house.member("7002")
        caller = house.caller()
        await house.waits(caller)
        assert [await rings(house, caller.uniqueid, phone) for phone in ("7001", "7002")] == [False, True]

    async def test_who_is_needed_by_somebody_ahead_is_left_to_them(self, house: House) -> None:
        caller = await self.english(house)
        french = house.caller("15145550199")
        await house.waits(french)
        assert caller.uniqueid != french.uniqueid
        assert await rings(house, french.uniqueid, "7001")
        assert not await rings(house, french.uniqueid, "7002")

    async def test_a_held_place_asks_as_its_callback_does(self, house: House) -> None:
        await self.english(house)
        one = await house.callback(language="en", arrived_at=house.clock.now)
        await house.context.line.keeper._place(
            one.id, desk="omnivigil", queue="support", language="en", number=one.number, at=one.arrived_at, rings=True
        )
        held = f"cb-{one.id}-000000-near"
        assert not await rings(house, held, "7001")
        assert await rings(house, held, "7002")

    async def test_asterisk_asks_before_its_word_that_the_caller_joined(self, house: House) -> None:
        """Its events and its questions come by two connections."""
        waits = await self.english(house)
        call = house.call(waits)
        house.leaves(waits)
        call.queue = None
        asked = asyncio.create_task(rings(house, waits.uniqueid, "7001"))
        for _ in range(5):
            await asyncio.sleep(0)
        assert not asked.done()
        house.joins(waits)
        house.context.line.calls.queued(call.id, house.clock.now, queue="support")
        assert not await asked

    @pytest.mark.parametrize("linkedid", ["nobodys.1", "", "cb-0123456789abcdef-000000-near"])
    async def test_for_whom_nobody_knows_it_rings(self, house: House, linkedid: str) -> None:
        house.member("7001")
        assert await rings(house, linkedid)

    async def test_who_stands_in_no_queue_any_more(self, house: House) -> None:
        caller = await self.english(house)
        house.leaves(caller)
        assert await rings(house, caller.uniqueid, "7001")

    async def test_a_phone_that_the_directory_does_not_know(self, house: House) -> None:
        caller = await self.english(house)
        house.member("7999")
        assert await rings(house, caller.uniqueid, "7999")

    async def test_a_queue_that_no_desk_has_any_more(self, house: House) -> None:
        caller = await self.english(house)
        house.call(caller).queue = "gone"
        assert await rings(house, caller.uniqueid, "7001")

    async def test_whoever_stands_ahead_and_is_known_to_nobody(self, house: House) -> None:
        house.joins(house.caller(), position=1)
        caller = await self.english(house)
        assert not await rings(house, caller.uniqueid, "7001")

    @pytest.mark.parametrize("channel", ["Local/s@somewhere-00000001;2", "PJSIP/trunk-00000001"])
    async def test_a_channel_that_is_no_technicians(self, house: House, channel: str) -> None:
        caller = await self.english(house)
        assert await rings(house, caller.uniqueid, channel=channel)

    async def test_a_technician_outside_is_asked_about_like_a_phone(self, house: House) -> None:
        caller = await self.english(house)
        channel = "Local/outside-1@outside-staff-00000001;2"
        assert await rings(house, caller.uniqueid, channel=channel)

    async def test_who_is_gone_is_told_nothing(self, house: House) -> None:
        caller = await self.english(house)
        asked = house.caller(None, phone="7001", leaves_after=-1)
        await house.hold(asked, offered, caller.uniqueid)
        assert asked.next is None

    async def test_whatever_fails_it_rings(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        caller = await self.english(house)

        def fails(endpoint: str) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(house.context.line.directory, "technician", fails)
        assert await rings(house, caller.uniqueid, "7001")


class TestPartnerWhoDidNotAnswer:
    async def sent(self, house: House) -> Caller:
        caller = await house.dial(house.caller(JULIE).presses("menu", "2"))
        assert caller.next is not None
        assert caller.next.startswith("partner,")
        house.clock.forward(25)
        return caller

    async def test_ov17_the_place_is_that_of_the_first_ring(self, house: House) -> None:
        house.joins(house.caller("15145550101"))
        house.clock.forward(10)
        sent = await self.sent(house)
        house.joins(house.caller("15145550102"))
        caller = await house.hold(house.again(sent), place, house.call(sent).id, "support")
        assert caller.next == "2"
        assert house.facts(sent, "partner-not-reached") == {"queue": "support", "place": 2}
        house.joins(caller, position=2)
        assert house.line[1] == caller.uniqueid

    @pytest.mark.parametrize("call_id", ["", "unknown"])
    async def test_a_call_that_nobody_knows_goes_to_the_end(self, house: House, call_id: str) -> None:
        assert (await house.hold(house.caller(), place, call_id, "support")).next == "end"

    async def test_one_that_went_to_no_partner_too(self, house: House) -> None:
        sent = await house.dial(house.caller().presses("menu", "2"))
        assert (await house.hold(house.again(sent), place, house.call(sent).id, "support")).next == "end"

    async def test_whatever_fails_is_the_dialplans(self, house: House) -> None:
        sent = await self.sent(house)
        assert (await house.hold(house.again(sent), place, house.call(sent).id, "nobodys")).next is None

    async def test_who_is_gone_is_told_nothing(self, house: House) -> None:
        sent = await self.sent(house)
        caller = house.again(sent)
        caller.leaves_after = -1
        assert (await house.hold(caller, place, house.call(sent).id, "support")).next is None

    async def test_ov17_without_a_phone_of_ours_the_partner_is_rung_by_the_trunk(self, house: House) -> None:
        async with house.store.unit() as unit:
            await unit.execute(update(tables.partners).values(phone="15145550155"))
        await house.context.line.directory.reload()
        caller = await house.dial(house.caller(JULIE).presses("menu", "2"))
        assert caller.next is not None
        assert caller.next.split(",")[8] == "PJSIP/15145550155@outbound"
