"""A key in the queue: another language, a callback (OV-9), text messages; the place is kept whatever happens."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from agi_scripts.queue_keys import waiting
from ivr.callbacks.model import Callback
from ivr.callbacks.tables import callbacks as callbacks_table
from ivr.prompts.build import BuildError
from tests.conversations.conftest import Houses
from tests.conversations.house import MARC, STRANGER, House
from tests.fakes.caller import Caller, digits

READ = ["callback-number", *(f"digit-{digit}" for digit in "5145550188"), "callback-confirm"]
OTHER = "5145550177"


async def in_line(house: House, *, offered: bool = True, number: str | None = STRANGER, **fields: str) -> Caller:
    """Somebody who waits in front of two others, and was offered the callback."""
    caller = house.caller(number, **fields)
    await house.waits(caller)
    if offered:
        house.offer(caller)
    house.clock.forward(60)
    return caller


async def press(house: House, waits: Caller, key: str, script: Caller | None = None, *, call_id: bool = True) -> Caller:
    """A key takes them out of the queue, and into the conversation."""
    caller = script or house.again(waits)
    house.leaves(waits)
    call = house.call(waits).id if call_id else ""
    return await house.hold(caller, waiting, "omnivigil", "support", "fr", "support", call, key)


def step(caller: Caller) -> list[str]:
    assert caller.next is not None
    return caller.next.split(",")


def back(house: House, caller: Caller, *, position: str = "1", language: str = "fr") -> bool:
    """Whether they return to their place, with what is left of the longest wait. Where it is held for them they are
    second: it is given up once they stand behind it."""
    kind, spoken, department, queue, seconds, urgency, call_id, place = step(caller)
    assert 3400 < int(seconds) <= 3600 - 60
    assert (kind, department, queue, urgency, call_id) == (
        "queue",
        "support",
        "support",
        "ordinary",
        house.call(caller).id,
    )
    return (spoken, place) == (language, position)


async def stored(house: House) -> list[Callback]:
    """Every request, as it is in the database."""
    return list(await house.rows(select(callbacks_table).order_by(callbacks_table.c.requested_at)))


class TestOtherKeys:
    async def test_ov4_9_is_english_and_back(self, house: House) -> None:
        waits = await in_line(house)
        caller = await press(house, waits, "9")
        assert (back(house, caller, language="en"), caller.prompts) == (True, [])
        assert caller.variables["OV_LANGUAGE"] == "en"
        assert house.call(caller).language == "en"

    async def test_ov4_9_in_english_is_french(self, house: House) -> None:
        waits = await in_line(house)
        house.leaves(waits)
        args = ("omnivigil", "support", "en", "support", house.call(waits).id, "9")
        caller = await house.hold(house.again(waits), waiting, *args)
        assert step(caller)[1] == "fr"

    @pytest.mark.parametrize("key", [*"034578*#", "2"])
    async def test_any_other_key_costs_no_place(self, house: House, key: str) -> None:
        caller = await press(house, await in_line(house), key)
        assert (back(house, caller), caller.prompts, house.held) == (True, [], set())

    async def test_1_means_nothing_before_it_was_offered(self, house: House) -> None:
        caller = await press(house, await in_line(house, offered=False), "1")
        assert (back(house, caller), house.ami.originated) == (True, [])

    async def test_hl1_1_means_nothing_where_there_are_no_callbacks(self, house: House) -> None:
        caller = house.caller()
        args = ("hotline-2024", "logiciel", "fr", "hl-logiciel", "", "1")
        await house.hold(caller, waiting, *args)
        assert step(caller)[:4] == ["queue", "fr", "logiciel", "hl-logiciel"]

    async def test_whom_the_dialplan_took_to_the_queue_is_known_all_the_same(self, house: House) -> None:
        waits = await in_line(house)
        caller = await press(house, waits, "1", call_id=False)
        assert caller.prompts[:12] == READ
        assert house.call(waits).result == "callback"

    async def test_a_clock_that_was_set_back_makes_no_wait_longer(self, house: House) -> None:
        waits = await in_line(house)
        house.clock.now -= timedelta(hours=1)
        assert step(await press(house, waits, "9"))[4] == "3600"

    async def test_who_has_waited_long_still_waits_a_little(self, house: House) -> None:
        waits = await in_line(house)
        house.clock.forward(3590)
        assert step(await press(house, waits, "9"))[4] == "30"


class TestAsked:
    @pytest.mark.parametrize("key", ["1", None])
    async def test_ov9_yes_or_nothing_is_a_request_at_the_same_place(self, house: House, key: str | None) -> None:
        waits = await in_line(house)
        arrived = house.context.line.watch.arrived_at(waits.uniqueid)
        caller = await press(house, waits, "1", house.again(waits).presses("callback-confirm", key))
        assert caller.prompts == [*READ, "callback-accepted", "goodbye"]
        assert (caller.next, caller.variables["OV_SETTLED"]) == ("done", "omnivigil-settled-fr")
        [one] = await stored(house)
        assert (one.number, one.endpoint, one.state, one.language) == (STRANGER, None, "pending", "fr")
        assert (one.arrived_at, one.call_id, one.mode) == (arrived, house.call(waits).id, "technician_first")
        assert house.line[0] == f"held {one.id}"
        assert (house.call(waits).result, house.call(waits).reason) == ("callback", f"callback {one.id}")

    async def test_ov9_in_english(self, house: House) -> None:
        waits = await in_line(house)
        caller = await press(house, waits, "1", house.again(waits).presses("callback-confirm", "9", "1"))
        assert caller.prompts == [*READ, *READ, "callback-accepted", "goodbye"]
        assert [one.language for one in caller.heard] == ["fr"] * 12 + ["en"] * 14
        assert [one.language for one in await stored(house)] == ["en"]

    async def test_ov9_another_number(self, house: House) -> None:
        waits = await in_line(house)
        script = house.again(waits).presses("callback-confirm", "2", "1").presses("callback-enter", f"{OTHER}#")
        caller = await press(house, waits, "1", script)
        at = caller.prompts.index("callback-enter")
        assert digits(caller.prompts[at:]) == OTHER
        assert [one.number for one in await stored(house)] == [f"1{OTHER}"]

    @pytest.mark.parametrize("keys", ["#", "*#", None])
    async def test_who_gives_none_returns_to_their_place(self, house: House, keys: str | None) -> None:
        waits = await in_line(house)
        script = house.again(waits).presses("callback-confirm", "2").presses("callback-enter", keys)
        caller = await press(house, waits, "1", script)
        assert (caller.prompts[-1], back(house, caller, position="2")) == ("callback-back", True)
        assert (await stored(house), "callback-declined" in house.kinds(waits)) == ([], True)

    async def test_ov9_star_is_to_wait_and_the_place_is_given_up_once_they_stand_there(self, house: House) -> None:
        waits = await in_line(house)
        caller = await press(house, waits, "1", house.again(waits).presses("callback-confirm", "*"))
        assert (caller.prompts, back(house, caller, position="2")) == ([*READ, "callback-back"], True)
        assert len(house.held) == 1
        house.joins(caller, position=2)
        await house.settles()
        assert (house.held, house.line[0]) == (set(), waits.uniqueid)

    async def test_keys_that_are_none_of_those_offered(self, house: House) -> None:
        waits = await in_line(house)
        caller = await press(house, waits, "1", house.again(waits).presses("callback-confirm", "7", "#", "0"))
        assert (caller.prompts, back(house, caller, position="2")) == ([*READ * 3, "callback-back"], True)

    @pytest.mark.parametrize(
        "number",
        [
            "9005551234",
            "911",
            "4115551212",
            "8095551234",
            "8765551234",
            "01133123456789",
            "8446664844",
            "0",
            "97612345",
        ],
    )
    async def test_an_expensive_number_is_not_taken(self, house: House, number: str) -> None:
        waits = await in_line(house)
        script = house.again(waits).presses("callback-confirm", "2", "1")
        script.presses("callback-enter", f"{number}#", f"{OTHER}#")
        caller = await press(house, waits, "1", script)
        assert caller.prompts.count("callback-number-refused") == 1
        assert [one.number for one in await stored(house)] == [f"1{OTHER}"]
        assert "number-refused" in house.kinds(waits)

    async def test_three_refused_numbers_lead_back_to_the_place(self, house: House) -> None:
        waits = await in_line(house)
        script = house.again(waits).presses("callback-confirm", "2")
        caller = await press(house, waits, "1", script.presses("callback-enter", *["9005551234#"] * 5))
        assert caller.prompts.count("callback-enter") == 3
        assert (await stored(house), back(house, caller, position="2")) == ([], True)

    @pytest.mark.parametrize("number", ["18095551234", "19005551234", "anonymous", None, "33612345678"])
    async def test_whose_own_number_may_not_be_called_gives_another(self, house: House, number: str | None) -> None:
        waits = await in_line(house, number=number)
        caller = await press(house, waits, "1", house.again(waits).presses("callback-enter", f"{OTHER}#"))
        assert caller.prompts[0] == "callback-enter"
        assert [one.number for one in await stored(house)] == [f"1{OTHER}"]

    async def test_ov9_a_registered_phone_is_rung_itself(self, house: House) -> None:
        waits = await in_line(house, number=MARC, phone="6003")
        caller = await press(house, waits, "1")
        assert digits(caller.prompts) == MARC[1:]
        [one] = await stored(house)
        assert (one.number, one.endpoint, one.identity["by"]) == (MARC, "6003", "endpoint")

    async def test_ov9_a_phone_without_a_number_too(self, house: House) -> None:
        waits = await in_line(house, number=None, phone="6003")
        caller = await press(house, waits, "1")
        assert digits(caller.prompts) == "6003"
        assert [(one.number, one.endpoint) for one in await stored(house)] == [("6003", "6003")]

    async def test_a_phone_that_gives_another_number_is_not_rung(self, house: House) -> None:
        waits = await in_line(house, number=MARC, phone="6003")
        script = house.again(waits).presses("callback-confirm", "2").presses("callback-enter", f"{OTHER}#")
        await press(house, waits, "1", script)
        assert [(one.number, one.endpoint) for one in await stored(house)] == [(f"1{OTHER}", None)]

    async def test_without_a_way_out_no_number_is_taken(self, house: House) -> None:
        house.context.line.keeper._channels.trunk = False
        waits = await in_line(house, number=MARC, phone="6003")
        script = house.again(waits).presses("callback-confirm", "2").presses("callback-enter", *[f"{OTHER}#"] * 3)
        caller = await press(house, waits, "1", script)
        assert (await stored(house), back(house, caller, position="2")) == ([], True)

    async def test_ov9_late_in_the_day_they_are_told_that_it_may_be_tomorrow(self, house: House) -> None:
        waits = await in_line(house)
        house.member("7001", status="5")
        caller = await press(house, waits, "1")
        assert caller.prompts == [*READ, "callback-accepted-later", "goodbye"]

    async def test_who_asked_before_has_one_callback_and_one_place(self, house: House) -> None:
        waits = await in_line(house)
        before = await house.callback(arrived_at=house.clock.now)
        caller = await press(house, waits, "1")
        assert caller.next == "done"
        assert [one.id for one in await stored(house)] == [before.id]
        assert house.held <= {before.id}

    async def test_a_number_asks_only_so_often(self, house: House) -> None:
        waits = await in_line(house)
        for _ in range(5):
            one = await house.callback()
            await house.context.line.keeper.cancel(one.id, "test")
        caller = await press(house, waits, "1")
        assert (caller.prompts, back(house, caller, position="2")) == ([*READ, "callback-limit", "callback-back"], True)
        assert house.facts(waits, "callback-requested") == {"limit": "number"}


class TestWhateverFails:
    @pytest.mark.parametrize("how", ["away", "refuses"])
    async def test_no_place_can_be_held(self, house: House, how: str) -> None:
        waits = await in_line(house)
        house.ami.refuses = how == "refuses"
        house.leaves(waits)
        args = ("omnivigil", "support", "fr", "support", house.call(waits).id, "1")
        if how == "away":
            with house.ami.away():
                caller = await house.hold(house.again(waits), waiting, *args)
        else:
            caller = await house.hold(house.again(waits), waiting, *args)
        assert (caller.prompts, back(house, caller)) == ([], True)

    @pytest.mark.parametrize("away", ["write", "all"])
    async def test_without_the_database_they_hear_so_and_keep_their_place(self, house: House, away: str) -> None:
        waits = await in_line(house)
        house.store.away = away
        caller = await press(house, waits, "1")
        assert (caller.prompts, back(house, caller, position="2")) == (
            [*READ, "callback-not-now", "callback-back"],
            True,
        )
        house.joins(caller, position=2)
        await house.settles()
        assert (house.held, house.line[0]) == (set(), waits.uniqueid)

    async def test_without_the_database_who_hangs_up_has_asked_for_nothing(self, house: House) -> None:
        waits = await in_line(house)
        house.store.away = "write"
        await press(house, waits, "1", house.again(waits).leaves("callback-confirm"))
        assert (house.held, house.context.line.keeper.active()) == (set(), [])
        assert house.call(waits).result == "abandoned"

    @pytest.mark.parametrize("prompt", ["callback-number", "digit-8", "callback-confirm"])
    @pytest.mark.parametrize("late", [False, True])
    async def test_ov9_hanging_up_while_the_number_is_read_is_a_yes(
        self, house: House, prompt: str, late: bool
    ) -> None:
        waits = await in_line(house)
        await press(house, waits, "1", house.again(waits).leaves(prompt, late=late))
        [one] = await stored(house)
        assert (one.number, one.state, house.held) == (STRANGER, "pending", {one.id})

    async def test_hanging_up_after_no_is_no(self, house: House) -> None:
        waits = await in_line(house)
        await press(house, waits, "1", house.again(waits).presses("callback-confirm", "*").leaves("callback-back"))
        assert (await stored(house), house.held) == ([], set())
        assert house.call(waits).result == "abandoned"

    async def test_hanging_up_before_a_number_is_given_is_nothing(self, house: House) -> None:
        waits = await in_line(house, number=None)
        await press(house, waits, "1", house.again(waits).leaves("callback-enter"))
        assert (await stored(house), house.held) == ([], set())

    async def test_a_sound_that_is_gone_leaves_the_place_to_the_dialplan(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        waits = await in_line(house)

        async def hoarse(*_: object) -> str:
            raise BuildError(prompt="any")

        monkeypatch.setattr(house.context.sounds, "of", hoarse)
        caller = await press(house, waits, "1")
        assert (caller.next, house.held) == (None, set())
        # Where the dialplan takes them back to.
        assert caller.variables["OV_POSITION"] == "2"

    @pytest.mark.parametrize(
        "keys", [{}, {"callback-confirm": "*"}, {"callback-confirm": "2", "callback-enter": f"{OTHER}#"}]
    )
    async def test_whenever_they_hang_up_no_place_is_held_for_nobody(
        self, houses: Houses, keys: dict[str, str]
    ) -> None:
        async def prepare(house: House) -> Caller:
            return house.again(await in_line(house))

        async def play(house: House, caller: Caller) -> None:
            for prompt, key in keys.items():
                caller.presses(prompt, key)
            await press(house, caller, "1", caller)

        async for house, caller in houses.hang_ups(play, prepare):
            await house.settles(gone=caller)
            requests = [one for one in await stored(house) if one.state == "pending"]
            assert house.held == {one.id for one in requests}, caller.commands
            assert len(requests) <= 1
            assert house.call(caller).result == ("callback" if "OV_SETTLED" in caller.variables else "abandoned")
            assert caller.next is None


class TestTexts:
    async def test_ov27_who_waits_already_presses_2_and_keeps_their_place(self, house: House) -> None:
        await house.incident()
        waits = await in_line(house)
        caller = await press(house, waits, "2")
        assert [one for one in caller.prompts if not one.startswith("digit-")] == [
            "follow-number",
            "follow-confirm",
            "follow-accepted",
            "callback-back",
        ]
        assert (back(house, caller), caller.variables["OV_POSITION"]) == (True, "1")

    async def test_ov27_who_hangs_up_there_has_left_the_queue(self, house: House) -> None:
        await house.incident()
        waits = await in_line(house)
        await press(house, waits, "2", house.again(waits).leaves("follow-confirm"))
        assert (house.call(waits).result, house.call(waits).reason) == ("abandoned", "hung up in the queue")
