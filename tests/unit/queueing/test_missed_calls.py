"""Technicians who decline, let it ring, or cannot be reached: who has a rest, who a break, and who is told."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from ivr.asterisk.queue_members import RESTING, Member
from ivr.desk.load import BUILT_IN, load_desks
from ivr.desk.schema import Queue
from ivr.events import EventBus
from ivr.queueing.missed_calls import Consequence, InARow, Miss, Misses, consequence, miss_of, notice

DESK = load_desks(BUILT_IN)["omnivigil"]


@pytest.mark.parametrize(
    ("rang_s", "cause", "wanted"),
    [
        (0.2, 21, "declined"),
        (3.0, 17, "declined"),
        (0.1, 19, "declined"),
        (20.0, 19, "unanswered"),
        (19.2, None, "unanswered"),
        (20.0, 26, "unanswered"),
        (0.0, 1, "unreachable"),
        (0.1, 20, "unreachable"),
        (2.0, 38, "unreachable"),
        # The caller left, or somebody else answered.
        (4.0, 26, None),
        (4.0, 16, None),
        (4.0, 0, None),
        (18.9, None, None),
    ],
)
def test_why_a_call_was_not_taken(rang_s: float, cause: int | None, wanted: Miss | None) -> None:
    assert miss_of(rang_s=rang_s, ring_s=20, cause=cause) == wanted


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        (["declined"], "rest"),
        (["unreachable"], "rest"),
        (["unanswered"], "nothing"),
        (["unanswered", "unanswered"], "nothing"),
        (["unanswered"] * 3, "break"),
        (["declined"] * 3, "break"),
        # Each kind apart.
        (["unanswered", "unanswered", "declined"], "rest"),
        (["declined", "unanswered", "declined", "unanswered", "unanswered"], "break"),
    ],
)
def test_what_follows(row: list[Miss], wanted: Consequence) -> None:
    missed = InARow()
    for miss in row:
        missed = missed.and_one(miss)
    assert consequence(missed, row[-1], Queue()) == wanted


def test_nobody_has_a_break_where_the_desk_wants_none() -> None:
    assert consequence(InARow(declined=99), "declined", Queue(misses=0)) == "rest"
    assert consequence(InARow(unanswered=99), "unanswered", Queue(misses=0)) == "nothing"


def test_operations_are_told_who_and_who_is_left() -> None:
    facts: dict[str, Any] = {"endpoint": "7001", "name": "Annie", "queue": "support", "why": "declined", "misses": 3}
    some = notice(DESK, facts | {"left": 2, "waiting": 1})
    none = notice(DESK, facts | {"left": 0, "waiting": 4})
    assert some.subject == f"{DESK.name} : Annie est en pause"
    assert none.subject == f"{DESK.name} : plus personne ne répond à la file support"
    assert "Appelants en attente : 4." in none.body
    assert "gardent leur place" in none.body
    assert "gardent leur place" not in some.body


class Line:
    """A queue with one technician, whose break is noted; and a clock."""

    def __init__(self) -> None:
        self.now, self.paused, self.reason = 1000.0, False, ""
        self.asked: list[str] = []
        self.misses = Misses(
            ami=self,  # type: ignore[arg-type]
            members=self,  # type: ignore[arg-type]
            watch=self,  # type: ignore[arg-type]
            store=self,  # type: ignore[arg-type]
            desks=load_desks(BUILT_IN),
            bus=EventBus(),
            clock=lambda: datetime(2026, 11, 25, 15, tzinfo=UTC),
            monotonic=lambda: self.now,
        )

    queues = ("support",)

    def members(self, queue: str) -> tuple[Member, ...]:
        one = Member(
            queue=queue,
            endpoint="7001",
            name="Annie",
            paused=self.paused,
            paused_reason=self.reason,
            in_call=False,
            status="idle",
            calls_taken=0,
            last_call=None,
        )
        return (one,)

    async def pause(self, queue: str | None, endpoint: str, paused: bool, reason: str) -> None:
        self.paused, self.reason = paused, reason

    async def action(self, name: str, fields: dict[str, str]) -> None:
        self.asked.append(fields["Endpoint"])

    def rings_in_vain(self, *, cause: int, seconds: float, leg: str = "1.1") -> None:
        """As Asterisk tells it, in either order."""
        told = {"event": "AgentRingNoAnswer", "queue": "support", "interface": "PJSIP/7001", "destuniqueid": leg}
        self.misses.enter({**told, "ringtime": str(int(seconds * 1000))})
        self.misses.enter({"event": "Hangup", "channel": "PJSIP/7001-1", "uniqueid": leg, "cause": str(cause)})

    async def look(self) -> None:
        """What is to be done is done."""
        running = asyncio.create_task(self.misses.run())
        for _ in range(20):
            await asyncio.sleep(0)
        running.cancel()


async def test_who_declines_rests_and_is_rung_again() -> None:
    line = Line()
    line.rings_in_vain(cause=21, seconds=0.2)
    await line.look()
    assert (line.paused, line.reason) == (True, RESTING)
    line.now += 29.9
    await line.look()
    assert line.reason == RESTING
    line.now += 0.1
    await line.look()
    assert line.reason == ""
    # Whether the phone is there is asked only of one that rang in vain.
    assert line.asked == []


async def test_a_phone_that_rings_in_vain_is_asked_whether_it_is_there() -> None:
    line = Line()
    line.rings_in_vain(cause=26, seconds=20)
    await line.look()
    assert line.asked == ["7001"]
    assert not line.paused


async def test_who_rests_since_before_this_service_comes_back() -> None:
    """Whoever had them rest was killed; a break of their own is none of its business."""
    line = Line()
    line.paused, line.reason = True, RESTING
    await line.look()
    assert line.reason == ""
    line.paused, line.reason = True, "*23"
    line.now += 3600
    await line.look()
    assert line.reason == "*23"
