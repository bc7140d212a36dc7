"""Maintenance, planned and emergency: announced, changed, ended (OV-29)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, BaseModel, Field, StringConstraints

from api.common import Given, Has, Line, Page, PageQuery, Short, Who, bad_cursor, make_cursor, read_moment_cursor
from api.deps import Services
from api.incidents import ServiceIds
from api.maintenances import MaintenanceChange, NewMaintenance, Version
from api.paths import MaintenanceId, desk_of
from ivr.incidents.model import Impact
from ivr.incidents.service import services_of
from ivr.maintenance import calendar_import, store
from ivr.maintenance.model import Kind, Maintenance, State, draft

router = APIRouter(tags=["incidents"])


class MaintenanceCalendar(Given):
    """Maintenance to announce, as iCalendar (RFC 5545): each event's summary is a title, its time the window."""

    desk: Short
    kind: Kind = "planned"
    texts: Annotated[dict[Short, Line], Field(max_length=10)] = Field(
        default_factory=dict, description="By language; without them, as drafted."
    )
    impact: Impact = "minor"
    services: ServiceIds = Field(default_factory=list)
    components: list[Line] = Field(default_factory=list, max_length=20)
    sms: bool = Field(default=False, description="True to tell subscribers by text message too.")
    ical: Annotated[str, StringConstraints(min_length=1, max_length=200_000)]


class Ending(Given):
    """How it ends."""

    version: Version = None


class MaintenanceView(BaseModel):
    """Maintenance; it begins and ends by the clock."""

    id: int
    desk: str
    kind: Kind
    state: State
    title: dict[str, str]
    texts: dict[str, str]
    impact: Impact
    services: list[str]
    components: list[str]
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    ended_at: AwareDatetime | None = Field(description="The moment it was ended by hand.")
    sms: bool
    by: str
    created_at: AwareDatetime
    updated_at: AwareDatetime
    version: int


class MaintenanceImportView(BaseModel):
    """What a calendar changed; what was as it says already is not told."""

    announced: list[MaintenanceView]
    changed: list[MaintenanceView]
    cancelled: list[MaintenanceView]


class MaintenanceQuery(PageQuery):
    """Which maintenances."""

    desk: Short | None = None


class MaintenanceDrafts(BaseModel):
    """What could be said."""

    texts: dict[str, str]


@router.post("/maintenances", status_code=201)
async def announce_maintenance(given: NewMaintenance, has: Has, who: Who, response: Response) -> MaintenanceView:
    """Announce maintenance. When this is answered, it is committed and on the status page."""
    made = await has.maintenances.plan(desk_of(has, given.desk), **given.said(), who=who.name)
    response.headers["Location"] = f"/v1/maintenances/{made.id}"
    return _view(has, made)


@router.post("/maintenances/import", status_code=201)
async def import_maintenances(given: MaintenanceCalendar, has: Has, who: Who) -> MaintenanceImportView:
    """Announce what a calendar has. It is remembered: imported again, what it moved or called off is so here too."""
    desk = desk_of(has, given.desk)
    names = services_of(desk, given.services)
    said = {
        "kind": given.kind,
        "texts": {one: given.texts.get(one) or draft(given.kind, names, one) for one in desk.languages} | given.texts,
        "impact": given.impact,
        "services": tuple(given.services),
        "components": tuple(given.components),
        "sms": given.sms,
        "who": who.name,
    }
    taken = await calendar_import.take(given.ical, desk, has.maintenances, has.store, said=said, now=has.clock())
    return MaintenanceImportView(
        announced=[_view(has, one) for one in taken.announced],
        changed=[_view(has, one) for one in taken.changed],
        cancelled=[_view(has, one) for one in taken.cancelled],
    )


@router.get("/maintenances")
async def list_maintenances(asked: Annotated[MaintenanceQuery, Query()], has: Has) -> Page[MaintenanceView]:
    """Maintenances, those that begin last first."""
    before = read_moment_cursor(asked.cursor)
    if before is not None and not before[1].isdecimal():
        raise bad_cursor()
    async with has.store.reading() as unit:
        found = await store.page(
            unit,
            desk=asked.desk,
            before=(before[0], min(int(before[1]), 2**31 - 1)) if before is not None else None,
            limit=asked.limit + 1,
        )
    items = [_view(has, one) for one in found[: asked.limit]]
    more = len(found) > asked.limit
    return Page(items=items, next=make_cursor(items[-1].starts_at.isoformat(), str(items[-1].id)) if more else None)


@router.get("/maintenances/draft")
async def draft_maintenance(
    has: Has,
    desk: Annotated[Short, Query()],
    kind: Annotated[Kind, Query()] = "planned",
    service: Annotated[list[Short], Query(max_length=20, description="Ids of the desk's services.")] = [],  # noqa: B006
) -> MaintenanceDrafts:
    """What could be said, in each language of the desk, to be changed as needed."""
    found = desk_of(has, desk)
    names = services_of(found, service)
    return MaintenanceDrafts(texts={language: draft(kind, names, language) for language in found.languages})


@router.get("/maintenances/{maintenance_id}")
async def read_maintenance(maintenance_id: MaintenanceId, has: Has) -> MaintenanceView:
    """One maintenance."""
    return _view(has, await has.maintenances.get(maintenance_id))


@router.patch("/maintenances/{maintenance_id}")
async def change_maintenance(
    maintenance_id: MaintenanceId, given: MaintenanceChange, has: Has, who: Who
) -> MaintenanceView:
    """Change what is announced, or make it longer. One that goes on keeps its beginning."""
    changed = await has.maintenances.change(maintenance_id, given.fields(), version=given.version, who=who.name)
    return _view(has, changed)


@router.post("/maintenances/{maintenance_id}/cancel")
async def cancel_maintenance(maintenance_id: MaintenanceId, given: Ending, has: Has, who: Who) -> MaintenanceView:
    """Give it up."""
    return _view(has, await has.maintenances.end(maintenance_id, cancel=True, version=given.version, who=who.name))


@router.post("/maintenances/{maintenance_id}/complete")
async def complete_maintenance(maintenance_id: MaintenanceId, given: Ending, has: Has, who: Who) -> MaintenanceView:
    """End it before its time; one that has not begun is given up."""
    return _view(has, await has.maintenances.end(maintenance_id, cancel=False, version=given.version, who=who.name))


def _view(has: Services, one: Maintenance) -> MaintenanceView:
    return MaintenanceView.model_validate(one.facts(has.clock()))
