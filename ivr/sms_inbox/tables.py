"""Text messages that came in."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, Text

from ivr.store.metadata import Moment, metadata

texts = Table(
    "inbound_texts",
    metadata,
    Column("id", Integer, primary_key=True),
    #: The provider's name of it: it is taken once, however often it is told.
    Column("key", String(64), nullable=False, unique=True),
    Column("at", Moment, nullable=False),
    #: E.164 digits; of a short code or a name what it says.
    Column("sender", String(40), nullable=False),
    Column("body", Text, nullable=False),
    #: How many pictures and other files came with it; they are left at the provider's.
    Column("media", Integer, nullable=False),
    #: As ivr.sms_inbox.rules.Outcome.
    Column("outcome", String(20), nullable=False),
    #: The emergency that it took, or that was taken already.
    Column("emergency_id", ForeignKey("emergencies.id", ondelete="SET NULL")),
    #: What was answered; empty for nothing.
    Column("reply", String(500), nullable=False),
    Index("ix_inbound_texts_sender_at", "sender", "at"),
    Index("ix_inbound_texts_at", "at"),
)
