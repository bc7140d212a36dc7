"""When a token was last used and until when it is good; passwords that must be changed; where sessions came from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"


def upgrade() -> None:
    """Go up."""
    with op.batch_alter_table("api_tokens") as tokens:
        tokens.add_column(sa.Column("expires_at", sa.DateTime(timezone=True)))
        tokens.add_column(sa.Column("last_used_at", sa.DateTime(timezone=True)))
    with op.batch_alter_table("accounts") as accounts:
        accounts.add_column(sa.Column("must_change", sa.Boolean(), nullable=False, server_default=sa.false()))
        accounts.add_column(sa.Column("last_sign_in_at", sa.DateTime(timezone=True)))
    with op.batch_alter_table("account_sessions") as sessions:
        sessions.add_column(sa.Column("source", sa.String(length=60)))


def downgrade() -> None:
    """Go down."""
    with op.batch_alter_table("account_sessions") as sessions:
        sessions.drop_column("source")
    with op.batch_alter_table("accounts") as accounts:
        accounts.drop_column("last_sign_in_at")
        accounts.drop_column("must_change")
    with op.batch_alter_table("api_tokens") as tokens:
        tokens.drop_column("last_used_at")
        tokens.drop_column("expires_at")
