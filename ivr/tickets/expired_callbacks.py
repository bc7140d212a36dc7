"""Closes a callback that reached no one: the ticket says so, and the customer gets a text message."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import structlog

from ivr import wording
from ivr.callbacks.model import Callback
from ivr.desk.load import Desks
from ivr.directory.model import Identity
from ivr.notify.outbox import Sms, put_sms
from ivr.store.engine import Unit
from ivr.tickets import store as tickets
from ivr.tickets.intake import Intake, requester_of
from ivr.tickets.intake_commit import LINE, enter

log = structlog.get_logger()

_TEXTS = wording.text("callbacks.expired")


class Lapse:
    """The writes of the transaction that ends such a callback."""

    def __init__(
        self, desks: Desks, identify: Callable[[str, str | None, str], Identity], clock: Callable[[], datetime]
    ) -> None:
        self._desks, self._identify, self._clock = desks, identify, clock

    async def __call__(self, unit: Unit, one: Callback) -> None:
        """Enter the ticket's event (and the ticket, where the call has none) and the text message."""
        now = self._clock()
        desk = self._desks.get(one.desk)
        if desk is None:
            log.error("callback expired: desk missing from the desk files", callback=one.id, desk=one.desk)
            return
        department = desk.departments.get(one.department) or desk.departments[desk.menu.operator]
        ticket = await tickets.find(unit, call_id=one.call_id)
        if ticket is None:
            intake = Intake(
                key=f"callback:{one.id}",
                at=now,
                desk=one.desk,
                department=one.department,
                language=one.language,
                call_id=one.call_id,
                requester=requester_of(self._identify(one.number, one.endpoint, desk.provider), one.number),
            )
            ticket = await enter(unit, intake)
        facts = {"callback": one.id, "attempts": one.attempts, "reason": one.reason}
        await tickets.add_event(
            unit, ticket.number, at=now, who=LINE, kind="callback-expired", changes=facts, version=ticket.version
        )
        text = _TEXTS.get(one.language, _TEXTS["fr"]).format(
            desk=desk.name,
            ticket=ticket.number,
            number=_as_written(desk.numbers[0]),
            email=department.email,
        )
        await put_sms(unit, Sms(to=one.number, body=text, language=one.language, ticket_number=ticket.number), at=now)


def _as_written(number: str) -> str:
    if len(number) == 11:
        return f"{number[0]} {number[1:4]} {number[4:7]}-{number[7:]}"
    return f"+{number}"
