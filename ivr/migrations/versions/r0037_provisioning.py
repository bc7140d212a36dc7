"""Phones know the MAC address of their device, which fetches its configuration from an address of its own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"


def upgrade() -> None:
    """Go up."""
    with op.batch_alter_table("endpoints") as endpoints:
        endpoints.add_column(sa.Column("mac", sa.String(length=12)))
    op.create_table(
        "provisionings",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("phone", sa.String(length=40), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["phone"], ["endpoints.name"], "fk_provisionings_phone_endpoints", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("sha256", name="pk_provisionings"),
    )
    op.create_index("ix_provisionings_phone", "provisionings", ["phone"])


def downgrade() -> None:
    """Go down."""
    op.drop_table("provisionings")
    with op.batch_alter_table("endpoints") as endpoints:
        endpoints.drop_column("mac")
