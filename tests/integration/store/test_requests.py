"""Requests become tickets exactly once, whatever fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from ivr.directory.demo import load_demo
from ivr.directory.lookup import Directory
from ivr.directory.model import NOBODY
from ivr.directory.tables import contacts, customers, endpoints, numbers
from ivr.events import EventBus
from ivr.notify.tables import outbox
from ivr.store.engine import Store
from ivr.tickets import messages as ticket_messages
from ivr.tickets import store as statements
from ivr.tickets.intake import Intake, Notice, VoiceMessage, requester_of
from ivr.tickets.intake_commit import enter
from ivr.tickets.messages import Receipt, leave_message, open_for_call, take_in
from ivr.tickets.model import Ticket
from ivr.tickets.promise import Promise
from ivr.tickets.spool import Spool, drain, keep_draining
from ivr.tickets.tables import messages, ticket_events, tickets

NOW = datetime(2026, 12, 24, 21, 59, tzinfo=UTC)
NOTICE = Notice(
    recipient="support@omnivigil.com",
    desk_name="OMNIVIGIL",
    department_name="Soutien technique",
    language="fr",
    timezone="America/Toronto",
)
PROMISE = Promise(priority="normale", until=datetime(2026, 12, 28, 22, 0, tzinfo=UTC))
Away = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool" / "intake"


@pytest.fixture
def spool(folder: Path) -> Spool:
    return Spool(folder)


@pytest.fixture
async def directory(store: Store) -> Directory:
    async with store.unit() as unit:
        await load_demo(unit)
    made = Directory(store)
    await made.reload()
    return made


def spooled(folder: Path) -> list[Path]:
    return list(folder.glob("*.json"))


def put_files(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_bytes(text)


def message(*, urgent: bool = True, number: str | None = "14185550101") -> VoiceMessage:
    return VoiceMessage(file="m1.wav", seconds=7.5, urgent=urgent, number=number)


async def leave(store: Store, spool: Spool, key: str = "m1", **values: Any) -> Receipt:
    given: dict[str, Any] = {
        "at": NOW,
        "desk": "omnivigil",
        "department": "support",
        "language": "fr",
        "call_id": "call-1",
        "identity": NOBODY,
        "message": message(),
        "notice": NOTICE,
    }
    return await leave_message(store, spool, key=key, **(given | values))


async def open_call(store: Store, spool: Spool, call_id: str = "call-1", **values: Any) -> Receipt:
    given: dict[str, Any] = {
        "at": NOW,
        "desk": "omnivigil",
        "department": "ventes",
        "language": "fr",
        "identity": NOBODY,
        "number": "14185550101",
    }
    return await open_for_call(store, spool, call_id=call_id, **(given | values))


async def rows(store: Store, table: Any) -> list[Any]:
    async with store.reading() as unit:
        return list(await unit.execute(select(table)))


async def ticket(store: Store, receipt: Receipt) -> Ticket:
    assert receipt.ticket_number is not None
    async with store.reading() as unit:
        found = await statements.get(unit, int(receipt.ticket_number))
    assert found is not None
    return found


class TestOneCaller:
    async def test_two_messages_by_one_caller_are_one_ticket(self, store: Store, spool: Spool) -> None:
        first = await leave(store, spool, "m1", message=message(urgent=False), promise=PROMISE)
        later = {"at": NOW + timedelta(minutes=59), "call_id": "call-2", "message": message()}
        second = await leave(store, spool, "m2", **later)
        assert second.ticket_number == first.ticket_number
        found = await ticket(store, first)
        # The second made it urgent; nothing makes it less so.
        assert (found.priority, found.promised_at, found.call_id) == ("urgente", PROMISE.until, "call-1")
        third = await leave(store, spool, "m3", call_id="call-3", message=message(urgent=False), promise=PROMISE)
        assert third.ticket_number == first.ticket_number
        assert (await ticket(store, first)).priority == "urgente"
        assert [one.ticket_number for one in await rows(store, messages)] == [found.number] * 3
        assert len(await rows(store, outbox)) == 3
        async with store.reading() as unit:
            joined = await statements.of_call(unit, "call-2")
            assert await statements.of_call(unit, "call-9") is None
        assert joined is not None
        assert joined.number == found.number

    @pytest.mark.parametrize(
        "other",
        [
            {"message": message(number="14185550102")},
            {"at": NOW + timedelta(minutes=61)},
            {"department": "ventes"},
            {"desk": "hotline-2024"},
        ],
    )
    async def test_of_another_caller_time_or_place_it_is_another(
        self, store: Store, spool: Spool, other: dict[str, Any]
    ) -> None:
        first = await leave(store, spool, "m1")
        second = await leave(store, spool, "m2", call_id="call-2", **other)
        assert second.ticket_number != first.ticket_number

    async def test_callers_without_a_number_are_not_one_caller(self, store: Store, spool: Spool) -> None:
        nobody = message(number=None)
        first = await leave(store, spool, "m1", message=nobody)
        assert (await leave(store, spool, "m2", call_id="call-2", message=nobody)).ticket_number != first.ticket_number
        phone = replace(nobody, endpoint="6001")
        third = await leave(store, spool, "m3", call_id="call-3", message=phone)
        fourth = await leave(store, spool, "m4", call_id="call-4", message=phone)
        assert third.ticket_number == fourth.ticket_number

    async def test_what_is_solved_is_not_opened_again_by_it(self, store: Store, spool: Spool) -> None:
        first = await leave(store, spool, "m1")
        async with store.unit() as unit:
            await statements.change(unit, int(first.ticket_number or 0), {"status": "closed"})
        assert (await leave(store, spool, "m2", call_id="call-2")).ticket_number != first.ticket_number

    async def test_it_survives_on_disk(self, store: Store, spool: Spool, database_away: Away) -> None:
        with database_away():
            await leave(store, spool, "m1", message=message(urgent=False), promise=PROMISE)
        assert await drain(spool, store) == 1
        [one] = await rows(store, tickets)
        assert (one.priority, one.promised_at) == ("normale", PROMISE.until)


class TestMessage:
    async def test_ov7_an_emergency_is_an_urgent_ticket_a_message_and_an_email(
        self, store: Store, spool: Spool
    ) -> None:
        receipt = await leave(store, spool)
        found = await ticket(store, receipt)
        assert (found.priority, found.department, found.call_id) == ("urgente", "support", "call-1")
        assert found.reference == receipt.reference
        [recording] = await rows(store, messages)
        assert (recording.ticket_number, recording.file, recording.seconds) == (found.number, "m1.wav", 7.5)
        [email] = await rows(store, outbox)
        assert (email.recipient, email.state, email.ticket_number) == (
            "support@omnivigil.com",
            "pending",
            found.number,
        )
        assert email.subject.startswith("URGENT")
        assert [event.kind for event in await rows(store, ticket_events)] == ["created", "message"]

    async def test_ov8_an_ordinary_one_has_no_priority_that_nobody_gave(self, store: Store, spool: Spool) -> None:
        receipt = await leave(store, spool, department="ventes", message=message(urgent=False))
        assert (await ticket(store, receipt)).priority is None

    async def test_ov12_what_the_directory_knows_is_there_and_the_rest_is_not_guessed(
        self, store: Store, spool: Spool, directory: Directory
    ) -> None:
        receipt = await leave(store, spool, identity=directory.identify("14185550101", None))
        found = await ticket(store, receipt)
        assert (found.requester_name, found.account_number) == ("Julie Tremblay", "C-1001")
        assert found.requester_phone == "14185550101"
        unknown = (found.service, found.observed, found.examples, found.expected, found.impact, found.mac)
        assert unknown == (None,) * 6
        assert found.level is None

    async def test_ov3_an_anonymous_caller_has_a_ticket_too(self, store: Store, spool: Spool) -> None:
        receipt = await leave(store, spool, message=message(number=None), call_id=None)
        found = await ticket(store, receipt)
        assert (found.requester_name, found.requester_phone, found.customer_id) == (None, None, None)

    async def test_the_same_message_twice_is_one_of_everything(self, store: Store, spool: Spool) -> None:
        first, second = await leave(store, spool), await leave(store, spool)
        assert first == second
        for table in (tickets, messages, outbox):
            assert len(await rows(store, table)) == 1

    async def test_the_same_message_many_times_at_once_is_one_of_everything(self, store: Store, spool: Spool) -> None:
        receipts = await asyncio.gather(*(leave(store, spool) for _ in range(10)))
        assert len(set(receipts)) == 1
        for table in (tickets, messages, outbox):
            assert len(await rows(store, table)) == 1

    async def test_two_messages_on_one_call_are_one_ticket(self, store: Store, spool: Spool) -> None:
        first, second = await leave(store, spool, "m1"), await leave(store, spool, "m2")
        assert first.ticket_number == second.ticket_number
        assert len(await rows(store, messages)) == 2


class TestNumbers:
    async def test_a_ticket_number_is_six_digits_from_100001(self, store: Store, spool: Spool) -> None:
        assert [(await open_call(store, spool, f"c{n}")).ticket_number for n in range(3)] == [
            "100001",
            "100002",
            "100003",
        ]

    async def test_a_number_is_never_given_again(self, store: Store, spool: Spool) -> None:
        await open_call(store, spool, "c1")
        async with store.unit() as unit:
            await unit.execute(delete(tickets))
        assert (await open_call(store, spool, "c2")).ticket_number == "100002"


class TestCall:
    async def test_ov11_a_call_has_one_ticket(self, store: Store, spool: Spool) -> None:
        receipts = await asyncio.gather(*(open_call(store, spool) for _ in range(5)))
        assert len(set(receipts)) == 1
        assert len(await rows(store, tickets)) == 1

    async def test_ov7_a_message_joins_the_calls_ticket_and_makes_it_urgent(self, store: Store, spool: Spool) -> None:
        opened = await open_call(store, spool)
        assert (await ticket(store, opened)).priority is None
        left = await leave(store, spool)
        assert left.ticket_number == opened.ticket_number
        found = await ticket(store, left)
        assert (found.priority, found.version) == ("urgente", 2)

    async def test_an_ordinary_message_does_not_make_an_urgent_ticket_less_so(self, store: Store, spool: Spool) -> None:
        await leave(store, spool, "m1")
        receipt = await leave(store, spool, "m2", message=message(urgent=False))
        assert (await ticket(store, receipt)).priority == "urgente"

    async def test_the_other_way_round_it_is_one_ticket_too(self, store: Store, spool: Spool) -> None:
        left, opened = await leave(store, spool), await open_call(store, spool)
        assert left.ticket_number == opened.ticket_number

    async def test_listeners_are_told_once_it_is_committed(self, store: Store, spool: Spool) -> None:
        bus = EventBus()
        listener = bus.listen()
        await open_call(store, spool, bus=bus)
        await open_call(store, spool, bus=bus)
        await leave(store, spool, bus=bus)
        bus.close()
        told = [(event.kind, event.data["number"], event.data["priority"]) async for event in listener]
        assert told == [("ticket.created", "100001", None), ("ticket.updated", "100001", "urgente")]


class TestOutage:
    async def test_a_message_is_on_disk_and_enters_exactly_once_afterwards(
        self, store: Store, spool: Spool, folder: Path, database_away: Away
    ) -> None:
        with database_away():
            receipt = await leave(store, spool)
            assert receipt.ticket_number is None
            assert len(receipt.reference) == 8
            assert len(spooled(folder)) == 1
            assert await drain(spool, store) == 0
        assert await drain(spool, store) == 1
        assert await drain(spool, store) == 0
        [entered] = await rows(store, tickets)
        assert entered.reference == receipt.reference
        assert entered.created_at == NOW
        assert len(await rows(store, messages)) == len(await rows(store, outbox)) == 1
        assert spooled(folder) == []

    async def test_a_commit_that_comes_through_after_all_makes_no_second_ticket(
        self, store: Store, spool: Spool, folder: Path, database_away: Away
    ) -> None:
        intake = Intake(
            key="m1",
            at=NOW,
            desk="omnivigil",
            department="support",
            language="fr",
            call_id=None,
            requester=requester_of(NOBODY),
            message=message(),
            notice=NOTICE,
        )
        with database_away():
            # The caller does not wait as long as the database may still take.
            receipt = await take_in(store, spool, intake, patience_s=0.02)
        await spool.close()
        assert receipt.ticket_number is None
        await drain(spool, store)
        assert len(await rows(store, tickets)) == len(await rows(store, messages)) == 1

    async def test_a_crash_between_entering_and_removing_makes_no_second_ticket(
        self, store: Store, spool: Spool, folder: Path, database_away: Away
    ) -> None:
        with database_away():
            await leave(store, spool)
        [path] = spooled(folder)
        text = path.read_bytes()
        await drain(spool, store)
        path.write_bytes(text)
        await drain(spool, store)
        assert len(await rows(store, tickets)) == len(await rows(store, outbox)) == 1

    async def test_many_are_entered_in_the_order_they_came(
        self, store: Store, spool: Spool, database_away: Away
    ) -> None:
        with database_away():
            references = [(await open_call(store, spool, f"c{n}")).reference for n in range(5)]
        assert await drain(spool, store) == 5
        assert [row.reference for row in await rows(store, tickets)] == references

    async def test_one_that_nobody_can_read_is_set_aside_and_holds_up_nobody(
        self, store: Store, spool: Spool, folder: Path, database_away: Away
    ) -> None:
        broken = {"0.json": b"", "1.json": b"{", "2.json": b"\xff", "3.json": b'{"key": "x"}'}
        put_files(folder, broken | {"half-written.partial": b"{"})
        with database_away():
            await leave(store, spool)
        assert await drain(spool, store) == 1
        assert {path.name for path in spooled(folder / "refused")} == set(broken)

    async def test_its_customer_may_be_gone_by_then(
        self, store: Store, spool: Spool, directory: Directory, database_away: Away
    ) -> None:
        identity = directory.identify("14185550103", None)
        with database_away():
            await leave(store, spool, identity=identity)
        assert identity.customer is not None
        async with store.unit() as unit:
            for statement in (
                delete(numbers).where(numbers.c.customer_id == identity.customer.id),
                update(endpoints).values(customer_id=None, contact_id=None),
                delete(contacts).where(contacts.c.customer_id == identity.customer.id),
                delete(customers).where(customers.c.id == identity.customer.id),
            ):
                await unit.execute(statement)
        assert await drain(spool, store) == 1
        [entered] = await rows(store, tickets)
        assert (entered.customer_id, entered.account_number) == (None, "C-1003")

    async def test_a_key_that_is_no_file_name_is_kept_within_the_folder(
        self, store: Store, spool: Spool, folder: Path, database_away: Away
    ) -> None:
        with database_away():
            await leave(store, spool, key="../../etc/passwd\n" + "x" * 150)
        assert len(spooled(folder)) == 1
        assert await drain(spool, store) == 1

    async def test_when_the_disk_refuses_too_it_is_said(
        self, store: Store, tmp_path: Path, database_away: Away
    ) -> None:
        (tmp_path / "file").write_bytes(b"")
        with database_away(), pytest.raises(OSError, match="file"):
            await leave(store, Spool(tmp_path / "file" / "intake"))

    async def test_a_call_that_is_torn_down_meanwhile_loses_nothing(
        self, store: Store, spool: Spool, database_held: Away, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # The request goes to disk while the database still holds.
        monkeypatch.setattr(ticket_messages, "_PATIENCE_S", 0.2)
        with database_held():
            leaving = asyncio.create_task(leave(store, spool))
            await asyncio.sleep(0.05)
            leaving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await leaving
            await spool.close()
        assert await drain(spool, store) == 1

    async def test_draining_goes_on_by_itself(self, store: Store, spool: Spool, database_away: Away) -> None:
        bus = EventBus()
        listener = bus.listen()
        draining = asyncio.create_task(keep_draining(spool, store, bus=bus, every_s=0.05))
        with database_away():
            await leave(store, spool)
        async with asyncio.timeout(10):
            assert (await anext(listener)).kind == "ticket.created"
        draining.cancel()


async def test_a_broken_request_leaves_nothing_behind(store: Store) -> None:
    intake = Intake(
        key="m1",
        at=NOW,
        desk="omnivigil",
        department="support",
        language="fr",
        call_id=None,
        requester=requester_of(NOBODY),
        message=message(),
        notice=replace(NOTICE, timezone="Nowhere/None"),
    )
    with pytest.raises(KeyError):
        async with store.unit() as unit:
            await enter(unit, intake)
    assert await rows(store, tickets) == await rows(store, messages) == []
