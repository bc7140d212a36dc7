"""For administrators: whom to warn at the partners', what was done, and who listened to whom."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Path, Query, Request
from fastapi.responses import Response

from api.common import Line, Short
from api.console import pages
from api.console.guard import ConsoleRoute, done, may
from api.console.pages import line_of
from api.console.sign_in import Posted
from ivr.access_log import store as listenings
from ivr.accounts import store
from ivr.directory import partner_contacts
from ivr.directory.model import WARNED_ROLES
from ivr.errors import BadInput

router = APIRouter(prefix="/console", route_class=ConsoleRoute, include_in_schema=False)

_SHOWN = 100


class NewPerson(Posted):
    """The form for one more person to warn."""

    partner: Line
    name: Line
    role: Short
    mobile: Short
    language: Short | None = None


@router.get("/warned")
@may("administrator")
async def warned_list(request: Request) -> Response:
    """Return who at the partners' gets text messages of incidents."""
    has = line_of(request)
    async with has.store.reading() as unit:
        people = await partner_contacts.every(unit)
    return pages.page(
        request,
        "warned.html.j2",
        people=people,
        roles=WARNED_ROLES,
        partners=sorted(one.name for one in has.directory.book.partners.values()),
        languages=pages.main_desk(request).languages,
    )


@router.post("/warned")
@may("administrator")
async def add_warned(form: Annotated[NewPerson, Form()], request: Request) -> Response:
    """Warn somebody from now on."""
    has = line_of(request)
    desk = pages.main_desk(request)
    if form.language is not None and form.language not in desk.languages:
        mend = f"give one of {', '.join(desk.languages)}"
        raise BadInput(field="language", problem="the desk does not speak this language", mend=mend)
    async with has.store.unit() as unit:
        await partner_contacts.add(
            unit,
            partner_id=has.directory.book.partner_named(form.partner).id,
            name=form.name,
            role=form.role,
            mobile=form.mobile,
            language=form.language,
            region=desk.region,
        )
    return done(request, "/console/warned")


@router.post("/warned/{person_id}/remove")
@may("administrator")
async def remove_warned(person_id: Annotated[int, Path(ge=1, le=2**31 - 1)], request: Request) -> Response:
    """Warn somebody no more."""
    has = line_of(request)
    async with has.store.unit() as unit:
        await partner_contacts.remove(unit, person_id)
    return done(request, "/console/warned")


@router.get("/audit")
@may("administrator")
async def audit_log(request: Request, before: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None) -> Response:
    """Return what was done, and who listened to what, the latest first."""
    has = line_of(request)
    async with has.store.reading() as unit:
        found = await store.page(unit, before=before, limit=_SHOWN + 1)
        heard = await listenings.page(unit, kind=None, subject=None, before=None, limit=_SHOWN)
    return pages.page(request, "audit.html.j2", found=found[:_SHOWN], more=len(found) > _SHOWN, heard=heard)
