"""Tickets through the API."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import httpx
import pytest

from tests.integration.api.asserting import refused
from tests.integration.api.conftest import Line

Away = Callable[[], AbstractContextManager[None]]

#: Everything that OV-12 asks for.
FULL: dict[str, Any] = {
    "requester_name": "Julie Tremblay",
    "requester_contact": "poste 204, le matin",
    "requester_address": "120, rue du Cap\nQuébec",
    "requester_phone": "418 555-0101",
    "requester_email": "julie@clinique.example",
    "account_number": "C-1001",
    "account_name": "Clinique du Cap",
    "account_address": "120, rue du Cap",
    "account_phone": "418 555-0101",
    "service": "Messagerie vocale",
    "observed": "Le voyant ne s’allume pas.",
    "examples": [
        {"date": "2026-11-17", "time": "09:30", "extension": "204", "number": "4185550101"},
        {"date": "2026-11-18", "time": None, "extension": None, "number": None},
    ],
    "expected": "Le voyant s’allume.",
    "impact": "several",
    "mac": "00:15:65:a1:b2:c3",
    "attempted": "Redémarrage.",
}


async def make(client: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    response = await client.post("/v1/tickets", json=fields)
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()
    return made


class TestOpening:
    async def test_ov12_every_field_comes_back(self, client: httpx.AsyncClient) -> None:
        response = await client.post("/v1/tickets", json=FULL | {"priority": "haute", "level": 1, "language": "fr"})
        made = response.json()
        assert response.status_code == 201
        assert response.headers["location"] == f"/v1/tickets/{made['number']}"
        assert response.headers["etag"] == '"1"'
        assert {name: made[name] for name in FULL} == FULL
        read = (await client.get(response.headers["location"])).json()
        assert {name: read[name] for name in made} == made
        assert read["history"][0]["who"] == "console"
        assert read["history"][0]["kind"] == "created"

    async def test_ov12_nothing_is_guessed(self, client: httpx.AsyncClient) -> None:
        made = await make(client)
        unknown = {name for name, value in made.items() if value is None}
        assert set(FULL) | {"priority", "level", "call_id", "customer_id"} <= unknown
        assert (made["status"], made["kind"], made["desk"], made["department"]) == (
            "new",
            "request",
            "omnivigil",
            "support",
        )

    async def test_ov12_the_account_number_leads_to_the_customer(self, client: httpx.AsyncClient) -> None:
        assert (await make(client, account_number="C-1001"))["customer_id"] == 1
        assert (await make(client, account_number="C-9999"))["customer_id"] is None

    @pytest.mark.parametrize("written", ["001565A1B2C3", "00-15-65-a1-b2-c3", "0015.65a1.b2c3"])
    async def test_mac_addresses_are_written_alike(self, client: httpx.AsyncClient, written: str) -> None:
        assert (await make(client, mac=written))["mac"] == "00:15:65:a1:b2:c3"

    async def test_under_one_key_it_is_one_ticket(self, client: httpx.AsyncClient) -> None:
        key = {"Idempotency-Key": "k-1"}
        responses = await asyncio.gather(*(client.post("/v1/tickets", json={}, headers=key) for _ in range(5)))
        assert sorted(response.status_code for response in responses) == [200, 200, 200, 200, 201]
        assert len({response.json()["number"] for response in responses}) == 1

    async def test_a_call_has_one_ticket(self, client: httpx.AsyncClient) -> None:
        await make(client, call_id="a" * 32)
        refused(await client.post("/v1/tickets", json={"call_id": "a" * 32}), 422, field="call_id")

    @pytest.mark.parametrize(
        ("fields", "field"),
        [
            ({"colour": "red"}, "colour"),
            ({"status": "closed"}, "status"),
            ({"number": "1"}, "number"),
            ({"priority": "urgent"}, "priority"),
            ({"priority": ""}, "priority"),
            ({"level": 0}, "level"),
            ({"level": 5}, "level"),
            ({"level": "one"}, "level"),
            ({"level": 10**30}, "level"),
            ({"level": 1.5}, "level"),
            ({"impact": "all"}, "impact"),
            ({"mac": "00:15"}, "mac"),
            ({"mac": "zz:15:65:a1:b2:c3"}, "mac"),
            ({"requester_email": "nobody"}, "requester_email"),
            ({"requester_email": "a@b.example\r\nBcc: all@c.example"}, "requester_email"),
            ({"requester_name": ""}, "requester_name"),
            ({"requester_name": "x" * 201}, "requester_name"),
            ({"requester_name": "a\r\nBcc: all@c.example"}, "requester_name"),
            ({"requester_name": 7}, "requester_name"),
            ({"requester_name": ["x"]}, "requester_name"),
            ({"observed": "a\x00b"}, "observed"),
            ({"observed": "x" * 20_001}, "observed"),
            ({"examples": "yesterday"}, "examples"),
            ({"examples": [{}] * 21}, "examples"),
            ({"examples": [{"when": "x"}]}, "examples.0.when"),
            ({"examples": [{"time": "25:00"}]}, "examples.0.time"),
            ({"examples": [{"date": "18/11/2026"}]}, "examples.0.date"),
            ({"kind": "Req uest"}, "kind"),
            ({"desk": "nowhere"}, "desk"),
            ({"department": "nobody"}, "department"),
            ({"desk": "hotline-2024", "department": "support"}, "department"),
            ({"language": "français"}, "language"),
            ({"call_id": "../x"}, "call_id"),
        ],
    )
    async def test_what_is_wrong_is_named_and_nothing_is_made(
        self, client: httpx.AsyncClient, fields: dict[str, Any], field: str
    ) -> None:
        refused(await client.post("/v1/tickets", json=fields), 422, field=field)
        assert (await client.get("/v1/tickets")).json()["items"] == []

    async def test_everything_that_is_wrong_is_named_at_once(self, client: httpx.AsyncClient) -> None:
        response = await client.post("/v1/tickets", json={"colour": 1, "level": 9, "mac": "x"})
        errors = refused(response, 422)["errors"]
        assert isinstance(errors, list)
        assert {error["field"] for error in errors} == {"colour", "level", "mac"}
        assert all(error["problem"] and error["mend"] for error in errors)

    @pytest.mark.parametrize("key", ["", "x" * 101, "a b"])
    async def test_odd_keys_are_refused(self, client: httpx.AsyncClient, key: str) -> None:
        response = await client.post("/v1/tickets", json={}, headers={"Idempotency-Key": key})
        refused(response, 422, field="idempotency-key")


class TestReading:
    @pytest.mark.parametrize("number", ["1", "999999", "9999999999"])
    async def test_one_that_is_not_there(self, client: httpx.AsyncClient, number: str) -> None:
        refused(await client.get(f"/v1/tickets/{number}"), 404)

    @pytest.mark.parametrize("number", ["abc", "-1", "1e3", "1" * 30, "%00", "%F0%9D%9F%8F"])
    async def test_what_is_no_number(self, client: httpx.AsyncClient, number: str) -> None:
        refused(await client.get(f"/v1/tickets/{number}"), 422, field="number")


class TestChanging:
    async def test_what_changed_is_in_the_history_with_who_and_when(self, client: httpx.AsyncClient) -> None:
        number = (await make(client, observed="a"))["number"]
        response = await client.patch(
            f"/v1/tickets/{number}", json={"status": "in-progress", "observed": None, "priority": "haute"}
        )
        changed = response.json()
        assert (changed["status"], changed["observed"], changed["priority"], changed["version"]) == (
            "in-progress",
            None,
            "haute",
            2,
        )
        assert response.headers["etag"] == '"2"'
        entry = (await client.get(f"/v1/tickets/{number}")).json()["history"][-1]
        assert (entry["who"], entry["kind"], entry["version"]) == ("console", "changed", 2)
        assert entry["changes"]["status"] == {"from": "new", "to": "in-progress"}
        assert entry["changes"]["observed"] == {"from": "a", "to": None}

    async def test_what_is_the_same_already_is_no_change(self, client: httpx.AsyncClient) -> None:
        made = await make(client, **FULL)
        response = await client.patch(f"/v1/tickets/{made['number']}", json=FULL)
        assert response.json()["version"] == 1
        assert (await client.patch(f"/v1/tickets/{made['number']}", json={})).json()["version"] == 1

    async def test_the_account_number_moves_it_to_that_customer(self, client: httpx.AsyncClient) -> None:
        made = await make(client, account_number="C-1001")
        moved = await client.patch(f"/v1/tickets/{made['number']}", json={"account_number": "C-1002"})
        assert moved.json()["customer_id"] == 2

    async def test_of_many_who_saw_the_same_version_one_wins(self, client: httpx.AsyncClient) -> None:
        number = (await make(client))["number"]

        async def change(n: int) -> httpx.Response:
            return await client.patch(f"/v1/tickets/{number}", json={"observed": f"{n}"}, headers={"If-Match": '"1"'})

        responses = await asyncio.gather(*(change(n) for n in range(10)))
        assert sorted(response.status_code for response in responses) == [200] + [412] * 9
        won = next(response for response in responses if response.status_code == 200)
        assert (await client.get(f"/v1/tickets/{number}")).json()["observed"] == won.json()["observed"]
        refused(next(response for response in responses if response.status_code == 412), 412, field="If-Match")

    async def test_the_version_may_be_in_the_body(self, client: httpx.AsyncClient) -> None:
        path = f"/v1/tickets/{(await make(client))['number']}"
        assert (await client.patch(path, json={"version": 1, "level": 2})).status_code == 200
        refused(await client.patch(path, json={"version": 1, "level": 3}), 409, field="version")

    async def test_any_version_will_do_when_so_said(self, client: httpx.AsyncClient) -> None:
        path = f"/v1/tickets/{(await make(client))['number']}"
        assert (await client.patch(path, json={"level": 2}, headers={"If-Match": "*"})).status_code == 200

    @pytest.mark.parametrize("condition", ["1", 'W/"1"', '"x"', "", '"1", "2"'])
    async def test_odd_conditions_are_refused(self, client: httpx.AsyncClient, condition: str) -> None:
        path = f"/v1/tickets/{(await make(client))['number']}"
        refused(await client.patch(path, json={"level": 2}, headers={"If-Match": condition}), 422, field="If-Match")

    @pytest.mark.parametrize(
        ("fields", "field"),
        [
            ({"status": "open"}, "status"),
            ({"status": None}, "status"),
            ({"desk": None}, "desk"),
            ({"department": "nobody"}, "department"),
            ({"desk": "hotline-2024"}, "department"),
            ({"version": 0}, "version"),
            ({"created_at": "2026-01-01T00:00:00Z"}, "created_at"),
            ({"call_id": "b"}, "call_id"),
        ],
    )
    async def test_what_is_wrong_is_named_and_nothing_changes(
        self, client: httpx.AsyncClient, fields: dict[str, Any], field: str
    ) -> None:
        path = f"/v1/tickets/{(await make(client))['number']}"
        refused(await client.patch(path, json=fields), 422, field=field)
        assert (await client.get(path)).json()["version"] == 1

    async def test_one_that_is_not_there(self, client: httpx.AsyncClient) -> None:
        refused(await client.patch("/v1/tickets/999999", json={"level": 2}), 404)


class TestListing:
    async def test_pages_hold_everything_once_newest_first(self, client: httpx.AsyncClient) -> None:
        made = [(await make(client))["number"] for _ in range(7)]
        seen: list[str] = []
        cursor: str | None = None
        for _ in range(10):
            page = (
                await client.get("/v1/tickets", params={"limit": 3} | ({"cursor": cursor} if cursor else {}))
            ).json()
            seen += [ticket["number"] for ticket in page["items"]]
            if (cursor := page["next"]) is None:
                break
            await make(client)  # what is new in the meantime does not move the pages
        assert seen == made[::-1]

    async def test_filters(self, client: httpx.AsyncClient) -> None:
        await make(client, account_number="C-1001", priority="haute")
        other = await make(client, desk="hotline-2024", department="cloud")
        await client.patch(f"/v1/tickets/{other['number']}", json={"status": "closed", "reason": "Doublon."})
        for query, count in (
            ({"account_number": "C-1001"}, 1),
            ({"customer_id": 1}, 1),
            ({"priority": "haute"}, 1),
            ({"priority": "normale"}, 0),
            ({"desk": "hotline-2024"}, 1),
            ({"open": "true"}, 1),
            ({"status": "closed"}, 1),
            ({}, 2),
        ):
            found = (await client.get("/v1/tickets", params=query)).json()["items"]
            assert len(found) == count, query

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ("limit=0", "limit"),
            ("limit=201", "limit"),
            ("limit=x", "limit"),
            ("limit=" + "9" * 4000, "limit"),
            ("cursor=", "cursor"),
            ("cursor=!!!", "cursor"),
            ("cursor=YWJj", "cursor"),
            ("cursor=MXwy", "cursor"),
            ("cursor=4pSB", "cursor"),
            ("cursor=%ff", "cursor"),
            ("cursor=OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk", "cursor"),
            ("status=open", "status"),
            ("open=maybe", "open"),
            ("customer_id=99999999999999999999", "customer_id"),
            ("colour=red", "colour"),
        ],
    )
    async def test_odd_questions_are_refused(self, client: httpx.AsyncClient, query: str, field: str) -> None:
        refused(await client.get(f"/v1/tickets?{query}"), 422, field=field)


class TestOutage:
    async def test_a_ticket_that_cannot_be_written_is_not_confirmed(
        self, client: httpx.AsyncClient, database_held: Away
    ) -> None:
        await client.get("/v1/tickets")
        with database_held():
            response = await client.post("/v1/tickets", json={})
            problem = refused(response, 503)
            assert response.headers["retry-after"] == "2"
            assert "sql" not in response.text
            assert problem["detail"] == "The database does not answer."
            assert (await client.get("/v1/tickets")).status_code == 200
        assert (await client.post("/v1/tickets", json={})).status_code == 201


async def test_changes_are_told_to_listeners(line: Line, client: httpx.AsyncClient) -> None:
    with line.services.bus.listen() as listener:
        made = await make(client)
        await client.patch(f"/v1/tickets/{made['number']}", json={"priority": "haute"})
        created, updated = await anext(listener), await anext(listener)
    assert (created.kind, created.data["number"]) == ("ticket.created", made["number"])
    assert (updated.kind, updated.data["changed"]) == ("ticket.updated", ["priority"])
