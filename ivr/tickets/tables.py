"""The tickets' tables."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, ForeignKey, Identity, Index, Integer, String, Table, Text, text

from ivr.store.metadata import Moment, json_type, metadata

#: The first ticket's number: six digits are quickly said and heard.
FIRST_NUMBER = 100001

_LATE = "promised_at IS NOT NULL AND answered_at IS NULL"

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
    #: The partner who has it, when one has. Not tied to the directory: who had it is history.
    Column("partner_id", Integer),
    #: The incident that it is about; incidents are never deleted.
    Column("incident_id", Integer, index=True),
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
    #: What its kind asks for beyond that.
    Column("details", json_type()),
    Column("programming_min", Integer),
    Column("on_site", Boolean),
    Column("installation", Boolean),
    #: Its cause is outside the demarcation point.
    Column("outside", Boolean),
    #: Counts changes; a change may say which version they saw.
    Column("version", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("documented_at", Moment),
    Column("answered_at", Moment),
    #: The moment by which a message left out of hours was promised an answer.
    Column("promised_at", Moment),
    #: When its clocks are to be looked at next; none while none runs.
    Column("due_at", Moment),
    Index("ix_tickets_customer_id_status", "customer_id", "status"),
    Index("ix_tickets_status_number", "status", "number"),
    Index(
        "ix_tickets_due_at",
        "due_at",
        sqlite_where=text("due_at IS NOT NULL"),
        postgresql_where=text("due_at IS NOT NULL"),
    ),
    Index("ix_tickets_promised_at", "promised_at", sqlite_where=text(_LATE), postgresql_where=text(_LATE)),
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
    #: What a recogniser took it to say; null without one, or while it listens.
    Column("transcript", Text),
    Index("ix_messages_call_id", "call_id"),
    Index("ix_messages_number_created_at", "number", "created_at"),
)

#: The ledger of each ticket's clocks; see `ivr.tickets.sla.Span`.
ticket_spans = Table(
    "ticket_spans",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("ticket_number", ForeignKey("tickets.number", ondelete="CASCADE"), nullable=False, index=True),
    #: tmr or tr
    Column("clock", String(3), nullable=False),
    Column("level", Integer, nullable=False),
    #: working or always
    Column("pace", String(10), nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("ended_at", Moment),
)

#: What was raised; the key makes it once.
ticket_alarms = Table(
    "ticket_alarms",
    metadata,
    Column("ticket_number", ForeignKey("tickets.number", ondelete="CASCADE"), primary_key=True),
    #: tmr, tr, or due for the promise to the caller of a message
    Column("clock", String(3), primary_key=True),
    Column("level", Integer, primary_key=True),
    #: warning or breach
    Column("kind", String(10), primary_key=True),
    Column("due_at", Moment, nullable=False),
    Column("raised_at", Moment, nullable=False),
)

#: What solved tickets (OV-19). The database keeps an index of its words beside it; see revision 0007.
solutions = Table(
    "solutions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("ticket_number", ForeignKey("tickets.number", ondelete="SET NULL"), index=True),
    Column("desk", String(40), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("language", String(5), nullable=False),
    Column("service", String(200)),
    Column("problem", Text),
    Column("solution", Text, nullable=False),
    Column("who", String(100), nullable=False),
    Column("created_at", Moment, nullable=False),
)
