"""What somebody may see and change who is limited to one provider: the only way from their requests to the line.

Their routes get `Services` that hold nothing of others: the database's statements are narrowed, desks and directory are
the provider's. What has an id in a path is looked for in that database first, since some features answer from memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
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


def rules(provider: str, desks: Mapping[str, Desk]) -> Rules:
    """Which rows of each table are a provider's. A ticket is its customer's provider's, and without one its desk's."""

    def of_provider(c: Any) -> ColumnElement[bool]:
        found: ColumnElement[bool] = c.provider == provider
        return found

    def of_desk(c: Any) -> ColumnElement[bool]:
        found: ColumnElement[bool] = c.desk.in_(tuple(desks))
        return found

    def of_queue(c: Any) -> ColumnElement[bool]:
        found: ColumnElement[bool] = c.queue.in_([queue for desk in desks.values() for queue in desk.queues])
        return found

    def by(name: str, key: Column[Any], rule: Rule) -> Rule:
        """Rows that refer by `name` to a row of another table of which a rule holds."""

        def of_it(c: Any) -> ColumnElement[bool]:
            # An alias is never taken for a table of the statement around it.
            other = key.table.alias()
            found: ColumnElement[bool] = c[name].in_(select(other.c[key.name]).where(rule(other.c)))
            return found

        return of_it

    customer = by("customer_id", directory.customers.c.id, of_provider)

    def of_ticket(c: Any) -> ColumnElement[bool]:
        return or_(customer(c), and_(c.customer_id.is_(None), of_desk(c)))

    def of_account(c: Any) -> ColumnElement[bool]:
        found: ColumnElement[bool] = c.limited_to == provider
        return found

    account = by("account_id", accounts.accounts.c.id, of_account)
    who = by("who", accounts.accounts.c.name, of_account)
    call = by("call_id", calls.calls.c.id, of_desk)
    ticket = by("ticket_number", tickets.tickets.c.number, of_ticket)
    trace = by("trace_id", calltrace.call_traces.c.id, ticket)
    incident = by("incident_id", incidents.incidents.c.id, of_desk)
    work = by("maintenance_id", maintenance.maintenances.c.id, of_desk)

    def nobodys(_: Any) -> ColumnElement[bool]:
        return false()

    return {
        accounts.accounts: of_account,
        accounts.account_recovery_codes: account,
        accounts.account_sessions: account,
        accounts.account_tries: None,
        accounts.audit: who,
        announcements.announcements: of_desk,
        announcements.announcement_hearings: by("announcement_id", announcements.announcements.c.id, of_desk),
        callbacks.callbacks: of_desk,
        callbacks.callback_offers: of_desk,
        calls.calls: of_desk,
        calls.call_events: call,
        calls.call_legs: call,
        calltrace.call_traces: ticket,
        calltrace.call_trace_evidence: trace,
        calltrace.recommendations: trace,
        # Made of the reports of all providers' customers.
        calltrace.incident_proposals: nobodys,
        accounts.api_tokens: of_provider,
        directory.caller_languages: None,
        directory.contacts: of_provider,
        directory.customers: of_provider,
        directory.directory_changes: None,
        directory.endpoints: of_provider,
        directory.numbers: of_provider,
        directory.partners: of_provider,
        directory.partner_contacts: by("partner_id", directory.partners.c.id, of_provider),
        directory.technicians: of_provider,
        announcements.technician_pins: by("technician_id", directory.technicians.c.id, of_provider),
        incidents.incidents: of_desk,
        incidents.incident_updates: incident,
        incidents.incident_followers: incident,
        incidents.incident_mailings: by("update_id", incidents.incident_updates.c.id, incident),
        listenings.listenings: who,
        mail.mails: ticket,
        maintenance.maintenances: of_desk,
        maintenance.maintenance_events: of_desk,
        maintenance.maintenance_mailings: work,
        notify.outbox: ticket,
        # Whom nobody may send text messages, and what they cost: the line's.
        notify.opt_outs: None,
        notify.spendings: None,
        notify.webhook_endpoints: None,
        oncall.emergencies: of_desk,
        oncall.oncall_events: of_desk,
        oncall.oncall_overrides: of_desk,
        oncall.page_calls: by("emergency_id", oncall.emergencies.c.id, of_desk),
        probing.write_probe: None,
        provisioning.provisionings: by("phone", directory.endpoints.c.name, of_provider),
        queueing.queue_roll: of_queue,
        reports.incident_reports: incident,
        reports.report_requests: incident,
        subscribers.status_subscribers: of_desk,
        texts.texts: by("emergency_id", oncall.emergencies.c.id, of_desk),
        tickets.tickets: of_ticket,
        tickets.messages: of_desk,
        tickets.solutions: of_desk,
        tickets.ticket_alarms: ticket,
        tickets.ticket_events: ticket,
        tickets.ticket_spans: ticket,
    }
