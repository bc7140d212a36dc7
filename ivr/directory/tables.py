"""The directory's tables."""

from __future__ import annotations

import secrets
from typing import Any

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table, UniqueConstraint, false, text
from sqlalchemy.engine.default import DefaultExecutionContext

from ivr.directory.model import MAIN, slug
from ivr.store.metadata import Moment, json_type, metadata


def _provider(**options: Any) -> Column[str]:
    """Return whose entry it is: the `provider` of a desk file."""
    return Column("provider", String(40), nullable=False, server_default=text(f"'{MAIN}'"), **options)


def _of_name(context: DefaultExecutionContext) -> str:
    values: dict[str, Any] = context.get_current_parameters()  # type: ignore[no-untyped-call]
    return slug(values["name"])


def _list(name: str) -> Column[Any]:
    return Column(name, json_type(), nullable=False, server_default=text("'[]'"))


partners = Table(
    "partners",
    metadata,
    Column("id", Integer, primary_key=True),
    _provider(),
    Column("key", String(60), nullable=False, default=_of_name),
    Column("name", String(200), nullable=False),
    #: standard or elite
    Column("tier", String(20), nullable=False),
    Column("phone", String(20)),
    Column("email", String(254)),
    #: URL of their own page for tickets.
    Column("portal", String(500)),
    Column("language", String(5)),
    UniqueConstraint("provider", "key"),
)

partner_contacts = Table(
    "partner_contacts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("partner_id", ForeignKey("partners.id"), nullable=False, index=True),
    Column("name", String(200), nullable=False),
    #: administrateur, telephonie-niveau-3 or another of theirs; see `ivr.directory.model.WARNED_ROLES`
    Column("role", String(40), nullable=False),
    #: E.164 digits of a phone that takes text messages.
    Column("mobile", String(15)),
    Column("language", String(5)),
)

customers = Table(
    "customers",
    metadata,
    Column("id", Integer, primary_key=True),
    _provider(),
    #: The number printed on the customer's bill.
    Column("account", String(40), nullable=False, index=True),
    Column("name", String(200), nullable=False),
    Column("address", String(500)),
    Column("phone", String(20)),
    Column("partner_id", ForeignKey("partners.id"), index=True),
    #: What its phones may dial beyond our own numbers, as a JSON list of `ivr.numbers.calling_rights`'s rights.
    _list("dial_rights"),
    Column("language", String(5)),
    #: The desk that serves it; None for any of its provider's.
    Column("desk", String(40)),
    UniqueConstraint("provider", "account"),
)

contacts = Table(
    "contacts",
    metadata,
    Column("id", Integer, primary_key=True),
    _provider(),
    Column("key", String(60), nullable=False, default=lambda: secrets.token_hex(8)),
    Column("customer_id", ForeignKey("customers.id"), nullable=False, index=True),
    Column("name", String(200), nullable=False),
    #: administrateur, facturation or utilisateur
    Column("kind", String(20), nullable=False),
    Column("email", String(254)),
    #: The first of `phones`.
    Column("phone", String(20)),
    Column("language", String(5)),
    #: E.164 digits, as a JSON list.
    _list("phones"),
    #: What a utilisateur may ask for (OV-20), as a JSON list of kinds of ticket.
    _list("rights"),
    UniqueConstraint("provider", "key"),
)

numbers = Table(
    "numbers",
    metadata,
    _provider(primary_key=True),
    #: E.164 digits without the plus sign.
    Column("e164", String(15), primary_key=True),
    Column("customer_id", ForeignKey("customers.id"), nullable=False, index=True),
    #: The person whose own number it is; None for a shared line.
    Column("contact_id", ForeignKey("contacts.id"), index=True),
)

technicians = Table(
    "technicians",
    metadata,
    Column("id", Integer, primary_key=True),
    _provider(),
    Column("key", String(60), nullable=False, default=_of_name),
    Column("name", String(200), nullable=False),
    #: Ids of the queues they answer, as a JSON list.
    Column("queues", json_type(), nullable=False),
    #: The first of `languages`.
    Column("language", String(5), nullable=False),
    #: By queue, for those that are answered after others: a JSON object.
    Column("penalties", json_type(), nullable=False, server_default=text("'{}'")),
    #: As a JSON list of {"language": "fr", "penalty": 0}.
    _list("languages"),
    _list("skills"),
    #: E.164 digits of a telephone that is none of ours, instead of a phone.
    Column("external_number", String(20)),
    #: Name of their account of the console.
    Column("account", String(40)),
    UniqueConstraint("provider", "key"),
)

endpoints = Table(
    "endpoints",
    metadata,
    #: The SIP account's name.
    Column("name", String(40), primary_key=True),
    _provider(),
    #: customer, technician or department
    Column("kind", String(20), nullable=False),
    Column("customer_id", ForeignKey("customers.id"), index=True),
    Column("contact_id", ForeignKey("contacts.id"), index=True),
    Column("technician_id", ForeignKey("technicians.id"), index=True),
    Column("department", String(40)),
    #: Without one, its owner's.
    Column("language", String(5)),
    #: MD5 of name:omnivigil:password, in hex.
    Column("ha1", String(32), nullable=False),
    #: E.164 digits; without any, its own name.
    Column("caller_id", String(20)),
    #: Without one, its owner's name.
    Column("display", String(200)),
    #: As a JSON list; empty for the line's own choice.
    _list("codecs"),
    #: udp or tcp; None for either.
    Column("transport", String(10)),
    #: At most so many calls at a time; None for no limit of its own.
    Column("call_limit", Integer),
    #: At most so many devices that are registered with it at a time.
    Column("devices", Integer, nullable=False, server_default=text("2")),
    #: MAC address of the device that is set up with it, as 12 hexadecimal digits.
    Column("mac", String(12)),
)

#: What changed, for whoever keeps a copy in memory: read by `seq`, which grows with every commit.
directory_changes = Table(
    "directory_changes",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("at", Moment, nullable=False),
    _provider(),
    #: partners, accounts, contacts, numbers, phones or staff
    Column("kind", String(20), nullable=False),
    #: As in addresses of the API.
    Column("key", String(60), nullable=False),
    #: Who did it, as in the audit.
    Column("by", String(40), nullable=False),
    #: put or delete
    Column("what", String(10), nullable=False),
    #: How many entries of its kind it tells of: of very many at once there is one row a kind.
    Column("entries", Integer, nullable=False, server_default=text("1")),
    #: Whether the process that wrote it has told its listeners of it.
    Column("told", Boolean, nullable=False, server_default=false()),
    Index("ix_directory_changes_kind_key", "kind", "key"),
    sqlite_autoincrement=True,
)

caller_languages = Table(
    "caller_languages",
    metadata,
    Column("number", String(15), primary_key=True),
    Column("language", String(5), nullable=False),
)
