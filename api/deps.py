"""What the API is given. It makes nothing itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from ivr.accounts.api_tokens import Tokens
from ivr.accounts.secret_encryption import Seal
from ivr.announcements.announcer import Announcer
from ivr.asterisk.registrations import registered
from ivr.callbacks.model import Callback
from ivr.calls.log import CallLog
from ivr.calltrace.call_back import connect_phones
from ivr.calltrace.recordings import Recordings
from ivr.calltrace.service import CallTraces
from ivr.clock import Clock
from ivr.desk.hours import Calendar
from ivr.desk.schema import Desk
from ivr.desk_editing.files import DeskFile, Edit
from ivr.desk_editing.versions import Versions
from ivr.desk_reload import Outcome, Preview
from ivr.directory.desk_references import Known, known_of
from ivr.directory.editor import Editor
from ivr.directory.lookup import Directory
from ivr.events import EventBus
from ivr.health import Health
from ivr.incidents.service import Incidents
from ivr.line import Line
from ivr.maintenance.service import Maintenances
from ivr.metrics.prometheus import LineMetrics
from ivr.notify.config import NoticeConfig
from ivr.oncall.service import Emergencies
from ivr.queueing.duty import Duty, Member, QueueMembers
from ivr.queueing.places import Places
from ivr.reports.service import Reports
from ivr.settings import Address
from ivr.store.engine import Store
from ivr.subscriptions.service import Subscribers
from ivr.tickets.service import Tickets


class DeskFiles(Protocol):
    """The desk files of the line."""

    @property
    def problem(self) -> str | None:
        """Return why the files as they are cannot be in force; None when they can."""

    @property
    def last(self) -> Outcome | None:
        """Return what the last reload, or check, has found."""

    @property
    def versions(self) -> Versions:
        """Those that were in force."""

    async def reload(self, *, by: str, check: bool = False) -> Outcome:
        """Take them into force, or only look. Raises NotReloaded."""

    def file(self, desk: str) -> DeskFile:
        """A desk's file as it is now. Raises NoSuchFile and OSError."""

    async def preview(self, edit: Edit) -> Preview:
        """Return what an edit would change. Raises EditRefused."""

    async def put(self, edit: Edit) -> Outcome:
        """Write an edit into its file and take it into force, or change nothing.

        Raises EditRefused, FileChanged, NotWritten and Unavailable.
        """


class CallbackKeeper(Protocol):
    """Whoever keeps the places of callbacks."""

    async def cancel(self, callback: str, reason: str) -> Callback | None:
        """End it unless it is being carried out or over. Raises Unavailable."""

    def get(self, callback: str) -> Callback | None:
        """One that is not over."""

    def serves(self, one: Callback) -> bool:
        """Return whether the desk files still have its desk, queue and department."""

    def position(self, one: Callback) -> int:
        """Its place in line now, counted from 1."""


class Waiting(Protocol):
    """Who stands in the queues."""

    def places(self, queue: str) -> Places:
        """Everyone, the next to be served first."""

    def members(self, queue: str) -> Sequence[Member]:
        """Return who is logged in to a queue, as far as is known without asking Asterisk."""

    def wait_s(self, queue: str, position: int) -> float | None:
        """The estimate for a position, in seconds; None when nobody is there to answer."""


@dataclass(frozen=True, kw_only=True)
class Services:
    """Everything the routers need."""

    store: Store
    directory: Directory
    tokens: Tokens
    calls: CallLog
    bus: EventBus
    members: QueueMembers
    keeper: CallbackKeeper
    watch: Waiting
    #: The main desk first.
    desks: Mapping[str, Desk]
    #: By desk, then by department.
    calendars: Mapping[str, Mapping[str, Calendar]]
    health: Callable[[], Awaitable[Health]]
    clock: Clock
    announcer: Announcer
    incidents: Incidents
    subscribers: Subscribers
    maintenances: Maintenances
    reports: Reports
    metrics: LineMetrics
    #: Folder of the voice messages' recordings.
    messages: Path
    traces: CallTraces
    recordings: Recordings
    #: Whether calls can go out by the trunk.
    trunk: bool
    #: The desk files, which can be taken into force anew; None where nothing reads any.
    desk_files: DeskFiles | None = None
    #: Rings the first phone and then, for whoever answers it, the second. Raises Unavailable.
    connect_phones: Callable[[str, str], Awaitable[None]]
    #: Which of these phones are registered now; those that Asterisk does not tell of are left out.
    registered: Callable[[Iterable[str]], Awaitable[Mapping[str, bool]]]
    #: Where phones register.
    sip: Address
    #: Encrypts the secrets of second factors.
    seal: Seal
    notices: NoticeConfig
    #: Folder of the e-mails as they came in.
    mails: Path
    #: Whose they are only, as `api.provider_scope` makes them; None for every provider's.
    provider: str | None = None
    #: What every desk of the line is dialled by and speaks, where `desks` are one provider's.
    line: Mapping[str, Desk] | None = None

    @property
    def tickets(self) -> Tickets:
        """Return what may be done to the tickets of these desks."""
        return Tickets(desks=self.desks, calendars=self.calendars, bus=self.bus, clock=self.clock)

    @property
    def emergencies(self) -> Emergencies:
        """The emergencies of these desks."""
        return Emergencies(desks=self.desks, bus=self.bus, clock=self.clock)

    @property
    def duty(self) -> Duty:
        """Return who answers the queues of these desks."""
        return Duty(
            desks=self.desks,
            members=self.members,
            directory=self.directory,
            known=self.watch.members,
            trunk=self.trunk,
        )

    def editor(self, provider: str, *, by: str, source: str) -> Editor:
        """Return somebody who changes a provider's directory now; `source` is the way by which they do."""
        return Editor(
            provider=provider, by=by, at=self.clock(), source=source, bus=self.bus, known=self.known(provider)
        )

    def known(self, provider: str) -> Known:
        """Return what desk files allow of a provider's entries."""
        return known_of((self.line or self.desks).values(), provider)


def services_of(line: Line) -> Services:
    """Return what the API needs of a line."""
    return Services(
        store=line.store,
        directory=line.directory,
        tokens=line.tokens,
        calls=line.calls,
        bus=line.bus,
        members=line.members,
        keeper=line.keeper,
        watch=line.watch,
        trunk=line.trunk,
        desks=line.desks,
        calendars=line.calendars,
        health=line.health,
        desk_files=line.desk_files,
        clock=line.clock,
        announcer=line.announcer,
        incidents=line.incidents,
        subscribers=line.subscribers,
        maintenances=line.maintenances,
        reports=line.reports,
        metrics=line.metrics,
        messages=line.messages,
        notices=line.notices,
        mails=line.settings.mails,
        traces=line.traces,
        recordings=line.recordings,
        seal=line.seal,
        connect_phones=partial(connect_phones, line.ami),
        registered=partial(registered, line.ami),
        sip=line.settings.sip,
    )
