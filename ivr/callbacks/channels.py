"""The channels of callbacks: how they are named, made, sent on and ended.

A held place is a Local channel. Its near half (;2) stands in the queue without having been answered, so that nothing
plays to it and it costs next to nothing. Its far half (;1) is answered with it, by the technician who gets the place,
and only then goes on in the dialplan, to dial the customer. Both bear the callback's id in their uniqueid, so that
every event tells whose it is, also to a service that was started after them.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

from ivr.asterisk.ami import AmiRefused, Fields, ManagerInterface
from ivr.asterisk.contract import Variable, assignment
from ivr.asterisk.originate import ringing

_UNIQUEID = re.compile(r"cb-([0-9a-f]{16})-[0-9a-f]{6}-(near|far|customer)")
#: The longest that a place is held, in seconds.
_LONGEST_S = 14 * 86_400
#: No technician has this penalty: a place that waits for its customer is passed over, and yet keeps its position.
_NOBODY = 100_000


@dataclass(frozen=True, kw_only=True)
class Part:
    """Which channel of which callback: near, far or customer."""

    callback: str
    part: str


def part_of(uniqueid: str) -> Part | None:
    """None for a channel that belongs to no callback."""
    found = _UNIQUEID.fullmatch(uniqueid)
    if found is not None:
        return Part(callback=found[1], part=found[2])
    return None


def new_id() -> str:
    """A callback's id."""
    return secrets.token_hex(8)


def new_uniqueid(callback: str, part: str) -> str:
    """Return a new channel id. No id may be a prefix of another: Asterisk matches uniqueids by prefix."""
    return f"cb-{callback}-{secrets.token_hex(3)}-{part}"


def far_of(near: str) -> str:
    """Return the id of a held place's other half."""
    return near.removesuffix("near") + "far"


@dataclass(frozen=True, kw_only=True)
class Prompts:
    """Sound files (absolute, without extension) that the dialplan plays while a customer is called."""

    greeting: str
    no_answer: str


@dataclass(frozen=True, kw_only=True)
class Back:
    """The queue that a customer dialled first joins if the service is gone by then; `seconds` is the longest wait."""

    language: str
    department: str
    queue: str
    position: int
    seconds: int


class Channels:
    """Makes and ends them over AMI. Everything raises Unavailable, and AmiRefused when Asterisk says no."""

    def __init__(self, ami: ManagerInterface, *, trunk: bool) -> None:
        self.ami = ami
        #: Whether calls can go out by the trunk; without it only registered phones can be called back.
        self.trunk = trunk

    async def hold(
        self, uniqueid: str, queue: str, position: int, *, number: str, rings: bool, desk: str, prompts: Prompts
    ) -> None:
        """Take a place in a queue with a channel called `uniqueid`; technicians are called for it if it `rings`."""
        part = part_of(uniqueid)
        if part is None:
            raise ValueError(uniqueid)
        callback = part.callback
        variables = [*_variables(callback, desk, prompts), "CHANNEL(language)=none"]
        variables += [
            assignment(Variable.TARGET, queue),
            assignment(Variable.POSITION, position),
            assignment(Variable.SECONDS, _LONGEST_S),
        ]
        if not rings:
            variables.append(f"QUEUE_MIN_PENALTY={_NOBODY}")
        await self.ami.action(
            "Originate",
            {
                "Channel": f"Local/{callback}@callback-queue/n",
                "Context": "callback-dial",
                "Exten": "s",
                "Priority": "1",
                "Timeout": str(_LONGEST_S * 1000),
                "Async": "true",
                "ChannelId": far_of(uniqueid),
                "OtherChannelId": uniqueid,
                "Codecs": "ulaw",
                "CallerID": f"<{number}>",
                "Variable": ",".join(variables),
            },
        )

    async def dial_first(
        self,
        callback: str,
        *,
        number: str,
        endpoint: str | None,
        ring_s: int,
        caller_id: str,
        desk: str,
        prompts: Prompts,
        back: Back,
    ) -> None:
        """Dial the customer, who then joins the queue."""
        variables = [*_variables(callback, desk, prompts), *_way_back(back)]
        fields = {
            "Channel": f"PJSIP/{number}@outbound",
            "Context": "callback-join",
            "Exten": "s",
            "Priority": "1",
            "Async": "true",
            "Timeout": str(ring_s * 1000),
            "ChannelId": new_uniqueid(callback, "customer"),
            "CallerID": f"<{caller_id}>",
        }
        if endpoint is not None:
            rung = ringing(endpoint, ring_s)
            variables.append(rung["Variable"])
            fields |= rung
        await self.ami.action("Originate", fields | {"Variable": ",".join(variables)})

    async def hang_up(self, channel: str) -> None:
        """End a channel, by its name or uniqueid; one that is gone already is no error."""
        try:
            await self.ami.action("Hangup", {"Channel": channel, "Cause": "16"})
        except AmiRefused as error:
            if "no such channel" not in str(error.facts.get("said")).lower():
                raise

    async def live(self) -> dict[str, set[str]]:
        """The parts of each callback that are there now."""
        found: dict[str, set[str]] = {}
        for row in await self.ami.collect("CoreShowChannels"):
            if (part := part_of(_uniqueid(row))) is not None:
                found.setdefault(part.callback, set()).add(part.part)
        return found


def _variables(callback: str, desk: str, prompts: Prompts) -> list[str]:
    return [
        assignment(Variable.CALLBACK, callback, inherited=True),
        assignment(Variable.DESK, desk, inherited=True),
        assignment(Variable.GREETING, prompts.greeting, inherited=True),
        assignment(Variable.NO_ANSWER, prompts.no_answer, inherited=True),
    ]


def _way_back(back: Back) -> list[str]:
    return [
        assignment(Variable.LANGUAGE, back.language),
        assignment(Variable.TARGET, back.queue),
        assignment(Variable.DEPARTMENT, back.department),
        assignment(Variable.SECONDS, back.seconds),
        assignment(Variable.POSITION, back.position),
    ]


def _uniqueid(row: Fields) -> str:
    return row.get("uniqueid", "")
