"""The table of e-mails that came in."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, Text

from ivr.store.metadata import Moment, json_type, metadata

mails = Table(
    "inbound_mails",
    metadata,
    Column("id", Integer, primary_key=True),
    #: What makes the same e-mail one, however often it is delivered; also the name of its file.
    Column("key", String(64), nullable=False, unique=True),
    Column("at", Moment, nullable=False),
    Column("sender", String(254), nullable=False),
    Column("recipient", String(254), nullable=False),
    Column("subject", String(500), nullable=False),
    #: With its angle brackets.
    Column("message_id", String(250)),
    Column("body", Text, nullable=False),
    #: Whom else it was sent to, in lower case: they may answer for its sender.
    Column("copied", json_type(), nullable=False, server_default="[]"),
    #: Name, type and size in bytes of each.
    Column("attachments", json_type(), nullable=False),
    Column("size", Integer, nullable=False),
    #: opened, continued, noted, held, ignored, unreadable or refused
    Column("outcome", String(20), nullable=False),
    #: Why it was not simply taken, or opened a new ticket though it named one.
    Column("reason", String(200)),
    Column("ticket_number", ForeignKey("tickets.number", ondelete="CASCADE"), index=True),
    Index("ix_inbound_mails_sender_at", "sender", "at"),
    Index("ix_inbound_mails_message_id", "message_id"),
)
