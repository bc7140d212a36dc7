"""A voice message: recorded, reviewed, on disk and committed before anything is confirmed; whatever fails meanwhile."""

from __future__ import annotations

import wave
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from agi_scripts import message as conversation
from agi_scripts.message import message
from ivr.asterisk.recorded_file import has_room, inspect, keep
from ivr.notify.tables import outbox
from ivr.prompts.build import BuildError
from ivr.tickets import store as ticket_store
from tests.conversations.conftest import Houses
from tests.conversations.house import CLOSED, MARC, House
from tests.fakes.caller import Caller, Recorded, digits

SENT = ["message-received", "ticket-number"]


async def record(
    house: House,
    caller: Caller,
    *,
    urgency: str = "ordinary",
    language: str = "fr",
    why: str = "",
    call_id: str | None = None,
    department: str = "support",
) -> Caller:
    """The message box; the recording is called by the call."""
    file = str(house.context.line.messages / caller.uniqueid)
    known = house.context.line.calls.id_of(caller.uniqueid) or ""
    args = ("omnivigil", department, language, urgency, known if call_id is None else call_id, why, file)
    return await house.hold(caller, message, *args)


async def closed(house: House, number: str = MARC) -> Caller:
    """Somebody who has gone through the menu at night."""
    house.clock.now = CLOSED
    caller = await house.dial(house.caller(number).presses("menu", "2").presses("closed-emergency", "1"))
    return house.again(caller)


async def messages(house: House) -> list[dict[str, Any]]:
    async with house.store.reading() as unit:
        return await ticket_store.messages(unit)


def length_s(house: House, caller: Caller) -> float:
    with wave.open(str(house.context.line.messages / f"{caller.uniqueid}.wav")) as opened:
        return float(opened.getnframes() / opened.getframerate())


class TestLeft:
    @pytest.mark.parametrize(
        ("urgency", "said"), [("ordinary", "message-received"), ("urgent", "message-received-urgent")]
    )
    async def test_ov7_it_becomes_a_ticket_whose_number_is_told(self, house: House, urgency: str, said: str) -> None:
        caller = await record(house, (await closed(house)).says(6), urgency=urgency)
        [ticket] = await house.tickets()
        [left] = await messages(house)
        plain = [prompt for prompt in caller.prompts if not prompt.startswith("digit-")]
        assert plain == ["message-record", "message-review", said, "ticket-number", "goodbye"]
        assert digits(caller.prompts) == str(ticket.number)
        assert (caller.next, caller.languages) == ("done", {"fr"})
        assert (left["ticket_number"], left["urgent"]) == (ticket.number, urgency == "urgent")
        assert (ticket.account_number, ticket.requester_name) == ("C-1003", "Marc Gagnon")
        assert (house.call(caller).result, house.call(caller).reason) == ("message", "closed")

    async def test_ov7_an_emergency_pages_and_anything_else_waits_for_the_opening(self, house: House) -> None:
        for urgency, priority, pages in (("ordinary", "normale", []), ("urgent", "urgente", ["14185550162"])):
            number = "15145550188" if urgency == "ordinary" else MARC
            await record(house, (await closed(house, number)).says(6), urgency=urgency)
            await house.context.line.paging.once()
            ticket = (await house.tickets())[-1]
            assert ticket.priority == priority
            mine = outbox.c.ticket_number == ticket.number
            told = await house.rows(select(outbox.c.kind, outbox.c.recipient).where(mine))
            assert [one.recipient for one in told if one.kind == "email"] == ["support@omnivigil.com"]
            assert [one.recipient for one in told if one.kind == "sms"] == pages
        # Thursday at 17:00: the end of the next working day.
        assert (await house.tickets())[0].promised_at == datetime(2026, 11, 19, 22, 0, tzinfo=UTC)

    async def test_in_english_after_nobody_answered(self, house: House) -> None:
        waits = house.caller()
        await house.waits(waits)
        caller = await record(house, house.again(waits).says(6), language="en", why="queue-timeout")
        assert (caller.prompts[0], caller.languages) == ("nobody-answers", {"en"})
        assert house.call(caller).reason == "queue-timeout"

    async def test_whom_the_dialplan_took_there_is_known_all_the_same(self, house: House) -> None:
        caller = await record(house, (await closed(house)).says(6), call_id="")
        [ticket] = await house.tickets()
        assert ticket.call_id == house.call(caller).id

    async def test_without_the_call_on_record_too(self, house: House) -> None:
        caller = await record(house, house.caller().says(6))
        assert (caller.next, len(await messages(house))) == ("done", 1)

    async def test_ov8_of_another_department_it_goes_there(self, house: House) -> None:
        await record(house, (await closed(house)).says(6), department="ventes")
        assert [one.department for one in await house.tickets()] == ["ventes"]
        mails = await house.rows(select(outbox.c.recipient).where(outbox.c.kind == "email"))
        assert [one.recipient for one in mails] == ["ventes@omnivigil.com"]

    @pytest.mark.parametrize(
        ("attempts", "said"),
        [
            ((0.0, 6.0), ["message-silence"]),
            ((1.0, 6.0), ["message-short"]),
            ((0.3, 6.0), ["message-silence"]),
            ((0.0, 1.0, 6.0), ["message-silence", "message-short"]),
        ],
    )
    async def test_silence_and_next_to_nothing_are_asked_again(
        self, house: House, attempts: tuple[float, ...], said: list[str]
    ) -> None:
        caller = await record(house, (await closed(house)).says(*attempts))
        assert caller.prompts[: len(said) + 2] == ["message-record", *said, "message-review"]
        assert length_s(house, caller) == 6

    async def test_who_says_nothing_three_times_has_a_ticket_all_the_same(self, house: House) -> None:
        caller = await record(house, await closed(house))
        assert caller.prompts[:4] == ["message-record", "message-silence", "message-silence", "message-received"]
        assert (len(await house.tickets()), caller.next) == (1, "done")


class TestReviewed:
    @pytest.mark.parametrize("key", ["1", None, "9"])
    async def test_it_is_sent_with_1_and_by_doing_nothing(self, house: House, key: str | None) -> None:
        caller = await record(house, (await closed(house)).says(6).presses("message-review", key))
        assert caller.prompts.count("message-review") == 1
        assert len(await messages(house)) == 1

    async def test_2_plays_it(self, house: House) -> None:
        caller = await record(house, (await closed(house)).says(6).presses("message-review", "2", "1"))
        assert caller.prompts[1:4] == ["message-review", caller.uniqueid, "message-review"]

    async def test_3_begins_it_anew(self, house: House) -> None:
        caller = await record(house, (await closed(house)).says(6, 9).presses("message-review", "3", "1"))
        assert caller.prompts[1:4] == ["message-review", "message-record", "message-review"]
        assert length_s(house, caller) == 9
        assert [path.suffix for path in house.context.line.messages.iterdir()] == [".wav"]

    @pytest.mark.parametrize("anew", [(0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (Recorded(hangs_up=True),)])
    async def test_what_was_said_before_is_kept_until_something_is_said_anew(
        self, house: House, anew: tuple[float | Recorded, ...]
    ) -> None:
        caller = await record(house, (await closed(house)).says(6, *anew).presses("message-review", "3", "1"))
        assert length_s(house, caller) == 6
        assert [one["seconds"] for one in await messages(house)] == [6]

    async def test_there_is_an_end_to_it(self, house: House) -> None:
        caller = await record(house, (await closed(house)).says(6).presses("message-review", *["2"] * 20))
        assert caller.prompts.count("message-review") == 6
        assert caller.next == "done"


class TestWhateverFails:
    @pytest.mark.parametrize("keys", [(), ("2", "1"), ("3", "1")])
    async def test_whenever_they_hang_up_what_was_said_is_kept(self, houses: Houses, keys: tuple[str, ...]) -> None:
        async def play(house: House, caller: Caller) -> None:
            await record(house, caller.says(6, 9).presses("message-review", *keys))

        async for house, caller in houses.hang_ups(play, closed):
            recorded = any(one.startswith("EXEC") for one in caller.commands)
            call = house.call(caller)
            assert len(await messages(house)) == int(recorded), caller.commands
            assert call.result == ("message" if recorded else "abandoned")
            assert call.ended_at is not None

    async def test_who_hangs_up_while_speaking_has_left_it(self, house: House) -> None:
        caller = await record(house, (await closed(house)).says(Recorded(speech_s=6, hangs_up=True)), urgency="urgent")
        assert [one["urgent"] for one in await messages(house)] == [True]
        assert house.call(caller).reason == "hung up after leaving a message"

    @pytest.mark.parametrize("speech_s", [0.0, 0.3, 1.0])
    async def test_who_hangs_up_having_said_nothing_has_left_none(self, house: House, speech_s: float) -> None:
        caller = await record(house, (await closed(house)).says(Recorded(speech_s=speech_s, hangs_up=True)))
        assert (await messages(house), await house.tickets()) == ([], [])
        assert house.call(caller).result == "abandoned"

    @pytest.mark.parametrize("away", ["write", "all"])
    async def test_without_the_database_it_is_on_disk_and_confirmed_without_a_number(
        self, house: House, away: str
    ) -> None:
        caller = (await closed(house)).says(6)
        house.store.away = away
        await record(house, caller)
        assert caller.prompts == ["message-record", "message-review", "message-received", "goodbye"]
        assert (caller.next, len(list((house.folder / "spool" / "intake").glob("*.json")))) == ("done", 1)

    async def test_with_neither_database_nor_disk_nothing_is_confirmed(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        caller = (await closed(house)).says(6)
        house.store.away = "write"
        monkeypatch.setattr(house.context.line.spool, "put", full)
        with pytest.raises(OSError, match="No space"):
            await record(house, caller)
        assert (caller.prompts, caller.next) == (["message-record", "message-review"], None)

    async def test_a_full_disk_takes_them_to_a_person(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(conversation, "has_room", lambda folder: False)
        caller = await record(house, (await closed(house)).says(Recorded(speech_s=6, disk_full=True)))
        assert (caller.prompts, caller.next, caller.variables["OV_FULL"]) == (["message-record"], None, "yes")
        assert await messages(house) == []

    async def test_and_who_has_hung_up_meanwhile_is_gone(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(conversation, "has_room", lambda folder: False)
        caller = (await closed(house)).says(Recorded(speech_s=6, disk_full=True))
        caller.leaves_after = 1
        await record(house, caller)
        assert "OV_FULL" not in caller.variables

    @pytest.mark.parametrize("prompt", ["message-record", "message-review"])
    async def test_a_sound_that_is_gone_leaves_it_to_the_dialplans_own_box(
        self, house: House, monkeypatch: pytest.MonkeyPatch, prompt: str
    ) -> None:
        of, caller = house.context.sounds.of, (await closed(house)).says(6)

        async def without(desk: str, wanted: str, *rest: Any) -> str:
            if wanted == prompt:
                raise BuildError(prompt=prompt)
            return await of(desk, wanted, *rest)

        monkeypatch.setattr(house.context.sounds, "of", without)
        await record(house, caller)
        assert (caller.next, house.call(caller).ended_at) == (None, None)


class TestRecordings:
    @pytest.mark.parametrize("content", [None, b"", b"RIFF", b"no sound at all" * 20])
    def test_what_is_none_is_silent(self, tmp_path: Path, content: bytes | None) -> None:
        path = tmp_path / "one.wav"
        if content is not None:
            path.write_bytes(content)
        found = inspect(path)
        assert (found.silent, found.seconds, found.said_something) == (True, 0.0, False)

    def test_one_without_a_sample(self, tmp_path: Path) -> None:
        with wave.open(str(tmp_path / "one.wav"), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(8000)
        assert inspect(tmp_path / "one.wav").silent

    def test_keeping_one_whose_caller_left_before_the_beep(self, tmp_path: Path) -> None:
        keep(inspect(tmp_path / "none.wav"))

    def test_room(self, tmp_path: Path) -> None:
        assert (has_room(tmp_path), list(tmp_path.iterdir())) == (True, [])
        assert not has_room(tmp_path / "not-there")
