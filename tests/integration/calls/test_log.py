"""Calls as facts: in memory at once, in the database soon, through outages."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ivr.calls import log as call_log
from ivr.calls.held import Bounds
from ivr.calls.log import CallLog
from ivr.calls.store import close_left_open, page, read
from ivr.directory.model import Customer, Identity, Partner
from ivr.events import Event, EventBus
from ivr.store.engine import Store, StoreUnavailable
from tests.beginning import begin_call

NOW = datetime(2026, 12, 24, 16, 59, tzinfo=UTC)
KNOWN = Identity(
    by="number",
    customer=Customer(id=1, account="C-1001", name="Clinique du Cap"),
    partner=Partner(id=1, name="Boréal", tier="elite"),
    language="fr",
)
Away = Callable[[], AbstractContextManager[None]]


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


@pytest.fixture
def bus() -> EventBus:
    return EventBus()


@pytest.fixture
def calls(store: Store, bus: EventBus) -> CallLog:
    return CallLog(store, bus)


def begin(calls: CallLog, call_id: str = "a", **values: Any) -> None:
    begin_call(calls, call_id, **({"at": NOW} | values))


@contextlib.asynccontextmanager
async def running(calls: CallLog) -> AsyncIterator[None]:
    writer = asyncio.create_task(calls.run())
    try:
        yield
    finally:
        writer.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await writer


async def until(condition: Callable[[], Any], deadline_s: float = 10.0) -> None:
    async with asyncio.timeout(deadline_s):
        while True:
            found = condition()
            if await found if asyncio.iscoroutine(found) else found:
                return
            await asyncio.sleep(0.01)


async def stored(store: Store, call_id: str) -> tuple[dict[str, Any], list[str]] | None:
    async with store.reading() as unit:
        found = await read(unit, call_id)
    return (vars(found), [event.kind for event in found.events]) if found else None


class TestTimeline:
    async def test_a_call_from_beginning_to_end(self, calls: CallLog, store: Store) -> None:
        begin(calls, identity=KNOWN)
        calls.note("a", "played", later(1), prompts="welcome, menu", language="fr")
        calls.note("a", "pressed", later(2), key="2")
        calls.route("a", department="support", language="fr")
        calls.queued("a", later(3), queue="support", position=1)
        calls.leg("a", "170.b", channel="PJSIP/7001-b", role="member", endpoint="7001", at=later(4))
        calls.leg_answered("a", "170.b", later(6))
        calls.answered("a", later(6), endpoint="7001")
        linkedid = calls.live()[0].linkedid
        calls.leg_scored(linkedid, "170.b", 3.2)
        calls.leg_ended("a", "170.b", later(60), cause=16)
        calls.leg_scored(linkedid, "170.a", 4.4)
        calls.leg_scored("999.z", "170.a", 1.0)
        calls.leg_ended("a", "170.a", later(60), cause=16)
        calls.hung_up("a", later(60), cause=16)
        live = await calls.snapshot("a")
        await calls.flush()
        assert calls.current("a") is None
        past = await calls.snapshot("a")
        assert past == live
        assert past is not None
        assert (past["result"], past["state"], past["answered_by"], past["queue"]) == (
            "answered",
            "ended",
            "7001",
            "support",
        )
        assert [entry["kind"] for entry in past["timeline"]] == [
            "started",
            "played",
            "pressed",
            "queued",
            "answered",
            "ended",
        ]
        assert past["timeline"][2]["facts"] == {"key": "2"}
        assert [(leg["role"], leg["answered_at"], leg["cause"], leg["mos"]) for leg in past["legs"]] == [
            ("caller", NOW, 16, 4.4),
            ("member", later(6), 16, 3.2),
        ]
        assert past["identity"]["partner"]["tier"] == "elite"

    async def test_a_caller_who_hangs_up_in_mid_prompt_is_complete(self, calls: CallLog, store: Store) -> None:
        begin(calls)
        calls.note("a", "played", later(1), prompts="welcome")
        calls.hung_up("a", later(2), cause=16)
        await calls.flush()
        found = await stored(store, "a")
        assert found is not None
        assert (found[0]["result"], found[0]["reason"]) == ("hung-up-in-menu", "caller hung up")
        assert found[1] == ["started", "played", "ended"]

    async def test_the_first_result_stands(self, calls: CallLog, store: Store) -> None:
        begin(calls)
        calls.end("a", later(1), result="message", reason="closed")
        calls.hung_up("a", later(2), cause=16)
        await calls.flush()
        found = await stored(store, "a")
        assert found is not None
        assert (found[0]["result"], found[0]["ended_at"]) == ("message", later(1))

    async def test_what_comes_after_the_end_is_kept_until_the_channel_is_gone(
        self, calls: CallLog, store: Store
    ) -> None:
        begin(calls)
        calls.end("a", later(1), result="message", reason="closed")
        await calls.flush()
        assert calls.current("a") is not None
        calls.leg_ended("a", "170.a", later(2), cause=16)
        calls.hung_up("a", later(2), cause=16)
        await calls.flush()
        assert calls.current("a") is None
        snapshot = await calls.snapshot("a")
        assert snapshot is not None
        assert snapshot["legs"][0]["ended_at"] == later(2)

    async def test_a_call_whose_channel_is_never_heard_of_again_leaves_memory(
        self, calls: CallLog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(call_log, "_GRACE_S", 0.1)
        begin(calls)
        calls.end("a", later(1), result="failed", reason="test")
        async with running(calls):
            await until(lambda: calls.current("a") is None)

    async def test_unknown_calls_are_passed_over(self, calls: CallLog) -> None:
        calls.note("", "played", NOW, prompts="x")
        calls.route("x", department="d", language="fr")
        calls.queued("x", NOW, queue="q")
        calls.answered("x", NOW, endpoint="7001")
        calls.leg("x", "1", channel="c", role="caller", at=NOW)
        calls.leg_ended("x", "1", NOW)
        calls.hung_up("x", NOW)
        calls.end("x", NOW, result="r", reason="r")
        assert await calls.snapshot("x") is None

    async def test_hostile_text_is_written(self, calls: CallLog, store: Store) -> None:
        evil = "a\x00b\udce9${SHELL(id)}'\"\r\n" + "x" * 1000
        begin(calls, dialled=evil, channel=evil, endpoint=evil)
        calls.note("a", evil, NOW, value=evil, number=float("inf"), raw=b"\xff")
        calls.leg("a", evil, channel=evil, role="caller", at=NOW, endpoint=evil)
        calls.end("a", NOW, result="failed", reason=evil)
        await calls.flush()
        found = await stored(store, "a")
        assert found is not None
        assert len(found[0]["dialled"]) == 40
        assert len(found[1]) == 3

    async def test_naive_moments_are_refused(self, calls: CallLog) -> None:
        with pytest.raises(ValueError, match="no time zone"):
            begin(calls, at=datetime(2026, 1, 1))  # noqa: DTZ001

    async def test_asterisks_linkedid_leads_to_the_call(self, calls: CallLog) -> None:
        begin(calls)
        assert calls.id_of("170.a") == "a"
        call = calls.call_of("170.a")
        assert call is not None
        assert call.id == "a"
        assert calls.id_of("171.b") is None
        calls.hung_up("a", NOW)
        await calls.flush()
        assert calls.id_of("170.a") is None


class TestWhatIsTold:
    async def test_events_of_a_call(self, store: Store, bus: EventBus) -> None:
        async def open_tickets(customer_id: int) -> list[dict[str, Any]]:
            return [{"number": "100001", "customer_id": customer_id}]

        calls = CallLog(store, bus, open_tickets=open_tickets)
        listener = bus.listen()
        begin(calls, identity=KNOWN)
        calls.queued("a", later(1), queue="support")
        calls.answered("a", later(2), endpoint="7001")
        calls.answered("a", later(3), endpoint="7002")
        await calls.close()
        calls.hung_up("a", later(4))
        bus.close()
        events: list[Event] = [event async for event in listener]
        assert [event.kind for event in events] == ["call.started", "call.queued", "call.answered", "call.ended"]
        card = events[2].data
        assert card["identity"]["customer"]["name"] == "Clinique du Cap"
        assert card["identity"]["partner"]["name"] == "Boréal"
        assert card["open_tickets"] == [{"number": "100001", "customer_id": 1}]
        assert card["answered_by"] == "7001"
        assert events[3].data["result"] == "answered"

    async def test_whoever_answers_learns_who_calls_also_without_the_database(
        self, store: Store, bus: EventBus
    ) -> None:
        async def open_tickets(_: int) -> list[dict[str, Any]]:
            raise StoreUnavailable(problem="away")

        calls = CallLog(store, bus, open_tickets=open_tickets)
        begin(calls, identity=KNOWN)
        listener = bus.listen()
        calls.answered("a", later(2), endpoint="7001")
        event = await anext(listener)
        assert event.data["identity"]["customer"]["account"] == "C-1001"
        assert event.data["open_tickets"] is None


class TestWriting:
    async def test_the_writer_writes_by_itself_soon(self, calls: CallLog, store: Store) -> None:
        async with running(calls):
            begin(calls)
            await until(lambda: stored(store, "a"), 2)
            calls.note("a", "pressed", later(1), key="1")

            async def two() -> bool:
                found = await stored(store, "a")
                return found is not None and found[1] == ["started", "pressed"]

            await until(two, 2)

    async def test_many_calls_at_once_are_all_written(self, calls: CallLog, store: Store) -> None:
        async with running(calls):
            for n in range(1000):
                begin(calls, f"c{n}")
                calls.hung_up(f"c{n}", later(1))
            await until(lambda: not calls.live() and calls.current("c999") is None)
        async with store.reading() as unit:
            assert len(await page(unit, filters={}, before=None, limit=2000)) == 1000

    async def test_nothing_is_lost_in_an_outage(
        self, calls: CallLog, store: Store, database_away: Away, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(call_log, "_PATIENCE_S", 0.3)
        async with running(calls):
            begin(calls, "before")
            await until(lambda: stored(store, "before"))
            with database_away():
                calls.note("before", "pressed", later(1), key="1")
                begin(calls, "during")
                calls.hung_up("during", later(2))
                with pytest.raises(StoreUnavailable):
                    await calls.flush()
                # Live all the same.
                snapshot = await calls.snapshot("during")
                assert snapshot is not None
                assert snapshot["result"] == "hung-up-in-menu"
            await until(lambda: stored(store, "during"))
        await calls.flush()
        assert (await stored(store, "before") or ({}, []))[1] == ["started", "pressed"]
        assert (await stored(store, "during") or ({}, []))[1] == ["started", "ended"]

    async def test_memory_is_bounded_in_an_outage_and_what_is_left_out_is_counted(
        self, store: Store, bus: EventBus
    ) -> None:
        calls = CallLog(store, bus, bounds=Bounds(events_per_call=5, events=12, ended=3))
        begin(calls, "long")
        for n in range(20):
            calls.note("long", "pressed", later(n), key="*")
        for n in range(10):
            begin(calls, f"c{n}")
            calls.hung_up(f"c{n}", later(1))
        held = [f"c{n}" for n in range(10) if calls.current(f"c{n}") is not None]
        assert held == ["c7", "c8", "c9"]
        await calls.flush()
        found = await stored(store, "long")
        assert found is not None
        assert len(found[1]) == 5
        assert found[0]["events_lost"] == 16

    async def test_a_call_that_the_database_refuses_does_not_hold_up_the_others(
        self, calls: CallLog, store: Store
    ) -> None:
        begin(calls, "good")
        begin(calls, "bad")
        bad = calls.current("bad")
        assert bad is not None
        bad.desk = None  # type: ignore[assignment]
        begin(calls, "better")
        await calls.flush()
        assert await stored(store, "good")
        assert await stored(store, "better")
        assert calls.current("bad") is None

    async def test_a_flush_that_is_cancelled_is_repeated(
        self, calls: CallLog, store: Store, database_held: Away
    ) -> None:
        begin(calls)
        with database_held():
            flushing = asyncio.create_task(calls.flush())
            await asyncio.sleep(0.05)
            flushing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await flushing
        await calls.flush()
        assert (await stored(store, "a") or ({}, []))[1] == ["started"]

    async def test_closing_writes_what_is_left_and_does_not_wait_for_ever(
        self, calls: CallLog, store: Store, database_away: Away
    ) -> None:
        begin(calls)
        with database_away():
            await calls.close(deadline_s=0.1)
        await calls.close()
        assert await stored(store, "a")


async def test_calls_left_open_by_a_crash_are_closed(calls: CallLog, store: Store) -> None:
    begin(calls, "open")
    begin(calls, "done")
    calls.end("done", later(1), result="message", reason="closed")
    await calls.flush()
    async with store.unit() as unit:
        assert await close_left_open(unit, at=later(9)) == 1
    found, done = await stored(store, "open"), await stored(store, "done")
    assert found is not None
    assert done is not None
    assert (found[0]["result"], found[0]["reason"], found[0]["ended_at"]) == ("failed", "service-restarted", later(9))
    assert done[0]["result"] == "message"
