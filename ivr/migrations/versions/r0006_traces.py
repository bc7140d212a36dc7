"""What phones may dial, call traces and their evidence."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006"
down_revision = "0008"

MOMENT = sa.DateTime(timezone=True)
JSONS = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Go up."""
    with op.batch_alter_table("customers") as customers:
        customers.add_column(sa.Column("dial_rights", JSONS, nullable=False, server_default=sa.text("'[]'")))
    op.create_table(
        "call_traces",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=300), nullable=False),
        sa.Column("ticket_number", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(length=10), nullable=False),
        sa.Column("linkedid", sa.String(length=150), nullable=False),
        sa.Column("device", sa.String(length=80), nullable=False),
        sa.Column("other", sa.String(length=80)),
        sa.Column("direction", sa.String(length=5)),
        sa.Column("customer_id", sa.Integer()),
        sa.Column("account_number", sa.String(length=40)),
        sa.Column("language", sa.String(length=5), nullable=False),
        sa.Column("started_at", MOMENT),
        sa.Column("reported_at", MOMENT, nullable=False),
        sa.Column("report_ids", JSONS, nullable=False),
        sa.Column("mos", sa.Float()),
        sa.Column("cause", sa.String(length=20), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("reasons", JSONS, nullable=False),
        sa.Column("route", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("trunk", sa.String(length=40)),
        sa.Column("site", sa.String(length=60)),
        sa.Column("codec", sa.String(length=20)),
        sa.Column("legs", JSONS, nullable=False),
        sa.ForeignKeyConstraint(["ticket_number"], ["tickets.number"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
    )
    for column in ("customer_id", "device", "ticket_number"):
        op.create_index(f"ix_call_traces_{column}", "call_traces", [column])
    op.create_index("ix_call_traces_reported_at_id", "call_traces", ["reported_at", "id"])
    op.create_table(
        "call_trace_evidence",
        sa.Column("trace_id", sa.String(length=40), nullable=False),
        sa.Column("packets", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["trace_id"], ["call_traces.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("trace_id"),
    )
    op.create_table(
        "recommendations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("trace_id", sa.String(length=40), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("given_at", MOMENT, nullable=False),
        sa.Column("answered_at", MOMENT),
        sa.Column("answer", sa.Text()),
        sa.Column("answered_by", sa.String(length=100)),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["trace_id"], ["call_traces.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_recommendations_customer_id", "recommendations", ["customer_id"])
    op.create_table(
        "incident_proposals",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("shared", sa.String(length=10), nullable=False),
        sa.Column("value", sa.String(length=60), nullable=False),
        sa.Column("traces", JSONS, nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_incident_proposals_shared_value", "incident_proposals", ["shared", "value", "updated_at"])


def downgrade() -> None:
    """Go down."""
    op.drop_table("incident_proposals")
    op.drop_table("recommendations")
    op.drop_table("call_trace_evidence")
    op.drop_table("call_traces")
    with op.batch_alter_table("customers") as customers:
        customers.drop_column("dial_rights")
