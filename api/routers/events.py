"""What happens, as server-sent events (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import StreamingResponse

from api.common import Has
from api.head_requests import events_of
from api.stream_limits import Streams
from ivr.errors import Unavailable
from ivr.events import Event, EventBus, Listener

router = APIRouter(tags=["events"])

#: A comment is sent after this much silence, in seconds, so that a dead connection is noticed on both sides.
_PING_S = 15.0
#: Each listener holds a connection and a queue.
_MOST_LISTENERS = 500


class TooManyListeners(Unavailable):
    """Too many clients listen to events already."""


@router.get("/events", response_class=StreamingResponse, responses={200: {"content": {"text/event-stream": {}}}})
async def events(
    has: Has,
    request: Request,
    last_event_id: Annotated[str | None, Header(description="The last event you have got.")] = None,
) -> Response:
    """Events from now on: call.started, call.queued, call.answered, call.ended, ticket.created, ticket.updated,
    ticket.alarm, emergency.paged, emergency.taken, emergency.late, emergency.called-back, member.changed,
    technician.paused,
    announcement.changed, callback.accepted, callback.waiting, callback.dialling, callback.connected and one for each
    of their ends, desks.changed,
    notice.sent, notice.delivered, notice.refused, notice.unknown, notice.dead, notice.retried.

    With Last-Event-ID, first those that were missed. When they are no longer kept, or the service was started
    again, the first event is `reset`: read the calls and tickets anew. The stream ends when the service stops
    or the client is too slow; come back with Last-Event-ID.
    """
    if has.bus.listeners >= _MOST_LISTENERS:
        raise TooManyListeners(most=_MOST_LISTENERS)
    streams: Streams = request.app.state.streams
    streams.check("events", _MOST_LISTENERS)
    after = _after(last_event_id, has.bus) if last_event_id else None
    lost = bool(last_event_id) and after is None

    def told() -> AsyncIterator[bytes]:
        # From here on nothing is missed, even before the first byte is sent.
        return _stream(has.bus.listen(after=after), has.bus.run, streams, lost=lost)

    return events_of(request, told)


def _after(last_event_id: str, bus: EventBus) -> int | None:
    """The number of the last event got; None when what came after it cannot be told."""
    found = re.fullmatch(r"([0-9a-f]{8})-([0-9]{1,15})", last_event_id.strip(), re.ASCII)
    if found is None or found[1] != bus.run or not bus.remembers(int(found[2])):
        return None
    return int(found[2])


async def _stream(listener: Listener, run: str, streams: Streams, *, lost: bool) -> AsyncIterator[bytes]:
    with listener, streams.open("events", _MOST_LISTENERS) as room:
        if not room:
            return
        # Sends the headers, so that the client knows that it is heard.
        yield b": listening\n\n"
        if lost:
            yield b'event: reset\ndata: {"reason":"missed events are no longer kept"}\n\n'
        while True:
            try:
                async with asyncio.timeout(_PING_S):
                    event = await anext(listener)
            except TimeoutError:
                yield b": still here\n\n"
            except StopAsyncIteration:
                return
            else:
                # What has gathered goes out at once: each sending costs more than what is sent.
                yield b"".join(_written(one, run) for one in (event, *listener.more()))


def _written(event: Event, run: str) -> bytes:
    return f"id: {run}-{event.id}\nevent: {event.kind}\ndata: ".encode() + event.json + b"\n\n"
