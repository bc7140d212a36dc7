"""Takes what changed in the directory to calls and to Asterisk, while the line runs.

Calls know it with the next second: the book is renewed from what the database says that changed, by whatever process.
Then Asterisk's configuration is rendered again, and Asterisk told of it if it is another one. Phones that are gone or
have another secret are unregistered, and technicians' queues are made those of the directory. No call is cut by it.

What fails is tried again: until then the last good configuration stays, and `problem` says why.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from pathlib import Path
from typing import Final, Protocol

import structlog

from ivr.asterisk import reload
from ivr.asterisk.config import note_unread, secrets_of, unread
from ivr.asterisk.queue_members import Member
from ivr.directory.lookup import Directory
from ivr.directory.model import Technician
from ivr.directory.snapshot import Book
from ivr.errors import OmnivigilError, Unavailable
from ivr.events import EventBus
from ivr.ticks import rest

log = structlog.get_logger()

#: The database is asked for changes this often, in seconds; and the whole directory read again this often.
_LOOK_S: Final = 1.0
_WHOLE_S: Final = 600.0
#: Between two reloads of Asterisk, in seconds: what changes meanwhile is taken up by one.
_BETWEEN_S: Final = 2.0
#: A reload that failed is tried again after so long, in seconds; twice that after the next failure, and so on.
_AGAIN_S: Final = 2.0
_LONGEST_S: Final = 15.0


class Members(Protocol):
    """Technicians in queues (`ivr.asterisk.queue_members`)."""

    def list(self, queue: str | None) -> Awaitable[tuple[Member, ...]]: ...

    def add(self, queue: str, endpoint: str, name: str, penalty: int = 0) -> Awaitable[None]: ...

    def remove(self, queue: str, endpoint: str) -> Awaitable[None]: ...

    def pause(self, queue: str | None, endpoint: str, paused: bool, reason: str) -> Awaitable[None]: ...

    def penalise(self, queue: str, endpoint: str, penalty: int) -> Awaitable[None]: ...


class NotUnregistered(OmnivigilError):
    """A phone may still be registered with a secret that is none any more."""


class TakingUp:
    """Both halves: `follow` for calls, `to_asterisk` for Asterisk.

    `configure` renders Asterisk's configuration from a book, and gives the secrets' digests by phone; it may take
    seconds, and is run in a thread. `unregister` takes a phone's registrations away, given its digest.
    """

    def __init__(
        self,
        directory: Directory,
        *,
        configure: Callable[[Book], Mapping[str, str]],
        etc: Path,
        cli: reload.Cli,
        unregister: Callable[[str, str], Awaitable[bool]],
        members: Members,
        queues: Callable[[], Collection[str]],
        bus: EventBus,
    ) -> None:
        """`queues` are those of the desk files in force."""
        self._directory, self._configure, self._etc, self._cli = directory, configure, etc, cli
        self._unregister, self._members, self._queues, self._bus = unregister, members, queues, bus
        self._wake = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()
        #: What Asterisk has been told; None before the first time.
        self._taken: Book | None = None
        #: The queues that technicians were taken to last; None before that.
        self._served: frozenset[str] | None = None
        #: Secrets' digests by phone as Asterisk's configuration had them last; None before that was looked at.
        self._digests: Mapping[str, str] | None = None
        #: Whether it may lack something all the same.
        self._stale = True
        #: Phones whose registrations are to be taken away, once Asterisk has the configuration for it.
        self._shut: set[str] = set()
        #: Why Asterisk has not what the directory says; empty when it has.
        self.problem = ""

    # ---- Calls -------------------------------------------------------------------------------------------------------

    async def follow(self) -> None:
        """Renew the book until cancelled."""
        away = False
        loop = asyncio.get_running_loop()
        whole_at = loop.time() + _WHOLE_S
        told = self._directory.seq
        self._wake.set()
        while True:
            await rest(_LOOK_S)
            try:
                if loop.time() >= whole_at:
                    whole_at = loop.time() + _WHOLE_S
                    await self._directory.reload()
                    self._wake.set()
                elif await self._directory.renew():
                    self._wake.set()
                told = await self._tell(told)
            except Unavailable as error:
                if not away:
                    log.warning("directory refresh failed; using the copy in memory", error=str(error))
                away = True
            else:
                away = False

    async def _tell(self, told: int | None) -> int | None:
        """Tell listeners what was entered since a change without telling; up to which change they know it now."""
        known = self._directory.seq
        if told is not None and known is not None and told != known:
            for one in await self._directory.untold(told, known):
                self._bus.publish("directory.changed", one.at, one.facts())
        return known

    # ---- Asterisk ----------------------------------------------------------------------------------------------------

    def again(self) -> None:
        """Look again at once whether Asterisk has what it should: more than the directory may have changed."""
        self._stale = True
        self._wake.set()

    async def to_asterisk(self) -> None:
        """Keep Asterisk at what the book says, until cancelled."""
        failures = 0
        while True:
            await self._wake.wait()
            self._wake.clear()
            # Without the database there is no book, and what runs stays.
            if self._directory.seq is None:
                continue
            try:
                await self.once()
            except (OmnivigilError, OSError) as error:
                self._wake.set()
                failures += 1
                problem = f"{type(error).__name__}, tried again"
                if problem != self.problem:
                    # While Asterisk is away, that is told already.
                    tell = log.warning if isinstance(error, Unavailable) else log.error
                    tell("Asterisk has not taken the directory up; tried again", error=str(error))
                self.problem = problem
                await asyncio.sleep(min(_AGAIN_S * 2.0 ** min(failures - 1, 10), _LONGEST_S))
            except BaseException:
                # Whoever starts us again finds that there is something to do.
                self._wake.set()
                raise
            else:
                if failures:
                    log.warning("Asterisk has taken the directory up again", failures=failures)
                failures, self.problem = 0, ""
                await asyncio.sleep(_BETWEEN_S)

    async def once(self) -> None:
        """Take the book to Asterisk as it is now.

        Raises UnsafeConfiguration, ReloadFailed, NotUnregistered, Unavailable, AmiRefused, and OSError of the disk.
        """
        async with self._one_at_a_time:
            book = self._directory.book
            if book is self._taken and not self._stale:
                return
            # Before: whoever asks meanwhile for another look gets one.
            self._stale = False
            try:
                await self._take(book)
            except BaseException:
                self._stale = True
                raise
            self._taken = book

    async def other(self, configure: Callable[[Book], object]) -> None:
        """Have Asterisk read a configuration of other desks, which are in force next; then `again`.

        Raises as `once`, and Unavailable where the directory was never read: Asterisk knows more than we do then.
        """
        async with self._one_at_a_time:
            if self._directory.seq is None:
                raise Unavailable(component="database")
            await asyncio.to_thread(configure, self._directory.book)
            await self._read_again()

    async def _take(self, book: Book) -> None:
        if self._digests is None:
            self._digests = await asyncio.to_thread(secrets_of, self._etc)
        after = await asyncio.to_thread(self._configure, book)
        self._shut |= {phone for phone, digest in self._digests.items() if after.get(phone) != digest}
        self._digests = after
        await self._read_again()
        await self._shut_out(after)
        await self._to_queues(book)

    async def _read_again(self) -> None:
        if files := await asyncio.to_thread(unread, self._etc):
            await reload.reload(self._cli, files)
            left = await asyncio.to_thread(unread, self._etc)
            await asyncio.to_thread(note_unread, self._etc, left - files)
            log.info("Asterisk reloaded its configuration", files=sorted(files))

    async def _shut_out(self, digests: Mapping[str, str]) -> None:
        """Unregister the phones that are gone or have another secret. Raises NotUnregistered."""
        if not self._shut:
            return
        registered = await reload.registered(self._cli)
        for phone in sorted(self._shut):
            if phone in registered:
                if phone not in digests:
                    await reload.forget(self._cli, registered[phone])
                elif not await self._unregister(phone, digests[phone]):
                    raise NotUnregistered(phone=phone)
                log.info("phone unregistered", endpoint=phone, why="secret" if phone in digests else "gone")
            self._shut.discard(phone)

    async def _to_queues(self, book: Book) -> None:
        """Have who is logged in answer the queues that are theirs now. Raises Unavailable, AmiRefused."""
        served = frozenset(self._queues())
        new = served - self._served if self._served is not None else frozenset()
        logged_in: dict[str, list[Member]] = {}
        for member in await self._members.list(None):
            logged_in.setdefault(member.endpoint, []).append(member)
        for endpoint, mine in logged_in.items():
            known = book.technician(endpoint)
            if self._taken is not None:
                before = self._taken.technician(endpoint)
            else:
                before = known
            if known is None:
                if self._taken is None or before is not None:
                    await self._log_out(endpoint, mine)
            elif before is not None and (known.provider, known.key) != (before.provider, before.key):
                # A number outside that is somebody else's now.
                await self._log_out(endpoint, mine)
            elif _duties(known) != _duties(before):
                await self._change(endpoint, known, mine, frozenset(known.queues) & served)
            elif theirs := new & frozenset(known.queues):
                await self._change(endpoint, known, mine, theirs | {member.queue for member in mine})
        self._served = served

    async def _log_out(self, endpoint: str, mine: list[Member]) -> None:
        for member in mine:
            await self._members.remove(member.queue, endpoint)
        log.info("technician logged out: no longer answers queues", endpoint=endpoint)

    async def _change(self, endpoint: str, known: Technician, mine: list[Member], queues: frozenset[str]) -> None:
        """Have somebody answer these queues and no others. A queue that Asterisk does not have yet is tried again."""
        there = {member.queue: member for member in mine}
        paused = next((member for member in mine if member.paused), None)
        for queue in sorted(queues):
            penalty = known.penalties.get(queue, 0)
            if queue in there:
                if there[queue].penalty != penalty:
                    await self._members.penalise(queue, endpoint, penalty)
                continue
            await self._members.add(queue, endpoint, known.name, penalty)
            if paused is not None:
                await self._members.pause(queue, endpoint, True, paused.paused_reason)
        for queue in sorted(there.keys() - queues):
            await self._members.remove(queue, endpoint)
        log.info("technician's queues changed while logged in", endpoint=endpoint)


def _duties(known: Technician | None) -> tuple[set[str], Mapping[str, int]] | None:
    if known is not None:
        return (set(known.queues), known.penalties)
    return None
