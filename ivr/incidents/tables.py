"""The incidents' tables."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, UniqueConstraint

from ivr.store.metadata import Moment, json_type, metadata

incidents = Table(
    "incidents",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("desk", String(40), nullable=False),
    #: By language.
    Column("title", json_type(), nullable=False),
    #: minor, major or critical
    Column("impact", String(10), nullable=False),
    Column("services", json_type(), nullable=False),
    Column("components", json_type(), nullable=False),
    #: Ids of partners and customers, and numbers in E.164 digits.
    Column("affected", json_type(), nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("resolved_at", Moment),
    Column("version", Integer, nullable=False),
    Index("ix_incidents_started_at_id", "started_at", "id"),
)

incident_updates = Table(
    "incident_updates",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("incident_id", ForeignKey("incidents.id", ondelete="CASCADE"), nullable=False, index=True),
    #: investigating, confirmed or resolved
    Column("stage", String(20), nullable=False),
    #: By language.
    Column("texts", json_type(), nullable=False),
    Column("at", Moment, nullable=False),
    #: Name of the API token.
    Column("by", String(200), nullable=False),
)

#: Who gets a text message at each stage of an incident, once for each number.
incident_followers = Table(
    "incident_followers",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("incident_id", ForeignKey("incidents.id", ondelete="CASCADE"), nullable=False),
    #: E.164 digits without the plus sign.
    Column("number", String(15), nullable=False),
    Column("language", String(5), nullable=False),
    Column("call_id", String(40)),
    #: The number or the phone that asked for it.
    Column("asked_by", String(40)),
    Column("at", Moment, nullable=False),
    #: When the number's owner wanted it: nothing but a request to confirm is sent before.
    Column("confirmed_at", Moment),
    #: SHA-256, in hex, of what confirms it; null where the owner asked from that very number.
    Column("secret", String(64), index=True),
    UniqueConstraint("incident_id", "number", name="uq_incident_followers_incident_id_number"),
    sqlite_autoincrement=True,
)

#: How far those who asked for it have been written to about an update.
incident_mailings = Table(
    "incident_mailings",
    metadata,
    Column("update_id", ForeignKey("incident_updates.id", ondelete="CASCADE"), primary_key=True),
    #: followers (who called), subscribers (of the status page) or partners (their people)
    Column("audience", String(20), primary_key=True),
    #: The last one whose message is in the outbox, and the last one who is to get one.
    Column("after_id", Integer, nullable=False),
    Column("until_id", Integer, nullable=False),
    Column("done_at", Moment),
)
