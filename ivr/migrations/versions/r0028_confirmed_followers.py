"""Who is told of an incident by text message has confirmed the number."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    """Go up."""
    with op.batch_alter_table("incident_followers") as followers:
        followers.add_column(sa.Column("confirmed_at", sa.DateTime(timezone=True)))
        followers.add_column(sa.Column("secret", sa.String(length=64)))
        followers.create_index("ix_incident_followers_secret", ["secret"])
    # Whoever was told « c’est fait » is written to until the incident is over.
    op.execute("UPDATE incident_followers SET confirmed_at = at")


def downgrade() -> None:
    """Go down."""
    op.execute("DELETE FROM incident_followers WHERE confirmed_at IS NULL")
    with op.batch_alter_table("incident_followers") as followers:
        followers.drop_index("ix_incident_followers_secret")
        followers.drop_column("secret")
        followers.drop_column("confirmed_at")
