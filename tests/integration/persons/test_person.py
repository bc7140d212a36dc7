"""One person's data is found in every table and file, handed over whole, and erased; nobody else's is (Law 25)."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, select

from ivr.callbacks.tables import callbacks
from ivr.calls.tables import call_events, calls
from ivr.calltrace.tables import call_trace_evidence, call_traces
from ivr.directory.tables import caller_languages, contacts, customers, numbers
from ivr.incidents.tables import incident_followers, incidents
from ivr.mail.tables import mails
from ivr.migrations.schema import metadata
from ivr.notify.tables import opt_outs, outbox
from ivr.oncall.tables import emergencies
from ivr.persons import export
from ivr.persons.erasure import Erased, erase
from ivr.persons.search import Folders, Found, find
from ivr.persons.selectors import Wanted, wanted
from ivr.store.engine import Store
from ivr.subscriptions.tables import status_subscribers
from ivr.tickets.tables import messages, solutions, ticket_events, tickets

AT = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
JULIE = wanted(numbers=["418 555-0199"], emails=["Julie@Clinique.example"])
OTHER = wanted(numbers=["5145550111"], emails=["marc@garage.example"])
CALLED = {"desk": "omnivigil", "department": "support"}


class World:
    """A database and folders with two people in them."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store = store
        self.folders = Folders(messages=folder / "messages", mails=folder / "mails", recordings=folder / "recordings")
        for one in (self.folders.messages, self.folders.mails, self.folders.recordings):
            one.mkdir()

    async def fill(self, person: Wanted, nth: int) -> None:
        """Everything of one person's, all over."""
        number, email, one = person.numbers[0], person.emails[0], f"c{nth}"
        (self.folders.messages / f"m{nth}.wav").write_bytes(b"voice")
        (self.folders.mails / f"k{nth}.eml").write_bytes(b"letter")
        (self.folders.recordings / f"{one}.wav").write_bytes(b"talk")
        async with self.store.unit() as unit:

            async def put(table: Table, **values: Any) -> None:
                await unit.execute(unit.insert(table).values(values))

            await put(
                calls, id=one, linkedid=one, channel="PJSIP/trunk-1", desk="omnivigil", dialled="611", ani=number,
                identity={"number": number}, started_at=AT, ended_at=AT, result="answered", events_lost=0,
            )  # fmt: skip
            # An event that does not say whose it is.
            await put(call_events, call_id=one, seq=0, at=AT, kind="pressed", facts={"key": "2"})
            await put(
                tickets, number=100 + nth, kind="request", status="closed", **CALLED, version=1, created_at=AT,
                updated_at=AT, requester_phone=number, requester_email=email, observed="Mon 418 555-0199 ne sonne pas",
            )  # fmt: skip
            changes = {"text": "Bonjour Julie", "status": {"from": "new", "to": "closed"}}
            await put(ticket_events, ticket_number=100 + nth, at=AT, who="annie", kind="x", changes=changes, version=1)
            await put(
                messages, id=nth, key=one, ticket_number=100 + nth, **CALLED, language="fr", number=number,
                file=f"m{nth}.wav", seconds=9, urgent=True, created_at=AT,
            )  # fmt: skip
            await put(
                emergencies, message_id=nth, ticket_number=100 + nth, desk="omnivigil", number=number, left_at=AT,
                pages=1,
            )  # fmt: skip
            await put(
                solutions, ticket_number=100 + nth, desk="omnivigil", kind="request", language="fr", problem="Julie",
                solution="Redémarrer.", who="annie", created_at=AT,
            )  # fmt: skip
            await put(
                callbacks, id=f"b{nth}", **CALLED, queue="support", language="fr", number=number, identity={},
                mode="technician_first", state="done", arrived_at=AT, requested_at=AT, not_before=AT, deadline=AT,
                attempts=1, ended_at=AT, reason="talked",
            )  # fmt: skip
            await put(
                call_traces, id=f"t{nth}", key=one, ticket_number=100 + nth, source="phone", linkedid=one,
                device="6001", other=number, language="fr", reported_at=AT, report_ids=["r"], cause="uplink",
                confidence=1.0, reasons=[], route="partner", state="new", legs={},
            )  # fmt: skip
            await put(call_trace_evidence, trace_id=f"t{nth}", packets=b"sip")
            await put(
                outbox, id=nth, kind="sms", recipient=number, subject="x", body="Code 123", language="fr",
                state="sent", created_at=AT,
            )  # fmt: skip
            await put(
                mails, id=nth, key=f"k{nth}", at=AT, sender=email, recipient="support@x.example", subject="S",
                body="B", attachments=[], size=9, outcome="opened", ticket_number=100 + nth,
            )  # fmt: skip
            await put(
                status_subscribers, desk="omnivigil", kind="email", address=email, language="fr", services=[], tries=0,
                asked=1, asked_at=AT, leave=f"l{nth}",
            )  # fmt: skip
            incident = {"desk": "omnivigil", "title": {}, "impact": "minor", "services": [], "components": []}
            await put(incidents, id=nth, **incident, affected={}, started_at=AT, version=1)
            await put(incident_followers, incident_id=nth, number=number, language="fr", at=AT)
            await put(caller_languages, number=number, language="fr")
            await put(opt_outs, number=number, at=AT)
            await put(customers, id=nth, account=f"C-{nth}", name="Clinique")
            await put(contacts, id=nth, customer_id=nth, name="Julie", kind="utilisateur", email=email)
            await put(numbers, e164=number, customer_id=nth, contact_id=nth)

    async def find(self, person: Wanted) -> Found:
        async with self.store.reading() as unit:
            return await find(unit, person)

    async def erase(self, person: Wanted) -> Erased:
        return await erase(self.store, person, self.folders, at=AT + timedelta(days=1), who="annie")

    async def everything(self) -> dict[str, list[dict[str, Any]]]:
        async with self.store.reading() as unit:
            return {
                name: [dict(row) for row in (await unit.execute(select(table))).mappings()]
                for name, table in metadata.tables.items()
            }


@pytest.fixture
async def world(store: Store, tmp_path: Path) -> World:
    made = World(store, tmp_path)
    await made.fill(JULIE, 1)
    await made.fill(OTHER, 2)
    return made


async def test_everything_of_hers_and_nothing_of_his(world: World) -> None:
    """By number, however it is written, and by address; rows that name nobody come with those that they belong to."""
    found = await world.find(JULIE)
    tables = (
        *("calls", "call_events", "tickets", "ticket_events", "messages", "emergencies", "solutions", "callbacks"),
        *("call_traces", "call_trace_evidence", "outbox", "inbound_mails", "status_subscribers", "incident_followers"),
        *("caller_languages", "sms_opt_outs", "contacts", "numbers"),
    )
    assert {name: own for name, (own, _) in found.counts().items() if own} == dict.fromkeys(sorted(tables), 1)
    # His ticket happens to name her number.
    assert {name: rows for name, (_, rows) in found.counts().items() if rows} == {"tickets": 1}
    assert sorted(found.files(world.folders)) == ["mails/1.eml", "messages/1.wav", "recordings/c1.wav"]


async def test_what_is_handed_over(world: World) -> None:
    """What rows say, sounds and e-mails; of others' rows only that there are some."""
    found = await world.find(JULIE)
    made = export.zipped(export.told(found, JULIE, AT), found.files(world.folders))
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        assert sorted(archive.namelist()) == ["mails/1.eml", "messages/1.wav", "person.json", "recordings/c1.wav"]
        told = json.loads(archive.read("person.json"))
    assert told["own"]["tickets"][0]["requester_phone"] == "14185550199"
    assert told["mentioned_in"] == {"tickets": 1}
    assert "15145550111" not in json.dumps(told)


async def test_she_is_erased_and_the_figures_stay(world: World) -> None:
    """His stays whole; what has to stay of hers is told; a second time nothing is left to do."""
    his = await world.find(OTHER)
    done = await world.erase(JULIE)
    assert done.files == 3
    after = await world.everything()
    left = {name for name, rows in after.items() if "4185550199" in repr(rows) or "julie@" in repr(rows)}
    assert left == {"sms_opt_outs", "contacts", "numbers"}
    assert {line.partition(":")[0] for line in done.left} == {"sms_opt_outs", "contacts", "numbers", "tickets"}
    call = next(row for row in after["calls"] if row["id"] == "c1")
    assert (call["result"], call["ani"]) == ("answered", None)
    ticket = next(row for row in after["tickets"] if row["number"] == 101)
    assert (ticket["status"], ticket["observed"], ticket["requester_email"]) == ("closed", None, None)
    assert {row["ticket_number"]: row["problem"] for row in after["solutions"]} == {101: None, 102: "Julie"}
    assert [row["trace_id"] for row in after["call_trace_evidence"]] == ["t2"]
    assert [path.name for path in world.folders.messages.iterdir()] == ["m2.wav"]
    again = await world.find(OTHER)
    assert (again.own, len(again.files(world.folders))) == (his.own, 3)
    assert (await world.erase(JULIE)).rows == {}
    noted = [(row["who"], row["action"], row["subject"], row["outcome"]) for row in after["audit"]]
    assert noted == [("annie", "person.erase", "…0199 …mple", 200)]


async def test_what_is_still_open_waits(world: World) -> None:
    """An open ticket with its message, a notice that has not left, a call that goes on: told, and not erased."""
    async with world.store.unit() as unit:
        await unit.execute(tickets.update().where(tickets.c.number == 101).values(status="new"))
        await unit.execute(outbox.update().where(outbox.c.id == 1).values(state="pending"))
        await unit.execute(calls.update().where(calls.c.id == "c1").values(ended_at=None))
    done = await world.erase(JULIE)
    assert not {"tickets", "messages", "outbox", "calls"} & set(done.rows)
    assert {"tickets", "messages", "outbox", "calls"} <= {line.partition(":")[0] for line in done.left}
    assert (world.folders.messages / "m1.wav").exists()
