"""Follows one sound through a recording, sample by sample: how much of it was heard, and from when.

The line plays the very samples that we compare with, so a wave matches itself and hardly anything else. What a
call does to it is small: another codec, a lost packet here and there, 20 ms more or less in a jitter buffer.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from sipsim.audio import RATE, Samples

#: Compared piece by piece, in samples: 0.1 s.
BLOCK = RATE // 10
#: Correlation from which a block counts as heard. Of the same sound it is 0.95 and more, and 0.7 where a packet of
#: the block's five was lost; of other speech, tried at one place only, seldom above 0.4.
HEARD = 0.6
#: And from which the sound was found again after a slip: other speech, tried at 1600 places, reaches 0.8.
FOUND_AGAIN = 0.85
#: How far codecs' filters move a wave, in samples.
_DRIFT = 8
#: How far a jitter buffer may slip at once, in samples: 0.1 s.
_SLIP = RATE // 10
#: How long a line may stand still within a sound, in samples: 0.4 s. Asterisk goes on where it was, that much later.
_GAP = 2 * RATE // 5
#: After that much, so many blocks together must fit, and this well; and so many were heard before.
_AFTER_GAP, _SURE_AGAIN, _KNOWN = 4, 0.95, 7
#: A sound is given up after more than this many blocks of speech without it: lost packets and slips spoil no more.
_PATIENCE = 2
#: What of a sound is quieter than this, in 16-bit values, says nothing.
_QUIET = 120.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Sound:
    """A prompt's samples, and what they say."""

    prompt_id: str
    language: str
    text: str
    desk: str
    samples: Samples

    @cached_property
    def speech(self) -> npt.NDArray[np.bool_]:
        """Which of its blocks say something."""
        blocks = self.samples[: len(self.samples) // BLOCK * BLOCK].reshape(-1, BLOCK)
        level = np.sqrt(np.square(blocks, dtype=np.float64).mean(axis=1))
        return np.asarray(level > max(_QUIET, 0.1 * float(level.max(initial=0))))


@dataclass(frozen=True, kw_only=True)
class Track:
    """Where and how far a sound was found. Positions in samples, of the recording (start, end) or in blocks."""

    start: int
    end: int
    #: Blocks of speech heard, and their mean correlation.
    heard: int
    score: float
    #: Blocks of speech missed between the sound's beginning and the last one heard.
    missed: int
    #: Blocks of speech after the last one heard.
    unheard: int

    @property
    def net(self) -> int:
        """How much of the recording it explains, in blocks."""
        return (self.end - self.start) // BLOCK - self.missed

    @property
    def fit(self) -> float:
        """Mean correlation, what was missed on the way counted as none."""
        return self.score * self.heard / (self.heard + self.missed)

    @property
    def from_the_beginning(self) -> bool:
        """Whether nothing but lost packets is missing before its end."""
        return _only_packets_lost(self.heard, self.missed)


def _only_packets_lost(heard: int, missed: int) -> bool:
    return missed <= 1 + heard // 8


class Waves:
    """A recording, ready to be correlated, that may grow."""

    #: Room on both sides, in samples, so that a sound may begin before the recording or end after it.
    _MARGIN = 4 * RATE

    def __init__(self, samples: Samples) -> None:
        self.length = 0
        #: How far into the recording anything was compared since this was last set, in samples.
        self.reached = 0
        self._samples = np.zeros(2 * self._MARGIN, np.float32)
        self._energy = np.zeros(2 * self._MARGIN + 1)
        self.grow(samples)

    @property
    def samples(self) -> Samples:
        """The recording so far."""
        return self._samples[self._MARGIN : self._MARGIN + self.length]

    def grow(self, samples: Samples) -> None:
        """Add what was recorded since."""
        begin = self._MARGIN + self.length
        end = begin + len(samples)
        if end + self._MARGIN > len(self._samples):
            # Twice as much room as is needed: adding a little, often, costs little.
            more = np.zeros(2 * (end + self._MARGIN) - len(self._samples), np.float32)
            self._samples = np.concatenate([self._samples, more])
            self._energy = np.concatenate([self._energy, np.zeros(len(more))])
        self._samples[begin:end] = samples
        square = np.square(samples, dtype=np.float64)
        self._energy[begin + 1 : end + 1] = self._energy[begin] + np.cumsum(square)
        self._energy[end + 1 : end + self._MARGIN + 1] = self._energy[end]
        self.length += len(samples)

    def correlate(self, piece: Samples, position: int, reach: int) -> tuple[float, int]:
        """The best normalised correlation of `piece` within `reach` of `position`, and how far from it that is."""
        self.reached = max(self.reached, position + reach + len(piece))
        first = position - reach + self._MARGIN
        last = position + reach + len(piece) + self._MARGIN
        if first < 0 or last > self.length + 2 * self._MARGIN:
            return 0.0, 0
        around = self._samples[first:last]
        if reach > 4 * _DRIFT:
            size = 1 << (len(around) - 1).bit_length()
            spectrum = np.fft.rfft(around, size) * np.conj(np.fft.rfft(piece, size))
            products = np.fft.irfft(spectrum, size)[: 2 * reach + 1]
        else:
            products = np.correlate(around, piece, "valid")
        energies = self._energy[first + len(piece) : last + 1] - self._energy[first : first + 2 * reach + 1]
        norm = np.sqrt(np.maximum(energies, 1.0) * float(np.square(piece, dtype=np.float64).sum() + 1.0))
        values = products / norm
        best = int(values.argmax())
        return float(values[best]), best - reach


def anchor(waves: Waves, samples: Samples, offset: int, start: int, *, length: int, reach: int) -> tuple[float, int]:
    """Correlation of the `length` samples from `offset` on, if the sound began near `start`; and the exact start."""
    value, moved = waves.correlate(samples[offset : offset + length], start + offset, reach)
    return value, start + moved


def follow(waves: Waves, sound: Sound, start: int, from_block: int) -> Track | None:
    """Follow a sound that began at `start` both ways from one of its blocks. None when nothing of it is there."""
    speech = sound.speech
    walk = _Walk(waves, sound)
    walk.along(range(from_block, len(speech)), start)
    walk.along(range(from_block - 1, -1, -1), start)
    heard = np.flatnonzero(walk.values)
    if len(heard) == 0:
        return None
    first_start = int(walk.starts[heard[0]]) if heard[0] < from_block else start
    # What lies before the recording could not be heard.
    begin = min(max(0, -(first_start // BLOCK)), int(heard[0]))
    missed = np.cumsum(speech[begin:])[heard - begin] - np.arange(1, len(heard) + 1)
    unheard = speech.sum() - np.cumsum(speech)[heard]
    # Where a sound was cut, what follows may resemble one block of it that is further on.
    fits = [n for n in range(len(heard)) if _only_packets_lost(n + 1, int(missed[n]))]
    sure = [n for n in fits if n == 0 or missed[n] == missed[n - 1] or unheard[n] <= 1]
    n = (sure or fits or [len(heard) - 1])[-1]
    return Track(
        start=first_start,
        end=int(walk.starts[heard[n]]) + (int(heard[n]) + 1) * BLOCK,
        heard=n + 1,
        score=float(walk.values[heard[: n + 1]].mean()),
        missed=int(missed[n]),
        unheard=int(unheard[n]),
    )


class _Walk:
    """From block to block of a sound's speech, each where the one before it was."""

    def __init__(self, waves: Waves, sound: Sound) -> None:
        self._waves, self._samples, self._speech = waves, sound.samples, sound.speech
        #: Of each block that is heard its correlation, and where the sound began as seen from it.
        self.values = np.zeros(len(self._speech))
        self.starts = np.zeros(len(self._speech), np.int64)

    def along(self, blocks: range, start: int) -> None:
        """Look for these, if the sound began at `start`, until too many are missing."""
        lost = 0
        for block in blocks:
            if not self._speech[block]:
                continue
            at = block * BLOCK
            value, moved = self._waves.correlate(self._samples[at : at + BLOCK], start + at, _DRIFT)
            if value < HEARD:
                # Two blocks: one alone fits other speech too easily when it may be moved that far.
                first = max(0, at - BLOCK // 2)
                around = self._samples[first : at + BLOCK + BLOCK // 2]
                value, moved = self._waves.correlate(around, start + first, _SLIP)
                if value < FOUND_AGAIN:
                    lost += 1
                    if lost <= _PATIENCE:
                        continue
                    value, moved = self._after_a_gap(at, start) if blocks.step > 0 else (0.0, 0)
                    if value < _SURE_AGAIN or moved < 0:
                        break
            lost = 0
            start += moved
            self.values[block], self.starts[block] = value, start

    def _after_a_gap(self, at: int, start: int) -> tuple[float, int]:
        """Look for the sound where it would go on if the line had stood still; 0 where too little of it was heard."""
        piece = self._samples[at : at + _AFTER_GAP * BLOCK]
        if np.count_nonzero(self.values) < _KNOWN or len(piece) < _AFTER_GAP * BLOCK:
            return 0.0, 0
        return self._waves.correlate(piece, start + at, _GAP)
