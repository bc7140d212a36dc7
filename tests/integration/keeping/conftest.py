"""A database."""

from tests.integration.store.conftest import _logs, _threads_end, database, database_away, migrated, store

__all__ = ["_logs", "_threads_end", "database", "database_away", "migrated", "store"]
