"""HEAD is answered as GET is, without the body (RFC 9110 section 9.3.2); a slash too many at the end is taken off."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.responses import RedirectResponse, StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: A device asks for its files below an address that ends with a slash; and programs say the API's addresses exactly.
_EXACT = ("/provision/", "/v1/")


class Heads:
    """Lets every route answer HEAD as it answers GET. What GET would change, a route leaves: see `head_only`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        elsewhere = _without_slash(scope["path"])
        if elsewhere is not None:
            query = scope.get("query_string", b"").decode("latin-1")
            answer = RedirectResponse(quote(elsewhere) + (f"?{query}" if query else ""), status_code=308)
            await answer(scope, receive, send)
            return
        if scope["method"] == "GET":
            await self._app(scope, receive, send)
            return
        asked = {**scope, "method": "GET", "state": {**scope.get("state", {}), "head_only": True}}

        async def without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self._app(asked, receive, without_body)


def head_only(request: Request) -> bool:
    """Whether only the head of the answer is wanted, so that nothing may be used up, counted or opened for it."""
    return bool(getattr(request.state, "head_only", False))


def events_of(request: Request, made: Callable[[], AsyncIterator[bytes]]) -> Response:
    """Return what `made` gives as server-sent events (WHATWG HTML, section 9.2).

    For HEAD their head, and nothing else.
    """
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    if not head_only(request):
        return StreamingResponse(made(), media_type="text/event-stream", headers=headers)
    answer = Response(media_type="text/event-stream", headers=headers)
    # Nobody knows how long a stream is.
    del answer.headers["content-length"]
    return answer


def _without_slash(path: str) -> str | None:
    """The address without the slash at its end; None where there is none, or one belongs there.

    Two slashes at the beginning would name another host (RFC 3986 section 4.2).
    """
    if not path.endswith("/") or path == "/" or path.startswith(("//", "/\\", *_EXACT)):
        return None
    return path.rstrip("/")
