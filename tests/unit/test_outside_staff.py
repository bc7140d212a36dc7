"""Staff on a telephone outside: their names in Asterisk, and which numbers are called."""

from __future__ import annotations

import pytest

from ivr import outside_staff
from ivr.asterisk.queue_members import interface_of, member_of
from ivr.calls.asterisk_events import caller_endpoint, endpoint_of
from ivr.desk.load import BUILT_IN, load_desks
from ivr.directory.asterisk_rows import phone_rows
from ivr.directory.desk_references import number_outside
from ivr.directory.model import Endpoint, Number, Technician
from ivr.directory.snapshot import Book
from ivr.numbers.diallable import Refused
from ivr.prepare import outside_members

DESKS = load_desks(BUILT_IN)


def nadia(number: str | None = "15145559104", **more: object) -> Technician:
    """She answers outside."""
    return Technician(id=17, name="Nadia", queues=("support",), language="fr", external_number=number, **more)  # type: ignore[arg-type]


def test_a_member_is_known_by_their_entry_and_no_number_is_in_its_name() -> None:
    """Whatever tells of them: the member, its channel, the directory."""
    endpoint = nadia().outside
    assert endpoint == "outside-17"
    assert interface_of(endpoint) == "Local/outside-17@outside-staff/n"
    assert member_of({"location": interface_of(endpoint), "queue": "support"}).endpoint == endpoint
    assert endpoint_of("Local/outside-17@outside-staff-0000002a;1") == endpoint
    book = Book(technicians={17: nadia(account="nadia")})
    assert book.technician(endpoint) == book.technicians[17]
    assert book.outside_of_account("nadia") == endpoint
    assert book.answers_on(book.technicians[17]) == endpoint


@pytest.mark.parametrize("name", ["outside-", "outside-0", "outside-017", "outside-17x", "outside-١", "7001", ""])
def test_nothing_else_is_taken_for_one(name: str) -> None:
    """A caller's name least of all."""
    assert outside_staff.technician_id(name) is None
    assert outside_staff.of_channel(f"Local/{name}@outside-staff-0000002a;1") is None
    assert caller_endpoint("Local/outside-17@outside-staff-0000002a;1") is None


def test_who_has_no_number_outside_any_more_is_nobody_there() -> None:
    """Even with the same id."""
    assert Book(technicians={17: nadia(None)}).technician("outside-17") is None
    assert Book().technician("outside-17") is None


@pytest.mark.parametrize(
    "number", ["19005551234", "18765551234", "33143542031", "18446664844", "18005551234", "15149761234", "15145551212"]
)
def test_no_other_number_is_called_than_a_person_s_next_door(number: str) -> None:
    """Premium, an island of +1, abroad, our own, toll-free, a service, directory assistance: not rendered either."""
    assert isinstance(number_outside(nadia(number), DESKS.values()), Refused)
    assert outside_members(Book(technicians={17: nadia(number)}), DESKS) == ()


def test_the_dialplan_gets_the_number_with_a_number_of_the_provider_s_desk() -> None:
    """And a language that prompts are spoken in."""
    (member,) = outside_members(Book(technicians={17: nadia()}), DESKS)
    assert (member.endpoint, member.number, member.language) == ("outside-17", "15145559104", "fr")
    assert member.caller_id == next(iter(DESKS.values())).dialled[0]


def test_a_number_of_two_providers_rings_one_of_them() -> None:
    """The main one's phones, and the other's no more."""
    number = "14185550188"
    phones = {
        name: Endpoint(
            name=name, kind="customer", language="fr", ha1="a" * 32, caller_id=number, display=name, provider=provider
        )
        for name, provider in (("6001", "autre"), ("6002", "main"), ("6003", "main"))
    }
    numbers = {one: {number: Number(e164=number, customer_id=1, provider=one)} for one in ("autre", "main")}
    rows = {row.name: row.did for row in phone_rows(Book(endpoints=phones, numbers=numbers))}
    assert rows == {"6001": "", "6002": number, "6003": number}
