"""For managers: promises kept and broken over a month, each as a table and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal, get_args

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from api.console import pages, words
from api.console.guard import ConsoleRoute, may
from api.console.pages import line_of
from ivr.callbacks import store as callbacks
from ivr.calltrace import store as traces
from ivr.oncall import views as emergencies
from ivr.quality import words as causes

router = APIRouter(prefix="/console/reports", route_class=ConsoleRoute, include_in_schema=False)

MANAGERS = ("manager", "administrator")
What = Literal["levels", "promise", "funnel", "traces"]
Month = Annotated[str, Query(pattern=r"^(20[0-9]{2}-(0[1-9]|1[0-2]))?$")]


@dataclass(frozen=True, kw_only=True)
class Period:
    """A month by the main desk's clock."""

    month: str
    start: datetime
    end: datetime


@dataclass(frozen=True, kw_only=True)
class Table:
    """A report: headings, and rows of texts and figures."""

    what: What
    headings: tuple[str, ...]
    rows: Sequence[Sequence[str | int | float | None]]


@router.get("")
@may(*MANAGERS)
async def reports(request: Request, month: Month = "") -> Response:
    """All of them."""
    period = _period(request, month)
    tables = [await _TABLES[what](request, period) for what in get_args(What)]
    return pages.page(request, "reports.html.j2", period=period, tables=tables)


@router.get("/{what}.csv")
@may(*MANAGERS)
async def report_csv(what: What, request: Request, month: Month = "") -> Response:
    """One of them, for a spreadsheet."""
    period = _period(request, month)
    table = await _TABLES[what](request, period)
    written = io.StringIO()
    rows = csv.writer(written)
    rows.writerow(table.headings)
    rows.writerows(table.rows)
    headers = {"Content-Disposition": f'attachment; filename="{what}-{period.month}.csv"'}
    # Spreadsheets take a file for UTF-8 by its first sign.
    return Response(f"\ufeff{written.getvalue()}", media_type="text/csv; charset=utf-8", headers=headers)


def _period(request: Request, month: str) -> Period:
    zone = pages.main_desk(request).zone
    chosen = month or f"{line_of(request).clock().astimezone(zone):%Y-%m}"
    start = datetime.fromisoformat(f"{chosen}-01").replace(tzinfo=zone)
    end = (start.replace(tzinfo=None) + timedelta(days=31)).replace(day=1, tzinfo=zone)
    return Period(month=chosen, start=start, end=end)


def _words(request: Request, *names: str) -> tuple[str, ...]:
    known = words.WORDS[request.state.language]
    return tuple(known[name] for name in names)


async def _levels(request: Request, period: Period) -> Table:
    """Of the tickets of the month, by level and clock: kept, broken, still running, and the share kept in % (OV-15)."""
    has = line_of(request)
    async with has.store.reading() as unit:
        found = await has.tickets.promises(unit, period.start, period.end)
    rows = [
        (level, clock.upper(), one.kept, one.broken, one.running, _share(one.kept, one.kept + one.broken))
        for (level, clock), one in found.items()
    ]
    headings = _words(request, "level", "clock", "kept", "broken", "running", "share")
    return Table(what="levels", headings=headings, rows=rows)


async def _promise(request: Request, period: Period) -> Table:
    """Emergencies that were taken within the 30 minutes callers are promised, by desk."""
    has = line_of(request)
    rows = []
    for desk in has.desks.values():
        async with has.store.reading() as unit:
            found = await emergencies.month_of(unit, desk, period.month, has.clock())
        share = _share(found.taken_in_time, found.taken_in_time + found.late)
        rows.append((desk.name, found.emergencies, found.taken_in_time, found.late, found.slowest_s, share))
    headings = _words(request, "desk_name", "emergencies", "kept", "broken", "slowest", "share")
    return Table(what="promise", headings=headings, rows=rows)


async def _funnel(request: Request, period: Period) -> Table:
    """Return how far callbacks came, by desk, from the month's first day on (OV-9)."""
    has = line_of(request)
    names = ("offered", "accepted", "dialled", "answered", "talked", "cancelled", "refused", "expired")
    rows: list[tuple[str | int, ...]] = []
    async with has.store.reading() as unit:
        for desk in has.desks.values():
            counts = await callbacks.funnel(unit, desk=desk.id, since=period.start)
            rows.append((desk.name, *(counts[name] for name in names)))
    headings = _words(request, "desk_name", *(f"funnel_{name}" for name in names))
    return Table(what="funnel", headings=headings, rows=rows)


async def _traces(request: Request, period: Period) -> Table:
    """Calls reported with *57, by verdict."""
    has = line_of(request)
    async with has.store.reading() as unit:
        found = await traces.counted_by_cause(unit, period.start, period.end)
    spoken = causes.CAUSES[request.state.language]
    rows = [
        (spoken.get(cause, cause), count, round(mos, 2) if mos is not None else None) for cause, count, mos in found
    ]
    return Table(what="traces", headings=_words(request, "verdict", "reports_count", "mos_mean"), rows=rows)


def _share(part: int, whole: int) -> float | None:
    if whole:
        return round(100 * part / whole, 1)
    return None


_TABLES: dict[What, Callable[[Request, Period], Awaitable[Table]]] = {
    "levels": _levels,
    "promise": _promise,
    "funnel": _funnel,
    "traces": _traces,
}
