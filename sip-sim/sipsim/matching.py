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
        return self.missed <= 1 + self.heard // 8


class Waves:
    """A recording, ready to be correlated."""

    def __init__(self, samples: Samples) -> None:
        # Room on both sides, so that a sound may begin before the recording or end after it.
        self._margin = 4 * RATE
        margin = np.zeros(self._margin, np.float32)
        self._samples = np.concatenate([margin, samples, margin])
        self._energy = np.concatenate([[0.0], np.cumsum(np.square(self._samples, dtype=np.float64))])
        self.length = len(samples)

    def correlate(self, piece: Samples, position: int, reach: int) -> tuple[float, int]:
        """The best normalised correlation of `piece` within `reach` of `position`, and how far from it that is."""
        first = position - reach + self._margin
        last = position + reach + len(piece) + self._margin
        if first < 0 or last > len(self._samples):
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
    samples, speech = sound.samples, sound.speech
    values = np.zeros(len(speech))
    last_start = _walk(waves, samples, speech, values, start, range(from_block, len(speech)))
    first_start = _walk(waves, samples, speech, values, start, range(from_block - 1, -1, -1))
    heard = np.flatnonzero(values)
    if len(heard) == 0:
        return None
    # What lies before the recording could not be heard.
    begin = max(0, -(first_start // BLOCK)) if first_start < 0 else 0
    last = int(heard[-1])
    spoken = int(speech[begin : last + 1].sum())
    return Track(
        start=first_start,
        end=last_start + (last + 1) * BLOCK,
        heard=len(heard),
        score=float(values[heard].mean()),
        missed=spoken - len(heard),
        unheard=int(speech[last + 1 :].sum()),
    )


def _walk(
    waves: Waves,
    samples: Samples,
    speech: npt.NDArray[np.bool_],
    values: npt.NDArray[np.float64],
    start: int,
    blocks: range,
) -> int:
    """Fill in the correlation of each block that is heard; the start, as seen from the last of them."""
    lost = 0
    found_start = start
    for block in blocks:
        if not speech[block]:
            continue
        at = block * BLOCK
        value, moved = waves.correlate(samples[at : at + BLOCK], start + at, _DRIFT)
        if value < HEARD:
            # Two blocks: one alone fits other speech too easily when it may be moved that far.
            first = max(0, at - BLOCK // 2)
            value, moved = waves.correlate(samples[first : at + BLOCK + BLOCK // 2], start + first, _SLIP)
            if value < FOUND_AGAIN:
                lost += 1
                if lost > _PATIENCE:
                    break
                continue
        lost = 0
        start += moved
        found_start = start
        values[block] = value
    return found_start
