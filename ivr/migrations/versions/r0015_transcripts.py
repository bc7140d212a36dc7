"""What voice messages say, written down."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Go up."""
    op.add_column("messages", sa.Column("transcript", sa.Text()))


def downgrade() -> None:
    """Go down."""
    op.drop_column("messages", "transcript")
