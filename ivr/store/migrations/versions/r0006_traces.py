"""What phones may dial, call traces and their evidence."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006"
down_revision = "0003"

MOMENT = sa.DateTime(timezone=True)
JSONS = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Go up."""
    with op.batch_alter_table("customers") as customers:
        customers.add_column(sa.Column("dial_rights", JSONS, nullable=False, server_default=sa.text("'[]'")))


def downgrade() -> None:
    """Go down."""
    with op.batch_alter_table("customers") as customers:
        customers.drop_column("dial_rights")
