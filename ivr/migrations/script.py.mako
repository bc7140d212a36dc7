"""${message}"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import ivr.store.metadata

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """Go up."""
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    """Go down."""
    ${downgrades if downgrades else "pass"}
