"""Callbacks through the API."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from ivr.callbacks import store as statements
from ivr.callbacks.model import Callback, end, start_attempt
from ivr.desk.schema import CallbackRules
from tests.integration.api.asserting import refused
from tests.integration.api.conftest import NOW, Line

RULES = CallbackRules()


def request(n: int, **changes: Any) -> Callback:
    one = Callback(
        id=f"{n:016x}",
        desk="omnivigil",
        department="support",
        queue="support",
        language="fr",
        number=f"1418555{n:04}",
        endpoint=None,
        call_id=f"call-{n}",
        customer_id=None,
        identity={},
        mode="technician_first",
        state="pending",
        arrived_at=NOW + timedelta(seconds=n),
        requested_at=NOW + timedelta(seconds=n),
        not_before=NOW,
        deadline=NOW + timedelta(hours=8),
    )
    return replace(one, **changes)


async def test_a_request_and_its_place(line: Line, client: httpx.AsyncClient) -> None:
    """What was asked, and where it stands."""
    event = line.services.bus.listen()
    await line.keeper.accept(request(1), RULES)
    found = (await client.get("/v1/callbacks/0000000000000001")).json()
    assert (found["number"], found["state"], found["position"]) == ("14185550001", "pending", 1)
    told = await anext(event)
    assert (told.kind, told.data["id"]) == ("callback.accepted", "0000000000000001")


async def test_asking_again_is_one_request(line: Line, client: httpx.AsyncClient) -> None:
    """One active callback per number and desk."""
    first = await line.keeper.accept(request(1), RULES)
    again = await line.keeper.accept(request(2, number="14185550001"), RULES)
    assert again == first
    assert len((await client.get("/v1/callbacks")).json()["items"]) == 1


@pytest.mark.parametrize(
    ("limits", "reached"),
    [
        ({"per_number": 1}, "number"),
        ({"per_customer": 1}, "customer"),
        ({"per_day": 1}, "day"),
    ],
)
async def test_limits(line: Line, limits: dict[str, int], reached: str) -> None:
    """Per number, customer and day; those that ended count."""
    ended = end(request(1, customer_id=1), "done", "talked", NOW)
    async with line.services.store.unit() as unit:
        await statements.add(unit, ended)
    rules = RULES.model_copy(update=limits)
    number = ended.number if reached == "number" else "14185559999"
    one = request(2, number=number, customer_id=1 if reached == "customer" else None)
    assert await line.keeper.accept(one, rules) == reached


async def test_pages_and_filters(line: Line, client: httpx.AsyncClient) -> None:
    """The latest first; requests of one moment are neither lost nor told twice."""
    for n in range(1, 6):
        await line.keeper.accept(request(n, requested_at=NOW), RULES)
    await line.keeper.cancel("0000000000000003", "no need")
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    while True:
        page = (await client.get("/v1/callbacks", params=query)).json()
        seen += [one["number"] for one in page["items"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert seen == [f"1418555{n:04}" for n in (5, 4, 3, 2, 1)]
    cancelled = (await client.get("/v1/callbacks", params={"state": "cancelled"})).json()["items"]
    assert [one["reason"] for one in cancelled] == ["no need"]
    assert (await client.get("/v1/callbacks", params={"desk": "hotline-2024"})).json()["items"] == []
    refused(await client.get("/v1/callbacks", params={"cursor": "x"}), 422)
    refused(await client.get("/v1/callbacks", params={"state": "lost"}), 422)
    refused(await client.get("/v1/callbacks", params={"number": "1;2"}), 422)


async def test_cancelling(line: Line, client: httpx.AsyncClient) -> None:
    """Again does no harm; one that is being dialled is left alone."""
    await line.keeper.accept(request(1), RULES)
    for _ in range(2):
        answer = await client.post("/v1/callbacks/0000000000000001/cancel", json={"reason": "réglé par courriel"})
        assert answer.json()["state"] == "cancelled"
    assert answer.json()["reason"] == "réglé par courriel (console)"
    assert line.keeper.get("0000000000000001") is None
    await line.keeper.accept(request(2), RULES)
    await line.keeper.begin("0000000000000002")
    refused(await client.post("/v1/callbacks/0000000000000002/cancel", json={}), 409)
    refused(await client.post("/v1/callbacks/00000000000000ff/cancel", json={}), 404)
    refused(await client.get("/v1/callbacks/nonsense"), 422)


async def test_the_funnel(line: Line, client: httpx.AsyncClient) -> None:
    """Offered, accepted, dialled, answered, talked."""
    one = start_attempt(request(1), NOW)
    async with line.services.store.unit() as unit:
        for call in ("a", "b", "c", "a"):
            await statements.offered(unit, call_id=call, desk="omnivigil", at=NOW)
        await statements.add(unit, replace(end(one, "done", "talked", NOW), answered_at=NOW))
        await statements.add(unit, end(request(2), "expired", "deadline", NOW))
        await statements.add(unit, request(3, requested_at=NOW - timedelta(days=2)))
    found = (await client.get("/v1/callbacks/funnel", params={"desk": "omnivigil"})).json()
    counts = {name: value for name, value in found.items() if name not in ("desk", "since")}
    assert counts == {
        "offered": 3,
        "accepted": 2,
        "dialled": 1,
        "answered": 1,
        "talked": 1,
        "cancelled": 0,
        "refused": 0,
        "expired": 1,
    }
    refused(await client.get("/v1/callbacks/funnel", params={"desk": "nowhere"}), 404)


async def test_the_queue_shows_held_places(line: Line, client: httpx.AsyncClient) -> None:
    """Beside live callers, in order."""
    line.watch.enter(
        {
            "event": "QueueCallerJoin",
            "queue": "support",
            "position": "1",
            "uniqueid": "cb-0000000000000001-abcdef-near",
            "channel": "Local/0000000000000001@callback-queue-00000001;2",
        }
    )
    places = (await client.get("/v1/queues/support")).json()["places"]
    assert [(one["position"], one["callback"], one["wait_s"]) for one in places] == [(1, "0000000000000001", None)]


@pytest.mark.parametrize("gone", [{"desk": "gone"}, {"queue": "gone"}, {"department": "gone"}], ids=str)
async def test_one_whose_desk_left_the_files(line: Line, client: httpx.AsyncClient, gone: dict[str, str]) -> None:
    """It is listed and may be cancelled; it has no place in line, and the others have theirs."""
    await line.keeper.accept(request(1, **gone), RULES)
    await line.keeper.accept(request(2), RULES)
    items = (await client.get("/v1/callbacks")).json()["items"]
    assert [(one["id"][-1], one["state"], one["position"]) for one in items] == [
        ("2", "pending", 1),
        ("1", "pending", None),
    ]
    assert (await client.get("/v1/callbacks/0000000000000001")).json()["position"] is None
    cancelled = await client.post("/v1/callbacks/0000000000000001/cancel", json={})
    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
