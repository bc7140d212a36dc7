"""Retention of the evidence of reported calls; the verdict stays."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update

from ivr.calltrace.tables import call_trace_evidence, call_traces, incident_proposals, recommendations
from ivr.retention.declarations import Belongs, PersonalData, Retention, Sweep
from ivr.store.engine import Unit, batches


async def erase(unit: Unit, before: datetime) -> int:
    """Erase the evidence of reported calls, and the other party's number; the verdict stays. How many."""
    ids = select(call_traces.c.id).where(call_traces.c.reported_at < before)
    done = await unit.execute(delete(call_trace_evidence).where(call_trace_evidence.c.trace_id.in_(ids)))
    old = (call_traces.c.reported_at < before) & call_traces.c.other.is_not(None)
    await unit.execute(update(call_traces).where(old).values(other=None, site=None))
    answered = (recommendations.c.given_at < before) & recommendations.c.answer.is_not(None)
    await unit.execute(update(recommendations).where(answered).values(answer=None))
    await unit.execute(delete(incident_proposals).where(incident_proposals.c.updated_at < before))
    return done.rowcount


async def forget_traces(unit: Unit, ids: Sequence[Any]) -> None:
    """Erase the evidence of reported calls, and who the other party was."""
    for some in batches(ids):
        await unit.execute(delete(call_trace_evidence).where(call_trace_evidence.c.trace_id.in_(some)))
        await unit.execute(update(call_traces).where(call_traces.c.id.in_(some)).values(other=None, site=None))
        await unit.execute(update(recommendations).where(recommendations.c.trace_id.in_(some)).values(answer=None))


_OF_A_TRACE = (Belongs(column="trace_id", table="call_traces", key="id"),)

PERSONAL = PersonalData(
    tables=(
        Retention(
            table=call_traces,
            keep="traces_days",
            whose=("other",),
            belongs=(Belongs(column="ticket_number", table="tickets", key="number"),),
            forget=forget_traces,
            with_ticket=True,
        ),
        Retention(table=call_trace_evidence, keep="traces_days", belongs=_OF_A_TRACE),
        Retention(table=recommendations, keep="traces_days", belongs=_OF_A_TRACE),
        Retention(table=incident_proposals, keep="traces_days"),
    ),
    sweeps=(Sweep(name="traces", erase=erase, keep="traces_days"),),
)
