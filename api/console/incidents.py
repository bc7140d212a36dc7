"""Operations: an incident is opened, heard, told and resolved on one page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response
from pydantic import Field

import api.incidents as api
from api.common import Short
from api.console import pages
from api.console.guard import STAFF, ConsoleRoute, checked, done, may, who
from api.console.pages import line_of
from api.console.sign_in import Posted
from api.deps import Services
from api.paths import IncidentId, desk_of
from ivr.desk.schema import Desk
from ivr.incidents import store, views
from ivr.incidents.affected import affected_of_csv
from ivr.incidents.model import STAGE_NAMES, STAGES, Affected, Stage, draft
from ivr.incidents.service import services_of
from ivr.tickets import about_incident

router = APIRouter(prefix="/console/incidents", route_class=ConsoleRoute, include_in_schema=False)

OPS = ("ops", "administrator")
Long = Annotated[str, Field(max_length=20_000)]
#: Thousands of lines from a spreadsheet.
Pasted = Annotated[str, Field(max_length=1_000_000)]
#: Whom an incident affects is chosen from lists, and typed or pasted one a line.
Chosen = Annotated[list[str], Field(max_length=5000)]
_SHOWN = 30


class NewIncident(Posted):
    """The form that opens one."""

    desk: Short
    impact: Short
    stage: Short
    services: Chosen = Field(default_factory=list)
    components: Long = ""
    sms_partners: bool = False
    partners: Chosen = Field(default_factory=list)
    accounts: Pasted = ""
    numbers: Pasted = ""
    csv: Pasted = ""
    title_fr: Long = ""
    title_en: Long = ""
    text_fr: Long = ""
    text_en: Long = ""


class NewUpdate(Posted):
    """The form that says what is new."""

    stage: Short
    version: int
    impact: Short
    services: Chosen = Field(default_factory=list)
    components: Long = ""
    sms_partners: bool = False
    text_fr: Long = ""
    text_en: Long = ""


class AffectedForm(Posted):
    """The form that says anew whom it affects."""

    version: int
    partners: Chosen = Field(default_factory=list)
    accounts: Pasted = ""
    numbers: Pasted = ""
    csv: Pasted = ""


def by_language(form: Posted, name: str, desk: Desk) -> dict[str, str]:
    """Return what was written in the fields of a form that end in a language of the desk."""
    found = {language: getattr(form, f"{name}_{language}").strip() for language in desk.languages}
    return {language: text for language, text in found.items() if text}


def lines_of(text: str) -> list[str]:
    """Return what was written one a line."""
    return [line.strip() for line in text.replace(",", "\n").splitlines() if line.strip()]


def _affected(form: NewIncident | AffectedForm) -> dict[str, Any]:
    return {"partners": form.partners, "accounts": lines_of(form.accounts), "numbers": lines_of(form.numbers)}


def _of_csv(has: Services, desk: Desk, form: NewIncident | AffectedForm, named: Affected) -> Affected:
    """Those who are named, and those of the CSV. Raises AllBadInput for all that is wrong with it."""
    if not form.csv.strip():
        return named
    more = affected_of_csv(form.csv, has.directory.book, desk.region, desk.provider)
    return Affected(**{name: tuple(dict.fromkeys([*ids, *vars(more)[name]])) for name, ids in vars(named).items()})


@router.get("")
@may(*STAFF)
async def incidents(request: Request, desk: Annotated[str, Query(max_length=40)] = "") -> Response:
    """Those that are open, those that were, and the form for one more."""
    has = line_of(request)
    chosen = has.desks.get(desk) or pages.main_desk(request)
    async with has.store.reading() as unit:
        found = await store.page(unit, desk=None, is_open=None, before=None, limit=_SHOWN)
    return pages.page(
        request,
        "incidents.html.j2",
        desks=has.desks,
        desk=chosen,
        found=found,
        drafts=_drafts(chosen, "investigating", ()),
        partners=sorted(one.name for one in has.directory.book.partners.values()),
        may_write=request.state.session.account.role in OPS,
    )


@router.get("/draft")
@may(*OPS)
async def draft_texts(
    request: Request,
    desk: Annotated[str, Query(max_length=40)],
    stage: Annotated[Stage, Query()],
    services: Annotated[list[str], Query(max_length=20)] = [],  # noqa: B006
) -> Response:
    """Return what could be said, to be changed as needed."""
    found: Desk = desk_of(line_of(request), desk)
    return pages.page(request, "incident_texts.html.j2", desk=found, texts=_drafts(found, stage, services))


def _drafts(desk: Desk, stage: Stage, services: Any) -> Mapping[str, str]:
    names = services_of(desk, services)
    return {language: draft(stage, names, language) for language in desk.languages}


@router.post("")
@may(*OPS)
async def open_incident(form: Annotated[NewIncident, Form()], request: Request) -> Response:
    """Open one. When this is answered, it is committed and on the air."""
    has = line_of(request)
    desk = desk_of(has, form.desk)
    values = {
        "desk": desk.id,
        "title": by_language(form, "title", desk),
        "impact": form.impact,
        "stage": form.stage,
        "texts": by_language(form, "text", desk),
        "services": form.services,
        "components": lines_of(form.components),
        "affected": _affected(form),
        "sms_partners": form.sms_partners,
    }
    given = checked(api.NewIncident, values)
    named = _of_csv(has, desk, form, api.named(has, given.affected, desk, "affected."))
    made = await has.incidents.begin(desk, **given.said(), affected=named, who=who(request))
    return done(request, f"/console/incidents/{made.id}")


@router.get("/{incident_id}")
@may(*STAFF)
async def incident(incident_id: IncidentId, request: Request) -> Response:
    """One, with all that was said of it and the form for what is new."""
    has = line_of(request)
    found = await has.incidents.get(incident_id)
    async with has.store.reading() as unit:
        reach = await about_incident.reach_of(unit, incident_id)
    desk = has.desks[found.desk]
    following: Stage = STAGES[min(STAGES.index(found.stage) + 1, len(STAGES) - 1)]
    return pages.page(
        request,
        "incident.html.j2",
        one=found,
        reach=reach,
        affected=views.names_of(has.directory.book, found.affected),
        desk=desk,
        following=following,
        stage_names=STAGE_NAMES[request.state.language],
        drafts=_drafts(desk, following, [name for name in found.services if name in desk.services]),
        partners=sorted(one.name for one in has.directory.book.partners.values()),
        may_write=request.state.session.account.role in OPS,
    )


@router.post("/{incident_id}/updates")
@may(*OPS)
async def update_incident(incident_id: IncidentId, form: Annotated[NewUpdate, Form()], request: Request) -> Response:
    """Say what is new, unless somebody else did in the meantime."""
    has = line_of(request)
    desk = has.desks[(await has.incidents.get(incident_id)).desk]
    values = {
        "stage": form.stage,
        "texts": by_language(form, "text", desk),
        "version": form.version,
        "impact": form.impact,
        "services": form.services,
        "components": lines_of(form.components),
        "sms_partners": form.sms_partners,
    }
    given = checked(api.NewUpdate, values)
    await has.incidents.update(incident_id, **given.said(), version=given.version, who=who(request))
    return done(request, f"/console/incidents/{incident_id}")


@router.post("/{incident_id}/affected")
@may(*OPS)
async def change_affected(incident_id: IncidentId, form: Annotated[AffectedForm, Form()], request: Request) -> Response:
    """Say anew whom it affects: those who are chosen, typed, and of the CSV, all or none."""
    has = line_of(request)
    desk = has.desks[(await has.incidents.get(incident_id)).desk]
    given = checked(api.AffectedChange, _affected(form) | {"version": form.version})
    named = _of_csv(has, desk, form, api.named(has, given, desk, ""))
    await has.incidents.touches(incident_id, named, version=given.version)
    return done(request, f"/console/incidents/{incident_id}")
