"""The departments' addresses, and what a desk writes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import phonenumbers

from ivr.desk.schema import Desk
from ivr.notify.config import NoticeConfig


@dataclass(frozen=True, kw_only=True)
class Mailbox:
    """Whose address it is."""

    desk: str
    department: str
    language: str


def mailboxes(desks: Mapping[str, Desk]) -> dict[str, Mailbox]:
    """Every department's address, in lower case. Of two with one address the first desk's gets its e-mails."""
    found: dict[str, Mailbox] = {}
    for desk in desks.values():
        for name, department in desk.departments.items():
            box = Mailbox(desk=desk.id, department=name, language=desk.languages[0])
            found.setdefault(department.email.lower(), box)
    return found


def written_number(desk: Desk) -> str:
    """The desk's number as people read it."""
    try:
        number = phonenumbers.parse(f"+{desk.numbers[0]}")
    except phonenumbers.NumberParseException:
        return desk.numbers[0]
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL).removeprefix("+")


def domain_of(desk: Desk, config: NoticeConfig) -> str:
    """The domain of our Message-IDs; without a server of our own for what goes out, the operator's."""
    if config.smtp:
        return config.smtp.domain
    return desk.departments[desk.menu.operator].email.rpartition("@")[2]
