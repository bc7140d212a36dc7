"""What routers share: the services, who asks, pages, and texts that a database takes."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import datetime
from typing import Annotated, Generic, TypeVar

from fastapi import Depends, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from api import provider_scope
from api.deps import Services
from ivr.accounts.api_tokens import Bearer
from ivr.errors import BadInput

Item = TypeVar("Item")

_LINE_CONTROL = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]")
_TEXT_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def _one_line(text: str) -> str:
    if _LINE_CONTROL.search(text):
        raise ValueError("holds control characters or line breaks; remove them")
    return text


def _text(text: str) -> str:
    if _TEXT_CONTROL.search(text):
        raise ValueError("holds control characters; remove them")
    return text


#: One line; shown, printed and put into headers.
Line = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_one_line)]
#: Several lines.
Text = Annotated[str, StringConstraints(min_length=1, max_length=20_000), AfterValidator(_text)]
Cursor = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_one_line)]
Short = Annotated[str, StringConstraints(min_length=1, max_length=40), AfterValidator(_one_line)]


class Given(BaseModel):
    """What clients give: nothing but what is known."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class PageQuery(Given):
    """Which part of a list."""

    limit: int = Field(default=50, ge=1, le=200, description="The most entries to return.")
    cursor: Cursor | None = Field(default=None, description="`next` of the page before.")


class Page(BaseModel, Generic[Item]):
    """Part of a list, the newest first."""

    items: list[Item]
    next: str | None = Field(description="Give it as `cursor` for what follows; null at the end.")


def make_cursor(*parts: str) -> str:
    """Says where a page ended."""
    return base64.urlsafe_b64encode("|".join(parts).encode()).decode().rstrip("=")


def read_cursor(cursor: str | None, count: int) -> list[str] | None:
    """The parts that `make_cursor` was given. Raises BadInput."""
    if cursor is None:
        return None
    try:
        parts = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode().split("|")
    except (binascii.Error, ValueError):
        raise bad_cursor() from None
    if len(parts) != count:
        raise bad_cursor()
    return parts


def read_moment_cursor(cursor: str | None) -> tuple[datetime, str] | None:
    """The moment and id of the last row of a page, of a cursor made of both. Raises BadInput."""
    parts = read_cursor(cursor, 2)
    if parts is None:
        return None
    try:
        moment = datetime.fromisoformat(parts[0])
    except ValueError:
        raise bad_cursor() from None
    if moment.tzinfo is None:
        raise bad_cursor()
    return moment, parts[1]


def read_id_cursor(cursor: str | None) -> int | None:
    """The id that a cursor of ours names. Raises BadInput."""
    after = read_cursor(cursor, 1)
    if after is None:
        return None
    if not re.fullmatch(r"[0-9]{1,9}", after[0], re.ASCII):
        raise bad_cursor()
    return int(after[0])


def bad_cursor() -> BadInput:
    """It is not one of ours."""
    return BadInput(field="cursor", problem="this is not a cursor", mend="give `next` of the page before, unchanged")


def cross_site(request: Request) -> bool:
    """Return whether another site's page sent the form (Fetch Metadata). Nobody does so in good faith."""
    return request.headers.get("sec-fetch-site") not in (None, "same-origin", "none")


async def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    bearer: Bearer | None = getattr(request.state, "bearer", None)
    if bearer is None or bearer.provider is None:
        return services
    return provider_scope.only(services, bearer.provider)


async def _bearer(request: Request) -> Bearer:
    bearer: Bearer = request.state.bearer
    return bearer


Has = Annotated[Services, Depends(_services)]
Who = Annotated[Bearer, Depends(_bearer)]
