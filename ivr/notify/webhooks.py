"""Tells others' servers of events, signed as Standard Webhooks has it (https://www.standardwebhooks.com)."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from typing import Final

import aiohttp
import structlog
from standardwebhooks import Webhook

from ivr.clock import Clock, system_clock
from ivr.notify import store as statements
from ivr.notify.config import Endpoint
from ivr.notify.delivery import Accepted, Kind, Outcome, Refused, Temporary, Unclear
from ivr.notify.retry_after import retry_after_s
from ivr.notify.ssrf import Forbidden, GuardedResolver, check_url
from ivr.notify.store import Notice
from ivr.store.engine import Unit

log = structlog.get_logger()

#: Until a connection stands, and until the answer is there, in seconds.
_CONNECT_S: Final = 5.0
_ANSWER_S: Final = 15.0


class WebhookSender:
    """Posts rows to their endpoints."""

    kind: Kind = "webhook"

    def __init__(
        self, endpoints: Sequence[Endpoint], session: aiohttp.ClientSession, *, clock: Clock, loopback: bool
    ) -> None:
        """`session` is one of `guarded_session`, with the same `loopback`."""
        self._endpoints = {endpoint.name: endpoint for endpoint in endpoints}
        self._session = session
        self._clock = clock
        self._loopback = loopback

    async def check(self, unit: Unit, notice: Notice) -> Outcome | None:
        """Nothing goes to an endpoint that is disabled, or configured no more."""
        if notice.recipient not in self._endpoints:
            return Refused(reason="there is no such endpoint any more")
        known = (await statements.endpoints(unit)).get(notice.recipient)
        if known is not None and known["disabled_at"] is not None:
            return Refused(reason=f"the endpoint is disabled: {known['disabled_reason']}")
        return None

    async def send(self, notice: Notice) -> Outcome:
        """Post it, with the same webhook-id every time and a signature of this moment."""
        endpoint = self._endpoints[notice.recipient]
        name, at = f"msg_{notice.key}", system_clock()
        try:
            check_url(endpoint.url, loopback=self._loopback)
            async with self._session.post(
                endpoint.url,
                data=notice.body.encode(),
                headers={
                    "Content-Type": "application/json",
                    "User-Agent": "omnivigil",
                    "webhook-id": name,
                    "webhook-timestamp": str(int(at.timestamp())),
                    "webhook-signature": Webhook(endpoint.secret.get_secret_value()).sign(name, at, notice.body),
                },
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=_ANSWER_S, sock_connect=_CONNECT_S),
            ) as answer:
                return _outcome(answer.status, answer.headers.get("Retry-After"))
        except aiohttp.ClientConnectorError as error:
            forbidden = isinstance(error.os_error, Forbidden)
            if forbidden:
                reason = str(error.os_error)
            else:
                reason = f"not reached: {error.os_error or error}"
            return Temporary(reason=reason)
        except Forbidden as error:
            return Temporary(reason=str(error))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return Unclear(reason=f"lost on the way: {type(error).__name__}")

    async def settled(self, unit: Unit, notice: Notice, outcome: Outcome) -> None:
        """An endpoint that is gone is sent nothing more, until somebody enables it again."""
        if isinstance(outcome, Refused):
            await statements.disable_endpoint(unit, notice.recipient, at=self._clock(), reason=outcome.reason)
            log.warning(
                "webhook endpoint disabled", event_id="OV1904", endpoint=notice.recipient, reason=outcome.reason
            )


def _outcome(status: int, wish: str | None) -> Outcome:
    if 200 <= status < 300:
        return Accepted()
    if status == 410:
        return Refused(reason="the endpoint says that it is gone (410)")
    reason = f"the endpoint says {status}"
    return Temporary(
        reason=f"{reason}, and redirects are not followed" if 300 <= status < 400 else reason,
        retry_after_s=retry_after_s(wish),
    )


def guarded_session(*, loopback: bool) -> aiohttp.ClientSession:
    """Connections to the public Internet only; with `loopback`, also to this machine. Close it."""
    connector = aiohttp.TCPConnector(
        resolver=GuardedResolver(loopback=loopback),
        # Each delivery asks for the name again, and a connection that was kept may be one that nobody reads any more.
        use_dns_cache=False,
        force_close=True,
        ssl=ssl.create_default_context(),
    )
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
