"""The directory keeps people while they are customers, partners or staff; an administrator removes them."""

from __future__ import annotations

from ivr.directory import tables as t
from ivr.retention.declarations import PersonalData, Retention

_CUSTOMERS = "the directory: while they are customers"
_PARTNERS = "the directory: while they are partners"
_CONTRACT = "the directory: the contract with the customer"

PERSONAL = PersonalData(
    tables=(
        Retention(
            table=t.contacts,
            rule=_CUSTOMERS,
            whose=("name", "email", "phone", "phones"),
            stays="the directory: an administrator removes whoever is a customer's contact no more",
        ),
        Retention(
            table=t.partner_contacts,
            rule=_PARTNERS,
            whose=("name", "mobile"),
            stays="the directory: an administrator removes whoever is a partner's no more",
        ),
        Retention(table=t.customers, rule=_CUSTOMERS, whose=("name", "phone"), stays=_CONTRACT),
        Retention(table=t.numbers, rule=_CUSTOMERS, whose=("e164",), stays=_CONTRACT),
        Retention(table=t.partners, rule=_PARTNERS),
        Retention(table=t.endpoints, rule=_CUSTOMERS),
        Retention(table=t.technicians, rule="the directory: while they work here"),
        Retention(table=t.directory_changes, rule="the directory: the last some thousands"),
    ),
)
