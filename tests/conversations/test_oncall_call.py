"""A page call (OV-7): heard, taken or passed on; and the customer is dialled, unless that is toll fraud."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from agi_scripts import oncall_call as conversation
from agi_scripts.oncall_call import page, spoken_name
from ivr.access_log.tables import listenings
from ivr.errors import OmnivigilError
from ivr.oncall import store as statements
from ivr.oncall.service import Emergencies
from ivr.oncall.store import Emergency, PageCall
from ivr.oncall.tables import emergencies, page_calls
from ivr.tickets import store as ticket_store
from ivr.tickets.intake import Intake, Requester, VoiceMessage
from ivr.tickets.intake_commit import enter
from tests.conversations.conftest import Houses
from tests.conversations.house import CLOSED, MARC, House
from tests.fakes.caller import Caller, _write, digits

NAME = "Boulangerie Saint-Roch"


async def emergency(
    house: House,
    *,
    number: str | None = MARC,
    endpoint: str | None = None,
    name: str | None = NAME,
    recorded: bool = True,
    key: str = "message-1",
) -> int:
    """Somebody has left an urgent message at night, and whoever is on call is being rung; the page call's id."""
    house.clock.now = max(house.clock.now, CLOSED)
    if recorded:
        _write(house.context.line.messages / f"{key}.wav", 3.0, 0.0)
    intake = Intake(
        key=key,
        at=house.clock.now,
        desk="omnivigil",
        department="support",
        language="fr",
        call_id=None,
        requester=Requester(account_name=name),
        message=VoiceMessage(file=f"{key}.wav", seconds=3, urgent=True, number=number, endpoint=endpoint),
    )
    async with house.store.unit() as unit:
        await enter(unit, intake)
    await house.context.line.paging.once()
    await house.context.line.page_calls.once()
    calls = await house.rows(select(page_calls.c.id).order_by(page_calls.c.id))
    return int(calls[-1].id)


async def rung(house: House, call: int, caller: Caller | None = None, what: str = "ask") -> Caller:
    """Whoever is on call has answered."""
    return await house.hold(caller or house.caller(None), page, what, str(call))


async def of(house: House, call: int) -> tuple[PageCall, Emergency]:
    async with house.store.reading() as unit:
        row = await statements.page_call(unit, call)
        assert row is not None
        found = await statements.get(unit, row.emergency_id)
        assert found is not None
        return row, found


async def outcome(house: House, call: int) -> str | None:
    return (await of(house, call))[0].outcome


class TestTold:
    async def test_ov7_they_hear_when_from_whom_and_the_message_itself(self, house: House) -> None:
        call = await emergency(house)
        caller = await rung(house, call, house.caller(None).presses("page-keys", "2"))
        assert caller.prompts == ["page-greeting", "page-from", "message-1", "page-keys", "page-passed"]
        assert (caller.next, caller.languages) == ("done", {"fr"})
        heard = await house.rows(select(listenings))
        assert [(one.kind, one.who) for one in heard] == [("message", (await of(house, call))[0].person)]

    async def test_without_a_name_the_number_is_read(self, house: House) -> None:
        caller = await rung(house, await emergency(house, name=None))
        assert caller.prompts[1] == "page-number"
        assert digits(caller.prompts) == MARC[-10:]

    async def test_without_either_there_is_the_message(self, house: House) -> None:
        caller = await rung(house, await emergency(house, name=None, number=None))
        assert caller.prompts[:3] == ["page-greeting", "message-1", "page-keys"]

    async def test_without_its_recording_it_is_told_all_the_same(self, house: House) -> None:
        caller = await rung(house, await emergency(house, recorded=False))
        assert caller.prompts[:4] == ["page-greeting", "page-from", "page-no-recording", "page-keys"]
        assert await house.rows(select(listenings)) == []

    async def test_the_spoken_name_is_not_kept(self, house: House) -> None:
        caller = await rung(house, await emergency(house))
        said = Path(next(one for one in caller.commands if "page-from" in one).split('"')[1])
        assert said.parent.is_dir()
        assert list(said.parent.glob(f"{said.name}*")) == []

    async def test_a_voice_that_fails_is_in_nobodys_way(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        speaks = house.context.sounds.of

        async def hoarse(desk: str, prompt: str, *rest: Any) -> str:
            if prompt in ("page-greeting", "page-from"):
                raise OmnivigilError(problem="hoarse")
            return await speaks(desk, prompt, *rest)

        monkeypatch.setattr(house.context.sounds, "of", hoarse)
        caller = await rung(house, await emergency(house))
        assert caller.prompts[:2] == ["page-number", "digit-4"]

    async def test_several_that_wait_together_are_told_as_such(self, house: House) -> None:
        call = await emergency(house)
        first = (await of(house, call))[1].id
        await emergency(house, key="message-2", name="Clinique du Cap", number="15145550188")
        async with house.store.unit() as unit:
            await unit.execute(update(emergencies).where(emergencies.c.id == first).values(bundle=True))
            await unit.execute(update(emergencies).where(emergencies.c.id != first).values(merged_into=first))
        assert (await rung(house, call)).prompts[:3] == ["page-greeting", "page-bundle", "page-from"]

    async def test_in_the_language_of_whoever_is_on_call(self, house: House) -> None:
        call = await emergency(house)
        duty = house.desk.oncall
        assert duty is not None
        people = {key: one.model_copy(update={"language": "en"}) for key, one in duty.people.items()}
        desk = house.desk.model_copy(update={"oncall": duty.model_copy(update={"people": people})})
        house.has(desk)
        assert (await rung(house, call)).languages == {"en"}


class TestKeys:
    @pytest.mark.parametrize("prompt", ["page-greeting", "page-from", "message-1", "page-keys"])
    async def test_ov7_1_takes_it_at_any_moment(self, house: House, prompt: str) -> None:
        call = await emergency(house)
        caller = await rung(house, call, house.caller(None).presses(prompt, "1"))
        row, found = await of(house, call)
        assert (row.outcome, found.taken_by) == ("taken", row.person)
        assert caller.prompts[-1] == "page-taken-connect"
        [ticket] = await house.tickets()
        assert ticket.status == "in-progress"

    async def test_ov7_2_passes_it_on_at_once(self, house: House) -> None:
        call = await emergency(house)
        await rung(house, call, house.caller(None).presses("page-greeting", "2"))
        assert (await outcome(house, call), (await of(house, call))[1].taken_at) == ("passed", None)
        rows = await house.rows(select(page_calls.c.person).order_by(page_calls.c.id))
        assert len({row.person for row in rows}) == 2

    async def test_3_is_the_message_again(self, house: House) -> None:
        call = await emergency(house)
        caller = await rung(house, call, house.caller(None).presses("page-keys", "3", "3", "1"))
        assert caller.prompts[2:] == [*["message-1", "page-keys"] * 3, "page-taken-connect"]

    async def test_ov7_a_voicemail_takes_nothing(self, house: House) -> None:
        call = await emergency(house)
        caller = await rung(house, call)
        assert caller.prompts.count("page-keys") == 3
        assert (await outcome(house, call), caller.next) == ("no-key", "done")

    async def test_what_somebody_else_has_taken_is_over(self, house: House) -> None:
        call = await emergency(house)
        found = (await of(house, call))[1]
        async with house.store.unit() as unit:
            held = Emergencies(desks=house.context.desks, bus=house.context.line.bus, clock=lambda: house.clock.now)
            await held.take(unit, found.id, by="else")
        caller = await rung(house, call)
        assert (caller.prompts, await outcome(house, call)) == (["page-other"], "not-needed")

    async def test_or_takes_while_they_listen(self, house: House) -> None:
        call = await emergency(house)
        found = (await of(house, call))[1]
        take = Emergencies.take

        async def else_first(held: Emergencies, unit: Any, number: int, *, by: str) -> Emergency:
            await take(held, unit, number, by="else")
            return await take(held, unit, number, by=by)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Emergencies, "take", else_first)
            caller = await rung(house, call, house.caller(None).presses("page-keys", "1"))
        assert (caller.prompts[-1], await outcome(house, call)) == ("page-other", "not-needed")
        assert (await of(house, call))[1].taken_by == "else"
        assert found.taken_by is None


class TestCustomer:
    async def taken(self, house: House, key: str | None = "1", **fields: Any) -> Caller:
        caller = house.caller(None).presses("page-keys", "1").presses("page-taken-connect", key)
        return await rung(house, await emergency(house, **fields), caller)

    def way(self, caller: Caller) -> tuple[str | None, str | None]:
        return caller.variables.get("OV_WAY"), caller.variables.get("OV_WHOM")

    async def test_ov7_1_once_more_dials_them(self, house: House) -> None:
        caller = await self.taken(house, number="15145550188")
        assert caller.prompts[-1] == "page-connecting"
        assert self.way(caller) == ("outside", "15145550188")
        assert caller.next == "done"

    async def test_ov7_a_number_that_is_a_phone_of_ours_is_rung_there(self, house: House) -> None:
        assert self.way(await self.taken(house, number=MARC)) == ("phone", "6003")

    async def test_ov7_the_phone_that_they_called_from(self, house: House) -> None:
        assert self.way(await self.taken(house, number="15145550188", endpoint="6001")) == ("phone", "6001")

    async def test_a_phone_that_is_gone_leaves_the_number(self, house: House) -> None:
        assert self.way(await self.taken(house, number="15145550188", endpoint="6999"))[0] == "outside"

    @pytest.mark.parametrize("key", [None, "2"])
    async def test_who_does_not_want_to_is_not_connected(self, house: House, key: str | None) -> None:
        caller = await self.taken(house, key)
        assert (caller.prompts[-1], self.way(caller)) == ("page-taken-connect", (None, None))

    @pytest.mark.parametrize(
        "number", ["19005551234", "18095551234", "18765551234", "442071234567", "18446664844", "14115551212", None]
    )
    async def test_an_expensive_number_is_never_dialled(self, house: House, number: str | None) -> None:
        caller = await self.taken(house, number=number)
        assert (caller.prompts[-1], self.way(caller)) == ("page-taken", (None, None))

    async def test_without_a_way_out_nobody_is(self, house: House) -> None:
        house.has_no_way_out()
        caller = await self.taken(house, number="15145550188")
        assert (caller.prompts[-1], self.way(caller)) == ("page-taken", (None, None))

    async def test_that_they_were_called_back_is_noted(self, house: House) -> None:
        caller = house.caller(None).presses("page-keys", "1").presses("page-taken-connect", "1")
        call = await emergency(house)
        await rung(house, call, caller)
        await rung(house, call, what="connected")
        found = (await of(house, call))[1]
        assert (found.called_back_at is not None, found.called_back_by) == (True, found.taken_by)


class TestWhateverFails:
    async def test_no_such_page_call(self, house: House) -> None:
        caller = await rung(house, 999)
        assert (caller.prompts, caller.next) == ([], None)

    async def test_a_desk_that_is_gone_leaves_it_to_the_dialplan(self, house: House) -> None:
        call = await emergency(house)
        house.lacks("omnivigil")
        assert (await rung(house, call)).next is None

    async def test_without_the_database_the_dialplan_tells_that_there_is_one(self, house: House) -> None:
        call = await emergency(house)
        house.store.away = "all"
        caller = await rung(house, call)
        assert (caller.prompts, caller.next) == ([], None)

    async def test_a_listening_that_cannot_be_noted_is_heard_all_the_same(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        call = await emergency(house)
        answered = house.context.line.page_calls.answered

        async def then_away(number: int) -> None:
            await answered(number)
            house.store.away = "write"

        monkeypatch.setattr(house.context.line.page_calls, "answered", then_away)
        caller = house.caller(None)
        caller.meanwhile = lambda prompt: setattr(house.store, "away", "")
        await rung(house, call, caller)
        assert "message-1" in caller.prompts
        assert await house.rows(select(listenings)) == []

    async def test_ov7_taken_while_the_database_is_away_it_is_theirs_and_noted_later(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(conversation, "_PATIENCE_S", 0.05)
        call = await emergency(house)
        caller = house.caller(None).presses("page-keys", "1")

        def world(prompt: str) -> None:
            # It is back while they hear that it is not noted yet.
            house.store.away = "write" if prompt == "page-keys" else ""

        caller.meanwhile = world
        await rung(house, call, caller)
        assert caller.prompts[-1] == "page-not-noted"
        assert (await outcome(house, call), (await of(house, call))[1].taken_at is not None) == ("taken", True)

    async def test_ov7_whenever_they_hang_up_it_is_theirs_or_the_next_ones(self, houses: Houses) -> None:
        calls: dict[str, int] = {}

        async def prepare(house: House) -> Caller:
            caller = house.caller(None)
            calls[caller.uniqueid + str(house.folder)] = await emergency(house, number="15145550188")
            return caller

        async def play(house: House, caller: Caller) -> None:
            caller.presses("page-keys", "1").presses("page-taken-connect", "1")
            await rung(house, calls[caller.uniqueid + str(house.folder)], caller)

        async for house, caller in houses.hang_ups(play, prepare):
            call = calls[caller.uniqueid + str(house.folder)]
            taken = (await of(house, call))[1].taken_at is not None
            assert await outcome(house, call) == ("taken" if taken else "no-key"), caller.commands
            assert caller.next is None

    async def test_who_hangs_up_on_the_customer_ends_nothing(self, house: House) -> None:
        call = await emergency(house)
        await rung(house, call, what="connected")
        # Nobody has taken it: nothing is noted, and the next page comes.
        assert (await of(house, call))[1].called_back_at is None

    async def test_what_was_taken_is_on_its_ticket(self, house: House) -> None:
        call = await emergency(house)
        await rung(house, call, house.caller(None).presses("page-keys", "1"))
        [ticket] = await house.tickets()
        async with house.store.reading() as unit:
            kinds = [one["kind"] for one in await ticket_store.events(unit, ticket.number)]
        assert {"emergency-taken", "page-call"} <= set(kinds)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (None, ""),
        ("Boulangerie Saint-Roch", "Boulangerie Saint-Roch"),
        ("L’Étoile & Fils, inc.", "L’Étoile & Fils, inc."),
        ('<speak> [[inpt PHON]] "x" ${EXTEN}', "speak inpt PHON x EXTEN"),
        ("a_b\n\tc", "a b c"),
        ("x" * 200, "x" * 60),
    ],
)
def test_nothing_in_a_name_is_a_command_to_a_voice(name: str | None, said: str) -> None:
    assert spoken_name(name) == said
