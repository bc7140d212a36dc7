"""E-mails operations when on-call slots are uncovered: at start-up, and on every change of the rota."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import structlog

from ivr import wording
from ivr.desk.schema import Desk
from ivr.errors import Unavailable
from ivr.notify.outbox import Email, header_text, put_email
from ivr.notify.store import written_since
from ivr.oncall import store
from ivr.oncall.rota import gaps
from ivr.store.engine import Store, Unit

log = structlog.get_logger()

#: Further ahead the rota may still be made.
AHEAD = timedelta(days=14)
_AGAIN = timedelta(days=1)

_WORDS = wording.texts("oncall.gaps")


async def found(unit: Unit, desk: Desk, now: datetime) -> list[tuple[datetime, datetime]]:
    """Return the gaps in the rota, within the time that is looked at."""
    if desk.oncall is None:
        return []
    # By whole days, so that looking twice finds the same.
    start = now.astimezone(desk.zone).replace(hour=0, minute=0, second=0, microsecond=0)
    others = [stint for _, stint in await store.overrides(unit, desk.id, start, start + AHEAD)]
    return gaps(desk.oncall, desk.zone, others, start, start + AHEAD)


async def tell(unit: Unit, desk: Desk, now: datetime) -> list[tuple[datetime, datetime]]:
    """Have operations told by e-mail, if there are any, and not of the same ones again within a day; what was found."""
    await unit.alone("rota", desk.id)
    there = await found(unit, desk, now)
    if there:
        email = _email(desk, there)
        subject = header_text(email.subject)
        if not await written_since(unit, subject=subject, body=email.body, since=now - _AGAIN):
            await put_email(unit, email, at=now)
    return there


async def tell_at_start(database: Store, desks: Mapping[str, Desk], now: datetime) -> None:
    """The desk file may have been saved with a rota that leaves gaps. Raises nothing: calls come first."""
    for desk in desks.values():
        try:
            async with database.unit() as unit:
                there = await tell(unit, desk, now)
        except Unavailable as error:
            log.warning("rota check skipped: database unavailable", desk=desk.id, error=str(error))
        else:
            if there:
                log.warning("on-call rota has gaps; the fallback number is used", event_id="OV2001", desk=desk.id)


def _email(desk: Desk, there: list[tuple[datetime, datetime]]) -> Email:
    language = desk.languages[0]
    words = _WORDS[language]
    fallback = desk.oncall.fallback if desk.oncall is not None else None
    facts = {"desk": desk.name, "id": desk.id, "fallback": fallback}
    lines = [
        words["title"],
        *(
            words["gap"].format(start=start.astimezone(desk.zone), end=end.astimezone(desk.zone))
            for start, end in there
        ),
        "",
        words["fallback" if fallback else "nowhere"].format(**facts),
        words["mend"].format(**facts),
    ]
    return Email(
        to=desk.announcement.ops_email or desk.departments[desk.menu.operator].email,
        subject=words["subject"].format(**facts),
        body="\n".join(lines) + "\n",
        language=language,
    )
