"""Attempts at a callback that came to nothing on our own side: they do not use up the customer's."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    """Go up."""
    op.add_column("callbacks", sa.Column("interrupted", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Go down."""
    op.drop_column("callbacks", "interrupted")
