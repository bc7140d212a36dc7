"""The announcements' tables."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table

from ivr.store.metadata import Moment, json_type, metadata

announcements = Table(
    "announcements",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("desk", String(40), nullable=False),
    #: text, wav or phone
    Column("source", String(10), nullable=False),
    #: What is said, by language.
    Column("texts", json_type(), nullable=False),
    #: Names of sounds, by language.
    Column("sounds", json_type(), nullable=False),
    #: The text for callers who have heard it before, and its sounds; null is the same once more.
    Column("brief_texts", json_type()),
    Column("brief_sounds", json_type()),
    Column("starts_at", Moment, nullable=False),
    Column("expires_at", Moment),
    #: Name of the API token, or of the technician.
    Column("created_by", String(200), nullable=False),
    Column("created_at", Moment, nullable=False),
    #: When it was ended or replaced, and by whom; not when it expired.
    Column("ended_at", Moment),
    Column("ended_by", String(200)),
    #: When its age was last brought to somebody's mind.
    Column("reminded_at", Moment),
    Index("ix_announcements_desk_ended_at", "desk", "ended_at"),
)

#: Which numbers have heard an announcement to its end.
announcement_hearings = Table(
    "announcement_hearings",
    metadata,
    Column("announcement_id", ForeignKey("announcements.id", ondelete="CASCADE"), primary_key=True),
    #: The caller's number as E.164 digits, or the account of a registered phone.
    Column("caller", String(40), primary_key=True),
)

technician_pins = Table(
    "technician_pins",
    metadata,
    Column("technician_id", ForeignKey("technicians.id", ondelete="CASCADE"), primary_key=True),
    #: Argon2id, with its parameters and salt (RFC 9106).
    Column("hash", String(200), nullable=False),
    #: Wrong tries since the last right one or the last lock-out.
    Column("wrong", Integer, nullable=False),
    Column("locked_until", Moment),
)
