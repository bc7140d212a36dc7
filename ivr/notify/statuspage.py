"""Pushes incidents to an account at Statuspage (https://developer.statuspage.io), for readers who are there (OV-27).

Its requests are not idempotent: repeated, each would be another update. So every attempt looks first; our own ids are
kept in the incident's metadata there, and what is there already is not sent again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import aiohttp

from ivr.notify.config import Statuspage
from ivr.notify.delivery import Accepted, Kind, Outcome, Permanent, Temporary, Unclear
from ivr.notify.retry_after import retry_after_s
from ivr.notify.store import Notice
from ivr.store.engine import Unit

_ANSWER_S: Final = aiohttp.ClientTimeout(total=15.0, sock_connect=5.0)
#: An incident is looked for among so many, the latest.
_LOOKED_AT: Final = 100
#: These say that our key or our page is wrong, which is mended in the configuration.
_OURS: Final = frozenset({401, 403, 404})


class _Said(Exception):
    """Statuspage said something else than was hoped for."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome


class StatuspageSender:
    """Rows of kind statuspage; one worker with one slot, so that updates arrive in their order."""

    kind: Kind = "statuspage"

    def __init__(self, config: Statuspage, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._url = f"{config.api}/v1/pages/{config.page}/incidents"
        self._headers = {"Authorization": f"OAuth {config.key.get_secret_value()}", "User-Agent": "omnivigil"}

    async def check(self, unit: Unit, notice: Notice) -> Outcome | None:
        """Nothing is known beforehand."""
        return None

    async def send(self, notice: Notice) -> Outcome:
        """Open the incident there, or add the update to it, unless that is done already."""
        said: dict[str, Any] = json.loads(notice.body)
        mine, update = str(said["metadata"]["omnivigil"]["incident"]), int(said["metadata"]["omnivigil"]["update"])
        try:
            there = next((one for one in await self._list() if _ours(one).get("incident") == mine), None)
        except _Said as error:
            return error.outcome
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            # Nothing but a question was asked.
            return Temporary(reason=f"Statuspage is not reached: {type(error).__name__}")
        if there is not None and int(_ours(there).get("update", 0)) >= update:
            return Accepted(provider_id=_name(there, update))
        method, url = ("POST", self._url) if there is None else ("PATCH", f"{self._url}/{there['id']}")
        try:
            made = await self._ask(method, url, {"incident": said})
        except _Said as error:
            return error.outcome
        except aiohttp.ClientConnectorError as error:
            return Temporary(reason=f"Statuspage is not reached: {error.os_error}")
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            return Unclear(reason=f"Statuspage was lost on the way: {type(error).__name__}")
        return Accepted(provider_id=_name(made, update))

    async def settled(self, unit: Unit, notice: Notice, outcome: Outcome) -> None:
        """Nothing follows."""

    async def _list(self) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = await self._ask("GET", f"{self._url}?limit={_LOOKED_AT}", None)
        return found

    async def _ask(self, method: str, url: str, body: Mapping[str, Any] | None) -> Any:
        async with self._session.request(
            method, url, json=body, headers=self._headers, timeout=_ANSWER_S, allow_redirects=False
        ) as answer:
            if 200 <= answer.status < 300:
                return await answer.json()
            raise _Said(_refusal(answer.status, answer.headers.get("Retry-After"), method))


def _refusal(status: int, wish: str | None, method: str) -> Outcome:
    reason = f"Statuspage says {status}"
    if 400 <= status < 500 and status not in _OURS and status not in (408, 420, 429):
        return Permanent(reason=reason)
    if status >= 500 and method != "GET":
        # It may have been taken all the same; the next attempt looks.
        return Unclear(reason=reason)
    return Temporary(reason=reason, retry_after_s=retry_after_s(wish))


def _ours(one: Mapping[str, Any]) -> Mapping[str, Any]:
    found = (one.get("metadata") or {}).get("omnivigil")
    if isinstance(found, Mapping):
        return found
    return {}


def _name(one: Mapping[str, Any], update: int) -> str:
    """Return what this update is called: an incident has many."""
    return f"{str(one.get('id', ''))[:40]}/{update}"
