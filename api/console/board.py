"""The live board: one page, kept fresh by server-sent events, and the numbers of its charts."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from api.console import charts, pages
from api.console.board_stream import FRAGMENTS, Boards, Listener
from api.console.guard import STAFF, ConsoleRoute, accounts_of, may, session_of
from api.console.pages import line_of
from api.head_requests import events_of
from api.stream_limits import OF_A_SESSION, Streams

router = APIRouter(prefix="/console/board", route_class=ConsoleRoute, include_in_schema=False)


@router.get("")
@may(*STAFF)
async def board(request: Request) -> Response:
    """The board as it is now; its stream keeps it so."""
    drawn = await _boards(request).drawn(request.state.language)
    return pages.page(request, "board.html.j2", fragments=FRAGMENTS, drawn=drawn)


@router.get("/stream")
@may(*STAFF)
async def stream(request: Request) -> Response:
    """The whole board first, then each part of it that changes."""
    token, accounts = session_of(request).token, accounts_of(request)

    async def still() -> bool:
        return await accounts.session(token) is not None

    boards = _boards(request)
    boards.check_room()
    streams: Streams = request.app.state.streams
    streams.check(token, OF_A_SESSION)
    return events_of(request, lambda: _written(boards, Listener(still), request.state.language, streams, token))


async def _written(
    boards: Boards, listener: Listener, language: str, streams: Streams, token: str
) -> AsyncIterator[bytes]:
    with streams.open(token, OF_A_SESSION) as room, boards.listening(listener, language):
        if not room:
            return
        async for parts in listener:
            yield b"".join(parts.values())


@router.get("/charts.json")
@may(*STAFF)
async def numbers(request: Request) -> JSONResponse:
    """Today's calls per quarter hour, their waits, and how the reported ones sounded."""
    return JSONResponse(await charts.today(line_of(request)))


def _boards(request: Request) -> Boards:
    """Drawn once for everybody who sees the same: each provider's people, and those of the whole line."""
    has = line_of(request)
    boards: dict[str | None, Boards] = request.app.state.boards
    return boards.setdefault(has.provider, Boards(has))
