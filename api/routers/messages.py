"""Voice messages: what is known of them, and their sound."""

from __future__ import annotations

import asyncio
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import APIRouter, Path
from fastapi.responses import FileResponse

from api.common import Has, Who
from api.deps import Services
from api.tickets import VoiceMessageView, message_view
from ivr.access_log import store as listenings
from ivr.errors import NotFound
from ivr.tickets import store

router = APIRouter(tags=["messages"])

MessageId = Annotated[int, Path(ge=1, le=2**31 - 1)]


class MessageNotFound(NotFound):
    """There is no such message."""


class RecordingNotFound(NotFound):
    """The message's recording is not there (any more)."""


@router.get("/messages/{message_id}")
async def read_message(message_id: MessageId, has: Has) -> VoiceMessageView:
    """A message."""
    return VoiceMessageView(**message_view(await _row(has, message_id)))


@router.get(
    "/messages/{message_id}/audio",
    response_class=FileResponse,
    responses={200: {"content": {"audio/wav": {}}}, 206: {"description": "The range that was asked for."}},
)
async def listen(message_id: MessageId, has: Has, who: Who) -> FileResponse:
    """The recording, as WAV (8 kHz, 16 bit, mono); ranges may be asked for (RFC 9110 section 14).

    It is noted who listens.
    """
    row = await _row(has, message_id)
    name = FilePath(row["file"]).name
    path = has.messages / name
    if name != row["file"] or not await asyncio.to_thread(path.is_file):
        raise RecordingNotFound(message=message_id)
    async with has.store.unit() as unit:
        await listenings.note(unit, kind="message", subject=str(message_id), who=who.name, at=has.clock())
    return FileResponse(path, media_type="audio/wav", filename=name, content_disposition_type="inline")


async def _row(has: Services, message_id: int) -> dict[str, Any]:
    async with has.store.reading() as unit:
        found = await store.messages(unit, message_id=message_id)
    if not found:
        raise MessageNotFound(message=message_id)
    return found[0]
