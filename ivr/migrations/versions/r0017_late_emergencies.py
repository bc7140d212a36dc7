"""When operations were told that nobody had taken an emergency in time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Go up."""
    op.add_column("emergencies", sa.Column("late_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    """Go down."""
    op.drop_column("emergencies", "late_at")
