"""Until when whoever left a message out of hours was promised an answer; messages are found by their caller."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

_LATE = sa.text("promised_at IS NOT NULL AND answered_at IS NULL")


def upgrade() -> None:
    """Go up."""
    op.add_column("tickets", sa.Column("promised_at", sa.DateTime(timezone=True)))
    op.create_index("ix_tickets_promised_at", "tickets", ["promised_at"], sqlite_where=_LATE, postgresql_where=_LATE)
    op.create_index("ix_messages_call_id", "messages", ["call_id"])
    op.create_index("ix_messages_number_created_at", "messages", ["number", "created_at"])


def downgrade() -> None:
    """Go down."""
    op.drop_index("ix_messages_number_created_at", table_name="messages")
    op.drop_index("ix_messages_call_id", table_name="messages")
    op.drop_index("ix_tickets_promised_at", table_name="tickets")
    op.drop_column("tickets", "promised_at")
