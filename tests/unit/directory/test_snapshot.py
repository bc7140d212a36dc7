"""Who a caller is taken to be."""

from __future__ import annotations

from dataclasses import replace

from ivr.directory.asterisk_rows import phone_rows
from ivr.directory.model import NOBODY, Contact, Customer, Endpoint, Identity, Number, Partner, Technician
from ivr.directory.sip_passwords import ha1
from ivr.directory.snapshot import Book

PARTNER = Partner(id=1, name="Réseaux Boréal", tier="elite")
CLINIC = Customer(id=1, account="C-1001", name="Clinique du Cap", partner_id=1)
BAKERY = Customer(id=2, account="C-1003", name="Boulangerie", partner_id=None)
JULIE = Contact(id=1, customer_id=1, name="Julie", kind="administrateur", language="en")
ANNIE = Technician(id=1, name="Annie", queues=("support",), language="fr")


def phone(name: str, kind: str = "customer", **owner: int) -> Endpoint:
    assert kind in ("customer", "technician", "department")
    values = {"ha1": ha1(name, "secret"), "caller_id": name, "display": name, "language": "fr"}
    return Endpoint(name=name, kind=kind, **values, **owner)  # type: ignore[arg-type]


BOOK = Book(
    partners={1: PARTNER},
    customers={1: CLINIC, 2: BAKERY},
    contacts={1: JULIE},
    technicians={1: ANNIE},
    numbers={
        "main": {
            "14185550101": Number(e164="14185550101", customer_id=1, contact_id=1),
            "14185550103": Number(e164="14185550103", customer_id=2),
        }
    },
    endpoints={
        "6001": phone("6001", customer_id=1, contact_id=1),
        "7001": phone("7001", "technician", technician_id=1),
        "7101": phone("7101", "department"),
    },
    languages={"14185550103": "en", "15145550100": "en"},
)


class TestByNumber:
    def test_ov3_number_leads_to_contact_customer_and_partner(self) -> None:
        found = BOOK.identify("14185550101", None)
        assert (found.by, found.contact, found.customer, found.partner) == ("number", JULIE, CLINIC, PARTNER)

    def test_ov3_a_shared_line_has_no_person(self) -> None:
        found = BOOK.identify("14185550103", None)
        assert (found.contact, found.customer, found.partner) == (None, BAKERY, None)

    def test_ov3_unknown_and_absent_callers_are_nobody(self) -> None:
        assert BOOK.identify("14185559999", None) == NOBODY
        assert BOOK.identify(None, None) == NOBODY

    def test_ov4_the_contacts_language(self) -> None:
        assert BOOK.identify("14185550101", None).language == "en"

    def test_ov4_the_language_last_chosen_wins_also_for_strangers(self) -> None:
        assert BOOK.identify("14185550103", None).language == "en"
        assert BOOK.identify("15145550100", None).language == "en"


class TestByPhone:
    def test_ov2_the_registration_counts_and_not_the_caller_id(self) -> None:
        found = BOOK.identify("14185550103", "6001")
        assert (found.by, found.customer) == ("endpoint", CLINIC)

    def test_ov2_an_unknown_phone_is_nobody_whatever_number_it_claims(self) -> None:
        assert BOOK.identify("14185550101", "9999") == NOBODY

    def test_ov4_a_phone_has_its_owners_language(self) -> None:
        assert BOOK.identify("15145550100", "6001").language == "fr"

    def test_a_technician_is_no_customer(self) -> None:
        found = BOOK.identify("14185550101", "7001")
        assert (found.customer, found.technician) == (None, ANNIE)
        assert BOOK.technician("7001") == ANNIE

    def test_other_phones_are_no_technicians(self) -> None:
        assert BOOK.technician("6001") is None
        assert BOOK.technician("7101") is None
        assert BOOK.technician("0000") is None


def test_rfc2617_the_digest_that_a_phone_computes() -> None:
    # printf 6001:omnivigil:demo-6001 | md5sum
    assert ha1("6001", "demo-6001") == "fcd29ded765644c8f42a536302a98294"


def test_a_phone_dials_what_its_account_may_and_a_customers_without_an_account_nothing() -> None:
    endpoints = {"6000": phone("6000"), **BOOK.endpoints}
    book = Book(customers={1: replace(CLINIC, dial_rights=("local",))}, endpoints=endpoints)
    rights = {row.name: row.rights for row in phone_rows(book)}
    staff = ("local", "toll-free", "national")
    assert rights == {"6000": (), "6001": ("local",), "7001": staff, "7101": staff}


def test_what_would_be_replaced_in_a_dialplan_is_none_of_a_name() -> None:
    names = {"6001": "A ${SHELL(id)} $[1+1] 5 $", "6002": "a\u2028b\x85c"}
    endpoints = {name: replace(phone(name), display=shown) for name, shown in names.items()}
    assert [row.display for row in phone_rows(Book(endpoints=endpoints))] == ["A  {SHELL(id)}   1+1  5 $", "a b c"]


def test_a_desk_knows_its_own_providers_customers_only() -> None:
    theirs = replace(BAKERY, id=3, provider="autre", language="en")
    number = Number(e164="14185550101", customer_id=3, provider="autre")
    book = replace(
        BOOK, customers={**BOOK.customers, 3: theirs}, numbers={**BOOK.numbers, "autre": {number.e164: number}}
    )
    assert book.identify(number.e164, None, "autre").customer == theirs
    assert book.identify(number.e164, None, "autre").language == "en"
    assert book.identify(number.e164, None, "main").customer == book.identify(number.e164, None).customer == CLINIC
    assert book.identify(number.e164, None, "third") == NOBODY
    assert book.identify(None, "6001", "main").customer == CLINIC
    assert book.identify(None, "6001", "autre") == Identity(by="endpoint", language="fr")


def test_phones_for_asterisk_come_by_name_and_cannot_break_its_files() -> None:
    evil = Endpoint(
        name="6009", kind="customer", language="fr", ha1="0" * 32, caller_id="6009", display='A"B\n[evil];<x>\\'
    )
    rows = phone_rows(Book(endpoints={"6009": evil, "6001": BOOK.endpoints["6001"]}))
    assert [row.name for row in rows] == ["6001", "6009"]
    assert not set('"\n[];<>\\') & set(rows[1].display)
