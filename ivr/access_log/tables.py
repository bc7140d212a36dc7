"""The listenings' table."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table

from ivr.store.metadata import Moment, metadata

listenings = Table(
    "listenings",
    metadata,
    Column("id", Integer, primary_key=True),
    #: message, call-trace or mail
    Column("kind", String(20), nullable=False),
    #: The message's, trace's or e-mail's id.
    Column("subject", String(40), nullable=False),
    #: Name of the API token.
    Column("who", String(200), nullable=False),
    Column("at", Moment, nullable=False),
    Index("ix_listenings_kind_subject_who_at", "kind", "subject", "who", "at"),
    Index("ix_listenings_at_id", "at", "id"),
)
