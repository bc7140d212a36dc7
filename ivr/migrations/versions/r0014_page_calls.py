"""Calls to whoever is on call."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Go up."""
    op.create_table(
        "page_calls",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("emergency_id", sa.Integer(), nullable=False),
        sa.Column("nth", sa.Integer(), nullable=False),
        sa.Column("person", sa.String(length=40)),
        sa.Column("number", sa.String(length=15), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("channel", sa.String(length=40)),
        sa.Column("outcome", sa.String(length=20)),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("dialled_at", MOMENT),
        sa.Column("answered_at", MOMENT),
        sa.Column("ended_at", MOMENT),
        sa.ForeignKeyConstraint(
            ["emergency_id"], ["emergencies.id"], name="fk_page_calls_emergency_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_page_calls"),
        sa.UniqueConstraint("emergency_id", "nth", name="uq_page_calls_emergency_id_nth"),
    )
    op.create_index("ix_page_calls_state", "page_calls", ["state"])


def downgrade() -> None:
    """Go down."""
    op.drop_table("page_calls")
