"""Operations: the report on an incident is written, looked at and published (OV-28)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response
from pydantic import Field

import api.incident_reports as api
from api.common import Short
from api.console import pages
from api.console.guard import STAFF, ConsoleRoute, checked, done, may, who
from api.console.incidents import OPS
from api.console.pages import line_of
from api.console.sign_in import Posted
from api.paths import IncidentId
from ivr.reports.model import HEADINGS, SECTIONS

router = APIRouter(prefix="/console/incidents", route_class=ConsoleRoute, include_in_schema=False)


class Publishing(Posted):
    """The button that publishes."""

    version: Annotated[int, Field(ge=0)]


@router.get("/{incident_id}/report")
@may(*STAFF)
async def incident_report(incident_id: IncidentId, request: Request) -> Response:
    """The report as it stands, in every language of the desk."""
    has = line_of(request)
    incident = await has.incidents.get(incident_id)
    return pages.page(
        request,
        "incident_report.html.j2",
        one=incident,
        desk=has.desks[incident.desk],
        report=await api.report_view(has, incident, await has.reports.get(incident)),
        sections=SECTIONS,
        headings=HEADINGS,
        may_write=request.state.session.account.role in OPS,
    )


@router.post("/{incident_id}/report")
@may(*OPS)
async def write_incident_report(incident_id: IncidentId, request: Request) -> Response:
    """Keep what was written, unless somebody else wrote in the meantime."""
    has = line_of(request)
    form = await request.form()
    sections: dict[str, dict[str, str]] = {}
    for name, value in form.items():
        language, _, section = name.partition(".")
        if section and isinstance(value, str):
            sections.setdefault(language, {})[section] = value
    change = checked(api.ReportChange, {"sections": sections, "version": form.get("version")})
    incident = await has.incidents.get(incident_id)
    await has.reports.edit(incident, change.sections, version=change.version, who=who(request))
    return done(request, f"/console/incidents/{incident_id}/report")


@router.post("/{incident_id}/report/publish")
@may(*OPS)
async def publish_incident_report(
    incident_id: IncidentId, form: Annotated[Publishing, Form()], request: Request
) -> Response:
    """Send it to those who asked."""
    has = line_of(request)
    incident = await has.incidents.get(incident_id)
    await has.reports.publish(incident, version=form.version, who=who(request))
    return done(request, f"/console/incidents/{incident_id}/report")


@router.get("/{incident_id}/report.pdf")
@may(*STAFF)
async def incident_report_pdf(
    incident_id: IncidentId, request: Request, language: Annotated[Short | None, Query()] = None
) -> Response:
    """As those who asked will read it."""
    return await api.pdf_in(line_of(request), incident_id, language)
