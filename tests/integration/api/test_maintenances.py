"""Maintenance over the API: announced, begun and ended by the clock, told on the page, in the queue by mail (OV-29)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import httpx
import icalendar
import pytest
from sqlalchemy import insert, select, update

from ivr.maintenance import mailing
from ivr.maintenance.service import Maintenances
from ivr.notify.tables import outbox
from ivr.subscriptions.tables import status_subscribers
from tests.integration.api.asserting import refused
from tests.integration.api.conftest import NOW, Line
from tests.integration.api.test_events import data, listening, next_one
from tests.integration.api.test_incidents import FIRST, on_air, opened

URL, JSON = "/v1/maintenances", "/status/omnivigil/api/v2"
TEXTS = {"fr": "La messagerie sera mise à jour.", "en": "Voicemail will be upgraded."}
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
async def loaded(line: Line) -> None:
    await line.services.announcer.load()
    await line.services.incidents._load()
    await line.services.maintenances.once()


def window(starts: datetime | None, ends: datetime) -> dict[str, str | None]:
    return {"starts_at": starts.isoformat() if starts else None, "ends_at": ends.isoformat()}


async def planned(client: httpx.AsyncClient, **body: Any) -> Any:
    given = {"desk": "omnivigil", "texts": TEXTS, "services": ["messagerie"]} | window(NOW + HOUR, NOW + 3 * HOUR)
    answer = await client.post(URL, json=given | body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def later(line: Line, by: timedelta) -> None:
    """Time passes, and the line looks at its clock."""
    line.now = NOW + by
    await line.services.maintenances.once()
    await line.services.incidents._tell(line.services.desks["omnivigil"])


class TestLife:
    async def test_begins_and_ends_by_itself_and_who_waits_hears_it(
        self, client: httpx.AsyncClient, line: Line
    ) -> None:
        async with listening(client) as events:
            one = await planned(client)
            assert (one["state"], one["version"], one["kind"]) == ("scheduled", 1, "planned")
            kinds = [(await next_one(events)).event]
            assert await on_air(client) is None
            await later(line, HOUR)
            kinds.append((heard := await next_one(events)).event)
            assert data(heard)["state"] == "in_progress"
            assert (await client.get(f"{URL}/{one['id']}")).json()["state"] == "in_progress"
            assert await on_air(client) == TEXTS
            await later(line, 3 * HOUR)
            while kinds[-1] != "maintenance.completed":
                kinds.append((await next_one(events)).event)
            assert [kind for kind in kinds if str(kind).startswith("maintenance")] == [
                "maintenance.announced",
                "maintenance.in-progress",
                "maintenance.completed",
            ]
            assert await on_air(client) is None

    async def test_incidents_are_told_first(self, client: httpx.AsyncClient, line: Line) -> None:
        await planned(client, kind="emergency", **window(None, NOW + HOUR))
        await opened(client)
        await later(line, timedelta(minutes=1))
        assert await on_air(client) == {name: f"{FIRST[name]} {TEXTS[name]}" for name in TEXTS}

    async def test_what_began_while_nobody_looked_is_told_once(self, client: httpx.AsyncClient, line: Line) -> None:
        """The service was away over the beginning; two that come back tell it once."""
        await planned(client)
        await reader(line)
        has = line.services
        line.now = NOW + 2 * HOUR
        for _ in range(2):
            fresh = Maintenances(store=has.store, desks=has.desks, bus=has.bus, clock=has.clock)
            await fresh.once()
        assert [one["subject"] for one in await mails(line)] == ["[OMNIVIGIL] Entretien en cours : " + TEXTS["fr"]]

    async def test_longer_shorter_and_given_up(self, client: httpx.AsyncClient, line: Line) -> None:
        one = await planned(client)
        await later(line, 2 * HOUR)
        longer = await client.patch(f"{URL}/{one['id']}", json=window(None, NOW + 5 * HOUR) | {"version": 1})
        assert (longer.status_code, longer.json()["version"]) == (200, 2)
        await later(line, 4 * HOUR)
        assert (await client.get(f"{URL}/{one['id']}")).json()["state"] == "in_progress"
        done = await client.post(f"{URL}/{one['id']}/complete", json={})
        assert (done.json()["state"], done.json()["ended_at"]) == ("completed", "2026-11-18T19:00:00Z")
        again = await client.patch(f"{URL}/{one['id']}", json={"impact": "major"})
        refused(again, 422, field="maintenance_id")
        other = await planned(client, **window(NOW + 6 * HOUR, NOW + 7 * HOUR))
        gone = await client.post(f"{URL}/{other['id']}/complete", json={})
        assert gone.json()["state"] == "cancelled"

    async def test_two_at_once(self, client: httpx.AsyncClient) -> None:
        one = await planned(client)
        first = await client.patch(f"{URL}/{one['id']}", json={"impact": "major", "version": 1})
        second = await client.patch(f"{URL}/{one['id']}", json={"impact": "critical", "version": 1})
        assert (first.status_code, second.status_code) == (200, 409)
        assert "last_change_by: console" in second.json()["detail"]

    async def test_lists_and_drafts(self, client: httpx.AsyncClient) -> None:
        made = [(await planned(client, **window(NOW + n * HOUR, NOW + 9 * HOUR)))["id"] for n in range(1, 4)]
        first = (await client.get(URL, params={"limit": 2})).json()
        rest = (await client.get(URL, params={"limit": 2, "cursor": first["next"]})).json()
        assert [one["id"] for one in (*first["items"], *rest["items"])] == made[::-1]
        asked = {"desk": "omnivigil", "kind": "emergency", "service": "messagerie"}
        texts = (await client.get(f"{URL}/draft", params=asked)).json()["texts"]
        assert texts["fr"].startswith("Un entretien d’urgence touche la messagerie")

    async def test_bad_input(self, client: httpx.AsyncClient) -> None:
        base = {"desk": "omnivigil", "texts": TEXTS} | window(NOW + HOUR, NOW + 3 * HOUR)
        for change, field in (
            (window(NOW + HOUR, NOW), "ends_at"),
            ({"texts": {"fr": "Un entretien."}}, "texts.en"),
            ({"texts": TEXTS | {"fr": "<script>"}}, "texts.fr"),
            ({"services": ["nothing"]}, "services.0"),
            ({"starts_at": "2026-12-05T01:00:00"}, "starts_at"),
            ({"kind": "other"}, "kind"),
        ):
            refused(await client.post(URL, json=base | change), 422, field=field)
        assert (await client.get(f"{URL}/4711")).status_code == 404


class TestPublic:
    async def test_on_the_page_in_json_and_in_calendars(
        self, client: httpx.AsyncClient, stranger: httpx.AsyncClient, line: Line
    ) -> None:
        one = await planned(client, title={"fr": "Mise à jour", "en": "Upgrade"})
        page = (await stranger.get("/status/omnivigil/fr")).text
        assert "Entretien prévu" in page
        assert "18 novembre 2026" in page
        assert "Upgrade" in (await stranger.get(f"/status/omnivigil/en/maintenances/{one['id']}")).text
        missing = await stranger.get("/status/omnivigil/fr/maintenances/4711")
        assert (missing.status_code, "Cette page n’existe pas" in missing.text) == (404, True)
        [told] = (await stranger.get(f"{JSON}/summary.json")).json()["scheduled_maintenances"]
        assert (told["name"], told["status"], told["impact"]) == ("Upgrade", "scheduled", "maintenance")
        assert datetime.fromisoformat(told["scheduled_until"]) == NOW + 3 * HOUR

        async def listed(which: str = "") -> list[str]:
            found = (await stranger.get(f"{JSON}/scheduled-maintenances{which}.json")).json()
            return [each["id"] for each in found["scheduled_maintenances"]]

        name = f"m{one['id']}"
        assert (await listed(), await listed("/upcoming"), await listed("/active")) == ([name], [name], [])
        await later(line, HOUR)
        assert (await listed("/upcoming"), await listed("/active")) == ([], [name])
        parts = (await stranger.get(f"{JSON}/components.json")).json()["components"]
        assert {part["id"]: part["status"] for part in parts}["messagerie"] == "under_maintenance"
        assert "Entretien en cours" in (await stranger.get("/status/omnivigil/fr")).text
        found = await stranger.get("/status/omnivigil/fr/maintenance.ics")
        assert found.headers["content-type"].startswith("text/calendar")
        [event] = icalendar.Calendar.from_ical(found.content).walk("VEVENT")
        assert event.decoded("DTEND") == NOW + 3 * HOUR
        await later(line, 3 * HOUR)
        assert await listed("/active") == []
        assert (await stranger.get(f"{JSON}/summary.json")).json()["scheduled_maintenances"] == []


async def reader(line: Line, kind: str = "email", address: str = "nom@exemple.ca", **more: Any) -> None:
    """Somebody who is subscribed."""
    row = {"desk": "omnivigil", "kind": kind, "address": address, "language": "fr", "services": [], "tries": 0}
    row |= {"asked": 1, "asked_at": NOW, "confirmed_at": NOW, "leave": address} | more
    async with line.services.store.unit() as unit:
        await unit.execute(insert(status_subscribers).values(row))


async def mails(line: Line, kind: str = "email") -> list[Any]:
    async with line.services.store.reading() as unit:
        query = select(outbox).where(outbox.c.kind == kind).order_by(outbox.c.id)
        return list((await unit.execute(query)).mappings())


class TestSubscribers:
    async def test_each_step_once(self, client: httpx.AsyncClient, line: Line) -> None:
        await reader(line)
        one = await planned(client)
        for _ in range(3):
            await line.services.maintenances.once()
        await client.patch(f"{URL}/{one['id']}", json=window(None, NOW + 4 * HOUR))
        await line.services.maintenances.once()
        await later(line, HOUR)
        await later(line, 4 * HOUR)
        await line.services.maintenances.once()
        subjects = [mail["subject"].split(" : ")[0] for mail in await mails(line)]
        assert subjects == [f"[OMNIVIGIL] Entretien {what}" for what in ("prévu", "modifié", "en cours", "terminé")]

    async def test_by_text_message_only_when_wanted(self, client: httpx.AsyncClient, line: Line) -> None:
        await reader(line, "sms", "14185550123")
        await planned(client)
        await line.services.maintenances.once()
        assert await mails(line, "sms") == []
        await planned(client, kind="emergency", sms=True, **window(None, NOW + HOUR))
        for _ in range(3):
            await line.services.maintenances.once()
        [text] = await mails(line, "sms")
        assert text["body"].startswith("OMNIVIGIL : Entretien en cours. La messagerie")

    async def test_many_some_at_a_time(
        self, client: httpx.AsyncClient, line: Line, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(mailing, "AT_A_TIME", 10)
        for n in range(25):
            await reader(line, address=f"nom{n}@exemple.ca")
        await planned(client)
        for _ in range(5):
            await line.services.maintenances.once()
            async with line.services.store.unit() as unit:
                await unit.execute(update(outbox).values(state="sent"))
        written = sorted(mail["recipient"] for mail in await mails(line))
        assert written == sorted(f"nom{n}@exemple.ca" for n in range(25))


class TestCalendars:
    """Issue 19: a calendar announces, moves and gives up."""

    @staticmethod
    def ical(*events: tuple[str, ...]) -> str:
        lines = [line for n, one in enumerate(events) for line in ("BEGIN:VEVENT", f"UID:{n}@noc", *one, "END:VEVENT")]
        return "\r\n".join(["\ufeffBEGIN:VCALENDAR", "METHOD:PUBLISH", *lines, "END:VCALENDAR", ""])

    @staticmethod
    def at(hours: int) -> str:
        return f"{NOW + hours * HOUR:%Y%m%dT%H%M%SZ}"

    async def test_announced_moved_and_given_up(self, client: httpx.AsyncClient) -> None:
        async def take(*events: tuple[str, ...]) -> dict[str, list[str]]:
            given = {"desk": "omnivigil", "services": ["messagerie"], "ical": self.ical(*events)}
            answer = await client.post(f"{URL}/import", json=given)
            assert answer.status_code == 201, answer.text
            return {name: [one["title"]["fr"] for one in found] for name, found in answer.json().items() if found}

        router = ("SUMMARY:Routeur de Québec", f"DTSTART:{self.at(5)}", "DURATION:PT2H")
        weekly = ("SUMMARY:Sauvegardes", f"DTSTART:{self.at(48)}", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;COUNT=2")
        over = ("SUMMARY:Hier", f"DTSTART:{self.at(-24)}", "DURATION:PT1H")
        assert await take(router, weekly, over) == {"announced": ["Routeur de Québec", "Sauvegardes", "Sauvegardes"]}
        assert await take(router, weekly, over) == {}
        moved = ("SUMMARY:Routeur de Québec", f"DTSTART:{self.at(6)}", "DURATION:PT2H", "SEQUENCE:2")
        assert await take(moved) == {"changed": ["Routeur de Québec"]}
        assert await take(router) == {}, "an older version that comes later"
        assert await take((*moved[:3], "SEQUENCE:3", "STATUS:CANCELLED")) == {"cancelled": ["Routeur de Québec"]}
        assert await take(moved) == {}
        items = (await client.get(URL)).json()["items"]
        states = {one["title"]["fr"]: (one["state"], one["starts_at"]) for one in items}
        assert states["Routeur de Québec"] == ("cancelled", f"{NOW + 6 * HOUR:%Y-%m-%dT%H:%M:%S}Z")
        assert len(items) == 3

    @pytest.mark.parametrize(
        ("event", "problem"),
        [
            (("SUMMARY:Trop long", f"DTSTART:{NOW:%Y%m%d}T235900Z", "DURATION:P30D"), "« Trop long »"),
            (("SUMMARY:Sans début",), "DTSTART is missing"),
            ((f"DTSTART:{NOW:%Y%m%d}T235900Z", "DURATION:PT1H"), "has no title"),
        ],
    )
    async def test_one_event_that_is_wrong_spoils_all(
        self, client: httpx.AsyncClient, event: tuple[str, ...], problem: str
    ) -> None:
        good = ("SUMMARY:Routeur", f"DTSTART:{self.at(5)}", "DURATION:PT2H")
        given = {"desk": "omnivigil", "ical": self.ical(good, event)}
        answer = await client.post(f"{URL}/import", json=given)
        refused(answer, 422, field="ical")
        assert problem in answer.json()["detail"]
        assert (await client.get(URL)).json()["items"] == []
