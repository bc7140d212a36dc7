"""Emergencies know whether their caller is a customer, and may stand for a bundle."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Go up."""
    with op.batch_alter_table("emergencies") as emergencies:
        # What waits now is paged for by itself, as it was.
        emergencies.add_column(sa.Column("known", sa.Boolean(), nullable=False, server_default=sa.true()))
        emergencies.add_column(sa.Column("bundle", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    """Go down."""
    with op.batch_alter_table("emergencies") as emergencies:
        emergencies.drop_column("bundle")
        emergencies.drop_column("known")
