"""Personal data goes when its time is over, and nothing else does (Quebec's Law 25)."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, select

from ivr.access_log.tables import listenings
from ivr.callbacks.tables import callbacks
from ivr.calls.tables import call_events, call_legs, calls
from ivr.calltrace.tables import call_trace_evidence, call_traces
from ivr.desk.load import load_desks
from ivr.mail.tables import mails
from ivr.notify.tables import outbox
from ivr.oncall.tables import emergencies
from ivr.personal_data import DECLARED
from ivr.retention.eraser import Eraser
from ivr.store.engine import Store
from ivr.tickets.tables import messages, tickets

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
SECRET = "14185550199"


class Kept:
    """A database and folders with one of everything, of a given age."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store, self.folder = store, folder
        for name in ("messages", "mails"):
            (folder / name).mkdir()

    def eraser(self) -> Eraser:
        return Eraser(
            self.store,
            load_desks(),
            lambda: NOW,
            declared=DECLARED,
            messages=self.folder / "messages",
            mails=self.folder / "mails",
        )

    async def fill(self, days: int, nth: int = 1) -> None:
        """One of everything, so many days old."""
        at = NOW - timedelta(days=days, minutes=1)
        (self.folder / "messages" / f"m{nth}.wav").write_bytes(b"voice")
        (self.folder / "mails" / f"k{nth}.eml").write_bytes(b"letter")
        one, desk = f"c{nth}", {"desk": "omnivigil", "department": "support"}
        async with self.store.unit() as unit:

            async def put(table: Table, **values: Any) -> None:
                await unit.execute(unit.insert(table).values(values))

            ticket = {**desk, "kind": "request", "status": "new", "version": 1, "created_at": at, "updated_at": at}
            await put(tickets, number=100 + nth, **ticket)
            await put(
                calls, id=one, linkedid=one, channel="PJSIP/trunk-1", desk="omnivigil", dialled="611", ani=SECRET,
                identity={"number": SECRET}, started_at=at, ended_at=at, result="answered", events_lost=0,
            )  # fmt: skip
            await put(call_events, call_id=one, seq=0, at=at, kind="started", facts={"number": SECRET})
            await put(call_legs, call_id=one, uniqueid="1.1", channel="PJSIP/x", role="caller", started_at=at)
            await put(
                messages, id=nth, key=one, ticket_number=100 + nth, **desk, language="fr", number=SECRET,
                file=f"m{nth}.wav", seconds=9, urgent=True, created_at=at,
            )  # fmt: skip
            await put(
                emergencies, message_id=nth, ticket_number=100 + nth, desk="omnivigil", number=SECRET, left_at=at,
                pages=1,
            )  # fmt: skip
            await put(
                callbacks, id=f"b{nth}", **desk, queue="support", language="fr", number=SECRET, identity={"n": SECRET},
                mode="technician_first", state="done", arrived_at=at, requested_at=at, not_before=at, deadline=at,
                attempts=1, ended_at=at, reason="talked",
            )  # fmt: skip
            await put(
                call_traces, id=f"t{nth}", key=one, ticket_number=100 + nth, source="phone", linkedid=one,
                device="6001", other=SECRET, language="fr", reported_at=at, report_ids=["r"], cause="uplink",
                confidence=1.0, reasons=[], route="partner", state="new", site="192.0.2.7", legs={},
            )  # fmt: skip
            await put(call_trace_evidence, trace_id=f"t{nth}", packets=SECRET.encode())
            for state, number in (("sent", 1), ("pending", 2)):
                await put(
                    outbox, id=nth * 10 + number, kind="sms", recipient=SECRET, subject="x", body=SECRET, language="fr",
                    state=state, created_at=at,
                )  # fmt: skip
            await put(
                mails, id=nth, key=f"k{nth}", at=at, sender="julie@clinique.example", recipient="support@x.example",
                subject="S", body=SECRET, attachments=[{"name": "x"}], size=9, outcome="opened",
            )  # fmt: skip
            await put(listenings, kind="message", subject=str(nth), who="annie", at=at)

    async def rows(self, table: Table) -> list[dict[str, Any]]:
        async with self.store.reading() as unit:
            return [dict(row) for row in (await unit.execute(select(table).order_by(*table.primary_key))).mappings()]

    async def secrets(self) -> set[str]:
        """The tables in which the caller's number still is."""
        everywhere = (
            calls, call_events, messages, emergencies, callbacks, call_traces, call_trace_evidence, outbox, mails,
        )  # fmt: skip
        return {
            table.name for table in everywhere for row in await self.rows(table) if SECRET in repr(row).replace("'", "")
        }


@pytest.fixture
def kept(store: Store, tmp_path: Path) -> Kept:
    return Kept(store, tmp_path)


async def test_what_is_young_stays(kept: Kept) -> None:
    await kept.fill(89)
    assert await kept.eraser().once() == 0
    assert len(await kept.secrets()) == 9


async def test_recordings_and_notices_go_first(kept: Kept) -> None:
    await kept.fill(90)
    assert await kept.eraser().once() == 2
    assert list((kept.folder / "messages").iterdir()) == []
    [message] = await kept.rows(messages)
    assert (message["file"], message["number"], message["seconds"]) == ("", None, 9)
    assert {row["state"]: row["body"] for row in await kept.rows(outbox)} == {"sent": "", "pending": SECRET}
    assert {"messages", "emergencies"}.isdisjoint(await kept.secrets())
    assert await kept.eraser().once() == 0


async def test_recordings_that_are_no_messages_go_by_their_own_age(kept: Kept) -> None:
    """Nobody spoke in them, or their ticket is gone."""
    await kept.fill(3)
    folder = kept.folder / "messages"
    for name, days in (("m1.wav", 91), ("silent.wav", 91), ("silent.before", 91), ("tonight.wav", 0)):
        (folder / name).write_bytes(b"voice")
        at = time.time() - days * 86_400
        os.utime(folder / name, (at, at))
    assert await kept.eraser().once() == 2
    assert sorted(path.name for path in folder.iterdir()) == ["m1.wav", "tonight.wav"]


async def test_after_a_year_only_what_happened_is_known(kept: Kept) -> None:
    await kept.fill(365)
    await kept.fill(3, nth=2)
    assert await kept.eraser().once() == 6
    # What has not left yet is not erased under the one who sends it.
    async with kept.store.unit() as unit:
        await unit.execute(outbox.delete().where(outbox.c.state == "pending"))
        await unit.execute(calls.delete().where(calls.c.id == "c2"))
    old = next(row for row in await kept.rows(calls) if row["id"] == "c1")
    assert (old["ani"], old["identity"], old["result"]) == (None, {}, "answered")
    assert [row["sender"] for row in await kept.rows(mails)] == ["", "julie@clinique.example"]
    assert [path.name for path in (kept.folder / "mails").iterdir()] == ["k2.eml"]
    [trace] = [row for row in await kept.rows(call_traces) if row["id"] == "t1"]
    assert (trace["other"], trace["cause"]) == (None, "uplink")
    assert len(await kept.rows(tickets)) == 2
    assert len(await kept.rows(listenings)) == 2
    assert await kept.eraser().once() == 0


async def test_listenings_go_last(kept: Kept) -> None:
    await kept.fill(1095)
    await kept.eraser().once()
    assert await kept.rows(listenings) == []
    assert await kept.secrets() == {"outbox"}


async def test_many_are_erased_in_turns(kept: Kept) -> None:
    at = NOW - timedelta(days=400)
    async with kept.store.unit() as unit:
        values = [
            {"id": str(n), "linkedid": str(n), "channel": "x", "desk": "omnivigil", "dialled": "611", "ani": SECRET,
             "identity": {}, "started_at": at, "ended_at": at, "events_lost": 0}
            for n in range(1200)
        ]  # fmt: skip
        await unit.execute(unit.insert(calls), values)
    eraser = kept.eraser()
    assert [await eraser.once() for _ in range(4)] == [500, 500, 200, 0]
    assert await kept.secrets() == set()
