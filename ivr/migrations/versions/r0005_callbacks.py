"""Being called back while keeping one's place."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"

MOMENT = sa.DateTime(timezone=True)
JSONS = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Go up."""
    op.create_table(
        "callbacks",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("desk", sa.String(length=40), nullable=False),
        sa.Column("department", sa.String(length=40), nullable=False),
        sa.Column("queue", sa.String(length=40), nullable=False),
        sa.Column("language", sa.String(length=5), nullable=False),
        sa.Column("number", sa.String(length=15), nullable=False),
        sa.Column("endpoint", sa.String(length=40)),
        sa.Column("call_id", sa.String(length=40)),
        sa.Column("customer_id", sa.Integer()),
        sa.Column("identity", JSONS, nullable=False),
        sa.Column("mode", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("arrived_at", MOMENT, nullable=False),
        sa.Column("requested_at", MOMENT, nullable=False),
        sa.Column("not_before", MOMENT, nullable=False),
        sa.Column("deadline", MOMENT, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("dialled_at", MOMENT),
        sa.Column("answered_at", MOMENT),
        sa.Column("ended_at", MOMENT),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("active_key", sa.String(length=60)),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("active_key"),
    )
    op.create_index("ix_callbacks_state", "callbacks", ["state"])
    op.create_index("ix_callbacks_requested_at", "callbacks", ["requested_at", "id"])
    op.create_table(
        "callback_offers",
        sa.Column("call_id", sa.String(length=40), nullable=False),
        sa.Column("desk", sa.String(length=40), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("call_id"),
    )
    op.create_index("ix_callback_offers_at", "callback_offers", ["at"])


def downgrade() -> None:
    """Go down."""
    op.drop_table("callback_offers")
    op.drop_table("callbacks")
