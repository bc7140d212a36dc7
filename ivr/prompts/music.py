"""Hold music of our own making: slow, soft chords, so that nobody's rights are touched and a prompt stands out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ivr.prompts.audio import Pcm, levelled

#: Raised when the music changes, so that it is made again.
NAME = "calm-1"
RATE = 16000
#: Well below speech, in dB of full scale at its peak: what is said over the line must be heard first.
_PEAK_DBFS = -24.0
_CHORD_S = 4.0

#: Four chords in MIDI notes that lead into each other and back to the first: C, A minor, F, G with its sixth.
_CHORDS = ((48, 60, 64, 67, 71), (45, 57, 60, 64, 67), (41, 57, 60, 65, 69), (43, 59, 62, 64, 67))
#: The notes of a chord enter one by one, as a slow arpeggio.
_ORDER = (0, 1, 2, 3, 4, 3, 2, 1)


def hold_music(rounds: int = 2) -> Pcm:
    """A loop without a seam: `rounds` times the four chords, 16 seconds each."""
    length = int(_CHORD_S * RATE)
    total = np.zeros(length * len(_CHORDS) * rounds)
    for n in range(len(_CHORDS) * rounds):
        chord = _CHORDS[n % len(_CHORDS)]
        step = length // len(_ORDER)
        for beat, index in enumerate(_ORDER):
            note = _note(chord[index], 3.0)
            # What rings on past the end goes on at the beginning.
            positions = (np.arange(len(note)) + n * length + beat * step) % len(total)
            total[positions] += note
    loud = np.abs(total).max()
    samples = np.rint(total / loud * 32767).astype(np.int16)
    return levelled(Pcm(samples=samples, rate=RATE), _PEAK_DBFS)


def _note(midi: int, seconds: float) -> npt.NDArray[np.float64]:
    """A soft struck tone: three harmonics that fade, the higher the sooner."""
    time = np.arange(int(seconds * RATE)) / RATE
    frequency = 440.0 * 2 ** ((midi - 69) / 12)
    tone = sum(
        np.sin(2 * np.pi * frequency * harmonic * time) * np.exp(-time * (1.2 + 0.9 * harmonic)) / harmonic**2
        for harmonic in (1, 2, 3)
    )
    attack = np.minimum(1.0, time / 0.03)
    return np.asarray(tone * attack)
