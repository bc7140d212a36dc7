"""For whom the public pages send e-mails to addresses that have not confirmed, and how many. No captcha is needed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from ivr.rate_limit import RateLimit
from ivr.refusals import Refusals
from ivr.subscriptions import rules

_ALL: Final = "all"


class Admission:
    """Of one page's requests; `name` is the reason of its refusals."""

    def __init__(self, name: str, refusals: Refusals, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._name, self._refusals, self._monotonic = name, refusals, monotonic
        self._sources = RateLimit(rules.MOST_FROM_ONE, 600)
        self._few = RateLimit(rules.FEW_FROM_ONE, 3600)
        self._region = RateLimit(rules.FEW_FROM_REGION, 3600)
        self._all = RateLimit(rules.MOST_AN_HOUR, 3600)

    def admits(self, client: str) -> bool:
        """Return whether a request from this address may have an e-mail sent; it is then counted.

        While there are more than an outage brings, who has asked already, or has many neighbours who did, is refused
        first.
        """
        network, region, now = rules.network_of(client), rules.region_of(client), self._monotonic()
        used = self._all.used(_ALL, now)
        reason = None
        if not self._sources.allows(network, now):
            reason = "network"
        elif used >= rules.EASY_AN_HOUR and not (self._few.allows(network, now) and self._region.allows(region, now)):
            reason = "pressed"
        elif not self._all.allows(_ALL, now):
            reason = "all"
        if reason is not None:
            self._refusals.note(f"{self._name}-{reason}", network=network)
            return False
        self._refusals.spent(f"{self._name}-hour", used + 1, rules.MOST_AN_HOUR)
        return True
