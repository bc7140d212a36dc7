"""The statements on API tokens."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, update

from ivr.accounts.tables import api_tokens
from ivr.store.engine import Unit


async def put_token(
    unit: Unit,
    *,
    sha256: str,
    name: str,
    scopes: list[str],
    at: datetime,
    expires_at: datetime | None = None,
    provider: str | None = None,
) -> None:
    """Keep a token's digest; one that is there already gets these scopes, this end and this provider."""
    values: dict[str, Any] = {"sha256": sha256, "name": name, "scopes": scopes, "created_at": at, "provider": provider}
    values |= {"revoked_at": None, "expires_at": expires_at}
    statement = unit.insert(api_tokens).values(values)
    changed = {column: statement.excluded[column] for column in values if column != "sha256"}
    await unit.execute(statement.on_conflict_do_update(index_elements=["sha256"], set_=changed))


async def find_token(unit: Unit, sha256: str) -> Row[Any] | None:
    """The row of a token that is not revoked."""
    query = select(api_tokens).where(api_tokens.c.sha256 == sha256, api_tokens.c.revoked_at.is_(None))
    return (await unit.execute(query)).one_or_none()


async def every_token(unit: Unit) -> list[Row[Any]]:
    """The rows of all that are not revoked, by name, the newest first."""
    query = (
        select(api_tokens).where(api_tokens.c.revoked_at.is_(None)).order_by(api_tokens.c.name, api_tokens.c.id.desc())
    )
    return list(await unit.execute(query))


async def used_tokens(unit: Unit, used: Mapping[str, datetime]) -> None:
    """Tokens were used, by digest and moment."""
    for sha256, at in used.items():
        await unit.execute(update(api_tokens).where(api_tokens.c.sha256 == sha256).values(last_used_at=at))


async def revoke_token(unit: Unit, token_id: int, at: datetime) -> str | None:
    """Make one token worthless; its name, or None when there is no such token any more."""
    gone = (
        update(api_tokens).where(api_tokens.c.id == token_id, api_tokens.c.revoked_at.is_(None)).values(revoked_at=at)
    )
    name: str | None = (await unit.execute(gone.returning(api_tokens.c.name))).scalar_one_or_none()
    return name


async def revoke_tokens(unit: Unit, name: str, at: datetime) -> int:
    """Make every token of this name worthless; how many there were."""
    done = await unit.execute(
        update(api_tokens).where(api_tokens.c.name == name, api_tokens.c.revoked_at.is_(None)).values(revoked_at=at)
    )
    return done.rowcount
