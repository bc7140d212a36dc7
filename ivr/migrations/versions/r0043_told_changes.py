"""Of each change of the directory: how many entries it tells of, and whether listeners were told of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0042"


def upgrade() -> None:
    """Go up."""
    # Not by a new table on SQLite: it would give numbers again that were given before.
    with op.batch_alter_table("directory_changes", recreate="never") as changes:
        changes.add_column(sa.Column("entries", sa.Integer(), nullable=False, server_default=sa.text("1")))
        changes.add_column(sa.Column("told", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    """Go down."""
    with op.batch_alter_table("directory_changes", recreate="never") as changes:
        changes.drop_column("told")
        changes.drop_column("entries")
