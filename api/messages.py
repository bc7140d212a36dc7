"""Voice messages as the API and the console give them out."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from fastapi.responses import FileResponse

from api.deps import Services
from ivr.access_log import store as access_log
from ivr.errors import NotFound
from ivr.tickets import store


class MessageNotFound(NotFound):
    """There is no such message."""


class RecordingNotFound(NotFound):
    """The message's recording is not there (any more)."""


async def message_of(has: Services, message_id: int) -> dict[str, Any]:
    """Return a message's row. Raises MessageNotFound, StoreUnavailable."""
    async with has.store.reading() as unit:
        found = await store.messages(unit, message_id=message_id)
    if not found:
        raise MessageNotFound(message=message_id)
    return found[0]


async def sound_of(has: Services, message_id: int, by: str) -> FileResponse:
    """Note who listens, and give out the recording. Raises MessageNotFound, RecordingNotFound, StoreUnavailable."""
    row = await message_of(has, message_id)
    name = Path(row["file"]).name
    path = has.messages / name
    if name != row["file"] or not await asyncio.to_thread(path.is_file):
        raise RecordingNotFound(message=message_id)
    async with has.store.unit() as unit:
        await access_log.note(unit, kind="message", subject=str(message_id), who=by, at=has.clock())
    return FileResponse(path, media_type="audio/wav", filename=name, content_disposition_type="inline")
