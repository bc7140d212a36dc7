"""The rota remembers which events of a calendar its overrides came from, and in which version."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"


def upgrade() -> None:
    """Go up."""
    with op.batch_alter_table("oncall_overrides") as overrides:
        overrides.add_column(sa.Column("event", sa.String(length=64)))
        overrides.add_column(sa.Column("occurrence", sa.String(length=16)))
    op.create_index("ix_oncall_overrides_event", "oncall_overrides", ["event"])
    op.create_table(
        "oncall_events",
        sa.Column("desk", sa.String(length=40), nullable=False),
        sa.Column("event", sa.String(length=64), nullable=False),
        sa.Column("occurrence", sa.String(length=16), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("stamped_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("desk", "event", "occurrence", name="pk_oncall_events"),
    )


def downgrade() -> None:
    """Go down."""
    op.drop_table("oncall_events")
    op.drop_index("ix_oncall_overrides_event", "oncall_overrides")
    with op.batch_alter_table("oncall_overrides") as overrides:
        overrides.drop_column("occurrence")
        overrides.drop_column("event")
