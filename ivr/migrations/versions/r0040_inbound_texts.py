"""Text messages that come in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"


def upgrade() -> None:
    """Go up."""
    op.create_table(
        "inbound_texts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sender", sa.String(length=40), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("media", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("emergency_id", sa.Integer()),
        sa.Column("reply", sa.String(length=500), nullable=False),
        sa.ForeignKeyConstraint(
            ["emergency_id"], ["emergencies.id"], "fk_inbound_texts_emergency_id_emergencies", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_inbound_texts"),
        sa.UniqueConstraint("key", name="uq_inbound_texts_key"),
    )
    op.create_index("ix_inbound_texts_sender_at", "inbound_texts", ["sender", "at"])
    op.create_index("ix_inbound_texts_at", "inbound_texts", ["at"])


def downgrade() -> None:
    """Go down."""
    op.drop_table("inbound_texts")
