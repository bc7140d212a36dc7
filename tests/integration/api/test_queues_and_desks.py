"""Queues, technicians, desks and hours through the API."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import httpx
import pytest

from api.deps import DeskFiles
from ivr.desk.changes import Change
from ivr.desk_reload import NotReloaded, Outcome
from tests.integration.api.asserting import refused
from tests.integration.api.conftest import NOW, Line
from tests.integration.api.test_calls import begin

MEMBERS = "/v1/queues/support/members"


class TestMembers:
    async def test_a_technician_logs_in_pauses_goes_on_and_logs_out(self, client: httpx.AsyncClient) -> None:
        assert (await client.get(MEMBERS)).json() == []
        member = (await client.put(f"{MEMBERS}/7001")).json()
        assert (member["endpoint"], member["name"], member["queue"], member["paused"]) == (
            "7001",
            "Annie Roy",
            "support",
            False,
        )
        assert (await client.put(f"{MEMBERS}/7001")).json() == member
        paused = await client.put(f"{MEMBERS}/7001/pause", json={"paused": True, "reason": "Dîner"})
        assert paused.json()["paused"] is True
        resumed = await client.put(f"{MEMBERS}/7001/pause", json={"paused": False})
        assert resumed.json()["paused"] is False
        for _ in range(2):
            assert (await client.delete(f"{MEMBERS}/7001")).status_code == 204
        assert (await client.get(MEMBERS)).json() == []

    async def test_logging_in_to_one_queue_leaves_the_others(self, client: httpx.AsyncClient) -> None:
        await client.put("/v1/queues/hl-cloud/members/7001")
        queues = {queue["id"]: queue for queue in (await client.get("/v1/queues")).json()}
        assert {name: len(queue["members"]) for name, queue in queues.items()} == {
            "support": 0,
            "hl-logiciel": 0,
            "hl-cloud": 1,
        }
        assert queues["hl-cloud"]["desk"] == "hotline-2024"

    @pytest.mark.parametrize("endpoint", ["6001", "7101", "9999", "7001%0d%0aAction:", "${X}", "PJSIP%2F7001"])
    async def test_ov6_only_technicians_answer(self, line: Line, client: httpx.AsyncClient, endpoint: str) -> None:
        response = await client.put(f"{MEMBERS}/{endpoint}")
        refused(response, 404 if "%2F" in endpoint else 422)
        assert line.members == {}

    async def test_queues_that_are_not_there(self, client: httpx.AsyncClient) -> None:
        refused(await client.get("/v1/queues/nothing"), 404)
        refused(await client.get("/v1/queues/nothing/members"), 404)
        refused(await client.put("/v1/queues/nothing/members/7001"), 404)
        refused(await client.delete("/v1/queues/nothing/members/7001"), 404)
        refused(await client.put("/v1/queues/nothing/members/7001/pause", json={"paused": True}), 404)

    async def test_who_is_not_logged_in_cannot_pause(self, client: httpx.AsyncClient) -> None:
        refused(await client.put(f"{MEMBERS}/7001/pause", json={"paused": True}), 404)

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({}, "paused"),
            ({"paused": "perhaps"}, "paused"),
            ({"paused": None}, "paused"),
            ({"paused": True, "reason": "a\r\nAction: Originate"}, "reason"),
            ({"paused": True, "reason": "x" * 81}, "reason"),
            ({"paused": True, "until": "noon"}, "until"),
        ],
    )
    async def test_odd_pauses_are_refused(
        self, line: Line, client: httpx.AsyncClient, body: dict[str, Any], field: str
    ) -> None:
        await client.put(f"{MEMBERS}/7001")
        refused(await client.put(f"{MEMBERS}/7001/pause", json=body), 422, field=field)
        assert not line.members["support", "7001"].paused

    async def test_while_asterisk_is_away(self, line: Line, client: httpx.AsyncClient) -> None:
        with line.ami.away():
            responses = (
                await client.get("/v1/queues"),
                await client.put(f"{MEMBERS}/7001"),
                await client.delete(f"{MEMBERS}/7001"),
            )
        for response in responses:
            assert refused(response, 503)["detail"] == "A component that is needed does not answer."
            assert response.headers["retry-after"] == "2"


async def test_who_waits_is_seen_the_longest_first(line: Line, client: httpx.AsyncClient) -> None:
    calls = line.services.calls
    for call_id in ("a", "b", "c"):
        begin(line, call_id)
        calls.route(call_id, department="support", language="fr")
        calls.queued(call_id, NOW, queue="support")
    calls.answered("a", NOW, endpoint="7001")
    queue = (await client.get("/v1/queues/support")).json()
    assert [call["id"] for call in queue["waiting"]] == ["b", "c"]
    assert queue["waiting"][0]["identity"]["customer"]["name"] == "Clinique du Cap"


class TestDesks:
    async def test_ov1_number_and_options(self, client: httpx.AsyncClient) -> None:
        desks = (await client.get("/v1/desks")).json()
        assert [desk["id"] for desk in desks] == ["omnivigil", "hotline-2024"]
        main = (await client.get("/v1/desks/omnivigil")).json()
        assert main == desks[0]
        assert main["numbers"] == ["18446664844"]
        assert {one["key"]: one["email"].split("@")[0] for one in main["departments"]} == {
            "1": "ventes",
            "2": "support",
            "3": "comptabilite",
            "4": "service",
            "5": "portabilite",
            "6": "administration",
        }

    async def test_one_that_is_not_there(self, client: httpx.AsyncClient) -> None:
        refused(await client.get("/v1/desks/nothing"), 404)
        refused(await client.get("/v1/desks/nothing/hours"), 404)

    @pytest.mark.parametrize(
        ("at", "is_open", "next_opening"),
        [
            ("2026-11-18T11:59:59-05:00", True, "2026-11-18T13:00:00-05:00"),
            ("2026-11-18T12:00:00-05:00", False, "2026-11-18T13:00:00-05:00"),
            ("2026-11-18T17:00:00Z", False, "2026-11-18T13:00:00-05:00"),
            ("2026-11-20T17:00:00-05:00", False, "2026-11-23T08:00:00-05:00"),
        ],
    )
    async def test_ov5_open_and_closed_at_the_minute(
        self, client: httpx.AsyncClient, at: str, is_open: bool, next_opening: str
    ) -> None:
        hours = (await client.get("/v1/desks/omnivigil/hours", params={"at": at})).json()
        assert hours["departments"]["support"]["open"] is is_open
        assert hours["departments"]["support"]["next_opening"] == next_opening

    async def test_without_a_moment_it_is_now(self, client: httpx.AsyncClient) -> None:
        hours = (await client.get("/v1/desks/omnivigil/hours")).json()
        assert hours["at"] == "2026-11-18T10:00:00-05:00"
        assert hours["departments"]["support"]["open"] is True

    @pytest.mark.parametrize(
        "at",
        [
            "2026-11-18T12:00:00",
            "2026-11-18T12:00:00 05:00",
            "noon",
            "",
            "2026-13-01T00:00:00Z",
            "1999-12-31T00:00:00Z",
            "2100-01-01T00:00:00Z",
            "9999-12-31T23:59:59Z",
            "0001-01-01T00:00:00%2B14:00",
        ],
    )
    async def test_odd_moments_are_refused(self, client: httpx.AsyncClient, at: str) -> None:
        problem = refused(await client.get(f"/v1/desks/omnivigil/hours?at={at}"), 422, field="at")
        assert problem["mend"]


class Files:
    """Desk files of which one field differs, or that cannot be used."""

    last = None

    def __init__(self, problem: str | None = None) -> None:
        self.problem = problem

    async def reload(self, *, by: str, check: bool = False) -> Outcome:
        if self.problem is not None:
            raise NotReloaded(field="desks", problem=self.problem, mend="correct it")
        change = Change(desk="omnivigil", field="menu.keys.1", before="ventes", after=None)
        return Outcome(at=NOW, by=by, changes=(change,), warnings=("a doubt",), in_force=not check)


async def test_desk_files_are_reloaded_or_only_checked(line: Line, client: httpx.AsyncClient) -> None:
    assert line.app is not None
    refused(await client.post("/v1/desks/reload", json={}), 404)
    line.app.state.services = replace(line.services, desk_files=cast(DeskFiles, Files()))
    change = {"desk": "omnivigil", "field": "menu.keys.1", "before": "ventes", "after": None}
    for check in (True, False):
        told = await client.post("/v1/desks/reload", json={"check": check})
        assert told.json() == {"in_force": not check, "changes": [change], "warnings": ["a doubt"]}
    line.app.state.services = replace(line.services, desk_files=cast(DeskFiles, Files("omnivigil.yaml:12: x")))
    wrong = refused(await client.post("/v1/desks/reload", json={}), 422)
    assert wrong["field"] == "desks"
    assert wrong["detail"] == "omnivigil.yaml:12: x"
