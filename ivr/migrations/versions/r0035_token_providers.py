"""Tokens that are good for one provider's directory only."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"


def upgrade() -> None:
    """Go up."""
    with op.batch_alter_table("api_tokens") as tokens:
        tokens.add_column(sa.Column("provider", sa.String(length=40)))


def downgrade() -> None:
    """Go down."""
    # Below, they would be good for every provider's.
    op.execute("DELETE FROM api_tokens WHERE provider IS NOT NULL")
    with op.batch_alter_table("api_tokens") as tokens:
        tokens.drop_column("provider")
