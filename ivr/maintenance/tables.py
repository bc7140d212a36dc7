"""The maintenances' tables."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table

from ivr.store.metadata import Moment, json_type, metadata

maintenances = Table(
    "maintenances",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("desk", String(40), nullable=False),
    #: planned or emergency
    Column("kind", String(10), nullable=False),
    #: By language.
    Column("title", json_type(), nullable=False),
    Column("texts", json_type(), nullable=False),
    #: minor, major or critical
    Column("impact", String(10), nullable=False),
    Column("services", json_type(), nullable=False),
    Column("components", json_type(), nullable=False),
    Column("starts_at", Moment, nullable=False),
    Column("ends_at", Moment, nullable=False),
    #: When it was ended before its time, and whether it was given up.
    Column("ended_at", Moment),
    Column("cancelled", Boolean, nullable=False),
    #: Whether subscribers by text message are told too.
    Column("sms", Boolean, nullable=False),
    #: The state that everybody was last told of.
    Column("told", String(20), nullable=False),
    Column("by", String(200), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("version", Integer, nullable=False),
    Index("ix_maintenances_desk_starts_at", "desk", "starts_at"),
    sqlite_autoincrement=True,
)

#: The events of calendars that maintenances came from, in the version in which they came.
maintenance_events = Table(
    "maintenance_events",
    metadata,
    Column("desk", String(40), primary_key=True),
    #: Digest of the event's UID, and which of its occurrences, as `ivr.calendars.series` writes them.
    Column("event", String(64), primary_key=True),
    Column("occurrence", String(16), primary_key=True),
    Column("maintenance_id", ForeignKey("maintenances.id", ondelete="CASCADE"), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("stamped_at", Moment, nullable=False),
)

#: How far subscribers have been written to about what became of one.
maintenance_mailings = Table(
    "maintenance_mailings",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("maintenance_id", ForeignKey("maintenances.id", ondelete="CASCADE"), nullable=False, index=True),
    #: What is told: scheduled, changed, in_progress, completed or cancelled.
    Column("news", String(20), nullable=False),
    Column("at", Moment, nullable=False),
    Column("after_id", Integer, nullable=False),
    Column("until_id", Integer, nullable=False),
    Column("done_at", Moment),
    sqlite_autoincrement=True,
)
