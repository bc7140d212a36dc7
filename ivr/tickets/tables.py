"""The tickets' tables."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, ForeignKey, Identity, Index, Integer, String, Table, Text

from ivr.store.metadata import Moment, json_type, metadata

#: The first ticket's number: six digits are quickly said and heard.
FIRST_NUMBER = 100001

tickets = Table(
    "tickets",
    metadata,
    Column("number", Integer, Identity(start=FIRST_NUMBER), primary_key=True),
    Column("kind", String(40), nullable=False),
    Column("status", String(20), nullable=False),
    Column("priority", String(20)),
    Column("level", Integer),
    Column("desk", String(40), nullable=False),
    Column("department", String(40), nullable=False),
    Column("language", String(5)),
    #: The request was given this before it had a number; eight digits.
    Column("reference", String(8), index=True),
    #: What makes the same request one ticket, however often it is entered.
    Column("intake_key", String(200), unique=True),
    Column("call_id", String(40), unique=True),
    Column("customer_id", ForeignKey("customers.id", ondelete="SET NULL")),
    Column("contact_id", ForeignKey("contacts.id", ondelete="SET NULL")),
    Column("requester_name", String(200)),
    Column("requester_contact", String(200)),
    Column("requester_address", String(500)),
    Column("requester_phone", String(40)),
    Column("requester_email", String(254)),
    Column("account_number", String(40)),
    Column("account_name", String(200)),
    Column("account_address", String(500)),
    Column("account_phone", String(40)),
    Column("service", String(200)),
    Column("observed", Text),
    Column("examples", json_type()),
    Column("expected", Text),
    #: one or several (employees)
    Column("impact", String(10)),
    Column("mac", String(17)),
    Column("attempted", Text),
    #: Counts changes; whoever changes the ticket may say which version they saw.
    Column("version", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Index("ix_tickets_customer_id_status", "customer_id", "status"),
    Index("ix_tickets_status_number", "status", "number"),
    # Numbers of deleted tickets are never given again.
    sqlite_autoincrement=True,
)

ticket_events = Table(
    "ticket_events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("ticket_number", ForeignKey("tickets.number", ondelete="CASCADE"), nullable=False, index=True),
    Column("at", Moment, nullable=False),
    #: Name of the API token, or `line` for what a caller did.
    Column("who", String(100), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("changes", json_type(), nullable=False),
    #: The ticket's version after it.
    Column("version", Integer, nullable=False),
)

messages = Table(
    "messages",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", String(200), nullable=False, unique=True),
    Column("ticket_number", ForeignKey("tickets.number", ondelete="CASCADE"), nullable=False, index=True),
    Column("call_id", String(40)),
    Column("desk", String(40), nullable=False),
    Column("department", String(40), nullable=False),
    Column("language", String(5), nullable=False),
    Column("number", String(15)),
    Column("endpoint", String(40)),
    #: Name of the recording within the folder of messages.
    Column("file", String(255), nullable=False),
    Column("seconds", Float, nullable=False),
    Column("urgent", Boolean, nullable=False),
    Column("created_at", Moment, nullable=False),
)
