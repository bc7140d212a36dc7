"""Addresses from which a phone may fetch its configuration."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, String, Table

from ivr.store.metadata import Moment, metadata

provisionings = Table(
    "provisionings",
    metadata,
    #: SHA-256 of the token in the address, in hex; the token itself is kept nowhere.
    Column("sha256", String(64), primary_key=True),
    Column("phone", ForeignKey("endpoints.name", ondelete="CASCADE"), nullable=False, index=True),
    Column("expires_at", Moment, nullable=False),
    #: Who made it, as in the audit.
    Column("by", String(40), nullable=False),
)
