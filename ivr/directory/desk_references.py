"""What desk files allow of a provider's entries: its desks, queues, departments and languages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ivr.desk.schema import Desk
from ivr.directory.model import Technician
from ivr.numbers.diallable import Refused, for_our_people


@dataclass(frozen=True, kw_only=True)
class Known:
    """What there is at a provider's."""

    #: Country (ISO 3166) of numbers without a country code.
    region: str
    desks: tuple[str, ...]
    queues: tuple[str, ...]
    #: Each with the phones of ours that it rings.
    departments: Mapping[str, tuple[str, ...]]
    languages: tuple[str, ...]
    #: What is dialled on the line for something else than a phone, whoever's desk it is.
    dialled: frozenset[str]


def providers_of(desks: Iterable[Desk]) -> tuple[str, ...]:
    """Every provider of a line, the main desk's first."""
    return tuple(dict.fromkeys(desk.provider for desk in desks))


def known_of(desks: Iterable[Desk], provider: str) -> Known:
    """Return what the desks of a provider allow; the line's main desk comes first among `desks`."""
    every = list(desks)
    own = [desk for desk in every if desk.provider == provider]
    departments: dict[str, tuple[str, ...]] = {}
    for desk in own:
        for name, department in desk.departments.items():
            departments[name] = (*departments.get(name, ()), *department.phones)
    return Known(
        region=(own or every)[0].region,
        desks=tuple(desk.id for desk in own),
        queues=tuple(dict.fromkeys(queue for desk in own for queue in desk.queues)),
        departments=departments,
        languages=tuple(dict.fromkeys(language for desk in own for language in desk.languages)),
        dialled=frozenset(one for desk in every for one in (*desk.dialled, *desk.service_codes)),
    )


def number_outside(technician: Technician, desks: Iterable[Desk]) -> str | Refused:
    """The number outside on which somebody answers queues, E.164 digits, or why it is not dialled.

    Their provider's desk says in which country; no number that is dialled on the line for something else is one.
    """
    known = known_of(desks, technician.provider)
    return for_our_people(f"+{technician.external_number}", region=known.region, own=known.dialled)
