"""What stands around every page of the console: who is signed in, what they may see, forgery, the audit, errors.

A page says who may open it (`@may`); one that says nothing opens to nobody.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote

import structlog
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException

from api import provider_scope
from api.common import cross_site
from api.console import pages, words
from ivr.accounts.model import Role
from ivr.accounts.sign_in import Accounts, Session, csrf_of
from ivr.accounts.sign_in_limits import source_of as counted_source
from ivr.directory.errors import InUse, LastAdministrator
from ivr.errors import AllBadInput, BadInput, Conflict, NotFound, OmnivigilError, TooMany, Unavailable

log = structlog.get_logger()

SESSION_COOKIE = "omnivigil_session"
#: Ties the form for signing in to the browser that asked for it.
VISITOR_COOKIE = "omnivigil_visitor"
LANGUAGE_COOKIE = "omnivigil_language"
#: One for each account that signed in with this browser, by the account's id.
MARK_COOKIE = "omnivigil_browser_"
SIGN_IN = "/console/sign-in"
ACCOUNT = "/console/account"
#: Whoever has a password that an administrator gave opens these pages, by the names of their functions, and no others.
_TO_CHANGE = frozenset({"account_page", "change_password", "sign_out"})

STAFF: tuple[Role, ...] = ("technician", "ops", "manager", "administrator")
#: For pages that need no account.
ANYBODY = "anybody"

Model = TypeVar("Model", bound=BaseModel)
Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
_Handle = Callable[[Request], Coroutine[Any, Any, Response]]

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; media-src 'self' blob:; object-src 'none'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
}


class PageNotFound(NotFound):
    """There is no such page."""


class Forged(OmnivigilError):
    """The form did not come from a page of this session."""


class NotYours(OmnivigilError):
    """This page is for others."""


def may(*roles: Role | str) -> Callable[[Endpoint], Endpoint]:
    """Says which roles may open a page; ANYBODY for all, signed in or not."""

    def mark(endpoint: Endpoint) -> Endpoint:
        endpoint.__setattr__("console_roles", frozenset(roles))
        return endpoint

    return mark


def roles_of(endpoint: Callable[..., Any]) -> frozenset[str]:
    """Return who may open a page."""
    return getattr(endpoint, "console_roles", frozenset())


class ConsoleRoute(APIRoute):
    """A route below /console."""

    def get_route_handler(self) -> _Handle:
        """As the router wants it."""
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            begin(request)
            try:
                response = await _admit(request, self.endpoint, self.name, handle)
            except (OmnivigilError, RequestValidationError, HTTPException) as error:
                response = refuse(request, error)
            for name, value in _HEADERS.items():
                response.headers.setdefault(name, value)
            response.headers.setdefault("Cache-Control", "no-store")
            return response

        return guarded


def begin(request: Request) -> None:
    """What pages need to know, whoever asks."""
    asked = request.cookies.get(LANGUAGE_COOKIE, "")
    if asked in words.LANGUAGES:
        request.state.language = asked
    else:
        request.state.language = next(iter(words.LANGUAGES))
    request.state.session = None
    request.state.services = request.app.state.services
    visitor = request.cookies.get(VISITOR_COOKIE, "")
    # Without a token to derive it from it would be the same for everybody, other sites' pages among them.
    request.state.csrf = csrf_of(visitor) if visitor else ""


async def _admit(request: Request, endpoint: Callable[..., Any], name: str, handle: _Handle) -> Response:
    roles, accounts = roles_of(endpoint), accounts_of(request)
    token = request.cookies.get(SESSION_COOKIE, "")
    session = await accounts.session(token) if token else None
    if session is not None:
        request.state.session, request.state.csrf = session, session.csrf
    if ANYBODY not in roles:
        if session is None:
            return _to_sign_in(request)
        if session.account.must_change and name not in _TO_CHANGE:
            return _elsewhere(request, ACCOUNT)
        if session.account.role not in roles:
            # Partners are not told which pages there are.
            raise PageNotFound if session.account.role == "partner" else NotYours
    if session is not None and session.account.limited_to is not None:
        own = provider_scope.only(request.app.state.services, session.account.limited_to)
        await provider_scope.admit(own, request.path_params)
        request.state.services = own
    if request.method in ("GET", "HEAD"):
        return await handle(request)
    return await _act(request, name, handle, accounts)


async def _act(request: Request, name: str, handle: _Handle, accounts: Accounts) -> Response:
    """A change: of this session's own making, and noted before it is made."""
    form = await request.form(max_files=10, max_fields=2000)
    try:
        return await _act_on(request, form, name, handle, accounts)
    finally:
        await form.close()


async def _act_on(request: Request, form: FormData, name: str, handle: _Handle, accounts: Accounts) -> Response:
    given = request.headers.get("x-csrf-token") or form.get("csrf")
    if cross_site(request) or not request.state.csrf:
        raise Forged
    if not isinstance(given, str) or not hmac.compare_digest(given.encode(), request.state.csrf.encode()):
        raise Forged
    line = await accounts.note(
        who=who(request) or "-",
        source=source_of(request) if who(request) else counted_source(source_of(request)),
        action=name.replace("_", " "),
        subject=" ".join(str(value) for value in request.path_params.values()),
        fields=[key[:60] for key in form if key != "csrf"][:60],
    )
    outcome = 500
    try:
        response = await handle(request)
        outcome = response.status_code
    except (OmnivigilError, RequestValidationError, HTTPException) as error:
        response = refuse(request, error)
        outcome = response.status_code
    finally:
        tried_as = form.get("name") if request.url.path == SIGN_IN else None
        await _noted(accounts, line, outcome, tried_as if isinstance(tried_as, str) else None)
    return response


async def _noted(accounts: Accounts, line: int, outcome: int, tried_as: str | None) -> None:
    try:
        await accounts.noted(line, outcome, tried_as)
    except Unavailable as error:
        # The line is there, without its end; the answer must not say that nothing was done.
        log.warning("audit outcome not saved", line=line, outcome=outcome, error=str(error))


def _elsewhere(request: Request, to: str) -> Response:
    if request.headers.get("hx-request"):
        return Response(status_code=401, headers={"HX-Redirect": to})
    return RedirectResponse(to, status_code=303)


def _to_sign_in(request: Request) -> Response:
    if request.headers.get("hx-request"):
        return _elsewhere(request, SIGN_IN)
    if request.method == "GET" and not request.url.path.endswith("/stream"):
        here = request.url.path
    else:
        here = "/console"
    return RedirectResponse(f"{SIGN_IN}?next={quote(here)}", status_code=303)


def refuse(request: Request, error: Exception) -> Response:  # noqa: C901, PLR0912 - a table, one error after the other
    """An error as a page, or as a part of one."""
    language = request.state.language
    word = words.WORDS[language]
    field, mend = None, None
    every: list[tuple[str, str, str]] = []
    labels: Mapping[str, str] = getattr(request.state, "labels", {})
    if isinstance(error, BadInput):
        status, said, field = 422, words.said(language, error.problem), error.field
        mend = words.said(language, error.mend)
        if isinstance(error, AllBadInput) and len(error.errors) > 1:
            every = [
                (one.field, words.place(language, one.field, labels), words.said(language, one.problem))
                for one in error.errors
            ]
            said, field, mend = word["error_several"].format(count=len(every)), None, None
        elif isinstance(error, AllBadInput):
            said, mend = words.said(language, error.errors[0].problem), words.said(language, error.errors[0].mend)
    elif isinstance(error, RequestValidationError):
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
        status, said = 422, words.invalid(language, first["type"], str(first["msg"]), first.get("ctx", {}))
    elif isinstance(error, NotFound):
        status, said = 404, word["error_not_found"]
    elif isinstance(error, HTTPException):
        status, said = error.status_code, word["error_not_found"] if error.status_code == 404 else str(error.detail)
    elif isinstance(error, InUse):
        status = 409
        said = word["error_last_administrator" if isinstance(error, LastAdministrator) else "error_in_use"]
        said += words.uses(language, error.uses)
    elif isinstance(error, Conflict):
        status, said = 409, word["error_changed"]
        facts = error.facts
        by, at = (facts.get(f"last_update_{fact}") or facts.get(f"last_change_{fact}") for fact in ("by", "at"))
        if by and at:
            mend = word["error_changed_by"].format(who=by, at=pages.moment(request, datetime.fromisoformat(str(at))))
    elif isinstance(error, TooMany):
        status, said = 429, word["error_too_many"]
    elif isinstance(error, Forged):
        status, said = 403, word["error_forged"]
    elif isinstance(error, NotYours):
        status, said = 403, word["error_not_yours"]
    elif isinstance(error, Unavailable):
        log.warning("console request failed: component unavailable", error=str(error), path=request.url.path)
        status, said = 503, word["error_away"]
    else:
        raise error
    part = bool(request.headers.get("hx-request"))
    response = pages.page(
        request,
        "error_part.html.j2" if part else "error.html.j2",
        status=status,
        title=word["error"],
        said=said,
        field=words.place(language, field, labels) if field is not None else None,
        name=field,
        mend=mend,
        every=every,
        code=status,
    )
    if part:
        # The form stays as it was typed.
        response.headers.update({"HX-Retarget": "#problem", "HX-Reswap": "innerHTML", "HX-Reselect": ".refusal"})
    return response


def done(request: Request, to: str) -> Response:
    """After a change, to the page that shows it."""
    if request.headers.get("hx-request"):
        return Response(status_code=204, headers={"HX-Redirect": to})
    return RedirectResponse(to, status_code=303)


def checked(model: type[Model], values: Mapping[str, Any]) -> Model:
    """A form's values as the API would take them. Raises RequestValidationError."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise RequestValidationError([{**one, "loc": ("form", *one["loc"])} for one in error.errors()]) from None


def accounts_of(request: Request) -> Accounts:
    """The accounts."""
    accounts: Accounts = request.app.state.accounts
    return accounts


def session_of(request: Request) -> Session:
    """Return who is signed in, on a page that is not for anybody."""
    session: Session = request.state.session
    return session


def who(request: Request) -> str:
    """The name that is written beside what is done; empty for nobody."""
    session: Session | None = request.state.session
    if session is not None:
        return session.account.name
    return ""


def source_of(request: Request) -> str:
    """The address that a request comes from."""
    if request.client is not None:
        return request.client.host
    return "unknown"


def put_cookie(
    request: Request, response: Response, name: str, value: str, *, max_age: int | None = None, path: str = "/console"
) -> None:
    """A cookie that scripts do not see and other sites' forms do not send."""
    response.set_cookie(
        name,
        value,
        max_age=max_age,
        path=path,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )


def new_visitor() -> str:
    """A token for VISITOR_COOKIE."""
    return secrets.token_urlsafe(24)


def home_of(role: Role) -> str:
    """Return where somebody of this role begins."""
    return {"partner": "/console/portal", "technician": "/console/desk"}.get(role, "/console/board")
