"""Staff on duty: whoever has no phone of ours cannot dial *22, and is logged in here."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field

from api.common import Has
from api.deps import Services
from api.routers.directory import Provider, ProviderQuery
from api.routers.queues import MemberView, member_view
from ivr.directory.model import Technician
from ivr.errors import NotFound

router = APIRouter(prefix="/staff", tags=["staff"])

StaffKey = Annotated[str, Path(max_length=60, description="Their key in the directory.", examples=["nadia"])]


class StaffNotFound(NotFound):
    """There is no such member of staff."""


class DutyView(BaseModel):
    """Whether somebody answers queues now."""

    staff: str
    on_duty: bool
    endpoint: str | None = Field(
        description="What queues call: a phone, or `outside-17` for a number outside; null with neither."
    )
    queues: list[MemberView] = Field(description="Those they are logged in to.")


def _technician(key: StaffKey, has: Has, provider: Provider, _: ProviderQuery = None) -> Technician:
    found = has.directory.book.staff(provider, key)
    if found is None:
        raise StaffNotFound(staff=key)
    return found


Somebody = Annotated[Technician, Depends(_technician)]


@router.get("/{key}/duty")
async def read_duty(technician: Somebody, has: Has) -> DutyView:
    """Whether they are logged in, and to what."""
    return await _view(has, technician)


@router.put("/{key}/duty")
async def begin_duty(technician: Somebody, has: Has) -> DutyView:
    """Log them in to all of their queues; again does no harm."""
    await has.duty.begin(technician)
    return await _view(has, technician)


@router.delete("/{key}/duty")
async def end_duty(technician: Somebody, has: Has) -> DutyView:
    """Log them out of every queue; again does no harm. A call they are in goes on."""
    await has.duty.end(has.directory.book.answers_on(technician))
    return await _view(has, technician)


async def _view(has: Services, technician: Technician) -> DutyView:
    endpoint = has.directory.book.answers_on(technician)
    mine = [one for one in await has.members.list(None) if one.endpoint == endpoint]
    return DutyView(
        staff=technician.key,
        on_duty=bool(mine),
        endpoint=endpoint,
        queues=[member_view(has, one) for one in mine],
    )
