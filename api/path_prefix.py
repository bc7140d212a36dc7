"""The line below a path of its public address, as in https://example.com/soutien: requests lose it, answers get it.

Pages, redirects and cookies name their addresses from the root. Here, and nowhere else, the path of the public address
is put before them: a page needs to know nothing of it. A proxy may take the path away or pass it on.
"""

from __future__ import annotations

import functools
import re
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Attributes that hold an address. In texts the quotation mark is written &#34;, so that nothing else is taken for one.
_ADDRESS = re.compile(rb'(\s(?:href|src|action|hx-[a-z]+|sse-connect|data-[a-z]+)=")/(?![/\\])')
_COOKIE_PATH = re.compile(r"(;\s*path=)/", re.IGNORECASE)
_LEADING = ("location", "hx-redirect", "hx-location")


@functools.lru_cache(maxsize=16)
def path_of(public_url: str | None) -> str:
    """The path below which the outside finds us, as in /soutien; empty at the root."""
    if public_url:
        return urlsplit(public_url).path.rstrip("/")
    return ""


class BelowPath:
    """Takes the path of the public address off requests and puts it before every address in answers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = _path(scope)
        if scope["type"] != "http" or not path:
            await self._app(scope, receive, send)
            return
        await self._app(_inside(scope, path), receive, _Outgoing(path, send))


class _Outgoing:
    """Sends an answer with the path before its addresses."""

    def __init__(self, path: str, send: Send) -> None:
        self._path, self._send = path, send
        self._start: Message | None = None
        self._page = bytearray()
        self._events = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            _headers(headers, self._path)
            media_type = headers.get("content-type", "")
            self._events = media_type.startswith("text/event-stream")
            if media_type.startswith("text/html"):
                # How long it is, is only known at its end.
                self._start = message
                return
        elif message["type"] == "http.response.body" and self._events:
            # Each event is sent whole.
            message = {**message, "body": self._with_path(message.get("body", b""))}
        elif message["type"] == "http.response.body" and self._start is not None:
            self._page += message.get("body", b"")
            if message.get("more_body", False):
                return
            body = self._with_path(bytes(self._page))
            MutableHeaders(scope=self._start)["content-length"] = str(len(body))
            await self._send(self._start)
            message = {"type": "http.response.body", "body": body}
        await self._send(message)

    def _with_path(self, body: bytes) -> bytes:
        return _ADDRESS.sub(rb"\1" + self._path.encode() + b"/", body)


def _path(scope: Scope) -> str:
    services = getattr(scope["app"].state, "services", None) if "app" in scope else None
    if services is not None:
        return path_of(services.notices.public_url)
    return ""


def _inside(scope: Scope, path: str) -> Scope:
    """The request as it is without the path."""
    if not f"{scope['path']}/".startswith(f"{path}/"):
        return scope
    raw = scope.get("raw_path") or b""
    return {**scope, "path": scope["path"][len(path) :] or "/", "raw_path": raw[len(path) :] or b"/"}


def _headers(headers: MutableHeaders, path: str) -> None:
    for name in _LEADING:
        to = headers.get(name, "")
        if to.startswith("/") and not to.startswith(("//", "/\\")):
            headers[name] = path + to
    cookies = headers.getlist("set-cookie")
    if cookies:
        del headers["set-cookie"]
        for cookie in cookies:
            headers.append("set-cookie", _COOKIE_PATH.sub(rf"\1{path}/", cookie))
