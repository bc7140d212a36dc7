"""Technicians in queues, as app_queue has them: Asterisk's own state is the truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from ivr import outside_staff
from ivr.asterisk.ami import AmiRefused, Fields, ManagerInterface

#: The reason of a break that ends by itself: a technician who declined is not rung again at once.
RESTING = "resting"


@dataclass(frozen=True, kw_only=True)
class Member:
    """One technician in one queue."""

    queue: str
    endpoint: str
    name: str
    paused: bool
    paused_reason: str
    in_call: bool
    #: As app_queue says: idle, in use, ringing, unavailable …
    status: str
    calls_taken: int
    #: When their last call ended, by Asterisk's clock.
    last_call: datetime | None
    #: Those with a lower one are rung first.
    penalty: int = 0


#: AST_DEVICE_*, as QueueStatus and QueueMemberStatus give them.
STATUS = {
    "0": "unknown",
    "1": "idle",
    "2": "in use",
    "3": "busy",
    "4": "invalid",
    "5": "unavailable",
    "6": "ringing",
    "7": "ring and in use",
    "8": "on hold",
}


def interface_of(endpoint: str) -> str:
    """Return what a queue calls for a technician: their phone, or their number outside by way of the dialplan."""
    if outside_staff.technician_id(endpoint) is None:
        return f"PJSIP/{endpoint}"
    return outside_staff.interface(endpoint)


class AmiQueueMembers:
    """Adds, removes, pauses and lists members. Doing a thing twice is as doing it once.

    Every method raises Unavailable when Asterisk does not answer and AmiRefused for an unknown queue.
    """

    def __init__(
        self,
        ami: ManagerInterface,
        interface: Callable[[str], str] = interface_of,
        *,
        penalty: Callable[[str, str], int] = lambda queue, endpoint: 0,
    ) -> None:
        """`penalty` tells who answers a queue after others, by queue and phone."""
        self._ami = ami
        self._interface, self._penalty = interface, penalty

    async def add(self, queue: str, endpoint: str, name: str, penalty: int | None = None) -> None:
        """Log a technician in to a queue; without a penalty, with theirs."""
        interface = self._interface(endpoint)
        watched = interface.removesuffix("/n")
        fields = {"Queue": queue, "Interface": interface, "StateInterface": watched, "MemberName": name}
        given = self._penalty(queue, endpoint) if penalty is None else penalty
        try:
            await self._ami.action("QueueAdd", fields | ({"Penalty": str(given)} if given else {}))
        except AmiRefused as error:
            if "already there" not in str(error.facts.get("said")).lower():
                raise

    async def remove(self, queue: str, endpoint: str) -> None:
        """Log a technician out of a queue."""
        try:
            await self._ami.action("QueueRemove", {"Queue": queue, "Interface": self._interface(endpoint)})
        except AmiRefused as error:
            if "not there" not in str(error.facts.get("said")).lower():
                raise

    async def pause(self, queue: str | None, endpoint: str, paused: bool, reason: str) -> None:
        """Pause or resume a technician, in every queue when none is named."""
        fields = {"Interface": self._interface(endpoint), "Paused": "true" if paused else "false", "Reason": reason}
        if queue is not None:
            fields["Queue"] = queue
        await self._ami.action("QueuePause", fields)

    async def penalise(self, queue: str, endpoint: str, penalty: int) -> None:
        """Have a technician answer a queue after those with a lower penalty."""
        fields = {"Queue": queue, "Interface": self._interface(endpoint), "Penalty": str(penalty)}
        await self._ami.action("QueuePenalty", fields)

    async def list(self, queue: str | None) -> tuple[Member, ...]:
        """Every member of one queue or of all."""
        fields = {"Queue": queue} if queue is not None else {}
        rows = await self._ami.collect("QueueStatus", fields)
        return tuple(member_of(row) for row in rows if row.get("event") == "QueueMember")


def member_of(row: Fields) -> Member:
    """A member from QueueMember, QueueMemberStatus, QueueMemberAdded … events."""
    location = row.get("location") or row.get("interface") or ""
    return Member(
        queue=row.get("queue", ""),
        endpoint=outside_staff.of_interface(location) or location.partition("/")[2],
        name=row.get("name") or row.get("membername") or "",
        paused=row.get("paused") == "1",
        paused_reason=row.get("pausedreason", ""),
        in_call=row.get("incall") == "1",
        status=STATUS.get(row.get("status", ""), ""),
        calls_taken=int(row.get("callstaken") or 0),
        last_call=datetime.fromtimestamp(last, UTC) if (last := int(row.get("lastcall") or 0)) else None,
        penalty=int(row.get("penalty") or 0),
    )
