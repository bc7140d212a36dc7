"""A call as it is told to others."""

from __future__ import annotations

from typing import Any

from ivr.calls.model import Call, Leg


def summary(call: Call) -> dict[str, Any]:
    """A call in a list, and in an event."""
    return {
        "id": call.id,
        "state": call.state,
        "desk": call.desk,
        "dialled": call.dialled,
        "ani": call.ani,
        "endpoint": call.endpoint,
        "account": (call.identity.get("customer") or {}).get("account"),
        "identity": call.identity,
        "department": call.department,
        "language": call.language,
        "queue": call.queue,
        "started_at": call.started_at,
        "queued_at": call.queued_at,
        "answered_at": call.answered_at,
        "answered_by": call.answered_by,
        "ended_at": call.ended_at,
        "result": call.result,
        "reason": call.reason,
    }


def leg_view(leg: Leg) -> dict[str, Any]:
    """One channel."""
    return dict(vars(leg))


def view(call: Call) -> dict[str, Any]:
    """A call with its timeline and legs."""
    return summary(call) | {
        "linkedid": call.linkedid,
        "channel": call.channel,
        "events_lost": call.events_lost,
        "timeline": [{"at": e.at, "kind": e.kind, "facts": e.facts} for e in call.events],
        "legs": [leg_view(leg) for leg in call.legs.values()],
    }
