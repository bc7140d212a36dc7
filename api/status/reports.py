"""Asking for an incident's report on its public page, and reading it with the link that came by e-mail (OV-28)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Path, Query, Request, Response
from pydantic import Field

from api.common import Has, cross_site
from api.incident_reports import pdf_of
from api.paths import DeskId
from api.status.subscribing import HEADERS, LanguageCode, PublicForm, client_of, shown, spoken, ways
from ivr.errors import BadInput
from ivr.incidents.service import IncidentNotFound
from ivr.reports import page
from ivr.reports.service import ReportNotFound, TooManyRequests

router = APIRouter(prefix="/status", tags=["status"], include_in_schema=False)

IncidentId = Annotated[int, Path(ge=1, le=2**31 - 1)]
Key = Annotated[str, Query(max_length=64)]


class Wanted(PublicForm):
    """An address to send the report to."""

    address: str = Field(max_length=300)


class KeyGiven(PublicForm):
    """What the link in the e-mail carries."""

    key: str = Field(default="", max_length=64)


@router.post("/{desk}/{language}/incidents/{incident_id}/report")
async def ask(
    desk: DeskId,
    language: LanguageCode,
    incident_id: IncidentId,
    form: Annotated[Wanted, Form()],
    request: Request,
    has: Has,
) -> Response:
    """Have an address asked whether it wants the report."""
    found = spoken(has, desk, language)
    incident = await has.incidents.get(incident_id)
    if incident.desk != found.id:
        raise IncidentNotFound(incident=incident_id)
    if cross_site(request) or "email" not in ways(has):
        return shown(has, found, language, "forged", status=403)
    try:
        await has.reports.request(
            incident,
            form.address,
            language=language,
            page=f"{has.notices.public_url}/status/{found.id}/{language}/incidents/{incident_id}",
            client=client_of(request),
        )
    except TooManyRequests:
        return shown(has, found, language, "busy", status=429)
    except BadInput:
        return shown(has, found, language, "report_wrong", status=422)
    return shown(has, found, language, "report_asked")


@router.get("/{desk}/{language}/incidents/{incident_id}/report/confirm")
async def confirm_form(desk: DeskId, language: LanguageCode, incident_id: IncidentId, key: Key, has: Has) -> Response:
    """A button: programs that look at links do not press it."""
    action = f"incidents/{incident_id}/report/confirm"
    return shown(has, spoken(has, desk, language), language, "report_confirm", token=key, action=action)


@router.post("/{desk}/{language}/incidents/{incident_id}/report/confirm")
async def confirm(
    desk: DeskId, language: LanguageCode, incident_id: IncidentId, form: Annotated[KeyGiven, Form()], has: Has
) -> Response:
    """It is wanted."""
    found = spoken(has, desk, language)
    try:
        await has.reports.confirm(incident_id, form.key)
    except ReportNotFound:
        return shown(has, found, language, "report_stale", status=422)
    return shown(has, found, language, "report_confirmed")


@router.get("/{desk}/{language}/incidents/{incident_id}/report")
async def read(desk: DeskId, language: LanguageCode, incident_id: IncidentId, key: Key, has: Has) -> Response:
    """The report, for who has the link."""
    found = spoken(has, desk, language)
    try:
        incident, report = await has.reports.read(incident_id, key)
    except ReportNotFound:
        return shown(has, found, language, "report_stale", status=404)
    text = page.html(incident, report, has.desks.get(incident.desk, found), language)
    return Response(text, media_type="text/html; charset=utf-8", headers=HEADERS)


@router.get("/{desk}/{language}/incidents/{incident_id}/report.pdf")
async def read_pdf(desk: DeskId, language: LanguageCode, incident_id: IncidentId, key: Key, has: Has) -> Response:
    """The same as PDF."""
    found = spoken(has, desk, language)
    incident, report = await has.reports.read(incident_id, key)
    response = pdf_of(incident, page.as_pdf(incident, report, has.desks.get(incident.desk, found), language))
    response.headers.update({name: value for name, value in HEADERS.items() if name != "Content-Security-Policy"})
    return response
