"""Incidents pushed to Statuspage: in order and once, on a real socket that loses and repeats (OV-27)."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from pydantic import SecretStr

from ivr.errors import BadInput
from ivr.events import EventBus
from ivr.incidents.model import Incident, Update
from ivr.incidents.push import pushed
from ivr.notify.config import Statuspage, read
from ivr.notify.outbox import put_statuspage
from ivr.notify.statuspage import StatuspageSender
from ivr.notify.worker import Worker
from ivr.store.engine import Store
from tests.integration.notify.conftest import Now, Outbox, served

PAGE, KEY = "abc123def456", "not-a-secret"
AT = datetime(2026, 11, 18, 15, 0, tzinfo=UTC)


@dataclass
class StatuspageDouble:
    """Speaks the incidents' part of Statuspage's API. `answers` are given to changes in order, then all is taken:
    a status, `accept-500` and `accept-drop`, which take it and never say so."""

    url: str = ""
    answers: deque[int | str] = field(default_factory=deque)
    lists: deque[int] = field(default_factory=deque)
    incidents: dict[str, dict[str, Any]] = field(default_factory=dict)
    changes: list[tuple[str, str]] = field(default_factory=list)

    async def list(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"OAuth {KEY}":
            return web.json_response({"error": "Could not authenticate"}, status=401)
        if self.lists:
            return web.Response(status=self.lists.popleft())
        return web.json_response(list(self.incidents.values()))

    async def change(self, request: web.Request) -> web.StreamResponse:
        answer = self.answers.popleft() if self.answers else 200
        given = (await request.json())["incident"]
        if isinstance(answer, int) and answer >= 300:
            headers = {"Retry-After": "30"} if answer == 429 else {}
            return web.json_response({"error": "no"}, status=answer, headers=headers)
        name = request.match_info.get("incident") or f"sp{len(self.incidents)}"
        self.incidents[name] = self.incidents.get(name, {"id": name}) | given
        self.changes.append((given["status"], given["body"]))
        if answer == "accept-500":
            return web.Response(status=500)
        if answer == "accept-drop":
            assert request.transport is not None
            request.transport.abort()
        return web.json_response(self.incidents[name], status=201 if request.method == "POST" else 200)


@pytest.fixture
async def double() -> AsyncIterator[StatuspageDouble]:
    made = StatuspageDouble()
    app = web.Application()
    path = f"/v1/pages/{PAGE}/incidents"
    app.router.add_get(path, made.list)
    app.router.add_post(path, made.change)
    app.router.add_patch(path + "/{incident}", made.change)
    async with served(app) as made.url:
        yield made


@pytest.fixture
def worker(store: Store, double: StatuspageDouble, session: aiohttp.ClientSession, now: Now, bus: EventBus) -> Worker:
    sender = StatuspageSender(Statuspage(page=PAGE, key=SecretStr(KEY), api=double.url), session)
    return Worker(store, sender, clock=now, bus=bus, slots=1)


def incident(*texts: str) -> Incident:
    stages = ("investigating", "confirmed", "resolved")
    updates = tuple(
        Update(id=n, stage=stage, texts={"fr": text, "en": text}, at=AT, by="ops")  # type: ignore[arg-type]
        for n, (stage, text) in enumerate(zip(stages, texts, strict=False), 1)
    )
    title = {"fr": "Panne", "en": "Outage"}
    return Incident(id=7, desk="omnivigil", title=title, impact="major", started_at=AT, updates=updates)


async def put(store: Store, now: Now, *texts: str) -> None:
    """The last of these updates has just been written; twice, as by whoever repeats."""
    body = json.dumps(pushed(incident(*texts), "en"))
    async with store.unit() as unit:
        for _ in range(2):
            await put_statuspage(unit, PAGE, subject="incident 7", body=body, key=f"statuspage:{len(texts)}", at=now())


async def see_through(worker: Worker, now: Now) -> None:
    for _ in range(8):
        await worker.once()
        now.later(700)


async def test_one_incident_with_its_updates_in_order(
    store: Store, worker: Worker, double: StatuspageDouble, now: Now, outbox: Outbox
) -> None:
    await put(store, now, "Looking.")
    await worker.once()
    await put(store, now, "Looking.", "An outage.")
    await worker.once()
    await put(store, now, "Looking.", "An outage.", "Over.")
    await worker.once()
    assert double.changes == [("investigating", "Looking."), ("identified", "An outage."), ("resolved", "Over.")]
    [one] = double.incidents.values()
    assert (one["name"], one["impact_override"]) == ("Outage", "major")
    assert [(row.state, row.provider_id) for row in await outbox.rows()] == [("sent", f"sp0/{n}") for n in (1, 2, 3)]


@pytest.mark.parametrize("answer", ["accept-500", "accept-drop", 500, 429])
async def test_what_may_have_arrived_is_looked_for_and_never_doubled(
    store: Store, worker: Worker, double: StatuspageDouble, now: Now, outbox: Outbox, answer: int | str
) -> None:
    double.answers.append(answer)
    await put(store, now, "Looking.")
    await see_through(worker, now)
    assert double.changes == [("investigating", "Looking.")]
    assert [row.state for row in await outbox.rows()] == ["sent"]
    double.answers.append(answer)
    await put(store, now, "Looking.", "An outage.")
    await see_through(worker, now)
    assert double.changes == [("investigating", "Looking."), ("identified", "An outage.")]
    assert len(double.incidents) == 1


async def test_away_it_waits(store: Store, worker: Worker, double: StatuspageDouble, now: Now, outbox: Outbox) -> None:
    double.lists.extend([503, 429])
    await put(store, now, "Looking.")
    await worker.once()
    assert [row.state for row in await outbox.rows()] == ["pending"]
    await see_through(worker, now)
    assert [row.state for row in await outbox.rows()] == ["sent"]


async def test_what_it_refuses_for_good_is_seen_by_operations(
    store: Store, worker: Worker, double: StatuspageDouble, now: Now, outbox: Outbox
) -> None:
    double.answers.append(422)
    await put(store, now, "Looking.")
    await see_through(worker, now)
    [row] = await outbox.rows()
    assert (row.state, row.error) == ("dead", "Statuspage says 422")


def test_the_configuration_names_what_is_wrong() -> None:
    found = read({"OMNIVIGIL_STATUSPAGE_PAGE": PAGE, "OMNIVIGIL_STATUSPAGE_KEY": KEY}).statuspage
    assert found is not None
    assert found.api == "https://api.statuspage.io"
    assert KEY not in repr(found)
    for given, field_ in (
        ({"OMNIVIGIL_STATUSPAGE_PAGE": PAGE}, "OMNIVIGIL_STATUSPAGE_KEY"),
        ({"OMNIVIGIL_STATUSPAGE_PAGE": "../x"}, "OMNIVIGIL_STATUSPAGE_PAGE"),
        (
            {
                "OMNIVIGIL_STATUSPAGE_PAGE": PAGE,
                "OMNIVIGIL_STATUSPAGE_KEY": KEY,
                "OMNIVIGIL_STATUSPAGE_API": "http://x.example",
            },
            "OMNIVIGIL_STATUSPAGE_API",
        ),
    ):
        with pytest.raises(BadInput) as refused:
            read(given)
        assert refused.value.field == field_
