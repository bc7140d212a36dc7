"""What Twilio tells of our texts, and those that come in. Its signature, and no token, says that it is Twilio."""

from __future__ import annotations

from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from fastapi import APIRouter, Request, Response

from api.common import Has
from api.deps import Services
from api.problems import ProblemResponse, problem
from ivr.notify import admin
from ivr.notify.twilio_words import MESSAGES_PATH, STATUS_PATH, verified
from ivr.sms_inbox.ingest import Inbound, take_in

router = APIRouter(tags=["notices"])

#: A form of Twilio's has about twenty fields, and two more for each picture.
_FIELDS = 100
#: Of a message's name, and of a status.
_LONGEST_SID, _LONGEST_STATUS = 64, 40


@router.post(STATUS_PATH.removeprefix("/v1"), include_in_schema=False, status_code=204, response_model=None)
async def told(request: Request, has: Has) -> Response:
    """The status callback of Twilio's Messages API."""
    form = await _signed(request, has, STATUS_PATH)
    if form is None:
        return _not_twilio()
    key, sid, status = request.query_params.get("notice"), form.get("MessageSid"), form.get("MessageStatus")
    if key and sid and status and len(sid) <= _LONGEST_SID and len(status) <= _LONGEST_STATUS:
        async with has.store.unit() as unit:
            await admin.twilio_told(
                unit,
                key=key,
                sid=sid,
                status=status,
                error_code=form.get("ErrorCode"),
                at=has.clock(),
                bus=has.bus,
            )
    return Response(status_code=204)


@router.post(MESSAGES_PATH.removeprefix("/v1"), include_in_schema=False, response_model=None)
async def came_in(request: Request, has: Has) -> Response:
    """A text message that came in; it is committed when this is answered, with what Twilio is to write back (TwiML)."""
    form = await _signed(request, has, MESSAGES_PATH)
    if form is None or has.notices.twilio is None:
        return _not_twilio()
    sid, media = form.get("MessageSid", ""), form.get("NumMedia", "0")
    reply = ""
    if 0 < len(sid) <= _LONGEST_SID and form.get("From"):
        given = Inbound(
            key=sid,
            sender=form["From"],
            body=form.get("Body", ""),
            media=int(media) if media.isascii() and media.isdecimal() and len(media) < 4 else 0,
        )
        async with has.store.unit() as unit:
            reply = await take_in(
                unit, given, at=has.clock(), desks=has.desks, bus=has.bus, own=has.notices.twilio.sender
            )
    message = f"<Message>{escape(reply)}</Message>" if reply else ""
    text = f'<?xml version="1.0" encoding="UTF-8"?><Response>{message}</Response>'
    return Response(text, media_type="text/xml")


async def _signed(request: Request, has: Services, path: str) -> dict[str, str] | None:
    """The form, if Twilio signed it; None otherwise."""
    config, public = has.notices.twilio, has.notices.public_url
    form = _form(await request.body())
    signature = request.headers.get("X-Twilio-Signature", "")
    # The address as Twilio called it, not as whatever stands before us passes it on.
    query = f"?{request.url.query}" if request.url.query else ""
    if config is None or public is None or form is None:
        return None
    if verified(config, f"{public}{path}{query}", form, signature):
        return form
    return None


def _form(body: bytes) -> dict[str, str] | None:
    try:
        return dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=_FIELDS))
    except ValueError:
        return None


def _not_twilio() -> ProblemResponse:
    return problem(
        403,
        "forbidden",
        "Not allowed",
        "This request does not carry Twilio's signature.",
        field="X-Twilio-Signature",
        mend="check the auth token and OMNIVIGIL_PUBLIC_URL",
    )
