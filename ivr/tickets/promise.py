"""Works out the promise to a caller who leaves a message out of hours (OV-7, OV-8). Pure.

An emergency's half hour is `ivr.oncall.escalation.PROMISE`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ivr.desk.hours import Calendar
from ivr.desk.schema import Department
from ivr.tickets.model import Priority


@dataclass(frozen=True, kw_only=True)
class Promise:
    """A message's priority, when it is known without guessing, and until when the caller is answered."""

    priority: Priority | None = None
    #: The end of the next working day.
    until: datetime | None = None


#: Nothing was told of when.
NO_PROMISE = Promise()


def in_doubt(department: Department, calendar: Calendar, at: datetime) -> bool:
    """Whether a message is an emergency whose caller, who left it at `at`, could not be asked: the menu was away.

    Where emergencies are taken out of hours, it is one: a caller without one is not harmed by being called back.
    """
    return department.closed == "emergency" and not calendar.is_open(at)


def promised(department: Department, calendar: Calendar, *, urgent: bool, at: datetime) -> Promise:
    """Return what was told to a caller who left a message at `at`, which is aware.

    An emergency has its own half hour. A caller who said that theirs is none has a request of normal
    priority. While the desk is open nothing was told of when.
    """
    if urgent:
        return Promise(priority="urgente")
    if calendar.is_open(at):
        return NO_PROMISE
    opening = calendar.next_opening(at)
    until = None
    if opening is not None:
        until = max(one.end for one in calendar.openings(opening, 1))
    return Promise(priority="normale" if department.closed == "emergency" else None, until=until)
