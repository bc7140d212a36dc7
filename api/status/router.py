"""The public status page: HTML, an Atom feed (RFC 4287), and JSON as Statuspage's clients read it (OV-27)."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path as FilePath
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import FileResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api.common import Has
from api.deps import Services
from api.paths import DeskId, desk_of
from api.status import words
from api.status.page_cache import KeptPages, Page
from api.status.subscribing import shown, ways
from ivr.desk.load import main_of
from ivr.desk.schema import Desk
from ivr.errors import NotFound
from ivr.incidents import store
from ivr.incidents.model import STAGE_NAMES, Incident
from ivr.maintenance import ical
from ivr.maintenance import store as maintenance_store
from ivr.maintenance.model import STATE_NAMES, Maintenance, State, in_progress
from ivr.statuspage import feed, summary

router = APIRouter(prefix="/status", tags=["status"])
#: The main desk's JSON where Statuspage has it: its clients are given a host and nothing else.
root = APIRouter(tags=["status"], include_in_schema=False)

_HERE = FilePath(__file__).parent
#: Whoever stands between us and the public may keep a page so long, in seconds; a change is seen in time.
_FRESH_S = 10
_HEADERS = {
    "Cache-Control": f"public, max-age={_FRESH_S}",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

#: As many as Statuspage tells.
_MOST_INCIDENTS = 50

LanguageCode = Annotated[str, Path(pattern="^[a-z]{2}$", examples=["fr"])]
RowId = Annotated[int, Path(ge=1, le=2**31 - 1)]
What = Literal["summary", "status", "components", "incidents", "scheduled-maintenances"]
Which = Literal["upcoming", "active"]

#: Which maintenances each of the JSON documents tells.
_SHOWN: Mapping[str, tuple[State, ...]] = {
    "summary": ("scheduled", "in_progress"),
    "scheduled-maintenances": ("scheduled", "in_progress", "completed", "cancelled"),
    "scheduled-maintenances/upcoming": ("scheduled",),
    "scheduled-maintenances/active": ("in_progress",),
}


class PageNotFound(NotFound):
    """There is no such page."""


@router.get("", include_in_schema=False)
async def main_page(request: Request, has: Has) -> RedirectResponse:
    """To the main desk's page."""
    return RedirectResponse(f"/status/{main_of(has.desks).id}", status_code=307)


@router.get("/style.css", include_in_schema=False)
async def style() -> FileResponse:
    """How it looks."""
    return FileResponse(_HERE / "style.css", media_type="text/css", headers=_HEADERS)


@router.get("/{desk}", include_in_schema=False)
async def desk_page(desk: DeskId, request: Request, has: Has) -> RedirectResponse:
    """To the page in the reader's language, or the desk's first."""
    return _in_readers_language(request, desk_of(has, desk))


@router.get("/{desk}/incidents/{incident_id}", include_in_schema=False)
async def short_incident(desk: DeskId, incident_id: RowId, request: Request, has: Has) -> RedirectResponse:
    """An incident's short link, as the JSON gives it: to its page in the reader's language."""
    return _in_readers_language(request, desk_of(has, desk), f"/incidents/{incident_id}")


@router.get("/{desk}/maintenances/{maintenance_id}", include_in_schema=False)
async def short_maintenance(desk: DeskId, maintenance_id: RowId, request: Request, has: Has) -> RedirectResponse:
    """A maintenance's short link, as the JSON gives it: to its page in the reader's language."""
    return _in_readers_language(request, desk_of(has, desk), f"/maintenances/{maintenance_id}")


def _in_readers_language(request: Request, desk: Desk, page: str = "") -> RedirectResponse:
    asked = request.headers.get("accept-language", "").lower().replace(";", ",").split(",")
    wanted = [part.strip()[:2] for part in asked]
    language = next((one for one in wanted if one in desk.languages), desk.languages[0])
    headers = {"Vary": "Accept-Language", "Cache-Control": _HEADERS["Cache-Control"]}
    return RedirectResponse(f"/status/{desk.id}/{language}{page}", status_code=307, headers=headers)


@router.get("/{desk}/api/v2/{what}.json")
async def read_json(
    desk: DeskId,
    what: What,
    request: Request,
    has: Has,
) -> Response:
    """As Statuspage's public API, version 2, tells it; in English where the desk speaks it."""
    return await _json(desk, what, request, has)


@router.get("/{desk}/api/v2/incidents/unresolved.json")
async def read_unresolved(desk: DeskId, request: Request, has: Has) -> Response:
    """The incidents that are not resolved."""
    return await _json(desk, "incidents/unresolved", request, has)


@router.get("/{desk}/api/v2/scheduled-maintenances/{which}.json")
async def read_some_maintenances(desk: DeskId, which: Which, request: Request, has: Has) -> Response:
    """Those that are to come, or go on."""
    return await _json(desk, f"scheduled-maintenances/{which}", request, has)


@root.get("/api/v2/{what}.json")
async def read_main_json(what: What, request: Request, has: Has) -> Response:
    """The main desk's, at the root."""
    return await _json(main_of(has.desks).id, what, request, has)


@root.get("/api/v2/incidents/unresolved.json")
async def read_main_unresolved(request: Request, has: Has) -> Response:
    """The main desk's incidents that are not resolved, at the root."""
    return await _json(main_of(has.desks).id, "incidents/unresolved", request, has)


@root.get("/api/v2/scheduled-maintenances/{which}.json")
async def read_some_main_maintenances(which: Which, request: Request, has: Has) -> Response:
    """The main desk's maintenances that are to come, or go on, at the root."""
    return await _json(main_of(has.desks).id, f"scheduled-maintenances/{which}", request, has)


async def _json(desk: str, what: str, request: Request, has: Services) -> Response:
    found = desk_of(has, desk)
    kept: KeptPages = request.app.state.status_pages
    minute = has.clock().replace(second=0, microsecond=0)
    name, state = (found.id, what), (has.incidents.changes, has.maintenances.changes, minute)
    page = kept.get(name, state)
    if page is None:
        told = json.dumps(await _told(found, what, has), ensure_ascii=False, separators=(",", ":"))
        page = _page_of(told, "application/json")
        kept.put(name, state, page)
    given = _given(request, page)
    # Read by scripts on other people's pages, as Statuspage's is.
    given.headers["Access-Control-Allow-Origin"] = "*"
    return given


async def _told(found: Desk, what: str, has: Services) -> dict[str, Any]:
    incidents, works, now = await _incidents(has, found), await _maintenances(has, found), has.clock()
    language = "en" if "en" in found.languages else found.languages[0]
    url = _url(has, found)
    going = in_progress(works, now)
    in_work = {service for one in going for service in one.services or found.services}
    states = summary.service_states(found, incidents, now)
    listed = summary.components(found, states, language, incidents, now, in_work)
    told: dict[str, Any] = {"page": summary.page(found, url, incidents, works, now)}
    if what in ("summary", "components"):
        told["components"] = listed
    if what in ("summary", "incidents", "incidents/unresolved"):
        if what == "incidents":
            shown = incidents[:_MOST_INCIDENTS]
        else:
            shown = summary.open_now(incidents)
        told["incidents"] = [summary.incident(one, language, url, listed) for one in shown]
    if what == "summary" or what.startswith("scheduled-maintenances"):
        told["scheduled_maintenances"] = [
            summary.maintenance(one, language, url, now, listed) for one in works if one.state(now) in _SHOWN[what]
        ]
    if what in ("summary", "status"):
        told["status"] = summary.overall(incidents, language, in_work=bool(going))
    return told


@router.get("/{desk}/{language}", include_in_schema=False)
async def read_page(desk: DeskId, language: LanguageCode, request: Request, has: Has) -> Response:
    """What is, and what was in the last 90 days."""
    return await _page(desk, language, request, has)


@router.get("/{desk}/{language}/incidents/{incident_id}", include_in_schema=False)
async def read_incident(
    desk: DeskId,
    language: LanguageCode,
    incident_id: RowId,
    request: Request,
    has: Has,
) -> Response:
    """One incident."""
    return await _page(desk, language, request, has, only=incident_id)


@router.get("/{desk}/{language}/maintenances/{maintenance_id}", include_in_schema=False)
async def read_maintenance(
    desk: DeskId,
    language: LanguageCode,
    maintenance_id: RowId,
    request: Request,
    has: Has,
) -> Response:
    """One maintenance."""
    return await _page(desk, language, request, has, work=maintenance_id)


@router.get("/{desk}/{language}/maintenance.ics", include_in_schema=False)
async def read_calendar(desk: DeskId, language: LanguageCode, request: Request, has: Has) -> Response:
    """Maintenance, for calendars that subscribe to it."""
    found = _spoken(desk_of(has, desk), language)
    works = await _maintenances(has, found)
    name = f"{found.name} – {words.WORDS[language]['maintenance']}"
    text = ical.written(works, language=language, url=_url(has, found), name=name, now=has.clock())
    return _given(request, _page_of(text.decode(), "text/calendar; charset=utf-8"))


@router.get("/{desk}/{language}/feed.{form}", include_in_schema=False)
async def read_feed(
    desk: DeskId, language: LanguageCode, form: Literal["atom", "rss"], request: Request, has: Has
) -> Response:
    """What changed, for readers of feeds: Atom (RFC 4287) or RSS 2.0."""
    found = _spoken(desk_of(has, desk), language)
    entries = feed.entries(
        await _incidents(has, found), await _maintenances(has, found), language, _url(has, found), has.clock()
    )
    text = (
        _environment(found, language, xml=True)
        .get_template(f"feed.{form}.j2")
        .render(
            desk=found,
            language=language,
            word=words.WORDS[language],
            url=_url(has, found),
            id=feed.identified(_url(has, found)),
            entries=entries,
            updated=entries[0].updated if entries else has.clock(),
        )
    )
    return _given(request, _page_of(text, f"application/{form}+xml; charset=utf-8"))


async def _page(
    desk: str, language: str, request: Request, has: Services, only: int | None = None, work: int | None = None
) -> Response:
    found = _spoken(desk_of(has, desk), language)
    kept: KeptPages = request.app.state.status_pages
    # To the minute, so that a page that says the same is the same.
    now = has.clock().replace(second=0, microsecond=0)
    name, state = (found.id, language, only, work), (has.incidents.changes, has.maintenances.changes, now)
    page = kept.get(name, state)
    if page is None:
        try:
            page = await _rendered(found, language, has, only, work, now)
        except PageNotFound:
            return shown(has, found, language, "missing", status=404)
        kept.put(name, state, page)
    return _given(request, page)


async def _rendered(
    found: Desk, language: str, has: Services, only: int | None, work: int | None, now: datetime
) -> Page:
    incidents, works = await _incidents(has, found), await _maintenances(has, found)
    shown = next((one for one in incidents if one.id == only), None)
    one_work = next((one for one in works if one.id == work), None)
    if (only is not None and shown is None) or (work is not None and one_work is None):
        raise PageNotFound(incident=only, maintenance=work)
    coming = [one for one in works if one.state(now) in _SHOWN["summary"]]
    if only is not None:
        here = f"/incidents/{only}"
    elif work is not None:
        here = f"/maintenances/{work}"
    else:
        here = ""
    indicator = summary.overall(incidents, language, in_work=bool(in_progress(works, now)))
    text = (
        _environment(found, language)
        .get_template("page.html.j2")
        .render(
            desk=found,
            language=language,
            base=f"/status/{found.id}",
            here=here,
            names=words.LANGUAGES,
            word=words.WORDS[language],
            levels=words.LEVELS[language],
            stages=STAGE_NAMES[language],
            indicator=indicator["indicator"],
            overall=indicator["description"],
            open=summary.open_now(incidents),
            past=[one for one in incidents if one.resolved_at is not None],
            services=summary.service_states(found, incidents, now),
            only=shown,
            works=coming,
            only_work=one_work,
            work_states=STATE_NAMES[language],
            reports="email" in ways(has),
            now=now,
        )
    )
    return _page_of(text, "text/html; charset=utf-8")


def _page_of(text: str, media_type: str) -> Page:
    content = text.encode()
    return Page(content=content, etag=f'"{hashlib.sha256(content).hexdigest()[:32]}"', media_type=media_type)


def _given(request: Request, page: Page) -> Response:
    headers = {**_HEADERS, "ETag": page.etag}
    if page.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(page.content, media_type=page.media_type, headers=headers)


def _spoken(desk: Desk, language: str) -> Desk:
    if language not in desk.languages or language not in words.WORDS:
        raise PageNotFound(language=language)
    return desk


def _url(has: Services, desk: Desk) -> str:
    """Where the desk's page is; without OMNIVIGIL_PUBLIC_URL from here. What a client says in Host is only its word."""
    return f"{has.notices.public_url or ''}/status/{desk.id}"


def _environment(desk: Desk, language: str, *, xml: bool = False) -> Environment:
    return _environment_of(desk.zone, language, xml)


@functools.lru_cache(maxsize=32)
def _environment_of(zone: ZoneInfo, language: str, xml: bool) -> Environment:
    # Everything is escaped, titles and texts too, whoever wrote them.
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=xml
    )
    environment.filters |= words.filters(language, zone) | {"capital": summary.capital, "rfc822": feed.rfc822}
    return environment


async def _incidents(has: Services, desk: Desk) -> Sequence[Incident]:
    """The last 90 days', those that began last first."""
    async with has.store.reading() as unit:
        found = await store.open_or_since(unit, has.clock() - timedelta(days=summary.DAYS))
    return sorted((one for one in found if one.desk == desk.id), key=lambda one: (one.started_at, one.id), reverse=True)


async def _maintenances(has: Services, desk: Desk) -> Sequence[Maintenance]:
    """Those of the last 90 days and to come, the one that begins first first."""
    async with has.store.reading() as unit:
        found = await maintenance_store.open_or_since(unit, has.clock() - timedelta(days=summary.DAYS))
    return [one for one in found if one.desk == desk.id]
