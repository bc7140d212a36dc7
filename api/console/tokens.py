"""For administrators: the API's tokens, what each may do, when it was last used, and until when it is good."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Path, Request
from fastapi.responses import Response
from pydantic import Field

from api.common import Line
from api.console import pages
from api.console.directory import provider_of
from api.console.guard import ConsoleRoute, done, may
from api.console.pages import line_of
from api.console.sign_in import Posted
from ivr.accounts import api_tokens
from ivr.directory.desk_references import providers_of
from ivr.errors import BadInput

router = APIRouter(prefix="/console/tokens", route_class=ConsoleRoute, include_in_schema=False)


class NewToken(Posted):
    """The form for one more."""

    name: Line
    scopes: list[Annotated[str, Field(max_length=40)]] = Field(default_factory=list, max_length=20)
    provider: Annotated[str, Field(max_length=60)] = ""
    days: Annotated[str, Field(max_length=10)] = ""


@router.get("")
@may("administrator")
async def token_list(request: Request) -> Response:
    """Those that are not revoked."""
    return await _page(request)


async def _page(request: Request, **shown: Any) -> Response:
    has = line_of(request)
    async with has.store.reading() as unit:
        found = await api_tokens.every(unit)
    return pages.page(
        request,
        "tokens.html.j2",
        found=found,
        scopes=api_tokens.SCOPES if has.provider is None else api_tokens.OF_ONE_PROVIDER,
        providers=providers_of(has.desks.values()),
        **{"given": None, "given_to": None} | shown,
    )


@router.post("")
@may("administrator")
async def make_token(form: Annotated[NewToken, Form()], request: Request) -> Response:
    """Make one, and show it once."""
    has = line_of(request)
    name, now = api_tokens.check_token_name(form.name), has.clock()
    unknown = [one for one in form.scopes if one not in api_tokens.SCOPES]
    if unknown or not form.scopes:
        raise BadInput(field="scopes", problem="is missing", mend="say what the token may do")
    if form.days and not form.days.isdecimal():
        raise BadInput(field="days", problem="is not a number of days", mend="give digits, or nothing")
    provider = provider_of(has, form.provider) if form.provider else has.provider
    api_tokens.check_provider(form.scopes, provider)
    ends = api_tokens.end_of(int(form.days) if form.days else None, now)
    async with has.store.unit() as unit:
        made = await api_tokens.create_token(unit, name, form.scopes, now, expires_at=ends, provider=provider)
    return await _page(request, given=made, given_to=name)


@router.post("/{token_id}/revoke")
@may("administrator")
async def revoke_token(token_id: Annotated[int, Path(ge=1, le=2**31 - 1)], request: Request) -> Response:
    """Make one worthless; a running line takes it no more within 5 seconds."""
    has = line_of(request)
    async with has.store.unit() as unit:
        await api_tokens.revoke(unit, token_id, has.clock())
    return done(request, "/console/tokens")
