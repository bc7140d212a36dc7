"""Sign-ins that failed are one line of the audit for many."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    """Go up."""
    with op.batch_alter_table("audit") as audit:
        audit.add_column(sa.Column("times", sa.Integer(), nullable=False, server_default=sa.text("1")))


def downgrade() -> None:
    """Go down."""
    with op.batch_alter_table("audit") as audit:
        audit.drop_column("times")
