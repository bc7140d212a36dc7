"""The reports' tables."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Integer, String, Table, UniqueConstraint

from ivr.store.metadata import Moment, json_type, metadata

incident_reports = Table(
    "incident_reports",
    metadata,
    Column("incident_id", ForeignKey("incidents.id", ondelete="CASCADE"), primary_key=True),
    #: By language, then by section.
    Column("sections", json_type(), nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("updated_by", String(200), nullable=False),
    Column("published_at", Moment),
    Column("published_by", String(200)),
    #: What operations were last reminded of: soon or overdue.
    Column("reminded", String(10)),
)

report_requests = Table(
    "report_requests",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("incident_id", ForeignKey("incidents.id", ondelete="CASCADE"), nullable=False),
    #: An e-mail address in lower case.
    Column("address", String(254), nullable=False),
    Column("language", String(5), nullable=False),
    #: In links to the report: its bearer may read the report, and nothing else.
    Column("key", String(64), nullable=False, unique=True),
    Column("asked", Integer, nullable=False),
    Column("asked_at", Moment, nullable=False),
    Column("confirmed_at", Moment),
    Column("sent_at", Moment),
    UniqueConstraint("incident_id", "address", name="uq_report_requests_incident_id_address"),
    sqlite_autoincrement=True,
)
