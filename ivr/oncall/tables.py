"""The tables of the night."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table, UniqueConstraint
from sqlalchemy import false as sa_false
from sqlalchemy import true as sa_true

from ivr.store.metadata import Moment, metadata

oncall_overrides = Table(
    "oncall_overrides",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("desk", String(40), nullable=False),
    Column("person", String(40), nullable=False),
    Column("starts_at", Moment, nullable=False),
    Column("ends_at", Moment, nullable=False),
    #: Name of the API token that entered it.
    Column("who", String(100), nullable=False),
    #: The event of a calendar that it came from, and which of its occurrences, as `ivr.oncall.ical` writes them.
    Column("event", String(64), index=True),
    Column("occurrence", String(16)),
    Index("ix_oncall_overrides_desk_starts_at", "desk", "starts_at"),
)

#: The last version of each event that was imported, so that an older one that comes later changes nothing.
oncall_events = Table(
    "oncall_events",
    metadata,
    Column("desk", String(40), primary_key=True),
    Column("event", String(64), primary_key=True),
    Column("occurrence", String(16), primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("stamped_at", Moment, nullable=False),
)

#: One for each urgent voice message. Three clocks are kept apart: notified, taken, called back.
emergencies = Table(
    "emergencies",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("message_id", ForeignKey("messages.id", ondelete="CASCADE"), nullable=False, unique=True),
    Column("ticket_number", ForeignKey("tickets.number", ondelete="CASCADE"), nullable=False, index=True),
    Column("desk", String(40), nullable=False),
    #: The caller's, as E.164 digits.
    Column("number", String(15)),
    #: Whether its caller is a customer: by a registered phone, or by a number that the directory has.
    Column("known", Boolean, nullable=False, server_default=sa_true()),
    #: Whether it is paged for all that were merged into it, when there are too many to page for each.
    Column("bundle", Boolean, nullable=False, server_default=sa_false()),
    #: An earlier one, which is paged for both: the same caller's, or the first of its bundle.
    Column("merged_into", ForeignKey("emergencies.id", ondelete="CASCADE")),
    #: When the caller left the message: the promise counts from here.
    Column("left_at", Moment, nullable=False),
    #: How far the timetable of pages has come.
    Column("pages", Integer, nullable=False),
    Column("notified_at", Moment),
    Column("taken_at", Moment),
    Column("taken_by", String(100)),
    Column("called_back_at", Moment),
    Column("called_back_by", String(100)),
    #: When operations were told that it was not taken in time.
    Column("late_at", Moment),
    Index("ix_emergencies_desk_left_at", "desk", "left_at"),
)

#: One for each page: the one on call is rung besides the text message.
page_calls = Table(
    "page_calls",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("emergency_id", ForeignKey("emergencies.id", ondelete="CASCADE"), nullable=False),
    Column("nth", Integer, nullable=False),
    Column("person", String(40)),
    Column("number", String(15), nullable=False),
    #: due, dialling or ended
    Column("state", String(10), nullable=False),
    #: Its uniqueid at Asterisk.
    Column("channel", String(40)),
    #: taken, passed, no-key (a voicemail, or no key at all), no-answer, busy, …
    Column("outcome", String(20)),
    Column("due_at", Moment, nullable=False),
    Column("dialled_at", Moment),
    Column("answered_at", Moment),
    Column("ended_at", Moment),
    UniqueConstraint("emergency_id", "nth"),
    Index("ix_page_calls_state", "state"),
)
