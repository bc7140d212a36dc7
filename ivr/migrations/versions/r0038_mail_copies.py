"""E-mails that came in know whom else they were sent to, and are found by their Message-IDs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ivr.store.metadata import json_type

revision = "0038"
down_revision = "0037"


def upgrade() -> None:
    """Go up."""
    with op.batch_alter_table("inbound_mails") as mails:
        mails.add_column(sa.Column("copied", json_type(), nullable=False, server_default="[]"))
    op.create_index("ix_inbound_mails_message_id", "inbound_mails", ["message_id"])


def downgrade() -> None:
    """Go down."""
    op.drop_index("ix_inbound_mails_message_id", "inbound_mails")
    with op.batch_alter_table("inbound_mails") as mails:
        mails.drop_column("copied")
