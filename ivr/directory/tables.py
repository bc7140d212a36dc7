"""The directory's tables."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Integer, String, Table, text

from ivr.store.metadata import Moment, json_type, metadata

partners = Table(
    "partners",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    #: standard or elite
    Column("tier", String(20), nullable=False),
    Column("phone", String(20)),
    Column("email", String(254)),
)

partner_contacts = Table(
    "partner_contacts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("partner_id", ForeignKey("partners.id"), nullable=False, index=True),
    Column("name", String(200), nullable=False),
    #: administrateur, telephonie-niveau-3 or another of theirs; see `ivr.directory.people.WARNED_ROLES`
    Column("role", String(40), nullable=False),
    #: E.164 digits of a phone that takes text messages.
    Column("mobile", String(15)),
    Column("language", String(5)),
)

customers = Table(
    "customers",
    metadata,
    Column("id", Integer, primary_key=True),
    #: The number printed on the customer's bill.
    Column("account", String(40), nullable=False, unique=True),
    Column("name", String(200), nullable=False),
    Column("address", String(500)),
    Column("phone", String(20)),
    Column("partner_id", ForeignKey("partners.id"), index=True),
    #: What its phones may dial beyond our own numbers, as a JSON list of `ivr.dialling`'s rights.
    Column("dial_rights", json_type(), nullable=False, server_default=text("'[]'")),
)

contacts = Table(
    "contacts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("customer_id", ForeignKey("customers.id"), nullable=False, index=True),
    Column("name", String(200), nullable=False),
    #: administrateur, facturation or utilisateur
    Column("kind", String(20), nullable=False),
    Column("email", String(254)),
    Column("phone", String(20)),
    Column("language", String(5)),
)

numbers = Table(
    "numbers",
    metadata,
    #: E.164 digits without the plus sign.
    Column("e164", String(15), primary_key=True),
    Column("customer_id", ForeignKey("customers.id"), nullable=False, index=True),
    #: The person whose own number it is; None for a shared line.
    Column("contact_id", ForeignKey("contacts.id")),
)

technicians = Table(
    "technicians",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(200), nullable=False),
    #: Ids of the queues they answer, as a JSON list.
    Column("queues", json_type(), nullable=False),
    Column("language", String(5), nullable=False),
)

endpoints = Table(
    "endpoints",
    metadata,
    #: The SIP account's name.
    Column("name", String(40), primary_key=True),
    #: customer, technician or department
    Column("kind", String(20), nullable=False),
    Column("customer_id", ForeignKey("customers.id"), index=True),
    Column("contact_id", ForeignKey("contacts.id")),
    Column("technician_id", ForeignKey("technicians.id")),
    Column("language", String(5), nullable=False),
    #: MD5 of name:omnivigil:password, in hex.
    Column("ha1", String(32), nullable=False),
    Column("caller_id", String(20), nullable=False),
    Column("display", String(200), nullable=False),
)

caller_languages = Table(
    "caller_languages",
    metadata,
    Column("number", String(15), primary_key=True),
    Column("language", String(5), nullable=False),
)

api_tokens = Table(
    "api_tokens",
    metadata,
    Column("id", Integer, primary_key=True),
    #: SHA-256 of the token, in hex; the token itself is kept nowhere.
    Column("sha256", String(64), nullable=False, unique=True),
    Column("name", String(100), nullable=False),
    Column("scopes", json_type(), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("revoked_at", Moment),
    #: No good from this moment on; null for one without an end.
    Column("expires_at", Moment),
    #: To the minute.
    Column("last_used_at", Moment),
)
