"""The table of the write probe: one row, written again and again."""

from __future__ import annotations

from sqlalchemy import Column, Integer, Table

from ivr.store.metadata import Moment, metadata

write_probe = Table(
    "write_probe",
    metadata,
    #: Always 1.
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False),
)
