"""Staff on duty through the API: by phone, and on a number outside."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest

from api.app import provide
from tests.integration.api.asserting import refused
from tests.integration.api.conftest import Line
from tests.plain_http import NO_TLS

DUTY = "/v1/staff/nadia/duty"
ENTRY = {"name": "Nadia", "external_number": "+15145559104", "queues": ["support", "hl-cloud"]}


@pytest.fixture
async def operator(line: Line) -> AsyncIterator[httpx.AsyncClient]:
    """Who keeps the directory."""
    key = {"Authorization": "Bearer operator"}
    async with httpx.AsyncClient(base_url=line.url, headers=key, timeout=30, verify=NO_TLS) as made:
        yield made


@pytest.fixture
async def nadia(line: Line, operator: httpx.AsyncClient, client: httpx.AsyncClient) -> httpx.AsyncClient:
    """She answers outside, and the line has a way out."""
    assert line.app is not None
    line.services = replace(line.services, trunk=True)
    provide(line.app, line.services)
    assert (await operator.put("/v1/directory/staff/nadia", json=ENTRY)).status_code == 201
    await line.services.directory.renew()
    return client


class TestDuty:
    async def test_in_and_out_of_all_queues_without_a_phone(self, line: Line, nadia: httpx.AsyncClient) -> None:
        assert (await nadia.get(DUTY)).json()["on_duty"] is False
        for _ in range(2):
            begun = (await nadia.put(DUTY)).json()
        assert begun["on_duty"] is True
        assert begun["endpoint"].startswith("outside-")
        assert [(one["queue"], one["name"]) for one in begun["queues"]] == [
            ("support", "Nadia"),
            ("hl-cloud", "Nadia"),
        ]
        paused = await nadia.put(
            f"/v1/queues/support/members/{begun['endpoint']}/pause", json={"paused": True, "reason": "Dîner"}
        )
        assert paused.json()["paused"] is True
        for _ in range(2):
            assert (await nadia.delete(DUTY)).json() == {
                "staff": "nadia",
                "on_duty": False,
                "endpoint": begun["endpoint"],
                "queues": [],
            }
        assert line.members == {}

    async def test_who_could_not_be_called_is_not_logged_in(self, line: Line, nadia: httpx.AsyncClient) -> None:
        """No way out; by the queue's own address neither."""
        assert line.app is not None
        endpoint = (await nadia.get(DUTY)).json()["endpoint"]
        provide(line.app, replace(line.services, trunk=False))
        refused(await nadia.put(DUTY), 422, field="external_number")
        refused(await nadia.put(f"/v1/queues/support/members/{endpoint}"), 422, field="external_number")
        assert line.members == {}

    async def test_with_a_phone_it_is_the_phone(self, nadia: httpx.AsyncClient) -> None:
        duty = (await nadia.put("/v1/staff/annie-roy/duty")).json()
        assert (duty["endpoint"], duty["on_duty"]) == ("7001", True)

    async def test_who_is_not_there(self, nadia: httpx.AsyncClient) -> None:
        refused(await nadia.put("/v1/staff/nobody/duty"), 404)
        refused(await nadia.get(f"{DUTY}?provider=another"), 404)
        refused(await nadia.put("/v1/queues/support/members/outside-999999"), 422)


@pytest.mark.parametrize("number", ["+19005551234", "+18765551234", "+33143542031", "+18446664844", "+15149761234"])
async def test_no_other_number_is_entered_than_may_be_called(operator: httpx.AsyncClient, number: str) -> None:
    """Premium, an island of +1, abroad, our own, a service."""
    answer = await operator.put("/v1/directory/staff/nadia", json=ENTRY | {"external_number": number})
    refused(answer, 422, field="external_number")
