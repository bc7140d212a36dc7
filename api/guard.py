"""What stands before every request: the token, and a look at the body before anything is made of it."""

from __future__ import annotations

import asyncio
import ipaddress
import re
from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import ProblemResponse, problem
from ivr.accounts.api_tokens import Bearer, Tokens
from ivr.errors import Unavailable
from ivr.notify.twilio_words import MESSAGES_PATH, STATUS_PATH

#: The largest body, in bytes.
LARGEST = 1024 * 1024
#: And the largest where recordings may be sent: two minutes as a sound card makes them.
LARGEST_UPLOAD = 24 * LARGEST
#: A body that is too large is read and thrown away up to here, in bytes, so that the client gets to read why.
_PATIENCE_BYTES = 32 * LARGEST
#: A body must be complete after this long, in seconds.
_BODY_S = 10.0

_JSON = ("application/json", "application/merge-patch+json")
#: What is sent to some addresses instead of JSON: files in a form, or a spreadsheet's CSV.
_UPLOADS = re.compile(r"/v1/desks/[^/]+/announcement/recordings")
#: And there either.
_JSON_OR_UPLOADS = re.compile(r"/v1/desks/[^/]+/announcement")
_TABLES = re.compile(r"/v1/incidents/[^/]+/affected\.csv")
#: Browsers send forms there; what they carry against forgery, the console checks.
_FORMS = re.compile(r"/console/.*|/status/[^/]+/[^/]+/(subscribe|code|confirm|leave|follow|incidents/.*)")
_FORM_UPLOADS = re.compile(r"/console/(announcements/[^/]+/recordings|import/preview)")
#: These come as forms and are known by their signature, which their router checks.
_SIGNED = (STATUS_PATH, MESSAGES_PATH)
_TYPES = ((_TABLES, ("CSV", ("text/csv",))), (_FORMS, ("a form", ("application/x-www-form-urlencoded",))))
_READING = ("GET", "HEAD", "OPTIONS")
#: What callers hear and where they are led: for tokens that say so.
_DESK_FILES = re.compile(r"/v1/desks/[^/]+/file(/.*)?")
#: Who are the customers, and their phones' passwords: for tokens that say so.
_DIRECTORY = "/v1/directory/"
#: The figures are open to this machine, where Prometheus's own agent is; not to whom a proxy on it speaks for.
_FIGURES = "/metrics"
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")


class TokenGuard:
    """Lets nothing below /v1 through without a token that allows it (RFC 6750), nor to the figures from elsewhere."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _guarded(scope):
            await self._app(scope, receive, send)
            return
        tokens: Tokens = scope["app"].state.services.tokens
        found = await _bearer(tokens, Headers(scope=scope).getlist("authorization"))
        if isinstance(found, ProblemResponse):
            await found(scope, receive, send)
            return
        needed = _needed(scope["path"], scope["method"])
        if not found.may(needed):
            challenge = f'Bearer error="insufficient_scope", scope="{needed}"'
            refusal = problem(
                403,
                "forbidden",
                "Not allowed",
                f"This token may not {needed}.",
                field="Authorization",
                mend=f"use a token with the scope {needed}",
                headers={"WWW-Authenticate": challenge},
            )
            await refusal(scope, receive, send)
            return
        scope.setdefault("state", {})["bearer"] = found
        await self._app(scope, receive, send)


def _needed(path: str, method: str) -> str:
    what = "read" if method in _READING else "write"
    if what == "write" and _DESK_FILES.fullmatch(path):
        return "desks:write"
    if f"{path}/".startswith(_DIRECTORY):
        return f"directory:{what}"
    return what


async def _bearer(tokens: Tokens, headers: list[str]) -> Bearer | ProblemResponse:
    scheme, _, token = headers[0].partition(" ") if len(headers) == 1 else ("", "", "")
    if scheme.lower() == "bearer" and token.strip():
        try:
            bearer = await tokens.bearer(token.strip())
        except Unavailable:
            mend = "try again soon"
            headers_ = {"Retry-After": "2"}
            detail = "The database does not answer, so tokens cannot be checked."
            return problem(503, "unavailable", "A component is away", detail, mend=mend, headers=headers_)
        if bearer is not None:
            return bearer
    return problem(
        401,
        "unauthorized",
        "No valid token",
        "The request carries no token that is known here.",
        field="Authorization",
        mend="send the header Authorization: Bearer TOKEN",
        headers={"WWW-Authenticate": "Bearer"},
    )


def _guarded(scope: Scope) -> bool:
    if scope["path"] == _FIGURES:
        return not from_here(scope)
    return f"{scope['path']}/".startswith("/v1/") and scope["path"] not in _SIGNED


def from_here(scope: Scope) -> bool:
    """Return whether a request comes from this machine, and not from whomever a proxy on it speaks for."""
    client = scope.get("client")
    if client is None or any(name in _FORWARDED for name in Headers(scope=scope)):
        return False
    try:
        return ipaddress.ip_address(client[0]).is_loopback
    except ValueError:
        return False


class BodyGuard:
    """Takes in a request's body whole, if it is small, complete in time, JSON and UTF-8, or a CSV."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in _READING:
            await self._app(scope, receive, send)
            return
        upload = _for_files(scope["path"]) or _with_files(Headers(scope=scope), scope["path"])
        largest = LARGEST_UPLOAD if upload else LARGEST
        try:
            async with asyncio.timeout(_BODY_S):
                body = await _read(Headers(scope=scope), receive, largest)
        except TimeoutError:
            body = _refusal(
                408, "too-slow", "The body did not come in time.", "send it at once", {"Connection": "close"}
            )
        if body is None:
            return
        signed = scope["path"] in _SIGNED
        if isinstance(body, ProblemResponse):
            refusal = body
        elif signed:
            refusal = None
        else:
            refusal = _check(Headers(scope=scope), body, scope["path"])
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        await self._app(scope, _replay(body if isinstance(body, bytes) else b"", receive), send)


async def _read(headers: Headers, receive: Receive, largest: int) -> bytes | ProblemResponse | None:
    """The body; a refusal when it is too large; None when the client is gone."""
    parts: list[bytes] = []
    size = 0
    declared = headers.get("content-length", "")
    too_large = declared.isdecimal() and int(declared) > largest
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        part = message.get("body", b"")
        size += len(part)
        too_large = too_large or size > largest
        if too_large:
            parts.clear()
        else:
            parts.append(part)
        if not message.get("more_body", False) or size > _PATIENCE_BYTES:
            break
    if too_large:
        return _refusal(413, "too-large", f"The body is larger than {largest} bytes.", "send less", None)
    return b"".join(parts)


def _check(headers: Headers, body: bytes, path: str) -> ProblemResponse | None:
    if not body:
        return None
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        return _refusal(415, "wrong-encoding", "The body is compressed.", "send it as it is", None, "Content-Encoding")
    if _with_files(headers, path):
        return None
    if _for_files(path):
        if not is_form(headers):
            mend = "send the recordings as a form: Content-Type: multipart/form-data"
            return _refusal(415, "wrong-type", "The body is not a form with files.", mend, None, "Content-Type")
        return None
    media_type, _, parameters = headers.get("content-type", "").partition(";")
    charset = parameters.partition("charset=")[2].split(";")[0].strip().strip('"').lower()
    name, media_types = next((known for pattern, known in _TYPES if pattern.fullmatch(path)), ("JSON", _JSON))
    if _TABLES.fullmatch(path) and media_type.strip().lower() in media_types:
        # In whatever its spreadsheet writes; ivr.lists.sheets tells what it is.
        return None
    if media_type.strip().lower() not in media_types or charset not in ("", "utf-8", "utf8"):
        mend = f"send {name} in UTF-8, and say so: Content-Type: {media_types[0]}"
        detail = f"The body is not said to be {name} in UTF-8."
        return _refusal(415, "wrong-type", detail, mend, None, "Content-Type")
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        detail = f"The body is not UTF-8, from byte {error.start} on."
        return _refusal(400, "wrong-encoding", detail, "send it in UTF-8", None)
    if b"\x00" in body:
        return _refusal(400, "wrong-encoding", f"The body is not UTF-8, or not {name}.", f"send {name} in UTF-8", None)
    return None


def _for_files(path: str) -> bool:
    """Return whether nothing but a form with files is taken there."""
    return any(pattern.fullmatch(path) for pattern in (_UPLOADS, _FORM_UPLOADS))


def _with_files(headers: Headers, path: str) -> bool:
    """Return whether this is a form with files, where JSON is taken too."""
    return _JSON_OR_UPLOADS.fullmatch(path) is not None and is_form(headers)


def is_form(headers: Headers) -> bool:
    """Return whether a body is said to be a form with files."""
    return headers.get("content-type", "").partition(";")[0].strip().lower() == "multipart/form-data"


def _refusal(
    status: int, name: str, detail: str, mend: str, headers: Mapping[str, str] | None, field: str = "body"
) -> ProblemResponse:
    return problem(status, name, "The body cannot be used", detail, field=field, mend=mend, headers=headers)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Give the body that was read already, then whatever comes."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
