"""Runs the migrations over a connection that is there already; no alembic.ini is needed."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

_FOLDER = Path(__file__).parent / "migrations"


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration."""
    made = Config()
    made.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    made.set_main_option("path_separator", "os")
    made.attributes["connection"] = connection
    return made


def migrate(connection: Connection, revision: str) -> None:
    """Go up or down to `revision` (`head`, `base`, or one's id) within the caller's transaction."""
    settings = config(connection)
    if connection.dialect.name == "postgresql":
        # Several services may start at once; SQLite lets in one writer anyway.
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('omnivigil migrations'))"))
    current = MigrationContext.configure(connection).get_current_revision()
    behind = {one.revision for one in ScriptDirectory.from_config(settings).iterate_revisions(current, "base")}
    if revision == "base" or (revision in behind and revision != current):
        command.downgrade(settings, revision)
    else:
        command.upgrade(settings, revision)
