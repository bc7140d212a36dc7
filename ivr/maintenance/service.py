"""Keeps maintenances: announced, begun and ended by the clock, and told to whoever asked (OV-29)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from ivr.clock import Clock
from ivr.desk.schema import Desk
from ivr.errors import Conflict, NotFound, OmnivigilError, Unavailable
from ivr.events import EventBus
from ivr.incidents.model import Impact
from ivr.incidents.service import services_of
from ivr.isolation import apart
from ivr.maintenance import mailing
from ivr.maintenance import store as statements
from ivr.maintenance.model import (
    Kind,
    Maintenance,
    State,
    check_open,
    check_window,
    checked_texts,
    in_progress,
)
from ivr.maintenance.store import Origin
from ivr.store.engine import Store, Unit
from ivr.ticks import rest

log = structlog.get_logger()

#: A beginning or an end is noticed within this, in seconds.
_TICK_S = 2.0
#: Those that were over longer ago are not in memory.
_LATELY = timedelta(days=1)


class MaintenanceNotFound(NotFound):
    """There is no such maintenance."""


class MaintenanceChanged(Conflict):
    """Somebody changed the maintenance in the meantime."""


class Maintenances:
    """All maintenances of all desks. Those that are to come or go on are in memory."""

    def __init__(
        self, *, store: Store, desks: Mapping[str, Desk], bus: EventBus, clock: Clock, public_url: str | None = None
    ) -> None:
        """`public_url` is where readers of e-mails find the status page."""
        self._store, self._desks, self._bus, self._clock = store, desks, bus, clock
        self._public_url = public_url
        #: By id; None until the database was read.
        self._known: dict[int, Maintenance] | None = None
        self._changing = asyncio.Lock()
        self._mailing = True
        #: Counts changes, so that what was made of them can be kept until the next.
        self.changes = 0

    async def plan(  # noqa: PLR0913 - a record of them would be made only to be taken apart
        self,
        desk: Desk,
        *,
        kind: Kind,
        title: Mapping[str, str],
        texts: Mapping[str, str],
        impact: Impact,
        services: tuple[str, ...],
        components: tuple[str, ...],
        starts_at: datetime | None,
        ends_at: datetime,
        sms: bool,
        who: str,
        origin: Origin | None = None,
    ) -> Maintenance:
        """Announce one; without `starts_at` it begins now. `origin` is the event of a calendar that it comes from.

        Returns once it is committed. Raises BadInput, StoreUnavailable.
        """
        now = self._clock()
        starts = starts_at if starts_at is not None else now
        check_window(starts, ends_at, now)
        said = checked_texts(texts, desk.languages, kind=kind, services=services_of(desk, services))
        values = {
            "desk": desk.id,
            "kind": kind,
            "title": {language: title.get(language) or said[language][:200] for language in desk.languages},
            "texts": said,
            "impact": impact,
            "services": list(services),
            "components": list(components),
            "starts_at": starts,
            "ends_at": ends_at,
            "cancelled": False,
            "sms": sms,
            "told": "in_progress" if starts <= now else "scheduled",
            "by": who,
            "created_at": now,
            "updated_at": now,
            "version": 1,
        }
        async with self._changing, self._store.unit() as unit:
            made = await statements.get(unit, await statements.add(unit, values))
            assert made is not None  # noqa: S101 - it was written in this transaction
            if origin is not None:
                await statements.keep_origin(unit, desk.id, made.id, origin)
            await mailing.begin(unit, made, made.told, now)
        self._changed(made, "maintenance.announced")
        return made

    async def change(
        self,
        maintenance_id: int,
        fields: Mapping[str, Any],
        *,
        version: int | None,
        who: str,
        origin: Origin | None = None,
    ) -> Maintenance:
        """Set some of title, texts, impact, services, components, starts_at, ends_at, sms; one that goes on keeps its
        beginning. Raises MaintenanceNotFound, MaintenanceChanged, BadInput, StoreUnavailable.
        """
        async with self._changing:
            now = self._clock()
            async with self._store.unit() as unit:
                was = await self._open(unit, maintenance_id, version, now)
                desk = self._desks[was.desk]
                given = {name: value for name, value in fields.items() if value is not None}
                new = replace(was, **given)
                began = was.state(now) == "in_progress"
                if began and "starts_at" in given and new.starts_at != was.starts_at:
                    check_window(new.starts_at, new.ends_at, now)
                check_window(new.starts_at, new.ends_at, now, began=began)
                names = services_of(desk, new.services)
                texts = checked_texts(new.texts, desk.languages, kind=new.kind, services=names)
                title = dict(was.title) | dict(given.get("title", {}))
                values = {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}
                values |= {"texts": texts, "title": title, "updated_at": now, "by": who}
                changed = await self._write(unit, was, values)
                if origin is not None:
                    await statements.keep_origin(unit, was.desk, was.id, origin)
                await mailing.begin(unit, changed, "changed", now)
        self._changed(changed, "maintenance.changed")
        return changed

    async def end(
        self, maintenance_id: int, *, cancel: bool, version: int | None, who: str, origin: Origin | None = None
    ) -> Maintenance:
        """End it now: given up, or completed before its time. Raises as `change`."""
        async with self._changing:
            now = self._clock()
            async with self._store.unit() as unit:
                was = await self._open(unit, maintenance_id, version, now)
                news: State = "cancelled" if cancel or was.state(now) == "scheduled" else "completed"
                values = {"cancelled": news == "cancelled", "ended_at": now, "told": news, "updated_at": now, "by": who}
                ended = await self._write(unit, was, values)
                if origin is not None:
                    await statements.keep_origin(unit, was.desk, was.id, origin)
                await mailing.begin(unit, ended, news, now)
        self._changed(ended, f"maintenance.{news}")
        return ended

    async def get(self, maintenance_id: int) -> Maintenance:
        """One. Raises MaintenanceNotFound, StoreUnavailable."""
        async with self._store.reading() as unit:
            found = await statements.get(unit, maintenance_id)
        if found is None:
            raise MaintenanceNotFound(maintenance=maintenance_id)
        return found

    def now(self, desk: str) -> list[Maintenance]:
        """Those of a desk that go on now, the one that began last first."""
        return in_progress((one for one in (self._known or {}).values() if one.desk == desk), self._clock())

    async def run(self) -> None:
        """Begin and end on time, and write to whoever asked, for ever."""
        while True:
            try:
                await self.once()
            except Unavailable as error:
                log.warning("maintenances not read: database unavailable", error=str(error))
            except OmnivigilError:
                log.exception("maintenance not announced; retrying")
            await rest(_TICK_S)

    async def once(self) -> None:
        """Tell what began or ended since the last look, also while nobody looked. Raises StoreUnavailable."""
        if self._known is None:
            async with self._store.reading() as unit:
                found = await statements.open_or_since(unit, self._clock() - _LATELY)
            self._known = {one.id: one for one in found} | (self._known or {})
        now = self._clock()
        for one in list(self._known.values()):
            if one.state(now) != one.told:
                with apart("maintenance not announced", one.id):
                    await self._tell(one, one.state(now), now)
        if self._mailing:
            self._mailing = False
            try:
                left = await mailing.go_on(self._store, self._desks, now, public_url=self._public_url or "")
            except BaseException:
                self._mailing = True
                raise
            self._mailing = self._mailing or left

    async def _tell(self, one: Maintenance, state: State, now: datetime) -> None:
        async with self._changing:
            async with self._store.unit() as unit:
                mine = await statements.told(unit, one.id, one.told, state)
                fresh = await statements.get(unit, one.id)
                assert fresh is not None  # noqa: S101 - maintenances are never deleted
                if mine:
                    await mailing.begin(unit, fresh, state, now)
            if mine:
                self._changed(fresh, f"maintenance.{state.replace('_', '-')}")
            elif self._known is not None:
                self._known[one.id] = fresh

    async def _open(self, unit: Unit, maintenance_id: int, version: int | None, now: datetime) -> Maintenance:
        was = await statements.get(unit, maintenance_id)
        if was is None:
            raise MaintenanceNotFound(maintenance=maintenance_id)
        if version not in (None, was.version):
            at = was.updated_at.isoformat(timespec="seconds")
            raise MaintenanceChanged(maintenance=was.id, version=was.version, last_change_by=was.by, last_change_at=at)
        check_open(was, now)
        return was

    async def _write(self, unit: Unit, was: Maintenance, values: Mapping[str, Any]) -> Maintenance:
        if not await statements.change(unit, was.id, was.version, values):
            raise MaintenanceChanged(maintenance=was.id)
        found = await statements.get(unit, was.id)
        assert found is not None  # noqa: S101 - it was read in this transaction
        return found

    def _changed(self, one: Maintenance, kind: str) -> None:
        now = self._clock()
        self.changes += 1
        self._mailing = True
        if self._known is not None:
            self._known[one.id] = one
        log.info("maintenance changed", maintenance=one.id, desk=one.desk, state=one.state(now), kind=kind)
        self._bus.publish(kind, now, one.facts(now))


def spoken(several: list[Maintenance], language: str) -> list[str]:
    """Return what callers hear of those that go on."""
    return [one.texts[language] for one in several if language in one.texts]
