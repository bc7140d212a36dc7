"""Subscriptions to the status page: asked for, confirmed by whoever owns the address, ended with one click (OV-27)."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import delete, select, update

from ivr.clock import Clock
from ivr.desk.schema import Desk
from ivr.errors import BadInput, TooMany
from ivr.notify import budgets
from ivr.notify.outbox import Email, Sms, put_email, put_sms
from ivr.notify.store import opted_out
from ivr.rate_limit import RateLimit
from ivr.refusals import Refusals
from ivr.store.engine import Store, Unit
from ivr.subscriptions import rules, words
from ivr.subscriptions.admission import Admission
from ivr.subscriptions.rules import Kind
from ivr.subscriptions.tables import status_subscribers as table

log = structlog.get_logger()


class TooManySubscriptions(TooMany):
    """Too many subscriptions were asked for. Try again later."""


class NotConfirmed(BadInput):
    """A link or a code confirms nothing."""


class Subscribers:
    """All desks' subscribers."""

    def __init__(self, store: Store, clock: Clock, refusals: Refusals | None = None) -> None:
        self._store, self._clock = store, clock
        self._refusals = refusals or Refusals()
        # Apart from each other, so that none of them can be used up by way of another.
        self._emails = Admission("status-email", self._refusals)
        self._numbers = RateLimit(rules.MOST_FROM_ONE, 600)
        self._codes = RateLimit(rules.MOST_TRIED_FROM_ONE, 600)

    def _limited(self, limit: RateLimit, reason: str, client: str) -> None:
        """Raises TooManySubscriptions."""
        network = rules.network_of(client)
        if not limit.allows(network, time.monotonic()):
            self._refusals.note(reason, network=network)
            raise TooManySubscriptions

    async def ask(  # noqa: PLR0913 - a record of them would be made only to be taken apart
        self,
        desk: Desk,
        kind: Kind,
        text: str,
        *,
        language: str,
        services: Collection[str],
        client: str,
        page: str,
        own: Collection[str] = (),
        proof: str = "",
    ) -> str:
        """Ask an address to confirm, and tell nobody whether it has already; the address as it is kept.

        `page` is the status page's address in that language, `client` that of whoever asks. For a number, `proof` is
        the token that confirmed an e-mail address. Returns once it is committed. Raises BadInput, NotConfirmed,
        TooManySubscriptions, StoreUnavailable.
        """
        for one in services:
            if one not in desk.services:
                raise BadInput(field="services", problem="there is no such service", mend="choose from the list")
        regions = {name for queue in desk.queues.values() if queue.callback for name in queue.callback.regions}
        address = (
            rules.email_of(text)
            if kind == "email"
            else rules.number_of(text, region=desk.region, regions=regions or {desk.region}, own=own)
        )
        if kind == "sms":
            self._limited(self._numbers, "status-sms-network", client)
        elif not self._emails.admits(client):
            raise TooManySubscriptions
        now = self._clock()
        if kind == "sms":
            await self._pay(desk, proof)
        secret = rules.new_token() if kind == "email" else rules.new_code()
        async with self._store.unit() as unit:
            await unit.alone("subscriber", desk.id, kind, address)
            mine = (table.c.desk == desk.id) & (table.c.kind == kind) & (table.c.address == address)
            known = (await unit.execute(select(table).where(mine))).mappings().one_or_none()
            if known is not None and (
                known["confirmed_at"] is not None
                or not rules.may_ask(asked=known["asked"], asked_at=known["asked_at"], now=now)
            ):
                return address
            if kind == "sms" and await opted_out(unit, address):
                return address
            values: dict[str, Any] = {
                "language": language,
                "services": sorted(services),
                "secret": rules.hashed(kind, desk.id, address, secret),
                "tries": 0,
                "asked": (known["asked"] if known is not None else 0) + 1,
                "asked_at": now,
            }
            if known is None:
                new = {"desk": desk.id, "kind": kind, "address": address, "leave": rules.new_token()}
                await unit.execute(unit.insert(table).values(values | new))
            else:
                await unit.execute(update(table).where(table.c.id == known["id"]).values(values))
            if kind == "email":
                subject, body = words.to_confirm(desk.name, language, f"{page}/confirm?token={secret}")
                await put_email(unit, Email(to=address, subject=subject, body=body, language=language), at=now)
            else:
                body = words.code(desk.name, language, secret)
                await put_sms(unit, Sms(to=address, body=body, language=language), at=now)
        return address

    async def _pay(self, desk: Desk, proof: str) -> None:
        """Draw on what may be spent for codes, by whoever has this proof. Raises NotConfirmed, TooManySubscriptions."""
        token = rules.hashed("email", desk.id, "", proof)
        mine = (table.c.desk == desk.id) & (table.c.kind == "email") & (table.c.secret == token)
        async with self._store.unit() as unit:
            query = select(table.c.id).where(mine, table.c.confirmed_at.is_not(None))
            reader = (await unit.execute(query)).scalar_one_or_none()
            if reader is None:
                self._refusals.note("status-sms-unproved")
                raise NotConfirmed(
                    field="token",
                    problem="no e-mail address was confirmed with this link",
                    mend="subscribe by e-mail first; text messages are offered once that is confirmed",
                )
            draws = (
                budgets.Draw(budget=rules.SMS_OF_ONE, subject=str(reader)),
                budgets.Draw(budget=rules.SMS_AN_HOUR),
                budgets.Draw(budget=rules.SMS_A_DAY),
            )
            if not await budgets.spend(unit, draws, now=self._clock(), refusals=self._refusals):
                raise TooManySubscriptions

    async def confirm(self, desk: Desk, token: str) -> None:
        """Whoever got the e-mail wants it. Twice is as good as once. Raises NotConfirmed, StoreUnavailable."""
        async with self._store.unit() as unit:
            secret = rules.hashed("email", desk.id, "", token)
            mine = (table.c.desk == desk.id) & (table.c.kind == "email") & (table.c.secret == secret)
            if not await self._confirm(unit, mine):
                raise NotConfirmed(field="token", problem="the link is not valid any more", mend="subscribe again")

    async def confirm_code(self, desk: Desk, number: str, code: str, *, client: str) -> None:
        """Whoever got the text message wants it. Raises NotConfirmed, TooManySubscriptions, StoreUnavailable."""
        self._limited(self._codes, "status-code-network", client)
        refused = NotConfirmed(
            field="code", problem="this is not the code, or it is not valid any more", mend="ask for another one"
        )
        async with self._store.unit() as unit:
            mine = (table.c.desk == desk.id) & (table.c.kind == "sms") & (table.c.address == number)
            # Counted first, so that guesses that come at once are counted too.
            left = mine & table.c.secret.is_not(None) & (table.c.tries < rules.MOST_TRIES)
            tried = await unit.execute(update(table).where(left).values(tries=table.c.tries + 1))
            right = mine & (table.c.secret == rules.hashed("sms", desk.id, number, code.strip()))
            confirmed = tried.rowcount == 1 and await self._confirm(unit, right)
        if not confirmed:
            raise refused

    async def _confirm(self, unit: Unit, mine: Any) -> bool:
        now = self._clock()
        fresh = table.c.asked_at > now - rules.CONFIRM_WITHIN
        # An e-mail's link stays good, for whoever follows it twice; a code is used up.
        done = await unit.execute(update(table).where(mine, fresh).values(confirmed_at=now))
        return done.rowcount == 1

    async def leave(self, token: str) -> None:
        """End a subscription. Nobody is told whether there was one. Raises StoreUnavailable."""
        async with self._store.unit() as unit:
            gone = await unit.execute(delete(table).where(table.c.leave == token))
        if gone.rowcount:
            log.info("subscription ended")

    async def page(self, *, desk: str | None, after: int, limit: int) -> Sequence[Any]:
        """For operations: a page of subscribers, the oldest first. Raises StoreUnavailable."""
        query = select(table).where(table.c.id > after).order_by(table.c.id).limit(limit)
        if desk is not None:
            query = query.where(table.c.desk == desk)
        async with self._store.reading() as unit:
            return (await unit.execute(query)).mappings().all()

    async def forget(self, subscriber_id: int) -> bool:
        """Remove one who asked us to; whether there was one. Raises StoreUnavailable."""
        async with self._store.unit() as unit:
            gone = await unit.execute(delete(table).where(table.c.id == subscriber_id))
        return bool(gone.rowcount)


async def erase(unit: Unit, now: Any) -> int:
    """Erase what was never confirmed. How many."""
    old = table.c.confirmed_at.is_(None) & (table.c.asked_at <= now - rules.CONFIRM_WITHIN - timedelta(hours=1))
    return int((await unit.execute(delete(table).where(old))).rowcount)
