"""People at partners, who may be warned of incidents by text message."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Go up."""
    op.create_table(
        "partner_contacts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("partner_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=40), nullable=False),
        sa.Column("mobile", sa.String(length=15)),
        sa.Column("language", sa.String(length=5)),
        sa.PrimaryKeyConstraint("id", name="pk_partner_contacts"),
        sa.ForeignKeyConstraint(["partner_id"], ["partners.id"], "fk_partner_contacts_partner_id_partners"),
    )
    op.create_index("ix_partner_contacts_partner_id", "partner_contacts", ["partner_id"])


def downgrade() -> None:
    """Go down."""
    op.drop_table("partner_contacts")
