"""Checks a change of a ticket: its details, words, people and rights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ivr.desk.ticketing import Role, Ticketing
from ivr.directory import store as directory
from ivr.errors import BadInput
from ivr.incidents import store as incidents
from ivr.store.engine import Unit
from ivr.tickets.model import Ticket
from ivr.tickets.routing import may_ask
from ivr.tickets.service_requests import details_of
from ivr.tickets.workflow import ANSWERS


def check_details(kind: str, details: Mapping[str, Any] | None) -> None:
    """Refuse details that are not a kind's. Raises BadInput."""
    if details is not None:
        details_of(kind, details)


def check_words(
    fields: Mapping[str, Any], changes: Mapping[str, Any], *, reason: str | None, solution: str | None
) -> None:
    """Refuse a reason or solution that would not be stored; a change that was made already may be asked for again.

    Raises BadInput.
    """
    if solution is not None and fields.get("status") != "resolved":
        mend = "give status resolved with it"
        raise BadInput(field="solution", problem="a solution is kept when a ticket is resolved", mend=mend)
    if reason is not None and not changes and "status" not in fields:
        mend = "give what is to be different, or answer the ticket"
        raise BadInput(field="reason", problem="nothing changes, so there is nothing to give a reason for", mend=mend)


async def check_people(unit: Unit, customer: Any, given: Mapping[str, Any]) -> None:
    """Refuse a contact of another account than `customer` (an id, or what selects it), an unknown partner or incident.

    Raises BadInput.
    """
    contact_id = given.get("contact_id")
    if contact_id is not None:
        known = await directory.contacts_of(unit, customer)
        if contact_id not in {contact.id for contact in known}:
            names = ", ".join(f"{contact.id} ({contact.name})" for contact in known)
            mend = f"give one of {names}" if names else "give account_number first"
            raise BadInput(field="contact_id", problem="this is no contact of the account", mend=mend)
    partner_id = given.get("partner_id")
    if partner_id is not None and await directory.partner(unit, partner_id) is None:
        mend = "give the id of a partner of the directory, or null"
        raise BadInput(field="partner_id", problem="there is no such partner", mend=mend)
    incident_id = given.get("incident_id")
    if incident_id is not None and not await incidents.is_known(unit, incident_id):
        mend = "give the id of an incident, or null"
        raise BadInput(field="incident_id", problem="there is no such incident", mend=mend)


async def check_right(unit: Unit, ticket: Ticket, policy: Ticketing) -> None:
    """Refuse to work on what the requester may not ask for (OV-20). Raises BadInput."""
    if ticket.status not in ANSWERS or ticket.status == "waiting-requester" or ticket.kind not in policy.asking:
        return
    known = await directory.contacts_of(unit, ticket.customer_id)
    partner = await directory.partner_of(unit, ticket.customer_id)
    asks = next((contact for contact in known if contact.id == ticket.contact_id), None)
    role: Role | None = asks.kind if asks is not None else None
    if asks is not None and asks.kind == "utilisateur" and ticket.kind in asks.rights:
        return
    if partner is not None and partner.email is not None and partner.email == ticket.requester_email:
        role = "partenaire"
    if may_ask(policy, ticket.kind, role):
        return
    roles = policy.asking[ticket.kind]
    names = ", ".join(f"{one.id} ({one.name})" for one in known if one.kind in roles)
    if names:
        mend = f"have it confirmed and give contact_id {names}"
    else:
        mend = "have the account's administrator ask for it"
    problem = f"{ticket.kind} is asked for by {' or '.join(roles)}, not by {role or 'someone unknown'}"
    raise BadInput(field="contact_id", problem=problem, mend=mend)
