"""What one partner may see: the only way from the portal to the database. Each query is bound to the partner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, or_, select

from api.deps import Services
from ivr.calltrace.tables import call_traces
from ivr.directory.model import Customer
from ivr.directory.tables import customers, numbers
from ivr.errors import NotFound
from ivr.incidents.model import Incident
from ivr.maintenance import store as maintenances
from ivr.maintenance.model import Maintenance
from ivr.store.engine import Unit
from ivr.tickets.tables import tickets


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

    def _mine(self) -> Select[Any]:
        return select(customers.c.id).where(customers.c.partner_id == self._partner)

    def _my_ticket(self) -> Any:
        # A ticket of somebody else's customer is not theirs, whoever has it or had it.
        nobodys = and_(tickets.c.customer_id.is_(None), tickets.c.partner_id == self._partner)
        return or_(tickets.c.customer_id.in_(self._mine()), nobodys)

    async def customers(self) -> list[Customer]:
        """By name."""
        query = select(customers).where(customers.c.partner_id == self._partner).order_by(customers.c.name)
        rows = (await self._unit.execute(query)).mappings()
        return [Customer(**{**row, "dial_rights": tuple(row["dial_rights"])}) for row in rows]

    async def numbers(self) -> dict[str, int]:
        """Customers' ids by number (E.164 digits)."""
        query = select(numbers.c.e164, numbers.c.customer_id).where(numbers.c.customer_id.in_(self._mine()))
        return {row.e164: row.customer_id for row in await self._unit.execute(query.order_by(numbers.c.e164))}

    async def tickets(self, limit: int) -> list[dict[str, Any]]:
        """The newest first."""
        query = select(tickets).where(self._my_ticket()).order_by(tickets.c.number.desc()).limit(limit)
        return [dict(row) for row in (await self._unit.execute(query)).mappings()]

    async def ticket(self, number: int) -> dict[str, Any]:
        """One ticket. Raises NotTheirs."""
        query = select(tickets).where(self._my_ticket(), tickets.c.number == number)
        row = (await self._unit.execute(query)).mappings().one_or_none()
        if row is None:
            raise NotTheirs(ticket=number)
        return dict(row)

    async def traces(self, limit: int) -> list[dict[str, Any]]:
        """Calls that were reported with *57, the newest first."""
        query = select(call_traces).where(call_traces.c.customer_id.in_(self._mine()))
        rows = await self._unit.execute(query.order_by(call_traces.c.reported_at.desc()).limit(limit))
        return [dict(row) for row in rows.mappings()]

    async def trace(self, trace_id: str) -> dict[str, Any]:
        """One of them. Raises NotTheirs."""
        mine = call_traces.c.customer_id.in_(self._mine())
        query = select(call_traces).where(mine, call_traces.c.id == trace_id)
        row = (await self._unit.execute(query)).mappings().one_or_none()
        if row is None:
            raise NotTheirs(trace=trace_id)
        return dict(row)

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
