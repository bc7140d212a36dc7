"""Who is logged in to which queue, so that nobody is logged out by a crash of Asterisk."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"


def upgrade() -> None:
    """Go up."""
    op.create_table(
        "queue_roll",
        sa.Column("queue", sa.String(length=40), nullable=False),
        sa.Column("endpoint", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("paused_reason", sa.String(length=200), nullable=False),
        sa.Column("asterisk", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("queue", "endpoint", name="pk_queue_roll"),
    )


def downgrade() -> None:
    """Go down."""
    op.drop_table("queue_roll")
