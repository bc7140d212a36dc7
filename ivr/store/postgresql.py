"""Connections to PostgreSQL, and what its errors mean."""

from __future__ import annotations

import re
import time
from typing import Any

import asyncpg
from pydantic_core import from_json, to_json
from sqlalchemy import event, exc
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

#: Connections that are kept, and how many more are made when all of them are in use.
_CONNECTIONS, _MORE = 10, 10
#: Statements that each connection keeps prepared.
_PREPARED = 500
#: A connection is not kept for longer, in seconds: a name may lead to another server by then.
_OLDEST_S = 1800
#: A server that does not answer a statement within so many times the patience is away.
_SILENT = 3

#: Classes of SQLSTATE (PostgreSQL, appendix A) that tell of the server and not of a statement: connection, resources,
#: operator intervention, system error, configuration file, internal error. A statement that lost a race for a lock, or
#: met a server that may only read, is as badly off.
_AWAY = ("08", "53", "57", "58", "F0", "XX", "25006", "40001", "40P01", "55P03")

#: The server that answers so may be the primary no more: read-only transaction, and shutting down or starting (57P01 to
#: 57P03). Every connection to it is given up, for the others would answer the same.
_DEMOTED = ("25006", "57P0")

#: JSON's escape of the one character that PostgreSQL cannot keep; after a backslash it is none.
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")


def engine(url: str, patience_s: float, connecting_s: float, *, pooled: bool = True) -> AsyncEngine:
    """An engine for `url`; without a pool for migrations, whose statements may take their time."""
    connecting: dict[str, Any] = {
        "timeout": connecting_s,
        "prepared_statement_cache_size": _PREPARED,
        "async_creator_fn": _connect,
        "server_settings": {"application_name": "omnivigil", "timezone": "UTC", "jit": "off"},
    }
    pool: dict[str, Any] = {"poolclass": NullPool}
    if pooled:
        connecting["command_timeout"] = patience_s * _SILENT
        connecting["server_settings"]["lock_timeout"] = f"{round(patience_s * 1000)}ms"
        pool = {"pool_size": _CONNECTIONS, "max_overflow": _MORE, "pool_timeout": connecting_s}
        pool["pool_recycle"] = _OLDEST_S
    made = create_async_engine(
        url, connect_args=connecting, json_serializer=_to_json, json_deserializer=from_json, **pool
    )

    #: Connections made before this moment are to a server that may not be the primary any more.
    left_at = float("-inf")

    @event.listens_for(made.sync_engine, "connect")
    def made_now(_: Any, record: Any) -> None:
        record.info["made_at"] = time.monotonic()

    @event.listens_for(made.sync_engine, "checkout")
    def still_there(connection: Any, record: Any, _: Any) -> None:
        # The driver knows when the server has gone; asking the server would cost a round trip each time.
        if connection.driver_connection.is_closed():
            raise exc.DisconnectionError("the server has closed the connection")
        if record.info["made_at"] <= left_at:
            raise exc.DisconnectionError("the server was demoted, or silent")

    @event.listens_for(made.sync_engine, "handle_error")
    def leave_demoted(context: Any) -> None:
        nonlocal left_at
        demoted = str(_state_of(context.original_exception) or "").startswith(_DEMOTED)
        if demoted or isinstance(context.original_exception, TimeoutError):
            left_at = time.monotonic()
        if demoted:
            context.is_disconnect = True

    @event.listens_for(made.sync_engine, "before_cursor_execute", retval=True)
    def keepable(_: Any, __: Any, statement: str, values: Any, ___: Any, many: bool) -> tuple[str, Any]:
        return statement, [_keepable(row) for row in values] if many else _keepable(values)

    return made


def _keepable(values: Any) -> Any:
    """Texts without the one character that PostgreSQL cannot keep (U+0000); the sender gets the rest."""
    if any(isinstance(value, str) and "\0" in value for value in values or ()):
        return tuple(value.replace("\0", "") if isinstance(value, str) else value for value in values)
    return values


def _to_json(value: Any) -> str:
    return _NUL.sub(rb"\1", to_json(value)).decode()


async def _connect(**given: Any) -> Any:
    """A connection to the one host, or to the first of several that may be written to.

    Each host has its share of the time: one that is frozen takes nothing from those after it.
    """
    hosts, ports = given.pop("host", None), given.pop("port", None)
    if not isinstance(hosts, list):
        return await asyncpg.connect(host=hosts, port=ports, **given)
    wanted = given.pop("target_session_attrs", "read-write")
    share_s = given.pop("timeout") / len(hosts)
    last: Exception | None = None
    for host, port in zip(hosts, ports, strict=True):
        try:
            return await asyncpg.connect(
                host=host, port=int(port), target_session_attrs=wanted, timeout=share_s, **given
            )
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
            last = error
    raise OSError(f"none of {len(hosts)} servers can be written to: {last}") from last


def _state_of(error: BaseException | None) -> str | None:
    """The SQLSTATE that the server gave, of an error of the driver or of what SQLAlchemy makes of it."""
    native = error.__cause__ if error is not None else None
    found: str | None = getattr(native, "sqlstate", None) or getattr(error, "sqlstate", None)
    return found


def is_away(error: exc.DBAPIError) -> bool:
    """Return whether an error of the driver tells that the server cannot work now, and nothing of the statement."""
    native = error.orig.__cause__ if error.orig is not None else None
    state = _state_of(error.orig)
    if state is not None:
        return str(state).startswith(_AWAY)
    # Without a state it is the driver's own: a closed connection, or a value that no column takes.
    return error.connection_invalidated or not isinstance(native, ValueError | TypeError)
