"""Who asked for a text message at each stage of an incident (OV-27). A caller is told « c’est fait » once it is.

A caller can name any number. The number that they call from is theirs as far as the network can tell; the owner of
any other one is asked by one text message, and gets nothing more until they have opened its link.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal

import structlog
from sqlalchemy import delete, func, select, update

from ivr import wording
from ivr.clock import Clock
from ivr.incidents.tables import incident_followers as table
from ivr.notify.budgets import Budget, Draw, spend
from ivr.notify.outbox import Sms, put_sms
from ivr.notify.store import opted_out
from ivr.refusals import Refusals
from ivr.store.engine import Store, Unit

log = structlog.get_logger()

#: One caller may have texts sent to so many numbers about one incident: no more is a nuisance to others.
MOST_ASKED = 3
#: And all those who withhold their number, together.
MOST_WITHHELD = 10
#: So many follow one incident at the most; more than have called in a day.
MOST_OF_ONE = 10_000
#: What owners of numbers are asked by text message: each number once a day, and so many in all.
ASKED_ONE: Final = Budget(name="follow-asked-one", most=1, within=timedelta(days=1))
ASKED_AN_HOUR: Final = Budget(name="follow-asked-hour", most=40, within=timedelta(hours=1))
ASKED_A_DAY: Final = Budget(name="follow-asked-day", most=200, within=timedelta(days=1))
#: The link of that text message is good for so long.
CONFIRM_WITHIN: Final = timedelta(hours=24)
_CONFIRM: Final = wording.text("incidents.confirm")
#: So many calls are remembered; far more than are carried at one time.
_MOST_CALLS = 20_000

#: Makes a call's ticket, if it has one, about an incident: within a transaction, the call's id, the incident's, now.
Hang = Callable[[Unit, str, int, datetime], Awaitable[None]]
Followed = Literal["followed", "already", "asked", "limit", "later", "refused"]


class Followers:
    """Those of all incidents. What calls need without waiting is in memory."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        hang: Hang,
        public_url: str | None = None,
        refusals: Refusals | None = None,
    ) -> None:
        """`public_url` is where owners of numbers find us; without it only the caller's own number may follow."""
        self._store, self._clock, self._hang, self._public_url = store, clock, hang, public_url
        self._refusals = refusals or Refusals()
        #: The incident that a call asked to follow.
        self._calls: dict[str, int] = {}
        #: Numbers that follow an incident already; None until the database was read.
        self._known: set[tuple[int, str]] | None = None

    async def load(self, incidents: Iterable[int]) -> None:
        """Read who follows these. Raises StoreUnavailable."""
        async with self._store.reading() as unit:
            mine = table.c.incident_id.in_(list(incidents)) & table.c.confirmed_at.is_not(None)
            query = select(table.c.incident_id, table.c.number).where(mine)
            self._known = {(row.incident_id, row.number) for row in await unit.execute(query)}

    def follows(self, incidents: Sequence[int], number: str | None) -> bool:
        """Return whether a number follows all of these; False while it is not known."""
        return number is not None and all((one, number) in (self._known or ()) for one in incidents)

    def of_call(self, call_id: str) -> int | None:
        """The incident that this call asked to follow."""
        return self._calls.get(call_id)

    @property
    def asks_owners(self) -> bool:
        """Return whether the owner of a number that nobody calls from can be asked."""
        return self._public_url is not None

    async def follow(
        self,
        incidents: Sequence[int],
        *,
        number: str,
        own: bool,
        desk: str,
        desk_name: str,
        language: str,
        call_id: str,
        asked_by: str | None,
    ) -> Followed:
        """Have a number told of each stage of these incidents, and its call's ticket hang on the first.

        `number` is E.164 digits, `asked_by` the caller's number or phone; `own` when they call from that very number.
        Returns once it is committed: `already` when it followed them all before, `asked` when its owner is to confirm
        it, `limit` when the caller, or all who withhold their number, asked for too many numbers, `later` when too many
        owners were asked, `refused` when the number wants no texts from us, or cannot be asked. Raises
        StoreUnavailable.
        """
        now = self._clock()
        if not own and not self.asks_owners:
            self._refusals.note("follow-unproved")
            return "refused"
        async with self._store.unit() as unit:
            await unit.alone("followers", asked_by)
            if await opted_out(unit, number):
                return "refused"
            most = MOST_ASKED if asked_by is not None else MOST_WITHHELD
            if not own and await self._asked(unit, incidents, asked_by, number) >= most:
                self._refusals.note("follow-caller" if asked_by is not None else "follow-withheld")
                return "limit"
            if await self._full(unit, incidents):
                return "limit"
            kept = await self._keep(unit, incidents, number, language, call_id, asked_by, now if own else None)
            if kept == "asked" and not await self._ask(unit, incidents, number, desk, desk_name, language):
                return "later"
            await self._hang(unit, call_id, incidents[0], now)
        if kept != "asked" and self._known is not None:
            self._known |= {(incident, number) for incident in incidents}
        self._calls[call_id] = incidents[0]
        while len(self._calls) > _MOST_CALLS:
            del self._calls[next(iter(self._calls))]
        return kept

    async def _keep(
        self,
        unit: Unit,
        incidents: Sequence[int],
        number: str,
        language: str,
        call_id: str,
        asked_by: str | None,
        confirmed_at: datetime | None,
    ) -> Followed:
        now, changed = self._clock(), 0
        for incident in incidents:
            row = {
                "incident_id": incident,
                "number": number,
                "language": language,
                "call_id": call_id,
                "asked_by": asked_by,
                "at": now,
                "confirmed_at": confirmed_at,
            }
            changed += (await unit.execute(unit.insert(table).values(row).on_conflict_do_nothing())).rowcount
        mine = table.c.incident_id.in_(incidents) & (table.c.number == number) & table.c.confirmed_at.is_(None)
        if confirmed_at is not None:
            # Somebody else named this number before, and now its owner calls.
            changed += (await unit.execute(update(table).where(mine).values(confirmed_at=confirmed_at))).rowcount
            if changed:
                return "followed"
            return "already"
        # Nobody learns from our answer whether a number that is not theirs follows already.
        return "asked"

    async def _ask(
        self, unit: Unit, incidents: Sequence[int], number: str, desk: str, desk_name: str, language: str
    ) -> bool:
        """Ask a number's owner, unless that was done; whether it is or was. False when too many owners were asked."""
        now = self._clock()
        waits = (table.c.number == number) & table.c.confirmed_at.is_(None)
        fresh = waits & table.c.incident_id.in_(incidents) & table.c.secret.is_(None)
        if (await unit.execute(select(table.c.id).where(fresh).limit(1))).first() is None:
            return True
        asked = waits & table.c.secret.is_not(None) & (table.c.at > now - CONFIRM_WITHIN)
        known = (await unit.execute(select(table.c.secret).where(asked).limit(1))).scalar_one_or_none()
        if known is not None:
            # The link that they have confirms this as well.
            await unit.execute(update(table).where(fresh).values(secret=known))
            return True
        draws = (
            Draw(budget=ASKED_ONE, subject=number),
            Draw(budget=ASKED_AN_HOUR),
            Draw(budget=ASKED_A_DAY),
        )
        if not await spend(unit, draws, now=now, refusals=self._refusals):
            await unit.execute(delete(table).where(fresh))
            return False
        token = secrets.token_urlsafe(16)
        await unit.execute(update(table).where(fresh).values(secret=_hashed(token)))
        spoken = language if language in _CONFIRM else "fr"
        url = f"{self._public_url}/status/{desk}/{spoken}/follow?token={token}"
        body = _CONFIRM[spoken].format(desk=desk_name, url=url)
        await put_sms(unit, Sms(to=number, body=body, language=spoken), at=now)
        return True

    async def confirm(self, token: str) -> bool:
        """The owner of a number wants the texts; twice is as good as once. Whether the token is good.

        Raises StoreUnavailable.
        """
        now = self._clock()
        mine = (table.c.secret == _hashed(token)) & (table.c.at > now - CONFIRM_WITHIN)
        async with self._store.unit() as unit:
            found = (await unit.execute(select(table.c.incident_id, table.c.number).where(mine))).all()
            await unit.execute(update(table).where(mine, table.c.confirmed_at.is_(None)).values(confirmed_at=now))
        if self._known is not None:
            self._known |= {(row.incident_id, row.number) for row in found}
        return bool(found)

    async def _full(self, unit: Unit, incidents: Sequence[int]) -> bool:
        """Return whether so many follow the first of these that no more are taken."""
        query = select(func.count()).select_from(table).where(table.c.incident_id == incidents[0])
        count: int = (await unit.execute(query)).scalar_one()
        self._refusals.spent("follow-incident", count, MOST_OF_ONE)
        if count >= MOST_OF_ONE:
            self._refusals.note("follow-incident", incident=incidents[0])
        return count >= MOST_OF_ONE

    async def _asked(self, unit: Unit, incidents: Sequence[int], asked_by: str | None, but: str) -> int:
        """Return how many other numbers this caller has named, or all who withhold theirs."""
        if asked_by is not None:
            theirs = table.c.asked_by == asked_by
        else:
            theirs = table.c.asked_by.is_(None)
        mine = table.c.incident_id.in_(incidents) & theirs & (table.c.number != but)
        found: int = (await unit.execute(select(func.count(func.distinct(table.c.number))).where(mine))).scalar_one()
        return found


async def count(unit: Unit, incident_id: int) -> int:
    """Return how many numbers follow an incident."""
    mine = (table.c.incident_id == incident_id) & table.c.confirmed_at.is_not(None)
    found: int = (await unit.execute(select(func.count()).select_from(table).where(mine))).scalar_one()
    return found


async def erase(unit: Unit, now: datetime) -> int:
    """Erase numbers whose owners have not confirmed them in time. How many."""
    old = table.c.confirmed_at.is_(None) & (table.c.at <= now - CONFIRM_WITHIN)
    return int((await unit.execute(delete(table).where(old))).rowcount)


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
