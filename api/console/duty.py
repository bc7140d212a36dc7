"""« Put a technician on duty »: account, phone, queues and languages, all in one form or nothing."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response
from pydantic import Field
from starlette.datastructures import FormData

from api.console import directory_forms as forms
from api.console import pages, phone_credentials
from api.console.directory import common, known, labelled, new_key, provider_of
from api.console.guard import ConsoleRoute, done, may, who
from api.console.pages import line_of
from api.console.sign_in import Posted
from ivr.accounts import admin
from ivr.accounts.model import check_name
from ivr.accounts.passwords import hashed
from ivr.accounts.sign_in import create_account
from ivr.directory import edits, queries, service
from ivr.directory.desk_references import Known
from ivr.directory.entries import PhoneEntry, read_entry
from ivr.directory.errors import EntryNotFound
from ivr.errors import BadInput
from ivr.store.engine import Unit

router = APIRouter(prefix="/console/duty", route_class=ConsoleRoute, include_in_schema=False)

_FIRST_PHONE = 7000


def _inputs(there: Known) -> tuple[forms.Input, ...]:
    every = {one.name: one for one in forms.inputs_of("staff", there)}
    return tuple(every[name] for name in ("name", "queues", "languages", "skills"))


@router.get("")
@may("administrator")
async def duty(request: Request, provider: Annotated[str, Query(max_length=60)] = "") -> Response:
    """The form, with a phone's name that is free and every language chosen."""
    has = line_of(request)
    mine = provider_of(has, provider)
    there = known(has, mine)
    async with has.store.reading() as unit:
        free = await _free_phone(unit, mine, there)
    queues = [{"queue": one, "penalty": 0} for one in there.queues[:1]]
    spoken = [{"language": one, "penalty": 0} for one in there.languages]
    values = {"phone": free, "queues": queues, "languages": spoken}
    return pages.page(
        request, "duty.html.j2", inputs=_inputs(there), values=values, people=[], offered={}, **common(request, mine)
    )


async def _free_phone(unit: Unit, provider: str, there: Known) -> str:
    """The next number after those of the technicians' phones."""
    part = await queries.find(
        unit, provider, "phones", filters={"kind": "technician"}, sort="-key", limit=service.KEPT_CHANGES
    )
    numbers = [int(one.key) for one in part.entries if one.key.isdecimal() and len(one.key) <= len(str(_FIRST_PHONE))]
    number = max(numbers, default=_FIRST_PHONE) + 1
    while str(number) in there.dialled or await edits.phone_exists(unit, str(number)):
        number += 1
    return str(number)


@router.post("")
@may("administrator")
async def put_on_duty(request: Request) -> Response:
    """Make the account, the phone and the person in one transaction; password and secret are shown once."""
    has = line_of(request)
    form = await request.form()
    mine = provider_of(has, _text(form, "provider"))
    there = known(has, mine)
    inputs = _inputs(there)
    labelled(request, "staff", inputs)
    account = _text(form, "login").lower()
    phone = _text(form, "phone")
    if account:
        _at("login", check_name, account)
    if not phone:
        raise BadInput(field="phone", problem="is missing", mend="give the name of a phone, as 7003")
    values = forms.given(form, inputs) | {"phone": phone} | ({"account": account} if account else {})
    person = read_entry("staff", values, there.region)
    password = admin.new_password(account) if account else None
    if password is not None:
        password_hash = await asyncio.to_thread(hashed, password)
    else:
        password_hash = ""
    editor = has.editor(mine, by=who(request), source="console")
    async with has.store.unit() as unit:
        key = await new_key(unit, mine, "staff", "", person, there)
        if await queries.get(unit, mine, "phones", phone) is not None:
            mend = "give one that is not, or enter the person alone and choose this phone"
            raise BadInput(field="phone", problem="is there already", mend=mend)
        if account:
            await create_account(
                unit,
                name=account,
                role="technician",
                password_hash=password_hash,
                at=has.clock(),
                endpoint=phone,
                must_change=True,
                limited_to=has.provider,
            )
        made = await editor.put(unit, "phones", phone, PhoneEntry(kind="technician"))
        await editor.put(unit, "staff", key, person)
    return pages.page(
        request,
        "duty_done.html.j2",
        key=key,
        name=getattr(person, "name", key),
        handed=phone_credentials.of(request, phone, made.secret or ""),
        given=password,
        given_to=account,
        **common(request, mine),
    )


class Shift(Posted):
    """Whether a member of staff is to answer their queues."""

    provider: Annotated[str, Field(max_length=60)] = ""
    key: Annotated[str, Field(max_length=100)]
    state: Literal["in", "out"]


@router.post("/state")
@may("administrator")
async def change_state(form: Annotated[Shift, Form()], request: Request) -> Response:
    """Log somebody in to all of their queues, or out: whoever has no phone of ours cannot dial *22."""
    has = line_of(request)
    mine = provider_of(has, form.provider)
    person = has.directory.book.staff(mine, form.key)
    if person is None:
        raise EntryNotFound(entry=form.key)
    if form.state == "in":
        await has.duty.begin(person)
    else:
        await has.duty.end(has.directory.book.answers_on(person))
    return done(request, f"/console/directory/staff/entry?{urlencode({'provider': mine, 'key': form.key})}")


def _text(form: FormData, name: str) -> str:
    value = form.get(name, "")
    if isinstance(value, str):
        return value.strip()
    return ""


def _at(field: str, check: Any, value: str) -> None:
    """Check a value and tell what is wrong at a field of this form."""
    try:
        check(value)
    except BadInput as error:
        raise BadInput(field=field, problem=error.problem, mend=error.mend) from None
