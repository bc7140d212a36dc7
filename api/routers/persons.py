"""What is known about one person (Quebec's Law 25): for tokens with the scope `persons` only.

Whom one asks for is in the body, so that no number comes into an address, nor into a proxy's log.
"""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from api.common import Given, Has, Line, Who
from api.deps import Services
from ivr.accounts import store as audit
from ivr.desk.load import main_of
from ivr.errors import NotAllowed
from ivr.persons import erasure
from ivr.persons import export as persons_export
from ivr.persons import search as persons_search
from ivr.persons.selectors import Wanted, wanted

router = APIRouter(tags=["persons"])

Several = Annotated[list[Line], Field(max_length=20)]


class PersonQuery(Given):
    """Who: everything that is known to be theirs; at least one of it."""

    numbers: Several = Field(default=[], description="Telephone numbers, as +15145550123.")
    emails: Several = Field(default=[], description="E-mail addresses.")
    names: Several = Field(default=[], description="Whole names, as tickets have them.")


class TableCount(BaseModel):
    """How much one table has."""

    own: int = Field(description="Rows that are theirs.")
    mentions: int = Field(description="Rows of others that mention them.")


class PersonFound(BaseModel):
    """What there is, by table, and how many files."""

    tables: dict[str, TableCount]
    files: int


class PersonErased(BaseModel):
    """What was erased, by table, how many files, and what stays, with why."""

    rows: dict[str, int]
    files: int
    left: list[str]


@router.post("/persons/search")
async def search(query: PersonQuery, has: Has, who: Who) -> PersonFound:
    """How much there is about a person, and where."""
    asked = await _asked(query, has, who, "person.search")
    async with has.store.reading() as unit:
        found = await persons_search.find(unit, asked)
    files = await asyncio.to_thread(found.files, _folders(has))
    tables = {name: TableCount(own=own, mentions=mentions) for name, (own, mentions) in found.counts().items()}
    return PersonFound(tables=tables, files=len(files))


@router.post("/persons/export", response_class=Response, responses={200: {"content": {"application/zip": {}}}})
async def export(query: PersonQuery, has: Has, who: Who) -> Response:
    """Everything about a person, to hand over: a ZIP with JSON, voice messages, recordings and e-mails."""
    asked = await _asked(query, has, who, "person.export")
    async with has.store.reading() as unit:
        found = await persons_search.find(unit, asked)
    files = await asyncio.to_thread(found.files, _folders(has))
    made = await asyncio.to_thread(persons_export.zipped, persons_export.told(found, asked, has.clock()), files)
    headers = {"Content-Disposition": 'attachment; filename="person.zip"', "Cache-Control": "no-store"}
    return Response(made, media_type="application/zip", headers=headers)


@router.post("/persons/erase")
async def erase(query: PersonQuery, has: Has, who: Who) -> PersonErased:
    """Erase who a person was, everywhere. What happened stays in the figures. Nothing comes back."""
    asked = _allowed(query, has, who)
    done = await erasure.erase(has.store, asked, _folders(has), at=has.clock(), who=f"token {who.name}", source="API")
    return PersonErased(rows=done.rows, files=done.files, left=done.left)


def _allowed(query: PersonQuery, has: Services, who: Who) -> Wanted:
    if "persons" not in who.scopes:
        raise NotAllowed(
            field="Authorization",
            problem="this token may not ask for persons",
            mend="use one that ./omnivigil token NAME --persons made",
        )
    region = main_of(has.desks).region
    return wanted(numbers=query.numbers, emails=query.emails, names=query.names, region=region)


async def _asked(query: PersonQuery, has: Services, who: Who, action: str) -> Wanted:
    """Who is asked for; that somebody asks is in the audit."""
    asked = _allowed(query, has, who)
    async with has.store.unit() as unit:
        line = await audit.note(
            unit,
            at=has.clock(),
            who=f"token {who.name}",
            source="API",
            action=action,
            subject=asked.masked,
            fields=asked.fields,
        )
        await audit.noted(unit, line, 200)
    return asked


def _folders(has: Services) -> persons_search.Folders:
    return persons_search.Folders(messages=has.messages, mails=has.mails, recordings=has.recordings.folder)
