"""Accounts are found by their number whoever's they are: a ticket's is as somebody wrote it."""

from __future__ import annotations

from alembic import op

revision = "0036"
down_revision = "0035"


def upgrade() -> None:
    """Go up."""
    op.create_index("ix_customers_account", "customers", ["account"])


def downgrade() -> None:
    """Go down."""
    op.drop_index("ix_customers_account", "customers")
