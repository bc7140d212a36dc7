"""The voice menu as a picture of the desk file, and what a caller would hear at a moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response

from api.console import pages, words
from api.console.guard import STAFF, ConsoleRoute, PageNotFound, done, may, session_of
from api.console.pages import line_of
from api.console.sign_in import Posted
from api.deps import Services
from ivr.desk import menu
from ivr.desk.schema import Desk
from ivr.desk_editing.hear import HeardLine, hear
from ivr.errors import BadInput
from ivr.numbers.normalise import normalise
from ivr.prompts.catalog import Catalog

router = APIRouter(prefix="/console/menu", route_class=ConsoleRoute, include_in_schema=False)

#: In pixels; it fits a phone as it is.
_ROW, _TOP, _WIDTH = 46, 96, 300


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One key and where it leads; `y` is the height of its middle in the picture."""

    key: str
    name: str
    leads_to: str
    open: bool | None
    y: int


@router.get("")
@may(*STAFF)
async def voice_menu(
    request: Request,
    desk: Annotated[str, Query(max_length=40)] = "",
    at: Annotated[str, Query(max_length=40)] = "",
    caller: Annotated[str, Query(max_length=20)] = "",
    press: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """The picture, and what would be heard."""
    has = line_of(request)
    found = has.desks.get(desk) or pages.main_desk(request)
    moment = _moment(at, found) or has.clock()
    choices = _choices(has, found, request.state.language, moment)
    told = None
    if at or caller or press:
        told = _heard(has, found, moment, caller.strip(), press, request.state.language)
    return pages.page(
        request,
        "menu.html.j2",
        desk=found,
        desks=has.desks,
        choices=choices,
        width=_WIDTH,
        height=_TOP + _ROW * len(choices),
        at=f"{moment.astimezone(found.zone):%Y-%m-%dT%H:%M}",
        caller=caller,
        press=press,
        told=told,
        files=has.desk_files,
    )


class Files(Posted):
    """What is to be done with the desk files."""

    check: bool = False


@router.post("/reload")
@may("administrator", "ops")
async def reload_desks(form: Annotated[Files, Form()], request: Request) -> Response:
    """Take the desk files into force, or only say what would change."""
    has = line_of(request)
    if has.desk_files is None:
        raise PageNotFound
    await has.desk_files.reload(by=session_of(request).account.name, check=form.check)
    return done(request, "/console/menu#files")


def _choices(has: Services, desk: Desk, language: str, at: datetime) -> list[Choice]:
    rows: list[dict[str, Any]] = []
    leads = {**desk.menu.keys, desk.menu.operator_key: desk.menu.operator}
    for key, name in leads.items():
        department = desk.departments[name]
        calendar = has.calendars[desk.id].get(name)
        rows.append(
            {
                "key": key,
                "name": department.name.get(language) or department.name[desk.languages[0]],
                "leads_to": department.queue or ", ".join(department.phones),
                "open": calendar.is_open(at) if calendar is not None else None,
            }
        )
    for key, spoken in desk.menu.languages.items():
        rows.append({"key": key, "name": spoken, "leads_to": "", "open": None})
    rows.append({"key": desk.menu.repeat, "name": words.WORDS[language]["hear_again"], "leads_to": "", "open": None})
    return [Choice(**row, y=_TOP + _ROW * n) for n, row in enumerate(rows)]


def _moment(at: str, desk: Desk) -> datetime | None:
    if not at.strip():
        return None
    try:
        moment = datetime.fromisoformat(at.strip())
    except ValueError as error:
        raise BadInput(field="at", problem=str(error), mend="write it as 2026-12-24T16:59") from error
    if not 2000 <= moment.year < 2100:
        raise BadInput(field="at", problem="hours are known for 2000 to 2099", mend="give a moment in these years")
    if moment.tzinfo is not None:
        return moment
    return moment.replace(tzinfo=desk.zone)


def _heard(has: Services, desk: Desk, at: datetime, caller: str, press: str, language: str) -> list[HeardLine]:
    catalog = Catalog(has.desks)

    def render(desk_id: str, prompt: menu.Prompt, language: str) -> str:
        return catalog.utterance(desk_id, prompt.id, language, dict(prompt.variables)).text

    phone = caller if has.directory.endpoint(caller) is not None else None
    number = None if phone else normalise(caller, desk.region)
    known = has.directory.identify(number, phone, desk.provider)
    who = menu.Caller(number=number, language=known.language, registered_phone=phone, known=known.customer is not None)
    keys = [key for key in press.replace(" ", "") if key]
    return hear(desk, has.calendars[desk.id], who, desk.numbers[0], at, keys, render, identity=known, told_in=language)
