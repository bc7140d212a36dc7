"""The directory from a spreadsheet: files are read and compared first, and only what was seen is carried out."""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response
from pydantic import Field
from starlette.datastructures import UploadFile

from api.console import pages
from api.console.directory import common, known, provider_of
from api.console.guard import ConsoleRoute, may, session_of, who
from api.console.pages import line_of
from api.console.sign_in import Posted
from api.deps import Services
from ivr.directory import bulk_import, files, import_diff
from ivr.directory.bulk_import import DirectoryChanged, Plan
from ivr.directory.csv_columns import LISTS
from ivr.errors import AllBadInput, BadInput, NotFound
from ivr.lists.sheets import write_sheet

router = APIRouter(prefix="/console/import", route_class=ConsoleRoute, include_in_schema=False)

#: Changes and faults that are named one by one.
_NAMED, _FAULTS = 200, 200
#: What was seen is kept for so long, and so many at a time: they may be large.
_KEPT_FOR, _KEPT = timedelta(minutes=15), 3


class PlanGone(NotFound):
    """The preview is too old, or another's; send the files again."""


@dataclass(frozen=True, kw_only=True)
class _Seen:
    account: int
    at: datetime
    plan: Plan


class Previews:
    """What was shown and may be carried out, by a key that only the one who saw it has."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, _Seen] = OrderedDict()

    def keep(self, account: int, plan: Plan, now: datetime) -> str:
        """Keep a plan; its key."""
        for key in [key for key, one in self._seen.items() if now - one.at > _KEPT_FOR]:
            del self._seen[key]
        while len(self._seen) >= _KEPT:
            self._seen.popitem(last=False)
        made = secrets.token_urlsafe(16)
        self._seen[made] = _Seen(account=account, at=now, plan=plan)
        return made

    def take(self, key: str, account: int, now: datetime) -> Plan:
        """The plan, this once. Raises PlanGone."""
        found = self._seen.get(key)
        if found is None or found.account != account or now - found.at > _KEPT_FOR:
            raise PlanGone
        del self._seen[key]
        return found.plan


class Agreed(Posted):
    """The button that carries out what was shown."""

    plan: Annotated[str, Field(max_length=60)]


def _page(request: Request, provider: str, **shown: Any) -> Response:
    return pages.page(
        request,
        "import.html.j2",
        lists=[one.file for one in LISTS],
        **{"plan": None, "key": None, "counts": {}, "named": [], "done": False, "secrets": None, "fresh": False}
        | common(request, provider)
        | shown,
    )


@router.get("")
@may("administrator")
async def import_page(request: Request, provider: Annotated[str, Query(max_length=60)] = "") -> Response:
    """Return where files are chosen."""
    return _page(request, provider_of(line_of(request), provider))


@router.get("/template")
@may("administrator")
async def import_template(request: Request, file: Annotated[str, Query(max_length=40)]) -> Response:
    """An empty list with its headings and an example, in the language of the page."""
    made = files.template(french=request.state.language == "fr")
    if file not in made:
        raise NotFound(file=file)
    headers = {"Content-Disposition": f'attachment; filename="{file}"'}
    return Response(made[file], media_type="text/csv; charset=utf-8", headers=headers)


@router.post("/preview")
@may("administrator")
async def preview_import(request: Request) -> Response:
    """Return what the files would change; every wrong cell at once. Nothing is changed."""
    has = line_of(request)
    form = await request.form()
    mine = provider_of(has, str(form.get("provider", "")))
    given = {
        (one.filename or "file")[:100]: await one.read()
        for one in form.getlist("files")
        if isinstance(one, UploadFile) and one.filename
    }
    if not given:
        raise BadInput(field="files", problem="is missing", mend="choose the lists, as CSV files or one YAML file")
    prune = form.get("prune") == "true"
    plan = await _planned(has, given, mine, prune=prune)
    return _shown(request, mine, plan)


async def _planned(has: Services, given: Mapping[str, bytes], provider: str, *, prune: bool) -> Plan:
    """Read and compare beside the calls. Raises AllBadInput with every wrong cell, up to some."""
    drafts = await asyncio.to_thread(files.read, given)
    async with has.store.reading() as unit:
        there = await bulk_import.look(unit, provider)
    try:
        return await asyncio.to_thread(
            import_diff.plan, there, drafts, provider=provider, known=known(has, provider), prune=prune
        )
    except AllBadInput as error:
        raise AllBadInput(error.errors[:_FAULTS]) from None


def _shown(request: Request, provider: str, plan: Plan) -> Response:
    has = line_of(request)
    previews: Previews = request.app.state.previews
    account = session_of(request).account.id
    key = previews.keep(account, plan, has.clock()) if plan.changes else None
    return _page(request, provider, plan=plan, key=key, counts=_counts(plan), named=plan.changes[:_NAMED])


def _counts(plan: Plan) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = {kind: Counter(unchanged=number) for kind, number in plan.unchanged.items()}
    for one in plan.changes:
        counts.setdefault(one.kind, Counter())[one.what] += 1
    return {kind: found for kind, found in counts.items() if found.total()}


@router.post("/apply")
@may("administrator")
async def carry_out_import(form: Annotated[Agreed, Form()], request: Request) -> Response:
    """Carry out what was shown, all or nothing; not if somebody changed the directory in the meantime."""
    has = line_of(request)
    previews: Previews = request.app.state.previews
    plan = previews.take(form.plan, session_of(request).account.id, has.clock())
    try:
        await bulk_import.carry_out(has.store, plan, by=who(request), at=has.clock(), source="console")
    except DirectoryChanged:
        mend = "send the files again, and look at what they change now"
        raise BadInput(field="files", problem="the directory was changed in the meantime", mend=mend) from None
    told = None
    if plan.secrets:
        sheet = write_sheet(["name", "secret"], [[name, secret] for name, secret in plan.secrets.items()])
        told = f"data:text/csv;base64,{base64.b64encode(sheet).decode()}"
    return _page(request, plan.provider, plan=plan, counts=_counts(plan), done=True, secrets=told)
