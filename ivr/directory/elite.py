"""Whose calls go to their partner first (OV-17). Pure."""

from __future__ import annotations

from ivr.desk.menu import Destination
from ivr.desk.schema import Desk
from ivr.directory.model import Identity, Partner


def partner_first(desk: Desk, to: Destination, identity: Identity) -> Partner | None:
    """The partner whose phone rings before our queue: for support, unless our own person was asked for."""
    partner = identity.partner
    if partner is None or partner.tier != "elite" or partner.phone is None or not desk.tickets.routing.elite_to_partner:
        return None
    support = to.kind == "queue" and to.department == desk.menu.operator
    if support and not to.reason.startswith("operator-"):
        return partner
    return None
