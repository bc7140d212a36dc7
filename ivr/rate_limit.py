"""How often something may be done."""

from __future__ import annotations

from collections import deque


class RateLimit:
    """At most `most` in `within_s` seconds for each name; `now` by any clock that does not go back."""

    def __init__(self, most: int, within_s: float) -> None:
        self._most, self._within_s = most, within_s
        self._times: dict[str, deque[float]] = {}
        self._forget_at = float("-inf")

    def allows(self, name: str, now: float) -> bool:
        """Return whether one more is within the limit; it is then counted."""
        if now >= self._forget_at:
            # Not each time: a storm of names would have all of them looked at for each.
            self._forget_at = now + self._within_s / 60
            for known in [known for known, times in self._times.items() if now - times[-1] > self._within_s]:
                del self._times[known]
        times = self._times.setdefault(name, deque(maxlen=self._most))
        if len(times) == self._most and now - times[0] < self._within_s:
            return False
        times.append(now)
        return True

    def used(self, name: str, now: float) -> int:
        """Return how many of this name are counted now."""
        return sum(now - time < self._within_s for time in self._times.get(name, ()))


class Seldom:
    """Says of what happens often when to tell it: at first, then at most every `every_s` seconds, and how often it was.

    The memory is bounded: of more than `most` names, the others share one.
    """

    def __init__(self, every_s: float = 60.0, most: int = 100) -> None:
        self._every_s, self._most = every_s, most
        self._told: dict[str, tuple[float, int]] = {}

    def due(self, name: str, now: float) -> int:
        """Return how many there were since the last that was told, with this one; 0 while there is nothing to tell."""
        if name not in self._told and len(self._told) >= self._most:
            name = ""
        told_at, untold = self._told.get(name, (float("-inf"), 0))
        if now - told_at < self._every_s:
            self._told[name] = (told_at, untold + 1)
            return 0
        self._told[name] = (now, 0)
        return untold + 1
