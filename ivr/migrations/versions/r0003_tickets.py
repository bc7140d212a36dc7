"""Tickets, voice messages, and what has to be told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"

MOMENT = sa.DateTime(timezone=True)
JSONS = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Go up."""
    op.create_table(
        "tickets",
        sa.Column("number", sa.Integer(), sa.Identity(start=100001), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("priority", sa.String(length=20)),
        sa.Column("level", sa.Integer()),
        sa.Column("desk", sa.String(length=40), nullable=False),
        sa.Column("department", sa.String(length=40), nullable=False),
        sa.Column("language", sa.String(length=5)),
        sa.Column("reference", sa.String(length=8)),
        sa.Column("intake_key", sa.String(length=200)),
        sa.Column("call_id", sa.String(length=40)),
        sa.Column("customer_id", sa.Integer()),
        sa.Column("contact_id", sa.Integer()),
        sa.Column("requester_name", sa.String(length=200)),
        sa.Column("requester_contact", sa.String(length=200)),
        sa.Column("requester_address", sa.String(length=500)),
        sa.Column("requester_phone", sa.String(length=40)),
        sa.Column("requester_email", sa.String(length=254)),
        sa.Column("account_number", sa.String(length=40)),
        sa.Column("account_name", sa.String(length=200)),
        sa.Column("account_address", sa.String(length=500)),
        sa.Column("account_phone", sa.String(length=40)),
        sa.Column("service", sa.String(length=200)),
        sa.Column("observed", sa.Text()),
        sa.Column("examples", JSONS),
        sa.Column("expected", sa.Text()),
        sa.Column("impact", sa.String(length=10)),
        sa.Column("mac", sa.String(length=17)),
        sa.Column("attempted", sa.Text()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("call_id"),
        sa.UniqueConstraint("intake_key"),
        sqlite_autoincrement=True,
    )
    if op.get_bind().dialect.name == "sqlite":
        # SQLite counts from 1 unless told otherwise; elsewhere the column's own sequence starts there.
        op.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('tickets', 100000)")
    op.create_index("ix_tickets_customer_id_status", "tickets", ["customer_id", "status"])
    op.create_index("ix_tickets_reference", "tickets", ["reference"])
    op.create_index("ix_tickets_status_number", "tickets", ["status", "number"])
    op.create_table(
        "ticket_events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ticket_number", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("who", sa.String(length=100), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("changes", JSONS, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["ticket_number"], ["tickets.number"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_ticket_events_ticket_number", "ticket_events", ["ticket_number"])
    op.create_table(
        "messages",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("ticket_number", sa.Integer(), nullable=False),
        sa.Column("call_id", sa.String(length=40)),
        sa.Column("desk", sa.String(length=40), nullable=False),
        sa.Column("department", sa.String(length=40), nullable=False),
        sa.Column("language", sa.String(length=5), nullable=False),
        sa.Column("number", sa.String(length=15)),
        sa.Column("endpoint", sa.String(length=40)),
        sa.Column("file", sa.String(length=255), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("urgent", sa.Boolean(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["ticket_number"], ["tickets.number"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
    )
    op.create_index("ix_messages_ticket_number", "messages", ["ticket_number"])
    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("recipient", sa.String(length=254), nullable=False),
        sa.Column("subject", sa.String(length=500), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("language", sa.String(length=5), nullable=False),
        sa.Column("ticket_number", sa.Integer()),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["ticket_number"], ["tickets.number"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_outbox_state_id", "outbox", ["state", "id"])
    op.create_index("ix_outbox_ticket_number", "outbox", ["ticket_number"])


def downgrade() -> None:
    """Go down."""
    op.drop_table("outbox")
    op.drop_table("messages")
    op.drop_table("ticket_events")
    op.drop_table("tickets")
