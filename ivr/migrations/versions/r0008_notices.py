"""Notices that leave: leases, attempts, opt-outs, endpoints; and e-mail that comes in."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0008"
down_revision = "0007"

MOMENT = sa.DateTime(timezone=True)
JSONS = sa.JSON().with_variant(JSONB(), "postgresql")

_COLUMNS = (
    ("key", sa.String(length=200)),
    ("next_at", MOMENT),
    ("expires_at", MOMENT),
    ("lease", sa.String(length=32)),
    ("leased_until", MOMENT),
    ("begun_at", MOMENT),
    ("unknown_since", MOMENT),
    ("sent_at", MOMENT),
    ("provider_id", sa.String(length=64)),
    ("provider_status", sa.String(length=40)),
    ("error", sa.String(length=500)),
)


def upgrade() -> None:
    """Go up."""
    for name, kind in _COLUMNS:
        op.add_column("outbox", sa.Column(name, kind))
    op.add_column("outbox", sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"))
    _fill()
    op.create_index("ix_outbox_kind_state_next_at", "outbox", ["kind", "state", "next_at"])
    op.create_index("ix_outbox_key", "outbox", ["key"], unique=True)
    op.create_index("ix_outbox_provider_id", "outbox", ["provider_id"], unique=True)
    op.create_table(
        "sms_opt_outs",
        sa.Column("number", sa.String(length=15), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("outbox_id", sa.Integer()),
        sa.ForeignKeyConstraint(["outbox_id"], ["outbox.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_table(
        "webhook_endpoints",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("since_id", sa.Integer(), nullable=False),
        sa.Column("disabled_at", MOMENT),
        sa.Column("disabled_reason", sa.String(length=200)),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "inbound_mails",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("sender", sa.String(length=254), nullable=False),
        sa.Column("recipient", sa.String(length=254), nullable=False),
        sa.Column("subject", sa.String(length=500), nullable=False),
        sa.Column("message_id", sa.String(length=250)),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("attachments", JSONS, nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(length=200)),
        sa.Column("ticket_number", sa.Integer()),
        sa.ForeignKeyConstraint(["ticket_number"], ["tickets.number"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
    )
    op.create_index("ix_inbound_mails_sender_at", "inbound_mails", ["sender", "at"])
    op.create_index("ix_inbound_mails_ticket_number", "inbound_mails", ["ticket_number"])


def _fill() -> None:
    """Rows from before are due now, and each gets a name of its own."""
    outbox = sa.table("outbox", sa.column("id"), sa.column("key"), sa.column("next_at"), sa.column("created_at"))
    connection = op.get_bind()
    for (row_id,) in connection.execute(sa.select(outbox.c.id)).all():
        filled = {"key": secrets.token_hex(16), "next_at": outbox.c.created_at}
        connection.execute(sa.update(outbox).where(outbox.c.id == row_id).values(filled))


def downgrade() -> None:
    """Go down. What is no plain notice, or is not waiting, is known to nobody below; it is not sent again there."""
    op.drop_table("inbound_mails")
    op.drop_table("webhook_endpoints")
    op.drop_table("sms_opt_outs")
    op.execute("DELETE FROM outbox WHERE state <> 'pending' OR kind = 'webhook'")
    for name in ("kind_state_next_at", "key", "provider_id"):
        op.drop_index(f"ix_outbox_{name}", table_name="outbox")
    for name, _ in (*_COLUMNS, ("attempts", None)):
        op.drop_column("outbox", name)
