"""Signing in and out. A try counts before its verdict is told, and the verdict is the same whatever was wrong."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from ivr.accounts import passwords, second_factor, sign_in_limits, store
from ivr.accounts.fair_queue import LineFull, Turns
from ivr.accounts.model import (
    IDLE,
    LONGEST,
    Account,
    Role,
    check_bound,
    check_name,
    check_password,
    check_role,
    session_over,
)
from ivr.accounts.secret_encryption import KeyLost, Seal
from ivr.accounts.sign_in_limits import Counted
from ivr.clock import Clock
from ivr.errors import BadInput, NotFound, TooMany, Unavailable
from ivr.rate_limit import Seldom
from ivr.store.engine import Store, Unit

log = structlog.get_logger()

#: A session's last use is written this often at most.
_SEEN = timedelta(minutes=1)
#: Argon2 takes 64 MiB and a core for each check.
_CHECKS_AT_ONCE = 2
#: So many wait for one, some seconds at most; known browsers apart.
_CHECKS_WAITING = 10
#: Answers of 400 and more are failures; how a sign-in that failed is told.
_FAILED = 400


class AccountNotFound(NotFound):
    """There is no such account."""


class NotSignedIn(BadInput):
    """Name, password or code are wrong."""

    def __init__(self) -> None:
        super().__init__(field="password", problem="name, password or code are wrong", mend="check all three")


class TooManySignIns(TooMany):
    """Too many sign-ins were tried."""


@dataclass(frozen=True, kw_only=True)
class Session:
    """Who is signed in, by which token."""

    token: str
    account: Account
    #: By which its browser is known later; only of a new session.
    mark: str = ""

    @property
    def csrf(self) -> str:
        """Return what every form of this session carries."""
        return csrf_of(self.token)


def csrf_of(token: str) -> str:
    """Return what proves that a form came from a page that was given to this token's holder."""
    return hmac.new(token.encode(), b"csrf", hashlib.sha256).hexdigest()


def digest(token: str) -> str:
    """Return what is kept of a session's token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


async def create_account(  # noqa: PLR0913 - a record of them would be made only to be taken apart
    unit: Unit,
    *,
    name: str,
    role: str,
    password_hash: str,
    at: datetime,
    partner_id: int | None = None,
    endpoint: str | None = None,
    must_change: bool = False,
    limited_to: str | None = None,
) -> int:
    """A new account's id; with `limited_to` it sees and changes one provider's line only. Raises BadInput."""
    known = check_role(role)
    check_bound(known, partner_id, endpoint)
    values = {
        "name": check_name(name),
        "role": known,
        "partner_id": partner_id,
        "endpoint": endpoint,
        "password_hash": password_hash,
        "created_at": at,
        "must_change": must_change,
        "limited_to": limited_to,
    }
    made = await store.add(unit, values)
    if made is None:
        raise BadInput(field="name", problem="is another account's already", mend="choose another")
    return made


class Accounts:
    """Accounts and their sessions."""

    def __init__(
        self,
        database: Store,
        clock: Clock,
        seal: Seal,
        matches: Callable[[str | None, str], bool] = passwords.matches,
    ) -> None:
        self._store = database
        self._seal = seal
        self._clock = clock
        self._matches = matches
        self._seldom = Seldom()
        self._turns = Turns(at_once=_CHECKS_AT_ONCE, waiting=_CHECKS_WAITING)

    async def sign_in(
        self, *, name: str, password: str, code: str, source: str, marks: Mapping[int, str] | None = None
    ) -> Session:
        """A new session. `source` is the address it is tried from, `marks` what the browser has, by account.

        Raises NotSignedIn, TooManySignIns, and StoreUnavailable, and then nothing was judged.
        """
        name, now = name.strip().lower(), self._clock()
        async with self._store.reading() as unit:
            row = await store.row_of(unit, name)
        good_hash = None
        if row is not None and row.disabled_at is None:
            good_hash = row.password_hash
        mark = (marks or {}).get(row.id, "") if row is not None else ""
        browser = None
        if row is not None and good_hash is not None and self._known(mark, row.id, good_hash):
            browser = mark
        counted = sign_in_limits.counted(account=name, address=source, browser=browser)
        right = await self._judged(counted, good_hash, password)
        if not right or row is None:
            raise NotSignedIn
        token = secrets.token_urlsafe(32)
        async with self._store.unit() as unit:
            await unit.alone("account", row.id)
            # As it is now: the code may have been used, and the password changed, while this one was checked.
            row = await store.row_of(unit, name)
            if row is None or row.password_hash != good_hash or row.disabled_at is not None:
                raise NotSignedIn
            if row.totp_secret is not None and not await self._second(unit, row.id, row, code, now):
                raise NotSignedIn
            await store.forget_tries(unit, store.subject(counted[-1].kind, counted[-1].name))
            await store.forget_sessions(unit, begun_before=now - LONGEST, seen_before=now - IDLE)
            await store.add_session(unit, digest(token), row.id, now, source)
            await store.change(unit, row.id, {"last_sign_in_at": now})
        mark = sign_in_limits.mark(account_id=row.id, password_hash=row.password_hash, now=now)
        return Session(token=token, account=store.account_of(row._mapping), mark=mark)

    def _known(self, mark: str, account_id: int, password_hash: str) -> bool:
        return sign_in_limits.known(mark, account_id=account_id, password_hash=password_hash, now=self._clock())

    async def _judged(self, counted: Sequence[Counted], good_hash: str | None, password: str) -> bool:
        """Return whether it is the password; the try counts before. Raises TooManySignIns."""
        now = self._clock()
        try:
            async with self._turns.turn(known=len(counted) == 1):
                async with self._store.unit() as unit:
                    # The widest first, always: two at once do not wait for one another.
                    tries = [await store.tried(unit, store.subject(one.kind, one.name), now) for one in counted]
                for count, one in zip(tries, counted, strict=True):
                    if count > one.most:
                        self._tell(f"too many tries for one {one.kind}", counted)
                        raise TooManySignIns
                return await asyncio.to_thread(self._matches, good_hash, password)
        except LineFull:
            self._tell("too many wait for a check already", counted)
            raise TooManySignIns from None

    def _tell(self, reason: str, counted: Sequence[Counted]) -> None:
        """One line a minute for each reason, with the last one's source; names that were typed may be passwords."""
        if count := self._seldom.due(reason, time.monotonic()):
            source = next((one.name for one in counted if one.kind == "source"), "a known browser")
            log.warning("sign-ins refused", reason=reason, count=count, source=source)

    async def _second(self, unit: Unit, account_id: int, row: object, code: str, now: datetime) -> bool:
        kept, last = getattr(row, "totp_secret", ""), getattr(row, "totp_step", None)
        step = None
        try:
            step = second_factor.step_of(self._seal.open(account_id, kept), code.replace(" ", ""), now, last)
        except KeyLost as error:
            # Recovery codes need no key.
            log.error("second factor unreadable", event_id="OV1301", account=account_id, mend=error.facts["mend"])
        if step is not None:
            await store.change(unit, account_id, {"totp_step": step})
            return True
        recovery = second_factor.recovery_digest(code)
        return recovery is not None and await store.use_recovery_code(unit, account_id, recovery)

    async def session(self, token: str) -> Session | None:
        """Return whose session it is; None when it is nobody's (any more). Raises StoreUnavailable."""
        sha256, now = digest(token), self._clock()
        async with self._store.reading() as unit:
            row = await store.session(unit, sha256)
        if row is None or row.disabled_at is not None:
            return None
        if session_over(created_at=row.begun_at, seen_at=row.seen_at, now=now):
            return None
        if now - row.seen_at >= _SEEN:
            # A page that only reads is given all the same while nothing can be written.
            with contextlib.suppress(Unavailable):
                async with self._store.unit() as unit:
                    await store.seen(unit, sha256, now)
        return Session(token=token, account=store.account_of(row._mapping))

    async def sign_out(self, session: Session) -> None:
        """End a session."""
        async with self._store.unit() as unit:
            await store.end_session(unit, digest(session.token))

    async def change_password(self, session: Session, *, old: str, new: str) -> None:
        """Give the account another password; its other sessions end. Raises NotSignedIn, BadInput."""
        check_password(new, session.account.name)
        if new == old:
            raise BadInput(field="new", problem="is the one you have", mend="choose another")
        await self._prove(session, old)
        new_hash = await asyncio.to_thread(passwords.hashed, new)
        async with self._store.unit() as unit:
            await unit.alone("account", session.account.id)
            await store.change(unit, session.account.id, {"password_hash": new_hash, "must_change": False})
            await store.end_sessions(unit, session.account.id, but=digest(session.token))

    async def _prove(self, session: Session, password: str) -> None:
        """Whoever sits at the screen is the one who signed in. Raises NotSignedIn, TooManySignIns."""
        # Nobody but this session's holder can use its tries up.
        own = Counted(kind="session", name=digest(session.token), most=sign_in_limits.TRIES_ACCOUNT)
        async with self._store.reading() as unit:
            row = await store.row_of(unit, session.account.name)
        if not await self._judged((own,), row.password_hash if row is not None else None, password):
            raise NotSignedIn
        async with self._store.unit() as unit:
            await store.forget_tries(unit, store.subject(own.kind, own.name))

    async def enrol(self, session: Session, *, secret: str, code: str, password: str) -> list[str]:
        """Ask for codes of this secret from now on; the recovery codes, to be shown once.

        Raises NotSignedIn, and BadInput when the code is not the secret's.
        """
        await self._prove(session, password)
        step = second_factor.step_of(secret, code.replace(" ", ""), self._clock(), None)
        if step is None:
            mend = "give the six digits that the application shows now"
            raise BadInput(field="code", problem="does not fit the picture", mend=mend)
        codes = second_factor.new_recovery_codes()
        sealed = self._seal.seal(session.account.id, secret)
        digests = [second_factor.recovery_digest(one) or "" for one in codes]
        async with self._store.unit() as unit:
            await store.change(unit, session.account.id, {"totp_secret": sealed, "totp_step": step})
            await store.put_recovery_codes(unit, session.account.id, digests)
            await store.end_sessions(unit, session.account.id, but=digest(session.token))
        return codes

    async def unenrol(self, session: Session, *, password: str) -> None:
        """Ask for no codes any more. Raises NotSignedIn."""
        await self._prove(session, password)
        async with self._store.unit() as unit:
            await store.change(unit, session.account.id, {"totp_secret": None, "totp_step": None})
            await store.put_recovery_codes(unit, session.account.id, ())

    # Administrators ------------------------------------------------------------------------------------

    async def create(
        self,
        *,
        name: str,
        role: Role,
        password: str,
        partner_id: int | None,
        endpoint: str | None,
        must_change: bool = False,
        limited_to: str | None = None,
    ) -> None:
        """A new account, as `create_account` makes it. Raises BadInput."""
        password_hash = await asyncio.to_thread(passwords.hashed, check_password(password, name))
        async with self._store.unit() as unit:
            await create_account(
                unit,
                name=name,
                role=role,
                password_hash=password_hash,
                at=self._clock(),
                partner_id=partner_id,
                endpoint=endpoint,
                must_change=must_change,
                limited_to=limited_to,
            )

    # What was done -------------------------------------------------------------------------------------

    async def note(self, *, who: str, source: str, action: str, subject: str, fields: Iterable[str]) -> int:
        """Note that somebody is about to do something; the line's id. Raises StoreUnavailable."""
        async with self._store.unit() as unit:
            return await store.note(
                unit, at=self._clock(), who=who, source=source, action=action, subject=subject, fields=fields
            )

    async def noted(self, line: int, outcome: int, tried_as: str | None = None) -> None:
        """How it ended, as an HTTP status.

        `tried_as` is what was typed as a name to sign in with; it is kept if it is an account's. Anybody can make
        sign-ins fail: those that say the same are one line for a quarter of an hour.
        """
        async with self._store.unit() as unit:
            known = None
            if tried_as:
                known = await store.row_of(unit, tried_as.strip().lower())
            await store.noted(unit, line, outcome, known.name if known is not None else None)
            if tried_as is not None and outcome >= _FAILED:
                await store.bundle(unit, line)
