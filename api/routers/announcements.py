"""The state of a desk's services, as everybody who waits hears it (OV-10)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, File, Form, Response, UploadFile
from fastapi.routing import APIRoute
from pydantic import AwareDatetime, BaseModel, Field
from starlette.datastructures import Headers
from starlette.routing import Match
from starlette.types import Scope

from api.announcements import EXPIRES, STARTS, NewAnnouncement, recordings_of
from api.common import Has, Who
from api.deps import Services
from api.guard import is_form
from api.paths import DeskId, desk_of
from ivr.announcements.model import LONGEST_S
from ivr.desk.schema import Desk


class _OfForms(APIRoute):
    """Takes forms with files, and leaves every other body to the next route of the same address."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] != "http" or not is_form(Headers(scope=scope)):
            return Match.NONE, {}
        return super().matches(scope)


router = APIRouter(tags=["announcements"])

_RECORDINGS = "announce_recordings"
#: One address, two kinds of body: the form is described where it is the only one.
_FORM = {"multipart/form-data": {"schema": {"$ref": f"#/components/schemas/Body_{_RECORDINGS}"}}}


class AnnouncementView(BaseModel):
    """An announcement; `texts` is empty for a recording."""

    id: int
    source: str = Field(description="`text`, `wav`, or `phone` for one recorded with \\*58.")
    texts: dict[str, str]
    starts_at: AwareDatetime
    expires_at: AwareDatetime | None
    created_by: str
    created_at: AwareDatetime


class StateView(BaseModel):
    """What a desk tells to everybody who waits."""

    desk: str
    state: str = Field(description="`normal` or `announced`.")
    in_force: AnnouncementView | None = Field(description="The announcement in force; null when all is well.")
    scheduled: AnnouncementView | None = Field(description="The announcement that follows.")


@router.get("/desks/{desk}/announcement")
async def read_announcement(desk: DeskId, has: Has) -> StateView:
    """What the desk tells to everybody who waits, and what it will."""
    return _state(has, desk_of(has, desk))


@router.put("/desks/{desk}/announcement/recordings", operation_id=_RECORDINGS, deprecated=True)
async def announce_recordings(
    desk: DeskId,
    has: Has,
    who: Who,
    fr: Annotated[UploadFile | None, File(description=f"In French: an uncompressed WAV, {LONGEST_S:g} s.")] = None,
    en: Annotated[UploadFile | None, File(description="In English.")] = None,
    starts_at: Annotated[AwareDatetime | None, Form(description=STARTS)] = None,
    expires_at: Annotated[AwareDatetime | None, Form(description=EXPIRES)] = None,
) -> StateView:
    """Announce recordings, one for each language of the desk, at any usual rate; better sent to the address above."""
    found = desk_of(has, desk)
    recordings = await recordings_of(found, fr=fr, en=en)
    await has.announcer.announce_recordings(found, recordings, starts_at=starts_at, expires_at=expires_at, who=who.name)
    return _state(has, found)


router.add_api_route(
    "/desks/{desk}/announcement",
    announce_recordings,
    methods=["PUT"],
    route_class_override=_OfForms,
    include_in_schema=False,
)


@router.put("/desks/{desk}/announcement", openapi_extra={"requestBody": {"content": _FORM}})
async def announce(desk: DeskId, given: NewAnnouncement, has: Has, who: Who) -> StateView:
    """Announce texts, which the line's voice speaks, or recordings (WAV files of a form); what was announced ends.

    Everybody who waits hears it within seconds, and so does everybody who comes. It is kept over restarts.
    """
    found = desk_of(has, desk)
    await has.announcer.announce_text(
        found, given.texts, starts_at=given.starts_at, expires_at=given.expires_at, who=who.name
    )
    return _state(has, found)


@router.delete("/desks/{desk}/announcement", status_code=204)
async def back_to_normal(desk: DeskId, has: Has, who: Who) -> Response:
    """End what is announced and what is scheduled: all services are operational. Again does no harm."""
    await has.announcer.end(desk_of(has, desk), who.name)
    return Response(status_code=204)


def _state(has: Services, desk: Desk) -> StateView:
    return StateView.model_validate(has.announcer.facts(desk.id))
