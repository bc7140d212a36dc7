"""Text messages at each stage of an incident (OV-27): who asked gets one, whatever happens in between."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import delete, func, insert, select, update

from ivr.directory.tables import partner_contacts
from ivr.errors import Unavailable
from ivr.incidents import mailing, sms_followers
from ivr.incidents.model import CLOSES_AFTER
from ivr.incidents.retention import erase_followers
from ivr.incidents.sms_followers import MOST_ASKED, MOST_WITHHELD, Followers
from ivr.incidents.tables import incident_followers
from ivr.notify import gsm
from ivr.notify.outbox import put_sms
from ivr.notify.tables import opt_outs, outbox
from ivr.store.engine import Store, Unit
from ivr.tickets.about_incident import hang
from tests.integration.api.conftest import NOW, Line
from tests.integration.api.test_incidents import FIRST, NEXT, OVER, opened, updated

NUMBER = "14185550123"
#: Where the link in a text leads, and what it carries.
PATH = re.compile(r"https://etat\.example(/status/\S+)\?token=([\w-]+)")


@pytest.fixture(autouse=True)
async def loaded(line: Line) -> None:
    await line.services.announcer.load()


@pytest.fixture
def followers(line: Line) -> Followers:
    return line.services.incidents.followers


async def follow(followers: Followers, incident: int, number: str = NUMBER, **more: Any) -> str:
    given: dict[str, Any] = {"own": True, "language": "fr", "call_id": "call-1", "asked_by": NUMBER} | more
    given |= {"desk": "omnivigil", "desk_name": "OMNIVIGIL"}
    return await followers.follow([incident], number=number, **given)


async def go_on(line: Line) -> int:
    return await mailing.go_on(line.services.store, line.services.desks, line.now)


async def texts(store: Store) -> list[tuple[str, str, str]]:
    async with store.reading() as unit:
        query = select(outbox.c.recipient, outbox.c.language, outbox.c.body).where(outbox.c.kind == "sms")
        return [tuple(row) for row in await unit.execute(query.order_by(outbox.c.id))]


class TestFollowing:
    async def test_pressing_twice_makes_one(self, client: httpx.AsyncClient, line: Line, followers: Followers) -> None:
        one = await opened(client)
        assert await follow(followers, one["id"]) == "followed"
        assert await follow(followers, one["id"]) == "already"
        assert followers.of_call("call-1") == one["id"]
        assert (await client.get(f"/v1/incidents/{one['id']}")).json()["followers"] == 1

    async def test_who_wants_no_texts_gets_none(
        self, client: httpx.AsyncClient, line: Line, followers: Followers
    ) -> None:
        one = await opened(client)
        async with line.services.store.unit() as unit:
            await unit.execute(insert(opt_outs).values(number=NUMBER, at=NOW))
        assert await follow(followers, one["id"]) == "refused"
        assert (await client.get(f"/v1/incidents/{one['id']}")).json()["followers"] == 0

    async def test_one_caller_cannot_have_the_whole_town_written_to(
        self, client: httpx.AsyncClient, followers: Followers
    ) -> None:
        one = await opened(client)
        for n in range(MOST_ASKED):
            assert await follow(followers, one["id"], f"1418555020{n}", call_id=f"call-{n}", own=False) == "asked"
        assert await follow(followers, one["id"], "14185550299", call_id="call-9", own=False) == "limit"
        # The number that they call from is theirs, and another caller has numbers of their own.
        assert await follow(followers, one["id"], call_id="call-9") == "followed"
        assert await follow(followers, one["id"], "14185550299", asked_by="15145550100", own=False) == "asked"

    async def test_many_at_once_are_each_one(self, client: httpx.AsyncClient, line: Line, followers: Followers) -> None:
        one = await opened(client)
        answers = await asyncio.gather(*(follow(followers, one["id"]) for _ in range(8)))
        assert Counter(answers) == {"followed": 1, "already": 7}

    async def test_the_next_service_knows_who_follows(
        self, client: httpx.AsyncClient, line: Line, followers: Followers
    ) -> None:
        one = await opened(client)
        await follow(followers, one["id"])
        fresh = Followers(line.services.store, lambda: NOW, hang=hang)
        assert not fresh.follows([one["id"]], NUMBER)
        await fresh.load([one["id"]])
        assert fresh.follows([one["id"]], NUMBER)
        assert not fresh.follows([one["id"]], "14185550999")

    async def test_the_tickets_of_their_calls_are_about_it(
        self, client: httpx.AsyncClient, followers: Followers
    ) -> None:
        one = await opened(client)
        ticket = (await client.post("/v1/tickets", json={"call_id": "call-1", "account_number": "1001"})).json()
        await follow(followers, one["id"])
        found = (await client.get(f"/v1/tickets/{ticket['number']}")).json()
        assert (found["incident_id"], found["version"]) == (one["id"], 2)
        assert found["history"][-1]["changes"] == {"incident_id": one["id"]}
        listed = (await client.get("/v1/tickets", params={"incident_id": one["id"]})).json()["items"]
        assert [each["number"] for each in listed] == [ticket["number"]]
        counted = (await client.get(f"/v1/incidents/{one['id']}")).json()
        assert (counted["tickets"], counted["open_tickets"]) == (1, 1)

    async def test_staff_may_hang_a_ticket_on_it_too(self, client: httpx.AsyncClient) -> None:
        one = await opened(client)
        ticket = (await client.post("/v1/tickets", json={"incident_id": one["id"]})).json()
        assert ticket["incident_id"] == one["id"]
        refused = await client.patch(f"/v1/tickets/{ticket['number']}", json={"incident_id": 4711})
        assert (refused.status_code, refused.json()["field"]) == (422, "incident_id")


class TestNumbersOfOthers:
    """Whoever calls can name any number: its owner is asked once, and nothing else leaves before they agree."""

    async def test_one_text_to_its_owner_and_none_before_they_opened_its_link(
        self, client: httpx.AsyncClient, line: Line, followers: Followers
    ) -> None:
        one = await opened(client)
        for n in range(5):
            assert await follow(followers, one["id"], own=False, asked_by=f"1514555020{n}") == "asked"
        [(to, _, body)] = await texts(line.services.store)
        assert (to, gsm.parts(body), "https://etat.example/status/omnivigil/fr/follow?token=" in body) == (
            NUMBER,
            1,
            True,
        )
        await updated(client, one["id"], "confirmed", NEXT)
        await go_on(line)
        assert len(await texts(line.services.store)) == 1
        assert (await client.get(f"/v1/incidents/{one['id']}")).json()["followers"] == 0
        assert not followers.follows([one["id"]], NUMBER)
        path, token = PATH.findall(body)[0]
        # Programs that look at links confirm nothing.
        assert f'value="{token}"' in (await client.get(path, params={"token": token})).text
        assert (await client.post(path, data={"token": "wrong"})).status_code == 422
        for _ in range(2):
            assert "C’est fait" in (await client.post(path, data={"token": token})).text
        assert followers.follows([one["id"]], NUMBER)
        await updated(client, one["id"], "resolved", OVER)
        await go_on(line)
        assert [OVER["fr"] in body for _, _, body in await texts(line.services.store)] == [False, True]

    async def test_withheld_numbers_have_a_few_in_common(
        self, client: httpx.AsyncClient, line: Line, followers: Followers
    ) -> None:
        """44 calls with withheld number, each of which names another: no town is written to."""
        one = await opened(client)
        answers = [
            await follow(followers, one["id"], f"141855502{n:02d}", call_id=f"c{n}", asked_by=None, own=False)
            for n in range(44)
        ]
        assert Counter(answers) == {"asked": MOST_WITHHELD, "limit": 44 - MOST_WITHHELD}
        assert len(await texts(line.services.store)) == MOST_WITHHELD
        await updated(client, one["id"], "resolved", OVER)
        await go_on(line)
        assert len(await texts(line.services.store)) == MOST_WITHHELD

    async def test_in_all_so_many_an_hour_whoever_calls(
        self, client: httpx.AsyncClient, line: Line, followers: Followers
    ) -> None:
        one, most = await opened(client), sms_followers.ASKED_AN_HOUR.most
        answers = [
            await follow(followers, one["id"], f"14185{n:06d}", asked_by=f"15145{n:06d}", call_id=f"c{n}", own=False)
            for n in range(200_000, 200_000 + most + 5)
        ]
        assert Counter(answers) == {"asked": most, "later": 5}
        assert len(await texts(line.services.store)) == most

    async def test_its_owner_who_calls_follows_at_once(
        self, client: httpx.AsyncClient, line: Line, followers: Followers
    ) -> None:
        one = await opened(client)
        assert await follow(followers, one["id"], own=False, asked_by="15145550100") == "asked"
        assert await follow(followers, one["id"]) == "followed"
        await updated(client, one["id"], "confirmed", NEXT)
        assert await go_on(line) == 1

    async def test_another_incident_is_confirmed_by_the_same_link(
        self, client: httpx.AsyncClient, line: Line, followers: Followers
    ) -> None:
        first, second = await opened(client), await opened(client, texts=NEXT)
        for one in (first, second):
            assert await follow(followers, one["id"], own=False, asked_by="15145550100") == "asked"
        [(_, _, body)] = await texts(line.services.store)
        path, token = PATH.findall(body)[0]
        await client.post(path, data={"token": token})
        assert followers.follows([first["id"], second["id"]], NUMBER)

    async def test_what_was_not_confirmed_is_forgotten_and_its_link_with_it(
        self, client: httpx.AsyncClient, line: Line, followers: Followers
    ) -> None:
        one = await opened(client)
        await follow(followers, one["id"], own=False, asked_by="15145550100")
        path, token = PATH.findall((await texts(line.services.store))[0][2])[0]
        line.now = NOW + sms_followers.CONFIRM_WITHIN
        assert (await client.post(path, data={"token": token})).status_code == 422
        async with line.services.store.unit() as unit:
            assert await sms_followers.erase(unit, line.now) == 1

    async def test_without_an_address_of_ours_only_their_own_number(
        self, client: httpx.AsyncClient, line: Line
    ) -> None:
        one = await opened(client)
        nowhere = Followers(line.services.store, lambda: NOW, hang=hang)
        assert not nowhere.asks_owners
        assert await follow(nowhere, one["id"], own=False, asked_by="15145550100") == "refused"
        assert await follow(nowhere, one["id"]) == "followed"
        assert await texts(line.services.store) == []


class TestMailing:
    async def test_one_text_at_each_stage_in_their_language(
        self, client: httpx.AsyncClient, line: Line, followers: Followers
    ) -> None:
        one = await opened(client)
        await follow(followers, one["id"])
        await follow(followers, one["id"], "15145550107", language="en", asked_by=None)
        assert await go_on(line) == 0
        await updated(client, one["id"], "confirmed", NEXT)
        assert await go_on(line) == 2
        assert await go_on(line) == 0
        assert await texts(line.services.store) == [
            (NUMBER, "fr", f"OMNIVIGIL : {NEXT['fr']} Répondez ARRET pour ne plus recevoir de textos."),
            ("15145550107", "en", f"OMNIVIGIL: {NEXT['en']} Reply STOP to opt out."),
        ]
        # The same stage in other words is not a stage.
        await updated(client, one["id"], "confirmed", FIRST)
        assert await go_on(line) == 0
        await updated(client, one["id"], "resolved", OVER)
        assert await go_on(line) == 2
        assert len(await texts(line.services.store)) == 4

    async def test_who_comes_after_an_update_is_not_told_of_it_again(
        self, client: httpx.AsyncClient, line: Line, followers: Followers
    ) -> None:
        one = await opened(client)
        await follow(followers, one["id"])
        await updated(client, one["id"], "confirmed", NEXT)
        await follow(followers, one["id"], "15145550107", asked_by=None)
        assert await go_on(line) == 1
        assert await go_on(line) == 0

    async def test_five_thousand_are_each_written_to_once_though_it_breaks_off(
        self, client: httpx.AsyncClient, line: Line, followers: Followers, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The provider takes what there is between two looks; every ninth look the service dies in the midst."""
        store = line.services.store
        one = await opened(client)
        numbers = [f"1418{n:07d}" for n in range(2_000_000, 2_005_000)]
        async with store.unit() as unit:
            row = {"incident_id": one["id"], "language": "fr", "at": NOW, "confirmed_at": NOW}
            rows = [row | {"number": each} for each in numbers]
            await unit.execute(insert(incident_followers), rows)
        await updated(client, one["id"], "confirmed", NEXT)
        monkeypatch.setattr(mailing, "AT_A_TIME", 500)
        put = 0

        async def dying(unit: Unit, *args: Any, **more: Any) -> None:
            nonlocal put
            put += 1
            if put % 1201 == 0:
                raise Unavailable(problem="killed")
            await put_sms(unit, *args, **more)

        monkeypatch.setattr(mailing, "put_sms", dying)
        broke = 0
        for _ in range(60):
            try:
                written = await go_on(line)
            except Unavailable:
                broke += 1
                continue
            if not written:
                break
            assert written <= 500
            async with store.unit() as unit:
                await unit.execute(update(outbox).where(outbox.c.state == "pending").values(state="sent"))
        assert broke >= 2
        assert Counter(to for to, _, _ in await texts(store)) == Counter(numbers)

    async def test_what_pages_a_technician_is_not_the_last_in_line(
        self, client: httpx.AsyncClient, line: Line, followers: Followers, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(mailing, "AT_A_TIME", 2)
        one = await opened(client)
        for n in range(5):
            await follow(followers, one["id"], f"1418555020{n}", asked_by=None)
        await updated(client, one["id"], "confirmed", NEXT)
        assert [await go_on(line), await go_on(line)] == [2, 0]
        async with line.services.store.unit() as unit:
            await unit.execute(update(outbox).values(state="sent"))
        assert await go_on(line) == 2

    async def test_old_news_is_not_sent(self, client: httpx.AsyncClient, line: Line, followers: Followers) -> None:
        one = await opened(client)
        await follow(followers, one["id"])
        await updated(client, one["id"], "confirmed", NEXT)
        line.now = NOW + timedelta(hours=7)
        assert await go_on(line) == 0
        assert await texts(line.services.store) == []

    async def test_numbers_are_kept_until_it_is_closed(
        self, client: httpx.AsyncClient, line: Line, followers: Followers
    ) -> None:
        one = await opened(client)
        await follow(followers, one["id"])
        await updated(client, one["id"], "resolved", OVER)
        store = line.services.store

        async def left(at: Any) -> int:
            async with store.unit() as unit:
                await erase_followers(unit, at)
                count: int = (await unit.execute(select(func.count()).select_from(incident_followers))).scalar_one()
                return count

        assert await left(NOW + CLOSES_AFTER) == 1
        assert await left(NOW + CLOSES_AFTER + timedelta(seconds=1)) == 0


class TestPartners:
    """OV-27: administrators and « Téléphonie - Niveau 3 » of the partners that it affects, when operations want it."""

    @pytest.fixture(autouse=True)
    async def people(self, line: Line) -> None:
        people = (
            ("Réseaux Boréal", "administrateur", "14185550161", "fr"),
            ("Réseaux Boréal", "telephonie-niveau-3", "14185550162", "en"),
            ("Réseaux Boréal", "facturation", "14185550163", "fr"),
            # What they speak is not known: the desk's first language.
            ("Télécom Estrie", "administrateur", "18195550164", None),
            ("Télécom Estrie", "administrateur", None, "fr"),
        )
        book = line.services.directory.book
        ids = {one.name: one.id for one in book.partners.values()}
        names = ("partner_id", "name", "role", "mobile", "language")
        async with line.services.store.unit() as unit:
            await unit.execute(delete(partner_contacts))
            for partner, role, mobile, language in people:
                row = dict(zip(names, (ids[partner], "X", role, mobile, language), strict=True))
                await unit.execute(insert(partner_contacts).values(row))

    @pytest.mark.parametrize(
        ("affected", "told"),
        [
            ({}, {"14185550161", "14185550162", "18195550164"}),
            ({"partners": ["Réseaux Boréal"]}, {"14185550161", "14185550162"}),
            ({"accounts": ["C-1002"]}, {"18195550164"}),
            ({"numbers": ["418 555-0101"]}, {"14185550161", "14185550162"}),
            ({"accounts": ["C-1003"]}, set()),
        ],
    )
    async def test_those_it_affects_get_it_once(
        self, client: httpx.AsyncClient, line: Line, affected: dict[str, list[str]], told: set[str]
    ) -> None:
        await opened(client, affected=affected, sms_partners=True)
        for _ in range(3):
            await go_on(line)
        sent = await texts(line.services.store)
        assert Counter(number for number, *_ in sent) == Counter(told)
        for number, language, body in sent:
            assert language == ("en" if number == "14185550162" else "fr")
            assert FIRST[language] in body

    async def test_nobody_is_told_unless_it_is_wanted(self, client: httpx.AsyncClient, line: Line) -> None:
        one = await opened(client)
        await go_on(line)
        assert await texts(line.services.store) == []
        body = {"stage": "confirmed", "texts": NEXT, "sms_partners": True}
        assert (await client.post(f"/v1/incidents/{one['id']}/updates", json=body)).status_code == 201
        await go_on(line)
        assert len(await texts(line.services.store)) == 3
