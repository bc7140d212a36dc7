"""What Prometheus reads: right, cheap to ask for, without persons, and not for everybody."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from ivr.store.engine import open_store
from tests.beginning import begin_call
from tests.integration.api.asserting import refused
from tests.integration.api.conftest import NOW, Line
from tests.plain_http import NO_TLS

NUMBER = "14185550123"


async def scraped(client: httpx.AsyncClient) -> dict[tuple[str, ...], float]:
    """Every sample: its name and its labels' values, to its value."""
    response = await client.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=")
    assert NUMBER not in response.text
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def call(line: Line, call_id: str, *, answered: bool) -> None:
    """One call through the queue: half a minute's wait."""
    calls = line.services.calls
    begin_call(calls, call_id, ani=NUMBER, at=NOW)
    calls.queued(call_id, NOW, queue="support")
    if answered:
        calls.answered(call_id, NOW + timedelta(seconds=25), endpoint="7001")
    calls.hung_up(call_id, NOW + timedelta(seconds=40))


async def test_calls_are_counted_by_how_they_ended(line: Line, stranger: httpx.AsyncClient) -> None:
    counting = asyncio.create_task(line.services.metrics.run())
    await asyncio.sleep(0)
    call(line, "one", answered=True)
    call(line, "two", answered=False)
    call(line, "three", answered=False)
    await asyncio.sleep(0.05)
    found = await scraped(stranger)
    counting.cancel()
    assert found["omnivigil_calls_total", "omnivigil", "answered"] == 1
    assert found["omnivigil_calls_total", "omnivigil", "abandoned"] == 2
    assert found["omnivigil_queue_calls_total", "lost", "support"] == 2
    assert found["omnivigil_queue_wait_seconds_bucket", "30.0", "answered", "support"] == 1
    assert found["omnivigil_queue_wait_seconds_sum", "lost", "support"] == 80


async def test_what_stands_in_the_database_is_told(line: Line, client: httpx.AsyncClient) -> None:
    body = {"requester_name": "Julie Tremblay", "requester_email": "julie@clinique.example", "observed": "Silence."}
    assert (await client.post("/v1/tickets", json=body)).status_code == 201
    incident = {
        "desk": "omnivigil",
        "title": {"fr": "Téléphonie", "en": "Telephony"},
        "impact": "major",
        "stage": "confirmed",
        "texts": {"fr": "Une panne est confirmée.", "en": "An outage is confirmed."},
    }
    made = await client.post("/v1/incidents", json=incident)
    assert made.status_code == 201, made.text
    found = await scraped(client)
    assert sum(value for key, value in found.items() if key[0] == "omnivigil_tickets") == 1
    assert found["omnivigil_incidents_in_force", "omnivigil", "confirmed"] == 1
    assert found["omnivigil_outbox_pending", "email"] >= 1
    assert found["omnivigil_tickets_overdue",] == 0
    assert found["omnivigil_database_up",] == 1
    assert found["omnivigil_waiting", "live", "support"] == 0
    assert not any("Tremblay" in part or "julie" in part for key in found for part in key)


async def test_without_the_database_the_rest_is_told(
    line: Line, stranger: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nowhere = open_store(f"sqlite+aiosqlite:///{tmp_path / 'no' / 'folder'}")
    monkeypatch.setattr(line.services.metrics, "_store", nowhere)
    found = await scraped(stranger)
    await nowhere.close()
    assert found["omnivigil_database_up",] == 0
    assert found["omnivigil_ami_connected",] == 1
    assert found["omnivigil_directory_taken_up",] == 1
    assert not any(key[0] == "omnivigil_tickets" for key in found)


async def test_many_who_scrape_ask_the_database_once(line: Line, stranger: httpx.AsyncClient) -> None:
    counters = line.services.metrics.counters
    line.services.store.observe = counters.transaction
    before = counters.registry.get_sample_value("omnivigil_database_seconds_count", {"kind": "read"})
    await asyncio.gather(*(stranger.get("/metrics") for _ in range(20)))
    after = counters.registry.get_sample_value("omnivigil_database_seconds_count", {"kind": "read"})
    assert (before, after) == (0, 1)


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"])
async def test_who_comes_through_a_proxy_needs_a_token(line: Line, stranger: httpx.AsyncClient, header: str) -> None:
    forwarded = {header: "for=203.0.113.7"}
    refused(await stranger.get("/metrics", headers=forwarded), 401, field="Authorization")
    reader = forwarded | {"Authorization": "Bearer reader"}
    assert (await stranger.get("/metrics", headers=reader)).status_code == 200


async def test_from_elsewhere_only_with_a_token(line: Line) -> None:
    assert line.app is not None
    elsewhere = httpx.ASGITransport(line.app, client=("203.0.113.7", 4711))
    async with httpx.AsyncClient(transport=elsewhere, base_url="http://line.example", verify=NO_TLS) as client:
        refused(await client.get("/metrics"), 401, field="Authorization")
        assert (await client.get("/metrics", headers={"Authorization": "Bearer reader"})).status_code == 200


async def test_counting_costs_a_call_next_to_nothing(line: Line) -> None:
    """A call has some dozens of steps; a millisecond for a hundred of them would not be felt."""
    step = line.services.metrics.counters.step
    # Of this thread's own time: others on the machine cost the call nothing.
    began = time.thread_time()
    for _ in range(10_000):
        step(0.0007)
    assert (time.thread_time() - began) / 10_000 < 20e-6
