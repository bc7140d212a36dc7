"""What people do about notices, and what Twilio tells of them."""

from __future__ import annotations

import secrets
from datetime import datetime

from ivr.errors import BadInput, NotFound
from ivr.events import EventBus
from ivr.notify import store
from ivr.notify.delivery import LIFETIME, heard
from ivr.notify.store import Notice
from ivr.notify.twilio_words import OPTED_OUT
from ivr.store.engine import Unit


class NoticeNotFound(NotFound):
    """There is no such notice."""


class NumberNotFound(NotFound):
    """This number did not opt out."""


class EndpointNotFound(NotFound):
    """There is no such endpoint."""


async def get(unit: Unit, notice_id: int) -> Notice:
    """A notice. Raises NoticeNotFound."""
    found = await store.get(unit, notice_id)
    if found is None:
        raise NoticeNotFound(notice=notice_id)
    return found


async def retry(unit: Unit, notice_id: int, *, at: datetime, even_if_sent: bool) -> Notice:
    """Have a notice sent that was given up. Raises NoticeNotFound, BadInput.

    A text message of which it is not known whether it left is sent again only with `even_if_sent`.
    """
    notice = await get(unit, notice_id)
    if notice.state == "unknown" and not even_if_sent:
        raise BadInput(
            field="even_if_sent",
            problem="it is not known whether this text message left",
            mend="wait until it is found out, or say true to have it sent a second time if need be",
        )
    if notice.state not in ("dead", "refused", "unknown"):
        mend = "only what is dead, refused or unknown is sent again"
        raise BadInput(field="notice_id", problem=f"it is {notice.state}", mend=mend)
    values = {
        "state": "pending",
        "next_at": at,
        "expires_at": at + LIFETIME[notice.kind],
        "attempts": 0,
        "unknown_since": None,
        "error": None,
    }
    if notice.kind == "sms":
        # It is another message from now on: what Twilio tells of the one before is not about it.
        values |= {"key": secrets.token_hex(16), "begun_at": None, "provider_id": None, "provider_status": None}
    await store.change(unit, notice.id, values)
    return await get(unit, notice_id)


async def opt_in(unit: Unit, number: str) -> None:
    """The person at this number wants text messages again. Raises NumberNotFound."""
    if not await store.opt_in(unit, number):
        raise NumberNotFound(number=number)


async def enable(unit: Unit, name: str, *, journal_end: int) -> None:
    """Tell a disabled endpoint of what happens from now on. Raises EndpointNotFound."""
    if name not in await store.endpoints(unit):
        raise EndpointNotFound(endpoint=name)
    values = {"disabled_at": None, "disabled_reason": None, "journal_id": journal_end, "since_id": journal_end}
    await store.change_endpoint(unit, name, values)


async def twilio_told(
    unit: Unit, *, key: str, sid: str, status: str, error_code: str | None, at: datetime, bus: EventBus
) -> None:
    """Twilio tells what became of a message: also of one whose sending was never answered."""
    notice = await store.by_key(unit, key)
    if notice is None or (notice.provider_id is not None and notice.provider_id != sid):
        return
    # The key in the callback's address is this row's own: a name taken from the list by somebody else is wrong.
    await store.claim_provider_id(unit, notice.id, sid, sure=True, now=at)
    if error_code == str(OPTED_OUT):
        await store.opt_out(unit, notice.recipient, at=at, row_id=notice.id)
    state = heard(notice.state, status)
    values = {"provider_id": sid, "provider_status": status}
    if state is None:
        if notice.provider_id is None:
            await store.change(unit, notice.id, values)
        return
    changed: dict[str, object] = {"state": state, "next_at": None, "unknown_since": None, "error": None}
    if state == "dead":
        changed["error"] = f"Twilio says {status}" + (f" ({error_code})" if error_code else "")
    elif notice.sent_at is None:
        changed["sent_at"] = at
    await store.change(unit, notice.id, values | changed)
    data = notice.brief() | {"error": changed["error"]}
    unit.afterwards(lambda: bus.publish(f"notice.{state}", at, data))
