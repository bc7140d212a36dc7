"""Who answers queues logs in and out: on a phone of ours, or on a number outside."""

from __future__ import annotations

from collections.abc import Iterable

from api.deps import Services
from ivr.directory.desk_references import number_outside
from ivr.directory.model import Technician
from ivr.errors import BadInput
from ivr.numbers.diallable import Refused


async def log_in(has: Services, technician: Technician, endpoint: str, queues: Iterable[str] | None = None) -> None:
    """Have somebody answer these queues, or all of theirs. Raises BadInput, Unavailable, AmiRefused."""
    if technician.outside is not None:
        _check_outside(has, technician)
    served = {queue for desk in has.desks.values() for queue in desk.queues}
    for queue in technician.queues if queues is None else queues:
        # One that the desk files have no more keeps nobody from the others.
        if queue in served:
            await has.members.add(queue, endpoint, technician.name)


def on_duty(has: Services, provider: str, key: str) -> bool:
    """Whether a member of staff is logged in to a queue, as far as is known without asking Asterisk."""
    person = has.directory.book.staff(provider, key)
    endpoint = has.directory.book.answers_on(person) if person is not None else None
    queues = (queue for desk in has.desks.values() for queue in desk.queues)
    return any(one.endpoint == endpoint for queue in queues for one in has.watch.members(queue))


async def log_in_to_all(has: Services, technician: Technician) -> None:
    """Have somebody answer all of their queues, on what they have. Raises as `log_in`."""
    endpoint = has.directory.book.answers_on(technician)
    if endpoint is None:
        mend = "give them a phone of kind technician, or an external_number"
        raise BadInput(field="phone", problem="is missing", mend=mend)
    await log_in(has, technician, endpoint)


async def log_out(has: Services, endpoint: str | None) -> None:
    """Take somebody out of every queue; a call that they are in goes on. Raises Unavailable, AmiRefused."""
    for one in await has.members.list(None):
        if one.endpoint == endpoint:
            await has.members.remove(one.queue, one.endpoint)


def _check_outside(has: Services, technician: Technician) -> None:
    """Nobody is logged in who could not be called."""
    if not has.trunk:
        mend = "start the line with --outbound, or give them a phone"
        raise BadInput(field="external_number", problem="the line has no way out", mend=mend)
    if isinstance(number_outside(technician, has.desks.values()), Refused):
        mend = "give a geographic or mobile number of the desk's country, Canada or the United States"
        raise BadInput(field="external_number", problem="may not be called by the line", mend=mend)
