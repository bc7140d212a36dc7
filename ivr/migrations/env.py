"""Alembic runs this; the connection comes from `ivr.migrations.run`."""

from __future__ import annotations

from alembic import context

from ivr.migrations.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite cannot change a column in place; the table is written again.
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
