"""Reports become tickets with their evidence, exactly once, whatever fails."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, select

from ivr.asterisk.hep import SIP
from ivr.calltrace import evidence, triage
from ivr.calltrace import store as statements
from ivr.calltrace.offline import AwayReports
from ivr.calltrace.service import Receipt
from ivr.calltrace.tables import call_trace_evidence, call_traces, incident_proposals, recommendations
from ivr.desk.load import load_desks
from ivr.errors import Unavailable
from ivr.evidence.legs import Device
from ivr.notify.tables import outbox
from ivr.tickets.service import Tickets
from ivr.tickets.spool import Spool
from ivr.tickets.tables import ticket_events, ticket_spans, tickets
from tests.integration.calltrace.conftest import NOW, World

Away = Callable[[], AbstractContextManager[None]]


async def rows(world: World, table: Table) -> list[dict[str, Any]]:
    async with world.store.reading() as unit:
        return [dict(row) for row in (await unit.execute(select(table))).mappings()]


async def _full(*_: object) -> None:
    raise OSError(28, "No space left on device")


async def report(
    world: World, phone: str = "6001", *, report_id: str = "r1", patience_s: float | None = None, **how: Any
) -> Receipt:
    call = world.call(phone, **how)
    return await world.traces.take_in(
        world.traces.intake(call, Device(phone=phone), report_id=report_id), patience_s=patience_s
    )


class TestTicket:
    async def test_ov21_to_ov23_ticket_evidence_and_notices_in_one_transaction(self, world: World) -> None:
        receipt = await report(world, lost=60)
        (ticket,), (trace,), (kept,) = [await rows(world, one) for one in (tickets, call_traces, call_trace_evidence)]
        assert receipt.ticket_number == str(ticket["number"])
        assert (ticket["kind"], ticket["status"], ticket["department"]) == ("call-trace", "documented", "support")
        assert (ticket["requester_name"], ticket["account_number"]) == ("Julie Tremblay", "C-1001")
        assert ticket["examples"] == [
            {"date": "2026-11-25", "time": "09:59", "extension": "6001", "number": "15145550199"}
        ]
        assert "Liaison montante" in ticket["observed"]
        assert (trace["cause"], trace["route"], trace["device"], trace["trunk"]) == (
            "uplink",
            "partner",
            "6001",
            "outbound",
        )
        assert trace["legs"]["near"]["up"]["lost"] == 60
        assert len(evidence.unpack(kept["packets"])) == 2
        told = await rows(world, outbox)
        assert [one["recipient"] for one in told] == [
            "support@omnivigil.com",
            "soutien@boreal.example",
            "julie@clinique.example",
        ]
        assert all(one["ticket_number"] == ticket["number"] for one in told)
        # Where each of them can see it, in a browser.
        pages = [re.findall("https://[^ \n]+", one["body"]) for one in told]
        assert pages == [
            [f"https://ligne.example/console/traces/{trace['id']}/report"],
            [f"https://ligne.example/console/portal/traces/{trace['id']}/report"],
            [],
        ]
        assert {"ticket.created", "call-trace.reported"} <= {event.kind for event in world.bus._kept}

    async def test_the_same_call_again_is_the_same_ticket_and_noted(self, world: World) -> None:
        call = world.call(lost=60)
        first = await world.traces.take_in(world.traces.intake(call, Device(phone="6001"), report_id="r1"))
        second = await world.traces.take_in(world.traces.intake(call, Device(phone="6001"), report_id="r2"))
        repeated = await world.traces.take_in(world.traces.intake(call, Device(phone="6001"), report_id="r2"))
        assert first.ticket_number == second.ticket_number == repeated.ticket_number
        assert (first.again, second.again) == (False, True)
        (trace,) = await rows(world, call_traces)
        assert trace["report_ids"] == ["r1", "r2"]
        assert [one["kind"] for one in await rows(world, ticket_events)] == [
            "created",
            "documented",
            "reported-again",
        ]
        assert len(await rows(world, outbox)) == 3

    async def test_both_phones_of_a_call_report_it_each_for_itself(self, world: World) -> None:
        call = world.call("6001", far="6002", lost=60)
        for phone in ("6001", "6002"):
            await world.traces.take_in(world.traces.intake(call, Device(phone=phone), report_id=phone))
        found = {one["device"]: (one["cause"], one["account_number"]) for one in await rows(world, call_traces)}
        assert found == {"6001": ("uplink", "C-1001"), "6002": ("other-party", "C-1002")}

    async def test_ov13_a_call_without_audio_is_haute(self, world: World) -> None:
        await report(world, rx=0)
        (ticket,) = await rows(world, tickets)
        assert ticket["priority"] == "haute"

    @pytest.mark.parametrize(
        ("phone", "how", "route", "level"),
        [
            ("6001", {"far_lost": 60}, "level-4", 4),
            ("6001", {"lost": 60, "far_lost": 60}, "level-4", 4),
            ("6001", {}, "partner", None),
            ("6003", {}, "level-2", 2),
            ("6003", {"lost": 60}, "customer", None),
        ],
    )
    async def test_ov16_and_ov24_who_gets_it(
        self, world: World, phone: str, how: dict[str, Any], route: str, level: int | None
    ) -> None:
        await report(world, phone, **how)
        (ticket,), (trace,) = await rows(world, tickets), await rows(world, call_traces)
        assert (trace["route"], ticket["level"]) == (route, level)
        assert (ticket["partner_id"] is not None) == (route == "partner")

    async def test_ov23_it_follows_the_ordinary_process_from_then_on(self, world: World) -> None:
        """TMR runs from the report on (OV-14); no later change sends the ticket another way than the verdict did."""
        await report(world, "6001")
        (ticket,) = await rows(world, tickets)
        assert (ticket["status"], ticket["documented_at"]) == ("documented", ticket["created_at"])
        spans = await rows(world, ticket_spans)
        assert [(span["clock"], span["ended_at"]) for span in spans] == [("tmr", None)]
        async with world.store.unit() as unit:
            held = Tickets(desks=load_desks(), bus=world.bus, clock=lambda: NOW)
            await held.change(unit, ticket["number"], {"observed": "Autre chose."}, by="ops")
        (after,) = await rows(world, tickets)
        assert (after["level"], after["partner_id"]) == (ticket["level"], ticket["partner_id"])

    async def test_ov18_nothing_is_owed_outside_the_demarcation_point(self, world: World) -> None:
        await report(world, "6003", lost=60)
        (ticket,) = await rows(world, tickets)
        assert ticket["outside"]
        assert await rows(world, ticket_spans) == []

    async def test_the_last_figures_change_the_finding(self, world: World) -> None:
        """In the first second after hanging up little is known; what comes then is taken up."""
        call = world.call()
        await world.traces.take_in(world.traces.intake(call, Device(phone="6001"), report_id="r1"))
        worse = world.call(lost=400)
        call.legs.clear()
        call.legs.update(worse.legs)
        await world.traces.settle(call, Device(phone="6001"), "r1", after_s=0)
        (ticket,), (trace,) = await rows(world, tickets), await rows(world, call_traces)
        assert (trace["cause"], trace["report_ids"], ticket["priority"]) == ("uplink", ["r1"], "haute")
        assert (await rows(world, ticket_events))[-1]["kind"] == "evidence"

    async def test_what_came_late_is_kept_also_where_it_changes_no_figure(self, world: World) -> None:
        """The answer to a BYE, say."""
        call = world.call()
        await world.traces.take_in(world.traces.intake(call, Device(phone="6001"), report_id="r1"))
        before = evidence.unpack((await rows(world, call_trace_evidence))[0]["packets"])
        near = next(iter(call.legs.values()))
        late = b"SIP/2.0 200 OK\r\nCall-ID: " + near.call_id.encode() + b"\r\nCSeq: 2 BYE\r\n\r\n"
        world.ring.add(world.ring.packets(near)[0]._replace(kind=SIP, payload=late))
        await world.traces.settle(call, Device(phone="6001"), "r1", after_s=0)
        kept = evidence.unpack((await rows(world, call_trace_evidence))[0]["packets"])
        assert len(kept) == len(before) + 1
        assert late in [packet.payload for packet in kept]

    async def test_who_was_told_another_finding_is_told_the_new_one(self, world: World) -> None:
        """In the first second only one leg has ended: the phone looks guilty of what both sides have (OV-24)."""
        call = world.call(lost=60, far_lost=60)
        near, far = call.legs.values()
        call.legs = {near.uniqueid: near, far.uniqueid: replace(far, lost=0, their_lost=60)}
        await world.traces.take_in(world.traces.intake(call, Device(phone="6001"), report_id="r1"))
        assert [one["text"] for one in await rows(world, recommendations)]
        call.legs[far.uniqueid] = far
        await world.traces.settle(call, Device(phone="6001"), "r1", after_s=0)
        (ticket,), (trace,) = await rows(world, tickets), await rows(world, call_traces)
        assert (trace["cause"], ticket["level"], ticket["outside"]) == ("ours", 4, False)
        assert await rows(world, recommendations) == []
        told = [(one["recipient"], "Notre réseau" in one["body"]) for one in await rows(world, outbox)]
        people = ["support@omnivigil.com", "soutien@boreal.example", "julie@clinique.example"]
        assert [one for one, _ in told] == people * 2
        assert [new for _, new in told] == [False, False, False, True, True, False]
        # What was ours is nobody else's to answer: the next report is not marked.
        await report(world, report_id="r2")
        assert (await rows(world, call_traces))[-1]["state"] == "new"

    async def test_what_hits_many_places_at_once_is_ours(self, world: World) -> None:
        """OV-18, OV-24: three customers with the same bad minute are not sent to three Internet providers."""
        for phone in ("6002", "6003"):
            world.call(phone, lost=60)
        await report(world, "6001", lost=60)
        world.call("7004", lost=60)
        await report(world, "6001", lost=60, report_id="r2")
        assert [one["cause"] for one in await rows(world, call_traces)] == ["uplink", "ours"]


class TestRecommendations:
    async def test_ov25_kept_and_marked_while_recommendations_are_unanswered(self, world: World) -> None:
        await report(world, lost=60)
        assert [one["answered_at"] for one in await rows(world, recommendations)] == [None]
        await report(world, lost=60, report_id="r2")
        await report(world, "6002", report_id="r3")
        states = [(one["device"], one["state"]) for one in await rows(world, call_traces)]
        assert states == [("6001", "new"), ("6001", "unanswered"), ("6002", "new")]
        assert len(await rows(world, tickets)) == 3
        assert len(await rows(world, recommendations)) == 1
        async with world.store.unit() as unit:
            assert await statements.answer(unit, customer_id=1, text="fait", by="annie", at=world.now[0]) == 1
        await report(world, lost=60, report_id="r4")
        assert (await rows(world, call_traces))[-1]["state"] == "new"


class TestTogether:
    async def test_three_reports_propose_one_incident_to_operations(self, world: World) -> None:
        for number, phone in enumerate(("6001", "6002", "6003")):
            await report(world, phone, far_lost=60, report_id=str(number))
            await world.settled()
            world.later(minutes=4)
        found = {one["shared"]: one for one in await rows(world, incident_proposals)}
        # They call from three sites.
        assert set(found) == {"trunk", "codec"}
        assert len(found["trunk"]["traces"]) == 3
        mails = [one for one in await rows(world, outbox) if "Incident proposé" in one["subject"]]
        assert len(mails) == 2
        listed = [f"https://ligne.example/console/traces/{one}/report" for one in found["trunk"]["traces"]]
        assert [line for line in mails[0]["body"].splitlines() if "/" in line] == listed
        await report(world, "6001", far_lost=60, report_id="4")
        await world.settled()
        assert len(await rows(world, incident_proposals)) == 2
        kinds = [event.kind for event in world.bus._kept]
        assert (kinds.count("incident.proposed"), kinds.count("incident.proposal-grew")) == (2, 2)

    async def test_what_staff_dismissed_comes_back_with_three_new_reports(self, world: World) -> None:
        async def calls(*phones: str) -> list[tuple[str, str, int]]:
            for phone in phones:
                await report(world, phone, far_lost=60, report_id=str(world.calls))
                await world.settled()
                world.later(minutes=1)
            found = await rows(world, incident_proposals)
            return [(one["shared"], one["state"], len(one["traces"])) for one in found]

        assert ("trunk", "proposed", 3) in await calls("6001", "6002", "6003")
        for one in await rows(world, incident_proposals):
            async with world.store.unit() as unit:
                at = world.now[0]
                await triage.dismiss(unit, one["id"], who="ops", at=at, bus=world.bus)
                again = await triage.dismiss(unit, one["id"], who="annie", at=at + timedelta(1), bus=world.bus)
            assert (again["dismissed_by"], again["dismissed_at"]) == ("ops", at)
        assert {state for _, state, _ in await calls("7101", "7102")} == {"dismissed"}
        assert [one for one in await calls("7103") if one[0] == "trunk"] == [
            ("trunk", "dismissed", 3),
            ("trunk", "proposed", 3),
        ]
        mail = [one for one in await rows(world, outbox) if "liaison outbound" in one["subject"]][-1]
        assert mail["subject"].startswith("Incident proposé : 3 signalements")
        assert mail["body"].count("/console/traces/") == 3

    async def test_not_when_they_are_far_apart(self, world: World) -> None:
        for number in range(3):
            await report(world, far_lost=60, report_id=str(number))
            await world.settled()
            world.later(minutes=8)
        assert await rows(world, incident_proposals) == []


class TestAway:
    async def test_database_down_it_is_on_disk_and_enters_once_with_its_evidence(
        self, world: World, database_away: Away
    ) -> None:
        with database_away():
            receipt = await report(world, lost=60, patience_s=0.1)
            assert receipt.ticket_number is None
            assert len(receipt.reference) == 8
            assert len(list(world.spool.glob("*.json"))) == 1
            await asyncio.sleep(0.5)
        assert await world.traces.drain() == 1
        assert await world.traces.drain() == 0
        (ticket,), (kept,) = await rows(world, tickets), await rows(world, call_trace_evidence)
        assert ticket["reference"] == receipt.reference
        assert len(evidence.unpack(kept["packets"])) == 2
        assert list(world.spool.iterdir()) == []

    async def test_disk_full_too_it_is_kept_in_memory_until_one_is_back(
        self, world: World, database_away: Away, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Spool, "put", _full)
        with database_away():
            receipt = await report(world, lost=60, patience_s=0.1)
            assert receipt.ticket_number is None
            await asyncio.sleep(0.5)
        await world.traces.drain()
        assert [one["reference"] for one in await rows(world, tickets)] == [receipt.reference]

    async def test_what_is_on_disk_stays_there_while_it_can_go_nowhere_else(
        self, world: World, database_away: Away, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """What the dialplan took is not exchanged for a place in memory, that a power cut would empty."""
        folder = tmp_path / "reported"
        folder.mkdir()
        last = "1795384719|1795384710.2|1795384710.2|gone|ulaw|192.0.2.7:4000|6002|192.0.2.7:5060|lp=8;rxcount=900"
        (folder / "a.trace").write_text(f"v1|6001|1795384720.9|1795384725|47207259|{last}\n")
        away = AwayReports(folder, world.traces, timedelta(0))
        with database_away(), monkeypatch.context() as patched:
            patched.setattr(Spool, "put", _full)
            patched.setattr(world.traces, "_patience_s", 0.1)
            assert await away.once() == 0
            assert await away.once() == 0
            assert len(list(folder.iterdir())) == 1
            await asyncio.sleep(0.5)
        assert await away.once() == 1
        assert await world.traces.drain() == 0
        assert [one["reference"] for one in await rows(world, tickets)] == ["47207259"]
        assert list(folder.iterdir()) == []

    async def test_memory_takes_so_many_and_then_says_so(
        self, world: World, database_away: Away, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Spool, "put", _full)
        monkeypatch.setattr("ivr.calltrace.service._MOST_HELD", 1)
        with database_away():
            first = await report(world, patience_s=0.1)
            with pytest.raises(Unavailable):
                await report(world, report_id="r2", patience_s=0.1)
            await asyncio.sleep(0.5)
        await world.traces.drain()
        assert [one["reference"] for one in await rows(world, tickets)] == [first.reference]

    async def test_a_spooled_file_that_cannot_be_read_is_set_aside(self, world: World) -> None:
        world.spool.mkdir(parents=True)
        (world.spool / "x.json").write_text('{"key": 5}')
        await world.traces.drain()
        assert [path.name for path in (world.spool / "refused").iterdir()] == ["x.json"]

    async def test_what_the_dialplan_took_enters_once_under_the_reference_that_was_told(
        self, world: World, tmp_path: Path
    ) -> None:
        folder = tmp_path / "reported"
        folder.mkdir()
        figures = "lp=80;rxcount=920;txcount=1000;rlp=0;rtt=0.02;themssrc=5;ssrc=6"
        last = f"1795384719|1795384710.2|1795384710.2|gone|ulaw|192.0.2.7:4000|6002|192.0.2.7:5060|{figures}"
        (folder / "a.trace").write_text(f"v1|6001|1795384720.9|1795384725|47207259|{last}\n")
        (folder / "b.trace").write_text("nonsense")
        (folder / "c.trace").write_text(f"v1|6001|1795384721.1|1795384726|47207260|{last}\n")
        away = AwayReports(folder, world.traces, timedelta(0))
        assert await away.once() == 2
        (ticket,), (trace,) = await rows(world, tickets), await rows(world, call_traces)
        assert (ticket["reference"], ticket["account_number"]) == ("47207259", "C-1001")
        # Of the other leg nothing is known: the phone is not blamed.
        assert (trace["source"], trace["cause"], trace["legs"]["near"]["up"]["lost"]) == ("away", "inconclusive", 80)
        assert len(trace["report_ids"]) == 2
        assert [path.name for path in folder.iterdir()] == ["b.refused"]


async def test_ten_reports_at_once_are_ten_tickets(world: World) -> None:
    calls = [world.call("6001", lost=60) for _ in range(10)]
    intakes = [world.traces.intake(call, Device(phone="6001"), report_id=str(n)) for n, call in enumerate(calls)]
    receipts = await asyncio.gather(*(world.traces.take_in(intake) for intake in intakes for _ in range(2)))
    assert len({receipt.ticket_number for receipt in receipts}) == 10
    assert len(await rows(world, tickets)) == 10
