"""A ticket's life: which status follows which, and what each step asks for. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from ivr.errors import BadInput
from ivr.tickets.kinds import Missing
from ivr.tickets.model import WAITING, Status

_WORK: frozenset[Status] = frozenset({"in-progress", *WAITING, "resolved", "closed"})

#: Status to what may follow it. Done is left by reopening only, and nothing becomes new again.
NEXT: Mapping[Status, frozenset[Status]] = {
    "new": _WORK | {"documented"},
    "documented": _WORK,
    "in-progress": _WORK - {"in-progress"},
    **{status: _WORK - {status} for status in WAITING},
    "resolved": frozenset({"closed", "reopened"}),
    "closed": frozenset({"reopened"}),
    "reopened": _WORK,
}

#: A technician's own doing: TMR ends (OV-14). Closing without a solution is no answer.
ANSWERS: frozenset[Status] = frozenset({"in-progress", *WAITING, "resolved"})


def allowed(status: Status) -> list[Status]:
    """Return what may follow a status, in the order of a ticket's life."""
    return [one for one in get_args(Status) if one in NEXT[status]]


def check_step(
    before: Status,
    after: Status,
    *,
    missing: Sequence[Missing],
    reason: str | None,
    solution: str | None,
) -> None:
    """Raise BadInput, which names the mend, unless the ticket may go from one status to the other.

    To be documented nothing may be missing (OV-12); to be resolved there is a solution (OV-19); to be closed without
    having been resolved, and to be opened again, there is a reason.
    """
    if after not in NEXT[before]:
        raise _refusal("status", f"{after} cannot follow {before}", f"give one of {', '.join(allowed(before))}")
    if after == "documented" and missing:
        fields = ", ".join(one.field for one in missing)
        raise _refusal("status", f"the ticket is not documented: {fields} unknown", missing[0].mend)
    if after == "resolved" and not solution:
        raise _refusal("solution", "a resolved ticket has a solution", "tell in solution what solved it")
    if after == "reopened" and not reason:
        raise _refusal("reason", "nothing is opened again without a reason", "tell in reason why it is opened again")
    if after == "closed" and before != "resolved" and not reason:
        mend = "tell in reason why it is closed, or give status resolved and its solution"
        raise _refusal("reason", "the ticket is not resolved", mend)


def _refusal(field: str, problem: str, mend: str, **facts: Any) -> BadInput:
    return BadInput(field=field, problem=problem, mend=mend, **facts)
