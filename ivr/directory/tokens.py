"""Bearer tokens of the API (RFC 6750)."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ivr.directory import store
from ivr.store.engine import Store, Unit

#: `persons` is for what is known about one person; it goes with `write`.
SCOPES = ("read", "write", "persons")

#: A token that was good is taken for good this long, in seconds, before it is looked up again.
_TRUSTED_S = 5.0


@dataclass(frozen=True, kw_only=True)
class Bearer:
    """Who uses the API, and what they may do."""

    name: str
    scopes: tuple[str, ...]


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


async def create_token(unit: Unit, name: str, scopes: Sequence[str], at: datetime) -> str:
    """A new token, to be shown once: only its digest is kept."""
    token = f"ovt_{secrets.token_urlsafe(32)}"
    await keep_token(unit, token, name, scopes, at)
    return token


async def keep_token(unit: Unit, token: str, name: str, scopes: Sequence[str], at: datetime) -> None:
    """Make a token that somebody has already good; again and again if need be."""
    unknown = set(scopes) - set(SCOPES)
    if unknown or not scopes:
        raise ValueError(f"scopes are some of {', '.join(SCOPES)}, not {', '.join(sorted(unknown)) or 'none'}")
    await store.put_token(unit, sha256=_digest(token), name=name, scopes=list(scopes), at=at)


class Tokens:
    """Looks tokens up, and remembers the good ones for a few seconds."""

    def __init__(self, database: Store, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._store = database
        self._monotonic = monotonic
        self._good: dict[str, tuple[float, Bearer]] = {}

    async def bearer(self, token: str) -> Bearer | None:
        """Whose token it is; None when it is nobody's. Raises StoreUnavailable."""
        digest = _digest(token)
        now = self._monotonic()
        until, bearer = self._good.get(digest, (0.0, None))
        if bearer is not None and now < until:
            return bearer
        async with self._store.reading() as unit:
            found = await store.find_token(unit, digest)
        if found is None or not hmac.compare_digest(found[0], digest):
            self._good.pop(digest, None)
            return None
        bearer = Bearer(name=found[1], scopes=found[2])
        self._good[digest] = (now + _TRUSTED_S, bearer)
        return bearer
