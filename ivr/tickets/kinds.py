"""Lists the fields that each kind of ticket needs to be documented (OV-12). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Needed:
    """One thing that must be known: any of these fields, or this many entries of a list."""

    fields: tuple[str, ...]
    entries: int = 1

    def known(self, ticket: Mapping[str, Any]) -> bool:
        """Return whether the ticket tells it."""
        return any(self._enough(_value(ticket, name)) for name in self.fields)

    def _enough(self, value: Any) -> bool:
        if isinstance(value, list):
            return sum(map(_says_something, value)) >= self.entries
        return value is not None and value != ""


def _says_something(entry: Any) -> bool:
    """An example without anything in it is none; a number is one."""
    if isinstance(entry, Mapping):
        return any(part is not None for part in entry.values())
    return bool(entry)


@dataclass(frozen=True, kw_only=True)
class Missing:
    """Something that a ticket still lacks: the field to give first, the others that would do, and what to give."""

    field: str
    instead: tuple[str, ...]
    mend: str


def _each(*names: str) -> tuple[Needed, ...]:
    return tuple(Needed(fields=(name,)) for name in names)


_REACHABLE = Needed(fields=("requester_phone", "requester_email"))
_ACCOUNT = Needed(fields=("account_number", "account_name"))
_WHO = (*_each("requester_name"), _REACHABLE, _ACCOUNT)
_PROBLEM = (
    *_WHO,
    *_each("service", "observed"),
    Needed(fields=("examples",), entries=2),
    *_each("expected", "impact", "attempted"),
)
_INTERVENTION = (
    *_each("account_number", "account_name", "requester_name", "requester_email", "requester_phone"),
    *_each("details.start", "details.work", "details.description", "details.help"),
)
#: What is asked about anything that is not of a known kind.
_ANYTHING = (*_WHO, *_each("service", "observed"))

#: Kind to what it needs.
KINDS: Mapping[str, tuple[Needed, ...]] = {
    "request": _ANYTHING,
    "question": _ANYTHING,
    "problem": _PROBLEM,
    "device": (*_PROBLEM, *_each("mac")),
    # The call itself is the example.
    "call-trace": (_REACHABLE, _ACCOUNT, *_each("observed")),
    "configuration": (*_WHO, *_each("service", "expected")),
    "new-service": (*_WHO, *_each("service", "expected")),
    "contacts": (*_WHO, *_each("expected")),
    "planned-intervention": _INTERVENTION,
    "unplanned-intervention": _INTERVENTION,
    "change-request": (*_WHO, *_each("service", "expected", "details.use_cases")),
    "transfer": (*_WHO, *_each("account_number", "details.transfer_to", "details.numbers")),
    "add-service": (*_WHO, *_each("service")),
    "remove-service": (*_WHO, *_each("service", "details.remove_on")),
    "return": (*_WHO, *_each("details.item", "details.price", "details.received_on", "details.returned_on")),
    "rma": (*_WHO, *_each("mac", "observed", "attempted", "details.item", "details.diagnosed", "details.invoice")),
    "temporary-number": (*_WHO, *_each("details.number", "details.lent_on")),
}

_MENDS = {
    "requester_name": "give the requester's name",
    "requester_phone": "give a telephone number or an e-mail address",
    "account_number": "give the account's number or its name",
    "service": "name the service or feature",
    "observed": "describe what is observed",
    "examples": "give two or three specific examples (date, time, extension, number)",
    "expected": "describe what is expected",
    "impact": "say whether one employee or several are affected",
    "attempted": "say what was attempted",
    "mac": "give the device's MAC address",
}


def needed(kind: str) -> tuple[Needed, ...]:
    """Return what a kind needs; an unknown kind needs what a request does."""
    return KINDS.get(kind, _ANYTHING)


def missing(ticket: Mapping[str, Any]) -> list[Missing]:
    """Return what the ticket (its fields by name) lacks to be documented; nothing when it is."""
    return [
        Missing(field=one.fields[0], instead=one.fields[1:], mend=_mend(one))
        for one in needed(ticket["kind"])
        if not one.known(ticket)
    ]


def _mend(one: Needed) -> str:
    return _MENDS.get(one.fields[0], f"give {' or '.join(one.fields)}")


def _value(ticket: Mapping[str, Any], name: str) -> Any:
    whole, _, part = name.partition(".")
    value = ticket.get(whole)
    if part:
        return (value or {}).get(part)
    return value
