"""Maintenances that came from a calendar are known by its events, and in which version they came."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"


def upgrade() -> None:
    """Go up."""
    op.create_table(
        "maintenance_events",
        sa.Column("desk", sa.String(length=40), nullable=False),
        sa.Column("event", sa.String(length=64), nullable=False),
        sa.Column("occurrence", sa.String(length=16), nullable=False),
        sa.Column("maintenance_id", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("stamped_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["maintenance_id"],
            ["maintenances.id"],
            "fk_maintenance_events_maintenance_id_maintenances",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("desk", "event", "occurrence", name="pk_maintenance_events"),
    )


def downgrade() -> None:
    """Go down."""
    op.drop_table("maintenance_events")
