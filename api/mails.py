"""E-mails that came in as the API and the console give them out. What strangers sent is never shown as what it says."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from fastapi.responses import FileResponse, Response

from api.deps import Services
from ivr.access_log import store as access_log
from ivr.errors import NotFound
from ivr.mail import store
from ivr.mail.archive import attached, file_of

#: What strangers sent does nothing in a browser.
_HARMLESS: Mapping[str, str] = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"}


class MailNotFound(NotFound):
    """There is no such e-mail."""


class OriginalNotFound(NotFound):
    """The e-mail as it came in is not there (any more)."""


class AttachmentNotFound(NotFound):
    """The e-mail has no such attachment, or is not there (any more)."""


async def mail_of(has: Services, mail_id: int) -> dict[str, Any]:
    """Return an e-mail's row. Raises MailNotFound, StoreUnavailable."""
    async with has.store.reading() as unit:
        found = await store.get(unit, mail_id)
    if found is None:
        raise MailNotFound(mail=mail_id)
    return found


async def original_of(has: Services, mail_id: int, by: str) -> FileResponse:
    """Note who opens it, and give out an e-mail as it came in.

    Raises MailNotFound, OriginalNotFound, StoreUnavailable.
    """
    row = await mail_of(has, mail_id)
    path = file_of(has.mails, row["key"])
    if not await asyncio.to_thread(path.is_file):
        raise OriginalNotFound(mail=mail_id)
    await _note(has, mail_id, by)
    return FileResponse(path, media_type="message/rfc822", filename=f"mail-{mail_id}.eml", headers=dict(_HARMLESS))


async def attachment_of(has: Services, mail_id: int, nth: int, by: str) -> Response:
    """Note who opens it, and give out the nth attachment of an e-mail, from 1, to be saved.

    Raises MailNotFound, AttachmentNotFound, StoreUnavailable.
    """
    row = await mail_of(has, mail_id)
    found = await attached(has.mails, row["key"], nth)
    if found is None:
        raise AttachmentNotFound(mail=mail_id, attachment=nth)
    await _note(has, mail_id, by)
    # Never as what it says it is: a browser must not run or show it here.
    headers = {"Content-Disposition": f"attachment; filename*=utf-8''{quote(found.name, safe='')}"}
    return Response(found.data, media_type="application/octet-stream", headers=headers | dict(_HARMLESS))


async def _note(has: Services, mail_id: int, by: str) -> None:
    async with has.store.unit() as unit:
        await access_log.note(unit, kind="mail", subject=str(mail_id), who=by, at=has.clock())
