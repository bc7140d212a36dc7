"""How often something may be done."""

from __future__ import annotations

from collections import deque


class RateLimit:
    """At most `most` in `within_s` seconds for each name; `now` by any clock that does not go back."""

    def __init__(self, most: int, within_s: float) -> None:
        self._most, self._within_s = most, within_s
        self._times: dict[str, deque[float]] = {}

    def allows(self, name: str, now: float) -> bool:
        """Whether one more is within the limit; it is then counted."""
        for known in [known for known, times in self._times.items() if now - times[-1] > self._within_s]:
            del self._times[known]
        times = self._times.setdefault(name, deque(maxlen=self._most))
        if len(times) == self._most and now - times[0] < self._within_s:
            return False
        times.append(now)
        return True
