"""Who answers queues logs in and out: on a phone of ours, or on a number outside."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ivr.desk.schema import Desk
from ivr.directory.desk_references import number_outside
from ivr.directory.lookup import Directory
from ivr.directory.model import Technician
from ivr.errors import BadInput
from ivr.numbers.diallable import Refused


class Member(Protocol):
    """A technician's phone in a queue."""

    @property
    def queue(self) -> str: ...
    @property
    def endpoint(self) -> str: ...
    @property
    def paused(self) -> bool: ...
    @property
    def in_call(self) -> bool: ...
    @property
    def status(self) -> str:
        """Return what their phone does."""

    @property
    def calls_taken(self) -> int: ...
    @property
    def last_call(self) -> datetime | None:
        """Return when their last call ended."""


class QueueMembers(Protocol):
    """Who is in the queues. Everything raises Unavailable while Asterisk does not answer."""

    async def add(self, queue: str, endpoint: str, name: str) -> None:
        """Log in; does nothing when that is so already."""

    async def remove(self, queue: str, endpoint: str) -> None:
        """Log out; does nothing when that is so already."""

    async def pause(self, queue: str | None, endpoint: str, paused: bool, reason: str) -> None:
        """Pause or resume, in one queue or in all."""

    async def list(self, queue: str | None) -> Sequence[Member]:
        """Everyone in one queue, or in all."""


@dataclass(frozen=True, kw_only=True)
class Duty:
    """Who serves the queues of some desks. `trunk`: calls can go out by it."""

    desks: Mapping[str, Desk]
    members: QueueMembers
    directory: Directory
    #: Who is logged in to a queue, as far as is known without asking Asterisk.
    known: Callable[[str], Sequence[Member]]
    trunk: bool

    async def begin(self, technician: Technician) -> None:
        """Have somebody answer all of their queues, on what they have. Raises as `log_in`."""
        endpoint = self.directory.book.answers_on(technician)
        if endpoint is None:
            mend = "give them a phone of kind technician, or an external_number"
            raise BadInput(field="phone", problem="is missing", mend=mend)
        await self.log_in(technician, endpoint)

    async def log_in(self, technician: Technician, endpoint: str, queues: Iterable[str] | None = None) -> None:
        """Have somebody answer these queues, or all of theirs. Raises BadInput, Unavailable, AmiRefused."""
        if technician.outside is not None:
            self._check_outside(technician)
        served = {queue for desk in self.desks.values() for queue in desk.queues}
        for queue in technician.queues if queues is None else queues:
            # One that the desk files have no more keeps nobody from the others.
            if queue in served:
                await self.members.add(queue, endpoint, technician.name)

    async def end(self, endpoint: str | None) -> None:
        """Take somebody out of every queue; a call that they are in goes on. Raises Unavailable, AmiRefused."""
        for one in await self.members.list(None):
            if one.endpoint == endpoint:
                await self.members.remove(one.queue, one.endpoint)

    def is_on(self, provider: str, key: str) -> bool:
        """Return whether a member of staff is logged in to a queue, as far as is known without asking Asterisk."""
        person = self.directory.book.staff(provider, key)
        endpoint = None
        if person is not None:
            endpoint = self.directory.book.answers_on(person)
        queues = (queue for desk in self.desks.values() for queue in desk.queues)
        return any(one.endpoint == endpoint for queue in queues for one in self.known(queue))

    def _check_outside(self, technician: Technician) -> None:
        """Refuse to log in somebody who could not be called."""
        if not self.trunk:
            mend = "start the line with --outbound, or give them a phone"
            raise BadInput(field="external_number", problem="the line has no way out", mend=mend)
        if isinstance(number_outside(technician, self.desks.values()), Refused):
            mend = "give a geographic or mobile number of the desk's country, Canada or the United States"
            raise BadInput(field="external_number", problem="may not be called by the line", mend=mend)
