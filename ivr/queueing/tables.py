"""The table of queue logins."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, String, Table

from ivr.store.metadata import metadata

queue_roll = Table(
    "queue_roll",
    metadata,
    Column("queue", String(40), primary_key=True),
    Column("endpoint", String(40), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("paused", Boolean, nullable=False),
    Column("paused_reason", String(200), nullable=False),
    #: When the Asterisk was started in which they were seen last, as it says it itself.
    Column("asterisk", String(40), nullable=False),
)
