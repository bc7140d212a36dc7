"""A small directory to try the line with. Its passwords are public, so it is for loopback only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table

from ivr.directory import store
from ivr.directory import tables as t
from ivr.directory.model import slug
from ivr.directory.sip_passwords import ha1
from ivr.store.engine import Unit


@dataclass(frozen=True, kw_only=True)
class _Client:
    phone: str
    number: str
    account: str
    customer: str
    address: str
    contact: str
    email: str
    language: str
    partner: str | None


_PARTNERS: Mapping[str, Mapping[str, Any]] = {
    partner["name"]: partner
    for partner in (
        {
            "key": "boreal",
            "name": "Réseaux Boréal",
            "tier": "elite",
            "phone": "14185550151",
            "email": "soutien@boreal.example",
        },
        {
            "key": "estrie",
            "name": "Télécom Estrie",
            "tier": "standard",
            "phone": "18195550152",
            "email": "soutien@estrie.example",
        },
    )
}
_CLIENTS = (
    _Client(
        phone="6001",
        number="14185550101",
        account="C-1001",
        customer="Clinique du Cap",
        address="120, rue du Cap, Québec",
        contact="Julie Tremblay",
        email="julie@clinique.example",
        language="fr",
        partner="Réseaux Boréal",
    ),
    _Client(
        phone="6002",
        number="14185550102",
        account="C-1002",
        customer="Eastern Outfitters",
        address="45 Wellington Street, Sherbrooke",
        contact="Sarah Miller",
        email="sarah@outfitters.example",
        language="fr",
        partner="Télécom Estrie",
    ),
    _Client(
        phone="6003",
        number="14185550103",
        account="C-1003",
        customer="Boulangerie Saint-Roch",
        address="310, rue Saint-Joseph Est, Québec",
        contact="Marc Gagnon",
        email="marc@boulangerie.example",
        language="fr",
        partner=None,
    ),
)
_TECHNICIANS = (("7001", "Annie Roy"), ("7002", "Luc Bouchard"))
_QUEUES = ("support", "hl-logiciel", "hl-cloud")
#: People at partners: whose, name, role, mobile, language.
_PARTNERS_PEOPLE = (
    ("Réseaux Boréal", "Sylvie Gagné", "administrateur", "14185550161", "fr"),
    ("Réseaux Boréal", "Karim Diallo", "telephonie-niveau-3", "14185550162", "fr"),
    ("Télécom Estrie", "Nancy Cole", "administrateur", "18195550163", "en"),
)
#: A partner's own phone, by its number.
_PARTNER_PHONE = ("6101", "14185550151", "Réseaux Boréal")
_DEPARTMENTS = (
    ("7101", "Ventes"),
    ("7103", "Comptabilité"),
    ("7104", "Service à la clientèle"),
    ("7105", "Portabilité"),
    ("7106", "Administration"),
    ("7201", "Hotline, commercial"),
    ("7202", "Hotline, administratif"),
)

#: Every phone of the demo directory.
DEMO_PHONES = (
    *(client.phone for client in _CLIENTS),
    _PARTNER_PHONE[0],
    *(phone for phone, _ in (*_TECHNICIANS, *_DEPARTMENTS)),
)


def demo_password(phone: str) -> str:
    """The password of a phone of the demo directory."""
    return f"demo-{phone}"


async def load_demo(unit: Unit) -> None:
    """Enter the demo directory; what is there already, the demo's or anybody's, is left as it is."""
    await unit.alone("demo directory")
    for client in _CLIENTS:
        if await store.find(unit, t.endpoints, "name", client.phone) is None:
            await _add_client(unit, client)
    for partner, name, role, mobile, language in _PARTNERS_PEOPLE:
        partner_id = await store.find(unit, t.partners, "name", partner)
        if partner_id is not None and await store.find(unit, t.partner_contacts, "mobile", mobile) is None:
            person = {"partner_id": partner_id, "name": name, "role": role, "mobile": mobile, "language": language}
            await store.add(unit, t.partner_contacts, person)
    endpoint, number, name = _PARTNER_PHONE
    if await store.find(unit, t.endpoints, "name", endpoint) is None:
        await store.add(unit, t.endpoints, _phone(endpoint, "customer", name, "fr") | {"caller_id": number})
    for endpoint, name in _TECHNICIANS:
        if await store.find(unit, t.endpoints, "name", endpoint) is None:
            spoken = {"language": "fr", "languages": [{"language": "fr", "penalty": 0}]}
            technician = {"name": name, "queues": list(_QUEUES)} | spoken
            technician_id = await store.add(unit, t.technicians, technician)
            phone = _phone(endpoint, "technician", name, "fr")
            await store.add(unit, t.endpoints, phone | {"technician_id": technician_id})
    for endpoint, name in _DEPARTMENTS:
        if await store.find(unit, t.endpoints, "name", endpoint) is None:
            await store.add(unit, t.endpoints, _phone(endpoint, "department", name, "fr"))


async def _add_client(unit: Unit, client: _Client) -> None:
    partner_id = None
    if client.partner is not None:
        partner_id = await _known_or_new(unit, t.partners, _PARTNERS[client.partner], key="name")
    customer = {
        "account": client.account,
        "name": client.customer,
        "address": client.address,
        "phone": client.number,
        "partner_id": partner_id,
        "dial_rights": ["local", "toll-free", "national"],
    }
    customer_id = await _known_or_new(unit, t.customers, customer, key="account")
    contact = {
        "key": slug(f"{client.account} {client.contact}"),
        "customer_id": customer_id,
        "name": client.contact,
        "kind": "administrateur",
        "email": client.email,
        "phone": client.number,
        "phones": [client.number],
        "language": client.language,
    }
    contact_id = await store.add(unit, t.contacts, contact)
    owner = {"customer_id": customer_id, "contact_id": contact_id}
    await _known_or_new(unit, t.numbers, {"e164": client.number} | owner, key="e164")
    phone = _phone(client.phone, "customer", client.contact, client.language)
    await store.add(unit, t.endpoints, phone | owner | {"caller_id": client.number})


async def _known_or_new(unit: Unit, table: Table, values: Mapping[str, Any], *, key: str) -> Any:
    known = await store.find(unit, table, key, values[key])
    if known is not None:
        return known
    return await store.add(unit, table, values)


def _phone(name: str, kind: str, display: str, language: str) -> dict[str, Any]:
    return {
        "name": name,
        "kind": kind,
        "language": language,
        "ha1": ha1(name, demo_password(name)),
        "display": display,
    }
