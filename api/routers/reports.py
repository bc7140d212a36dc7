"""The report that follows an incident: drafted, edited, published, sent to those who ask (OV-28)."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, BaseModel, Field, StringConstraints

from api.common import Given, Has, Line, Short, Who
from api.deps import Services
from api.routers.incidents import IncidentId
from ivr.errors import BadInput
from ivr.incidents.model import Incident
from ivr.reports import page
from ivr.reports.model import Report, Section, due_on

router = APIRouter(tags=["incidents"])

Version = Annotated[int | None, Field(ge=0, description="Refuse when the report is not this version any more.")]
Paragraphs = Annotated[str, StringConstraints(max_length=20_000)]
Sections = Annotated[
    dict[Short, dict[Section, Paragraphs]],
    Field(max_length=10, description="By language, then by section; plain text, an empty line between paragraphs."),
]
LanguageAsked = Annotated[Short | None, Query(description="Without it, the desk's first language.")]


class ReportView(BaseModel):
    """A report. Version 0 is a draft that nobody has touched, made of the facts as they are."""

    incident_id: int
    state: Literal["draft", "published"]
    sections: dict[str, dict[Section, str]]
    due_on: date | None = Field(description="The tenth working day after the resolution.")
    version: int
    updated_at: AwareDatetime
    updated_by: str
    published_at: AwareDatetime | None
    published_by: str | None
    requests: int = Field(description="How many asked for it.")


class ReportChange(Given):
    """What is to be written. Sections that are not given stay."""

    sections: Sections
    version: Version = None


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
    return await _view(has, incident, await has.reports.get(incident))


@router.put("/incidents/{incident_id}/report")
async def write_report(incident_id: IncidentId, given: ReportChange, has: Has, who: Who) -> ReportView:
    """Write some of it."""
    incident = await has.incidents.get(incident_id)
    report = await has.reports.edit(incident, given.sections, version=given.version, who=who.name)
    return await _view(has, incident, report)


@router.post("/incidents/{incident_id}/report/publish")
async def publish_report(incident_id: IncidentId, given: Publishing, has: Has, who: Who) -> ReportView:
    """Send it to all who asked, and to those who will. Refused while a section is not written."""
    incident = await has.incidents.get(incident_id)
    report = await has.reports.publish(incident, version=given.version, who=who.name)
    return await _view(has, incident, report)


@router.post("/incidents/{incident_id}/report/requests", status_code=202)
async def request_report(incident_id: IncidentId, given: ReportRequest, has: Has) -> ReportView:
    """Have it sent to somebody who asked, once it is published."""
    incident = await has.incidents.get(incident_id)
    language = _language(has, incident, given.language)
    await has.reports.request_for(incident, given.address, language=language)
    return await _view(has, incident, await has.reports.get(incident))


@router.get("/incidents/{incident_id}/report.html", response_class=Response)
async def read_report_page(incident_id: IncidentId, has: Has, language: LanguageAsked = None) -> Response:
    """The report as a page."""
    incident = await has.incidents.get(incident_id)
    desk, asked = has.desks[incident.desk], _language(has, incident, language)
    text = page.html(incident, await has.reports.get(incident), desk, asked)
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"
    return Response(text, media_type="text/html; charset=utf-8", headers={"Content-Security-Policy": policy})


@router.get("/incidents/{incident_id}/report.pdf", response_class=Response)
async def read_report_pdf(incident_id: IncidentId, has: Has, language: LanguageAsked = None) -> Response:
    """The report as PDF."""
    incident = await has.incidents.get(incident_id)
    desk, asked = has.desks[incident.desk], _language(has, incident, language)
    return pdf_of(incident, page.as_pdf(incident, await has.reports.get(incident), desk, asked))


def pdf_of(incident: Incident, content: bytes) -> Response:
    """A PDF to keep."""
    name = f"{incident.desk}-incident-{incident.id}.pdf"
    headers = {"Content-Disposition": f'inline; filename="{name}"'}
    return Response(content, media_type="application/pdf", headers=headers)


def _language(has: Services, incident: Incident, asked: str | None) -> str:
    languages = has.desks[incident.desk].languages
    if asked is not None and asked not in languages:
        problem = "the desk does not speak this language"
        raise BadInput(field="language", problem=problem, mend=f"one of: {', '.join(languages)}")
    return asked or languages[0]


async def _view(has: Services, incident: Incident, report: Report) -> ReportView:
    resolved = incident.resolved_at
    return ReportView(
        incident_id=incident.id,
        state="published" if report.published_at is not None else "draft",
        sections={language: dict(texts) for language, texts in report.sections.items()},
        due_on=due_on(has.reports.calendar(incident.desk), resolved) if resolved is not None else None,
        version=report.version,
        updated_at=report.updated_at,
        updated_by=report.updated_by,
        published_at=report.published_at,
        published_by=report.published_by,
        requests=await has.reports.asked(incident.id),
    )
