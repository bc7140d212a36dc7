"""The outbox's tables."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, Text

from ivr.store.metadata import Moment, metadata

outbox = Table(
    "outbox",
    metadata,
    Column("id", Integer, primary_key=True),
    #: email, sms, webhook
    Column("kind", String(20), nullable=False),
    #: An e-mail address, E.164 digits, or the name of an endpoint.
    Column("recipient", String(254), nullable=False),
    #: The subject of an e-mail, or the type of an event.
    Column("subject", String(500), nullable=False),
    Column("body", Text, nullable=False),
    Column("language", String(5), nullable=False),
    Column("ticket_number", ForeignKey("tickets.number", ondelete="CASCADE"), index=True),
    #: Where whoever does not want such e-mails any more says so with one click (RFC 8058).
    Column("leave_url", String(500)),
    #: As ivr.notify.delivery.State.
    Column("state", String(20), nullable=False),
    Column("created_at", Moment, nullable=False),
    #: The same at every attempt: receivers know a repetition by it.
    Column("key", String(200)),
    Column("attempts", Integer, nullable=False, server_default="0"),
    #: Nothing is to be done before.
    Column("next_at", Moment),
    #: Not worth sending any more after.
    Column("expires_at", Moment),
    #: Who works on it, and until when nobody else may.
    Column("lease", String(32)),
    Column("leased_until", Moment),
    #: When it may first have left.
    Column("begun_at", Moment),
    #: Since when it is not known whether it left.
    Column("unknown_since", Moment),
    Column("sent_at", Moment),
    #: The provider's name for it.
    Column("provider_id", String(64)),
    Column("provider_status", String(40)),
    #: Why the last attempt failed.
    Column("error", String(500)),
    Index("ix_outbox_state_id", "state", "id"),
    Index("ix_outbox_kind_state_next_at", "kind", "state", "next_at"),
    Index("ix_outbox_key", "key", unique=True),
    # One message at the provider's is never taken for two of ours.
    Index("ix_outbox_provider_id", "provider_id", unique=True),
)

opt_outs = Table(
    "sms_opt_outs",
    metadata,
    #: E.164 digits without the plus sign.
    Column("number", String(15), primary_key=True),
    Column("at", Moment, nullable=False),
    #: The notice whose refusal told it.
    Column("outbox_id", ForeignKey("outbox.id", ondelete="SET NULL")),
)

webhook_endpoints = Table(
    "webhook_endpoints",
    metadata,
    #: As in the configuration.
    Column("name", String(60), primary_key=True),
    #: Everything in the journal up to this id was looked at.
    Column("journal_id", Integer, nullable=False),
    #: What is in the journal up to this id was before its time.
    Column("since_id", Integer, nullable=False),
    Column("disabled_at", Moment),
    Column("disabled_reason", String(200)),
)

#: What was drawn on a budget within a day.
spendings = Table(
    "spendings",
    metadata,
    Column("id", Integer, primary_key=True),
    #: The budget's name.
    Column("budget", String(60), nullable=False),
    #: Whom it was spent for, hashed; empty for all.
    Column("subject", String(32), nullable=False),
    Column("at", Moment, nullable=False),
    Index("ix_spendings_budget_subject_at", "budget", "subject", "at"),
)
