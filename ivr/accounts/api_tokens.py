"""Bearer tokens of the API (RFC 6750)."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from ivr.accounts import token_store as store
from ivr.clock import Clock, require_aware, system_clock
from ivr.errors import BadInput, NotFound, Unavailable
from ivr.store.engine import Store, Unit
from ivr.ticks import rest

log = structlog.get_logger()

#: `persons` is for what is known about one person; it goes with `write`. Neither `read` nor `write` is for the
#: directory, which has scopes of its own: who writes there gives phones their passwords. `directory:write` reads too.
SCOPES = ("read", "write", "persons", "desks:write", "directory:read", "directory:write")
#: Those that a token of one provider's may have: everything else tells of all of them.
OF_ONE_PROVIDER = ("directory:read", "directory:write")

#: A token that was good is taken for good this long, in seconds, before it is looked up again.
_TRUSTED_S = 5.0
#: When a token was last used is written this often, in seconds.
_NOTED_S = 60.0
#: For longer, make a token without an end.
_LONGEST_DAYS = 3650
_PROVIDER = re.compile(r"[a-z][a-z0-9-]{0,39}")
_NAME = re.compile(r"[^\x00-\x1f\x7f\u0085\u2028\u2029\u202a-\u202e\u2066-\u2069]{1,100}")


class TokenNotFound(NotFound):
    """There is no such token."""


@dataclass(frozen=True, kw_only=True)
class Bearer:
    """Who uses the API, and what they may do."""

    name: str
    scopes: tuple[str, ...]
    #: Whose directory only; None for every provider's.
    provider: str | None = None

    def may(self, scope: str) -> bool:
        """Return whether it has this scope, or one that includes it."""
        return scope in self.scopes or (scope == "directory:read" and "directory:write" in self.scopes)


@dataclass(frozen=True, kw_only=True)
class Token:
    """What is known of a token that is not revoked. `last_used_at` is to the minute."""

    id: int
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    #: Whose directory only; None for every provider's.
    provider: str | None = None


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def check_token_name(name: str) -> str:
    """A token's name: one line. Raises BadInput."""
    if not _NAME.fullmatch(name) or not name.strip():
        mend = "say who will use it, in one line of at most 100 characters"
        raise BadInput(field="name", problem="is not a name of a token", mend=mend)
    return name.strip()


def end_of(days: int | None, at: datetime) -> datetime | None:
    """Return when a token ends that is made now for so many days; None for one without an end. Raises BadInput."""
    if days is None:
        return None
    if not 1 <= days <= _LONGEST_DAYS:
        mend = f"give 1 to {_LONGEST_DAYS}, or nothing for a token without an end"
        raise BadInput(field="days", problem="is not a number of days", mend=mend)
    return require_aware(at) + timedelta(days=days)


async def create_token(
    unit: Unit,
    name: str,
    scopes: Sequence[str],
    at: datetime,
    *,
    expires_at: datetime | None = None,
    provider: str | None = None,
) -> str:
    """A new token, to be shown once: only its digest is kept. It is no good from `expires_at` on.

    With a `provider` it is good for that one's directory only. Raises BadInput for a scope that tells of others.
    """
    token = f"ovt_{secrets.token_urlsafe(32)}"
    await keep_token(unit, token, name, scopes, at, expires_at=expires_at, provider=provider)
    return token


def check_provider_name(provider: str) -> str:
    """The name of a provider, whether this line has desks of it or not. Raises BadInput."""
    if not _PROVIDER.fullmatch(provider):
        mend = "write it as a desk file does, as in main"
        raise BadInput(field="provider", problem="is not the name of a provider", mend=mend)
    return provider


def check_provider(scopes: Sequence[str], provider: str | None) -> None:
    """A token of one provider's tells nothing of others. Raises BadInput."""
    if provider is None:
        return
    check_provider_name(provider)
    if beyond := set(scopes) - set(OF_ONE_PROVIDER):
        problem = f"{', '.join(sorted(beyond))} tells of every provider's"
        raise BadInput(field="provider", problem=problem, mend=f"give it only {' or '.join(OF_ONE_PROVIDER)}")


async def keep_token(
    unit: Unit,
    token: str,
    name: str,
    scopes: Sequence[str],
    at: datetime,
    *,
    expires_at: datetime | None = None,
    provider: str | None = None,
) -> None:
    """Make a token that somebody has already good; again and again if need be."""
    unknown = set(scopes) - set(SCOPES)
    if unknown or not scopes:
        raise ValueError(f"scopes are some of {', '.join(SCOPES)}, not {', '.join(sorted(unknown)) or 'none'}")
    check_provider(scopes, provider)
    await store.put_token(
        unit,
        sha256=_digest(token),
        name=name,
        scopes=list(scopes),
        at=at,
        expires_at=expires_at,
        provider=provider,
    )


async def every(unit: Unit) -> list[Token]:
    """All that are not revoked, by name, the newest first; those that expired among them."""
    return [
        Token(
            id=row.id,
            name=row.name,
            scopes=tuple(row.scopes),
            created_at=row.created_at,
            expires_at=row.expires_at,
            last_used_at=row.last_used_at,
            provider=row.provider,
        )
        for row in await store.every_token(unit)
    ]


async def revoke(unit: Unit, token_id: int, at: datetime) -> str:
    """Make one token worthless; its name. Raises TokenNotFound."""
    name = await store.revoke_token(unit, token_id, at)
    if name is None:
        raise TokenNotFound(token=token_id)
    return name


async def revoke_named(unit: Unit, name: str, at: datetime) -> int:
    """Make every token of this name worthless; how many. Raises TokenNotFound."""
    count = await store.revoke_tokens(unit, name, at)
    if not count:
        raise TokenNotFound(token=name)
    return count


class Tokens:
    """Looks tokens up, remembers the good ones for a few seconds, and when each was last used."""

    def __init__(
        self, database: Store, monotonic: Callable[[], float] = time.monotonic, clock: Clock = system_clock
    ) -> None:
        self._store = database
        self._monotonic = monotonic
        self._clock = clock
        self._good: dict[str, tuple[float, Bearer]] = {}
        #: Uses that are not written yet, by digest.
        self._used: dict[str, datetime] = {}

    async def bearer(self, token: str) -> Bearer | None:
        """Return whose token it is; None when it is nobody's or has expired. Raises StoreUnavailable."""
        digest = _digest(token)
        now = self._monotonic()
        until, bearer = self._good.get(digest, (0.0, None))
        if bearer is not None and now < until:
            return bearer
        async with self._store.reading() as unit:
            found = await store.find_token(unit, digest)
        at = self._clock()
        good = found is not None and hmac.compare_digest(found.sha256, digest)
        if found is None or not good or (found.expires_at is not None and at >= found.expires_at):
            self._good.pop(digest, None)
            return None
        bearer = Bearer(name=found.name, scopes=tuple(found.scopes), provider=found.provider)
        self._good[digest] = (now + _TRUSTED_S, bearer)
        self._used[digest] = at
        return bearer

    async def note_uses(self) -> None:
        """Write when tokens were used since this was called last. Raises StoreUnavailable, and forgets nothing."""
        used = dict(self._used)
        if not used:
            return
        async with self._store.unit() as unit:
            await store.used_tokens(unit, used)
        for digest, at in used.items():
            if self._used.get(digest) == at:
                del self._used[digest]

    async def run(self) -> None:
        """Write uses each minute, for ever."""
        while True:
            await rest(_NOTED_S)
            try:
                await self.note_uses()
            except Unavailable as error:
                log.warning("last uses of API tokens not saved; retrying", error=str(error))
