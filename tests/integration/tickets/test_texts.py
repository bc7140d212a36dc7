"""Answers to pages by text message, on a real database: taken once, told to the others, and nobody else's."""

from __future__ import annotations

import itertools

import pytest
from sqlalchemy import select

from ivr.notify import store as notices
from ivr.notify.tables import outbox
from ivr.oncall import paging
from ivr.oncall import store as statements
from ivr.oncall.store import Emergency
from ivr.sms_inbox.ingest import Inbound, take_in
from ivr.sms_inbox.store import page
from tests.integration.tickets.conftest import Desk, local
from tests.integration.tickets.test_paging import ANNIE, LUC, Night

AT = "2026-11-25T22:01"
OWN = "+15815550100"
_keys = itertools.count()


@pytest.fixture
def night(desk: Desk) -> Night:
    return Night(desk)


async def text(night: Night, sender: str, body: str, *, at: str = AT, key: str | None = None, media: int = 0) -> str:
    """A text message comes in; what it is answered."""
    given = Inbound(key=key or f"SM{next(_keys)}", sender=sender, body=body, media=media)
    async with night.desk.store.unit() as unit:
        return await take_in(unit, given, at=local(at), desks=night.desk.desks, bus=night.desk.bus, own=OWN)


async def outcomes(night: Night) -> list[str]:
    async with night.desk.store.reading() as unit:
        return [row["outcome"] for row in reversed(await page(unit, sender=None, before=None, limit=100))]


async def paged(night: Night) -> int:
    """An emergency for which Annie was paged; its ticket."""
    ticket = await night.message("2026-11-25T22:00")
    assert await night.look("2026-11-25T22:00:02") == 1
    return ticket


async def only(night: Night) -> Emergency:
    [emergency] = await night.all()
    return emergency


async def test_an_answer_takes_it_once(night: Night) -> None:
    ticket = await paged(night)
    reply = await text(night, f"+{ANNIE}", "Pris 👍", key="SM-1")
    assert reply == f"C’est à vous : billet {ticket}."
    taken = await only(night)
    assert (taken.taken_by, taken.taken_at) == ("annie", local(AT))
    # Told twice by Twilio, and written twice by her.
    assert await text(night, f"+{ANNIE}", "Pris 👍", key="SM-1", at="2026-11-25T22:03") == reply
    assert await text(night, f"+{ANNIE}", "oui", at="2026-11-25T22:04") == reply
    assert await outcomes(night) == ["taken", "taken"]
    assert (await only(night)).taken_at == local(AT)
    assert await night.look("2026-11-25T22:05") == 0, "nobody else is paged"
    assert (await night.desk.ticket(ticket)).status == "in-progress"


async def test_the_others_are_told_who_has_it(night: Night) -> None:
    ticket = await paged(night)
    assert await night.look("2026-11-25T22:05") == 1
    async with night.desk.store.unit() as unit:
        await unit.execute(outbox.update().where(outbox.c.recipient == ANNIE).values(state="sent"))
    assert await text(night, f"+{LUC}", "J’arrive", at="2026-11-25T22:06") == f"C’est à vous : billet {ticket}."
    late = await text(night, f"+{ANNIE}", "ok", at="2026-11-25T22:07")
    assert late == f"Déjà prise par Luc Bouchard : billet {ticket}."
    assert await outcomes(night) == ["taken", "taken-before"]
    assert (await only(night)).taken_by == "luc"
    async with night.desk.store.reading() as unit:
        states = (await unit.execute(select(outbox.c.state).where(outbox.c.recipient == LUC))).scalars()
        assert list(states) == ["withdrawn"], "what had not left does not, as after a key"


async def test_the_one_that_waits_is_taken_and_not_the_one_that_is_taken(night: Night) -> None:
    await night.message("2026-11-25T22:00", key="m1", number="14185550103")
    await night.look("2026-11-25T22:00:02")
    await text(night, f"+{ANNIE}", "pris")
    second = await night.message("2026-11-25T22:10", key="m2", number="14185550104")
    await night.look("2026-11-25T22:10:02")
    assert await text(night, f"+{ANNIE}", "1", at="2026-11-25T22:11") == f"C’est à vous : billet {second}."
    assert [one.taken_by for one in await night.all()] == ["annie", "annie"]


async def test_whoever_was_not_paged_takes_nothing(night: Night) -> None:
    await paged(night)
    for sender in (f"+{LUC}", "+14185550199", ANNIE, "332211", "BANQUE", OWN, "", "+" + "9" * 40):
        await text(night, sender, "pris")
    assert (await only(night)).taken_at is None
    # Long after, it is nobody’s any more.
    await text(night, f"+{ANNIE}", "pris", at="2026-12-05T22:00")
    assert (await only(night)).taken_at is None


async def test_who_was_paged_and_does_not_say_so_is_told_how(night: Night) -> None:
    ticket = await paged(night)
    for body in ("👍", "je ne peux pas", ""):
        assert await text(night, f"+{ANNIE}", body) == f"Pour prendre l’urgence du billet {ticket}, répondez PRIS."
    for _ in range(20):
        await text(night, f"+{ANNIE}", "quoi")
    assert await text(night, f"+{ANNIE}", "quoi") == "", "there is an end to what is paid for"
    assert (await only(night)).taken_at is None
    await text(night, f"+{ANNIE}", "pris")
    assert (await only(night)).taken_by == "annie", "and none to what is understood"


async def test_anybody_else_learns_once_a_day_where_to_call(night: Night) -> None:
    stranger = "+14185550199"
    where = "Personne ne lit les textos à ce numéro. Appelez-nous au 844 666-4844."
    assert await text(night, stranger, "Bonjour, mon téléphone est mort " + "é" * 1600, media=3) == where
    assert await text(night, stranger, "Allô ?", at="2026-11-26T21:59") == ""
    assert await text(night, stranger, "", at="2026-11-26T22:02") == where
    assert await text(night, "332211", "Votre code est 123456") == "", "a machine"
    async with night.desk.store.reading() as unit:
        rows = await page(unit, sender=None, before=None, limit=10)
    assert [len(row["body"]) for row in rows] == [21, 0, 6, 1600]
    assert [row["media"] for row in rows] == [0, 0, 0, 3]


async def test_many_strangers_are_not_all_paid_for(night: Night) -> None:
    answered = [bool(await text(night, f"+1418556{one:04}", "x")) for one in range(105)]
    assert answered.count(True) == 100


async def test_stop_holds_and_start_brings_back(night: Night) -> None:
    stranger = "14185550199"

    async def out() -> bool:
        async with night.desk.store.reading() as unit:
            return await notices.opted_out(unit, stranger)

    assert await text(night, f"+{stranger}", "STOP") == "", "Twilio has answered"
    assert await out()
    assert await text(night, f"+{stranger}", "start") == ""
    assert not await out()
    for word in ("ARRET", "arrêt"):
        assert (await text(night, f"+{stranger}", word)).startswith("Vous ne recevrez plus de textos.")
        assert await out()
    assert await outcomes(night) == ["stopped", "started", "stopped", "stopped"]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("Twilio says 400, 21614: not a mobile number", "no-mobile"),
        ("Twilio says undelivered (30006)", "no-mobile"),
        ("Twilio says undelivered (30003)", "not-reached"),
        ("Twilio says undelivered (30007)", "failed"),
    ],
)
async def test_a_landline_is_told_and_rung_all_the_same(night: Night, error: str, kind: str) -> None:
    await paged(night)
    async with night.desk.store.unit() as unit:
        await unit.execute(outbox.update().where(outbox.c.recipient == ANNIE).values(state="dead", error=error))
    for at in ("22:05", "22:10"):
        assert await night.look(f"2026-11-25T{at}") == 1
    duty = night.desk.desks["omnivigil"].oncall
    assert duty is not None
    async with night.desk.store.reading() as unit:
        troubles = await paging.text_troubles(unit, duty, local("2026-11-25T22:11"))
        calls = await statements.page_calls(unit, (await only(night)).id)
    assert {person: one.kind for person, one in troubles.items()} == {"annie": kind}
    assert [call.person for call in calls] == ["annie", "luc", "annie"], "the call goes all the same"
    texted = [ANNIE, LUC] if kind == "no-mobile" else [ANNIE, LUC, ANNIE]
    assert await night.sent() == texted, "and no text that cannot arrive"


async def test_a_text_that_arrives_ends_the_trouble(night: Night) -> None:
    await paged(night)
    async with night.desk.store.unit() as unit:
        await unit.execute(outbox.update().values(state="dead", error="Twilio says undelivered (30003)"))
    await night.look("2026-11-25T22:10")
    async with night.desk.store.unit() as unit:
        await unit.execute(outbox.update().where(outbox.c.state == "pending").values(state="delivered"))
    duty = night.desk.desks["omnivigil"].oncall
    assert duty is not None
    async with night.desk.store.reading() as unit:
        assert await paging.text_troubles(unit, duty, local("2026-11-25T22:11")) == {}
