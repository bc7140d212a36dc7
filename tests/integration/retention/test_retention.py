"""Closed tickets are erased in time (Quebec's Law 25)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Table, select

from ivr.desk.load import load_desks
from ivr.directory.tables import caller_languages
from ivr.incidents.tables import incidents
from ivr.personal_data import DECLARED
from ivr.retention.eraser import Eraser
from ivr.store.engine import Store
from ivr.tickets.tables import solutions, ticket_events, tickets

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
SECRET = "Julie Tremblay, 418 555-0199"


async def _fill(store: Store, number: int, *, status: str, days: int) -> None:
    at = NOW - timedelta(days=days, minutes=1)
    async with store.unit() as unit:

        async def put(table: Table, **values: Any) -> None:
            await unit.execute(unit.insert(table).values(values))

        await put(
            tickets, number=number, kind="request", status=status, priority="haute", level=2, desk="omnivigil",
            department="support", version=2, created_at=at, updated_at=at, intake_key=f"{SECRET}-{number}",
            requester_name=SECRET, requester_phone="14185550199", requester_email="julie@clinique.example",
            requester_address=SECRET, account_name=SECRET, observed=SECRET, examples=[{"extension": SECRET}],
            expected=SECRET, attempted=SECRET, details={"item": SECRET}, service="Téléphonie",
        )  # fmt: skip
        changes = {"status": {"from": "new", "to": status}, "observed": {"from": None, "to": SECRET}}
        await put(ticket_events, ticket_number=number, at=at, who="line", kind="changed", changes=changes, version=2)
        await put(
            solutions, ticket_number=number, desk="omnivigil", kind="request", language="fr", problem=SECRET,
            solution="Redémarrer le téléphone.", who="annie", created_at=at,
        )  # fmt: skip


async def _rows(store: Store, table: Table) -> list[dict[str, Any]]:
    async with store.reading() as unit:
        return [dict(row) for row in (await unit.execute(select(table).order_by(*table.primary_key))).mappings()]


def _eraser(store: Store, folder: Path) -> Eraser:
    return Eraser(store, load_desks(), lambda: NOW, declared=DECLARED, messages=folder, mails=folder)


async def test_closed_tickets_lose_their_persons_in_time(store: Store, tmp_path: Path) -> None:
    """To the day; open ones never; figures stay."""
    for number, status, days in ((1, "closed", 1095), (2, "closed", 1094), (3, "new", 4000), (4, "resolved", 1095)):
        await _fill(store, number, status=status, days=days)
    assert await _eraser(store, tmp_path).once() == 2
    assert await _eraser(store, tmp_path).once() == 0
    told = {row["number"]: SECRET in repr(row) or "julie" in repr(row) for row in await _rows(store, tickets)}
    assert told == {1: False, 2: True, 3: True, 4: False}
    first = (await _rows(store, tickets))[0]
    assert (first["status"], first["priority"], first["level"], first["service"]) == (
        "closed",
        "haute",
        2,
        "Téléphonie",
    )
    events = {row["ticket_number"]: row["changes"] for row in await _rows(store, ticket_events)}
    assert events[1] == {"status": {"from": "new", "to": "closed"}}
    assert "observed" in events[2]
    assert [row["problem"] for row in await _rows(store, solutions)] == [None, SECRET, SECRET, None]


async def test_what_has_no_date_of_its_own(store: Store, tmp_path: Path) -> None:
    """A number's language goes with the last of its calls, numbers that an incident affected with old tickets."""
    at = NOW - timedelta(days=1096)
    async with store.unit() as unit:
        await unit.execute(unit.insert(caller_languages).values(number="14185550199", language="en"))
        incident = {"title": {"fr": "Panne"}, "impact": "minor", "services": [], "components": [], "version": 1}
        incident |= {"affected": {"partners": [1], "customers": [], "numbers": ["14185550199"]}}
        await unit.execute(unit.insert(incidents).values(desk="omnivigil", started_at=at, resolved_at=at, **incident))
    await _eraser(store, tmp_path).once()
    assert await _rows(store, caller_languages) == []
    (kept,) = await _rows(store, incidents)
    assert kept["affected"] == {"partners": [1], "customers": [], "numbers": []}
