"""What the public sees of a desk's services: now, the last 90 days, and as Statuspage's clients read it. Pure.

The JSON has the shape of Statuspage's public API, version 2 (https://metastatuspage.com/api), field by field, so that
clients with a strict idea of it read it too: `summary.json`, `status.json`, `components.json`, `incidents.json`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Literal

from ivr import wording
from ivr.clock import require_aware
from ivr.desk.schema import Desk
from ivr.incidents.model import Impact, Incident, Update
from ivr.incidents.push import STAGES
from ivr.maintenance.model import Maintenance

#: So many days are shown.
DAYS = 90

Indicator = Literal["none", "minor", "major", "critical"]
_ORDER: tuple[Indicator, ...] = ("none", "minor", "major", "critical")

OVERALL = wording.texts("statuspage.overall")
_COMPONENT: Mapping[Indicator, str] = {
    "none": "operational",
    "minor": "degraded_performance",
    "major": "partial_outage",
    "critical": "major_outage",
}


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


def page(
    desk: Desk, url: str, incidents: Sequence[Incident], works: Sequence[Maintenance], now: datetime
) -> dict[str, Any]:
    """Statuspage's `page`."""
    changed = [one.updates[-1].at for one in incidents] + [one.updated_at for one in works]
    updated = max(changed, default=_first_midnight(desk, now))
    return {"id": desk.id, "name": desk.name, "url": url, "time_zone": desk.timezone, "updated_at": _moment(updated)}


def overall(incidents: Iterable[Incident], language: str, *, in_work: bool = False) -> dict[str, Any]:
    """Statuspage's `status`; `in_work` while maintenance goes on, which is told when nothing worse is."""
    worst = worst_of(one.impact for one in incidents if one.resolved_at is None)
    indicator: Indicator | Literal["maintenance"] = "maintenance" if worst == "none" and in_work else worst
    return {"indicator": indicator, "description": OVERALL[language][indicator]}


def components(
    desk: Desk,
    states: Sequence[ServiceState],
    language: str,
    incidents: Sequence[Incident],
    now: datetime,
    in_work: Collection[str] = (),
) -> list[dict[str, Any]]:
    """Statuspage's `components`: the desk's services, some of them under maintenance."""
    since = _first_midnight(desk, now)
    return [
        {
            "id": one.id,
            "name": capital(one.name[language]),
            "status": "under_maintenance" if one.now == "none" and one.id in in_work else _COMPONENT[one.now],
            "created_at": _moment(since),
            "updated_at": _moment(max((it.updates[-1].at for it in incidents if _on(it, one.id)), default=since)),
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


def _first_midnight(desk: Desk, now: datetime) -> datetime:
    """Return where the days that are shown begin: of what was before, nothing is told."""
    first = now.astimezone(desk.zone).date() - timedelta(days=DAYS - 1)
    return datetime.combine(first, time.min, desk.zone)


def incident(one: Incident, language: str, url: str, listed: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Statuspage's form of an incident: its updates the latest first, without whom it affects.

    `listed` is what `components` made.
    """
    touched = [each for each in listed if _on(one, each["id"])]
    before = (None, *one.updates)
    return {
        "id": str(one.id),
        "name": one.title[language],
        "status": STAGES[one.stage],
        "created_at": _moment(one.updates[0].at),
        "updated_at": _moment(one.updates[-1].at),
        "monitoring_at": None,
        "resolved_at": _moment(one.resolved_at) if one.resolved_at is not None else None,
        "impact": one.impact,
        "shortlink": f"{url}/incidents/{one.id}",
        "started_at": _moment(one.started_at),
        "page_id": one.desk,
        "incident_updates": [
            _said(
                str(said.id),
                status=STAGES[said.stage],
                body=said.texts[language],
                incident_id=str(one.id),
                at=said.at,
                affected=_changes(touched, _component_at(one, last), _component_at(one, said)),
            )
            for last, said in reversed(list(zip(before, one.updates, strict=False)))
        ],
        "components": touched,
        "reminder_intervals": None,
    }


def _component_at(one: Incident, said: Update | None) -> str:
    """Return how a component of an incident was after an update."""
    return _COMPONENT["none" if said is None or said.stage == "resolved" else one.impact]


def _changes(touched: Sequence[Mapping[str, Any]], old: str, new: str) -> list[dict[str, Any]]:
    """Statuspage's `affected_components`."""
    return [{"code": one["id"], "name": one["name"], "old_status": old, "new_status": new} for one in touched]


def _said(
    said_id: str,
    *,
    status: str,
    body: str,
    incident_id: str,
    at: datetime,
    affected: list[dict[str, Any]],
) -> dict[str, Any]:
    return {
        "id": said_id,
        "status": status,
        "body": body,
        "incident_id": incident_id,
        "created_at": _moment(at),
        "updated_at": _moment(at),
        "display_at": _moment(at),
        "affected_components": affected,
        "deliver_notifications": True,
        "custom_tweet": None,
        "tweet_id": None,
    }


def maintenance(
    one: Maintenance, language: str, url: str, now: datetime, listed: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Statuspage's form of a scheduled maintenance; one that was given up is completed there too."""
    state = one.state(now)
    status = {"cancelled": "completed"}.get(state, state)
    touched = [each for each in listed if not one.services or each["id"] in one.services]
    states = ("operational", "under_maintenance" if state == "in_progress" else "operational")
    said = _said(
        f"{one.id}-{one.version}",
        status=status,
        body=one.texts[language],
        incident_id=f"m{one.id}",
        at=one.updated_at,
        affected=_changes(touched, *states),
    )
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
        "components": touched,
        "reminder_intervals": None,
    }


def _moment(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")


def capital(name: str) -> str:
    """A service's name at the beginning of a line: « La téléphonie »."""
    return name[:1].upper() + name[1:]
