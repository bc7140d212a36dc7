"""The way to Twilio's API: tells what certainly was not sent from what may have been, and follows no redirects."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

import aiohttp
from twilio.http import AsyncHttpClient
from twilio.http.response import Response

from ivr.notify.retry_after import retry_after_s

#: Until a connection stands, and until the answer is there, in seconds.
_CONNECT_S: Final = 5.0
_ANSWER_S: Final = 12.0
#: More than any answer of theirs, in bytes.
_LARGEST: Final = 4 * 1024 * 1024
_THEIRS: Final = "https://api.twilio.com"


class NotReached(Exception):
    """No connection was made, so nothing was sent."""


class TooMany(Exception):
    """The request was turned away unread (429)."""

    def __init__(self, retry_after_s: float | None) -> None:
        self.retry_after_s = retry_after_s
        super().__init__("too many requests")


class TwilioHttp(AsyncHttpClient):  # type: ignore[misc]
    """For twilio's client; `api` stands in for https://api.twilio.com."""

    def __init__(self, session: aiohttp.ClientSession, api: str) -> None:
        super().__init__(logging.getLogger("twilio"), True)
        self._session = session
        self._api = api

    async def request(
        self,
        method: str,
        uri: str,
        params: Mapping[str, object] | None = None,
        data: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - as the library calls it
        allow_redirects: bool = False,
    ) -> Response:
        """Raises NotReached, TooMany; anything else of aiohttp or TimeoutError: it may have been sent."""
        if not uri.startswith(_THEIRS):
            raise ValueError(f"{uri} is not at {_THEIRS}")
        given: dict[str, Any] = {
            "params": params or None,
            "data": data or None,
            "headers": dict(headers or {}) | _authorization(auth),
        }
        try:
            async with self._session.request(
                method.upper(),
                self._api + uri.removeprefix(_THEIRS),
                **given,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=_ANSWER_S, sock_connect=_CONNECT_S),
            ) as answer:
                if answer.status == 429:
                    raise TooMany(retry_after_s(answer.headers.get("Retry-After")))
                body = await answer.content.read(_LARGEST)
                return Response(answer.status, body.decode("utf-8", "replace"), dict(answer.headers))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotReached(str(error) or type(error).__name__) from error


def _authorization(auth: tuple[str, str] | None) -> dict[str, str]:
    if auth is not None:
        return {"Authorization": aiohttp.encode_basic_auth(*auth)}
    return {}
