"""The callbacks' tables."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table

from ivr.store.metadata import Moment, json_type, metadata

callbacks = Table(
    "callbacks",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("desk", String(40), nullable=False),
    Column("department", String(40), nullable=False),
    Column("queue", String(40), nullable=False),
    Column("language", String(5), nullable=False),
    #: E.164 digits.
    Column("number", String(15), nullable=False),
    Column("endpoint", String(40)),
    Column("call_id", String(40)),
    Column("customer_id", Integer),
    Column("identity", json_type(), nullable=False),
    Column("mode", String(20), nullable=False),
    Column("state", String(20), nullable=False),
    Column("arrived_at", Moment, nullable=False),
    Column("requested_at", Moment, nullable=False),
    Column("not_before", Moment, nullable=False),
    Column("deadline", Moment, nullable=False),
    Column("attempts", Integer, nullable=False),
    #: Those of them that came to nothing on our own side.
    Column("interrupted", Integer, nullable=False, server_default="0"),
    Column("dialled_at", Moment),
    Column("answered_at", Moment),
    Column("ended_at", Moment),
    Column("reason", String(200), nullable=False),
    #: `desk:number` while it is not ended: one active callback per number and desk, whatever happens.
    Column("active_key", String(60), unique=True),
    Index("ix_callbacks_state", "state"),
    Index("ix_callbacks_requested_at", "requested_at", "id"),
)

#: Calls to which a callback was offered: the wide end of the funnel.
callback_offers = Table(
    "callback_offers",
    metadata,
    Column("call_id", String(40), primary_key=True),
    Column("desk", String(40), nullable=False),
    Column("at", Moment, nullable=False, index=True),
)
