"""Takes changed desk files into force while the line runs: whole or not at all, and no call is cut.

Calls that go on keep the desk that they began with: its menu, its hours, its texts. What cannot be used changes
nothing, and is told by /healthz until it can.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import structlog

from ivr.announcements.on_air import OnAirFiles
from ivr.asterisk.runtime import Runtime
from ivr.clock import Clock
from ivr.desk.changes import Change, changes
from ivr.desk.contradictions import contradictions
from ivr.desk.hours import Calendar
from ivr.desk.last_good import keep
from ivr.desk.load import BUILT_IN, DeskError, Desks
from ivr.desk_editing.files import DeskFile, Edit, find, path_of, replace_file
from ivr.desk_editing.versions import Source, Versions
from ivr.errors import BadInput, OmnivigilError, Unavailable
from ivr.events import EventBus
from ivr.prepare import Calendars, Taken, copy_of, load, take
from ivr.process import control
from ivr.prompts.build import BuildError, Sounds
from ivr.prompts.catalog import Catalog, PromptMissing
from ivr.prompts.text_checks import doubtful
from ivr.prompts.voices import sounds_of
from ivr.settings import Settings

log = structlog.get_logger()

#: So many versions are kept for calls that began with them.
_VERSIONS = 20

Say = Callable[[str], None]


class NotReloaded(BadInput):
    """The desk files cannot be used now; the last good ones are in force."""


class EditRefused(BadInput):
    """A desk's file cannot be used as somebody wants it; nothing has changed."""


class LiveCalendars(Mapping[str, Mapping[str, Calendar]]):
    """By desk, the calendars of its departments; whoever holds this sees others once they are in force."""

    def __init__(self, calendars: Calendars) -> None:
        self._now = calendars

    def __getitem__(self, desk: str) -> Mapping[str, Calendar]:
        return self._now[desk]

    def __iter__(self) -> Iterator[str]:
        return iter(self._now)

    def __len__(self) -> int:
        return len(self._now)

    def take(self, calendars: Calendars) -> None:
        """Be these from now on."""
        self._now = calendars


@dataclass(frozen=True, kw_only=True)
class Version:
    """What a call is answered with that began when this was in force: until `until`, or still."""

    until: datetime | None = None
    desks: Desks
    calendars: Mapping[str, Mapping[str, Calendar]]
    sounds: Sounds


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What differs in the files, what is doubtful in them, and whether they are in force now."""

    at: datetime
    by: str
    changes: tuple[Change, ...]
    warnings: tuple[str, ...]
    in_force: bool


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What an edit would change, and the desks and calendars that there would be."""

    outcome: Outcome
    desks: Desks
    calendars: Calendars


class DeskFiles:
    """The desk files of a running line.

    `asterisk` has Asterisk take up the queues, numbers and streams of these desks, and raises OmnivigilError or
    OSError; `switched` is called once other desks are in force.
    """

    def __init__(  # noqa: PLR0913 - what it works with, each by its name
        self,
        settings: Settings,
        runtime: Runtime,
        *,
        desks: Desks,
        calendars: LiveCalendars,
        sounds: Sounds,
        asterisk: Callable[[Desks, Sounds], Awaitable[object]],
        switched: Callable[[], None],
        bus: EventBus,
        clock: Clock,
    ) -> None:
        self._settings, self._runtime = settings, runtime
        self._desks, self._calendars, self._sounds = desks, calendars, sounds
        self._asterisk, self._switched, self._bus, self._clock = asterisk, switched, bus, clock
        self._past: deque[Version] = deque(maxlen=_VERSIONS)
        self._now = self._version()
        self._one_at_a_time = asyncio.Lock()
        #: Those that were in force, on disk.
        self.versions = Versions(settings.state / "desk-versions")
        #: Why the files as they are cannot be in force; None when they can, as far as was looked.
        self.problem: str | None = None
        self.last: Outcome | None = None

    def version(self, started_at: datetime | None) -> Version:
        """Return what a call that began then goes on with; the desks in force for one that begins now (None)."""
        if started_at is None:
            return self._now
        return next((one for one in self._past if one.until is not None and started_at < one.until), self._now)

    def _version(self) -> Version:
        desks = self._desks.as_now()
        return Version(desks=desks, calendars=dict(self._calendars), sounds=self._sounds.as_now(desks))

    async def look(self) -> None:
        """Whether the files can be used, at the start: what is in force may be older."""
        try:
            await asyncio.to_thread(load, self._settings)
        except DeskError as error:
            self._refused(error)
        try:
            await asyncio.to_thread(self._note, copy_of(self._settings), self._desks, "start", None)
        except OSError as error:
            log.error("desk file version not saved", reason=str(error))

    def file(self, desk: str) -> DeskFile:
        """A desk's file as it is now. Raises NoSuchFile and OSError."""
        return find(self._folder, desk)

    @property
    def _folder(self) -> Path:
        return self._settings.desks or BUILT_IN

    async def preview(self, edit: Edit) -> Preview:
        """Return what an edit would change. Raises EditRefused, whose field is the desk's."""
        try:
            with_edit = take(self._settings, {edit.path.name: edit.text})
            taken = await asyncio.to_thread(with_edit.__enter__)
            try:
                outcome = await self._take(taken, edit.by, check=True, say=lambda _: None)
                return Preview(outcome=outcome, desks=taken.desks, calendars=taken.calendars)
            finally:
                await asyncio.to_thread(with_edit.__exit__, None, None, None)
        except (DeskError, BuildError, PromptMissing, OSError) as error:
            raise _edit_refused(error, edit.path) from error

    async def put(self, edit: Edit) -> Outcome:
        """Write an edit into its file and take it into force, or change nothing.

        Raises EditRefused, FileChanged, NotWritten, and Unavailable when Asterisk takes nothing up.
        """
        async with self._one_at_a_time:
            try:
                outcome = await self._reload(edit.by, check=False, say=lambda _: None, edit=edit)
            except (DeskError, BuildError, PromptMissing, OSError) as error:
                raise _edit_refused(error, edit.path) from error
            self.problem = None
            self.last = outcome
            return outcome

    async def reload(self, *, by: str, check: bool = False, say: Say = lambda _: None) -> Outcome:
        """Take the files into force as they are now, or only `check` them; `by` is who had it so.

        Raises NotReloaded with the reason.
        """
        if self._one_at_a_time.locked():
            raise NotReloaded(field="desks", problem="another reload is under way", mend="try again in a moment")
        async with self._one_at_a_time:
            try:
                outcome = await self._reload(by, check, say)
            except (OmnivigilError, OSError) as error:
                self._refused(error)
                mend = "correct it and reload; until then the last good ones are in force"
                raise NotReloaded(field="desks", problem=_told(error), mend=mend) from error
            self.problem = None
            self.last = outcome
            return outcome

    def _refused(self, error: Exception) -> None:
        self.problem = _told(error)
        log.error("desk files rejected; last good version in force", event_id="OV1801", reason=self.problem)

    async def _reload(self, by: str, check: bool, say: Say, edit: Edit | None = None) -> Outcome:
        taking = take(self._settings, {edit.path.name: edit.text} if edit is not None else {})
        taken = await asyncio.to_thread(taking.__enter__)
        try:
            return await self._take(taken, by, check, say, edit)
        finally:
            await asyncio.to_thread(taking.__exit__, None, None, None)

    async def _take(self, taken: Taken, by: str, check: bool, say: Say, edit: Edit | None = None) -> Outcome:
        found = (*changes(self._desks, taken.desks), *await asyncio.to_thread(self._other_calendars, taken))
        doubts = (*contradictions(taken.desks), *doubtful(taken.desks))
        for change in found:
            say(str(change))
        for doubt in doubts:
            say(f"Warning: {doubt}")
        now = self._clock()
        if check or not (found or edit):
            await asyncio.to_thread(_speakable, taken, now)
            say("These desk files can be used." if found else "Nothing has changed.")
            return Outcome(at=now, by=by, changes=found, warnings=doubts, in_force=not found)
        sounds = sounds_of(self._settings, self._runtime, taken.desks)
        report = await asyncio.to_thread(sounds.build, taken.calendars, now, live=True)
        if report.made:
            say(f"{report.made} sounds are made.")
        await asyncio.to_thread(OnAirFiles(self._settings.on_air).begin, taken.desks, sounds)
        # Asterisk first: a call must not be sent to a queue that is not there yet.
        try:
            await self._asterisk(taken.desks, sounds)
            await asyncio.to_thread(self._to_disk, taken, by, edit)
        except BaseException:
            await self._back()
            raise
        self._switch(taken, sounds)
        log.info("desk files in force", by=by, changes=len(found))
        self._bus.publish("desks.changed", now, {"by": by, "changes": [str(change) for change in found]})
        say("The new desk files are in force; calls that go on keep the old ones.")
        return Outcome(at=now, by=by, changes=found, warnings=doubts, in_force=True)

    def _to_disk(self, taken: Taken, by: str, edit: Edit | None) -> None:
        """The version, the edited file and the copy in force; none of them when one cannot be written."""
        noted = self._note(taken.copy, taken.desks, by, edit)
        before: bytes | None = None
        try:
            if edit is not None:
                before = edit.write()
            keep(taken.copy, copy_of(self._settings))
        except BaseException:
            self.versions.forget(noted)
            if edit is not None and before is not None:
                replace_file(edit.path, before)
            raise

    def _note(self, folder: Path, desks: Desks, by: str, edit: Edit | None) -> list[tuple[str, int]]:
        paths = {desk: path_of(folder, desk) for desk in desks}
        texts = {desk: path.read_bytes().decode() for desk, path in paths.items() if path is not None}
        source: Source = edit.source if edit is not None else "file"
        why = edit.why if edit is not None else ""
        return self.versions.note(texts, by=by, source=source, why=why, at=self._clock())

    async def _back(self) -> None:
        try:
            await self._asterisk(self._desks, self._sounds)
        except (OmnivigilError, OSError) as error:
            # Calls do not lack anything: what is new in it is not used, and what is gone is a queue that was emptied.
            log.error("Asterisk configuration not rolled back", event_id="OV1802", reason=str(error))

    def _switch(self, taken: Taken, sounds: Sounds) -> None:
        """At once: nothing else runs meanwhile."""
        self._past.append(replace(self._now, until=self._clock()))
        self._sounds.take(sounds)
        self._desks.take(taken.desks)
        self._calendars.take(taken.calendars)
        self._now = self._version()
        self._switched()

    def _other_calendars(self, taken: Taken) -> list[Change]:
        """Imported calendars whose content is another, though the desk file names the same."""
        before = copy_of(self._settings)
        both = [(desk, self._desks[desk.id]) for desk in taken.desks.values() if desk.id in self._desks]
        return [
            Change(desk=desk.id, field=f"ical.{name}", before="as it was", after="another content")
            for desk, old in both
            for name in desk.ical
            if name in old.ical and _content(before / name) != _content(taken.copy / name)
        ]


async def listen(state: Path, desk_files: DeskFiles) -> asyncio.Server | None:
    """Take `./omnivigil reload` by the line's control socket; None, and a line in the log, when it cannot be had."""

    async def obey(words: list[str], say: control.Say) -> None:
        if words not in (["reload"], ["reload", "check"]):
            raise BadInput(field="request", problem=" ".join(words)[:80], mend="ask for reload")
        await desk_files.reload(by="command", check="check" in words, say=say)

    try:
        return await control.listen(state, obey, control.SERVICE)
    except OSError as error:
        log.error("reload command unavailable: control socket failed", event_id="OV2103", error=error.strerror)
        return None


def _speakable(taken: Taken, now: datetime) -> None:
    """Every text that may be said is there. Raises BuildError."""
    _, missing = Catalog(taken.desks).everything(taken.calendars, now)
    if missing:
        raise BuildError(prompts="; ".join(str(error) for error in missing), mend="add the text, or a recording of it")


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _told(error: Exception) -> str:
    if isinstance(error, DeskError):
        where = f"{error.file.name}:{error.line}" + (f", {error.field}" if error.field else "")
        return f"{where}: {error.problem}; {error.mend}"
    if isinstance(error, Unavailable):
        return f"not now: {error}"
    return str(error)


def _edit_refused(error: Exception, edited: Path) -> EditRefused:
    if not isinstance(error, DeskError):
        return EditRefused(field="file", problem=_told(error), mend="nothing has changed; correct it and try again")
    here = error.file.name == edited.name
    where = f"line {error.line}: " if here else f"{error.file.name}:{error.line}: "
    return EditRefused(field=error.field or "file", problem=f"{where}{error.problem}", mend=error.mend)
