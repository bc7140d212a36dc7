"""Reports on incidents as clients give and read them (OV-28)."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from fastapi import Response
from pydantic import AwareDatetime, BaseModel, Field, StringConstraints

from api.common import Given, Short
from api.deps import Services
from ivr.errors import BadInput
from ivr.incidents.model import Incident
from ivr.reports import page
from ivr.reports.model import Report, Section, due_on

Version = Annotated[int | None, Field(ge=0, description="Refuse when the report is not this version any more.")]
Paragraphs = Annotated[str, StringConstraints(max_length=20_000)]
Sections = Annotated[
    dict[Short, dict[Section, Paragraphs]],
    Field(max_length=10, description="By language, then by section; plain text, an empty line between paragraphs."),
]


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
    requests: int = Field(description="The number of people who asked for it.")


class ReportChange(Given):
    """What is to be written. Sections that are not given stay."""

    sections: Sections
    version: Version = None


async def report_view(has: Services, incident: Incident, report: Report) -> ReportView:
    """Return a report as it is told. Raises StoreUnavailable."""
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


def pdf_of(incident: Incident, content: bytes) -> Response:
    """A PDF to keep."""
    name = f"{incident.desk}-incident-{incident.id}.pdf"
    headers = {"Content-Disposition": f'inline; filename="{name}"'}
    return Response(content, media_type="application/pdf", headers=headers)


async def pdf_in(has: Services, incident_id: int, language: str | None) -> Response:
    """Return the report as PDF, in a language of its desk. Raises IncidentNotFound, BadInput, StoreUnavailable."""
    incident = await has.incidents.get(incident_id)
    desk, asked = has.desks[incident.desk], language_of(has, incident, language)
    return pdf_of(incident, page.as_pdf(incident, await has.reports.get(incident), desk, asked))


def language_of(has: Services, incident: Incident, asked: str | None) -> str:
    """Return the language that is asked for, else the desk's first. Raises BadInput."""
    languages = has.desks[incident.desk].languages
    if asked is not None and asked not in languages:
        problem = "the desk does not speak this language"
        raise BadInput(field="language", problem=problem, mend=f"one of: {', '.join(languages)}")
    return asked or languages[0]
