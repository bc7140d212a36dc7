"""Subscriptions to the status page: asked for, confirmed by whoever owns the address, ended with one click (OV-27)."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any

import structlog

from ivr.clock import Clock
from ivr.desk.schema import Desk
from ivr.errors import BadInput, TooMany
from ivr.notify import budgets
from ivr.notify.outbox import Email, Sms, put_email, put_sms
from ivr.notify.store import opted_out
from ivr.rate_limit import RateLimit
from ivr.refusals import Refusals
from ivr.store.engine import Store, Unit
from ivr.subscriptions import rules, store, words
from ivr.subscriptions.admission import Admission
from ivr.subscriptions.rules import Kind

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
            known = await store.find(unit, desk.id, kind, address)
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
                await store.add(unit, values | new)
            else:
                await store.change(unit, known["id"], values)
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
        async with self._store.unit() as unit:
            reader = await store.confirmed_reader(unit, desk.id, token)
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
            if not await self._confirm(unit, desk, "email", secret):
                raise NotConfirmed(field="token", problem="the link is not valid any more", mend="subscribe again")

    async def confirm_code(self, desk: Desk, number: str, code: str, *, client: str) -> None:
        """Whoever got the text message wants it. Raises NotConfirmed, TooManySubscriptions, StoreUnavailable."""
        self._limited(self._codes, "status-code-network", client)
        refused = NotConfirmed(
            field="code", problem="this is not the code, or it is not valid any more", mend="ask for another one"
        )
        async with self._store.unit() as unit:
            # Counted first, so that guesses that come at once are counted too.
            counted = await store.count_try(unit, desk.id, number, most=rules.MOST_TRIES)
            secret = rules.hashed("sms", desk.id, number, code.strip())
            confirmed = counted and await self._confirm(unit, desk, "sms", secret, address=number)
        if not confirmed:
            raise refused

    async def _confirm(self, unit: Unit, desk: Desk, kind: Kind, secret: str, *, address: str | None = None) -> bool:
        now = self._clock()
        lately = now - rules.CONFIRM_WITHIN
        return await store.confirm(unit, desk.id, kind, secret, asked_after=lately, at=now, address=address)

    async def leave(self, token: str) -> None:
        """End a subscription. Nobody is told whether there was one. Raises StoreUnavailable."""
        async with self._store.unit() as unit:
            gone = await store.leave(unit, token)
        if gone:
            log.info("subscription ended")

    async def page(self, *, desk: str | None, after: int, limit: int) -> Sequence[Any]:
        """For operations: a page of subscribers, the oldest first. Raises StoreUnavailable."""
        async with self._store.reading() as unit:
            return await store.page(unit, desk=desk, after=after, limit=limit)

    async def forget(self, subscriber_id: int) -> bool:
        """Remove one who asked us to; whether there was one. Raises StoreUnavailable."""
        async with self._store.unit() as unit:
            return await store.forget(unit, subscriber_id)


async def erase(unit: Unit, now: Any) -> int:
    """Erase what was never confirmed. How many."""
    return await store.erase_unconfirmed(unit, now - rules.CONFIRM_WITHIN - timedelta(hours=1))
