"""Incidents that reports propose can be dismissed: who did, and when."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    """Go up."""
    with op.batch_alter_table("incident_proposals") as proposals:
        proposals.add_column(sa.Column("dismissed_by", sa.String(length=100)))
        proposals.add_column(sa.Column("dismissed_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    """Go down."""
    with op.batch_alter_table("incident_proposals") as proposals:
        proposals.drop_column("dismissed_at")
        proposals.drop_column("dismissed_by")
