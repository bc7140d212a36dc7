"""Queues: who waits, and which technicians answer."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import AwareDatetime, BaseModel, Field

from api.common import Given, Has, Line
from api.deps import Services
from api.routers.calls import CallView
from ivr.calls.view import summary
from ivr.desk.schema import Desk
from ivr.directory.model import Technician
from ivr.errors import BadInput, NotFound
from ivr.queueing.duty import Member

router = APIRouter(tags=["queues"])

QueueId = Annotated[str, Path(max_length=40, examples=["support"])]
EndpointName = Annotated[
    str,
    Path(
        max_length=40,
        description="A technician's phone, or what stands for their number outside, as outside-17.",
        examples=["7001"],
    ),
]


class QueueNotFound(NotFound):
    """There is no such queue."""


class MemberNotFound(NotFound):
    """This phone is not in the queue."""


class MemberView(BaseModel):
    """A technician in a queue."""

    endpoint: str
    name: str | None
    queue: str
    paused: bool
    in_call: bool
    status: str = Field(description="What their phone does, as Asterisk knows it: idle, in use, ringing, unavailable …")
    calls_taken: int
    last_call: AwareDatetime | None = Field(description="When their last call ended.")


class PlaceView(BaseModel):
    """One place in line: a live caller's, or one that is held for a callback."""

    position: int = Field(description="Counted from 1.")
    since: AwareDatetime = Field(description="When whoever it is first stood in the queue.")
    call_id: str | None
    callback: str | None = Field(description="The callback that the place is held for.")
    wait_s: float | None = Field(description="Estimated seconds until it is answered; null with nobody there.")


class QueueView(BaseModel):
    """A queue, its members and who waits, the longest first."""

    id: str
    desk: str
    members: list[MemberView]
    waiting: list[CallView]
    places: list[PlaceView] = Field(description="As they will be answered, held places too.")


class Pause(Given):
    """To pause or to resume."""

    paused: bool
    reason: Line | None = Field(default=None, max_length=80)


@router.get("/queues")
async def list_queues(has: Has) -> list[QueueView]:
    """Every queue."""
    members = await has.members.list(None)
    return [
        _view(has, queue, desk, [one for one in members if one.queue == queue])
        for desk in has.desks.values()
        for queue in desk.queues
    ]


@router.get("/queues/{queue}")
async def read_queue(queue: QueueId, has: Has) -> QueueView:
    """One queue."""
    desk = _desk(has, queue)
    return _view(has, queue, desk, list(await has.members.list(queue)))


@router.get("/queues/{queue}/members")
async def list_members(queue: QueueId, has: Has) -> list[MemberView]:
    """The technicians who are logged in."""
    _desk(has, queue)
    return [member_view(has, one) for one in await has.members.list(queue)]


@router.put("/queues/{queue}/members/{endpoint}", status_code=200)
async def log_in(queue: QueueId, endpoint: EndpointName, has: Has) -> MemberView:
    """Log a technician in; again does no harm."""
    _desk(has, queue)
    technician = _technician(has, endpoint)
    await has.duty.log_in(technician, endpoint, (queue,))
    return await _member(has, queue, endpoint)


@router.delete("/queues/{queue}/members/{endpoint}", status_code=204)
async def log_out(queue: QueueId, endpoint: EndpointName, has: Has) -> Response:
    """Log a technician out; again does no harm. A call they are in goes on."""
    _desk(has, queue)
    await has.members.remove(queue, endpoint)
    return Response(status_code=204)


@router.put("/queues/{queue}/members/{endpoint}/pause")
async def pause(queue: QueueId, endpoint: EndpointName, given: Pause, has: Has) -> MemberView:
    """Pause a technician, or let them go on."""
    _desk(has, queue)
    await _member(has, queue, endpoint)
    await has.members.pause(queue, endpoint, given.paused, given.reason or "")
    return await _member(has, queue, endpoint)


def _desk(has: Services, queue: str) -> Desk:
    for desk in has.desks.values():
        if queue in desk.queues:
            return desk
    raise QueueNotFound(queue=queue)


def _technician(has: Services, endpoint: str) -> Technician:
    known = has.directory.technician(endpoint)
    if known is None:
        raise BadInput(
            field="endpoint",
            problem="this is not a technician's phone",
            mend="give the phone of a technician of the directory",
        )
    return known


async def _member(has: Services, queue: str, endpoint: str) -> MemberView:
    for one in await has.members.list(queue):
        if one.endpoint == endpoint:
            return member_view(has, one)
    raise MemberNotFound(queue=queue, endpoint=endpoint)


def member_view(has: Services, member: Member) -> MemberView:
    """A member as the API tells it."""
    technician = has.directory.technician(member.endpoint)
    return MemberView(
        endpoint=member.endpoint,
        name=technician.name if technician is not None else None,
        queue=member.queue,
        paused=member.paused,
        in_call=member.in_call,
        status=member.status,
        calls_taken=member.calls_taken,
        last_call=member.last_call,
    )


def _view(has: Services, queue: str, desk: Desk, members: list[Member]) -> QueueView:
    waiting = [call for call in has.calls.live() if call.queue == queue and call.state == "queue"]
    return QueueView(
        id=queue,
        desk=desk.id,
        members=[member_view(has, one) for one in members],
        waiting=[CallView(**summary(call)) for call in waiting],
        places=[
            PlaceView(
                position=position,
                since=place.arrived_at,
                call_id=has.calls.id_of(place.uniqueid),
                callback=place.callback,
                wait_s=has.watch.wait_s(queue, position),
            )
            for position, place in enumerate(has.watch.places(queue), 1)
        ],
    )
