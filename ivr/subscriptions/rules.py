"""Addresses, secrets and limits of subscriptions to the status page. Pure.

With somebody's address, anybody could have them written to by us. So nothing but a request to confirm leaves before
it is confirmed, and that seldom; and nobody learns from our answer whether an address is known.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final, Literal

from ivr.errors import BadInput
from ivr.notify.budgets import Budget
from ivr.numbers.diallable import Refused, diallable
from ivr.numbers.normalise import NotANumber, typed

Kind = Literal["email", "sms"]

#: What was not confirmed by then is forgotten.
CONFIRM_WITHIN: Final = timedelta(hours=24)
#: An address is asked to confirm so often, and not more often than that.
MOST_ASKED: Final = 3
ASK_AGAIN_AFTER: Final = timedelta(minutes=10)
#: A code may be guessed at so often.
MOST_TRIES: Final = 5
#: E-mails to confirm, from one network (a /24, or a /48 of IPv6), in ten minutes; and codes that are tried.
MOST_FROM_ONE: Final = 10
MOST_TRIED_FROM_ONE: Final = 20
#: An outage brings hundreds of readers within an hour. Where there are more, each network may ask for few, and so may
#: each region of the Internet (a /16, or a /32 of IPv6): strangers on many networks leave room for everybody else.
EASY_AN_HOUR: Final = 500
FEW_FROM_ONE: Final = 2
FEW_FROM_REGION: Final = 20
#: In an hour, from all sources.
MOST_AN_HOUR: Final = 5000
#: Codes by text message cost money, and their numbers are other people's. Who asks for one has confirmed an e-mail
#: address, and has so many within a day.
SMS_OF_ONE: Final = Budget(name="status-sms-one", most=3, within=timedelta(days=1))
SMS_AN_HOUR: Final = Budget(name="status-sms-hour", most=40, within=timedelta(hours=1))
SMS_A_DAY: Final = Budget(name="status-sms-day", most=150, within=timedelta(days=1))

_EMAIL: Final = re.compile(r"[^@\s<>,;:\"\\\x00-\x1f\x7f]{1,64}@(?:[a-z0-9-]{1,63}\.)+[a-z]{2,24}")


def email_of(text: str) -> str:
    """An e-mail address in lower case. Raises BadInput."""
    address = text.strip().lower()
    if len(address) > 254 or not _EMAIL.fullmatch(address):
        raise BadInput(field="address", problem="is not an e-mail address", mend="write it as nom@exemple.ca")
    return address


def number_of(text: str, *, region: str, regions: Collection[str], own: Collection[str]) -> str:
    """A number that may get text messages, as E.164 digits. Raises BadInput."""
    try:
        plain, extension = typed(text)
    except NotANumber as error:
        raise BadInput(field="address", problem=error.problem, mend=error.mend) from None
    found = diallable(re.sub(r"[ ().-]", "", plain), region=region, allowed=regions, own=own)
    if isinstance(found, Refused) or extension is not None:
        mend = "write it with its area code, as 418 555-0123"
        raise BadInput(field="address", problem="is not a number that we can send text messages to", mend=mend)
    return found


def new_token() -> str:
    """For a link; nobody guesses it."""
    return secrets.token_urlsafe(24)


def new_code() -> str:
    """Return six digits, for somebody with a phone in hand."""
    return f"{secrets.randbelow(10**6):06d}"


def hashed(kind: Kind, desk: str, address: str, secret: str) -> str:
    """Return what is kept of a secret. A token stands for itself; a code only together with its number."""
    text = f"{desk} {address} {secret}" if kind == "sms" else secret
    return hashlib.sha256(text.encode()).hexdigest()


def may_ask(*, asked: int, asked_at: datetime, now: datetime) -> bool:
    """Return whether an address that has not confirmed may be asked once more."""
    return asked < MOST_ASKED and now - asked_at >= ASK_AGAIN_AFTER


def network_of(client: str) -> str:
    """The network that a request comes from, which whoever wants to be a nuisance has more than one address of."""
    return _within(client, 24, 48)


def region_of(client: str) -> str:
    """Return what surrounds that network: where whoever has many networks has them."""
    return _within(client, 16, 32)


def _within(client: str, four: int, six: int) -> str:
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return "unknown"
    if address.version == 6 and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return str(ipaddress.ip_network(f"{address}/{four if address.version == 4 else six}", strict=False))


def concerns(wanted: Collection[str], touched: Collection[str]) -> bool:
    """Return whether who wants to hear of these services (none is all) hears of what touches those (none is all)."""
    return not wanted or not touched or not set(wanted).isdisjoint(touched)
