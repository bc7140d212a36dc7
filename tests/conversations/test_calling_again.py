"""Who calls again: while a callback is pending (OV-9), and after their call was cut off in the queue."""

from __future__ import annotations

from typing import Any

import pytest

from agi_scripts.queue_keys import waiting
from ivr.callbacks.model import Callback
from ivr.calls.model import VANISHED_IN_QUEUE
from tests.conversations.conftest import Houses
from tests.conversations.house import MARC, STRANGER, House
from tests.fakes.caller import Caller

PHONE = "6003"


def step(caller: Caller) -> list[str]:
    assert caller.next is not None
    return caller.next.split(",")


async def pending(house: House, *, phone: bool, **fields: Any) -> Callback:
    """A callback with its place: second in line."""
    house.joins(house.caller("15145550101"))
    house.clock.forward(120)
    who = {"number": MARC, "endpoint": PHONE} if phone else {"number": STRANGER}
    one = await house.callback(**who | fields)
    keeper = house.context.line.keeper
    await keeper._place(
        one.id,
        desk="omnivigil",
        queue="support",
        language="fr",
        number=one.number,
        at=one.arrived_at,
        rings=True,
    )
    house.clock.forward(60)
    house.joins(house.caller("15145550102"))
    return one


async def calls(house: House, *, phone: bool, **keys: str | None) -> Caller:
    caller = house.caller(MARC, phone=PHONE) if phone else house.caller()
    caller.presses("menu", "2")
    for prompt, key in keys.items():
        caller.presses(prompt.replace("_", "-"), key)
    return await house.dial(caller)


async def state(house: House, one: Callback) -> str:
    kept = house.context.line.keeper.get(one.id)
    return kept.state if kept is not None else "over"


class TestWhileACallbackIsPending:
    async def test_ov9_they_hear_their_place(self, house: House) -> None:
        await pending(house, phone=False)
        house.member("7001")
        caller = await calls(house, phone=False, callback_pending_stands="1")
        said = caller.prompts[caller.prompts.index("callback-pending") :]
        assert said[:3] == ["callback-pending", "queue-thereare", "number-2"] or said[2] == "digit-2"
        assert said[-3:] == ["callback-pending-stands", "callback-kept", "goodbye"]

    @pytest.mark.parametrize("phone", [True, False])
    async def test_ov9_1_keeps_it(self, house: House, phone: bool) -> None:
        one = await pending(house, phone=phone)
        choices = "callback_pending_choices" if phone else "callback_pending_stands"
        caller = await calls(house, phone=phone, **{choices: "1"})
        assert caller.prompts[-2:] == ["callback-kept", "goodbye"]
        assert (caller.next, caller.variables["OV_SETTLED"]) == ("done", "omnivigil-settled-fr")
        assert (await state(house, one), house.held) == ("pending", {one.id})
        assert (house.call(caller).result, house.call(caller).reason) == ("callback", "keeps the callback")
        assert await house.tickets() == []

    @pytest.mark.parametrize("key", ["2", "3", "9", None])
    async def test_who_calls_from_outside_ends_nobodys_callback(self, house: House, key: str | None) -> None:
        one = await pending(house, phone=False)
        caller = await calls(house, phone=False, callback_pending_stands=key)
        assert (step(caller)[0], step(caller)[7]) == ("queue", "")
        assert (await state(house, one), house.held) == ("pending", {one.id})

    @pytest.mark.parametrize("key", ["2", None, "7"])
    async def test_ov9_a_phone_takes_its_place(self, house: House, key: str | None) -> None:
        one = await pending(house, phone=True)
        caller = await calls(house, phone=True, callback_pending_choices=key)
        # Behind the place that is held for it, which is given up as soon as it stands there.
        assert (step(caller)[0], step(caller)[7]) == ("queue", "3")
        assert await state(house, one) == "over"
        house.joins(caller, position=3)
        await house.settles()
        assert (house.line[1], house.held) == (caller.uniqueid, set())

    async def test_ov9_a_phone_cancels(self, house: House) -> None:
        one = await pending(house, phone=True)
        caller = await calls(house, phone=True, callback_pending_choices="3")
        assert caller.prompts[-2:] == ["callback-cancelled", "goodbye"]
        assert (caller.next, await state(house, one), house.held) == ("done", "over", set())
        assert house.call(caller).reason == "cancels the callback"

    async def test_a_wrong_key_is_asked_once_more_and_shorter(self, house: House) -> None:
        await pending(house, phone=True)
        caller = await calls(house, phone=True, callback_pending_choices="8")
        at = caller.prompts.index("callback-pending-choices")
        assert caller.prompts[at : at + 2] == ["callback-pending-choices", "callback-pending-choices"]

    @pytest.mark.parametrize("key", ["2", "3"])
    async def test_without_the_database_the_request_stands_and_so_does_the_caller(self, house: House, key: str) -> None:
        one = await pending(house, phone=True)
        house.store.away = "write"
        caller = await calls(house, phone=True, callback_pending_choices=key)
        assert (step(caller)[0], step(caller)[7]) == ("queue", "")
        assert await state(house, one) == "pending"

    async def test_its_turn_comes_while_they_choose(self, house: House) -> None:
        one = await pending(house, phone=True)
        caller = house.caller(MARC, phone=PHONE).presses("menu", "2")
        active = house.context.line.keeper._active

        def turn(prompt: str) -> None:
            if prompt == "callback-pending-choices":
                active.pop(one.id, None)

        caller.meanwhile = turn
        await house.dial(caller)
        assert (step(caller)[0], step(caller)[7]) == ("queue", "")

    @pytest.mark.parametrize("fields", [{"state": "dialling"}, {"queue": "hl-cloud"}])
    async def test_one_that_is_being_dialled_or_of_another_queue_is_no_matter(
        self, house: House, fields: dict[str, str]
    ) -> None:
        await house.callback(**fields)
        caller = await calls(house, phone=False)
        assert "callback-pending" not in caller.prompts
        assert step(caller)[0] == "queue"

    async def test_other_departments_have_nothing_to_do_with_it(self, house: House) -> None:
        await pending(house, phone=False)
        caller = await house.dial(house.caller().presses("menu", "1"))
        assert (step(caller)[0], "callback-pending" in caller.prompts) == ("ring", False)

    @pytest.mark.parametrize("key", ["1", "2", "3"])
    async def test_whenever_they_hang_up_nobody_else_loses_a_place(self, houses: Houses, key: str) -> None:
        async def prepare(house: House) -> Caller:
            await pending(house, phone=True)
            return house.caller(MARC, phone=PHONE)

        async def play(house: House, caller: Caller) -> None:
            await house.dial(caller.presses("menu", "2").presses("callback-pending-choices", key))

        async for house, caller in houses.hang_ups(play, prepare):
            await house.settles(gone=caller)
            assert house.held == {one.id for one in house.context.line.keeper.active()}
            assert len(house.line) == 2 + len(house.held)
            assert house.call(caller).ended_at is not None


async def vanished(house: House) -> Caller:
    """Somebody was cut off in the queue, in front of another one."""
    caller = house.caller()
    await house.waits(caller)
    house.clock.forward(30)
    house.joins(house.caller("15145550103"))
    house.leaves(caller)
    call = house.call(caller)
    house.context.line.calls.hung_up(call.id, house.clock.now, cause=44)
    assert call.reason == VANISHED_IN_QUEUE
    house.context.line.kept.enter({"event": "Hangup", "uniqueid": caller.uniqueid}, house.context.line.calls)
    house.clock.forward(30)
    return caller


class TestAfterACallThatWasCutOff:
    async def test_1_takes_the_place_back(self, house: House) -> None:
        before = await vanished(house)
        again = await house.dial(house.caller().presses("menu", "2").presses("place-kept", "1"))
        assert (step(again)[0], step(again)[7]) == ("queue", "1")
        assert "place-taken-back" in house.kinds(again)
        assert house.call(again).queued_at == house.call(before).queued_at
        # Once.
        third = await house.dial(house.caller().presses("menu", "2"))
        assert "place-kept" not in third.prompts

    @pytest.mark.parametrize("key", [None, "2", "0", "#"])
    async def test_who_says_anything_else_goes_to_the_end(self, house: House, key: str | None) -> None:
        await vanished(house)
        again = await house.dial(house.caller().presses("menu", "2").presses("place-kept", key))
        assert (step(again)[0], step(again)[7]) == ("queue", "")
        # It may be somebody else of the same company: the place stays kept.
        assert house.context.line.kept.find("omnivigil", "support", ani=STRANGER, endpoint=None) is not None

    async def test_another_number_hears_nothing_of_it(self, house: House) -> None:
        await vanished(house)
        other = await house.dial(house.caller("15145550199").presses("menu", "2"))
        assert "place-kept" not in other.prompts

    async def test_somebody_else_takes_it_while_they_listen(self, house: House) -> None:
        await vanished(house)
        again = house.caller().presses("menu", "2").presses("place-kept", "1")
        again.meanwhile = lambda prompt: house.context.line.kept._places.clear() if prompt == "place-kept" else None
        await house.dial(again)
        assert step(again)[7] == ""

    async def test_without_the_database_it_is_taken_back_all_the_same(self, house: House) -> None:
        await vanished(house)
        house.store.away = "write"
        again = await house.dial(house.caller().presses("menu", "2").presses("place-kept", "1"))
        assert step(again)[7] == "1"

    async def test_a_phone_is_known_by_itself(self, house: House) -> None:
        caller = house.caller(MARC, phone=PHONE)
        await house.waits(caller)
        house.leaves(caller)
        house.context.line.calls.hung_up(house.call(caller).id, house.clock.now, cause=44)
        house.context.line.kept.enter({"event": "Hangup", "uniqueid": caller.uniqueid}, house.context.line.calls)
        again = house.caller(None, phone=PHONE).presses("menu", "2").presses("place-kept", "1")
        assert step(await house.dial(again))[7] == "1"

    async def test_they_keep_the_time_that_they_have_waited(self, house: House) -> None:
        before = await vanished(house)
        again = await house.dial(house.caller().presses("menu", "2").presses("place-kept", "1"))
        house.joins(again, position=1)
        house.leaves(again)
        key = await house.hold(
            house.again(again), waiting, "omnivigil", "support", "fr", "support", house.call(again).id, "9"
        )
        waited = house.clock.now - before.began
        assert int(step(key)[4]) <= 3600 - 60
        assert waited.total_seconds() >= 60
