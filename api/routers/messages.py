"""Voice messages: what is known of them, and their sound."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import FileResponse

from api.common import Has, Who
from api.messages import message_of, sound_of
from api.paths import MessageId
from api.tickets import VoiceMessageView, message_view

router = APIRouter(tags=["messages"])


@router.get("/messages/{message_id}")
async def read_message(message_id: MessageId, has: Has) -> VoiceMessageView:
    """A message."""
    return VoiceMessageView(**message_view(await message_of(has, message_id)))


@router.get(
    "/messages/{message_id}/audio",
    response_class=FileResponse,
    responses={200: {"content": {"audio/wav": {}}}, 206: {"description": "The range that was asked for."}},
)
async def listen(message_id: MessageId, has: Has, who: Who) -> FileResponse:
    """The recording, as WAV (8 kHz, 16 bit, mono); ranges may be asked for (RFC 9110 section 14).

    It is noted who listens.
    """
    return await sound_of(has, message_id, who.name)
