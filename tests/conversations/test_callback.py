"""A callback that is carried out: on the technician's channel, and on the customer's (OV-9)."""

from __future__ import annotations

from typing import Any

import pytest

from agi_scripts.callback import callback
from ivr.callbacks.model import Callback
from tests.conversations.house import MARC, STRANGER, House
from tests.fakes.caller import Caller, digits

NUMBER = STRANGER[1:]


async def due(house: House, **fields: Any) -> tuple[Callback, Caller]:
    """A callback whose place a technician has just answered; and the technician."""
    one = await house.callback(**fields)
    await house.context.line.keeper._place(
        one.id, desk="omnivigil", queue="support", language="fr", number=one.number, at=one.arrived_at, rings=True
    )
    return one, house.caller(None, phone="7001")


def state(house: House, one: Callback) -> str:
    kept = house.context.line.keeper.get(one.id)
    return kept.state if kept is not None else "over"


async def part(house: House, what: str, one: Callback, caller: Caller | None = None) -> Caller:
    return await house.hold(caller or house.caller(None), callback, what, one.id)


class TestTechnician:
    async def test_ov9_they_hear_whom_and_the_attempt_is_committed(self, house: House) -> None:
        one, annie = await due(house)
        await part(house, "brief", one, annie)
        assert annie.prompts[0] == "callback-brief"
        assert (digits(annie.prompts), annie.prompts[-1]) == (NUMBER, "callback-brief-dialling")
        assert state(house, one) == "dialling"
        [call] = house.context.line.calls.live()
        assert (call.ani, call.dialled, call.department) == (STRANGER, "callback", "support")
        assert [event.kind for event in call.events] == ["started", "callback", "dialling"]

    @pytest.mark.parametrize(
        "channel", ["PJSIP/7001-00000001", "Local/outside-1@outside-staff-00000001;2", "Local/x@y-00000001;2"]
    )
    async def test_whoever_answers_hears_it(self, house: House, channel: str) -> None:
        one, annie = await due(house)
        annie.channel = channel
        await part(house, "brief", one, annie)
        assert (annie.languages, digits(annie.prompts)) == ({"fr"}, NUMBER)

    async def test_one_that_is_over_is_not_carried_out(self, house: House) -> None:
        one, annie = await due(house)
        await house.context.line.keeper.cancel(one.id, "test", keep_place=True)
        await part(house, "brief", one, annie)
        assert (annie.prompts, house.held) == (["callback-withdrawn"], set())

    async def test_one_that_never_was(self, house: House) -> None:
        annie = house.caller(None, phone="7001")
        await house.hold(annie, callback, "brief", "0123456789abcdef")
        assert annie.prompts == ["callback-withdrawn"]

    async def test_ov9_nobody_is_dialled_before_that_is_committed(self, house: House) -> None:
        one, annie = await due(house)
        house.store.away = "write"
        await part(house, "brief", one, annie)
        assert (annie.prompts, state(house, one)) == (["callback-withdrawn"], "pending")
        assert (await part(house, "dial", one, house.again(annie))).next is None

    @pytest.mark.parametrize("prompt", ["callback-brief", "digit-8", "callback-brief-dialling"])
    async def test_a_technician_who_hangs_up_costs_the_customer_nothing(self, house: House, prompt: str) -> None:
        one, annie = await due(house)
        await part(house, "brief", one, annie.leaves(prompt))
        kept = house.context.line.keeper.get(one.id)
        assert kept is not None
        assert (kept.state, kept.interrupted) == ("pending", 1)

    async def test_a_manager_that_is_away_is_no_matter(self, house: House) -> None:
        one, annie = await due(house)
        await house.context.line.keeper.cancel(one.id, "test", keep_place=True)
        with house.ami.away():
            await part(house, "brief", one, annie)
        assert annie.prompts == ["callback-withdrawn"]


class TestWhomToDial:
    async def test_ov9_the_number_by_the_trunk(self, house: House) -> None:
        one, annie = await due(house, language="en")
        await part(house, "brief", one, annie)
        caller = await part(house, "dial", one, house.again(annie))
        assert (caller.next, caller.variables["OV_LANGUAGE"]) == (f"outside,{STRANGER}", "en")

    async def test_ov9_a_registered_phone_itself(self, house: House) -> None:
        one, annie = await due(house, number=MARC, endpoint="6003")
        await part(house, "brief", one, annie)
        assert (await part(house, "dial", one, house.again(annie))).next == "phone,6003"

    async def test_nobody_before_the_attempt(self, house: House) -> None:
        one, _ = await due(house)
        assert (await part(house, "dial", one)).next is None
        assert (await house.hold(house.caller(None), callback, "dial", "0123456789abcdef")).next is None


class TestCustomer:
    async def dialled(self, house: House, **fields: Any) -> Callback:
        one, annie = await due(house, **fields)
        await part(house, "brief", one, annie)
        return one

    async def test_ov9_with_1_they_are_connected(self, house: House) -> None:
        one = await self.dialled(house)
        await part(house, "connected", one)
        assert state(house, one) == "connected"

    async def test_one_that_was_not_being_dialled_is_not(self, house: House) -> None:
        one, _ = await due(house)
        await part(house, "connected", one)
        assert state(house, one) == "pending"

    async def test_without_the_database_it_is_remembered_and_they_talk(self, house: House) -> None:
        one = await self.dialled(house)
        house.store.away = "write"
        await part(house, "connected", one)
        house.store.away = ""
        kept = house.context.line.keeper.get(one.id)
        assert kept is not None
        await house.context.line.keeper._on_time(kept, house.clock.now)
        assert state(house, one) == "connected"

    async def test_ov9_with_2_it_is_over(self, house: House) -> None:
        one = await self.dialled(house)
        await part(house, "refused", one)
        assert state(house, one) == "over"

    async def test_a_voicemail_is_no_answer(self, house: House) -> None:
        one = await self.dialled(house)
        await part(house, "voicemail", one)
        kept = house.context.line.keeper.get(one.id)
        assert kept is not None
        assert (kept.state, kept.reason) == ("pending", "voicemail")

    async def test_an_unknown_part_changes_nothing(self, house: House) -> None:
        one = await self.dialled(house)
        await part(house, "nonsense", one)
        assert state(house, one) == "dialling"

    async def test_ov9_who_was_dialled_first_joins_at_the_place_that_was_kept(self, house: House) -> None:
        house.joins(house.caller("15145550101"))
        house.clock.forward(120)
        one, _ = await due(house, mode="customer_first")
        house.joins(house.caller("15145550102"))
        caller = await part(house, "join", one)
        assert caller.next is not None
        step = caller.next.split(",")
        assert step[:6] == ["queue", "fr", "support", "support", "3600", "ordinary"]
        # Behind the place that is held, which is given up once they stand there.
        assert step[7] == "3"
        call = house.call(caller)
        assert (call.ani, call.dialled) == (STRANGER, "callback")
        house.joins(caller, position=3)
        await house.settles()
        assert (house.line[1], house.held) == (caller.uniqueid, set())

    async def test_joining_what_is_over_leaves_it_to_the_dialplan(self, house: House) -> None:
        assert (await house.hold(house.caller(None), callback, "join", "0123456789abcdef")).next is None

    async def test_who_is_gone_by_then(self, house: House) -> None:
        one, _ = await due(house, mode="customer_first")
        caller = house.caller(None, leaves_after=-1)
        await part(house, "join", one, caller)
        assert caller.next is None
