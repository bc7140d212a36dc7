"""The call traces' tables."""

from __future__ import annotations

from sqlalchemy import Column, Float, ForeignKey, Index, Integer, LargeBinary, String, Table, Text

from ivr.store.metadata import Moment, json_type, metadata

call_traces = Table(
    "call_traces",
    metadata,
    Column("id", String(40), primary_key=True),
    #: What makes the same report one trace, however often it is entered: the call and the phone.
    Column("key", String(300), nullable=False, unique=True),
    Column("ticket_number", ForeignKey("tickets.number", ondelete="CASCADE"), nullable=False, index=True),
    #: phone, away (the dialplan took it while the service was away) or api
    Column("source", String(10), nullable=False),
    Column("linkedid", String(150), nullable=False),
    #: The device that reports: a phone's account, or what the API was told.
    Column("device", String(80), nullable=False, index=True),
    Column("other", String(80)),
    #: out or in
    Column("direction", String(5)),
    Column("customer_id", Integer, index=True),
    Column("account_number", String(40)),
    Column("language", String(5), nullable=False),
    Column("started_at", Moment),
    Column("reported_at", Moment, nullable=False),
    #: One id for each time that the user reported this call.
    Column("report_ids", json_type(), nullable=False),
    #: MOS of the worse direction; null is unknown.
    Column("mos", Float),
    Column("cause", String(20), nullable=False),
    Column("confidence", Float, nullable=False),
    Column("reasons", json_type(), nullable=False),
    #: partner, level-2, level-4 or customer
    Column("route", String(20), nullable=False),
    #: new, unanswered (OV-25), kept (staff took it up all the same) or ignored
    Column("state", String(20), nullable=False),
    Column("trunk", String(40)),
    Column("site", String(60)),
    Column("codec", String(20)),
    #: The legs' figures over time.
    Column("legs", json_type(), nullable=False),
    Index("ix_call_traces_reported_at_id", "reported_at", "id"),
)

call_trace_evidence = Table(
    "call_trace_evidence",
    metadata,
    Column("trace_id", ForeignKey("call_traces.id", ondelete="CASCADE"), primary_key=True),
    #: SIP and RTCP as a sequence of HEP datagrams, compressed.
    Column("packets", LargeBinary, nullable=False),
)

recommendations = Table(
    "recommendations",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("customer_id", ForeignKey("customers.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("trace_id", ForeignKey("call_traces.id", ondelete="CASCADE"), nullable=False),
    Column("text", Text, nullable=False),
    Column("given_at", Moment, nullable=False),
    Column("answered_at", Moment),
    Column("answer", Text),
    Column("answered_by", String(100)),
)

incident_proposals = Table(
    "incident_proposals",
    metadata,
    Column("id", Integer, primary_key=True),
    #: trunk, site or codec
    Column("shared", String(10), nullable=False),
    Column("value", String(60), nullable=False),
    Column("traces", json_type(), nullable=False),
    #: proposed or dismissed
    Column("state", String(20), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("dismissed_by", String(100)),
    Column("dismissed_at", Moment),
    Index("ix_incident_proposals_shared_value", "shared", "value", "updated_at"),
)
