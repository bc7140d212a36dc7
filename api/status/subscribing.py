"""Subscribing to the status page by e-mail or text message, without script (OV-27).

Nothing tells whether an address is known: asking is always answered alike. A link in an e-mail shows a button, for mail
programs follow links by themselves.
"""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Path, Query, Request, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import BaseModel, ConfigDict, Field

from api.common import Has, cross_site
from api.deps import Services
from api.paths import DeskId, desk_of
from api.status.words import LANGUAGES, SUBSCRIBING
from api.status.words import WORDS as STATUS_WORDS
from ivr.desk.schema import Desk
from ivr.errors import BadInput, NotFound
from ivr.statuspage.summary import capital
from ivr.subscriptions.rules import Kind
from ivr.subscriptions.service import TooManySubscriptions

router = APIRouter(prefix="/status", tags=["status"], include_in_schema=False)

LanguageCode = Annotated[str, Path(pattern="^[a-z]{2}$", examples=["fr"])]
Token = Annotated[str, Query(max_length=64)]
What = Literal[
    "form",
    "asked",
    "code",
    "busy",
    "forged",
    "confirm",
    "confirmed",
    "stale",
    "leave",
    "left",
    "follow",
    "followed",
    "stale_follow",
    "report_asked",
    "report_wrong",
    "report_confirm",
    "report_confirmed",
    "report_stale",
    "missing",
]

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # What is in the address confirms or ends a subscription.
    "Referrer-Policy": "no-referrer",
}
_ENVIRONMENT = Environment(
    loader=FileSystemLoader(FilePath(__file__).parent), autoescape=True, undefined=StrictUndefined
)


class PageNotFound(NotFound):
    """There is no such page."""


class PublicForm(BaseModel):
    """What a form of these pages carries."""

    # Browsers' extensions add fields of their own.
    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)


class Asked(PublicForm):
    """An address to subscribe."""

    kind: Kind
    address: str = Field(max_length=300)
    services: list[str] = Field(default_factory=list, max_length=50)
    #: What confirmed an e-mail address: only who has it may have a number sent a code.
    token: str = Field(default="", max_length=64)


class Code(PublicForm):
    """The code that came by text message."""

    number: str = Field(max_length=20)
    code: str = Field(max_length=20)


class TokenGiven(PublicForm):
    """What a link carries; RFC 8058's own field comes along and is not looked at."""

    token: str = Field(default="", max_length=64)


@router.get("/{desk}/{language}/subscribe")
async def subscribe_form(desk: DeskId, language: LanguageCode, has: Has) -> Response:
    """The form."""
    return shown(has, spoken(has, desk, language), language, "form")


@router.post("/{desk}/{language}/subscribe")
async def subscribe(
    desk: DeskId, language: LanguageCode, form: Annotated[Asked, Form()], request: Request, has: Has
) -> Response:
    """Have an address asked to confirm."""
    found = spoken(has, desk, language)
    if cross_site(request):
        return shown(has, found, language, "forged", status=403)
    if form.kind not in ways(has):
        return shown(has, found, language, "form", status=422)
    own = {dialled for one in has.desks.values() for dialled in one.dialled}
    try:
        address = await has.subscribers.ask(
            found,
            form.kind,
            form.address,
            language=language,
            services=form.services,
            client=client_of(request),
            page=f"{has.notices.public_url}/status/{found.id}/{language}",
            own=own,
            proof=form.token,
        )
    except TooManySubscriptions:
        return shown(has, found, language, "busy", status=429)
    except BadInput as error:
        if error.field in ("address", "services", "token"):
            wrong = error.field
        else:
            wrong = "address"
        what: What = "confirmed" if form.kind == "sms" and wrong != "token" else "form"
        return shown(
            has,
            found,
            language,
            what,
            status=422,
            kind=form.kind,
            address=form.address,
            wrong=wrong,
            token=form.token,
        )
    if form.kind == "sms":
        return shown(has, found, language, "code", address=address)
    return shown(has, found, language, "asked")


@router.post("/{desk}/{language}/code")
async def confirm_code(
    desk: DeskId, language: LanguageCode, form: Annotated[Code, Form()], request: Request, has: Has
) -> Response:
    """Confirm by the code of a text message."""
    found = spoken(has, desk, language)
    if cross_site(request):
        return shown(has, found, language, "forged", status=403)
    try:
        await has.subscribers.confirm_code(found, form.number, form.code, client=client_of(request))
    except TooManySubscriptions:
        return shown(has, found, language, "busy", status=429)
    except BadInput:
        return shown(has, found, language, "code", status=422, address=form.number, wrong="code")
    return shown(has, found, language, "confirmed")


@router.get("/{desk}/{language}/confirm")
async def confirm_form(desk: DeskId, language: LanguageCode, token: Token, has: Has) -> Response:
    """A button: programs that look at links do not press it."""
    return shown(has, spoken(has, desk, language), language, "confirm", token=token)


@router.post("/{desk}/{language}/confirm")
async def confirm(desk: DeskId, language: LanguageCode, form: Annotated[TokenGiven, Form()], has: Has) -> Response:
    """Confirm by the link of an e-mail."""
    found = spoken(has, desk, language)
    try:
        await has.subscribers.confirm(found, form.token)
    except BadInput:
        return shown(has, found, language, "stale", status=422)
    return shown(has, found, language, "confirmed", token=form.token)


@router.get("/{desk}/{language}/leave")
async def leave_form(desk: DeskId, language: LanguageCode, token: Token, has: Has) -> Response:
    """A button."""
    return shown(has, spoken(has, desk, language), language, "leave", token=token)


@router.post("/{desk}/{language}/leave")
async def leave(
    desk: DeskId, language: LanguageCode, form: Annotated[TokenGiven, Form()], has: Has, token: Token = ""
) -> Response:
    """End a subscription: by the button, or with one click in a mail program (RFC 8058), which posts to the link."""
    found = spoken(has, desk, language)
    await has.subscribers.leave(form.token or token)
    return shown(has, found, language, "left")


@router.get("/{desk}/{language}/follow")
async def follow_form(desk: DeskId, language: LanguageCode, token: Token, has: Has) -> Response:
    """A button, for the owner of a number that somebody named on the telephone."""
    return shown(has, spoken(has, desk, language), language, "follow", token=token)


@router.post("/{desk}/{language}/follow")
async def follow(desk: DeskId, language: LanguageCode, form: Annotated[TokenGiven, Form()], has: Has) -> Response:
    """The owner of the number wants a text message at each stage of the incident."""
    found = spoken(has, desk, language)
    if not await has.incidents.followers.confirm(form.token):
        return shown(has, found, language, "stale_follow", status=422)
    return shown(has, found, language, "followed")


def ways(has: Services) -> tuple[Kind, ...]:
    """How one can subscribe: what is configured to leave from here."""
    kinds: list[Kind] = []
    if has.notices.smtp is not None and has.notices.public_url is not None:
        kinds.append("email")
    # Who wants text messages has confirmed an e-mail address first.
    if kinds and has.notices.twilio is not None:
        kinds.append("sms")
    return tuple(kinds)


def client_of(request: Request) -> str:
    """The address that a request comes from."""
    if request.client is not None:
        return request.client.host
    return "unknown"


def spoken(has: Services, desk: str, language: str) -> Desk:
    """The desk, when it speaks the language. Raises PageNotFound."""
    found = desk_of(has, desk)
    if language not in found.languages or language not in SUBSCRIBING:
        raise PageNotFound(language=language)
    return found


def shown(has: Services, desk: Desk, language: str, what: What, *, status: int = 200, **facts: Any) -> Response:
    """What is said to whoever sent a form, or is to send one."""
    shown = {"token": "", "address": "", "kind": "", "wrong": "", "action": what} | facts
    text = _ENVIRONMENT.get_template("subscribe.html.j2").render(
        desk=desk,
        language=language,
        base=f"/status/{desk.id}",
        what=what,
        ways=ways(has),
        names=LANGUAGES,
        word=STATUS_WORDS[language],
        say=SUBSCRIBING[language],
        services={name: capital(names[language]) for name, names in desk.services.items()},
        **shown,
    )
    return Response(text, status_code=status, media_type="text/html; charset=utf-8", headers=HEADERS)
