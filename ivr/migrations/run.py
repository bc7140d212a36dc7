"""Bring a database to a revision of the tables; no alembic.ini is needed."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from ivr.errors import OmnivigilError
from ivr.store.engine import Store

_FOLDER = Path(__file__).parent


class SchemaNewer(OmnivigilError):
    """The database is newer than this version; use the newer one, or restore the backup from before its migration."""


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration."""
    made = Config()
    made.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    made.set_main_option("path_separator", "os")
    made.attributes["connection"] = connection
    return made


def known_revisions() -> list[str]:
    """The revisions of the tables that this version knows, the latest first."""
    return [one.revision for one in ScriptDirectory.from_config(config()).walk_revisions()]


def current_revision(connection: Connection) -> str | None:
    """The revision of a database's tables; None while it has none. Raises SchemaNewer when this version is older."""
    current = MigrationContext.configure(connection).get_current_revision()
    known = known_revisions()
    if current is not None and current not in known:
        raise SchemaNewer(database=current, version_knows_up_to=known[0])
    return current


async def migrate(store: Store, revision: str = "head") -> None:
    """Bring the tables to `revision`, all or nothing. Raises StoreUnavailable, SchemaNewer."""
    await store.reshape(lambda connection: migrate_on(connection, revision))


async def revision_of(store: Store) -> str | None:
    """Return the revision of the tables; None while there are none. Raises StoreUnavailable, SchemaNewer."""
    return await store.inspect(current_revision)


def migrate_on(connection: Connection, revision: str) -> None:
    """Go up or down to `revision` (`head`, `base`, or one's id) within the caller's transaction. Raises SchemaNewer."""
    settings = config(connection)
    if connection.dialect.name == "postgresql":
        # Several services may start at once; SQLite lets in one writer anyway.
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('omnivigil migrations'))"))
    current = current_revision(connection)
    behind = {one.revision for one in ScriptDirectory.from_config(settings).iterate_revisions(current, "base")}
    if revision == "base" or (revision in behind and revision != current):
        command.downgrade(settings, revision)
    else:
        command.upgrade(settings, revision)
