"""Who is on call, and emergencies, through the API."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from ivr.desk.oncall import OnCall
from ivr.notify.tables import outbox
from ivr.oncall.paging import Paging
from ivr.tickets.intake import Intake, Requester, VoiceMessage
from ivr.tickets.intake_commit import enter
from tests.integration.api.asserting import refused
from tests.integration.api.conftest import NOW, Line

ROTA = "/v1/desks/omnivigil/oncall"


async def emergency(line: Line, minutes_ago: float, key: str = "m1") -> dict[str, Any]:
    """A caller left an urgent message, and somebody was paged; the ticket's number and the emergency's."""
    left = NOW - timedelta(minutes=minutes_ago)
    intake = Intake(
        key=key,
        at=left,
        desk="omnivigil",
        department="support",
        language="fr",
        call_id=None,
        requester=Requester(),
        message=VoiceMessage(file=f"{key}.wav", seconds=9, urgent=True),
    )
    async with line.services.store.unit() as unit:
        ticket = await enter(unit, intake)
    await Paging(line.services.store, line.services.desks, line.services.bus, lambda: NOW).once()
    return {"ticket": str(ticket.number)}


class TestRota:
    async def test_ov7_who_is_on_call_and_who_would_be_paged_when(self, client: httpx.AsyncClient) -> None:
        found = (await client.get(ROTA, params={"at": "2026-11-25T22:00:00-05:00"})).json()
        assert found["line"] == ["annie", "luc"]
        assert [(page["person"], page["at"][11:16]) for page in found["timetable"][:6]] == [
            ("annie", "22:00"),
            ("luc", "22:05"),
            ("annie", "22:10"),
            ("luc", "22:15"),
            ("responsable", "22:20"),
            ("annie", "22:25"),
        ]
        assert [one["person"] for one in found["rota"][:3]] == ["annie", "luc", "annie"]

    async def test_somebody_takes_over_and_gives_back(self, client: httpx.AsyncClient) -> None:
        override = {"person": "luc", "start": "2026-11-25T18:00:00-05:00", "end": "2026-11-26T08:00:00-05:00"}
        made = await client.post(f"{ROTA}/overrides", json=override)
        assert made.status_code == 201
        at = {"at": "2026-11-25T22:00:00-05:00"}
        found = (await client.get(ROTA, params=at)).json()
        assert found["line"] == ["luc", "annie"]
        assert found["overrides"][0]["id"] == made.json()["id"]
        problem = refused(await client.post(f"{ROTA}/overrides", json=override), 422, field="start")
        assert "luc is on call" in str(problem["detail"])
        path = f"{ROTA}/overrides/{made.json()['id']}"
        assert (await client.delete(path)).json() == {"gaps": []}
        refused(await client.delete(path), 404)
        assert (await client.get(ROTA, params=at)).json()["line"] == ["annie", "luc"]

    @pytest.mark.parametrize(
        ("override", "field"),
        [
            ({"person": "nobody", "start": "2026-11-25T18:00Z", "end": "2026-11-26T08:00Z"}, "person"),
            ({"person": "luc", "start": "2026-11-25T18:00Z", "end": "2026-11-25T18:00Z"}, "end"),
            ({"person": "luc", "start": "2026-11-25T18:00Z", "end": "2027-11-25T18:00Z"}, "end"),
            ({"person": "luc", "start": "2026-11-25T18:00", "end": "2026-11-26T08:00Z"}, "start"),
            ({"person": "luc", "start": "0001-01-01T00:00Z", "end": "9999-01-01T00:00Z"}, "start"),
            ({"person": "luc"}, "start"),
        ],
    )
    async def test_what_is_wrong_is_named(
        self, client: httpx.AsyncClient, override: dict[str, Any], field: str
    ) -> None:
        refused(await client.post(f"{ROTA}/overrides", json=override), 422, field=field)

    async def test_whoever_saves_the_rota_reads_when_nobody_is_on_call(
        self, line: Line, client: httpx.AsyncClient
    ) -> None:
        """And operations are told; the fallback number is paged then."""
        shipped = line.services.desks["omnivigil"]
        assert shipped.oncall is not None
        duty = OnCall.model_validate(shipped.oncall.model_dump() | {"turns": (), "fallback": "14185550100"})
        desks = {"omnivigil": shipped.model_copy(update={"oncall": duty})}
        assert line.app is not None
        line.app.state.services = replace(line.services, desks=desks)
        override = {"person": "luc", "start": "2026-11-18T00:00:00-05:00", "end": "2026-11-26T08:00:00-05:00"}
        made = await client.post(f"{ROTA}/overrides", json=override)
        assert made.json()["gaps"] == [{"start": "2026-11-26T13:00:00Z", "end": "2026-12-02T05:00:00Z"}]
        found = (await client.get(ROTA, params={"at": "2026-11-27T22:00:00-05:00"})).json()
        assert found["line"] == []
        assert {page["person"] for page in found["timetable"]} == {None, "responsable"}
        event = "BEGIN:VEVENT\r\nSUMMARY:annie\r\nDTSTART:20261126T080000\r\nDTEND:20261205T080000\r\nEND:VEVENT\r\n"
        text = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{event}END:VCALENDAR\r\n"
        assert (await client.post(f"{ROTA}/import", json={"ical": text})).json()["gaps"] == []
        gone = await client.delete(f"{ROTA}/overrides/{made.json()['id']}")
        assert gone.json()["gaps"] == [{"start": "2026-11-18T05:00:00Z", "end": "2026-11-26T13:00:00Z"}]
        async with line.services.store.reading() as unit:
            told = (await unit.execute(select(outbox.c.recipient, outbox.c.body))).all()
        assert [row.recipient for row in told] == ["support@omnivigil.com"] * 2
        assert "14185550100" in told[0].body

    async def test_a_desk_without_a_rota(self, client: httpx.AsyncClient) -> None:
        refused(await client.get("/v1/desks/hotline-2024/oncall"), 404)
        refused(await client.get("/v1/desks/nowhere/oncall"), 404)

    async def test_the_rota_as_a_calendar_out_and_in(self, client: httpx.AsyncClient) -> None:
        response = await client.get(f"{ROTA}.ics")
        assert response.headers["content-type"] == "text/calendar; charset=utf-8"
        assert "SUMMARY:Luc Bouchard" in response.text
        event = "BEGIN:VEVENT\r\nSUMMARY:luc\r\nDTSTART:20261125T180000\r\nDTEND:20261126T080000\r\nEND:VEVENT\r\n"
        text = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{event}END:VCALENDAR\r\n"
        made = await client.post(f"{ROTA}/import", json={"ical": text})
        assert [one["start"] for one in made.json()["added"]] == ["2026-11-25T23:00:00Z"]
        # Once more changes nothing; one that overlaps spoils all of it.
        assert (await client.post(f"{ROTA}/import", json={"ical": text})).json() == {"added": [], "gaps": []}
        other = event.replace("20261125T18", "20261125T20")
        fine = event.replace("2026112", "2026121")
        both = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{fine}{other}END:VCALENDAR\r\n"
        refused(await client.post(f"{ROTA}/import", json={"ical": both}), 422, field="ical")
        assert len((await client.get(ROTA)).json()["overrides"]) == 1
        refused(await client.post(f"{ROTA}/import", json={"ical": "x"}), 422, field="ical")


def _shift(*lines: str, uid: str = "a@rota") -> str:
    return "\r\n".join(["BEGIN:VEVENT", f"UID:{uid}", *lines, "END:VEVENT", ""])


class TestCalendars:
    """What a calendar said before is remembered by the UID of its events."""

    LUC = ("SUMMARY:Garde : Luc", "DTSTART:20261207T130000Z", "DTEND:20261214T130000Z")

    @pytest.fixture
    def imported(self, client: httpx.AsyncClient) -> Callable[..., Awaitable[list[str]]]:
        async def take(*events: str) -> list[str]:
            text = f"\ufeffBEGIN:VCALENDAR\r\nVERSION:2.0\r\n{''.join(events)}END:VCALENDAR\r\n"
            made = await client.post(f"{ROTA}/import", json={"ical": text})
            assert made.status_code == 201, made.text
            rota = (await client.get(ROTA)).json()["overrides"]
            return [f"{one['person']} {one['start'][5:10]}" for one in rota]

        return take

    async def test_a_cancelled_shift_adds_nothing_and_takes_away_what_it_once_made(
        self, imported: Callable[..., Awaitable[list[str]]]
    ) -> None:
        assert await imported(_shift(*self.LUC, "STATUS:CANCELLED", "SEQUENCE:0")) == []
        assert await imported(_shift(*self.LUC, "SEQUENCE:1")) == ["luc 12-07"]
        assert await imported(_shift(*self.LUC, "SEQUENCE:2", "STATUS:CANCELLED")) == []
        assert await imported(_shift(*self.LUC, "SEQUENCE:1")) == [], "an older version that comes later"
        assert await imported(_shift(*self.LUC, "SEQUENCE:3")) == ["luc 12-07"]

    async def test_a_shift_is_moved_and_given_to_somebody_else(
        self, client: httpx.AsyncClient, imported: Callable[..., Awaitable[list[str]]]
    ) -> None:
        other = _shift("SUMMARY:Annie", "DTSTART:20261221T130000Z", "DTEND:20261228T130000Z", uid="b")
        assert await imported(_shift(*self.LUC), other) == ["luc 12-07", "annie 12-21"]
        moved = ("SUMMARY:Annie", "DTSTART:20261208T130000Z", "DTEND:20261215T130000Z", "SEQUENCE:1")
        assert await imported(_shift(*moved)) == ["annie 12-08", "annie 12-21"]

    async def test_one_occurrence_is_called_off_by_itself(
        self, client: httpx.AsyncClient, imported: Callable[..., Awaitable[list[str]]]
    ) -> None:
        series = _shift(*self.LUC, "RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=3")
        assert await imported(series) == ["luc 12-07", "luc 12-21", "luc 01-04"]
        alone = ("DTSTART:20261221T130000Z", "STATUS:CANCELLED", "SEQUENCE:1")
        assert await imported(_shift("RECURRENCE-ID:20261221T130000Z", *alone)) == ["luc 12-07", "luc 01-04"]
        later = ("DTSTART:20270104T130000Z", "STATUS:CANCELLED")
        assert await imported(_shift("RECURRENCE-ID;RANGE=THISANDFUTURE:20270104T130000Z", *later)) == ["luc 12-07"]

    async def test_one_event_that_is_wrong_spoils_all_and_nothing_is_taken_away(
        self, client: httpx.AsyncClient, imported: Callable[..., Awaitable[list[str]]]
    ) -> None:
        await imported(_shift(*self.LUC))
        gone = _shift(*self.LUC, "SEQUENCE:1", "STATUS:CANCELLED")
        wrong = _shift("SUMMARY:Garde : Jean", "DTSTART:20261221T130000Z", "DTEND:20261228T130000Z", uid="b")
        text = f"BEGIN:VCALENDAR\r\n{gone}{wrong}END:VCALENDAR\r\n"
        refused(await client.post(f"{ROTA}/import", json={"ical": text}), 422, field="ical")
        assert len((await client.get(ROTA)).json()["overrides"]) == 1

    async def test_a_series_without_end_is_taken_for_a_time_and_says_so(self, client: httpx.AsyncClient) -> None:
        text = f"BEGIN:VCALENDAR\r\n{_shift(*self.LUC, 'RRULE:FREQ=MONTHLY')}END:VCALENDAR\r\n"
        made = (await client.post(f"{ROTA}/import", json={"ical": text})).json()
        assert (len(made["added"]), made["until"][:7]) == (13, "2027-12")


class TestEmergencies:
    async def test_ov7_three_clocks_and_the_months_report(self, line: Line, client: httpx.AsyncClient) -> None:
        made = [await emergency(line, minutes, key) for minutes, key in ((10, "m1"), (40, "m2"), (20, "m3"))]
        found = (await client.get("/v1/desks/omnivigil/emergencies")).json()
        assert [one["ticket"] for one in found["items"]] == [one["ticket"] for one in made]
        assert (found["emergencies"], found["taken_in_time"], found["late"]) == (3, 0, 1)
        number = found["items"][0]["id"]
        refused(await client.post(f"/v1/emergencies/{number}/called-back", json={}), 422, field="emergency")
        taken = (await client.post(f"/v1/emergencies/{number}/taken", json={"person": "annie"})).json()
        assert (taken["taken_by"], taken["in_time"], taken["called_back_at"]) == ("annie", True, None)
        again = (await client.post(f"/v1/emergencies/{number}/taken", json={})).json()
        assert again == taken
        called = (await client.post(f"/v1/emergencies/{number}/called-back", json={})).json()
        assert (called["called_back_by"], called["taken_by"]) == ("console", "annie")
        found = (await client.get("/v1/desks/omnivigil/emergencies", params={"month": "2026-11"})).json()
        assert (found["taken_in_time"], found["late"], found["slowest_s"]) == (1, 1, 600)
        assert (await client.get("/v1/desks/omnivigil/emergencies", params={"month": "2026-12"})).json()["items"] == []
        ticket = (await client.get(f"/v1/tickets/{taken['ticket']}")).json()
        assert ticket["status"] == "in-progress"
        assert [one["kind"] for one in ticket["history"]][-2:] == ["changed", "called-back"]

    async def test_who_was_rung_for_it(self, line: Line, client: httpx.AsyncClient) -> None:
        await emergency(line, 1)
        [one] = (await client.get("/v1/desks/omnivigil/emergencies")).json()["items"]
        found = (await client.get(f"/v1/emergencies/{one['id']}")).json()
        assert [(call["person"], call["state"], call["outcome"]) for call in found["calls"]] == [("luc", "due", None)]
        assert (found["ticket"], found["late_at"]) == (one["ticket"], None)
        refused(await client.get("/v1/emergencies/999"), 404)

    async def test_what_is_not_there_or_not_known(self, client: httpx.AsyncClient) -> None:
        refused(await client.post("/v1/emergencies/999/taken", json={}), 404)
        refused(await client.post("/v1/emergencies/999/lost", json={}), 422, field="step")
        refused(await client.post("/v1/emergencies/x/taken", json={}), 422, field="emergency_id")
        refused(await client.get("/v1/desks/omnivigil/emergencies?month=2026-13"), 422, field="month")
        refused(await client.get("/v1/desks/nowhere/emergencies"), 404)
