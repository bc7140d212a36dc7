"""What Twilio tells of our text messages. Its signature, and no token, says that it is Twilio."""

from __future__ import annotations

from urllib.parse import parse_qsl

from fastapi import APIRouter, Request, Response

from api.common import Has
from api.problems import ProblemResponse, problem
from ivr.notify import operations
from ivr.notify.twilio_words import STATUS_PATH, verified

router = APIRouter(tags=["notices"])

#: A form of Twilio's has about twenty fields.
_FIELDS = 100


@router.post(STATUS_PATH.removeprefix("/v1"), include_in_schema=False, status_code=204, response_model=None)
async def told(request: Request, has: Has) -> Response:
    """The status callback of Twilio's Messages API."""
    config, public = has.notices.twilio, has.notices.public_url
    form = _form(await request.body())
    signature = request.headers.get("X-Twilio-Signature", "")
    # The address as Twilio called it, not as whatever stands before us passes it on.
    query = f"?{request.url.query}" if request.url.query else ""
    url = f"{public}{STATUS_PATH}{query}"
    if config is None or public is None or form is None or not verified(config, url, form, signature):
        return _not_twilio()
    key, sid, status = request.query_params.get("notice"), form.get("MessageSid"), form.get("MessageStatus")
    if key and sid and status and len(sid) <= 64 and len(status) <= 40:
        async with has.store.unit() as unit:
            await operations.twilio_told(
                unit,
                key=key,
                sid=sid,
                status=status,
                error_code=form.get("ErrorCode"),
                at=has.clock(),
                bus=has.bus,
            )
    return Response(status_code=204)


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
