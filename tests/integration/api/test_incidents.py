"""Incidents over the API: life, whom they affect, and that everybody who waits hears the last word (OV-10, OV-26)."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from ivr.incidents.model import RESOLVED_ON_AIR
from ivr.incidents.service import Incidents
from ivr.notify.tables import outbox
from ivr.tickets.about_incident import hang
from tests.integration.api.asserting import refused
from tests.integration.api.conftest import NOW, Line
from tests.integration.api.test_events import data, listening, next_one

URL = "/v1/incidents"
ON_AIR = "/v1/desks/omnivigil/announcement"
FIRST = {"fr": "Nous vérifions une difficulté.", "en": "We are looking into a problem."}
NEXT = {"fr": "Une panne touche la téléphonie.", "en": "Telephony is down."}
OVER = {"fr": "La panne est résolue.", "en": "The outage is over."}


@pytest.fixture(autouse=True)
async def loaded(line: Line) -> None:
    await line.services.announcer.load()


async def opened(client: httpx.AsyncClient, **body: Any) -> Any:
    answer = await client.post(URL, json={"desk": "omnivigil", "texts": FIRST} | body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def updated(client: httpx.AsyncClient, number: int, stage: str, texts: dict[str, str]) -> Any:
    answer = await client.post(f"{URL}/{number}/updates", json={"stage": stage, "texts": texts})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def on_air(client: httpx.AsyncClient) -> Any:
    found = (await client.get(ON_AIR)).json()["in_force"]
    return found and found["texts"]


class TestLife:
    async def test_from_doubt_to_the_end_everybody_hears_the_last_word(
        self, client: httpx.AsyncClient, line: Line
    ) -> None:
        one = await opened(client, services=["telephonie"], impact="critical")
        assert (one["stage"], one["version"], one["resolved_at"]) == ("investigating", 1, None)
        assert one["updates"][0]["stage_name"] == {"fr": "Investigation", "en": "Investigating"}
        assert await on_air(client) == FIRST
        await updated(client, one["id"], "confirmed", NEXT)
        assert await on_air(client) == NEXT
        line.now = NOW + timedelta(hours=1)
        over = await updated(client, one["id"], "resolved", OVER)
        assert over["resolved_at"] is not None
        assert await on_air(client) == OVER
        nothing_came = {"followers": 0, "tickets": 0, "open_tickets": 0}
        assert (await client.get(f"{URL}/{one['id']}")).json() == over | nothing_came

    async def test_it_may_return(self, client: httpx.AsyncClient) -> None:
        one = await opened(client)
        await updated(client, one["id"], "resolved", OVER)
        again = await updated(client, one["id"], "confirmed", NEXT)
        assert again["resolved_at"] is None
        assert await on_air(client) == NEXT

    async def test_all_is_well_again_half_an_hour_after(self, client: httpx.AsyncClient, line: Line) -> None:
        one = await opened(client)
        await updated(client, one["id"], "resolved", OVER)
        incidents = line.services.incidents
        line.now = NOW + RESOLVED_ON_AIR - timedelta(seconds=1)
        await incidents._tell(line.services.desks["omnivigil"])
        assert await on_air(client) == OVER
        line.now = NOW + RESOLVED_ON_AIR
        await incidents._tell(line.services.desks["omnivigil"])
        assert await on_air(client) is None

    async def test_two_at_once_are_both_told(self, client: httpx.AsyncClient, line: Line) -> None:
        await opened(client)
        line.now = NOW + timedelta(minutes=1)
        await opened(client, texts=NEXT)
        assert await on_air(client) == {language: f"{NEXT[language]} {FIRST[language]}" for language in NEXT}

    async def test_what_staff_end_meanwhile_stays_ended_until_the_next_update(
        self, client: httpx.AsyncClient, line: Line
    ) -> None:
        one = await opened(client)
        line.now = NOW + timedelta(minutes=1)
        assert (await client.delete(ON_AIR)).status_code in (200, 204)
        for _ in range(2):
            await line.services.incidents._tell(line.services.desks["omnivigil"])
            assert await on_air(client) is None
            # The next service knows as much.
            await line.services.announcer.load()
        line.now = NOW + timedelta(minutes=2)
        await updated(client, one["id"], "confirmed", NEXT)
        assert await on_air(client) == NEXT

    async def test_what_staff_announce_meanwhile_stays_until_the_next_update(
        self, client: httpx.AsyncClient, line: Line
    ) -> None:
        one = await opened(client)
        line.now = NOW + timedelta(minutes=1)
        await client.put(ON_AIR, json={"texts": OVER})
        await line.services.incidents._tell(line.services.desks["omnivigil"])
        assert await on_air(client) == OVER
        line.now = NOW + timedelta(minutes=2)
        await updated(client, one["id"], "confirmed", NEXT)
        assert await on_air(client) == NEXT

    async def test_a_new_service_takes_it_up(self, client: httpx.AsyncClient, line: Line) -> None:
        """Killed between the commit and the voice: told by whoever comes after."""
        await opened(client)
        has = line.services
        await has.announcer.end(has.desks["omnivigil"], "incident that was never told")
        again = Incidents(
            store=has.store, desks=has.desks, announcer=has.announcer, bus=has.bus, clock=has.clock, hang=hang
        )
        await again._load()
        await again._tell(has.desks["omnivigil"])
        assert await on_air(client) == FIRST

    async def test_changes_are_told_as_events(self, client: httpx.AsyncClient, line: Line) -> None:
        async with listening(client) as events:
            one = await opened(client)
            heard = await next_one(events)
            event = data(heard)
            assert heard.event == "incident.opened"
            assert (event["id"], event["stage"]) == (one["id"], "investigating")


class TestStatuspage:
    async def test_each_update_of_the_main_desk_is_in_the_outbox_once(
        self, client: httpx.AsyncClient, line: Line
    ) -> None:
        line.services.incidents._statuspage = "abc123def456"
        one = await opened(client, title={"fr": "Panne", "en": "Outage"})
        await updated(client, one["id"], "resolved", OVER)
        await opened(client, desk="hotline-2024", texts={"fr": "Une panne."})
        async with line.services.store.reading() as unit:
            rows = (await unit.execute(select(outbox).order_by(outbox.c.id))).mappings().all()
        pushed = [json.loads(row["body"]) for row in rows if row["kind"] == "statuspage"]
        assert [(body["name"], body["status"], body["body"]) for body in pushed] == [
            ("Outage", "investigating", FIRST["en"]),
            ("Outage", "resolved", OVER["en"]),
        ]


class TestLists:
    async def test_open_and_resolved_in_pages(self, client: httpx.AsyncClient, line: Line) -> None:
        made = []
        for n in range(3):
            line.now = NOW + timedelta(minutes=n)
            made.append((await opened(client, texts={k: f"{v} {n}" for k, v in FIRST.items()}))["id"])
        await updated(client, made[0], "resolved", OVER)
        assert [one["id"] for one in (await client.get(URL, params={"state": "open"})).json()["items"]] == made[:0:-1]
        assert [one["id"] for one in (await client.get(URL, params={"state": "resolved"})).json()["items"]] == made[:1]
        page = (await client.get(URL, params={"limit": 2, "desk": "omnivigil"})).json()
        assert [one["id"] for one in page["items"]] == [made[2], made[1]]
        rest = (await client.get(URL, params={"limit": 2, "cursor": page["next"]})).json()
        assert ([one["id"] for one in rest["items"]], rest["next"]) == ([made[0]], None)

    async def test_a_draft_for_whoever_is_in_a_hurry(self, client: httpx.AsyncClient) -> None:
        asked = {"desk": "omnivigil", "stage": "confirmed", "service": ["telephonie", "textos"]}
        texts = (await client.get(f"{URL}/draft", params=asked)).json()["texts"]
        assert "la téléphonie et les textos" in texts["fr"]
        assert "telephone service and text messaging" in texts["en"]


class TestWhom:
    async def test_by_selection_and_by_csv(self, client: httpx.AsyncClient, line: Line) -> None:
        book = line.services.directory.book
        partner, customer = next(iter(book.partners.values())), next(iter(book.customers.values()))
        named = {"partners": [partner.name], "accounts": [customer.account], "numbers": ["418 555-0101"]}
        one = await opened(client, affected=named)
        assert one["affected"] == named | {"numbers": ["14185550101"]}
        path = f"{URL}/{one['id']}/affected"
        changed = (await client.put(path, json={"numbers": ["4185550102"], "version": 1})).json()
        assert changed["affected"] == {"partners": [], "accounts": [], "numbers": ["14185550102"]}
        csv = f"account;number\n{customer.account};\n;4185550103\n".encode()
        by_csv = await client.put(f"{path}.csv", content=csv, headers={"Content-Type": "text/csv"})
        assert by_csv.json()["affected"] == {"partners": [], "accounts": [customer.account], "numbers": ["14185550103"]}
        assert by_csv.json()["version"] == 3
        refused(await client.put(path, json={"version": 1}), 409, field="version")


class TestRefused:
    async def test_a_missing_language_with_a_draft(self, client: httpx.AsyncClient) -> None:
        answer = await client.post(URL, json={"desk": "omnivigil", "texts": {"fr": FIRST["fr"]}})
        assert answer.status_code == 422
        assert answer.json()["field"] == "texts.en"
        assert "We are looking into a problem" in answer.json()["mend"]
        assert await on_air(client) is None

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"stage": "resolved"}, "stage"),
            ({"started_at": (NOW + timedelta(hours=1)).isoformat()}, "started_at"),
            ({"services": ["telephonie", "gaz"]}, "services.1"),
            ({"affected": {"accounts": ["nobody"]}}, "affected.accounts.0"),
            ({"texts": {"fr": "<b>Panne</b>", "en": "Down."}}, "texts.fr"),
            ({"texts": {"fr": "a" * 601, "en": "Down."}}, "texts.fr"),
        ],
    )
    async def test_what_is_wrong_is_named(self, client: httpx.AsyncClient, body: dict[str, Any], field: str) -> None:
        answer = await client.post(URL, json={"desk": "omnivigil", "texts": FIRST} | body)
        assert (answer.status_code, answer.json()["field"]) == (422, field)
        assert (await client.get(URL)).json()["items"] == []

    async def test_an_update_of_nothing_or_of_an_older_version(self, client: httpx.AsyncClient) -> None:
        assert (await client.post(f"{URL}/99/updates", json={"stage": "confirmed", "texts": NEXT})).status_code == 404
        one = await opened(client)
        late = {"stage": "confirmed", "texts": NEXT, "version": 1}
        assert (await client.post(f"{URL}/{one['id']}/updates", json=late)).status_code == 201
        again = await client.post(f"{URL}/{one['id']}/updates", json=late | {"texts": OVER})
        assert (again.status_code, again.json()["field"]) == (409, "version")

    async def test_a_csv_is_said_to_be_one(self, client: httpx.AsyncClient) -> None:
        one = await opened(client)
        path = f"{URL}/{one['id']}/affected.csv"
        assert (await client.put(path, content=b"number\n")).status_code == 415
        empty = await client.put(path, content="numéro".encode("latin-1"), headers={"Content-Type": "text/csv"})
        assert (empty.status_code, empty.json()["field"]) == (422, "body")
        wrong = await client.put(path, content=b"number\n12\n", headers={"Content-Type": "text/csv"})
        assert (wrong.status_code, wrong.json()["field"]) == (422, "line 2, number")
        several = await client.put(path, content=b"number\n12\n13\n", headers={"Content-Type": "text/csv"})
        assert [one["field"] for one in several.json()["errors"]] == ["line 2, number", "line 3, number"]
