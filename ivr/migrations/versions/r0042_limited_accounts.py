"""Accounts of the console that see one provider's line only; a partner's is its partner's provider's."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"


def upgrade() -> None:
    """Go up."""
    with op.batch_alter_table("accounts") as accounts:
        accounts.add_column(sa.Column("limited_to", sa.String(length=40)))
    op.execute(
        "UPDATE accounts SET limited_to = (SELECT provider FROM partners WHERE partners.id = accounts.partner_id) "
        "WHERE partner_id IS NOT NULL"
    )


def downgrade() -> None:
    """Go down."""
    # Below, they would see every provider's. Partners see their own customers in any case.
    op.execute("DELETE FROM accounts WHERE limited_to IS NOT NULL AND partner_id IS NULL")
    with op.batch_alter_table("accounts") as accounts:
        accounts.drop_column("limited_to")
