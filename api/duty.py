"""Who answers queues logs in and out: on a phone of ours, or on a number outside."""

from __future__ import annotations

from collections.abc import Iterable

from api.services import Services
from ivr.callbacks.numbers import Refused
from ivr.directory.known import number_outside
from ivr.directory.people import Technician
from ivr.errors import BadInput


async def log_in(has: Services, technician: Technician, endpoint: str, queues: Iterable[str] | None = None) -> None:
    """Have somebody answer these queues, or all of theirs. Raises BadInput, Unavailable, AmiRefused."""
    if technician.outside is not None:
        _check_outside(has, technician)
    served = {queue for desk in has.desks.values() for queue in desk.queues}
    for queue in technician.queues if queues is None else queues:
        # One that the desk files have no more keeps nobody from the others.
        if queue in served:
            await has.members.add(queue, endpoint, technician.name)


def _check_outside(has: Services, technician: Technician) -> None:
    """Nobody is logged in who could not be called."""
    if not has.trunk:
        mend = "start the line with --outbound, or give them a phone"
        raise BadInput(field="external_number", problem="the line has no way out", mend=mend)
    if isinstance(number_outside(technician, has.desks.values()), Refused):
        mend = "give a geographic or mobile number of the desk's country, Canada or the United States"
        raise BadInput(field="external_number", problem="may not be called by the line", mend=mend)
