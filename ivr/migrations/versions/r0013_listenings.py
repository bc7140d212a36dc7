"""Who listened to what."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Go up."""
    op.create_table(
        "listenings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("who", sa.String(length=200), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_listenings"),
    )
    op.create_index("ix_listenings_kind_subject_who_at", "listenings", ["kind", "subject", "who", "at"])
    op.create_index("ix_listenings_at_id", "listenings", ["at", "id"])


def downgrade() -> None:
    """Go down."""
    op.drop_table("listenings")
