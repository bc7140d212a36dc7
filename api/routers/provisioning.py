"""Setting phones up: an address for one phone and one day, and the file that its device fetches there once."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Final

import structlog
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from api.common import Has, Who
from api.deps import Services
from api.guard import from_here
from api.head_requests import head_only
from api.phones import folder_of
from api.routers.directory import EntryKey, Provider
from ivr.directory import errors, queries, store
from ivr.directory.entries import CODECS, PhoneEntry
from ivr.errors import BadInput, NotFound, TooMany
from ivr.provisioning import tokens
from ivr.provisioning.phones import Account, Asked, addresses, asked, render, render_index, server_of
from ivr.rate_limit import RateLimit
from ivr.refusals import Refusals
from ivr.settings import Address
from ivr.store.engine import Unit

log = structlog.get_logger()

router = APIRouter(prefix="/directory", tags=["directory"])
files = APIRouter(include_in_schema=False)

#: Files that one address may ask for in so many seconds. A device asks for some ten at each start.
_MOST, _WITHIN_S = 60, 60.0
_MEDIA_TYPES: Final = {"cfg": "text/plain; charset=utf-8", "xml": "application/xml"}


class FileNotThere(NotFound):
    """There is no such file."""


class Provisioning(BaseModel):
    """Where a device finds its configuration: once, and not after `expires_at`."""

    url: str = Field(description="What most devices take for their provisioning server; told this once.")
    urls: dict[str, str] = Field(description="By make, where the device is to be given more than the server.")
    expires_at: datetime


class Fetching:
    """How often files are asked for, and what is told of those that are refused."""

    def __init__(self) -> None:
        self._limit = RateLimit(_MOST, _WITHIN_S)
        self._refusals = Refusals()

    def admit(self, client: str) -> None:
        """Raises TooMany."""
        if not self._limit.allows(client, time.monotonic()):
            self.refuse("too-many")
            raise TooMany()

    def refuse(self, reason: str) -> None:
        """Tell of it; what was asked for is a secret, or somebody's try at one."""
        self._refusals.note(f"provisioning-{reason}")


@router.post("/phones/{name}/provisioning", status_code=201)
async def offer_configuration(name: EntryKey, request: Request, has: Has, who: Who, provider: Provider) -> Provisioning:
    """Make an address from which the phone’s device fetches its configuration, once and within a day.

    Fetching it gives the phone a new secret. An earlier address of the phone is worthless from now on.
    """
    at, by = has.clock(), f"token {who.name}"
    async with has.store.unit() as unit:
        phone = await queries.get(unit, provider, "phones", name)
        if phone is None:
            raise errors.EntryNotFound(entry=f"phone {name}")
        token = await tokens.make(unit, name, by=by, at=at)
    base = folder_of(has, request, token)
    return Provisioning(url=base, urls=addresses(base), expires_at=at + tokens.GOOD_FOR)


@files.get("/provision/{token}/{file}")
async def configuration(token: str, file: str, request: Request, has: Has) -> Response:
    """The configuration of a device, which is told by the file's name; the phone has a new secret then."""
    fetching: Fetching = request.app.state.fetching
    client = request.client.host if request.client is not None else ""
    fetching.admit(client)
    if request.url.scheme != "https" and not from_here(request.scope):
        fetching.refuse("not-encrypted")
        mend = "give the device an address that begins with https://"
        raise BadInput(field="url", problem="is asked for without encryption, and holds a secret", mend=mend)
    wanted = None
    if len(token) < 100:
        wanted = asked(file, request.headers.get("user-agent", ""))
    if wanted is None:
        # Devices ask for more than there is for them, at each start.
        raise FileNotThere()
    at = has.clock()
    async with has.store.reading() as unit:
        found = await _phone(unit, token, at)
    if found is None or not _fits(found[1], wanted):
        fetching.refuse("unknown" if found is None else "other-device")
        raise FileNotThere()
    if wanted.index:
        return _answer(render_index(wanted.mac or ""), "xml")
    provider, entry = found
    if head_only(request):
        # The secret is made, and the token used up, for who takes the file.
        answer = _answer("", file.rpartition(".")[2].lower())
        # How long it will be is not known before.
        del answer.headers["content-length"]
        return answer
    async with has.store.unit() as unit:
        name = await tokens.use(unit, token, at)
        if name is None:
            raise FileNotThere()
        editor = has.editor(provider, by="provisioning", source=f"device {wanted.mac or wanted.make}")
        secret = await editor.renew_secret(unit, name)
    log.info("phone provisioned", endpoint=name, make=wanted.make)
    return _answer(render(wanted.make, _account(has, request, name, entry, secret)), file.rpartition(".")[2].lower())


async def _phone(unit: Unit, token: str, at: datetime) -> tuple[str, PhoneEntry] | None:
    """Whose token it is: the provider, and the phone."""
    name = await tokens.phone_of(unit, token, at)
    if name is None:
        return None
    provider = await store.phones_provider(unit, name)
    found = await queries.get(unit, provider, "phones", name)
    if found is not None and isinstance(found.entry, PhoneEntry):
        return (provider, found.entry)
    return None


def _fits(phone: PhoneEntry, wanted: Asked) -> bool:
    """Whether the device is the phone's; a softphone has no MAC address."""
    return wanted.mac is None or wanted.mac == phone.mac


def _account(has: Services, request: Request, name: str, entry: PhoneEntry, secret: str) -> Account:
    known = has.directory.endpoint(name)
    server = Address.parse(server_of(has.sip, request.url.hostname or "localhost"), field="sip")
    support = next((code for desk in has.desks.values() for code in desk.service_codes), "611")
    return Account(
        name=name,
        secret=secret,
        display=entry.display or (known.display if known is not None else name),
        host=server.host,
        port=server.port,
        transport=entry.transport or "udp",
        language=entry.language or (known.language if known is not None else "fr"),
        support=support,
        codecs=entry.codecs or CODECS,
    )


def _answer(text: str, ending: str) -> Response:
    return Response(text, media_type=_MEDIA_TYPES[ending], headers={"Cache-Control": "no-store"})
