"""A text message at each stage of an incident (OV-27): whose number, who is asked first, and nothing lost meanwhile."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select

from ivr.incidents.tables import incident_followers
from ivr.notify.tables import opt_outs, outbox
from tests.conversations.conftest import Houses
from tests.conversations.house import MARC, STRANGER, House
from tests.fakes.caller import Caller, digits

OTHER = "5145550177"
MENU = ["welcome", "language-offer", "menu"]


def told(caller: Caller) -> list[str]:
    """What was said of the texts, without the digits, until the queue."""
    said = [one for one in caller.prompts if one.startswith("follow-")]
    assert caller.next is None or caller.next.startswith("queue,")
    return said


async def followers(house: House) -> list[Any]:
    return list(await house.rows(select(incident_followers).order_by(incident_followers.c.id)))


async def texts(house: House) -> list[Any]:
    return list(await house.rows(select(outbox).where(outbox.c.kind == "sms")))


async def wants(house: House, number: str | None = STRANGER, *, phone: str | None = None, **keys: str | None) -> Caller:
    """Somebody presses 1 at the offer; `keys` are pressed at follow-confirm and follow-enter."""
    caller = house.caller(number, phone=phone).presses("menu", "2").presses("incident-follow", "1")
    for prompt, key in keys.items():
        caller.presses(f"follow-{prompt}", key)
    return await house.dial(caller)


@pytest.mark.parametrize("key", ["1", None])
async def test_ov27_the_callers_own_number_follows_at_once(house: House, key: str | None) -> None:
    incident = await house.incident()
    caller = await wants(house, confirm=key)
    assert told(caller) == ["follow-number", "follow-confirm", "follow-accepted"]
    assert digits(caller.prompts) == STRANGER[1:]
    [row] = await followers(house)
    assert (row.incident_id, row.number, row.language, row.asked_by) == (incident, STRANGER, "fr", STRANGER)
    assert row.confirmed_at is not None
    [ticket] = await house.tickets()
    assert ticket.incident_id == incident
    # It is not offered again, on this call or a later one.
    assert not house.context.line.caller_notices.may_follow("omnivigil", house.call(caller).id)
    assert "incident-follow" not in (await house.dial(house.caller().presses("menu", "2"))).prompts


async def test_ov27_in_english(house: House) -> None:
    await house.incident()
    caller = house.caller().presses("menu", "9", "2").presses("incident-follow", "1")
    await house.dial(caller)
    assert {one.language for one in caller.heard if one.prompt.startswith("follow-")} == {"en"}
    assert [row.language for row in await followers(house)] == ["en"]


async def test_ov27_the_owner_of_another_number_is_asked_first(house: House) -> None:
    await house.incident()
    caller = house.caller().presses("menu", "2").presses("incident-follow", "1")
    await house.dial(caller.presses("follow-confirm", "2", "1").presses("follow-enter", f"{OTHER}#"))
    assert told(caller)[-1] == "follow-to-confirm"
    [row] = await followers(house)
    assert (row.number, row.confirmed_at) == (f"1{OTHER}", None)
    assert [(one.recipient, "token=" in one.body) for one in await texts(house)] == [(f"1{OTHER}", True)]


async def test_ov27_a_desk_phone_names_a_number_and_its_owner_is_asked(house: House) -> None:
    await house.incident()
    caller = await wants(house, MARC, phone="6003", enter=f"{MARC}#")
    # Not even the phone's own: it reads no texts.
    assert told(caller) == ["follow-enter", "follow-number", "follow-confirm", "follow-to-confirm"]
    assert [(row.asked_by, row.confirmed_at) for row in await followers(house)] == [("6003", None)]


@pytest.mark.parametrize(
    "keys",
    [
        {"confirm": "*"},
        {"confirm": "2", "enter": "#"},
        {"confirm": "2", "enter": None},
    ],
)
async def test_who_would_rather_not_goes_on_to_the_queue(house: House, keys: dict[str, str | None]) -> None:
    await house.incident()
    caller = await wants(house, **keys)
    assert told(caller)[-1] == "follow-none"
    assert await followers(house) == []


@pytest.mark.parametrize("number", ["9005551234", "911", "8095551234", "01133612345678", "8446664844", "33972596990"])
async def test_no_text_goes_to_an_expensive_number_or_one_of_ours(house: House, number: str) -> None:
    await house.incident()
    caller = house.caller().presses("menu", "2").presses("incident-follow", "1")
    await house.dial(caller.presses("follow-confirm", "2").presses("follow-enter", *[f"{number}#"] * 3))
    assert told(caller).count("follow-number-refused") == 3
    assert (told(caller)[-1], await followers(house), await texts(house)) == ("follow-none", [], [])
    assert house.facts(caller, "number-refused")


async def test_who_wants_no_texts_from_us_gets_none(house: House) -> None:
    await house.incident()
    async with house.store.unit() as unit:
        await unit.execute(insert(opt_outs).values(number=STRANGER, at=house.clock.now))
    assert told(await wants(house))[-1] == "follow-number-refused"


async def test_one_caller_names_few_numbers(house: House) -> None:
    await house.incident()
    said = []
    for last in range(4):
        caller = house.caller().presses("menu", "2").presses("incident-follow", "1")
        caller.presses("follow-confirm", "2", "1").presses("follow-enter", f"514555017{last}#")
        said.append(told(await house.dial(caller))[-1])
    assert said == ["follow-to-confirm"] * 3 + ["follow-limit"]


async def test_an_owner_is_asked_once_a_day(house: House) -> None:
    await house.incident()
    caller = house.caller().presses("menu", "2").presses("incident-follow", "1")
    await house.dial(caller.presses("follow-confirm", "2", "1").presses("follow-enter", f"{OTHER}#"))
    async with house.store.unit() as unit:
        await unit.execute(incident_followers.delete())
    again = house.caller("15145550199").presses("menu", "2").presses("incident-follow", "1")
    await house.dial(again.presses("follow-confirm", "2", "1").presses("follow-enter", f"{OTHER}#"))
    assert told(again)[-1] == "follow-not-now"
    assert len(await texts(house)) == 1


async def test_without_the_database_they_hear_so_and_go_on(house: House) -> None:
    await house.incident()
    house.store.away = "write"
    caller = await wants(house)
    assert told(caller)[-1] == "follow-not-now"
    assert caller.next is not None


async def test_resolved_while_they_spoke(house: House) -> None:
    incident = await house.incident()
    caller = house.caller().presses("menu", "2").presses("incident-follow", "1")

    def over(prompt: str) -> None:
        if prompt == "follow-confirm":
            known = house.context.line.incidents._known
            assert known is not None
            known.pop(incident)

    caller.meanwhile = over
    await house.dial(caller)
    assert (told(caller)[-1], await followers(house)) == ("follow-over", [])


class TestWhomItIsOffered:
    async def test_without_a_way_to_send_texts_nobody(self, house: House) -> None:
        await house.incident()
        house.sends_no_texts()
        assert "incident-follow" not in (await house.dial(house.caller().presses("menu", "2"))).prompts

    @pytest.mark.parametrize(("number", "phone"), [(None, None), (MARC, "6003")])
    async def test_where_owners_cannot_be_asked_only_who_shows_their_number(
        self, house: House, number: str | None, phone: str | None
    ) -> None:
        await house.incident()
        house.context.line.incidents.followers._public_url = None
        caller = await house.dial(house.caller(number, phone=phone).presses("menu", "2"))
        assert "incident-follow" not in caller.prompts

    async def test_nothing_is_offered_once_it_is_resolved(self, house: House) -> None:
        incident = await house.incident()
        house.clock.forward(60)
        texts = {"fr": "C’est rétabli.", "en": "It works again."}
        await house.context.line.incidents.update(incident, stage="resolved", texts=texts, version=None, who="test")
        house.clock.forward(timedelta(minutes=1).total_seconds())
        caller = await house.dial(house.caller().presses("menu", "2"))
        assert caller.prompts == [*MENU, "announcement", "queue-wait"]


@pytest.mark.parametrize("keys", [{}, {"follow-confirm": "2", "follow-enter": f"{OTHER}#"}, {"follow-confirm": "*"}])
async def test_whenever_they_hang_up_it_is_asked_for_whole_or_not_at_all(houses: Houses, keys: dict[str, str]) -> None:
    async def prepare(house: House) -> Caller:
        await house.incident()
        return house.caller()

    async def play(house: House, caller: Caller) -> None:
        caller.presses("menu", "2").presses("incident-follow", "1")
        for prompt, key in keys.items():
            caller.presses(prompt, key)
        await house.dial(caller)

    async for house, caller in houses.hang_ups(play, prepare):
        assert house.call(caller).result == "hung-up-in-menu"
        follows = "follows" in house.kinds(caller)
        assert len(await followers(house)) == int(follows)
        assert follows or not await texts(house)
