"""What an account is, which names and passwords it may have, and how long a session lasts. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, get_args

from ivr.accounts.password_strength import easily_guessed
from ivr.clock import require_aware
from ivr.errors import BadInput

Role = Literal["technician", "ops", "manager", "partner", "administrator"]
ROLES: tuple[Role, ...] = get_args(Role)

#: A session nobody used for so long is over, and so is any after a day of work.
IDLE = timedelta(hours=2)
LONGEST = timedelta(hours=12)
#: The passwords of the demo's accounts, which everybody can read. They are for a machine that nobody else reaches.
PUBLISHED = frozenset(f"demo-{name}" for name in ("annie", "luc", "ops", "gestion", "admin", "boreal", "estrie"))

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,39}")
_SHORTEST, _LONGEST = 12, 200
#: Those of PUBLISHED that an account of any name could be given before they were refused.
LONGEST_PUBLISHED = frozenset(one for one in PUBLISHED if len(one) >= _SHORTEST)


@dataclass(frozen=True, kw_only=True)
class Account:
    """Somebody who may sign in. `partner_id` is a partner's, `endpoint` a technician's phone."""

    id: int
    name: str
    role: Role
    partner_id: int | None = None
    endpoint: str | None = None
    totp: bool = False
    created_at: datetime
    disabled_at: datetime | None = None
    #: Nothing can be done but choose another password.
    must_change: bool = False
    last_sign_in_at: datetime | None = None
    #: The one provider whose line it sees and changes; None for every provider's.
    limited_to: str | None = None


def check_name(name: str) -> str:
    """An account's name. Raises BadInput."""
    if not _NAME.fullmatch(name):
        mend = "use 2 to 40 of a-z, 0-9, dot, dash and underscore, beginning with a letter or a digit"
        raise BadInput(field="name", problem="is not a name of an account", mend=mend)
    return name


def check_role(role: str) -> Role:
    """One of ROLES. Raises BadInput."""
    for known in ROLES:
        if role == known:
            return known
    raise BadInput(field="role", problem="is not a role", mend=f"give one of {', '.join(ROLES)}")


def check_password(password: str, name: str) -> str:
    """A password that is long enough to be worth guessing at (NIST SP 800-63B). Raises BadInput."""
    if not _SHORTEST <= len(password) <= _LONGEST:
        mend = f"choose {_SHORTEST} to {_LONGEST} characters; a few words will do"
        raise BadInput(field="password", problem="is too short or too long", mend=mend)
    if name in password.lower() or password.lower() in PUBLISHED or easily_guessed(password, name):
        raise BadInput(field="password", problem="is among the first that anybody tries", mend="choose another")
    return password


def check_bound(role: Role, partner_id: int | None, endpoint: str | None) -> None:
    """A partner's account is one partner's; only staff have a phone. Raises BadInput."""
    if (role == "partner") != (partner_id is not None):
        mend = "give --partner with the role partner, and with no other"
        raise BadInput(field="partner", problem="does not go with this role", mend=mend)
    if role == "partner" and endpoint is not None:
        raise BadInput(field="endpoint", problem="a partner's account has no phone here", mend="leave it out")


def session_over(*, created_at: datetime, seen_at: datetime, now: datetime) -> bool:
    """Return whether a session has ended by itself."""
    return require_aware(now) - seen_at >= IDLE or now - created_at >= LONGEST
