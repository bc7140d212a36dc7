"""What readers of feeds are told: incidents with all that was said of them, and maintenance. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from ivr.incidents.model import STAGE_NAMES, Incident
from ivr.maintenance.model import STATE_NAMES, Maintenance


@dataclass(frozen=True, kw_only=True)
class Line:
    """What was said, and when; `until` for what takes its time."""

    name: str
    at: datetime
    text: str
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One entry; `id` stays the same for as long as it lives, whatever the language."""

    id: str
    link: str
    name: str
    title: str
    published: datetime
    updated: datetime
    lines: tuple[Line, ...]


def entries(
    incidents: Iterable[Incident], works: Iterable[Maintenance], language: str, url: str, now: datetime
) -> list[Entry]:
    """Return what changed last first."""
    stages, states = STAGE_NAMES[language], STATE_NAMES[language]
    found = [
        Entry(
            id=f"{identified(url)}/incidents/{one.id}",
            link=f"{url}/{language}/incidents/{one.id}",
            name=stages[one.stage],
            title=one.title[language],
            published=one.updates[0].at,
            updated=one.updates[-1].at,
            lines=tuple(
                Line(name=stages[said.stage], at=said.at, text=said.texts[language]) for said in reversed(one.updates)
            ),
        )
        for one in incidents
    ]
    for work in works:
        state = work.state(now)
        # What begins and ends by the clock is news then.
        by_clock = [at for at in (work.starts_at, work.over_at) if at <= now and not work.cancelled]
        line = Line(name=states[state], at=work.starts_at, until=work.over_at, text=work.texts[language])
        found.append(
            Entry(
                id=f"{identified(url)}/maintenances/{work.id}",
                link=f"{url}/{language}/maintenances/{work.id}",
                name=states[state],
                title=work.title[language],
                published=work.created_at,
                updated=max([work.updated_at, *by_clock]),
                lines=(line,),
            )
        )
    return sorted(found, key=lambda one: (one.updated, one.id), reverse=True)


def identified(url: str) -> str:
    """A page's URL as an identifier, which must say more than a path does (RFC 4287 section 4.2.6)."""
    if url.startswith("/"):
        return f"urn:omnivigil{url.replace('/', ':')}"
    return url


def rfc822(at: datetime) -> str:
    """A moment as RSS writes it (RFC 822, with the year in four digits)."""
    return format_datetime(at)
