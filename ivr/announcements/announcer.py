"""What each desk announces: kept in the database, on the air from its start to its end, and brought to mind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog

from ivr.announcements import model as rules
from ivr.announcements import store as statements
from ivr.announcements.heard import Hearings
from ivr.announcements.model import Announcement, Source
from ivr.announcements.on_air import NORMAL, OnAirFiles
from ivr.announcements.reminder import reminder
from ivr.announcements.sounds import AnnouncementSounds
from ivr.announcements.stream import RATE
from ivr.clock import Clock
from ivr.desk.schema import Desk
from ivr.errors import BadInput, OmnivigilError, Unavailable
from ivr.events import EventBus
from ivr.notify.outbox import put_email
from ivr.prompts.audio import Pcm
from ivr.prompts.build import Sounds
from ivr.store.engine import Store
from ivr.ticks import rest

log = structlog.get_logger()

#: What starts or expires is noticed within this, in seconds.
_TICK_S = 0.5
#: After a failure the next try waits this long, in seconds.
_PATIENCE_S = 5.0


class Announcer:
    """The announcements of every desk. What calls need is in memory: none ever waits for the database."""

    def __init__(
        self,
        *,
        store: Store,
        desks: Mapping[str, Desk],
        sounds: Sounds,
        kept: AnnouncementSounds,
        on_air: OnAirFiles,
        interrupt: Callable[[str, float], Awaitable[None]],
        bus: EventBus,
        clock: Clock,
    ) -> None:
        """`interrupt` is called before a desk's state changes, with its id and how long it takes to say, in seconds:
        those who wait are to hear nothing else."""
        self._store = store
        self._desks = desks
        self._sounds = sounds
        self._kept = kept
        self._on_air = on_air
        self._interrupt = interrupt
        self._bus = bus
        self._clock = clock
        #: None until the database was read: what was on the air stays there.
        self._known: dict[str, list[Announcement]] | None = None
        #: By desk, what was put on the air, and by language the sound of it.
        self._told: dict[str, Announcement | None] = {}
        self._playing: dict[tuple[str, str], str] = {}
        self._brief: dict[tuple[str, str], str] = {}
        self._ended: dict[str, tuple[datetime, str]] = {}
        self._changing = asyncio.Lock()
        self.hearings = Hearings(store)

    # What is announced -------------------------------------------------------------------------------

    def in_force(self, desk: str) -> Announcement | None:
        """Return what this desk announces now; None when all is well, or nothing is known yet."""
        return rules.in_force((self._known or {}).get(desk, ()), self._clock())

    def scheduled(self, desk: str) -> Announcement | None:
        """Return what it announces next."""
        return rules.scheduled((self._known or {}).get(desk, ()), self._clock())

    def ended(self, desk: str) -> tuple[datetime, str] | None:
        """Return when this desk last went back to normal, and who had it so; None when nobody did."""
        return self._ended.get(desk)

    def playing(self, desk: str, language: str) -> str | None:
        """The sound that those who wait hear, as Asterisk is told it; None before the first was put on the air."""
        return self._playing.get((desk, language))

    def brief(self, desk: str, language: str) -> str | None:
        """The same for whoever has heard the whole."""
        return self._brief.get((desk, language))

    async def preview(self, desk: Desk, language: str, text: str) -> Pcm:
        """Return how a text would sound, before it is on the air. Raises BadInput, VoiceFailed."""
        if language not in desk.languages:
            raise BadInput(field="language", problem="the desk does not speak it", mend=f"one of {desk.languages}")
        said = rules.spoken_text(f"texts.{language}", text)
        return await asyncio.to_thread(self._kept.preview, f"texts.{language}", desk.id, language, said)

    # Changing it -------------------------------------------------------------------------------------

    async def announce_text(
        self,
        desk: Desk,
        texts: Mapping[str, str],
        *,
        brief: Mapping[str, str] | None = None,
        starts_at: datetime | None,
        expires_at: datetime | None,
        who: str,
    ) -> Announcement:
        """Have a text said, and `brief` to whoever has heard it once.

        Returns once it is committed. Raises BadInput, VoiceFailed, StoreUnavailable.
        """
        said, names = await self._spoken(desk, "texts", texts)
        short, short_names = await self._spoken(desk, "brief", brief) if brief is not None else (None, None)
        rules.period(starts_at, expires_at, self._clock())
        return await self._announce(
            desk,
            "text",
            texts=said,
            sounds=names,
            brief_texts=short,
            brief_sounds=short_names,
            starts_at=starts_at,
            expires_at=expires_at,
            who=who,
        )

    async def _spoken(self, desk: Desk, field: str, texts: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
        """The texts as they are said, and the names of their sounds."""
        rules.both_languages(field, texts, desk.languages)
        said = {language: rules.spoken_text(f"{field}.{language}", texts[language]) for language in desk.languages}
        names = {
            language: await asyncio.to_thread(self._kept.speak, f"{field}.{language}", desk.id, language, text)
            for language, text in said.items()
        }
        return said, names

    async def announce_recordings(
        self,
        desk: Desk,
        recordings: Mapping[str, Pcm],
        *,
        source: Source = "wav",
        starts_at: datetime | None = None,
        expires_at: datetime | None = None,
        who: str,
    ) -> Announcement:
        """Have recordings played. Returns once it is committed. Raises BadInput, StoreUnavailable."""
        rules.period(starts_at, expires_at, self._clock())
        names = {
            language: await asyncio.to_thread(self._kept.keep, language, language, pcm)
            for language, pcm in recordings.items()
        }
        return await self._announce(
            desk, source, texts={}, sounds=names, starts_at=starts_at, expires_at=expires_at, who=who
        )

    async def _announce(  # noqa: PLR0913 - a record of them would be made only to be taken apart
        self,
        desk: Desk,
        source: Source,
        *,
        texts: Mapping[str, str],
        sounds: Mapping[str, str],
        brief_texts: Mapping[str, str] | None = None,
        brief_sounds: Mapping[str, str] | None = None,
        starts_at: datetime | None,
        expires_at: datetime | None,
        who: str,
    ) -> Announcement:
        async with self._changing:
            now = self._clock()
            start, end = rules.period(starts_at, expires_at, now)
            values: dict[str, Any] = {
                "desk": desk.id,
                "source": source,
                "texts": dict(texts),
                "sounds": dict(sounds),
                "brief_texts": brief_texts,
                "brief_sounds": brief_sounds,
                "starts_at": start,
                "expires_at": end,
                "created_by": who,
                "created_at": now,
            }
            async with self._store.unit() as unit:
                await unit.alone("announcements", desk.id)
                before = [one for one in await statements.not_ended(unit) if one.desk == desk.id]
                for one in rules.replaced(before, start, now):
                    await statements.end(unit, one.id, at=now, who=who)
                made = Announcement(id=await statements.add(unit, **values), **values)
                known = await statements.not_ended(unit)
            self._know(known)
            log.info("announcement created", desk=desk.id, announcement=made.id, source=source, who=who)
            await self._put_on_air()
            if made.starts_at > now:
                self._publish(desk)
        return made

    async def end(self, desk: Desk, who: str) -> None:
        """All is well again; does nothing when it is. Returns once it is committed. Raises StoreUnavailable."""
        async with self._changing:
            now = self._clock()
            async with self._store.unit() as unit:
                mine = [one for one in await statements.not_ended(unit) if one.desk == desk.id]
                for one in mine:
                    await statements.end(unit, one.id, at=now, who=who)
                known = await statements.not_ended(unit)
            self._know(known)
            self._ended[desk.id] = (now, who)
            log.info("announcements ended", desk=desk.id, who=who, ended=len(mine))
            await self._put_on_air()
            if rules.in_force(mine, now) is None and rules.scheduled(mine, now) is not None:
                self._publish(desk)

    # On the air --------------------------------------------------------------------------------------

    async def load(self) -> None:
        """Read the database and put on the air what is in force. Raises StoreUnavailable."""
        async with self._changing:
            async with self._store.reading() as unit:
                known = await statements.not_ended(unit)
                self._ended |= await statements.last_ends(unit)
            await self.hearings.load(one.id for one in known)
            self._know(known)
            await self._put_on_air()

    def tell_again(self) -> None:
        """The desks or their texts are others now: put on the air, soon, whatever is said otherwise."""
        self._told.clear()

    async def run(self) -> None:
        """Start, end and remind on time, for ever."""
        while True:
            try:
                if self._known is None:
                    await self.load()
                async with self._changing:
                    well = await self._put_on_air()
                await self._remind()
            except Unavailable as error:
                log.warning("announcements not read: database unavailable", error=str(error))
                well = False
            await rest(_TICK_S if well else _PATIENCE_S)

    def _know(self, announcements: list[Announcement]) -> None:
        known: dict[str, list[Announcement]] = {desk: [] for desk in self._desks}
        for one in announcements:
            if one.desk in known:
                known[one.desk].append(one)
        self._known = known

    async def _put_on_air(self) -> bool:
        """Have every desk tell what is in force; False when some could not, and are to be tried again."""
        well = True
        for desk in self._desks.values():
            one = self.in_force(desk.id)
            if desk.id in self._told and _same(self._told[desk.id], one):
                continue
            try:
                if desk.id in self._told:
                    await self._make_room(desk, await asyncio.to_thread(self._length_s, desk, one))
                changed = await asyncio.to_thread(self._tell, desk, one)
            except (OmnivigilError, OSError):
                # It is in the database: what cannot be told now is told as soon as it can be.
                log.exception("service state not put on the air; retrying", event_id="OV1401", desk=desk.id)
                well = False
                continue
            if changed or desk.id in self._told:
                log.info("service state on the air changed", desk=desk.id, announcement=one.id if one else None)
                self._publish(desk)
            self._told[desk.id] = one
        return well

    async def _make_room(self, desk: Desk, length_s: float) -> None:
        try:
            await self._interrupt(desk.id, length_s)
        except (OmnivigilError, OSError):
            # They hear it after what they are being told.
            log.exception("waiting callers not interrupted for a changed announcement", desk=desk.id)

    def _publish(self, desk: Desk) -> None:
        self._bus.publish("announcement.changed", self._clock(), self.facts(desk.id))

    def _tell(self, desk: Desk, one: Announcement | None) -> bool:
        """Give each language's stream what to say; whether that is something else than before."""
        changed = False
        for language in desk.languages:
            sound = brief = self._sound(desk, one, language)
            if one is not None and one.brief_sounds is not None and language in one.brief_sounds:
                brief = self._kept.path(one.brief_sounds[language])
            changed = self._on_air.put(desk.id, language, sound, brief) or changed
            self._playing[desk.id, language] = sound
            self._brief[desk.id, language] = brief
        return changed

    def _sound(self, desk: Desk, one: Announcement | None, language: str) -> str:
        if one is None or language not in one.sounds:
            return self._sounds.fixed(desk.id, NORMAL, language)
        return self._kept.path(one.sounds[language])

    def _length_s(self, desk: Desk, one: Announcement | None) -> float:
        """Return how long it takes to say, in the language in which it takes longest. Raises OSError."""
        return max(Path(f"{self._sound(desk, one, name)}.ulaw").stat().st_size for name in desk.languages) / RATE

    def facts(self, desk: str) -> dict[str, Any]:
        """A desk's state as it is told to others."""
        one, ahead = self.in_force(desk), self.scheduled(desk)
        return {
            "desk": desk,
            "state": "normal" if one is None else "announced",
            "in_force": one.facts() if one is not None else None,
            "scheduled": ahead.facts() if ahead is not None else None,
        }

    async def _remind(self) -> None:
        now = self._clock()
        for desk in self._desks.values():
            one = self.in_force(desk.id)
            stale = timedelta(hours=desk.announcement.stale_after_h)
            if one is None or not rules.reminder_due(one, now, stale):
                continue
            async with self._changing:
                async with self._store.unit() as unit:
                    await put_email(unit, reminder(one, desk), at=now)
                    await statements.reminded(unit, one.id, at=now)
                    known = await statements.not_ended(unit)
                self._know(known)
            log.warning("announcement on the air past its reminder time", desk=desk.id, announcement=one.id)


def _same(one: Announcement | None, other: Announcement | None) -> bool:
    return (one.id if one is not None else None) == (other.id if other is not None else None)
