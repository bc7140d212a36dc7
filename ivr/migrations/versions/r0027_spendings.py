"""What was drawn on budgets of text messages and e-mails."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    """Go up."""
    op.create_table(
        "spendings",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("budget", sa.String(length=60), nullable=False),
        sa.Column("subject", sa.String(length=32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_spendings_budget_subject_at", "spendings", ["budget", "subject", "at"])


def downgrade() -> None:
    """Go down."""
    op.drop_table("spendings")
