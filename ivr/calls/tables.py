"""The calls' tables. They refer to no other feature's rows: a call happened whatever becomes of the customer."""

from __future__ import annotations

from sqlalchemy import Column, Float, ForeignKey, Index, Integer, String, Table, text

from ivr.store.metadata import Moment, json_type, metadata

calls = Table(
    "calls",
    metadata,
    Column("id", String(40), primary_key=True),
    #: Asterisk's id that all channels of the call share.
    Column("linkedid", String(150), nullable=False, index=True),
    Column("channel", String(150), nullable=False),
    Column("desk", String(40), nullable=False),
    Column("dialled", String(40), nullable=False),
    #: The caller's number as E.164 digits, when it is one.
    Column("ani", String(15), index=True),
    #: The registered phone that called.
    Column("endpoint", String(40)),
    Column("customer_id", Integer, index=True),
    #: Who the caller was known to be then.
    Column("identity", json_type(), nullable=False),
    Column("department", String(40)),
    Column("language", String(5)),
    Column("queue", String(40)),
    Column("started_at", Moment, nullable=False),
    Column("queued_at", Moment),
    Column("answered_at", Moment),
    Column("answered_by", String(40)),
    Column("ended_at", Moment),
    Column("result", String(40)),
    Column("reason", String(200)),
    #: How many happenings had to be left out of the timeline because memory was full.
    Column("events_lost", Integer, nullable=False, server_default=text("0")),
    Index("ix_calls_started_at_id", "started_at", "id"),
    Index("ix_calls_open", "id", sqlite_where=text("ended_at IS NULL"), postgresql_where=text("ended_at IS NULL")),
)

call_events = Table(
    "call_events",
    metadata,
    Column("call_id", ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True),
    #: Counts up from 0 within the call, so that a batch written twice leaves one row.
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False),
    Column("kind", String(40), nullable=False),
    Column("facts", json_type(), nullable=False),
    # Most of what is written; one tree instead of two.
    sqlite_with_rowid=False,
)

call_legs = Table(
    "call_legs",
    metadata,
    Column("call_id", ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True),
    Column("uniqueid", String(150), primary_key=True),
    Column("channel", String(150), nullable=False),
    #: caller, member or department
    Column("role", String(20), nullable=False),
    Column("endpoint", String(40)),
    Column("started_at", Moment, nullable=False),
    Column("answered_at", Moment),
    Column("ended_at", Moment),
    #: Hangup cause, ITU-T Q.850.
    Column("cause", Integer),
    #: How its worse direction sounded, from 1 to 4.5 (G.107); None when too little is known of it.
    Column("mos", Float),
)
