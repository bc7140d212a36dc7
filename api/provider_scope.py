"""What somebody may see and change who is limited to one provider: the only way from their requests to the line.

Their routes get `Services` that hold nothing of others: the database's statements are narrowed, desks and directory are
the provider's. What has an id in a path is looked for in that database first, since some features answer from memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, and_, false, or_, select

from api.deps import Services
from ivr.access_log import tables as listenings
from ivr.accounts import tables as accounts
from ivr.announcements import tables as announcements
from ivr.callbacks import tables as callbacks
from ivr.calls import tables as calls
from ivr.calltrace import tables as calltrace
from ivr.desk.schema import Desk
from ivr.directory import tables as directory
from ivr.directory.lookup import OneProviders
from ivr.errors import NotFound
from ivr.incidents import tables as incidents
from ivr.mail import tables as mail
from ivr.maintenance import tables as maintenance
from ivr.notify import tables as notify
from ivr.oncall import tables as oncall
from ivr.probing import tables as probing
from ivr.provisioning import tables as provisioning
from ivr.queueing import tables as queueing
from ivr.reports import tables as reports
from ivr.sms_inbox import tables as texts
from ivr.store.narrowing import Rule, Rules, narrowed
from ivr.subscriptions import tables as subscribers
from ivr.tickets import tables as tickets


class NoDesk(NotFound):
    """The provider has no desk on this line (any more)."""


class OtherProviders(NotFound):
    """There is no such thing of this provider's."""


class OwnDesks(Mapping[str, Desk]):
    """A provider's desks, as they are now: desk files are taken up while the line runs."""

    def __init__(self, line: Mapping[str, Desk], provider: str) -> None:
        self._line, self._provider = line, provider

    def __getitem__(self, name: str) -> Desk:
        found = self._line[name]
        if found.provider != self._provider:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return (name for name, desk in self._line.items() if desk.provider == self._provider)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def only(has: Services, provider: str) -> Services:
    """The line as one provider's people may see and change it. Raises NoDesk."""
    desks = OwnDesks(has.desks, provider)
    if not desks:
        raise NoDesk(provider=provider)
    return replace(
        has,
        provider=provider,
        line=has.desks,
        desks=desks,
        store=has.store.narrowed(partial(narrowed, rules=rules(provider, desks))),
        directory=OneProviders(has.directory, provider),
        # The files are all desks' at once.
        desk_files=None,
    )


#: What is named in the path of a page, and where it is found.
IN_PATHS: Final[Mapping[str, Column[Any]]] = {
    "incident_id": incidents.incidents.c.id,
    "mail_id": mail.mails.c.id,
    "maintenance_id": maintenance.maintenances.c.id,
    "message_id": tickets.messages.c.id,
    "name": accounts.accounts.c.name,
    "number": tickets.tickets.c.number,
    "person_id": directory.partner_contacts.c.id,
    "proposal_id": calltrace.incident_proposals.c.id,
    "token_id": accounts.api_tokens.c.id,
    "trace_id": calltrace.call_traces.c.id,
}
#: Nobody's: kinds of things, places in a list, and words.
NOBODYS: Final = frozenset({"kind", "language", "nth", "part", "path", "what"})


async def admit(has: Services, named: Mapping[str, Any]) -> None:
    """See that whatever a path names is the provider's. Raises OtherProviders, StoreUnavailable."""
    for name, value in named.items():
        if name in NOBODYS or (name == "desk" and value in has.desks):
            continue
        column = IN_PATHS.get(name)
        if column is None or not await _there(has, column, str(value)):
            raise OtherProviders(**{name: value})


async def _there(has: Services, column: Column[Any], value: str) -> bool:
    if column.type.python_type is int and not (value.isascii() and value.isdecimal() and len(value) < 10):
        return False
    async with has.store.reading() as unit:
        found = await unit.execute(select(column).where(column == column.type.python_type(value)))
        return found.first() is not None


@dataclass(frozen=True)
class _Of:
    """Conditions on a table's columns, by which a row is a provider's."""

    name: str
    desks: Mapping[str, Desk]

    def provider(self, c: Any) -> ColumnElement[bool]:
        found: ColumnElement[bool] = c.provider == self.name
        return found

    def account(self, c: Any) -> ColumnElement[bool]:
        found: ColumnElement[bool] = c.limited_to == self.name
        return found

    def desk(self, c: Any) -> ColumnElement[bool]:
        found: ColumnElement[bool] = c.desk.in_(tuple(self.desks))
        return found

    def queue(self, c: Any) -> ColumnElement[bool]:
        found: ColumnElement[bool] = c.queue.in_([queue for desk in self.desks.values() for queue in desk.queues])
        return found

    def ticket(self, c: Any) -> ColumnElement[bool]:
        """A ticket is its customer's provider's, and without a customer its desk's."""
        customer = _by("customer_id", directory.customers.c.id, self.provider)
        return or_(customer(c), and_(c.customer_id.is_(None), self.desk(c)))


def _by(name: str, key: Column[Any], rule: Rule) -> Rule:
    """Return the rule for rows that refer by `name` to a row of another table of which `rule` holds."""

    def of_it(c: Any) -> ColumnElement[bool]:
        # An alias is never taken for a table of the statement around it.
        other = key.table.alias()
        found: ColumnElement[bool] = c[name].in_(select(other.c[key.name]).where(rule(other.c)))
        return found

    return of_it


def _nobodys(_: Any) -> ColumnElement[bool]:
    return false()


def rules(provider: str, desks: Mapping[str, Desk]) -> Rules:
    """Return by which rows of each table are a provider's."""
    of = _Of(provider, desks)
    account = _by("account_id", accounts.accounts.c.id, of.account)
    who = _by("who", accounts.accounts.c.name, of.account)
    call = _by("call_id", calls.calls.c.id, of.desk)
    ticket = _by("ticket_number", tickets.tickets.c.number, of.ticket)
    trace = _by("trace_id", calltrace.call_traces.c.id, ticket)
    incident = _by("incident_id", incidents.incidents.c.id, of.desk)
    work = _by("maintenance_id", maintenance.maintenances.c.id, of.desk)
    return {
        accounts.accounts: of.account,
        accounts.account_recovery_codes: account,
        accounts.account_sessions: account,
        accounts.account_tries: None,
        accounts.audit: who,
        announcements.announcements: of.desk,
        announcements.announcement_hearings: _by("announcement_id", announcements.announcements.c.id, of.desk),
        callbacks.callbacks: of.desk,
        callbacks.callback_offers: of.desk,
        calls.calls: of.desk,
        calls.call_events: call,
        calls.call_legs: call,
        calltrace.call_traces: ticket,
        calltrace.call_trace_evidence: trace,
        calltrace.recommendations: trace,
        # Made of the reports of all providers' customers.
        calltrace.incident_proposals: _nobodys,
        accounts.api_tokens: of.provider,
        directory.caller_languages: None,
        directory.contacts: of.provider,
        directory.customers: of.provider,
        directory.directory_changes: None,
        directory.endpoints: of.provider,
        directory.numbers: of.provider,
        directory.partners: of.provider,
        directory.partner_contacts: _by("partner_id", directory.partners.c.id, of.provider),
        directory.technicians: of.provider,
        announcements.technician_pins: _by("technician_id", directory.technicians.c.id, of.provider),
        incidents.incidents: of.desk,
        incidents.incident_updates: incident,
        incidents.incident_followers: incident,
        incidents.incident_mailings: _by("update_id", incidents.incident_updates.c.id, incident),
        listenings.listenings: who,
        mail.mails: ticket,
        maintenance.maintenances: of.desk,
        maintenance.maintenance_events: of.desk,
        maintenance.maintenance_mailings: work,
        notify.outbox: ticket,
        # Whom nobody may send text messages, and what they cost: the line's.
        notify.opt_outs: None,
        notify.spendings: None,
        notify.webhook_endpoints: None,
        oncall.emergencies: of.desk,
        oncall.oncall_events: of.desk,
        oncall.oncall_overrides: of.desk,
        oncall.page_calls: _by("emergency_id", oncall.emergencies.c.id, of.desk),
        probing.write_probe: None,
        provisioning.provisionings: _by("phone", directory.endpoints.c.name, of.provider),
        queueing.queue_roll: of.queue,
        reports.incident_reports: incident,
        reports.report_requests: incident,
        subscribers.status_subscribers: of.desk,
        texts.texts: _by("emergency_id", oncall.emergencies.c.id, of.desk),
        tickets.tickets: of.ticket,
        tickets.messages: of.desk,
        tickets.solutions: of.desk,
        tickets.ticket_alarms: ticket,
        tickets.ticket_events: ticket,
        tickets.ticket_spans: ticket,
    }
