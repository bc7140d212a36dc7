"""The subscribers' table."""

from __future__ import annotations

from sqlalchemy import Column, Integer, String, Table, UniqueConstraint

from ivr.store.metadata import Moment, json_type, metadata

status_subscribers = Table(
    "status_subscribers",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("desk", String(40), nullable=False),
    #: email or sms
    Column("kind", String(10), nullable=False),
    #: An e-mail address in lower case, or E.164 digits without the plus sign.
    Column("address", String(254), nullable=False),
    Column("language", String(5), nullable=False),
    #: Ids of the desk's services; none is all of them.
    Column("services", json_type(), nullable=False),
    #: SHA-256, in hex, of what confirms it; null once it is confirmed.
    Column("secret", String(64), index=True),
    Column("tries", Integer, nullable=False),
    #: How often it was asked for, and when last.
    Column("asked", Integer, nullable=False),
    Column("asked_at", Moment, nullable=False),
    Column("confirmed_at", Moment),
    #: What ends the subscription; it is in every e-mail, and allows nothing else.
    Column("leave", String(64), nullable=False, unique=True),
    UniqueConstraint("desk", "kind", "address", name="uq_status_subscribers_desk_kind_address"),
    sqlite_autoincrement=True,
)
