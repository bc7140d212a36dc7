"""Announcements, and the PINs of those who may record one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"

MOMENT = sa.DateTime(timezone=True)
JSONS = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Go up."""
    op.create_table(
        "announcements",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("desk", sa.String(length=40), nullable=False),
        sa.Column("source", sa.String(length=10), nullable=False),
        sa.Column("texts", JSONS, nullable=False),
        sa.Column("sounds", JSONS, nullable=False),
        sa.Column("starts_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT),
        sa.Column("ended_by", sa.String(length=200)),
        sa.Column("reminded_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_announcements"),
    )
    op.create_index("ix_announcements_desk_ended_at", "announcements", ["desk", "ended_at"])
    op.create_table(
        "technician_pins",
        sa.Column("technician_id", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(length=200), nullable=False),
        sa.Column("wrong", sa.Integer(), nullable=False),
        sa.Column("locked_until", MOMENT),
        sa.PrimaryKeyConstraint("technician_id", name="pk_technician_pins"),
        sa.ForeignKeyConstraint(
            ["technician_id"], ["technicians.id"], name="fk_technician_pins_technician_id", ondelete="CASCADE"
        ),
    )


def downgrade() -> None:
    """Go down."""
    op.drop_table("technician_pins")
    op.drop_index("ix_announcements_desk_ended_at", table_name="announcements")
    op.drop_table("announcements")
