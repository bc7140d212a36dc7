"""Operations: maintenance is announced, moved, given up or completed; it begins and ends by the clock (OV-29)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response
from pydantic import Field

import api.maintenances as api
from api.common import Short
from api.console import pages
from api.console.guard import STAFF, ConsoleRoute, checked, done, may, who
from api.console.incidents import OPS, Chosen, Long, by_language, lines_of
from api.console.pages import line_of
from api.console.sign_in import Posted
from api.paths import MaintenanceId, desk_of
from ivr.desk.schema import Desk
from ivr.errors import BadInput
from ivr.incidents.service import services_of
from ivr.maintenance import store
from ivr.maintenance.model import STATE_NAMES, Kind, draft

router = APIRouter(prefix="/console/maintenances", route_class=ConsoleRoute, include_in_schema=False)

_SHOWN = 50


class Plan(Posted):
    """What both forms hold: what is said, what it touches, and the window by the desk's clocks."""

    impact: Short
    services: Chosen = Field(default_factory=list)
    components: Long = ""
    title_fr: Long = ""
    title_en: Long = ""
    text_fr: Long = ""
    text_en: Long = ""
    starts_at: Short = ""
    ends_at: Short = ""
    sms: bool = False


class NewPlan(Plan):
    """The form that announces one."""

    desk: Short
    kind: Short


class ChangedPlan(Plan):
    """The form that changes one."""

    version: int


class Ending(Posted):
    """The buttons that end one."""

    version: Annotated[int, Field(ge=1)]


def _values(form: Plan, desk: Desk) -> dict[str, Any]:
    return {
        "title": by_language(form, "title", desk),
        "texts": by_language(form, "text", desk),
        "impact": form.impact,
        "services": form.services,
        "components": lines_of(form.components),
        "starts_at": _moment("starts_at", form.starts_at, desk),
        "ends_at": _moment("ends_at", form.ends_at, desk),
        "sms": form.sms,
    }


def _moment(field: str, typed: str, desk: Desk) -> datetime | None:
    """A moment as a form's clock tells it. Raises BadInput."""
    if not typed.strip():
        return None
    try:
        moment = datetime.fromisoformat(typed.strip())
    except ValueError:
        raise BadInput(field=field, problem="is no moment", mend="write it as 2026-12-05T01:00") from None
    if moment.tzinfo is not None:
        return moment
    return moment.replace(tzinfo=desk.zone)


@router.get("")
@may(*STAFF)
async def maintenances(request: Request, desk: Annotated[str, Query(max_length=40)] = "") -> Response:
    """Those to come, those that were, and the form for one more."""
    has = line_of(request)
    chosen = has.desks.get(desk) or pages.main_desk(request)
    async with has.store.reading() as unit:
        found = await store.page(unit, desk=chosen.id, before=None, limit=_SHOWN)
    return pages.page(
        request,
        "maintenances.html.j2",
        desks=has.desks,
        desk=chosen,
        found=found,
        states=STATE_NAMES[request.state.language],
        drafts=_drafts(chosen, "planned", ()),
        may_write=request.state.session.account.role in OPS,
    )


@router.get("/draft")
@may(*OPS)
async def draft_maintenance(
    request: Request,
    desk: Annotated[str, Query(max_length=40)],
    kind: Annotated[Kind, Query()],
    services: Annotated[list[str], Query(max_length=20)] = [],  # noqa: B006
) -> Response:
    """Return what could be said, to be changed as needed."""
    found = desk_of(line_of(request), desk)
    return pages.page(request, "incident_texts.html.j2", desk=found, texts=_drafts(found, kind, services))


def _drafts(desk: Desk, kind: Kind, services: Any) -> Mapping[str, str]:
    names = services_of(desk, services)
    return {language: draft(kind, names, language) for language in desk.languages}


@router.post("")
@may(*OPS)
async def announce_maintenance(form: Annotated[NewPlan, Form()], request: Request) -> Response:
    """Announce one. When this is answered, it is committed and on the status page."""
    has = line_of(request)
    desk = desk_of(has, form.desk)
    values = _values(form, desk) | {"desk": desk.id, "kind": form.kind}
    if values["ends_at"] is None:
        raise BadInput(field="ends_at", problem="is missing", mend="give when it is over; it can be moved later")
    given = checked(api.NewMaintenance, values)
    made = await has.maintenances.plan(desk, **given.said(), who=who(request))
    return done(request, f"/console/maintenances/{made.id}")


@router.get("/{maintenance_id}")
@may(*STAFF)
async def maintenance(maintenance_id: MaintenanceId, request: Request) -> Response:
    """One, and the form that changes it until it is over."""
    has = line_of(request)
    found = await has.maintenances.get(maintenance_id)
    state = found.state(has.clock())
    return pages.page(
        request,
        "maintenance.html.j2",
        one=found,
        desk=has.desks[found.desk],
        state=state,
        states=STATE_NAMES[request.state.language],
        may_write=request.state.session.account.role in OPS and state in ("scheduled", "in_progress"),
    )


@router.post("/{maintenance_id}")
@may(*OPS)
async def change_maintenance(
    maintenance_id: MaintenanceId, form: Annotated[ChangedPlan, Form()], request: Request
) -> Response:
    """Change it, unless somebody else did in the meantime."""
    has = line_of(request)
    desk = has.desks[(await has.maintenances.get(maintenance_id)).desk]
    given = checked(api.MaintenanceChange, _values(form, desk) | {"version": form.version})
    await has.maintenances.change(maintenance_id, given.fields(), version=given.version, who=who(request))
    return done(request, f"/console/maintenances/{maintenance_id}")


@router.post("/{maintenance_id}/cancel")
@may(*OPS)
async def cancel_maintenance(
    maintenance_id: MaintenanceId, form: Annotated[Ending, Form()], request: Request
) -> Response:
    """Give it up."""
    held = line_of(request).maintenances
    await held.end(maintenance_id, cancel=True, version=form.version, who=who(request))
    return done(request, f"/console/maintenances/{maintenance_id}")


@router.post("/{maintenance_id}/complete")
@may(*OPS)
async def complete_maintenance(
    maintenance_id: MaintenanceId, form: Annotated[Ending, Form()], request: Request
) -> Response:
    """End it before its time."""
    held = line_of(request).maintenances
    await held.end(maintenance_id, cancel=False, version=form.version, who=who(request))
    return done(request, f"/console/maintenances/{maintenance_id}")
