"""Recognises the line's prompts in a recording of a call, by comparing it with the sounds that the line was given."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sipsim.audio import RATE, Samples, read_ulaw, read_wav
from sipsim.errors import SoundsUnusable
from sipsim.features import BANDS, HOP, SPAN, WIDTH, Indices, Matrix, descriptions, frames
from sipsim.matching import BLOCK, HEARD, Sound, Track, Waves, anchor, follow

#: Descriptions that agree this well may be of the same sound. Measured: of 4300 moments of prompts through G.722,
#: 99.5 % agree to 0.89 or better at the worst alignment, while 50 moments of other prompts reach 0.79 at the median.
SIMILAR = 0.85
#: A recording is described every so many frames; every one where short sounds are looked for.
_STEP = 4
_SHORT_STEP = 1
#: Sounds shorter than this, in frames, are short.
_SHORT = 40
#: Prompts are played from their beginning: only that is looked for, 1.2 s in frames, and the rest is followed.
_BEGINNING = 60
#: Descriptions that must agree on where a sound begins before it is compared sample by sample.
_VOTES = 2
#: Mean correlation below which nothing is reported. Measured with the 174 sounds of both desks: of 457 prompts,
#: whole and cut, through A-law, G.722, 2 % loss and slips, none was below 0.926; other recorded voices saying other
#: things reached 0.77 (8 minutes), and noise, tones and hold music nothing at all.
CREDIBLE = 0.85
#: Blocks of speech that must be heard: of a sound that was cut, and of a whole one, which may be a short digit.
#: Less than that, and two words can sound alike.
_LEAST_HEARD = 4
_LEAST_WHOLE = 2
#: While a sound is heard that has matched this many blocks, no other begins.
_SURE = 8
#: Between sounds of which as much was heard, give or take this many blocks, the better fit decides.
_ALIKE = 2
#: Unless the fits are this close: then it may have been either.
_SAME_FIT = 0.01
#: A sound is complete when no more than this many blocks of its speech are missing at its end.
_END = 1
#: Two sounds that begin this close together, in samples, are heard as one.
_TOGETHER = RATE // 10


@dataclass(frozen=True, kw_only=True)
class Heard:
    """A prompt in a recording."""

    prompt_id: str
    language: str
    text: str
    #: The desk whose text it is; "" for what all desks share.
    desk: str
    #: Where it begins in the recording, in seconds; negative when it began before the recording.
    start_s: float
    #: How much of it was heard, in seconds from its beginning.
    matched_s: float
    #: Whether it was heard to its end.
    complete: bool
    #: Mean correlation of what was heard, 0 to 1.
    score: float
    #: Other prompts that it may be as well: they begin alike, and no more than that was heard.
    also: tuple[str, ...] = ()

    @property
    def end_s(self) -> float:
        """Where it ends in the recording, or was cut."""
        return self.start_s + self.matched_s

    def may_be(self, prompt_id: str) -> bool:
        """Whether it is this prompt, or cannot be told from it yet."""
        return prompt_id == self.prompt_id or prompt_id in self.also


class Recogniser:
    """Knows a set of sounds. Costs about a megabyte for 10 s of them; recognising costs no more than a hundredth of the
    recording's length, and whoever listens while it grows pays for each second once."""

    def __init__(self, sounds: Iterable[Sound]) -> None:
        self._sounds = tuple(sounds)
        described = [frames(sound.samples[: _BEGINNING * HOP]) for sound in self._sounds]
        voiced = [bands[loud] for bands, loud in described]
        count = sum(len(bands) for bands in voiced)
        self._average: Matrix = np.concatenate(voiced).mean(axis=0) if count else np.zeros(BANDS, np.float32)
        long = [n for n, (bands, _) in enumerate(described) if len(bands) >= _SHORT]
        short = [n for n, (bands, _) in enumerate(described) if len(bands) < _SHORT]
        self._banks = (
            _Bank(described, long, self._average, _STEP),
            _Bank(described, short, self._average, _SHORT_STEP),
        )

    @classmethod
    def load(cls, sounds: Path) -> Recogniser:
        """Of a line's sounds folder, by its `ov/manifest.json`. Raises SoundsUnusable."""
        manifest = sounds / "ov" / "manifest.json"
        try:
            entries = json.loads(manifest.read_text(encoding="utf-8"))
            return cls(
                Sound(
                    prompt_id=entry["id"],
                    language=entry["language"],
                    text=entry["text"],
                    desk=entry["desk"],
                    samples=read_ulaw(sounds / f"{name}.ulaw"),
                )
                for name, entry in entries.items()
            )
        except (OSError, ValueError, KeyError) as error:
            raise SoundsUnusable(f"{manifest}: {error!r}; the line builds it when it starts") from error

    def knowing(self, *sounds: Sound) -> Recogniser:
        """One that knows these as well: the people of a test, say."""
        return Recogniser((*self._sounds, *sounds))

    def recognise(self, recording: Path | Samples) -> list[Heard]:
        """The prompts in a WAV file (or its samples), in order. Raises RecordingUnusable, OSError."""
        return self.listening().hear(read_wav(recording) if isinstance(recording, Path) else recording)

    def listening(self) -> Listening:
        """Somebody who hears one recording, again and again while it grows."""
        return Listening(self._sounds, self._banks, self._average)


@dataclass(frozen=True, kw_only=True)
class _Hits:
    """Moments of the recording that resemble moments of sounds, one row each."""

    sound: Indices
    #: Frame of the recording, and of the sound.
    at: Indices
    of: Indices
    likeness: npt.NDArray[np.float32]

    @classmethod
    def join(cls, parts: list[_Hits]) -> _Hits:
        none = np.zeros(0, np.int64)
        return cls(
            sound=np.concatenate([none, *(one.sound for one in parts)]),
            at=np.concatenate([none, *(one.at for one in parts)]),
            of=np.concatenate([none, *(one.of for one in parts)]),
            likeness=np.concatenate([np.zeros(0, np.float32), *(one.likeness for one in parts)]),
        )

    def beginnings(self) -> tuple[Indices, Indices, Indices]:
        """Sounds, samples of the recording where they would begin, and their most alike frames; most hits first."""
        begin = self.at - self.of
        key = self.sound * (1 << 32) + begin + (1 << 16)
        order = np.lexsort((-self.likeness, key))
        keys, first, votes = np.unique(key[order], return_index=True, return_counts=True)
        # Frames of the recording fall between the sound's own: the hits are shared out to two neighbours.
        twins = np.flatnonzero(np.diff(keys) == 1)
        both = votes.copy()
        both[twins] += votes[twins + 1]
        both[twins + 1] += votes[twins]
        enough = np.flatnonzero(both >= _VOTES)
        best = order[first[enough[np.argsort(-both[enough], kind="stable")]]]
        return self.sound[best], begin[best] * HOP, self.of[best]


class _Bank:
    """Descriptions of some sounds."""

    def __init__(
        self,
        described: list[tuple[Matrix, npt.NDArray[np.bool_]]],
        which: list[int],
        average: Matrix,
        step: int,
    ) -> None:
        parts = [(number, *descriptions(*described[number], average)) for number in which]
        self._step = step
        self._rows = np.concatenate([np.zeros((0, WIDTH), np.float32), *(rows for _, rows, _ in parts)])
        self._sound = np.concatenate([np.zeros(0, np.int64), *(np.full(len(first), n) for n, _, first in parts)])
        self._frame = np.concatenate([np.zeros(0, np.int64), *(first for _, _, first in parts)])

    def hits(self, bands: Matrix, loud: npt.NDArray[np.bool_], average: Matrix) -> tuple[_Hits, int]:
        """Moments that resemble the bank's, and how many frames need not be compared again when others follow."""
        rows, first = descriptions(bands, loud, average, self._step)
        likeness = rows @ self._rows.T
        row, column = np.divmod(np.flatnonzero(likeness > SIMILAR), max(1, likeness.shape[1]))
        found = _Hits(sound=self._sound[column], at=first[row], of=self._frame[column], likeness=likeness[row, column])
        return found, max(0, (len(bands) - SPAN) // self._step + 1) * self._step


class Listening:
    """One recording, heard while it grows: what every hit leads to, the longest first, each moment claimed once.

    What is heard is the same as if all of it were heard at once; it costs what was added.
    """

    def __init__(self, sounds: tuple[Sound, ...], banks: tuple[_Bank, ...], average: Matrix) -> None:
        self._sounds, self._banks, self._average = sounds, banks, average
        self._begin()

    def _begin(self) -> None:
        self._waves = Waves(np.zeros(0, np.float32))
        self._bands, self._loud = np.zeros((0, BANDS), np.float32), np.zeros(0, bool)
        #: Frames that each bank was compared with.
        self._compared = [0 for _ in self._banks]
        self._hits = _Hits.join([])
        #: Where a sound may have begun, and what of it was found there; nothing that comes later can change that.
        self._followed: dict[tuple[int, int, int], Track | None] = {}

    def hear(self, samples: Samples) -> list[Heard]:
        """The prompts in the recording as far as it goes now, in order."""
        if not np.array_equal(samples[: self._waves.length], self._waves.samples):
            # It is another one, or what had been missing came late.
            self._begin()
        self._waves.grow(samples[self._waves.length :])
        bands, loud = frames(samples[len(self._bands) * HOP :])
        self._bands, self._loud = np.concatenate([self._bands, bands]), np.concatenate([self._loud, loud])
        self._hits = _Hits.join([self._hits, *(self._compare(n) for n in range(len(self._banks)))])
        return self._chosen(sorted(self._tracks(), key=lambda one: -one[1].net))

    def _compare(self, bank: int) -> _Hits:
        since = self._compared[bank]
        hits, count = self._banks[bank].hits(self._bands[since:], self._loud[since:], self._average)
        self._compared[bank] += count
        return replace(hits, at=hits.at + since)

    def _chosen(self, left: list[tuple[Sound, Track]]) -> list[Heard]:
        """Each moment's best, in order of time."""
        found: list[Heard] = []
        while left:
            rivals = [one for one in left if _overlap(one[1], left[0][1]) > one[1].heard * BLOCK // 2]
            alike = [one for one in rivals if one[1].net >= left[0][1].net - _ALIKE]
            sound, track = max(alike, key=lambda one: one[1].fit)
            as_well = {other.prompt_id for other, one in alike if _as_well(one, track)}
            found.append(self._heard(sound, track, as_well - {sound.prompt_id}))
            left = [one for one in left if _overlap(one[1], track) <= one[1].heard * BLOCK // 2]
        return sorted(found, key=lambda one: one.start_s)

    def _tracks(self) -> list[tuple[Sound, Track]]:
        tracks: list[tuple[Sound, Track]] = []
        numbers, starts, frame = self._hits.beginnings()
        undecided = np.ones(len(numbers), bool)
        n = -1
        while (n := n + 1) < len(numbers) and undecided[n := n + int(undecided[n:].argmax())]:
            number = int(numbers[n])
            track = self._track(number, int(starts[n]), int(frame[n]))
            if track is None or not _credible(track):
                continue
            tracks.append((self._sounds[number], track))
            if track.heard >= _SURE:
                undecided &= ~_decided(track, starts, numbers == number)
        return tracks

    def _track(self, number: int, start: int, of: int) -> Track | None:
        if (number, start, of) in self._followed:
            return self._followed[number, start, of]
        sound, offset = self._sounds[number], of * HOP
        self._waves.reached = 0
        value, exact = anchor(self._waves, sound.samples, offset, start, length=SPAN * HOP, reach=HOP)
        track = None
        if value >= HEARD:
            track = follow(self._waves, sound, exact, offset // BLOCK)
        if self._waves.reached <= self._waves.length:
            self._followed[number, start, of] = track
        return track

    @staticmethod
    def _heard(sound: Sound, track: Track, also: set[str]) -> Heard:
        complete = track.unheard <= _END
        end = len(sound.samples) + track.start if complete else track.end
        return Heard(
            prompt_id=sound.prompt_id,
            language=sound.language,
            text=sound.text,
            desk=sound.desk,
            start_s=track.start / RATE,
            matched_s=(end - track.start) / RATE,
            complete=complete,
            score=round(track.score, 3),
            also=tuple(sorted(also)),
        )


def _credible(track: Track) -> bool:
    least = _LEAST_WHOLE if track.unheard <= _END else _LEAST_HEARD
    return track.heard >= least and track.score >= CREDIBLE and track.from_the_beginning


def _decided(track: Track, starts: Indices, same_sound: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Where a sound need not be looked for, because of one that was followed."""
    # Where a prompt was cut, the first syllables of the next one can be taken for more of it.
    doubtful = _TOGETHER if track.unheard <= _END else RATE
    within = (track.start < starts) & (starts < track.end - doubtful)
    return np.where(np.abs(track.start - starts) < _TOGETHER, same_sound, within)


def _overlap(one: Track, other: Track) -> int:
    return min(one.end, other.end) - max(one.start, other.start)


def _as_well(track: Track, best: Track) -> bool:
    """Whether nobody can tell which of two sounds it was."""
    return abs(track.start - best.start) < _TOGETHER and best.fit - track.fit < _SAME_FIT
