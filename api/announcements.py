"""Announcements as clients give them: a text in each language, or recordings of a form."""

from __future__ import annotations

import asyncio
from typing import Final

from fastapi import UploadFile
from pydantic import AwareDatetime, Field

from api.common import Given
from ivr.announcements.model import LONGEST_TEXT, both_languages
from ivr.announcements.sounds import wav
from ivr.desk.schema import Desk
from ivr.prompts.audio import Pcm

STARTS: Final = "From when on it is told; without it, at once."
EXPIRES: Final = "Until when; without it, until it is ended."


class NewAnnouncement(Given):
    """A text in each language of the desk."""

    texts: dict[str, str] = Field(
        description=f"By language; at most {LONGEST_TEXT} characters each, without markup.",
        examples=[{"fr": "Une panne touche la région de Québec.", "en": "An outage affects the Quebec City area."}],
        max_length=10,
    )
    starts_at: AwareDatetime | None = Field(default=None, description=STARTS)
    expires_at: AwareDatetime | None = Field(default=None, description=EXPIRES)


async def recordings_of(desk: Desk, *, fr: UploadFile | None, en: UploadFile | None) -> dict[str, Pcm]:
    """Read recordings, one for each language of the desk. Raises BadInput."""
    files = {language: file for language, file in (("fr", fr), ("en", en)) if file is not None}
    both_languages("", files, desk.languages)
    return {language: await asyncio.to_thread(wav, language, await file.read()) for language, file in files.items()}
