"""Signing in and out, and one's own account."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import segno
from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response
from markupsafe import Markup
from pydantic import Field

from api.common import Given
from api.console import pages, words
from api.console.guard import (
    ANYBODY,
    LANGUAGE_COOKIE,
    MARK_COOKIE,
    SESSION_COOKIE,
    SIGN_IN,
    VISITOR_COOKIE,
    ConsoleRoute,
    accounts_of,
    done,
    home_of,
    may,
    new_visitor,
    put_cookie,
    session_of,
    source_of,
)
from api.console.pages import line_of
from ivr.accounts import admin
from ivr.accounts.model import ROLES
from ivr.accounts.second_factor import enrolment_uri, new_secret
from ivr.accounts.sign_in import NotSignedIn, TooManySignIns, csrf_of, digest
from ivr.accounts.sign_in_limits import KNOWN

router = APIRouter(prefix="/console", route_class=ConsoleRoute, include_in_schema=False)

#: A page of our own, so that nobody is led elsewhere after signing in.
_OWN = re.compile(r"/console(/[A-Za-z0-9_/-]*)?")
_YEAR_S = 365 * 24 * 3600

Typed = Annotated[str, Field(max_length=300)]


class Posted(Given):
    """What every form carries; the guard around the page has looked at it."""

    csrf: str = Field(default="", max_length=100)


class SignIn(Posted):
    """The form for signing in."""

    name: Typed = ""
    password: Typed = ""
    code: Typed = ""
    next: Typed = ""


class PasswordChange(Posted):
    """The form for another password."""

    old: Typed
    new: Typed


class Enrolment(Posted):
    """The form for a second factor."""

    secret: Annotated[str, Field(pattern=r"^[A-Z2-7]{32}$")]
    code: Typed
    password: Typed


class Unenrolment(Posted):
    """The form for no second factor any more."""

    password: Typed


def _own(path: str) -> str | None:
    if _OWN.fullmatch(path) and not path.startswith((SIGN_IN, "/console/language")):
        return path
    return None


@router.get("")
@may(*ROLES)
async def home(request: Request) -> Response:
    """To where one's work is."""
    return RedirectResponse(home_of(session_of(request).account.role), status_code=303)


@router.get("/language/{language}")
@may(ANYBODY)
async def choose_language(language: Literal["fr", "en"], request: Request, next: Typed = "") -> Response:  # noqa: A002
    """Speak another language from now on."""
    response = RedirectResponse(next if _OWN.fullmatch(next) else "/console", status_code=303)
    put_cookie(request, response, LANGUAGE_COOKIE, language, max_age=_YEAR_S)
    return response


@router.get("/sign-in")
@may(ANYBODY)
async def sign_in_page(request: Request, next: Annotated[Typed, Query()] = "") -> Response:  # noqa: A002
    """The form for signing in."""
    return _sign_in_page(request, next=_own(next) or "")


def _sign_in_page(request: Request, *, next: str, problem: str | None = None, status: int = 200) -> Response:  # noqa: A002
    visitor = request.cookies.get(VISITOR_COOKIE) or new_visitor()
    request.state.csrf = csrf_of(visitor)
    request.state.session = None
    response = pages.page(request, "sign_in.html.j2", status=status, problem=problem, next=next)
    put_cookie(request, response, VISITOR_COOKIE, visitor)
    return response


@router.post("/sign-in")
@may(ANYBODY)
async def sign_in(form: Annotated[SignIn, Form()], request: Request) -> Response:
    """Sign in."""
    word = words.WORDS[request.state.language]
    try:
        session = await accounts_of(request).sign_in(
            name=form.name, password=form.password, code=form.code, source=source_of(request), marks=_marks(request)
        )
    except NotSignedIn:
        return _sign_in_page(request, next=_own(form.next) or "", problem=word["sign_in_wrong"], status=422)
    except TooManySignIns:
        page = _sign_in_page(request, next=_own(form.next) or "", problem=word["sign_in_too_many"], status=429)
        page.headers["Retry-After"] = "60"
        return page
    response = RedirectResponse(_own(form.next) or home_of(session.account.role), status_code=303)
    put_cookie(request, response, SESSION_COOKIE, session.token)
    name, age_s = f"{MARK_COOKIE}{session.account.id}", int(KNOWN.total_seconds())
    put_cookie(request, response, name, session.mark, max_age=age_s, path=SIGN_IN)
    response.delete_cookie(VISITOR_COOKIE, path="/console")
    return response


def _marks(request: Request) -> dict[int, str]:
    """Return what says that this browser signed in before, by account."""
    return {
        int(name.removeprefix(MARK_COOKIE)): value
        for name, value in request.cookies.items()
        if name.startswith(MARK_COOKIE) and name.removeprefix(MARK_COOKIE).isdecimal() and len(name) < 40
    }


@router.post("/sign-out")
@may(*ROLES)
async def sign_out(request: Request) -> Response:
    """Sign out."""
    await accounts_of(request).sign_out(session_of(request))
    response = RedirectResponse(SIGN_IN, status_code=303)
    response.delete_cookie(SESSION_COOKIE, path="/console")
    return response


@router.get("/account")
@may(*ROLES)
async def account_page(request: Request) -> Response:
    """One's own account."""
    return await _account_page(request)


async def _account_page(request: Request, **values: Any) -> Response:
    has = line_of(request)
    async with has.store.reading() as unit:
        sessions = await admin.sessions(unit, session_of(request).account.id, has.clock())
    secret = new_secret()
    uri = enrolment_uri(secret, session_of(request).account.name)
    drawn = segno.make(uri, error="m").svg_inline(scale=5, svgclass="qr", light="#fff")
    shown: dict[str, Any] = {"codes": None, "done": None} | values
    own = digest(session_of(request).token)
    picture = Markup(drawn)  # noqa: S704 - drawn here, of squares and without text
    return pages.page(request, "account.html.j2", secret=secret, qr=picture, sessions=sessions, own=own, **shown)


@router.post("/account/password")
@may(*ROLES)
async def change_password(form: Annotated[PasswordChange, Form()], request: Request) -> Response:
    """Another password; other sessions of the account end."""
    await accounts_of(request).change_password(session_of(request), old=form.old, new=form.new)
    # As it is now: it may have been one that had to be changed.
    request.state.session = await accounts_of(request).session(session_of(request).token)
    return await _account_page(request, done="password_changed")


class EndedSession(Posted):
    """The button that ends another session of one's own, or all others."""

    session: Annotated[str, Field(max_length=64)] = ""


@router.post("/account/sessions/end")
@may(*ROLES)
async def end_own_sessions(form: Annotated[EndedSession, Form()], request: Request) -> Response:
    """Sign out elsewhere; this session goes on."""
    has = line_of(request)
    me, own = session_of(request).account.id, digest(session_of(request).token)
    async with has.store.unit() as unit:
        if form.session and form.session != own:
            await admin.end_session(unit, me, form.session)
        elif not form.session:
            await admin.end_sessions(unit, me, but=own)
    return done(request, "/console/account")


@router.post("/account/second-factor")
@may(*ROLES)
async def enrol(form: Annotated[Enrolment, Form()], request: Request) -> Response:
    """Ask for a code at each sign-in."""
    codes = await accounts_of(request).enrol(
        session_of(request), secret=form.secret, code=form.code, password=form.password
    )
    return await _account_page(request, codes=codes)


@router.post("/account/second-factor/remove")
@may(*ROLES)
async def unenrol(form: Annotated[Unenrolment, Form()], request: Request) -> Response:
    """Ask for no code any more."""
    await accounts_of(request).unenrol(session_of(request), password=form.password)
    return RedirectResponse("/console/account", status_code=303)
