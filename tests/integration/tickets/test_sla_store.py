"""Whatever happens to a ticket, its ledger stays whole."""

from __future__ import annotations

import contextlib
import itertools
import random
from datetime import timedelta
from typing import Any, get_args

import pytest

from ivr.errors import BadInput
from ivr.tickets import sla_store
from ivr.tickets.model import Status
from ivr.tickets.sla import elapsed
from ivr.tickets.sla_monitor import Clockwork
from tests.integration.tickets.conftest import DOCUMENTED, Desk, local


def anything(chance: random.Random) -> dict[str, Any]:
    """One thing that somebody might do."""
    return chance.choice(
        [
            {"status": chance.choice(get_args(Status)), "reason": "r", "solution": "s"},
            {"status": "in-progress", "reason": "r", "solution": "s"},
            {"priority": chance.choice(["urgente", "haute", None])},
            {"level": chance.randint(1, 4)},
            {"outside": chance.choice([True, False])},
            {"on_site": chance.choice([True, False])},
            {"observed": chance.choice(["x", None])},
        ]
    )


@pytest.mark.parametrize("seed", range(4))
async def test_ov14_ov15_whatever_happens(desk: Desk, seed: int) -> None:
    """TMR and TR never run together, at most one span of each is open, spans are in order and meet what is running;
    what was counted never becomes less.
    """
    chance = random.Random(seed)
    at = local("2026-11-23T07:00")
    number = await desk.open("2026-11-23T07:00", observed=None if chance.random() < 0.5 else DOCUMENTED["observed"])
    calendar = desk.calendars["omnivigil"]["support"]
    counted: dict[str, timedelta] = {}
    for _ in range(40):
        at += timedelta(minutes=chance.randint(0, 400))
        if chance.random() < 0.3:
            moment = at
            await Clockwork(desk.store, desk.desks, desk.calendars, desk.bus, lambda moment=moment: moment).once()  # type: ignore[misc]
        else:
            fields = anything(chance)
            asked = {name: fields.pop(name, None) for name in ("reason", "solution")}
            with contextlib.suppress(BadInput):
                async with desk.store.unit() as unit:
                    await desk.tickets(at).change(unit, number, fields, by="annie", **asked)
        ticket = await desk.ticket(number)
        async with desk.store.reading() as unit:
            spans = (await sla_store.spans(unit, [number])).get(number, {})
        now_running = sla_store.running(ticket)
        assert len(now_running) <= 1
        for clock, entries in spans.items():
            still = [(one.level, one.pace) for one in entries if one.end is None]
            assert still == ([now_running[clock]] if clock in now_running else [])
            for earlier, later in itertools.pairwise(entries):
                assert earlier.end is not None
                assert earlier.end <= later.start
            passed = elapsed(entries, calendar, at)
            assert passed >= counted.get(clock, timedelta(0))
            counted[clock] = passed
        if "tr" in spans:
            assert ticket.answered_at is not None
            assert all(one.end is not None and one.end <= spans["tr"][0].start for one in spans.get("tmr", []))
    raised = [one[:3] for one in await desk.raised(number)]
    assert len(raised) == len(set(raised))
