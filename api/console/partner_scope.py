"""What one partner may see: the only way from the portal to the database. Each query is bound to the partner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from api.deps import Services
from ivr.calltrace import store as trace_store
from ivr.directory import store as directory_store
from ivr.directory.model import Customer
from ivr.errors import NotFound
from ivr.incidents.model import Incident
from ivr.maintenance import store as maintenances
from ivr.maintenance.model import Maintenance
from ivr.store.engine import Unit
from ivr.tickets import store as ticket_store
from ivr.tickets.model import Ticket


class NotTheirs(NotFound):
    """There is no such thing of this partner's."""


@dataclass(frozen=True, kw_only=True)
class Touched:
    """An incident, and which of the partner's customers and numbers it affects; empty when it affects everybody."""

    incident: Incident
    customers: tuple[str, ...]
    numbers: tuple[str, ...]


class PartnerScope:
    """One partner's customers, numbers, tickets and reports (OV-27)."""

    def __init__(self, unit: Unit, partner_id: int) -> None:
        self._unit = unit
        self._partner = partner_id

    async def customers(self) -> list[Customer]:
        """By name."""
        return await directory_store.partners_customers(self._unit, self._partner)

    async def numbers(self) -> dict[str, int]:
        """Customers' ids by number (E.164 digits)."""
        return await directory_store.partners_numbers(self._unit, self._partner)

    async def tickets(self, limit: int) -> list[Ticket]:
        """The newest first."""
        return await ticket_store.of_partner(self._unit, self._partner, limit=limit)

    async def ticket(self, number: int) -> Ticket:
        """One ticket. Raises NotTheirs."""
        found = await ticket_store.of_partner(self._unit, self._partner, number=number)
        if not found:
            raise NotTheirs(ticket=number)
        return found[0]

    async def traces(self, limit: int) -> list[dict[str, Any]]:
        """Calls that were reported with *57, the newest first."""
        return await trace_store.of_partner(self._unit, self._partner, limit=limit)

    async def trace(self, trace_id: str) -> dict[str, Any]:
        """One of them. Raises NotTheirs."""
        found = await trace_store.of_partner(self._unit, self._partner, trace_id=trace_id)
        if not found:
            raise NotTheirs(trace=trace_id)
        return found[0]

    async def maintenances(self, has: Services) -> list[Maintenance]:
        """Those that go on or are to come: they are public."""
        now = has.clock()
        found = await maintenances.open_or_since(self._unit, now)
        return [one for one in found if one.state(now) in ("in_progress", "scheduled")]

    async def incidents(self, has: Services) -> list[Touched]:
        """Those that callers hear of now and that affect everybody, or this partner's customers."""
        mine = {one.id: one.name for one in await self.customers()}
        own = await self.numbers()
        found = []
        for one in (incident for desk in has.desks for incident in has.incidents.told_now(desk)):
            whom = one.affected
            everyone = self._partner in whom.partners
            affected = [mine[n] for n in mine if everyone or n in whom.customers]
            dialled = [n for n in own if everyone or n in whom.numbers or own[n] in whom.customers]
            if not whom or affected or dialled:
                told_of = Touched(incident=one, customers=tuple(affected), numbers=tuple(dialled))
                found.append(told_of if whom else Touched(incident=one, customers=(), numbers=()))
        return found
