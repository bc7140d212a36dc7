"""Who follows an incident, which tickets are about one, and who has heard an announcement."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0019"
down_revision = "0020"

JSONS = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Go up."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "incident_followers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("incident_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.String(length=15), nullable=False),
        sa.Column("language", sa.String(length=5), nullable=False),
        sa.Column("call_id", sa.String(length=40)),
        sa.Column("asked_by", sa.String(length=40)),
        sa.Column("at", moment, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_incident_followers"),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incidents.id"], "fk_incident_followers_incident_id_incidents", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("incident_id", "number", name="uq_incident_followers_incident_id_number"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "incident_mailings",
        sa.Column("update_id", sa.Integer(), nullable=False),
        sa.Column("audience", sa.String(length=20), nullable=False),
        sa.Column("after_id", sa.Integer(), nullable=False),
        sa.Column("until_id", sa.Integer(), nullable=False),
        sa.Column("done_at", moment),
        sa.PrimaryKeyConstraint("update_id", "audience", name="pk_incident_mailings"),
        sa.ForeignKeyConstraint(
            ["update_id"],
            ["incident_updates.id"],
            "fk_incident_mailings_update_id_incident_updates",
            ondelete="CASCADE",
        ),
    )
    op.create_table(
        "status_subscribers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("desk", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("address", sa.String(length=254), nullable=False),
        sa.Column("language", sa.String(length=5), nullable=False),
        sa.Column("services", JSONS, nullable=False),
        sa.Column("secret", sa.String(length=64)),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("asked", sa.Integer(), nullable=False),
        sa.Column("asked_at", moment, nullable=False),
        sa.Column("confirmed_at", moment),
        sa.Column("leave", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_status_subscribers"),
        sa.UniqueConstraint("desk", "kind", "address", name="uq_status_subscribers_desk_kind_address"),
        sa.UniqueConstraint("leave", name="uq_status_subscribers_leave"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_status_subscribers_secret", "status_subscribers", ["secret"])
    op.add_column("outbox", sa.Column("leave_url", sa.String(length=500)))
    op.create_table(
        "announcement_hearings",
        sa.Column("announcement_id", sa.Integer(), nullable=False),
        sa.Column("caller", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("announcement_id", "caller", name="pk_announcement_hearings"),
        sa.ForeignKeyConstraint(
            ["announcement_id"],
            ["announcements.id"],
            "fk_announcement_hearings_announcement_id_announcements",
            ondelete="CASCADE",
        ),
    )
    op.add_column("announcements", sa.Column("brief_texts", JSONS))
    op.add_column("announcements", sa.Column("brief_sounds", JSONS))
    op.add_column("tickets", sa.Column("incident_id", sa.Integer()))
    op.create_index("ix_tickets_incident_id", "tickets", ["incident_id"])


def downgrade() -> None:
    """Go down."""
    op.drop_index("ix_tickets_incident_id", table_name="tickets")
    op.drop_column("tickets", "incident_id")
    op.drop_column("announcements", "brief_sounds")
    op.drop_column("announcements", "brief_texts")
    op.drop_column("outbox", "leave_url")
    for table in ("announcement_hearings", "status_subscribers", "incident_mailings", "incident_followers"):
        op.drop_table(table)
