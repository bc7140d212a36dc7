"""What the public sees of a desk's services: now, the last 90 days, and as Statuspage's clients read it. Pure.

The JSON has the shape of Statuspage's public API, version 2 (https://metastatuspage.com/api), as far as clients
were seen to use it: `summary.json`, `status.json`, `components.json`, `incidents.json`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Literal

from ivr.clock import require_aware
from ivr.desk.schema import Desk
from ivr.incidents.incident import Impact, Incident, Stage, Update
from ivr.maintenance.maintenance import Maintenance

#: So many days are shown.
DAYS = 90

Indicator = Literal["none", "minor", "major", "critical"]
_ORDER: tuple[Indicator, ...] = ("none", "minor", "major", "critical")

OVERALL: Mapping[str, Mapping[Indicator, str]] = {
    "fr": {
        "none": "Tous nos services sont opérationnels",
        "minor": "Un service est perturbé",
        "major": "Une panne partielle est en cours",
        "critical": "Une panne majeure est en cours",
    },
    "en": {
        "none": "All Systems Operational",
        "minor": "Minor Service Outage",
        "major": "Partial System Outage",
        "critical": "Major Service Outage",
    },
}
_COMPONENT: Mapping[Indicator, str] = {
    "none": "operational",
    "minor": "degraded_performance",
    "major": "partial_outage",
    "critical": "major_outage",
}
_STAGE: Mapping[Stage, str] = {"investigating": "investigating", "confirmed": "identified", "resolved": "resolved"}


@dataclass(frozen=True, kw_only=True)
class Day:
    """One day of one service: the worst that was."""

    day: date
    worst: Indicator


@dataclass(frozen=True, kw_only=True)
class ServiceState:
    """One service, now and over the last days, the oldest first."""

    id: str
    name: Mapping[str, str]
    now: Indicator
    days: tuple[Day, ...]


def worst_of(impacts: Iterable[Impact]) -> Indicator:
    """The worst of several incidents; `none` of none."""
    return max((*impacts, _ORDER[0]), key=_ORDER.index)


def open_now(incidents: Iterable[Incident]) -> list[Incident]:
    """Those that are not resolved, the latest word first."""
    return sorted((one for one in incidents if one.resolved_at is None), key=_latest, reverse=True)


def _latest(one: Incident) -> tuple[datetime, int]:
    return one.updates[-1].at, one.id


def service_states(desk: Desk, incidents: Sequence[Incident], now: datetime) -> list[ServiceState]:
    """Each of the desk's services. An incident that names none touches all of them."""
    today = require_aware(now).astimezone(desk.zone).date()
    days = [today - timedelta(days=n) for n in range(DAYS - 1, -1, -1)]
    return [
        ServiceState(
            id=service,
            name=names,
            now=worst_of(one.impact for one in incidents if one.resolved_at is None and _on(one, service)),
            days=tuple(Day(day=day, worst=_worst_on(day, service, desk, incidents, now)) for day in days),
        )
        for service, names in desk.services.items()
    ]


def _on(one: Incident, service: str) -> bool:
    return not one.services or service in one.services


def _worst_on(day: date, service: str, desk: Desk, incidents: Sequence[Incident], now: datetime) -> Indicator:
    start = datetime.combine(day, time.min, desk.zone)
    end = datetime.combine(day + timedelta(days=1), time.min, desk.zone)
    return worst_of(
        one.impact
        for one in incidents
        if _on(one, service) and one.started_at < end and (one.resolved_at or now) >= start
    )


# As Statuspage tells it -------------------------------------------------------------------------------


def page(desk: Desk, url: str, incidents: Sequence[Incident], now: datetime) -> dict[str, Any]:
    """Statuspage's `page`."""
    changed = max((one.updates[-1].at for one in incidents), default=now)
    return {"id": desk.id, "name": desk.name, "url": url, "time_zone": desk.timezone, "updated_at": _moment(changed)}


def overall(incidents: Iterable[Incident], language: str) -> dict[str, Any]:
    """Statuspage's `status`."""
    indicator = worst_of(one.impact for one in incidents if one.resolved_at is None)
    return {"indicator": indicator, "description": OVERALL[language][indicator]}


def components(
    desk: Desk, states: Sequence[ServiceState], language: str, since: datetime, in_work: Collection[str] = ()
) -> list[dict[str, Any]]:
    """Statuspage's `components`: the desk's services, some of them under maintenance."""
    return [
        {
            "id": one.id,
            "name": capital(one.name[language]),
            "status": "under_maintenance" if one.now == "none" and one.id in in_work else _COMPONENT[one.now],
            "created_at": _moment(since),
            "updated_at": _moment(since),
            "position": position,
            "description": None,
            "showcase": True,
            "start_date": one.days[0].day.isoformat() if one.days else None,
            "group_id": None,
            "page_id": desk.id,
            "group": False,
            "only_show_if_degraded": False,
        }
        for position, one in enumerate(states, 1)
    ]


def incident(one: Incident, language: str, url: str) -> dict[str, Any]:
    """Statuspage's form of an incident: its updates the latest first, without whom it affects."""
    return {
        "id": str(one.id),
        "name": one.title[language],
        "status": _STAGE[one.stage],
        "created_at": _moment(one.updates[0].at),
        "updated_at": _moment(one.updates[-1].at),
        "monitoring_at": None,
        "resolved_at": _moment(one.resolved_at) if one.resolved_at is not None else None,
        "impact": one.impact,
        "shortlink": f"{url}/incidents/{one.id}",
        "started_at": _moment(one.started_at),
        "page_id": one.desk,
        "incident_updates": [_update(one, said, language) for said in reversed(one.updates)],
        "components": [{"id": service} for service in one.services],
    }


def pushed(one: Incident, language: str) -> dict[str, Any]:
    """What Statuspage's own API takes for an incident's last update, with our ids in its metadata."""
    last = one.updates[-1]
    return {
        "name": one.title[language],
        "status": _STAGE[last.stage],
        "body": last.texts[language],
        "impact_override": one.impact,
        "metadata": {"omnivigil": {"incident": str(one.id), "update": str(last.id)}},
    }


def _update(one: Incident, said: Update, language: str) -> dict[str, Any]:
    return {
        "id": str(said.id),
        "status": _STAGE[said.stage],
        "body": said.texts[language],
        "incident_id": str(one.id),
        "created_at": _moment(said.at),
        "updated_at": _moment(said.at),
        "display_at": _moment(said.at),
    }


def maintenance(one: Maintenance, language: str, url: str, now: datetime) -> dict[str, Any]:
    """Statuspage's form of a scheduled maintenance; one that was given up is completed there too."""
    state = one.state(now)
    status = {"cancelled": "completed"}.get(state, state)
    said = {
        "id": f"{one.id}-{one.version}",
        "status": status,
        "body": one.texts[language],
        "incident_id": f"m{one.id}",
        "created_at": _moment(one.updated_at),
        "updated_at": _moment(one.updated_at),
        "display_at": _moment(one.updated_at),
    }
    over = state in ("completed", "cancelled")
    return {
        "id": f"m{one.id}",
        "name": one.title[language],
        "status": status,
        "created_at": _moment(one.created_at),
        "updated_at": _moment(one.updated_at),
        "monitoring_at": None,
        "resolved_at": _moment(one.over_at) if over else None,
        "impact": "maintenance",
        "shortlink": f"{url}/maintenances/{one.id}",
        "started_at": _moment(one.starts_at),
        "scheduled_for": _moment(one.starts_at),
        "scheduled_until": _moment(one.ends_at),
        "page_id": one.desk,
        "incident_updates": [said],
        "components": [{"id": service} for service in one.services],
    }


def _moment(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")


def capital(name: str) -> str:
    """A service's name at the beginning of a line: « La téléphonie »."""
    return name[:1].upper() + name[1:]
