"""Keeps incidents, and has everybody who waits hear the last word on them (OV-10, OV-26, OV-27)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Literal, Protocol

import structlog

from ivr.announcements.announcer import Announcer
from ivr.announcements.model import LONGEST_TEXT, Announcement
from ivr.clock import Clock
from ivr.desk.load import main_of
from ivr.desk.schema import Desk
from ivr.directory.model import Identity
from ivr.errors import BadInput, Conflict, NotFound, OmnivigilError, Unavailable
from ivr.events import EventBus
from ivr.incidents import mailing
from ivr.incidents import store as statements
from ivr.incidents.model import (
    RESOLVED_ON_AIR,
    Affected,
    Impact,
    Incident,
    Stage,
    Update,
    briefly,
    checked_texts,
    told,
    updated,
)
from ivr.incidents.push import pushed
from ivr.incidents.sms_followers import Followers, Hang
from ivr.isolation import apart
from ivr.notify.outbox import put_statuspage
from ivr.refusals import Refusals
from ivr.store.engine import Store, Unit
from ivr.ticks import rest

log = structlog.get_logger()

#: What ends by itself is noticed within this, and what failed is tried again, in seconds.
_TICK_S = 2.0
#: How announcements that were made here are signed.
_SIGNED = "incident "
_READ_ANEW = "read the incident anew, and say what is still to be said"


class Work(Protocol):
    """Maintenance that goes on."""

    @property
    def texts(self) -> Mapping[str, str]:
        """Return what is said of it, by language."""

    @property
    def starts_at(self) -> datetime: ...
    @property
    def updated_at(self) -> datetime: ...


class IncidentNotFound(NotFound):
    """There is no such incident."""


class IncidentChanged(Conflict):
    """Somebody changed the incident in the meantime."""


class Incidents:
    """All incidents of all desks. Those that are told are in memory."""

    def __init__(  # noqa: PLR0913 - what it works with, each by its name
        self,
        *,
        store: Store,
        desks: Mapping[str, Desk],
        announcer: Announcer,
        bus: EventBus,
        clock: Clock,
        hang: Hang,
        public_url: str | None = None,
        statuspage: str | None = None,
        maintenance: Callable[[str], Sequence[Work]] = lambda desk: (),
        refusals: Refusals | None = None,
    ) -> None:
        """`hang` makes a caller's ticket about an incident; `public_url` is where readers of e-mails find the status
        page; `statuspage` names the page at Statuspage that
        is told of the main desk's incidents; `maintenance` tells what work goes on at a
        desk, which callers hear of after the incidents.
        """
        self._maintenance = maintenance
        self._public_url = public_url
        self._statuspage = statuspage
        self._store, self._desks, self._announcer = store, desks, announcer
        self._bus, self._clock = bus, clock
        self.followers = Followers(store, clock, hang=hang, public_url=public_url, refusals=refusals)
        #: By id; None until the database was read.
        self._known: dict[int, Incident] | None = None
        self._changing = asyncio.Lock()
        #: Counts changes, so that what was made of the incidents can be kept until the next.
        self.changes = 0
        #: Whether somebody may still have to be written to.
        self._mailing = True

    # Changing ----------------------------------------------------------------------------------------

    async def begin(  # noqa: PLR0913 - a record of them would be made only to be taken apart
        self,
        desk: Desk,
        *,
        title: Mapping[str, str],
        impact: Impact,
        stage: Stage,
        texts: Mapping[str, str],
        services: tuple[str, ...],
        components: tuple[str, ...],
        affected: Affected,
        started_at: datetime | None,
        who: str,
        tell_partners: bool = False,
    ) -> Incident:
        """A new incident. Returns once it is committed and, unless the voice failed, told to all who wait.

        `tell_partners` has a text message sent to the people of the partners that it affects (OV-27).

        Raises BadInput, StoreUnavailable.
        """
        now = self._clock()
        if stage == "resolved":
            mend = "begin with another stage, and resolve it then"
            raise BadInput(field="stage", problem="an incident does not begin as resolved", mend=mend)
        if started_at is not None and started_at > now:
            raise BadInput(field="started_at", problem="is in the future", mend="give when it began, or nothing")
        names = services_of(desk, services)
        said = checked_texts(texts, desk.languages, stage=stage, services=names)
        values = {
            "desk": desk.id,
            "title": {language: title.get(language) or said[language][:200] for language in desk.languages},
            "impact": impact,
            "services": list(services),
            "components": list(components),
            "affected": {name: list(ids) for name, ids in vars(affected).items()},
            "started_at": started_at or now,
        }
        async with self._changing:
            async with self._store.unit() as unit:
                first = {"stage": stage, "texts": said, "at": now, "by": who}
                made = await statements.get(unit, await statements.add(unit, values, first))
                assert made is not None  # noqa: S101 - it was written in this transaction
                await mailing.begin(
                    unit, made.desk, made.id, made.updates[0].id, new_stage=False, partners=tell_partners
                )
                await self._push(unit, made)
            await self._changed(made, "incident.opened")
        return made

    async def update(  # noqa: PLR0913 - a record of them would be made only to be taken apart
        self,
        incident_id: int,
        *,
        stage: Stage,
        texts: Mapping[str, str],
        version: int | None,
        who: str,
        impact: Impact | None = None,
        services: tuple[str, ...] | None = None,
        components: tuple[str, ...] | None = None,
        tell_partners: bool = False,
    ) -> Incident:
        """One more update, with what it says again of impact, services and components; None leaves them.

        Returns as `begin`. Raises IncidentNotFound, IncidentChanged, BadInput, StoreUnavailable.
        """
        async with self._changing:
            was = await self.get(incident_id)
            _same_version(was, version)
            desk = self._desks[was.desk]
            kept = [one for one in was.services if one in desk.services]
            names = services_of(desk, kept if services is None else services)
            anew = {"impact": impact, "services": services, "components": components}
            values = {name: list(one) if isinstance(one, tuple) else one for name, one in anew.items()}
            said = checked_texts(texts, desk.languages, stage=stage, services=names)
            new = updated(was, Update(id=0, stage=stage, texts=said, at=self._clock(), by=who))
            last = new.updates[-1]
            async with self._store.unit() as unit:
                changed = {name: one for name, one in values.items() if one is not None}
                if not await statements.change(unit, was.id, was.version, resolved_at=new.resolved_at, **changed):
                    raise IncidentChanged(incident=incident_id, mend=_READ_ANEW)
                row = {"stage": last.stage, "texts": dict(last.texts), "at": last.at, "by": last.by}
                added = await statements.add_update(unit, was.id, row)
                new_stage = last.stage != was.stage
                await mailing.begin(unit, was.desk, was.id, added, new_stage=new_stage, partners=tell_partners)
                stored = await statements.get(unit, was.id)
                assert stored is not None  # noqa: S101 - it was read in this transaction
                await self._push(unit, stored)
            await self._changed(stored, "incident.updated")
        return stored

    async def _push(self, unit: Unit, one: Incident) -> None:
        """Have Statuspage told of the last update."""
        if self._statuspage is None or one.desk != main_of(self._desks).id:
            return
        languages = self._desks[one.desk].languages
        body = pushed(one, "en" if "en" in languages else languages[0])
        last = one.updates[-1]
        await put_statuspage(
            unit,
            self._statuspage,
            subject=f"incident {one.id}",
            body=json.dumps(body, ensure_ascii=False),
            key=f"statuspage:{last.id}",
            at=last.at,
        )

    async def touches(self, incident_id: int, affected: Affected, *, version: int | None) -> Incident:
        """Say again whom it affects. Raises IncidentNotFound, IncidentChanged, StoreUnavailable."""
        async with self._changing:
            was = await self.get(incident_id)
            _same_version(was, version)
            async with self._store.unit() as unit:
                values = {name: list(ids) for name, ids in vars(affected).items()}
                if not await statements.change(unit, was.id, was.version, affected=values):
                    raise IncidentChanged(incident=incident_id, mend=_READ_ANEW)
            stored = replace(was, affected=affected, version=was.version + 1)
            await self._changed(stored, "incident.updated")
        return stored

    async def get(self, incident_id: int) -> Incident:
        """One incident. Raises IncidentNotFound, StoreUnavailable."""
        async with self._store.reading() as unit:
            found = await statements.get(unit, incident_id)
        if found is None:
            raise IncidentNotFound(incident=incident_id)
        return found

    # Reading -----------------------------------------------------------------------------------------

    def told_now(self, desk: str) -> list[Incident]:
        """The incidents that callers of a desk hear of, the latest word first."""
        now = self._clock()
        mine = [one for one in (self._known or {}).values() if one.desk == desk and one.is_told(now)]
        return sorted(mine, key=lambda one: (one.updates[-1].at, one.id), reverse=True)

    def followable(self, desk: str) -> list[int]:
        """The ids of those whose next stages a caller may have told by text message."""
        return [one.id for one in self.told_now(desk) if one.resolved_at is None]

    def about(self, desk: str, identity: Identity, number: str | None) -> int | None:
        """The incident that a caller's ticket is about: the latest that is not over and touches them."""
        for one in self.told_now(desk):
            if one.resolved_at is None and (not one.affected or _is_touched(one, identity, number)):
                return one.id
        return None

    def tells(self, desk: str, identity: Identity, number: str | None) -> Literal["yours", "others"] | None:
        """What a caller is told beside the texts: that they are among those named, or, being known, that they are not.

        None when nobody is named, or nobody knows who calls.
        """
        named = [one for one in self.told_now(desk) if one.resolved_at is None and one.affected]
        if any(_is_touched(one, identity, number) for one in named):
            return "yours"
        everybodys = len(named) < len(self.followable(desk))
        if named and not everybodys and identity.customer is not None:
            return "others"
        return None

    # On the air --------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Tell what is to be told, for ever; what failed is tried again."""
        while True:
            try:
                if self._known is None:
                    await self._load()
                for desk in self._desks.values():
                    async with self._changing:
                        with apart("incident not announced to waiting callers; retrying", desk.id):
                            await self._tell(desk)
                if self._mailing:
                    await self._mail()
            except Unavailable as error:
                log.warning("incidents not read: database unavailable", error=str(error))
            await rest(_TICK_S)

    async def _mail(self) -> None:
        """Go on writing to whoever asked for it."""
        # First, for an update may come while we look.
        self._mailing = False
        try:
            await mailing.go_on(self._store, self._desks, self._clock(), public_url=self._public_url)
            left = await mailing.is_left(self._store)
        except BaseException:
            self._mailing = True
            raise
        self._mailing = self._mailing or left

    async def _load(self) -> None:
        async with self._store.reading() as unit:
            found = await statements.open_or_since(unit, self._clock() - RESOLVED_ON_AIR)
        await self.followers.load(one.id for one in found)
        self._known = {one.id: one for one in found} | (self._known or {})

    async def _changed(self, one: Incident, kind: str) -> None:
        self.changes += 1
        self._mailing = True
        if self._known is not None:
            self._known[one.id] = one
        log.info("incident changed", incident=one.id, desk=one.desk, stage=one.stage, kind=kind)
        self._bus.publish(kind, self._clock(), one.facts())
        try:
            if self._known is None:
                await self._load()
            await self._tell(self._desks[one.desk])
        except OmnivigilError:
            # It is committed; `run` tries again.
            log.exception("incident not announced to waiting callers; retrying", incident=one.id)

    async def _tell(self, desk: Desk) -> None:
        """Have the desk announce what it should. What staff announced by hand since the last update stays."""
        now, telling, works = self._clock(), self.told_now(desk.id), self._maintenance(desk.id)
        current = self._announcer.in_force(desk.id)
        if not telling and not works:
            if current is not None and _ours(current):
                await self._announcer.end(desk, f"{_SIGNED}over")
            return
        last_word = max(
            [one.updates[-1].at for one in telling[:1]] + [max(one.starts_at, one.updated_at) for one in works]
        )
        ended_at, ended_by = self._announcer.ended(desk.id) or (None, "")
        ended_since = ended_at is not None and ended_at >= last_word
        if current is None and ended_since and not ended_by.startswith(_SIGNED):
            # Staff would have it so: normal it stays until the next word.
            return
        said = {
            language: _fitting([told(telling, language, now) or "", *(one.texts[language] for one in works)])
            for language in desk.languages
        }
        if current is not None:
            by_hand_since = not _ours(current) and current.created_at >= last_word
            if by_hand_since or dict(current.texts) == said:
                return
        short = {
            language: _fitting(
                [
                    briefly(telling, lambda one: services_of(desk, one.services), language),
                    *(one.texts[language] for one in works),
                ]
            )
            for language in desk.languages
        }
        who = f"{_SIGNED}{telling[0].id}" if telling else f"{_SIGNED}maintenance"
        await self._announcer.announce_text(desk, said, brief=short, starts_at=None, expires_at=None, who=who)


def _same_version(was: Incident, version: int | None) -> None:
    """Refuse what was written by who had not seen the last change; they are told whose it was."""
    if version in (None, was.version):
        return
    last = was.updates[-1]
    raise IncidentChanged(
        incident=was.id,
        version=was.version,
        last_update_by=last.by,
        last_update_at=last.at.isoformat(timespec="seconds"),
        mend=_READ_ANEW,
    )


def _fitting(texts: Iterable[str]) -> str:
    """As many of the texts, in their order, as fit into one announcement."""
    said = ""
    for text in texts:
        longer = f"{said} {text}".strip()
        if len(longer) <= LONGEST_TEXT:
            said = longer
    return said


def _ours(announcement: Announcement) -> bool:
    return announcement.created_by.startswith(_SIGNED)


def _is_touched(one: Incident, identity: Identity, number: str | None) -> bool:
    customer = identity.customer
    return one.affected.touches(
        partner=customer.partner_id if customer is not None else None,
        customer=customer.id if customer is not None else None,
        number=number,
    )


def services_of(desk: Desk, services: Iterable[str]) -> list[Mapping[str, str]]:
    """The names of a desk's services, by language. Raises BadInput for one that it does not have."""
    found: list[Mapping[str, str]] = []
    for n, service in enumerate(services):
        if service not in desk.services:
            mend = f"use one of: {', '.join(desk.services) or 'none, the desk file names no services'}"
            raise BadInput(field=f"services.{n}", problem=f"the desk has no service {service[:40]!r}", mend=mend)
        found.append(desk.services[service])
    return found
