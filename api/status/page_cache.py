"""Pages that were rendered once and are given to many, until something changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass

#: Nothing is given longer than that, in seconds, should what changed have been counted by nobody.
_KEPT_S = 5.0
#: More pages than any desk has in use.
_MOST = 500


@dataclass(frozen=True, kw_only=True)
class Page:
    """What is sent; `etag` names its content (RFC 9110, section 8.8.3)."""

    content: bytes
    etag: str
    media_type: str


class KeptPages:
    """The last rendering of each page, with the state that it was made of."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pages: dict[Hashable, tuple[Hashable, float, Page]] = {}

    def get(self, name: Hashable, state: Hashable) -> Page | None:
        """The page, if it was made of this state and lately."""
        made_of, at, page = self._pages.get(name, (None, 0.0, None))
        if page is not None and made_of == state and self._clock() - at < _KEPT_S:
            return page
        return None

    def put(self, name: Hashable, state: Hashable, page: Page) -> None:
        """Keep a page that was made of what was there at `state`, or later."""
        if len(self._pages) >= _MOST:
            self._pages.clear()
        self._pages[name] = (state, self._clock(), page)
