"""The directory as calls use it: in memory, complete, and never waiting for the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeVar

from ivr import outside_staff
from ivr.directory.model import MAIN, NOBODY, Contact, Customer, Endpoint, Identity, Number, Partner, Technician
from ivr.errors import BadInput

K = TypeVar("K")
V = TypeVar("V")
Owned = TypeVar("Owned", Partner, Customer, Contact, Endpoint, Technician)


def _none() -> Mapping[K, V]:
    return MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Book:
    """A snapshot of the directory, by id, name or number."""

    partners: Mapping[int, Partner] = field(default_factory=_none)
    customers: Mapping[int, Customer] = field(default_factory=_none)
    contacts: Mapping[int, Contact] = field(default_factory=_none)
    #: By provider, then by number: one number may be a customer of two.
    numbers: Mapping[str, Mapping[str, Number]] = field(default_factory=_none)
    endpoints: Mapping[str, Endpoint] = field(default_factory=_none)
    technicians: Mapping[int, Technician] = field(default_factory=_none)
    #: The language that a caller from this number last chose.
    languages: Mapping[str, str] = field(default_factory=_none)

    def only(self, provider: str) -> Book:
        """One provider's entries."""

        def own(entries: Mapping[K, Owned]) -> Mapping[K, Owned]:
            return {key: one for key, one in entries.items() if one.provider == provider}

        return Book(
            partners=own(self.partners),
            customers=own(self.customers),
            contacts=own(self.contacts),
            numbers={provider: self.numbers.get(provider, {})},
            endpoints=own(self.endpoints),
            technicians=own(self.technicians),
            languages=self.languages,
        )

    def identify(self, number: str | None, endpoint: str | None, provider: str | None = None) -> Identity:
        """Return who calls: by the registered phone when there is one, else by the number (OV-2, OV-3).

        A registered phone's caller ID is not looked at: it can be set to anything. An unknown caller is
        an Identity with nothing in it. `provider` is that of the desk that was called, which knows its own
        customers only; None is a phone's own, and for a number the main one.
        """
        if endpoint is not None:
            phone = self.endpoints.get(endpoint)
            if phone is None:
                return NOBODY
            if provider is not None and phone.provider != provider:
                return Identity(by="endpoint", language=phone.language)
            return self._of_endpoint(phone)
        if number is None:
            return NOBODY
        entry, chosen = self.number(number, provider), self.languages.get(number)
        if entry is None:
            if chosen is None:
                return NOBODY
            return Identity(language=chosen)
        return self._of_account("number", entry.customer_id, entry.contact_id, language=chosen)

    def _of_endpoint(self, phone: Endpoint) -> Identity:
        technician = None
        if phone.technician_id is not None:
            technician = self.technicians.get(phone.technician_id)
        if phone.customer_id is None:
            return Identity(by="endpoint", technician=technician, language=phone.language)
        return self._of_account(
            "endpoint", phone.customer_id, phone.contact_id, language=phone.language, technician=technician
        )

    def _of_account(
        self,
        by: Literal["endpoint", "number"],
        customer_id: int,
        contact_id: int | None,
        *,
        language: str | None,
        technician: Technician | None = None,
    ) -> Identity:
        """`language` is what is known better than the person's, or the account's."""
        customer = self.customers.get(customer_id)
        contact = self.contacts.get(contact_id) if contact_id is not None else None
        partner_id = customer.partner_id if customer is not None else None
        spoken = (language, contact and contact.language, customer and customer.language)
        return Identity(
            by=by,
            customer=customer,
            contact=contact,
            partner=self.partners.get(partner_id) if partner_id is not None else None,
            technician=technician,
            language=next((one for one in spoken if one), None),
        )

    def number(self, e164: str, provider: str | None = None) -> Number | None:
        """A provider's number, by its digits; the main provider's when none is named."""
        own = self.numbers.get(provider or MAIN)
        if own is not None:
            return own.get(e164)
        return None

    def endpoint(self, name: str) -> Endpoint | None:
        """The phone with this account name."""
        return self.endpoints.get(name)

    def technician(self, endpoint: str) -> Technician | None:
        """Return whose phone it is, or number outside, when it is a technician's."""
        if (number := outside_staff.technician_id(endpoint)) is not None:
            known = self.technicians.get(number)
            if known is not None and known.outside is not None:
                return known
            return None
        phone = self.endpoints.get(endpoint)
        if phone and phone.technician_id is not None:
            return self.technicians.get(phone.technician_id)
        return None

    def answers_on(self, technician: Technician) -> str | None:
        """Return what they are called on, as queues know it: their phone, or what stands for their number outside."""
        if technician.outside is not None:
            return technician.outside
        own = (name for name, one in self.endpoints.items() if one.technician_id == technician.id)
        return min(own, default=None)

    def outside_of_account(self, account: str) -> str | None:
        """Return what stands for the number outside of whoever signs in with this account of the console."""
        return next((one.outside for one in self.technicians.values() if one.account == account and one.outside), None)

    def partner_named(self, name: str) -> Partner:
        """Return the partner of this name. Raises BadInput."""
        found = next((one for one in self.partners.values() if one.name == name), None)
        if found is None:
            mend = f"give one of {', '.join(one.name for one in self.partners.values())}"
            raise BadInput(field="partner", problem="there is no such partner", mend=mend)
        return found

    def staff(self, provider: str, key: str) -> Technician | None:
        """A provider's member of staff."""
        return next((one for one in self.technicians.values() if (one.provider, one.key) == (provider, key)), None)
