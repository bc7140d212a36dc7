"""Keeps every open board fresh. Each part is drawn, and written as an event, once per language, however many look."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any, Literal

import structlog
from markupsafe import Markup

from api.console import pages
from api.console.board_state import Figures, read_figures, read_live
from api.deps import Services
from ivr.desk.load import main_of
from ivr.errors import Unavailable
from ivr.events import Listener as BusListener

log = structlog.get_logger()

Fragment = Literal["figures", "incident", "places", "technicians", "tickets", "oncall"]
FRAGMENTS: tuple[Fragment, ...] = ("figures", "incident", "places", "technicians", "tickets", "oncall")

#: After an event the board waits so long for others before it is drawn, in seconds.
_CALM_S = 0.2
#: Without events it is drawn again this often, in seconds: estimates change, and what the bus does not tell.
_TICK_S = 2.0
#: What is counted in the database is counted again this often, in seconds.
_FIGURES_S = 4.0
#: A board hears something this often at least, in seconds; the page says so when it does not.
PULSE_S = 5.0
#: Each open board holds a connection.
_MOST_BOARDS = 500
#: Whoever was signed out hears no more after so long, in seconds.
_STILL_S = 30.0


class TooManyBoards(Unavailable):
    """Too many boards are open already."""


class Listener:
    """One open board. What it has not taken is replaced by what is newer, so a slow one holds no memory."""

    def __init__(self, still_signed_in: Callable[[], Awaitable[bool]]) -> None:
        self._still_signed_in = still_signed_in
        self._waiting: dict[str, bytes] = {}
        self._told = asyncio.Event()
        self._ended = False

    def tell(self, parts: Mapping[str, bytes]) -> None:
        """These parts, as events, are different now."""
        self._waiting.update(parts)
        self._told.set()

    def end(self) -> None:
        """The service stops."""
        self._ended = True
        self._told.set()

    async def __aiter__(self) -> AsyncIterator[Mapping[str, bytes]]:
        """Return what is different, together: each sending costs more than what is sent.

        A pulse is with it each time.
        """
        asked = time.monotonic()
        while not self._ended:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PULSE_S):
                    await self._told.wait()
            self._told.clear()
            waiting, self._waiting = self._waiting, {}
            yield {**waiting, "pulse": _PULSE}
            if time.monotonic() - asked >= _STILL_S:
                asked = time.monotonic()
                with contextlib.suppress(Unavailable):
                    if not await self._still_signed_in():
                        return


class Boards:
    """All open boards."""

    def __init__(self, services: Services) -> None:
        self._has = services
        self._listeners: dict[str, set[Listener]] = {}
        self._last: dict[str, dict[str, bytes]] = {}
        self._figures = Figures()
        self._figures_at = float("-inf")
        self._task: asyncio.Task[None] | None = None

    def check_room(self) -> None:
        """Raise TooManyBoards when there is no room for one more."""
        if sum(map(len, self._listeners.values())) >= _MOST_BOARDS:
            raise TooManyBoards(most=_MOST_BOARDS)

    @contextlib.contextmanager
    def listening(self, listener: Listener, language: str) -> Iterator[None]:
        """Tell a board everything, and then what changes."""
        self._listeners.setdefault(language, set()).add(listener)
        listener.tell(self._last.get(language, {}))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="boards")
        try:
            yield
        finally:
            self._listeners[language].discard(listener)
            if not any(self._listeners.values()) and self._task is not None:
                self._task.cancel()
                self._task = None
                # What is kept grows old while nobody looks.
                self._last.clear()

    async def drawn(self, language: str) -> Mapping[str, Markup]:
        """Every part as it is now."""
        parts = await self._draw(language)
        return {name: Markup(text) for name, text in parts.items()}  # noqa: S704 - drawn by templates that escape

    async def _run(self) -> None:
        with self._has.bus.listen() as events:
            while True:
                await self._refresh()
                if not await _next(events):
                    break
        for listeners in self._listeners.values():
            for listener in listeners:
                listener.end()

    async def _refresh(self) -> None:
        for language in [name for name, listeners in self._listeners.items() if listeners]:
            try:
                parts = {name: _event(name, text) for name, text in (await self._draw(language)).items()}
            except Exception:
                # Boards show what they have; the next turn may go better.
                log.exception("board not rendered")
                return
            before = self._last.get(language, {})
            changed = {name: event for name, event in parts.items() if before.get(name) != event}
            self._last[language] = parts
            if changed:
                for listener in self._listeners[language]:
                    listener.tell(changed)

    async def _draw(self, language: str) -> dict[str, str]:
        if time.monotonic() - self._figures_at >= _FIGURES_S:
            try:
                self._figures = await read_figures(self._has)
            except Unavailable as error:
                log.warning("board counts skipped: database unavailable", error=str(error))
                self._figures = Figures(away=True)
            self._figures_at = time.monotonic()
        desk = main_of(self._has.desks)
        values: dict[str, Any] = {"live": read_live(self._has, language), "figures": self._figures}
        return {name: pages.render(f"board_{name}.html.j2", language, desk, **values).strip() for name in FRAGMENTS}


def _event(name: str, text: str = "") -> bytes:
    """A part as a server-sent event (WHATWG HTML, section 9.2)."""
    lines = "\n".join(f"data: {line}" for line in text.splitlines() or [""])
    return f"event: {name}\n{lines}\n\n".encode()


_PULSE = _event("pulse")


async def _next(events: BusListener) -> bool:
    """Wait until something happened or it is time; False when the service stops."""
    try:
        async with asyncio.timeout(_TICK_S):
            await anext(events)
        await asyncio.sleep(_CALM_S)
        while events.behind:
            await anext(events)
    except TimeoutError:
        pass
    except StopAsyncIteration:
        return False
    return True
