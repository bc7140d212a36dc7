"""What every conversation is given: the line, and its desks as they were when the caller's call began."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ivr import outside_staff
from ivr.asterisk.contract import Variable
from ivr.asterisk.fastagi import AgiSession
from ivr.calls.asterisk_events import caller_endpoint
from ivr.desk import menu
from ivr.desk.hours import Calendar
from ivr.desk.load import Desks
from ivr.desk.schema import Desk
from ivr.line import Line
from ivr.numbers.normalise import normalise
from ivr.prompts.build import Sounds


@dataclass(frozen=True, kw_only=True)
class LineContext:
    """One call's view of the line: other desk files may be reloaded while it goes on, and it keeps its own."""

    line: Line
    desks: Desks
    calendars: Mapping[str, Mapping[str, Calendar]]
    sounds: Sounds

    @classmethod
    def begun(cls, line: Line, uniqueid: str) -> LineContext:
        """The line as it was when the call of a channel began; as it is now for a channel of no known call."""
        call = line.calls.call_of(uniqueid)
        version = line.desk_files.version(call.started_at if call is not None else None)
        return cls(line=line, desks=version.desks, calendars=version.calendars, sounds=version.sounds)

    @property
    def main_desk(self) -> Desk:
        """The desk that technicians work for, and that phones without another one call."""
        return self.desks.main

    async def sound_of(self, desk: Desk, prompt: menu.Prompt, language: str) -> str:
        """Return what Asterisk plays for a step of the menu; for an announcement what is on the air.

        Raises as Sounds.of.
        """
        if prompt.id in (menu.ANNOUNCEMENT, menu.ANNOUNCEMENT_BRIEF):
            announcer = self.line.announcer
            playing = (announcer.playing if prompt.id == menu.ANNOUNCEMENT else announcer.brief)(desk.id, language)
            # It may have ended this very moment.
            return playing or await self.sounds.of(desk.id, menu.NORMAL, language, {})
        return await self.sounds.of(desk.id, prompt.id, language, dict(prompt.variables))

    def recording(self, file: str | None) -> str | None:
        """Return what Asterisk plays for a voice message, without extension; None when its recording is not there."""
        path = self.line.messages / file if file and Path(file).name == file else None
        if path is not None and path.is_file():
            return str(path.with_suffix(""))
        return None


async def settled(session: AgiSession, desk: Desk, language: str) -> None:
    """What the caller asked for is committed: should this service be gone before it has said so, the dialplan does.

    Without this the caller would be taken to the queue, and wait a second time. Raises CallHungUp.
    """
    await session.set_variable(Variable.SETTLED, f"{desk.id}-settled-{language}")


def caller_number(session: AgiSession, desk: Desk) -> str | None:
    """The caller's number as E.164 digits, when what the network says is one."""
    return normalise(session.env.get("callerid"), desk.region)


def endpoint_of(session: AgiSession) -> str | None:
    """The account of the registered phone that calls (OV-2); None for the trunk."""
    return caller_endpoint(session.env.get("channel", ""))


def member_of(session: AgiSession) -> str | None:
    """What a queue called, where this is the channel it called: a technician's phone, or their number outside."""
    return endpoint_of(session) or outside_staff.of_channel(session.env.get("channel", ""))
