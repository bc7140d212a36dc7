"""The outbox's table."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, Text

from ivr.store.metadata import Moment, metadata

outbox = Table(
    "outbox",
    metadata,
    Column("id", Integer, primary_key=True),
    #: email, sms
    Column("kind", String(20), nullable=False),
    Column("recipient", String(254), nullable=False),
    Column("subject", String(500), nullable=False),
    Column("body", Text, nullable=False),
    Column("language", String(5), nullable=False),
    Column("ticket_number", ForeignKey("tickets.number", ondelete="CASCADE"), index=True),
    #: pending
    Column("state", String(20), nullable=False),
    Column("created_at", Moment, nullable=False),
    Index("ix_outbox_state_id", "state", "id"),
)
