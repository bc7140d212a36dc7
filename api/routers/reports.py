"""The report that follows an incident: drafted, edited, published, sent to those who ask (OV-28)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from api.common import Given, Has, Line, Short, Who
from api.incident_reports import ReportChange, ReportView, Version, language_of, pdf_in, report_view
from api.paths import IncidentId
from ivr.reports import page

router = APIRouter(tags=["incidents"])

LanguageAsked = Annotated[Short | None, Query(description="Without it, the desk's first language.")]


class Publishing(Given):
    """Which version is published."""

    version: Version = None


class ReportRequest(Given):
    """Somebody who asked staff for the report."""

    address: Line = Field(examples=["nom@exemple.ca"])
    language: Short | None = None


@router.get("/incidents/{incident_id}/report")
async def read_report(incident_id: IncidentId, has: Has) -> ReportView:
    """The report, or what could be said."""
    incident = await has.incidents.get(incident_id)
    return await report_view(has, incident, await has.reports.get(incident))


@router.put("/incidents/{incident_id}/report")
async def write_report(incident_id: IncidentId, given: ReportChange, has: Has, who: Who) -> ReportView:
    """Write some of it."""
    incident = await has.incidents.get(incident_id)
    report = await has.reports.edit(incident, given.sections, version=given.version, who=who.name)
    return await report_view(has, incident, report)


@router.post("/incidents/{incident_id}/report/publish")
async def publish_report(incident_id: IncidentId, given: Publishing, has: Has, who: Who) -> ReportView:
    """Send it to all who asked, and to those who will. Refused while a section is not written."""
    incident = await has.incidents.get(incident_id)
    report = await has.reports.publish(incident, version=given.version, who=who.name)
    return await report_view(has, incident, report)


@router.post("/incidents/{incident_id}/report/requests", status_code=202)
async def request_report(incident_id: IncidentId, given: ReportRequest, has: Has) -> ReportView:
    """Have it sent to somebody who asked, once it is published."""
    incident = await has.incidents.get(incident_id)
    language = language_of(has, incident, given.language)
    await has.reports.request_for(incident, given.address, language=language)
    return await report_view(has, incident, await has.reports.get(incident))


@router.get("/incidents/{incident_id}/report.html", response_class=Response)
async def read_report_page(incident_id: IncidentId, has: Has, language: LanguageAsked = None) -> Response:
    """The report as a page."""
    incident = await has.incidents.get(incident_id)
    desk, asked = has.desks[incident.desk], language_of(has, incident, language)
    text = page.html(incident, await has.reports.get(incident), desk, asked)
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"
    return Response(text, media_type="text/html; charset=utf-8", headers={"Content-Security-Policy": policy})


@router.get("/incidents/{incident_id}/report.pdf", response_class=Response)
async def read_report_pdf(incident_id: IncidentId, has: Has, language: LanguageAsked = None) -> Response:
    """The report as PDF."""
    return await pdf_in(has, incident_id, language)
