"""Operations: what everybody who waits is told, by a text or by one's own voice."""

from __future__ import annotations

import io
import wave
from typing import Annotated

from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.responses import Response
from pydantic import Field

from api.announcements import NewAnnouncement, recordings_of
from api.common import Short
from api.console import pages
from api.console.guard import ConsoleRoute, checked, done, may, who
from api.console.incidents import OPS, Long
from api.console.pages import line_of
from api.console.sign_in import Posted
from api.paths import DeskId, desk_of
from ivr.errors import BadInput
from ivr.prompts.audio import Pcm

router = APIRouter(prefix="/console/announcements", route_class=ConsoleRoute, include_in_schema=False)


class Announcement(Posted):
    """The form for a text."""

    text_fr: Long = ""
    text_en: Long = ""
    hours: Annotated[str, Field(pattern=r"^[0-9]{0,3}$")] = ""


class Heard(Posted):
    """A text that somebody wants to hear first."""

    language: Short
    text: Annotated[str, Field(max_length=2000)]


@router.get("")
@may(*OPS)
async def announcements(request: Request) -> Response:
    """Return what each desk tells now."""
    has = line_of(request)
    told = [(desk, has.announcer.in_force(desk.id), has.announcer.scheduled(desk.id)) for desk in has.desks.values()]
    return pages.page(request, "announcements.html.j2", told=told)


@router.post("/{desk}")
@may(*OPS)
async def announce(desk: DeskId, form: Annotated[Announcement, Form()], request: Request) -> Response:
    """Tell a text; it replaces what was told."""
    has = line_of(request)
    found = desk_of(has, desk)
    texts = {name: text for name in found.languages if (text := getattr(form, f"text_{name}").strip())}
    given = checked(NewAnnouncement, {"texts": texts})
    await has.announcer.announce_text(found, given.texts, starts_at=None, expires_at=None, who=who(request))
    return done(request, "/console/announcements")


@router.post("/{desk}/end")
@may(*OPS)
async def end_announcement(desk: DeskId, request: Request) -> Response:
    """All services are operational again."""
    has = line_of(request)
    await has.announcer.end(desk_of(has, desk), who(request))
    return done(request, "/console/announcements")


@router.post("/{desk}/recordings")
@may(*OPS)
async def announce_recordings(
    desk: DeskId,
    request: Request,
    fr: Annotated[UploadFile | None, File()] = None,
    en: Annotated[UploadFile | None, File()] = None,
) -> Response:
    """Tell what was recorded in the browser, once there is one for each language."""
    has = line_of(request)
    found = desk_of(has, desk)
    made = await recordings_of(found, fr=fr, en=en)
    await has.announcer.announce_recordings(found, made, starts_at=None, expires_at=None, who=who(request))
    return done(request, "/console/announcements")


@router.post("/{desk}/hear")
@may(*OPS)
async def hear_announcement(desk: DeskId, form: Annotated[Heard, Form()], request: Request) -> Response:
    """Return how a text would sound on the telephone, as WAV; nothing is told to anybody."""
    has = line_of(request)
    if not form.text.strip():
        raise BadInput(field=f"text_{form.language[:5]}", problem="there is nothing to say", mend="write a text")
    pcm = await has.announcer.preview(desk_of(has, desk), form.language, form.text)
    return Response(_wav(pcm), media_type="audio/wav")


def _wav(pcm: Pcm) -> bytes:
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(pcm.rate)
        file.writeframes(pcm.samples.tobytes())
    return made.getvalue()
