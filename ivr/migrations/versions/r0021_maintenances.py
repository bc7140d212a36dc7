"""Maintenance, planned and emergency."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0021"
down_revision = "0019"

JSONS = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Go up."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "maintenances",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("desk", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("title", JSONS, nullable=False),
        sa.Column("texts", JSONS, nullable=False),
        sa.Column("impact", sa.String(length=10), nullable=False),
        sa.Column("services", JSONS, nullable=False),
        sa.Column("components", JSONS, nullable=False),
        sa.Column("starts_at", moment, nullable=False),
        sa.Column("ends_at", moment, nullable=False),
        sa.Column("ended_at", moment),
        sa.Column("cancelled", sa.Boolean(), nullable=False),
        sa.Column("sms", sa.Boolean(), nullable=False),
        sa.Column("told", sa.String(length=20), nullable=False),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("updated_at", moment, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_maintenances"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_maintenances_desk_starts_at", "maintenances", ["desk", "starts_at"])
    op.create_table(
        "maintenance_mailings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("maintenance_id", sa.Integer(), nullable=False),
        sa.Column("news", sa.String(length=20), nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("after_id", sa.Integer(), nullable=False),
        sa.Column("until_id", sa.Integer(), nullable=False),
        sa.Column("done_at", moment),
        sa.PrimaryKeyConstraint("id", name="pk_maintenance_mailings"),
        sa.ForeignKeyConstraint(
            ["maintenance_id"],
            ["maintenances.id"],
            "fk_maintenance_mailings_maintenance_id_maintenances",
            ondelete="CASCADE",
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_maintenance_mailings_maintenance_id", "maintenance_mailings", ["maintenance_id"])


def downgrade() -> None:
    """Go down."""
    op.drop_table("maintenance_mailings")
    op.drop_table("maintenances")
