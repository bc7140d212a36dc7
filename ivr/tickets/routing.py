"""Routes a documented ticket, and tells who may ask for it (OV-16, OV-17, OV-20). Pure; the desk file has the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ivr.desk.ticketing import Role, Ticketing
from ivr.directory.model import Partner

#: Where a ticket begins unless something says otherwise (OV-15).
FIRST_LEVEL = 1
#: Network operations centre or engineering: there is none above.
LAST_LEVEL = 4
#: Why a ticket is a partner's, or stays ours.
Cause = Literal["elite", "kind", "programming", "on-site", "installation", "support"]


@dataclass(frozen=True, kw_only=True)
class Route:
    """The receiver of a ticket, a partner or our own level; and why, in words for its history."""

    partner: Partner | None
    level: int
    cause: Cause
    why: str


def route(policy: Ticketing, ticket: Mapping[str, Any], partner: Partner | None) -> Route:
    """Return where a ticket (its fields by name) goes; `partner` is its account's. A level it has reached is kept."""
    level = ticket["level"] or FIRST_LEVEL
    if policy.routing.elite_to_partner and partner is not None and partner.tier == "elite":
        return Route(partner=partner, level=level, cause="elite", why="the account's partner is Élite")
    business = _partners_business(policy, ticket)
    if business is None:
        return Route(partner=None, level=level, cause="support", why="support")
    cause, why = business
    if partner is not None:
        return Route(partner=partner, level=level, cause=cause, why=why)
    raised = max(level, policy.routing.to_partner.level_without_partner)
    return Route(partner=None, level=raised, cause=cause, why=f"{why}; the account has no partner")


def _partners_business(policy: Ticketing, ticket: Mapping[str, Any]) -> tuple[Cause, str] | None:
    """Return why a ticket is a partner's business, as a cause and in words for its history."""
    rule = policy.routing.to_partner
    if ticket["kind"] in rule.kinds:
        return "kind", f"kind {ticket['kind']}"
    minutes, most = ticket["programming_min"], rule.programming_over_min
    if most is not None and minutes is not None and minutes > most:
        return "programming", f"{minutes} minutes of programming"
    if rule.on_site and ticket["on_site"]:
        return "on-site", "a visit on site"
    if rule.installation and ticket["installation"]:
        return "installation", "knowledge of the installation"
    return None


def may_ask(policy: Ticketing, kind: str, role: Role | None) -> bool:
    """Return whether someone in this role may ask for this kind.

    One whom nobody knows may ask for what everyone may.
    """
    asked = policy.asking.get(kind)
    return asked is None or role in asked
