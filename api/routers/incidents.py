"""Incidents: opened, updated, resolved; each update is told to everybody who waits (OV-10, OV-26, OV-27)."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Body, Query, Response
from pydantic import AwareDatetime, BaseModel, Field

from api.common import Has, Page, PageQuery, Short, Who, bad_cursor, make_cursor, read_moment_cursor
from api.deps import Services
from api.incidents import AffectedChange, NewIncident, NewUpdate, named
from api.paths import IncidentId, desk_of
from ivr.incidents import store, views
from ivr.incidents.affected import affected_of_csv
from ivr.incidents.model import STAGE_NAMES, Impact, Incident, Stage, draft
from ivr.incidents.service import services_of
from ivr.tickets import about_incident

router = APIRouter(tags=["incidents"])


class UpdateView(BaseModel):
    """What was said at a stage."""

    id: int
    stage: Stage
    stage_name: dict[str, str] = Field(description="As people read it, by language.")
    texts: dict[str, str]
    at: AwareDatetime
    by: str


class AffectedView(BaseModel):
    """Whom it affects; empty lists are everybody."""

    partners: list[str]
    accounts: list[str]
    numbers: list[str] = Field(description="E.164 digits.")


class IncidentView(BaseModel):
    """An incident; the last of `updates` is where it stands."""

    id: int
    desk: str
    title: dict[str, str]
    impact: Impact
    stage: Stage
    services: list[str]
    components: list[str]
    affected: AffectedView
    started_at: AwareDatetime
    resolved_at: AwareDatetime | None
    updates: list[UpdateView]
    version: int


class IncidentDetail(IncidentView):
    """An incident, and what came of it so far."""

    followers: int = Field(description="Numbers that get a text message at each stage.")
    tickets: int = Field(description="Tickets that are about it.")
    open_tickets: int = Field(description="Those of them that are not resolved or closed.")


class IncidentQuery(PageQuery):
    """Which incidents."""

    desk: Short | None = None
    state: Literal["open", "resolved"] | None = None


class Drafts(BaseModel):
    """What could be said."""

    texts: dict[str, str]


@router.post("/incidents", status_code=201)
async def open_incident(given: NewIncident, has: Has, who: Who, response: Response) -> IncidentView:
    """Open an incident. When this is answered, it is committed and on the air."""
    desk = desk_of(has, given.desk)
    whom = named(has, given.affected, desk, "affected.")
    made = await has.incidents.begin(desk, **given.said(), affected=whom, who=who.name)
    response.headers["Location"] = f"/v1/incidents/{made.id}"
    return _view(has, made)


@router.get("/incidents")
async def list_incidents(asked: Annotated[IncidentQuery, Query()], has: Has) -> Page[IncidentView]:
    """Incidents, those that began last first."""
    before = read_moment_cursor(asked.cursor)
    if before is not None and not before[1].isdecimal():
        raise bad_cursor()
    async with has.store.reading() as unit:
        found = await store.page(
            unit,
            desk=asked.desk,
            is_open=None if asked.state is None else asked.state == "open",
            before=(before[0], min(int(before[1]), 2**31 - 1)) if before is not None else None,
            limit=asked.limit + 1,
        )
    items = [_view(has, one) for one in found[: asked.limit]]
    more = len(found) > asked.limit
    return Page(items=items, next=make_cursor(items[-1].started_at.isoformat(), str(items[-1].id)) if more else None)


@router.get("/incidents/draft")
async def draft_update(
    has: Has,
    desk: Annotated[Short, Query()],
    stage: Annotated[Stage, Query()],
    service: Annotated[list[Short], Query(max_length=20, description="Ids of the desk's services.")] = [],  # noqa: B006
) -> Drafts:
    """What could be said at a stage, in each language of the desk, to be changed as needed."""
    found = desk_of(has, desk)
    names = services_of(found, service)
    return Drafts(texts={language: draft(stage, names, language) for language in found.languages})


@router.get("/incidents/{incident_id}")
async def read_incident(incident_id: IncidentId, has: Has, response: Response) -> IncidentDetail:
    """One incident with all its updates. The ETag is its version."""
    found = await has.incidents.get(incident_id)
    async with has.store.reading() as unit:
        reach = await about_incident.reach_of(unit, incident_id)
    response.headers["ETag"] = f'"{found.version}"'
    return IncidentDetail(**_view(has, found).model_dump(), **vars(reach))


@router.post("/incidents/{incident_id}/updates", status_code=201)
async def update_incident(incident_id: IncidentId, given: NewUpdate, has: Has, who: Who) -> IncidentView:
    """Say what is new, at the same stage or another. When this is answered, it is committed and on the air."""
    changed = await has.incidents.update(incident_id, **given.said(), version=given.version, who=who.name)
    return _view(has, changed)


@router.put("/incidents/{incident_id}/affected")
async def change_affected(incident_id: IncidentId, given: AffectedChange, has: Has) -> IncidentView:
    """Say anew whom it affects."""
    desk = has.desks[(await has.incidents.get(incident_id)).desk]
    return _view(has, await has.incidents.touches(incident_id, named(has, given, desk, ""), version=given.version))


@router.put("/incidents/{incident_id}/affected.csv")
async def change_affected_by_csv(
    incident_id: IncidentId,
    has: Has,
    csv: Annotated[bytes, Body(media_type="text/csv", description="Columns partner, account, number.")],
) -> IncidentView:
    """Say anew whom it affects, by a CSV with a line of headings, as a spreadsheet saved it."""
    desk = has.desks[(await has.incidents.get(incident_id)).desk]
    found = affected_of_csv(csv, has.directory.book, desk.region, desk.provider)
    return _view(has, await has.incidents.touches(incident_id, found, version=None))


def _view(has: Services, one: Incident) -> IncidentView:
    names = vars(views.names_of(has.directory.book, one.affected))
    updates = [
        change.facts() | {"stage_name": {language: names_[change.stage] for language, names_ in STAGE_NAMES.items()}}
        for change in one.updates
    ]
    return IncidentView.model_validate(one.facts() | {"affected": names, "updates": updates})
