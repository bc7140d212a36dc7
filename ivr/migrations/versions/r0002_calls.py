"""What happened on each call."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"

MOMENT = sa.DateTime(timezone=True)
JSONS = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Go up."""
    op.create_table(
        "calls",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("linkedid", sa.String(length=150), nullable=False),
        sa.Column("channel", sa.String(length=150), nullable=False),
        sa.Column("desk", sa.String(length=40), nullable=False),
        sa.Column("dialled", sa.String(length=40), nullable=False),
        sa.Column("ani", sa.String(length=15)),
        sa.Column("endpoint", sa.String(length=40)),
        sa.Column("customer_id", sa.Integer()),
        sa.Column("identity", JSONS, nullable=False),
        sa.Column("department", sa.String(length=40)),
        sa.Column("language", sa.String(length=5)),
        sa.Column("queue", sa.String(length=40)),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("queued_at", MOMENT),
        sa.Column("answered_at", MOMENT),
        sa.Column("answered_by", sa.String(length=40)),
        sa.Column("ended_at", MOMENT),
        sa.Column("result", sa.String(length=40)),
        sa.Column("reason", sa.String(length=200)),
        sa.Column("events_lost", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_calls_ani", "calls", ["ani"])
    op.create_index("ix_calls_customer_id", "calls", ["customer_id"])
    op.create_index("ix_calls_linkedid", "calls", ["linkedid"])
    op.create_index(
        "ix_calls_open",
        "calls",
        ["id"],
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index("ix_calls_started_at_id", "calls", ["started_at", "id"])
    op.create_table(
        "call_events",
        sa.Column("call_id", sa.String(length=40), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("facts", JSONS, nullable=False),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("call_id", "seq"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "call_legs",
        sa.Column("call_id", sa.String(length=40), nullable=False),
        sa.Column("uniqueid", sa.String(length=150), nullable=False),
        sa.Column("channel", sa.String(length=150), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("endpoint", sa.String(length=40)),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("answered_at", MOMENT),
        sa.Column("ended_at", MOMENT),
        sa.Column("cause", sa.Integer()),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("call_id", "uniqueid"),
    )


def downgrade() -> None:
    """Go down."""
    op.drop_table("call_legs")
    op.drop_table("call_events")
    op.drop_table("calls")
