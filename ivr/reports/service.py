"""Keeps reports: drafted from the facts, edited, published, and sent once to each who asked (OV-28)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Row

from ivr.calls.store import count_between
from ivr.clock import Clock
from ivr.desk.hours import Calendar
from ivr.desk.schema import Desk
from ivr.errors import BadInput, Conflict, NotFound, TooMany, Unavailable
from ivr.incidents import store as incidents
from ivr.incidents.model import Incident
from ivr.notify.outbox import Email, put_email
from ivr.refusals import Refusals
from ivr.reports import model as rules
from ivr.reports import store as statements
from ivr.reports import words
from ivr.reports.model import Reach, Report
from ivr.store.engine import Store, Unit
from ivr.subscriptions import rules as addresses
from ivr.subscriptions.admission import Admission
from ivr.tickets.store import count_about
from ivr.ticks import rest

log = structlog.get_logger()

_TICK_S = 30.0
_AT_ONCE = 50
#: Nobody is reminded of the report on an incident that was resolved before, as when this is first installed.
_REMIND_WITHIN = timedelta(days=60)


class ReportNotFound(NotFound):
    """There is no such report."""


class ReportChanged(Conflict):
    """Somebody changed the report in the meantime."""


class TooManyRequests(TooMany):
    """Too many reports were asked for. Try again later."""


class Reports:
    """The reports of all incidents."""

    def __init__(
        self,
        *,
        store: Store,
        desks: Mapping[str, Desk],
        calendars: Mapping[str, Mapping[str, Calendar]],
        clock: Clock,
        public_url: str | None = None,
        refusals: Refusals | None = None,
    ) -> None:
        """`public_url` is where readers of e-mails find us."""
        self._store, self._desks, self._calendars, self._clock = store, desks, calendars, clock
        self._public_url = public_url or ""
        self._admission = Admission("report-email", refusals or Refusals())

    def calendar(self, desk: str) -> Calendar:
        """The calendar whose days are working days: that of the desk's operator."""
        return self._calendars[desk][self._desks[desk].menu.operator]

    async def get(self, incident: Incident) -> Report:
        """An incident's report; a draft of the facts while nobody has written any of it. Raises StoreUnavailable."""
        async with self._store.reading() as unit:
            return await self._get(unit, incident)

    async def _get(self, unit: Unit, one: Incident) -> Report:
        row = await statements.get(unit, one.id)
        # What was only reminded of has no text yet.
        if row is not None and row["sections"]:
            return Report(**row)
        now = self._clock()
        received = await count_between(unit, one.desk, one.started_at, one.resolved_at or now)
        about, _ = await count_about(unit, one.id)
        return Report(
            incident_id=one.id,
            sections=rules.draft(one, self._desks[one.desk], Reach(calls=received, tickets=about)),
            version=0,
            created_at=now,
            updated_at=now,
            updated_by="",
            reminded=row["reminded"] if row is not None else None,
        )

    async def edit(
        self, incident: Incident, given: Mapping[str, Mapping[Any, str]], *, version: int | None, who: str
    ) -> Report:
        """Write some sections; the others stay. Raises BadInput, ReportChanged, StoreUnavailable."""
        sections = rules.checked(given, self._desks[incident.desk])
        async with self._store.unit() as unit:
            was = await self._locked(unit, incident, version)
            merged = {name: {**was.sections.get(name, {}), **sections.get(name, {})} for name in self._languages(was)}
            await self._write(unit, was, {"sections": merged}, who)
        return await self.get(incident)

    async def publish(self, incident: Incident, *, version: int | None, who: str) -> Report:
        """Have it sent to all who asked, and to those who will. Raises as `edit`, and BadInput for what is not written.

        Once published it may still be edited; who reads it then reads what it says then.
        """
        desk = self._desks[incident.desk]
        if incident.resolved_at is None:
            raise BadInput(field="incident_id", problem="the incident is not resolved", mend="resolve it first")
        async with self._store.unit() as unit:
            was = await self._locked(unit, incident, version)
            rules.check_complete(was, desk)
            if was.published_at is None:
                published = {"published_at": self._clock(), "published_by": who, "sections": dict(was.sections)}
                await self._write(unit, was, published, who)
        return await self.get(incident)

    def _languages(self, report: Report) -> list[str]:
        return list(report.sections)

    async def _locked(self, unit: Unit, incident: Incident, version: int | None) -> Report:
        await unit.alone("report", incident.id)
        was = await self._get(unit, incident)
        if version not in (None, was.version):
            at = was.updated_at.isoformat(timespec="seconds")
            raise ReportChanged(
                incident=incident.id, version=was.version, last_change_by=was.updated_by, last_change_at=at
            )
        return was

    async def _write(self, unit: Unit, was: Report, values: Mapping[str, Any], who: str) -> None:
        now = self._clock()
        changed = {"version": was.version + 1, "updated_at": now, "updated_by": who} | dict(values)
        await statements.put(unit, asdict(was) | changed, changed)

    # Whoever asks for it -----------------------------------------------------------------------------

    async def request(self, incident: Incident, address: str, *, language: str, page: str, client: str) -> None:
        """Somebody wants the report: their address is asked to confirm, and nobody learns whether it has already.

        `page` is the incident's public page, `client` the address of whoever asks. Raises BadInput, TooManyRequests,
        StoreUnavailable.
        """
        to, now = addresses.email_of(address), self._clock()
        if not self._admission.admits(client):
            raise TooManyRequests
        async with self._store.unit() as unit:
            key = await self._noted(unit, incident.id, to, language, now)
            if key is None:
                return
            subject, body = words.to_confirm(
                language,
                desk=self._desks[incident.desk].name,
                title=incident.title.get(language, ""),
                url=f"{page}/report/confirm?key={key}",
            )
            await put_email(unit, Email(to=to, subject=subject, body=body, language=language), at=now)

    async def _noted(self, unit: Unit, incident_id: int, to: str, language: str, now: datetime) -> str | None:
        """The request's key, when the address is to be asked."""
        await unit.alone("report request", incident_id, to)
        known = await statements.request(unit, incident_id, to)
        if known is None:
            key = addresses.new_token()
            row = {"incident_id": incident_id, "address": to, "language": language, "key": key}
            await statements.add_request(unit, row | {"asked": 1, "asked_at": now})
            return key
        if known.confirmed_at is not None or not addresses.may_ask(asked=known.asked, asked_at=known.asked_at, now=now):
            return None
        await statements.asked_again(unit, incident_id, to, asked=known.asked + 1, at=now)
        return str(known.key)

    async def request_for(self, incident: Incident, address: str, *, language: str) -> None:
        """Staff ask for it on somebody's behalf. Raises BadInput, StoreUnavailable."""
        to, now = addresses.email_of(address), self._clock()
        async with self._store.unit() as unit:
            await self._noted(unit, incident.id, to, language, now)
            await statements.confirm_for(unit, incident.id, to, now)

    async def confirm(self, incident_id: int, key: str) -> None:
        """Whoever got the e-mail wants the report. Raises ReportNotFound, StoreUnavailable."""
        now = self._clock()
        asked_after = now - addresses.CONFIRM_WITHIN
        async with self._store.unit() as unit:
            done = await statements.confirm(unit, incident_id, key, asked_after=asked_after, at=now)
        if not done:
            raise ReportNotFound(incident=incident_id)

    async def asked(self, incident_id: int) -> int:
        """Return how many asked for it, and confirmed that they did. Raises StoreUnavailable."""
        async with self._store.reading() as unit:
            return await statements.count_confirmed(unit, incident_id)

    async def read(self, incident_id: int, key: str) -> tuple[Incident, Report]:
        """The published report, for who has a key. Raises ReportNotFound, StoreUnavailable."""
        async with self._store.reading() as unit:
            allowed = await statements.may_read(unit, incident_id, key)
            found = await incidents.get(unit, incident_id) if allowed else None
            report = await self._get(unit, found) if found is not None else None
        if found is None or report is None or report.published_at is None:
            raise ReportNotFound(incident=incident_id)
        return found, report

    # By itself ---------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Send what is published and remind of what is due, for ever."""
        while True:
            try:
                sent = await self.once()
            except Unavailable as error:
                log.warning("reports not read: database unavailable", error=str(error))
                sent = 0
            await rest(1.0 if sent else _TICK_S)

    async def once(self) -> int:
        """Send to some who asked, and remind operations; how many reports left. Raises StoreUnavailable."""
        await self._remind()
        return await self._send()

    async def _send(self) -> int:
        """Each once: that it was sent is written in the transaction that has it sent."""
        async with self._store.reading() as unit:
            if not await statements.to_send(unit, 1):
                return 0
        now = self._clock()
        async with self._store.unit() as unit:
            await unit.alone("reports sent")
            found = await statements.to_send(unit, _AT_ONCE)
            for row in found:
                one = await incidents.get(unit, row.incident_id)
                if one is not None:
                    await put_email(unit, self._ready(row, one), at=now)
                await statements.sent(unit, row.id, now)
        return len(found)

    def _ready(self, row: Row[Any], one: Incident) -> Email:
        """Tell somebody who asked where the report is."""
        page = f"{self._public_url}/status/{one.desk}/{row.language}/incidents/{one.id}/report"
        subject, body = words.ready(
            row.language,
            desk=self._desks[one.desk].name if one.desk in self._desks else one.desk,
            title=one.title.get(row.language, ""),
            url=f"{page}?key={row.key}",
            pdf=f"{page}.pdf?key={row.key}",
        )
        return Email(to=row.address, subject=subject, body=body, language=row.language)

    async def _remind(self) -> None:
        now = self._clock()
        async with self._store.reading() as unit:
            resolved = await incidents.resolved_since(unit, now - _REMIND_WITHIN)
            settled = await statements.settled(unit, resolved)
        for incident_id in resolved:
            if incident_id not in settled:
                await self._remind_of(incident_id, now)

    async def _remind_of(self, incident_id: int, now: datetime) -> None:
        async with self._store.unit() as unit:
            await unit.alone("report", incident_id)
            one = await incidents.get(unit, incident_id)
            if one is None or one.resolved_at is None or one.desk not in self._desks:
                return
            due = rules.reminder_due(self.calendar(one.desk), one.resolved_at, now)
            was = await self._get(unit, one)
            if due is None or due == was.reminded:
                return
            desk = self._desks[one.desk]
            language = desk.languages[0]
            day = rules.due_on(self.calendar(one.desk), one.resolved_at)
            title = one.title.get(language, "")
            subject, body = words.reminder(due, language, desk=desk.name, incident=one.id, day=day, title=title)
            to = desk.announcement.ops_email or desk.departments[desk.menu.operator].email
            await put_email(unit, Email(to=to, subject=subject, body=body, language=language), at=now)
            # Nobody has written any of it yet: the draft is made again whenever it is read.
            new = asdict(was) | {"reminded": due, "sections": {} if was.version == 0 else was.sections}
            await statements.put(unit, new, {"reminded": due})
            log.warning("report not published", incident=one.id, reminder=due)


async def erase(unit: Unit, now: datetime) -> int:
    """Erase requests that were never confirmed, and those that were served three months ago. How many."""
    never_since = now - addresses.CONFIRM_WITHIN - timedelta(hours=1)
    return await statements.erase(unit, never_since=never_since, served_since=now - timedelta(days=90))
