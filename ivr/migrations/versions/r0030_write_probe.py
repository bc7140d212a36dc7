"""A row that is written again and again, to know whether the database takes anything."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ivr.store.metadata import Moment

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    """Go up."""
    op.create_table(
        "write_probe",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_write_probe"),
    )


def downgrade() -> None:
    """Go down."""
    op.drop_table("write_probe")
