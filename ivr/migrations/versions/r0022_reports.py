"""The reports that follow incidents, and who asked for them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Go up."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "incident_reports",
        sa.Column("incident_id", sa.Integer(), nullable=False),
        sa.Column("sections", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("updated_at", moment, nullable=False),
        sa.Column("updated_by", sa.String(length=200), nullable=False),
        sa.Column("published_at", moment),
        sa.Column("published_by", sa.String(length=200)),
        sa.Column("reminded", sa.String(length=10)),
        sa.PrimaryKeyConstraint("incident_id", name="pk_incident_reports"),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incidents.id"], "fk_incident_reports_incident_id_incidents", ondelete="CASCADE"
        ),
    )
    op.create_table(
        "report_requests",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("incident_id", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(length=254), nullable=False),
        sa.Column("language", sa.String(length=5), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("asked", sa.Integer(), nullable=False),
        sa.Column("asked_at", moment, nullable=False),
        sa.Column("confirmed_at", moment),
        sa.Column("sent_at", moment),
        sa.PrimaryKeyConstraint("id", name="pk_report_requests"),
        sa.UniqueConstraint("incident_id", "address", name="uq_report_requests_incident_id_address"),
        sa.UniqueConstraint("key", name="uq_report_requests_key"),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incidents.id"], "fk_report_requests_incident_id_incidents", ondelete="CASCADE"
        ),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    """Go down."""
    op.drop_table("report_requests")
    op.drop_table("incident_reports")
