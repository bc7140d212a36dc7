"""How each leg of a call sounded."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Go up."""
    op.add_column("call_legs", sa.Column("mos", sa.Float()))


def downgrade() -> None:
    """Go down."""
    op.drop_column("call_legs", "mos")
