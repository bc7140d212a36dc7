"""*58: the PIN, the recording, and what is on the air afterwards (OV-10)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from agi_scripts import announcing as conversation
from agi_scripts.announcing import announcing
from ivr.announcements.model import Announcement
from ivr.announcements.pins import Pins, put_pin
from ivr.directory import tables
from ivr.errors import BadInput
from tests.conversations.conftest import Houses
from tests.conversations.house import House
from tests.fakes.caller import Caller, Recorded

PIN = "2580"
RECORDED = ["announcement-record", "announcement-review"]


async def technician_id(house: House, name: str = "Annie Roy") -> int:
    [row] = await house.rows(select(tables.technicians.c.id).where(tables.technicians.c.name == name))
    return int(row.id)


async def with_pin(house: House) -> Caller:
    """Annie at her phone; her PIN is known."""
    mine = await technician_id(house)
    async with house.store.unit() as unit:
        await put_pin(unit, mine, PIN)
    return house.caller(None, phone="7001")


async def dials(house: House, caller: Caller) -> Caller:
    house.context.line.pins = Pins(house.store, house.clock, verify=lambda kept, dialled: kept == dialled)
    folder = house.context.line.settings.spool / "announcements"
    folder.mkdir(parents=True, exist_ok=True)
    await house.hold(caller, announcing)
    assert list(folder.iterdir()) == []
    return caller


def on_air(house: House, desk: str = "omnivigil") -> Announcement | None:
    return house.context.line.announcer.in_force(desk)


async def announced(house: House) -> Caller:
    """Annie has put one on the air."""
    caller = (await with_pin(house)).presses("pin-enter", f"{PIN}#").says(4).presses("announcement-review", "2")
    return await dials(house, caller)


class TestPin:
    @pytest.mark.parametrize("phone", ["6001", "7101", None])
    async def test_it_is_for_technicians(self, house: House, phone: str | None) -> None:
        caller = await dials(house, house.caller(None, phone=phone))
        assert (caller.prompts, caller.next) == (["technician-unknown"], "done")

    async def test_without_a_pin_nothing(self, house: House) -> None:
        caller = await dials(house, house.caller(None, phone="7001").says(4))
        assert (caller.prompts, on_air(house)) == (["pin-none"], None)

    async def test_one_that_is_taken_away_while_it_is_dialled(self, house: House) -> None:
        caller = (await with_pin(house)).presses("pin-enter", "1111#", f"{PIN}#")
        judged = Pins.judge

        async def gone(self: Pins, technician: int, dialled: str) -> Any:
            verdict = await judged(self, technician, dialled)
            return "none" if dialled == PIN else verdict

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Pins, "judge", gone)
            await dials(house, caller)
        assert caller.prompts == ["pin-enter", "pin-wrong", "pin-enter", "pin-none"]

    @pytest.mark.parametrize("wrong", [["1111#"], ["**58*#", "580021#"], [None, "1111#"], [None, None]])
    async def test_a_wrong_one_or_none_may_be_dialled_again(self, house: House, wrong: list[str | None]) -> None:
        caller = (await with_pin(house)).presses("pin-enter", *wrong, f"{PIN}#").presses("announcement-record", "#")
        await dials(house, caller)
        assert caller.prompts.count("pin-enter") == len(wrong) + 1
        assert "announcement-record" in caller.prompts

    @pytest.mark.parametrize("dialled", [["1111#"] * 3, [None] * 3, ["1111#", None, "9999#"]])
    async def test_three_tries_a_call(self, house: House, dialled: list[str | None]) -> None:
        caller = await dials(house, (await with_pin(house)).presses("pin-enter", *dialled))
        assert caller.prompts.count("pin-enter") == 3
        assert (caller.prompts[-1] in ("pin-enter", "pin-wrong"), caller.next) == (True, "done")

    async def test_five_wrong_ones_lock_for_a_quarter_of_an_hour(self, house: House) -> None:
        for tries in (3, 2):
            caller = (await with_pin(house)) if tries == 3 else house.caller(None, phone="7001")
            await dials(house, caller.presses("pin-enter", *["1111#"] * tries))
        assert caller.prompts[-1] == "pin-locked"
        # Not even the right one, and not from a service that was started anew.
        again = await dials(house, house.caller(None, phone="7001").presses("pin-enter", f"{PIN}#"))
        assert again.prompts == ["pin-locked"]
        house.clock.forward(timedelta(minutes=15, seconds=1).total_seconds())
        after = await dials(house, house.caller(None, phone="7001").presses("pin-enter", f"{PIN}#"))
        assert after.prompts[:2] == ["pin-enter", "announcement-record"]

    async def test_hanging_up_after_a_try_gains_none(self, house: House) -> None:
        await with_pin(house)
        for _ in range(5):
            await dials(house, house.caller(None, phone="7001").presses("pin-enter", "1111#").leaves("pin-wrong"))
        assert (await dials(house, house.caller(None, phone="7001"))).prompts == ["pin-locked"]


class TestRecorded:
    async def test_ov10_record_listen_and_keep(self, house: House) -> None:
        caller = (await with_pin(house)).presses("pin-enter", f"{PIN}#").says(4)
        await dials(house, caller.presses("announcement-review", "1", "2"))
        assert caller.prompts[:3] == ["pin-enter", *RECORDED]
        # What was recorded, then what to do with it.
        assert caller.prompts[4:] == ["announcement-review", "announcement-on-air"]
        one = on_air(house)
        assert one is not None
        assert (one.source, one.created_by, set(one.sounds)) == ("phone", "Annie Roy", {"fr", "en"})
        assert caller.next == "done"

    async def test_ov10_callers_hear_it(self, house: House) -> None:
        await announced(house)
        caller = await house.dial(house.caller().presses("menu", "2"))
        assert "announcement" in caller.prompts

    async def test_3_begins_anew(self, house: House) -> None:
        caller = (await with_pin(house)).presses("pin-enter", f"{PIN}#").says(4, 5)
        await dials(house, caller.presses("announcement-review", "3", "2"))
        assert caller.prompts == ["pin-enter", *RECORDED, *RECORDED, "announcement-on-air"]

    @pytest.mark.parametrize("keys", [["*"], [None, None, None], ["7", "9", "0"], ["7", None, "*"]])
    async def test_anything_else_changes_nothing(self, house: House, keys: list[str | None]) -> None:
        caller = (await with_pin(house)).presses("pin-enter", f"{PIN}#").says(4)
        await dials(house, caller.presses("announcement-review", *keys))
        assert (caller.prompts[-1], on_air(house)) == ("announcement-cancelled", None)
        assert caller.prompts.count("invalid") == sum(key in ("7", "9", "0") for key in keys)

    async def test_an_empty_one_is_begun_three_times(self, house: House) -> None:
        caller = await dials(house, (await with_pin(house)).presses("pin-enter", f"{PIN}#"))
        said = ["announcement-record", *["announcement-silent"] * 3, "announcement-cancelled"]
        assert caller.prompts == ["pin-enter", *said]

    async def test_one_that_cannot_be_used_is_not_announced(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def unusable(path: object) -> None:
            raise BadInput(field="file", problem="is no usable WAV file", mend="record it anew")

        monkeypatch.setattr(conversation, "decode", unusable)
        caller = await announced(house)
        assert caller.prompts[-2:] == ["announcement-silent", "announcement-cancelled"]
        assert on_air(house) is None

    async def test_without_the_database_nothing_is_confirmed(self, house: House) -> None:
        caller = (await with_pin(house)).presses("pin-enter", f"{PIN}#").says(4).presses("announcement-review", "2")

        def away(prompt: str) -> None:
            house.store.away = "write" if prompt == "announcement-review" else ""

        caller.meanwhile = away
        await dials(house, caller)
        assert (caller.prompts[-1], caller.next, on_air(house)) == ("announcement-review", None, None)

    async def test_without_the_database_nobody_is_let_in(self, house: House) -> None:
        caller = await with_pin(house)
        house.store.away = "all"
        assert ((await dials(house, caller)).prompts, caller.next) == ([], None)

    async def test_whenever_they_hang_up_it_is_on_the_air_whole_or_not_at_all(self, houses: Houses) -> None:
        async def play(house: House, caller: Caller) -> None:
            caller.presses("pin-enter", f"{PIN}#").says(4)
            await dials(house, caller.presses("announcement-review", "1", "2"))

        async for house, caller in houses.hang_ups(play, with_pin):
            kept = "announcement-on-air" in caller.prompts or caller.leaves_after == len(caller.commands) - 1
            assert on_air(house) is None or kept
            assert caller.next is None

    async def test_who_hangs_up_at_the_beep_leaves_nothing(self, house: House) -> None:
        caller = (await with_pin(house)).presses("pin-enter", f"{PIN}#").says(Recorded(speech_s=4, hangs_up=True))
        await dials(house, caller)
        assert on_air(house) is None


class TestOneInForce:
    async def test_ov10_2_goes_back_to_normal(self, house: House) -> None:
        await announced(house)
        caller = house.caller(None, phone="7001").presses("pin-enter", f"{PIN}#")
        await dials(house, caller.presses("announcement-in-force", "2"))
        assert caller.prompts == ["pin-enter", "announcement-in-force", "announcement-ended"]
        assert on_air(house) is None

    async def test_ov10_1_records_another(self, house: House) -> None:
        await announced(house)
        first = on_air(house)
        caller = house.caller(None, phone="7001").presses("pin-enter", f"{PIN}#").says(6)
        await dials(house, caller.presses("announcement-in-force", "1").presses("announcement-review", "2"))
        assert caller.prompts == ["pin-enter", "announcement-in-force", *RECORDED, "announcement-on-air"]
        assert on_air(house) != first

    @pytest.mark.parametrize("keys", [["*"], [None] * 3, ["5", "5", "5"]])
    async def test_anything_else_leaves_it_there(self, house: House, keys: list[str | None]) -> None:
        await announced(house)
        first = on_air(house)
        caller = house.caller(None, phone="7001").presses("pin-enter", f"{PIN}#")
        await dials(house, caller.presses("announcement-in-force", *keys))
        assert (caller.prompts[-1], on_air(house)) == ("announcement-cancelled", first)


class TestWhoseDesk:
    @pytest.mark.parametrize(
        ("queues", "desk"), [(["hl-cloud", "support"], "hotline-2024"), (["nobodys"], "omnivigil"), ([], "omnivigil")]
    )
    async def test_hl1_it_is_the_one_whose_queue_they_answer_first(
        self, house: House, queues: list[str], desk: str
    ) -> None:
        async with house.store.unit() as unit:
            await unit.execute(update(tables.technicians).values(queues=queues))
        await house.context.line.directory.reload()
        await announced(house)
        assert [name for name in house.context.desks if on_air(house, name)] == [desk]

    @pytest.mark.parametrize(("language", "heard"), [("en", "en"), ("es", "fr")])
    async def test_they_hear_it_in_their_language_or_the_desks(self, house: House, language: str, heard: str) -> None:
        async with house.store.unit() as unit:
            spoken = [{"language": language, "penalty": 0}]
            await unit.execute(update(tables.technicians).values(language=language, languages=spoken))
        await house.context.line.directory.reload()
        assert (await dials(house, house.caller(None, phone="7001"))).languages == {heard}
