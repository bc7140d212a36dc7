"""For administrators: who may sign in, as what, with which passwords, and where they are signed in now."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Form, Path, Request
from fastapi.responses import Response
from pydantic import Field

from api.common import Line, Short
from api.console import pages
from api.console.directory import provider_of
from api.console.guard import ConsoleRoute, accounts_of, done, may, session_of
from api.console.pages import line_of
from api.console.sign_in import Posted
from api.deps import Services
from ivr.accounts import admin, store
from ivr.accounts.model import ROLES, check_role
from ivr.accounts.passwords import hashed
from ivr.directory.desk_references import providers_of
from ivr.errors import BadInput

router = APIRouter(prefix="/console/accounts", route_class=ConsoleRoute, include_in_schema=False)

Name = Annotated[str, Path(max_length=40)]


class NewAccount(Posted):
    """The form for one more account; without a password one is made, shown once, and changed at the first sign-in."""

    name: Short
    role: Short
    password: Annotated[str, Field(max_length=300)] = ""
    partner: Line | None = None
    endpoint: Short | None = None
    provider: Annotated[str, Field(max_length=60)] = ""


class ChangedAccount(Posted):
    """The form for another role or phone."""

    role: Short
    endpoint: Annotated[str, Field(max_length=40)] = ""
    provider: Annotated[str, Field(max_length=60)] = ""


class EndedSession(Posted):
    """The button that ends one session, or all of them."""

    session: Annotated[str, Field(max_length=64)] = ""


def technicians_phones(has: Services) -> list[str]:
    """Phones that a technician's account may have."""
    return sorted(name for name, one in has.directory.book.endpoints.items() if one.kind == "technician")


def check_phone(has: Services, endpoint: str | None) -> str | None:
    """A technician's phone, or None. Raises BadInput."""
    if not endpoint:
        return None
    if has.directory.technician(endpoint) is None:
        mend = "give the phone of a technician of the directory"
        raise BadInput(field="endpoint", problem="this is not a technician's phone", mend=mend)
    return endpoint


def limit(has: Services, named: str) -> str | None:
    """The provider that an account is limited to; whoever is limited makes none that sees more. Raises BadInput."""
    if named:
        return provider_of(has, named)
    return has.provider


def _not_oneself(request: Request, name: str) -> None:
    if name == session_of(request).account.name:
        raise BadInput(field="name", problem="this is your own account", mend="have another administrator do it")


@router.get("")
@may("administrator")
async def account_list(request: Request) -> Response:
    """Return who may sign in."""
    return await _list_page(request)


async def _list_page(request: Request, **shown: Any) -> Response:
    has = line_of(request)
    async with has.store.reading() as unit:
        found = await store.every(unit)
    return pages.page(
        request,
        "accounts.html.j2",
        accounts=found,
        providers=providers_of(has.desks.values()),
        roles=ROLES,
        partners={one.id: one.name for one in has.directory.book.partners.values()},
        phones=technicians_phones(has),
        **{"given": None, "given_to": None} | shown,
    )


@router.post("")
@may("administrator")
async def add_account(form: Annotated[NewAccount, Form()], request: Request) -> Response:
    """Let somebody sign in."""
    has = line_of(request)
    limited_to = limit(has, form.provider)
    if limited_to is not None:
        book = has.directory.book.only(limited_to)
    else:
        book = has.directory.book
    partner = book.partner_named(form.partner) if form.partner is not None else None
    given = "" if form.password else admin.new_password(form.name)
    await accounts_of(request).create(
        name=form.name,
        role=check_role(form.role),
        password=form.password or given,
        partner_id=partner.id if partner is not None else None,
        endpoint=check_phone(has, form.endpoint),
        must_change=not form.password,
        limited_to=partner.provider if partner is not None else limited_to,
    )
    if given:
        return await _list_page(request, given=given, given_to=form.name)
    return done(request, "/console/accounts")


@router.get("/{name}")
@may("administrator")
async def account_of(name: Name, request: Request) -> Response:
    """One account, and what can be done with it."""
    return await _account_page(request, name)


async def _account_page(request: Request, name: str, **shown: Any) -> Response:
    has = line_of(request)
    async with has.store.reading() as unit:
        found = await admin.get(unit, name)
        sessions = await admin.sessions(unit, found.id, has.clock())
    book = has.directory.book
    partner = None
    if found.partner_id is not None:
        partner = book.partners.get(found.partner_id)
    return pages.page(
        request,
        "account_of.html.j2",
        one=found,
        sessions=sessions,
        partner=partner.name if partner is not None else None,
        roles=[role for role in ROLES if (role == "partner") == (found.role == "partner")],
        phones=technicians_phones(has),
        providers=providers_of(has.desks.values()),
        **{"given": None, "given_to": name, "told": None} | shown,
    )


@router.post("/{name}")
@may("administrator")
async def change_account(name: Name, form: Annotated[ChangedAccount, Form()], request: Request) -> Response:
    """Give an account another role or phone; one's own role is another administrator's to change."""
    has = line_of(request)
    me = session_of(request).account
    if (form.role, limit(has, form.provider)) != (me.role, me.limited_to):
        _not_oneself(request, name)
    endpoint = check_phone(has, form.endpoint)
    async with has.store.unit() as unit:
        limited_to = limit(has, form.provider)
        await admin.change(unit, name, role=form.role, endpoint=endpoint, limited_to=limited_to)
    return done(request, f"/console/accounts/{name}")


@router.post("/{name}/disable")
@may("administrator")
async def disable_account(name: Name, request: Request) -> Response:
    """Let somebody sign in no more; whoever is signed in is out at once."""
    has = line_of(request)
    _not_oneself(request, name)
    async with has.store.unit() as unit:
        await admin.close(unit, name, has.clock())
    return done(request, f"/console/accounts/{name}")


@router.post("/{name}/reopen")
@may("administrator")
async def reopen_account(name: Name, request: Request) -> Response:
    """Let somebody sign in again, with another password, which is shown once."""
    has = line_of(request)
    given, password_hash = await _new_password(name)
    async with has.store.unit() as unit:
        await admin.reopen(unit, name, password_hash)
    return await _account_page(request, name, given=given)


@router.post("/{name}/password")
@may("administrator")
async def give_password(name: Name, request: Request) -> Response:
    """Another password, which is shown once and must be changed at the next sign-in."""
    has = line_of(request)
    _not_oneself(request, name)
    given, password_hash = await _new_password(name)
    async with has.store.unit() as unit:
        await admin.give_password(unit, name, password_hash)
    return await _account_page(request, name, given=given)


async def _new_password(name: str) -> tuple[str, str]:
    given = admin.new_password(name)
    return given, await asyncio.to_thread(hashed, given)


@router.post("/{name}/second-factor/reset")
@may("administrator")
async def reset_second_factor(name: Name, request: Request) -> Response:
    """Ask for no codes any more: the phone and the recovery codes are lost."""
    has = line_of(request)
    _not_oneself(request, name)
    async with has.store.unit() as unit:
        await admin.reset_second_factor(unit, name)
    return done(request, f"/console/accounts/{name}")


@router.post("/{name}/sessions/end")
@may("administrator")
async def end_sessions_of(name: Name, form: Annotated[EndedSession, Form()], request: Request) -> Response:
    """Sign somebody out, in one place or everywhere."""
    has = line_of(request)
    async with has.store.unit() as unit:
        found = await admin.get(unit, name)
        if form.session:
            await admin.end_session(unit, found.id, form.session)
        else:
            await admin.end_sessions(unit, found.id)
    return done(request, f"/console/accounts/{name}")
