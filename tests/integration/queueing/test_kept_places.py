"""Places kept for callers of whom nothing was heard any more: whose they are, how long, and over a restart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ivr.calls.log import CallLog
from ivr.desk.load import load_desks
from ivr.events import EventBus
from ivr.queueing.kept_places import KeptPlaces
from ivr.store.engine import Store
from tests.beginning import begin_call

NOW = datetime(2026, 11, 25, 15, 0, tzinfo=UTC)
WHO = "14185550101"


class World:
    """A service's calls and kept places, at a moment."""

    def __init__(self, store: Store) -> None:
        self.store, self.now = store, NOW
        self.start()

    def start(self) -> None:
        """Another service on the same database."""
        self.calls = CallLog(self.store, EventBus(), silent_s=50)
        self.kept = KeptPlaces(self.store, load_desks(), lambda: self.now)

    def ends(self, call_id: str, *, cause: int = 44, queue: str = "support", **values: Any) -> None:
        """A call waited in a queue for a minute, and ended."""
        linkedid = f"{call_id}.1"
        begin_call(self.calls, call_id, linkedid=linkedid, at=self.now, **({"ani": WHO} | values))
        self.calls.queued(call_id, self.now, queue=queue)
        self.now += timedelta(minutes=1)
        self.calls.hung_up(call_id, self.now, cause=cause)
        self.kept.enter({"event": "Hangup", "uniqueid": linkedid}, self.calls)

    def find(self, ani: str | None = WHO, endpoint: str | None = None, queue: str = "support") -> str | None:
        found = self.kept.find("omnivigil", queue, ani=ani, endpoint=endpoint)
        return found.call_id if found is not None else None


@pytest.fixture
def world(store: Store) -> World:
    return World(store)


def test_the_same_number_or_phone_has_it_and_nobody_else(world: World) -> None:
    world.ends("number")
    world.ends("phone", ani="14185550102", endpoint="6002")
    assert world.find() == "number"
    assert world.find(ani=None, endpoint="6002") == "phone"
    assert world.find(ani="14185550199") is None
    assert world.find(ani=None) is None
    assert world.find(queue="elsewhere") is None


def test_who_hung_up_or_has_no_number_has_none(world: World) -> None:
    world.ends("hung-up", cause=16)
    world.ends("nobody", ani=None)
    assert world.find() is None
    assert world.find(ani=None) is None


async def test_whom_a_technician_answered_too_late_has_it_too(world: World) -> None:
    """They were gone already: it was abandoned, and nobody has answered."""
    begin_call(world.calls, "late", linkedid="late.1", at=NOW, ani=WHO)
    world.calls.queued("late", NOW, queue="support")
    world.calls.leg("late", "t.1", channel="PJSIP/7001-1", role="member", at=NOW)
    world.calls.answered("late", NOW, endpoint="7001")
    world.calls.hung_up("late", NOW + timedelta(seconds=50), cause=44)
    world.kept.enter({"event": "Hangup", "uniqueid": "late.1"}, world.calls)
    assert world.find() == "late"
    call = world.calls.current("late")
    assert call is not None
    assert (call.result, call.answered_by) == ("abandoned", None)


def test_it_is_kept_for_a_quarter_of_an_hour(world: World) -> None:
    world.ends("a")
    world.now += timedelta(minutes=15) - timedelta(microseconds=1)
    assert world.find() == "a"
    world.now += timedelta(microseconds=1)
    assert world.find() is None


async def test_it_survives_a_restart_and_is_taken_once(world: World) -> None:
    world.ends("a")
    await world.calls.flush()
    world.start()
    assert world.find() is None
    await world.kept.load()
    place = world.kept.find("omnivigil", "support", ani=WHO, endpoint=None)
    assert place is not None
    assert place.arrived_at == NOW
    assert world.kept.take(place)
    assert not world.kept.take(place)
    await world.kept.record(place)
    world.start()
    await world.kept.load()
    assert world.find() is None


def test_who_vanishes_again_has_the_place_of_the_first_time(world: World) -> None:
    world.ends("a")
    first = world.kept.find("omnivigil", "support", ani=WHO, endpoint=None)
    assert first is not None
    assert world.kept.take(first)
    begin_call(world.calls, "b", linkedid="b.1", at=world.now, ani=WHO)
    world.calls.waits_since("b", first.arrived_at)
    world.calls.queued("b", world.now, queue="support")
    world.calls.hung_up("b", world.now, cause=44)
    world.kept.enter({"event": "Hangup", "uniqueid": "b.1"}, world.calls)
    again = world.kept.find("omnivigil", "support", ani=WHO, endpoint=None)
    assert again is not None
    assert (again.call_id, again.arrived_at) == ("b", NOW)
